#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: a Debian guest with the same RAM disk through Linux's blkback (xvdb) and through ours (xvdc,
# xvdd with persistent grants), and a file through both; it runs bench/system/disk.c on each in turn.
. /lib/kt.sh
. /lib/pv.sh

insmod /guest/brd.ko rd_nr=1 rd_size=65536 || echo "no RAM disk"
dd if=/dev/urandom of=/dev/ram0 bs=1M 2>/dev/null
disk f 32
disk g 32
mkdir -p /dev/shm/www
cp /guest/disk /dev/shm/www/disk
bridge
httpd -p 7000 -h /dev/shm/www
start_blkback
debian d 'vif = [ "bridge=xenbr0" ]' \
	'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img", "phy:/dev/ram0,xvdb,w!", "format=raw,vdev=xvde,access=rw,target=/root/f.img" ]' \
	ip=10.0.0.2 ro stay
xl create -q /root/d.cfg
on_console d DOMU-UP 300 || exit 1
plug_disk d 51744 /dev/ram0 w!
plug_disk d 51760 /dev/ram0 w! persistent-grants=1
plug_disk d 51792 /root/g.img w
for vdev in 51744 51760 51792; do within 30 disk_state d $vdev 4 || exit 1; done
type_in d 'mount -t tmpfs t /mnt; cd /mnt; wget -q http://10.0.0.1:7000/disk; chmod +x disk; for d in xvdb xvdc xvdd xvde xvdf; do ./disk $d-4k-1 /dev/$d read random 4096 1 300; ./disk $d-4k-32 /dev/$d read random 4096 32 2000; ./disk $d-w4k-32 /dev/$d write random 4096 32 2000; ./disk $d-128k /dev/$d read sequential 131072 4 200; ./disk $d-w128k /dev/$d write sequential 131072 4 200; done; echo all=$((20 + 3))'
on_console d '^all=23' 1200 || exit 1
tr -d '\r' <$CONSOLES/guest-d.log | grep ^LOAD
blkback_stats
xl destroy d
echo done
