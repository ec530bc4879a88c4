#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: what creating, listing and destroying a 16 MiB guest without devices costs, alone and beside
# 200 others; with kl and our daemons where those run, else with xl and Debian's. Prints
# "BENCH: <instructions> <row>"; run by bench/run-system.
. /lib/kt.sh

ALIVE=200
tool=xl
readlink "/proc/$(cat /run/xenstored.pid)/exe" | grep -q krypton && tool=kl

# guest NAME MIB : its configuration.
guest() {
	cat >/root/$1.cfg <<X
name = "$1"
kernel = "/guest/bench-pair"
memory = $2
vcpus = 1
extra = "role=4"
X
}

# rows SUFFIX : each twice, so that what only the first pays is not in the second; the second counts.
rows() {
	local round
	for round in " (first)" ""; do
		/guest/cost "create$1$round" $tool create -q /root/one.cfg || echo "FAIL create$1"
		/guest/cost "list$1$round" $tool list >/root/list || echo "FAIL list$1"
		grep BENCH /root/list
		/guest/cost "destroy$1$round" $tool destroy one || echo "FAIL destroy$1"
	done
}

guest one 16
rows ""
n=0
while [ $n -lt $ALIVE ]; do
	n=$((n + 1))
	guest i$n 4
	kl create -q /root/i$n.cfg || break
done
echo "alive: $(($($tool list | wc -l) - 2))"
rows ", $ALIVE alive"
echo done
