#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest under load moves back and forth between two hosts with a cable and a shared disk: a TCP stream
# through it never breaks, its clock never goes back, its memory and its file system stay whole. With more than
# four moves, two small guests also move at once in both directions, and while the far host's store is killed.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# timeout: 500
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/hosts.sh"

: "${MOVES:=4}"
shared=$(shared_disk 16)
daemons=consoled
[ $MOVES -le 4 ] || daemons=xenstored,consoled
host="--toolstack krypton:$daemons --smp 1 --mem 1100 --cmdline dom0_mem=640M --timeout $((240 + MOVES * 40))
	--add $TOP/$BUILD/guests/mover:/guest/mover"
second_host $host --shared-disk "$shared"
{ echo "moves=$MOVES"; cat <<'EOS'; } | first_host $host --shared-disk "$shared" || exit 1
. /lib/kt.sh
. /lib/hosts.sh
check "link" link 1
# A longer journey's guest has room for what pins its memory meanwhile.
debian d1 "memory = $((moves > 4 ? 128 : 96))" 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' \
	"disk = [ 'format=raw,vdev=xvda,access=rw,target=/dev/vda' ]" ip=10.0.0.3 stay
dd if=/guest/root.img of=/dev/vda bs=1M conv=notrunc 2>/dev/null; sync
rm -f /root/d1-root.img
check "create" kl create /root/d1.cfg
must "up" on_console d1 '^DOMU-UP'
must "the other host" peer_up 120
tail -f /dev/null | nc -l -p 5000 >/tmp/stream & # its input never ends
type_in d1 'mkdir -p /m; mount -t tmpfs t /m; head -c 4000000 /dev/urandom >/m/a; sha256sum </m/a | cut -c1-12 >/m/sum; (last=0; i=0; while :; do n=$(cut -d. -f1 /proc/uptime); [ $n -ge $last ] || echo back; last=$n; i=$((i+1)); echo $i; sleep 1; done) | nc 10.0.0.1 5000 &'
check "a TCP stream" within 30 grep -q '^2$' /tmp/stream
type_in d1 'while :; do cat /m/a >/m/b; head -c 1000000 /m/a >/tmp/f; sync; done &'
grows() {
	local n=$(wc -l </tmp/stream)
	within 20 sh -c "[ \$(wc -l </tmp/stream) -gt $n ]"
}
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
	check "the stream goes on" grows
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
check "the stream is whole" sh -c '[ "$(grep -v back /tmp/stream | head -n 30 | tail -n 1)" = 30 ] && grep -n . /tmp/stream | grep -v back | awk -F: "\$1 != \$2 { exit 1 }"'
check "its clock never went back" refuses grep -q back /tmp/stream
check "its address answers" within 20 ping -c 2 10.0.0.3
type_in d1 'sha256sum </m/a | cut -c1-12 | cmp - /m/sum && echo whole=$((4 + 4))'
check "its memory is whole" within 30 sh -c 'cat /var/log/xen/console/guest-d1*.log | grep -q "whole=8"'
type_in d1 'kill %2; kill %1; sync; mount -o remount,ro /; echo ro=$((1 + 1))'
check "its disk is written" within 30 sh -c 'cat /var/log/xen/console/guest-d1*.log | grep -q "ro=2"'
check "destroy" kl destroy d1
end_peer
finish
EOS
expect 0 /sbin/e2fsck -fn "$shared"
