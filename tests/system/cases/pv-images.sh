#!/bin/bash
# SPDX-License-Identifier: MIT
# What kl gives to our block backend by itself: a qcow2 image with a backing chain, read and written while the
# daemon and its qemu-nbd are killed, and made larger; a guest of our own that moves with one; locks of the modes r, w
# and w!; a disk that grows; a disk connected anew; a daemon that does not run is named.
# oracle: yes
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

# The chain is made here, read there: three files, of which only the top one may change.
work=$LOGS/images
rm -rf "$work"
mkdir -p "$work/files" && cd "$work" || exit 1
dd if=/dev/urandom of=files/base bs=64k count=40 2>/dev/null
sum=$(md5sum <files/base | cut -c1-32)
truncate -s 24M raw
mke2fs -q -F -t ext4 -O ^has_journal -d files raw || exit 1
qemu-img convert -O qcow2 raw base.qcow2 || exit 1
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 middle.qcow2 || exit 1
qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2 || exit 1
cd "$TOP" || exit 1
add=()
for f in base middle top; do add+=(--add "$work/$f.qcow2:images/$f.qcow2"); done
# The programs that work on it.
add+=($(with_libraries qemu-nbd qemu-img))
add+=(--add "$BUILD/system-programs/guest.img:guest/programs.img" --add "$BUILD/guests/blk:guest/blk")
{ echo "sum=$sum"; cat <<'EOS'; } | toolstack --toolstack krypton --timeout 280 "${add[@]}"
. /lib/kt.sh
debian d1 "disk = [ \"format=raw,vdev=xvda,access=rw,target=/root/d1-root.img\", \"format=raw,vdev=xvdp,access=ro,target=/guest/programs.img\" ]" stay
check "create, by default on our backend" kl create /root/d1.cfg
check "it is" prints /backend/qblk/ kl block-list d1
check "up" on_console d1 DOMU-UP

states() {
	kl block-list d1 | awk -v v=$1 '$1 == v { print $4 }'
}
connected() {
	[ "$(states $1)" = 4 ]
}
before=$(cat /images/base.qcow2 /images/middle.qcow2 | md5sum)
check "attach a qcow2 image" kl block-attach d1 format=qcow2,vdev=xvdb,access=rw,target=/images/top.qcow2
check "connected" within 20 connected 51728
xenstore-ls /local/domain/0/backend/qblk/$(kl domid d1)/51728 | grep -E 'feature|max|sector|format' | sed 's/^/# /'
check "an image has one writer" refuses kl block-attach d1 format=qcow2,vdev=xvdc,access=rw,target=/images/top.qcow2
type_in d1 'mount -t ext4 /dev/xvdb /mnt; md5sum </mnt/base; for i in 5 6 1 2 3 4 5 6; do cp /mnt/base /mnt/copy$i; sync; echo 3 >/proc/sys/vm/drop_caches; md5sum </mnt/copy$i; echo round $i; done; umount /mnt; echo first=$((1 + 1))'
check "first round" on_console d1 "round 5" 30
killed=0
while [ $killed -lt 4 ]; do
	kill -9 $(pidof blkback)
	killed=$((killed + 1))
	usleep 700000
	within 20 pidof qemu-nbd && kill -9 $(pidof qemu-nbd)
	usleep 700000
done
check "all rounds" on_console d1 first=2 60
check "all data is right" [ $(tr -d '\r' <$CONSOLES/guest-d1.log | grep -c "^$sum") = 9 ]
check "detach" kl block-detach d1 xvdb
check "its server ends" within 10 refuses pidof qemu-nbd
check "what is behind it did not change" [ "$(cat /images/base.qcow2 /images/middle.qcow2 | md5sum)" = "$before" ]
check "attach it again, read-only" kl block-attach d1 format=qcow2,vdev=xvdb,access=ro,target=/images/top.qcow2
type_in d1 'sleep 1; mount -t ext4 -o ro /dev/xvdb /mnt; md5sum </mnt/copy6; umount /mnt; echo again=$((2 + 2))'
check "read" on_console d1 again=4 20
check "what was written" [ $(tr -d '\r' <$CONSOLES/guest-d1.log | grep -c "^$sum") = 10 ]
check "detach it" kl block-detach d1 xvdb
check "attach it for a load" kl block-attach d1 format=qcow2,vdev=xvdb,access=rw,target=/images/top.qcow2
check "connected" within 20 connected 51728
type_in d1 'mount -t tmpfs t /tmp; mkdir /tmp/p; mount -o ro /dev/xvdp /tmp/p; /tmp/p/bin/disk_load /dev/xvdb 8 1 20; echo load=$(($? + 10))'
killed=0
while [ $killed -lt 4 ]; do
	sleep 1
	within 20 pidof qemu-nbd && kill -9 $(pidof qemu-nbd) && killed=$((killed + 1))
done
check "a raw disk is enlarged by its owner" refuses kl block-resize d1 xvda 64
check "block-resize of the image under load" kl block-resize d1 xvdb 40
check "its servers were killed: every byte is right" on_console d1 load=10 60
tr -d '\r' <$CONSOLES/guest-d1.log | grep '^LOAD-' | sed 's/^/# /'
type_in d1 'sleep 1; echo image=$(cat /sys/block/xvdb/size); dd if=/dev/xvdb bs=1M count=40 of=/dev/null; echo read=$(($? + 10))'
check "the guest sees the image grow" on_console d1 image=81920 20
check "and reads it all" on_console d1 read=10 20
check "detach it" kl block-detach d1 xvdb
check "the image is whole" sh -c 'qemu-img check /images/top.qcow2 >/tmp/checked 2>&1 || [ $? = 3 ] || { tail -3 /tmp/checked; false; }'
check "not an image" refuses kl block-attach d1 format=qcow2,vdev=xvdb,access=ro,target=/guest/initrd

disk a 16
disk b 16
check "w" kl block-attach d1 format=raw,vdev=xvdc,access=w,target=/root/a.img
check "w twice" refuses kl block-attach d1 format=raw,vdev=xvdd,access=w,target=/root/a.img
check "w and r" refuses kl block-attach d1 format=raw,vdev=xvdd,access=r,target=/root/a.img
check "w and w!" kl block-attach d1 format=raw,vdev=xvdd,access=w!,target=/root/a.img
check "connected" within 20 connected 51760
check "detach it" kl block-detach d1 xvdd
truncate -s 40M /root/a.img
check "block-resize" kl block-resize d1 xvdc
type_in d1 'sleep 1; echo size=$(cat /sys/block/xvdc/size)'
check "the guest sees it grow" on_console d1 size=81920 20
truncate -s 3298534883328 /root/a.img && check "block-resize beyond 2 TiB" kl block-resize d1 xvdc
type_in d1 'sleep 1; echo size=$(cat /sys/block/xvdc/size); echo far-away | dd of=/dev/xvdc bs=512 seek=6442450943 conv=sync 2>/dev/null; sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/xvdc bs=512 skip=6442450943 2>/dev/null; echo far=$((3 + 3))'
check "so does the guest" on_console d1 size=6442450944 20
check "written" on_console d1 far=6 20
check "and read again" on_console d1 '^far-away' 5
check "in its place" sh -c 'dd if=/root/a.img bs=512 skip=6442450943 2>/dev/null | grep -q far-away'
check "block-reconnect" kl block-reconnect d1 xvdc
check "connected again" within 20 connected 51744
check "r twice" sh -c 'kl block-detach d1 xvdc && kl block-attach d1 format=raw,vdev=xvdc,access=r,target=/root/a.img &&
	kl block-attach d1 format=raw,vdev=xvdd,access=r,target=/root/a.img'
check "the kernel's backend by its key" kl block-attach d1 format=raw,backendtype=phy,vdev=xvde,access=rw,target=/root/b.img
refuses_with_hint() {
	local out
	out=$(kl "$@" 2>&1) && return 1
	echo "$out"
	echo "$out" | grep -q 'blkback, is not running' && echo "$out" | grep -q backendtype=phy
}
check "the guest has no errors" refuses console_has d1 'I/O error'
check "shutdown" kl shutdown -w d1

# A guest of our own with blkfront and a qcow2 is saved, restored and moved with operations under way. One server has
# the image at a time, also when it moves to its own host. (What is discarded in a part of a cluster need not read as zeros.)
qemu-img create -q -f qcow2 /root/m.qcow2 16M
cat >/root/m.cfg <<X
name = "m"
kernel = "/guest/blk"
memory = 32
on_poweroff = "preserve"
on_crash = "preserve"
extra = "vbd=51728 ms=20000 queues=2 order=1 persistent"
disk = [ "format=qcow2,no-discard,vdev=xvdb,access=rw,target=/root/m.qcow2" ]
X
check "a guest with blkfront" kl create -q /root/m.cfg
check "it works" on_console m 'KiB sector' 30
sleep 2
check "a save that leaves it running" kl save -c m /dev/shm/m
check "it goes on" on_console m 'stayed with' 20
check "save" sh -c 'rm /dev/shm/m && kl save m /dev/shm/m'
check "restore" kl restore /dev/shm/m
check "it goes on there" on_console m 'moved with' 20
said() {
	[ $(grep -c "^# $1 with" $CONSOLES/guest-m.log) = $2 ]
}
check "a move" kl migrate --non-live -s 'sh -c' m '"exec kl migrate-receive" #'
check "it goes on at the other end" within 20 said moved 2
check "a move whose link breaks" refuses kl migrate --non-live -s '' m 'head -c 3000000 | kl migrate-receive'
check "it goes on here" within 20 said stayed 2
check "every byte is right" on_console m 'KTEST-EXIT: 0' 60
tr -d '\r' <$CONSOLES/guest-m.log | grep -E '^# (moved|stayed|.*moves)'
check "destroy" kl destroy m
check "its image is whole" within 10 sh -c 'qemu-img check /root/m.qcow2 >/tmp/checked 2>&1 || { tail -3 /tmp/checked; false; }'
# Nobody starts it again: the shell that did is stopped.
stop_keeping() {
	local keeper
	keeper=$(awk '/^PPid/ { print $2 }' /proc/$(pidof blkback)/status)
	kill -STOP $keeper
	kill -9 $(pidof blkback)
}
stop_keeping
check "a daemon that does not run is named" refuses_with_hint create /root/d1.cfg
check "and nothing is left" refuses exists d1
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
status=$?
rm -rf "$work"
exit $status
