#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: switches and events between domains, the hypervisor's memory for a domain, and what
# destroying one costs. Prints "BENCH: <number> <row>"; run by bench/run-system.
. /lib/kt.sh

# guest NAME MIB ARGS... : a test guest with the given command line, started.
guest() {
	local name=$1 mib=$2
	shift 2
	cat >/root/$name.cfg <<X
name = "$name"
kernel = "/guest/bench-pair"
memory = $mib
vcpus = 1
tsc_mode = "native"
on_poweroff = "preserve"
on_crash = "preserve"
extra = "$*"
X
	xl create -q /root/$name.cfg || echo "cannot create $name"
}

domid() {
	xl domid $1
}

# pair MODE LOOPS : two guests that measure each other; the first one's line is printed.
pair() {
	local first
	guest a$1 16 role=1 mode=$1 loops=$2 peer=$((last + 2))
	first=$(domid a$1)
	on_console a$1 'port ' 60 >/dev/null
	guest b$1 16 role=2 mode=$1 loops=$2 peer=$first \
		port=$(tr -d '\r' <$CONSOLES/guest-a$1.log | sed -n 's/^port //p')
	on_console a$1 'KTEST-EXIT' 120 >/dev/null || tail -n 5 $CONSOLES/guest-a$1.log
	tr -d '\r' <$CONSOLES/guest-a$1.log | grep BENCH
	last=$((last + 2))
	xl destroy a$1
	xl destroy b$1
}

last=0
for mode in 1 2 3; do
	pair $mode 4200
done

guest s 16 role=3 mode=3 peer=0
on_console s 'port ' 60 >/dev/null
/guest/evtchn_turns $(domid s) $(tr -d '\r' <$CONSOLES/guest-s.log | sed -n 's/^port //p') 2000
xl destroy s

# Idle domains: what is gone beside their own pages. The first ones pay for slabs: not counted.
for i in 1 2 3 4; do
	guest w$i 16 role=4
done
sleep 5
read -r free0 own0 n0 < <(/guest/pages)
for i in $(seq 12); do
	guest i$i 16 role=4
done
sleep 5
read -r free1 own1 n1 < <(/guest/pages)
echo "pages: $free0 $own0 $n0, then $free1 $own1 $n1"
heap=$(((free0 - free1 - (own1 - own0)) * 4096 / (n1 - n0)))
echo "BENCH: $heap hypervisor heap per idle domain, bytes"
for i in 1 2 3 4; do
	xl destroy w$i
done
for i in $(seq 12); do
	xl destroy i$i
done

# The hypervisor's work in destroying a small and a large guest; the counting plugin prints marks.
for mib in 16 144; do
	guest d$mib $mib role=4
	sleep 3
	/guest/mark
	xl destroy d$mib
	sleep 3
	/guest/mark
done
echo done
