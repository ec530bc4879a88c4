#!/bin/bash
# SPDX-License-Identifier: MIT
# Our xenstored under Debian's xl and xenstore-* tools, killed 25 times at random instants with a guest
# and the toolstack at work: no request fails, no key and no watch is lost, nobody is stuck.
# oracle: yes
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

CACHE=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
TEST_XENSTORE=$(find "$CACHE/root/usr/lib/xen-4.17/bin" \
	/usr/lib/xen-4.17/bin -name test-xenstore 2>/dev/null | head -n 1)
add=
[ -z "$TEST_XENSTORE" ] || add="--add $TEST_XENSTORE:/guest/test-xenstore"

toolstack --toolstack krypton:xenstored --timeout 380 $add <<'EOS'
. /lib/kt.sh
KILLS=25
bridge
pid() { cat /run/xenstored.pid; }
if [ -e /guest/test-xenstore ]; then
	check "test-xenstore of Debian's xen-utils" /guest/test-xenstore -i 5
fi
check "its own check" prints OK xenstore-control check
disk b 16
debian d1 'vcpus = 2' 'maxmem = 256' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' ip=10.0.0.2 stay
check "create" xl create /root/d1.cfg
check "it boots" on_console d1 DOMU-UP
id=$(xl domid d1)

# A client that stays connected over all kills and has to be told of every change, in order.
xenstore-write /seen/0 x
xenstore-watch /seen >/root/watched 2>&1 &
watcher=$!
until [ -s /root/watched ]; do usleep 50000; done

# Writers: each write must succeed; what was acknowledged must be there at the end.
write_keys() {
	local n=0
	while [ ! -e /root/stop ]; do
		n=$((n + 1))
		xenstore-write /kept/$1/$n v$n /seen/$1-$n x || { echo "write $1 $n" >>/root/errors; return; }
		[ "$(xenstore-read /kept/$1/$n)" = v$n ] || { echo "read $1 $n" >>/root/errors; return; }
		echo $n >/root/count.$1
		usleep 700000
	done
}
: >/root/errors
write_keys a &
a=$!
write_keys b &
b=$!

# The guest takes a magic key and says so by emptying the node.
taken() {
	[ -z "$(xenstore-read /local/domain/$id/control/sysrq)" ]
}

kill_it() {
	local i
	for i in $(seq $KILLS); do
		usleep $((RANDOM * 80))
		until kill -9 $(pid) 2>/dev/null; do usleep 20000; done
		echo $i >/root/kills
	done
}
kill_it &
killer=$!

# Meanwhile the guest is told of new sizes and of keys through its ring, and answers.
rounds=0
while kill -0 $killer 2>/dev/null; do
	rounds=$((rounds + 1))
	check "round $rounds: vcpu-set" xl vcpu-set --ignore-host d1 $((1 + rounds % 2))
	check "round $rounds: mem-set" xl mem-set d1 $((160 + rounds % 2 * 32))
	check "round $rounds: sysrq" xl sysrq d1 h
	check "round $rounds: sysrq arrives" within 60 taken
	check "round $rounds: list" prints '^d1 ' xl list d1
done
touch /root/stop
wait $a $b
check "$KILLS kills" [ "$(cat /root/kills)" = $KILLS ]
check "no request failed" [ ! -s /root/errors ]
cat /root/errors
for w in a b; do
	n=$(cat /root/count.$w)
	echo "writer $w: $n keys"
	check "all keys of $w" [ "$(xenstore-list /kept/$w | wc -l)" -ge $n ]
	seen() { [ "$(grep -c "^/seen/$w-" /root/watched)" -ge $n ]; }
	check "all events of $w" within 5 seen
	check "each once, in order" sh -c "grep '^/seen/$w-' /root/watched | sed 's/.*-//' | sort -c -n -u"
done
check "the watcher lives" kill -0 $watcher
kill $watcher
check "the guest was told" prints "$((160 + rounds % 2 * 32))" sh -c "xenstore-read /local/domain/$id/memory/target | awk '{ print \$1 / 1024 }'"
check "it answers" ping -c 2 10.0.0.2
check "its own check" prints OK xenstore-control check

# Stopped and started by hand, keeper and all: sockets go, the store and the rings stay.
kill $(pid)
within 5 refuses pidof xenstored
check "start again" /usr/lib/krypton/bin/xenstored --pid-file /run/xenstored.pid
check "the keys are there" prints '^v1$' xenstore-read /kept/a/1
check "the guest is, too" prints '^d1 ' xl list d1
# A domain that dies while there is no store.
kill -9 $(awk '/^PPid/ { print $2 }' /proc/$(pid)/status)
within 5 refuses pidof xenstored
check "start once more" /usr/lib/krypton/bin/xenstored --pid-file /run/xenstored.pid
check "attach" xl block-attach d1 "format=raw,vdev=xvdb,access=rw,target=/root/b.img"
check "block-list" prints '^51728 ' xl block-list d1
check "live update" xenstore-control live-update /usr/lib/krypton/bin/xenstored
check "list after it" prints '^51728 ' xl block-list d1
check "destroy" xl destroy d1
check "it is gone" gone d1 30
check "nothing of it is left" refuses xenstore-read /local/domain/$id
check "its own check" prints OK xenstore-control check
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
cat /var/log/xen/xenstored.log
finish
EOS
