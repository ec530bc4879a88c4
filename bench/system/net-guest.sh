# SPDX-License-Identifier: MIT
#
# What the network benches share, for scripts in dom0: a bridge, the server of bench/system/load.c behind it, and
#
#	load_guest NAME COMMANDS [LINE]...	a Debian guest, paused, that fetches that program as $l and
#						runs COMMANDS; LINEs go into its configuration
. /lib/kt.sh
. /lib/qnic.sh

bridge
mkdir -p /dev/shm/www
cp /guest/load /dev/shm/www/load
httpd -p 7000 -h /dev/shm/www
/guest/load serve 9 &
l=/mnt/load

load_guest() {
	local name=$1 commands=$2
	shift 2
	debian $name "$@" 'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img" ]' ip=10.0.0.2 \
		ro stay "run=mount -t tmpfs t /mnt; sleep 3; wget -q -O $l http://10.0.0.1:7000/load; \
chmod +x $l; $commands; echo all-done"
	xl create -q -p /root/$name.cfg
}
