#!/bin/bash
# SPDX-License-Identifier: MIT
# Our block backend for long: eight guests at work at once, a Linux guest with eight disks, half a minute of mixed load on
# a ninth, which then is unplugged under load and plugged in again; the daemon is killed a hundred times
# meanwhile (KILLS in the environment: another number); every byte is checked.
# oracle: yes
# cpus: 2
# soak
# timeout: 900
. "$(dirname "$0")/../lib/case.sh"

# The images lie in dom0's memory.
toolstack --toolstack krypton --smp 2 --mem 1800 --cmdline dom0_mem=960M --timeout 880 --add "$TOP/$BUILD/guests/blk:guest/blk" \
	--add "$TOP/$BUILD/system-programs/guest.img:guest/programs.img" < <(
	echo "KILLS=${KILLS:-100}"
	cat <<'EOS'
. /lib/kt.sh
. /lib/pv.sh

small() {
	disk s$1 8
	cat >/root/s$1.cfg <<X
name = "s$1"
kernel = "/guest/blk"
memory = 32
on_poweroff = "preserve"
on_crash = "preserve"
extra = "vbd=51728 ms=120000 queues=$((1 + $1 % 4)) order=$(($1 % 3)) $([ $(($1 % 2)) = 0 ] || echo persistent)"
disk = [ "format=raw,vdev=xvdb,access=rw,target=/root/s$1.img" ]
X
	kl create -q /root/s$1.cfg
}

disks='"format=raw,vdev=xvda,access=ro,target=/guest/root.img", "format=raw,vdev=xvdp,access=ro,target=/guest/programs.img"'
for d in b c d e f g h i; do
	disk d$d 12
	disks="$disks, \"format=raw,vdev=xvd$d,access=rw,target=/root/d$d.img\""
done
disk dj 32
debian many "disk = [ $disks ]" ro stay
check "a guest with eight disks" kl create -q /root/many.cfg
for n in 1 2 3 4 5 6 7 8; do
	check "guest $n" small $n
done
check "up" on_console many DOMU-UP
type_in many 'mount -t tmpfs t /tmp; mkdir /tmp/m; head -c 3000000 /dev/urandom >/tmp/r; s=$(md5sum </tmp/r); for d in b c d e f g h i; do mkdir /tmp/m/$d; mke2fs /dev/xvd$d >/dev/null 2>&1; mount -t ext4 /dev/xvd$d /tmp/m/$d; done; echo ready=$((2 + 2))'
check "eight file systems" on_console many ready=4 60
type_in many 'mkdir /tmp/p; mount -o ro /dev/xvdp /tmp/p'
check "plug a ninth" kl block-attach many format=raw,vdev=xvdj,access=rw,target=/root/dj.img
type_in many '(/tmp/p/bin/disk_load /dev/xvdj 30 1; echo load=$(($? + 10))) &'
type_in many 'one() { for i in $(seq 1 15); do cp /tmp/r /tmp/m/$1/f; sync; echo 3 >/proc/sys/vm/drop_caches; [ "$(md5sum </tmp/m/$1/f)" = "$s" ] || echo wrong $1; done; echo disk $1 done; }; for d in b c d e f g h i; do one $d & done; wait; for d in b c d e f g h i; do umount /tmp/m/$d; done; echo all=$((3 + 3))'
kill_repeatedly blkback $KILLS
check "half a minute of mixed load" on_console many load=10 120
tr -d '\r' <$CONSOLES/guest-many.log | grep '^LOAD-' | sed 's/^/# /'
check "all copies" on_console many all=6 300
check "of all disks" [ $(tr -d '\r' <$CONSOLES/guest-many.log | grep -c '^disk . done') = 8 ]
check "none was wrong" refuses console_has many '^wrong'
check "no errors" refuses console_has many 'I/O error'
type_in many '/tmp/p/bin/disk_load /dev/xvdj 100 2; echo load=$(($? + 20))'
sleep 3
check "unplug it under load" kl block-detach many xvdj
check "the load notices" on_console many load=22 60
check "plug it in again" kl block-attach many format=raw,vdev=xvdj,access=rw,target=/root/dj.img
type_in many 'sleep 1; /tmp/p/bin/disk_load /dev/xvdj 5 3; echo load=$(($? + 30))'
check "load again" on_console many load=30 60
for n in 1 2 3 4 5 6 7 8; do
	check "guest $n: every byte is right" on_console s$n 'KTEST-EXIT: 0' 200
	tr -d '\r' <$CONSOLES/guest-s$n.log | grep '^# .*reads'
done
kill -USR1 $(pidof blkback)
sleep 1
cat /run/krypton/blkback/stats
check "the daemon's memory" sh -c '[ $(awk "/VmRSS/ { print \$2 }" /proc/$(pidof blkback)/status) -lt 100000 ]'
for n in 1 2 3 4 5 6 7 8; do kl destroy s$n; done
check "shutdown" kl shutdown -w many
check "no record is left" within 40 sh -c '[ -z "$(ls /run/krypton/blkback/rings)" ]' || ls /run/krypton/blkback/rings
# The shell that starts it again says "Killed" each time.
check "the daemon complained of nothing" [ "$(grep -vc '^Killed$' /var/log/xen/blkback)" = 0 ]
cat /var/log/xen/blkback
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
)
