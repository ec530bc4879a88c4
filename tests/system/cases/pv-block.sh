#!/bin/bash
# SPDX-License-Identifier: MIT
# Block devices with our own drivers at either end or both: data verified, backend killed ten times
# under load, unplugged and plugged again, under load too; a Linux guest makes and checks its own file system. Variants
# name front and back end. pv-block-soak has the long load.
# oracle: yes
# variants: linux-ours ours-linux ours-ours
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

{
echo "front=${VARIANT%-*} back=${VARIANT#*-}"
cat <<'EOS'
. /lib/kt.sh
. /lib/pv.sh
disk b 64

# So many deaths, a second or so apart.
kill_often() {
	local n=0
	while [ $n -lt $1 ]; do
		sleep 0.7
		restart_blkback
		n=$((n + 1))
	done
}

own_guest() {
	cat >/root/b.cfg <<X
name = "b"
kernel = "/guest/blk"
memory = 64
on_poweroff = "destroy"
on_crash = "preserve"
extra = "$1"
$2
X
}

passes() {
	check "$1: all data is right" on_console b 'KTEST-EXIT: 0' 150
	tr -d '\r' <$CONSOLES/guest-b.log | grep '^#'
	exists b && ! gone b 10 >/dev/null && xl destroy b
	mv $CONSOLES/guest-b.log $CONSOLES/done-b.log
}

load() {
	type_in d1 "/tmp/p/bin/disk_load /dev/xvdb $1 $2 $3; echo load$2=\$((\$? + 10))"
}

load_says() {
	tr -d '\r' <$CONSOLES/guest-d1.log | grep "^LOAD-$1" | sed 's/^/# /'
}

# The disk goes away while it is worked on, and comes back; then it is as good as it was.
under_load() {
	load 4 1
	kill_often 4
	check "mixed load, each byte checked" on_console d1 load1=10 60
	load 100 2 48
	sleep 2
	check "unplug under load" unplug_disk d1 51728
	check "the load notices" on_console d1 'load2=12' 30
	check "plug again" plug_disk d1 51728 /root/b.img
	check "connected" within 20 disk_state d1 51728 4
	load 2 3
	check "load again" on_console d1 load3=10 60
	load_says RIGHT
	[ $(load_says RIGHT | wc -l) = 2 ] || load_says WRONG
	check "unplug" unplug_disk d1 51728
}

file_system() {
	type_in d1 'head -c 8000000 /dev/urandom >/tmp/r; s=$(md5sum </tmp/r); run=/tmp/p/run; $run mke2fs -q -t ext4 /dev/xvdb; mount -t ext4 /dev/xvdb /mnt; for i in $(seq 1 15); do cp /tmp/r /mnt/f; sync; echo 3 >/proc/sys/vm/drop_caches; [ "$(md5sum </mnt/f)" = "$s" ] && echo round $i; done; umount /mnt; $run e2fsck -fn /dev/xvdb; echo fsck=$((20 + $?)); echo sum=$s; echo fin=$((3 + 4))'
	check "first round" on_console d1 'round 1' 60
	kill_often 6
	check "finished" on_console d1 fin=7 100
	check "all rounds" [ $(tr -d '\r' <$CONSOLES/guest-d1.log | grep -c '^round') = 15 ]
	check "fsck in the guest" console_has d1 fsck=20
	blkback_stats
	check "unplug" unplug_disk d1 51728
}

linux_front() {
	local sum
	debian d1 "disk = [ \"format=raw,vdev=xvda,access=rw,target=/root/d1-root.img\", \"format=raw,vdev=xvdp,access=ro,target=/guest/programs.img\" ]" stay
	check "create" xl create -q /root/d1.cfg
	check "up" on_console d1 DOMU-UP
	check "plug" plug_disk d1 51728 /root/b.img
	check "connected" within 20 disk_state d1 51728 4
	xenstore-ls $(back_of d1 51728) | grep -E 'feature|max|sector' | sed 's/^/# back: /'
	xenstore-ls /local/domain/$(xl domid d1)/device/vbd/51728 | grep -E 'feature|queue|ring|proto' | sed 's/^/# front: /'
	tr -d '\r' <$CONSOLES/guest-d1.log | sed -n 's/.*blkfront: xvdb/# xvdb/p'
	type_in d1 'mount -t tmpfs t /tmp; mkdir /tmp/p; mount -o ro /dev/xvdp /tmp/p'
	file_system
	sum=$(tr -d '\r' <$CONSOLES/guest-d1.log | sed -n 's/^sum=\([0-9a-f]*\).*/\1/p')
	check "plug again" plug_disk d1 51728 /root/b.img r
	check "connected" within 20 disk_state d1 51728 4
	type_in d1 'mount -t ext4 -o ro /dev/xvdb /mnt; md5sum </mnt/f; dd if=/dev/zero of=/dev/xvdb count=1; umount /mnt; echo again=$((4 + 4))'
	check "still there" on_console d1 again=8 20
	check "its file, read-only" [ $(tr -d '\r' <$CONSOLES/guest-d1.log | grep -c "^$sum") = 1 ]
	check "unplug again" unplug_disk d1 51728
	check "the guest has no errors" refuses console_has d1 'error, dev xvdb'
	mkdir -p /mnt
	check "the file system, in dom0" mount -o loop,ro /root/b.img /mnt
	check "the file, in dom0" [ "$(md5sum </mnt/f | cut -c1-32)" = "$sum" ]
	umount /mnt
	check "plug it for a load" plug_disk d1 51728 /root/b.img
	check "connected" within 20 disk_state d1 51728 4
	under_load
	[ $failed = 0 ] || tail -n 40 $CONSOLES/guest-d1.log
	check "shutdown" xl shutdown -w d1
}

if [ $back = ours ]; then
	start_blkback
fi
if [ $front = linux ]; then
	linux_front
elif [ $back = linux ]; then
	for options in "queues=1 order=0" "queues=2 order=2 persistent"; do
		own_guest "vbd=51728 ms=5000 $options" \
			'disk = [ "format=raw,vdev=xvdb,access=rw,target=/root/b.img" ]'
		check "create" xl create -q /root/b.cfg
		passes "$options"
	done
else
	for options in "queues=1 order=0 direct" "queues=4 order=2 persistent"; do
		own_guest "vbd=51728 ms=12000 $options"
		check "create" xl create -p -q /root/b.cfg
		check "plug" plug_disk b 51728 /root/b.img w persistent-grants=1
		check "unpause" xl unpause b
		sleep 1
		kill_often 10
		blkback_stats
		passes "$options"
	done
fi
check "the backend complained of nothing" [ ! -s $BLKBACK_LOG ]
[ ! -s $BLKBACK_LOG ] || cat $BLKBACK_LOG
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
} | toolstack --smp 1 --timeout 280 --add "$TOP/$BUILD/tools/blkback:usr/bin/blkback" \
	--add "$TOP/$BUILD/guests/blk:guest/blk" --add "$TOP/$BUILD/system-programs/guest.img:guest/programs.img"
