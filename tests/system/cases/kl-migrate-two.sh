#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest under load moves back and forth between two hosts with a cable and a shared disk: a TCP stream
# through it never breaks, its clock never goes back, its memory and its file system stay whole. With more than
# four moves it has a qcow2 image, too, that it reads and writes all the time, and then two small guests move at once
# in both directions, and while the far host's store is killed.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# timeout: 500
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/hosts.sh"

: "${MOVES:=4}"
shared=$(shared_disk 16)
disks="--shared-disk $shared"
daemons=consoled
if [ $MOVES -gt 4 ]; then
	daemons=xenstored,consoled
	image=$(shared_disk 32 image)
	qemu-img create -q -f qcow2 "$image" 16M && truncate -s 32M "$image" || exit 1
	disks="$disks --shared-disk $image $(with_libraries qemu-nbd)"
fi
host="--toolstack krypton:$daemons --smp 1 --mem 1200 --cmdline dom0_mem=700M --timeout $((240 + MOVES * 40))
	--add $TOP/$BUILD/guests/mover:/guest/mover $disks"
second_host $host
{ echo "moves=$MOVES"; cat <<'EOS'; } | first_host $host || exit 1
. /lib/kt.sh
. /lib/hosts.sh
. /lib/traveller.sh
check "link" link 1
[ $moves -le 4 ] || more="'format=qcow2,vdev=xvdb,access=rw,target=/dev/vdb'"
stream_traveller '' '' "${more:-}"
type_in d1 'while :; do cat /m/a >/m/b; head -c 1000000 /m/a >/tmp/f; sync; done &'
# It writes 3 MiB, other ones each time, to one of four places, and reads what it wrote to all.
[ $moves -le 4 ] || type_in d1 '(r=0; while [ ! -e /m/end ]; do p=$((r % 4)); tail -c +$((r + 1)) /m/a | head -c 3145728 >/m/c; eval "s$p=\$(sha256sum </m/c)"; dd if=/m/c of=/dev/xvdb bs=64k seek=$((p * 48)) oflag=direct conv=fsync 2>/dev/null || echo failed; for q in 0 1 2 3; do eval "s=\$s$q"; [ -z "$s" ] || [ "$(dd if=/dev/xvdb bs=64k skip=$((q * 48)) count=48 iflag=direct 2>/dev/null | sha256sum)" = "$s" ] || echo wrong $r $q; done; r=$((r + 1)); done; echo image-rounds=$r) >/m/image 2>&1 &'
n=0
while [ $n -lt $moves ]; do
	n=$((n + 1))
	if [ $((n % 2)) = 1 ]; then
		check "a receiver there" peer 'kl migrate-receive --tcp 7000 >/tmp/receiver 2>&1 & sleep 2'
		check "move $n, there" sh -c 'kl --json migrate --tcp 7000 d1 10.0.0.2 >/tmp/json' || cat /tmp/json
		tail -n 1 /tmp/json
		check "it is there" peer 'within 20 kl list d1'
		check "and not here" refuses kl list d1
	else
		kl migrate-receive --tcp 7000 2>/tmp/receiver &
		check "move $n, back" peer 'sleep 1; kl migrate --tcp 7000 d1 10.0.0.1'
		check "it is here" within 20 kl list d1
		check "and not there" refuses peer 'kl list d1'
	fi
	check "the stream goes on" stream_grows
done
# Two at once, past each other; both are small guests that look after themselves.
if [ $moves -gt 4 ]; then
	. /lib/mover.sh
	check "one here" mover m1 2 skew=2000 # the hosts' clocks are set to whole seconds
	check "one there" peer '. /lib/mover.sh; mover m2 2 skew=2000'
	here=m1 there=m2
	for n in 1 2 3 4 5; do
		peer 'kl migrate-receive --tcp 7001 >/tmp/receiver 2>&1 & sleep 2' >/dev/null
		kl migrate-receive --tcp 7002 2>/tmp/receiver &
		receiver=$!
		kl migrate --tcp 7001 $here 10.0.0.2 >/tmp/there 2>&1 &
		sender=$!
		check "crossing $n: from there" peer "kl migrate --tcp 7002 $there 10.0.0.1" || kill $receiver
		wait $sender
		check "crossing $n: from here" [ $? = 0 ] || cat /tmp/there
		wait $receiver
		swap=$here here=$there there=$swap
		check "$here is here and well" beats $here
		check "$there is there and well" peer ". /lib/mover.sh; beats $there"
	done
	peer "kl destroy $there" >/dev/null
	for n in 1 3; do
		peer "kl migrate-receive --tcp 7001 >/tmp/receiver 2>&1 & sleep 2; (sleep $n; kill -9 \$(cat /run/xenstored.pid)) >/dev/null 2>&1 &" >/dev/null
		check "its store is killed after $n s" kl migrate --bandwidth 4 --tcp 7001 $here 10.0.0.2
		kl migrate-receive --tcp 7002 2>/tmp/receiver &
		check "well and back" peer ". /lib/mover.sh; beats $here && kl migrate --tcp 7002 $here 10.0.0.1"
		check "$here is here and well" beats $here
	done
	peer 'kl migrate-receive --tcp 7001 >/tmp/receiver 2>&1 & sleep 2; (sleep 2; kill -9 $(pidof xenstored)) >/dev/null 2>&1 &' >/dev/null
	check "its store dies for good" refuses kl migrate --bandwidth 4 --tcp 7001 $here 10.0.0.2
	check "$here stays here" beats $here
	kl destroy $here
fi
stream_is_whole
check "its address answers" within 20 ping -c 2 10.0.0.3
if [ $moves -gt 4 ]; then
	type_in d1 'touch /m/end; wait %3; cat /m/image'
	check "its image was read and written all the time" within 60 sh -c "cat $CONSOLES/guest-d1*.log | grep -q '^image-rounds=[1-9][0-9]'"
	check "and is right" refuses sh -c "cat $CONSOLES/guest-d1*.log | grep -E '^(wrong|failed)'"
fi
type_in d1 'kill %2; kill %1; sync; mount -o remount,ro /; echo ro=$((1 + 1))'
check "its disk is written" within 30 sh -c 'cat /var/log/xen/console/guest-d1*.log | grep -q "ro=2"'
check "destroy" kl destroy d1
end_peer
finish
EOS
expect 0 /sbin/e2fsck -fn "$shared"
[ $MOVES -le 4 ] || expect 0 qemu-img check -q -f qcow2 "$image"
