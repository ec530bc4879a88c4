#!/bin/bash
# SPDX-License-Identifier: MIT
# The web server guest (netfront, blkfront) is saved and restored on our backends in the middle of a download: the
# connection goes on, every byte arrives; a save that leaves it running; a shutdown on request.
# oracle: yes
# cpus: 2
# timeout: 200
. "$(dirname "$0")/../lib/case.sh"

[ -e "$TOP/$BUILD/guests/http" ] || make -s -C "$TOP" "BUILD=$BUILD" "$BUILD/guests/http" || {
	echo "skip: the source package of lwIP was not to be had when packaging/setup.sh ran"
	exit 77
}
dom0 --toolstack krypton --smp 2 --mem 1024 --cmdline dom0_mem=700M --timeout 190 \
	--add "$TOP/$BUILD/guests/http:/guest/http" <<'EOS'
. /lib/kt.sh
bridge
mkdir site
dd if=/dev/urandom of=site/big.bin bs=1k count=6000 2>/dev/null
tar cf site.img -C site .
truncate -s 8M site.img
cat >/root/h.cfg <<X
name = "h"
kernel = "/guest/http"
memory = 48
extra = "ip=10.0.0.5 queues=2"
vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:05" ]
disk = [ "format=raw,vdev=xvda,access=ro,target=/root/site.img" ]
X
check "create" kl create -q /root/h.cfg
check "serving" on_console h 'http: serving' 30
check "ping" within 10 ping -c 1 -W 2 10.0.0.5
mkfifo pipe
printf 'GET /big.bin HTTP/1.0\r\n\r\n' | nc 10.0.0.5 80 >pipe 2>/dev/null &

# What nc cannot pass on waits in the guest, with its connection.
download() {
	dd bs=10000 count=10 iflag=fullblock >got 2>/dev/null
	check "a download has begun" [ $(stat -c %s got) = 100000 ]
	check "a save that leaves the guest running" kl save -c h /dev/shm/c
	rm /dev/shm/c
	check "it says so" on_console h 'http: stays' 20
	dd bs=10000 count=10 iflag=fullblock >>got 2>/dev/null
	check "the download went on" [ $(stat -c %s got) = 200000 ]
	check "save" kl save h /dev/shm/s
	check "it is gone" refuses kl list h
	check "restore" kl restore /dev/shm/s
	check "it woke up" on_console h 'http: moved' 20
	cat >>got
}
download <pipe
tail -c 6144000 got >body	# behind the answer's head
check "the download is whole" cmp body site/big.bin
check "another one" sh -c 'wget -q -O - http://10.0.0.5/big.bin | cmp - site/big.bin'
check "the card is on our backend" prints 'vif.*connected 1 queues 2' /usr/lib/krypton/bin/netback --statistics
check "shutdown" kl shutdown -w h
check "no record is left" within 40 sh -c '! ls /run/krypton/netback | grep -q vif'
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
