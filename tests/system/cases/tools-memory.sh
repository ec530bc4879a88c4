#!/bin/bash
# SPDX-License-Identifier: MIT
# What 100 idle domains cost dom0 in memory, with our toolstack: daemons, their kernel objects, files in
# the initramfs (logs, userdata). Under 16 MiB, and it comes back.
# oracle: yes
# cpus: 2
# timeout: 500
# soak
. "$(dirname "$0")/../lib/case.sh"

dom0 --toolstack bare --smp 2 --mem 1800 --cmdline dom0_mem=600M --add "$TOP/$BUILD/guests/hello" --timeout 460 <<'EOS'
. /lib/kt.sh
# KiB in use; caches that can go at once do not count.
used() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	awk '/^MemTotal/ { t = $2 } /^MemFree/ { f = $2 } END { print t - f }' /proc/meminfo
}
resident() {
	local n
	for n in /proc/[0-9]*; do
		case $(readlink $n/exe) in
		/usr/lib/krypton/bin/*)
			echo "$(awk '/^Rss/ { r = $2 } /^Pss:/ { p = $2 } END { print "rss " r " pss " p }' $n/smaps_rollup) $(readlink $n/exe)"
			;;
		esac
	done
}
make_guest() {
	cat >/root/i.cfg <<X
name = "i$1"
kernel = "/guest/hello"
memory = 4
vcpus = 1
X
	xl create -p -q /root/i.cfg
}
# The first one and its end fill what stays anyhow.
make_guest 0 && xl destroy i0
free_before=$(free_memory)
resident
before=$(used)
n=0
while [ $n -lt 100 ]; do
	n=$((n + 1))
	make_guest $n || break
done
check "100 domains" [ "$(xl list | wc -l)" = 102 ]
with=$(used)
resident
echo "dom0: $before KiB before, $with with 100 domains: $((with - before)) KiB for them"
check "under 16 MiB" [ $((with - before)) -lt 16384 ]
check "all consoles are served" [ "$(ls /run/xen/console/*.sock | wc -l)" = 100 ]
n=0
while [ $n -lt 100 ]; do
	n=$((n + 1))
	xl destroy i$n
done
check "all gone" [ "$(xl list | wc -l)" = 2 ]
after=$(used)
echo "dom0: $after KiB after: $((after - before)) KiB stay"
check "it comes back" [ $((after - before)) -lt 3072 ]
check "the hypervisor's memory, too" memory_is_back $free_before
resident
finish
EOS
