#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: a Debian guest with a disk on a RAM disk through blkback and a network card through
# netback and a bridge; it runs bench/system/load.c, whose marks the counting plugin answers. The
# order of the runs is known to bench/run-system.
. /lib/kt.sh

insmod /guest/brd.ko rd_nr=1 rd_size=65536 || echo "no RAM disk"
dd if=/dev/zero of=/dev/ram0 bs=1M 2>/dev/null
bridge
mkdir -p /dev/shm/www
cp /guest/load /dev/shm/www/load
httpd -p 7000 -h /dev/shm/www
/guest/load serve 9 &
l=/mnt/load
debian d 'vif = [ "bridge=xenbr0" ]' \
	'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img", "phy:/dev/ram0,xvdb,w" ]' \
	ip=10.0.0.2 ro stay "run=mount -t tmpfs t /mnt; sleep 3; wget -q -O $l http://10.0.0.1:7000/load; \
chmod +x $l; $l read /dev/xvdb 500; $l udp 10.0.0.1 9 300; $l send 10.0.0.1 9 256; \
$l send 10.0.0.1 9 16384; $l recv 10.0.0.1 9 256; $l recv 10.0.0.1 9 16384; echo all-done"
xl create -q /root/d.cfg
sleep 30	# looking takes instructions: not while it is measured
on_console d '^all-done' 900 || exit 1
tr -d '\r' <$CONSOLES/guest-d.log | grep LOAD
xl destroy d
echo done
