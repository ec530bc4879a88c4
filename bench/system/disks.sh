#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: a Debian guest with disks through Linux's blkback (xvdb a RAM disk, xvdg the same without persistent grants,
# xvde a file through loop, xvdh a file through a loop past the page cache) and through ours (xvdc a RAM disk, xvdd the
# same without persistent grants, xvdf a file); it runs bench/system/disk.c
# on each in turn, whose marks the counting plugin answers. The loads are known to bench/run-disk.
. /lib/kt.sh
. /lib/pv.sh

insmod /guest/brd.ko rd_nr=3 rd_size=131072 || echo "no RAM disk"
for r in 0 2; do dd if=/dev/zero of=/dev/ram$r bs=1M count=32 2>/dev/null; done
mke2fs /dev/ram1 >/dev/null 2>&1
mkdir -p /files
mount -t ext4 /dev/ram1 /files || echo "no file system"
for f in e f h; do dd if=/dev/zero of=/files/$f.img bs=1M count=32 2>/dev/null; done
# Images that have been there for a while: nobody pays for writing them back, or drops their pages, while it is measured.
# The one behind the page cache is in it: that driver's best case.
sync; echo 1 >/proc/sys/vm/drop_caches
cat /files/e.img >/dev/null
dd if=/guest/disk of=/root/program.img bs=4096 conv=sync 2>/dev/null
losetup /dev/loop6 /files/h.img && chmod +x /guest/disk && /guest/disk direct /dev/loop6 || echo "no direct loop"
start_blkback
debian d 'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img", "format=raw,vdev=xvdp,access=ro,target=/root/program.img", "phy:/dev/ram0,xvdb,w", "format=raw,vdev=xvde,access=rw,target=/files/e.img", "phy:/dev/loop6,xvdh,w" ]' \
	ro stay
xl create -q /root/d.cfg
on_console d DOMU-UP 300 || exit 1
echo 0 >/sys/module/xen_blkback/parameters/feature_persistent
xl block-attach d 'phy:/dev/ram2,xvdg,w'
plug_disk d 51744 /dev/ram0 w!
plug_disk d 51760 /dev/ram0 w! persistent-grants=0
plug_disk d 51792 /files/f.img w
for vdev in 51744 51760 51792; do within 30 disk_state d $vdev 4 || exit 1; done

# The line is typed at a console whose input ring is small: a script in pieces.
type_in d 'mount -t tmpfs t /mnt; cd /mnt; dd if=/dev/xvdp of=disk bs=4096; chmod +x disk'
type_in d 'l() { ./disk $1-$2 /dev/$1 $3 $4 $5 $6 $7; }'
type_in d "for d in $DISKS; do l \$d r1 read random 4096 1 300; l \$d r32 read random 4096 32 2000; l \$d w32 write random 4096 32 2000; l \$d sr read sequential 131072 4 200; l \$d sw write sequential 131072 4 200; done; echo all=\$((20 + 3))"
sleep 20	# looking takes 18 million instructions each second: not while it is measured
on_console d '^all=23' 1200 || exit 1
tr -d '\r' <$CONSOLES/guest-d.log | grep ^LOAD
blkback_stats
cat $BLKBACK_LOG
xl destroy d
echo done
