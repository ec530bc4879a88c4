#!/bin/bash
# SPDX-License-Identifier: MIT
# Our network backend for long: eight web server guests (netfront) and a Linux guest with four cards are sent to and
# fetched from at once while the daemon is killed a hundred times (KILLS in the environment: another number) and a
# card of the Linux guest is unplugged and plugged in again; every byte is checked.
# oracle: yes
# cpus: 2
# soak
# timeout: 900
. "$(dirname "$0")/../lib/case.sh"

[ -e "$TOP/$BUILD/guests/http" ] || {
	echo "skip: the web server guest was not built"
	exit 77
}
# dom0's busybox has no cksum.
big=$(mktemp)
trap 'rm -f "$big"' EXIT
head -c 512000 /dev/urandom >"$big"
toolstack --toolstack krypton --smp 2 --timeout 880 --add "$big:/guest/big.bin" \
	--add "$TOP/$BUILD/guests/http:guest/http" < <(
	echo "KILLS=${KILLS:-100}"
	echo "sum='$(cksum <"$big")'"
	cat <<'EOS'
. /lib/kt.sh
. /lib/pv.sh
bridge
mkdir site
cp /guest/big.bin site/big.bin
tar cf site.img -C site .
truncate -s 1M site.img

small() {
	cat >/root/s$1.cfg <<X
name = "s$1"
kernel = "/guest/http"
memory = 40
extra = "ip=10.0.0.1$1 queues=$((1 + $1 % 2))"
vif = [ "bridge=xenbr0" ]
disk = [ "format=raw,vdev=xvda,access=ro,target=/root/site.img" ]
X
	kl create -q /root/s$1.cfg
}

for n in 1 2 3; do
	ip link add xenbr$n type bridge
	ip addr add 10.0.$n.1/24 dev xenbr$n
	ip link set xenbr$n up
done
debian many 'vif = [ "bridge=xenbr0", "bridge=xenbr1", "bridge=xenbr2", "bridge=xenbr3" ]' ro stay ip=10.0.0.2
check "a guest with four cards" kl create -q /root/many.cfg
for n in 1 2 3 4 5 6 7 8; do
	check "guest $n" small $n
done
check "up" on_console many DOMU-UP
dd if=/dev/urandom of=/dev/shm/b bs=1k count=2000 2>/dev/null
httpd -p 7000 -h /dev/shm
bulk=$(md5sum </dev/shm/b | cut -c1-32)
type_in many 'mount -t tmpfs t /mnt; for n in 1 2; do ifconfig eth$n 10.0.$n.2 netmask 255.255.255.0 up; done; head -c 2000000 /dev/urandom >/mnt/r; md5sum /mnt/r; httpd -p 80 -h /mnt; while [ ! -e /mnt/end ]; do sleep 1; ifconfig eth3 10.0.3.2 netmask 255.255.255.0 up; done 2>/dev/null & echo ready=$((2 + 2))'
check "four cards" on_console many ready=4 60
many=$(tr -d '\r' <$CONSOLES/guest-many.log | sed -n 's/^\([0-9a-f]*\)  .mnt.r$/\1/p')
for n in 1 2 3 4 5 6 7 8; do
	check "guest $n serves" on_console s$n 'http: serving' 60
done

# Each works until the last kill, and says what went wrong.
visit() {
	local rounds=0
	while [ ! -e killed ]; do
		wget -q -O - http://10.0.0.1$1/big.bin | cmp - site/big.bin || echo "guest $1: fetched" >>wrong
		{ printf 'POST / HTTP/1.0\r\nContent-Length: 512000\r\n\r\n'; cat site/big.bin; } |
			nc 10.0.0.1$1 80 | tr -d '\r' | grep -q "^$sum\$" || echo "guest $1: sent" >>wrong
		rounds=$((rounds + 1))
	done
	echo "# guest $1: $rounds rounds"
}
fetch() {
	local rounds=0
	while [ ! -e killed ]; do
		[ "$(wget -q -O - http://10.0.$1.2/r | md5sum | cut -c1-32)" = $many ] || echo "card $1" >>wrong
		rounds=$((rounds + 1))
	done
	echo "# card $1: $rounds rounds"
}
jobs=
for n in 1 2 3 4 5 6 7 8; do visit $n & jobs="$jobs $!"; done
for n in 0 1 2; do fetch $n & jobs="$jobs $!"; done
# Into the guest on all of its cards, at once; it says what came wrong.
type_in many 'into() { while [ ! -e /mnt/end ]; do wget -q -O - http://10.0.$1.1:7000/b | md5sum | grep -q '"$bulk"' || echo bad$((0))-$1; r=$((r + 1)); done; echo into-$1=$r; }; for n in 0 1 2; do into $n & done'
# The fourth card comes and goes.
replug() {
	local rounds=0
	while [ ! -e killed ]; do
		timeout 10 wget -q -O /dev/null http://10.0.3.2/r &
		sleep 2
		kl network-detach many 3 && within 20 refuses prints '^3 ' kl network-list many || echo "unplug" >>wrong
		sleep 2		# Linux looks for what is gone a moment later
		kl network-attach many bridge=xenbr3 || echo "plug" >>wrong
		sleep 5
		rounds=$((rounds + 1))
	done
	echo "# $rounds times unplugged"
}
replug & jobs="$jobs $!"
# Not faster than connections recover from what is lost.
kill_repeatedly netback $KILLS 3000000
touch killed
wait $jobs
type_in many 'touch /mnt/end; wait; echo over=$((3 + 4))'
check "what it fetches ends" on_console many over=7 60
check "and was right" refuses console_has many '^bad0-'
check "all cards were in use" console_has many '^into-2=[1-9]'
check "every byte was right" [ ! -e wrong ]
cat wrong 2>/dev/null
/usr/lib/krypton/bin/netback --statistics
check "the daemon's memory" sh -c '[ $(awk "/VmRSS/ { print \$2 }" /proc/$(pidof netback)/status) -lt 60000 ]'
for n in 1 2 3 4 5 6 7 8; do kl destroy s$n; done
check "shutdown" kl shutdown -w many
check "no record is left" within 40 sh -c '! ls /run/krypton/netback | grep -q vif'
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
)
