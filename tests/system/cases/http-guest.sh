#!/bin/bash
# SPDX-License-Identifier: MIT
# The web server guest: pages from its disk over its network card, on the kernel's backends and on
# ours, fetched by dom0; several clients at once; the daemons killed meanwhile.
# oracle: yes
# variants: kernel ours
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

# On a fresh machine lwIP came into the cache only after make had looked for it.
[ -e "$TOP/$BUILD/guests/http" ] || make -s -C "$TOP" "BUILD=$BUILD" "$BUILD/guests/http" || exit 1
toolstack --timeout 280 --add "$TOP/$BUILD/tools/netback:/guest/netback" \
	--add "$TOP/$BUILD/tools/blkback:/usr/bin/blkback" \
	--add "$HERE/lib/qnic.sh:/lib/qnic.sh" --add "$TOP/$BUILD/guests/http:/guest/http" <<EOS
backends=$VARIANT
. /lib/kt.sh
. /lib/pv.sh
. /lib/qnic.sh
bridge
mkdir site site/deep
echo '<html><title>Krypton</title><h1>It works</h1></html>' >site/index.html
dd if=/dev/urandom of=site/deep/big.bin bs=1k count=1777 2>/dev/null
tar cf site.img -C site .
truncate -s 4M site.img
cat >h.cfg <<X
name = "h"
kernel = "/guest/http"
memory = 48
vcpus = 1
extra = "ip=10.0.0.5"
X
if [ \$backends = kernel ]; then
	echo 'vif = [ "bridge=xenbr0" ]' >>h.cfg
	echo 'disk = [ "format=raw,vdev=xvda,access=ro,target=/root/site.img" ]' >>h.cfg
	check "create" xl create h.cfg
else
	check "netback" netback_start
	start_blkback
	check "create" xl create -p h.cfg
	check "disk" plug_disk h 51712 /root/site.img r
	check "card" qnic \$(xl domid h) 0
	check "unpause" xl unpause h
fi
check "serving" on_console h 'http: serving' 30
tr -d '\r' <\$CONSOLES/guest-h.log | grep 'http: card'
check "its files" on_console h 'http: 2 files' 1
check "ping" within 10 ping -c 1 -W 2 10.0.0.5
check "its page" prints 'It works' wget -q -O - http://10.0.0.5/
check "by name" prints 'It works' wget -q -O - http://10.0.0.5/index.html
check "no such page" refuses wget -q -O - http://10.0.0.5/none
check "a big file" wget -q -O big http://10.0.0.5/deep/big.bin
check "is the same" cmp big site/deep/big.bin
clients() {
	for i in 1 2 3 4 5 6; do
		for n in 1 2 3; do
			wget -q -O - http://10.0.0.5/deep/big.bin | cmp - site/deep/big.bin || echo wrong >>wrong
		done &
	done
	wait \$(jobs -p | tail -n 6)
	[ ! -e wrong ]
}
check "six clients at once" clients
if [ \$backends = ours ]; then
	(for i in 1 2 3; do sleep 1; netback_kill; netback_start; restart_blkback; done) 2>/dev/null &
	check "while the daemons are killed" clients
	/guest/netback --statistics
fi
check "still there" prints 'It works' wget -q -O - http://10.0.0.5/
check "destroy" xl destroy h
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
