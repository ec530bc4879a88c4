#!/bin/bash
# SPDX-License-Identifier: MIT
# The web server guest, netfront against the kernel's netback and against ours: pages from its disk
# and bulk data into it, compared; several clients and queues; both daemons killed ten times meanwhile.
# oracle: yes
# cpus: 2
# variants: kernel ours
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

# On a fresh machine lwIP came into the cache only after make had looked for it.
[ -e "$TOP/$BUILD/guests/http" ] || make -s -C "$TOP" "BUILD=$BUILD" "$BUILD/guests/http" || {
	echo "skip: the source package of lwIP was not to be had when packaging/setup.sh ran"
	exit 77
}
# dom0's busybox has no cksum.
big=$(mktemp)
trap 'rm -f "$big"' EXIT
head -c $((1777 * 1024)) /dev/urandom >"$big"
sum=$(cksum <"$big")
toolstack --smp 2 --timeout 280 --add "$big:/guest/big.bin" \
	--add "$TOP/$BUILD/tools/netback:/guest/netback" \
	--add "$TOP/$BUILD/tools/blkback:/usr/bin/blkback" \
	--add "$HERE/lib/qnic.sh:/lib/qnic.sh" --add "$TOP/$BUILD/guests/http:/guest/http" <<EOS
backends=$VARIANT
. /lib/kt.sh
. /lib/pv.sh
. /lib/qnic.sh
bridge
mkdir site site/deep
echo '<html><title>Krypton</title><h1>It works</h1></html>' >site/index.html
cp /guest/big.bin site/deep/big.bin
tar cf site.img -C site .
truncate -s 4M site.img

# start NAME WORDS: the guest with these words on its command line, serving.
start() {
	cat >\$1.cfg <<X
name = "\$1"
kernel = "/guest/http"
memory = 48
vcpus = 1
extra = "ip=10.0.0.5 \$2"
X
	if [ \$backends = kernel ]; then
		echo 'vif = [ "bridge=xenbr0" ]' >>\$1.cfg
		echo 'disk = [ "format=raw,vdev=xvda,access=ro,target=/root/site.img" ]' >>\$1.cfg
		check "create" xl create \$1.cfg
	else
		check "create" xl create -p \$1.cfg
		check "disk" plug_disk \$1 51712 /root/site.img r
		check "card" qnic \$(xl domid \$1) 0
		check "unpause" xl unpause \$1
	fi
	check "serving" on_console \$1 'http: serving' 30
	check "its files" on_console \$1 'http: 2 files' 1
	check "ping" within 10 ping -c 1 -W 2 10.0.0.5
	tr -d '\r' <\$CONSOLES/guest-\$1.log | sed -n "s/^.*http: card/# netfront and netback (\$backends):/p"
}

same() {
	wget -q -O - http://10.0.0.5/deep/big.bin | cmp - site/deep/big.bin
}

# Into the guest: it answers with the checksum of what it was sent.
post() {
	{ printf 'POST / HTTP/1.0\r\nContent-Length: 1819648\r\n\r\n'; cat site/deep/big.bin; } |
		nc -w 20 10.0.0.5 80 | tr -d '\r' | grep -q "^$sum\$"
}

clients() {
	for i in 1 2 3 4 5 6; do
		for n in 1 2 3; do
			same || echo wrong >>wrong
		done &
	done
	wait \$(jobs -p | tail -n 6)
	[ ! -e wrong ]
}

if [ \$backends = ours ]; then
	check "netback" netback_start
	start_blkback
fi
start h queues=2
check "two queues" on_console h 'card with 2 queue' 1
check "its page" prints 'It works' wget -q -O - http://10.0.0.5/
check "by name" prints 'It works' wget -q -O - http://10.0.0.5/index.html
check "no such page" refuses wget -q -O - http://10.0.0.5/none
check "a big file" same
check "a big file into it" post
check "six clients at once" clients
if [ \$backends = ours ]; then
	(for i in 1 2 3 4 5 6 7 8 9 10; do
		sleep 0.7; netback_kill; netback_start; restart_blkback
	done; touch killed) 2>/dev/null &
	rounds=0
	while [ ! -e killed ]; do
		check "while the daemons are killed" same
		check "into it, too" post
		rounds=\$((rounds + 1))
	done
	echo "# \$rounds rounds"
	/guest/netback --statistics
fi
check "still there" prints 'It works' wget -q -O - http://10.0.0.5/
check "destroy" xl destroy h
start one nosplit
check "one event channel" refuses console_has one split-event-channels
check "a big file" same
check "a big file into it" post
check "destroy" xl destroy one
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
