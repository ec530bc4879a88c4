#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: the same Debian guest twice, with its network card on the kernel's netback and then on ours; it runs
# bench/system/load.c, whose marks the counting plugin answers. The order of the runs is known to
# bench/run-net.
. /lib/kt.sh
. /lib/qnic.sh

bridge
mkdir -p /dev/shm/www
cp /guest/load /dev/shm/www/load
httpd -p 7000 -h /dev/shm/www
/guest/load serve 9 &
l=/mnt/load

# loads NAME COMMAND [LINE]... : a guest that COMMAND completes while it is paused.
loads() {
	local name=$1 plug=$2
	shift 2
	debian $name "$@" 'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img" ]' ip=10.0.0.2 \
		ro stay "run=mount -t tmpfs t /mnt; sleep 3; wget -q -O $l http://10.0.0.1:7000/load; \
chmod +x $l; $l udp 10.0.0.1 9 300; $l send 10.0.0.1 9 256; $l send 10.0.0.1 9 16384; \
$l recv 10.0.0.1 9 256; $l recv 10.0.0.1 9 16384; echo all-done"
	xl create -q -p /root/$name.cfg
	$plug $name
	xl unpause $name
	on_console $name '^all-done' 900 || exit 1
	xl destroy $name
	sleep 1
}

ours() {
	qnic $(xl domid $1) 0
}

loads kernel true 'vif = [ "bridge=xenbr0" ]'
netback_start
loads ours ours
/guest/netback --statistics
echo done
