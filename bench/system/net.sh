#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: the same Debian guest twice, with its network card on the kernel's netback and then on ours; it runs
# bench/system/load.c, whose marks the counting plugin answers. The order of the runs is known to
# bench/run-net.
. /lib/net-guest.sh

# loads NAME COMMAND [LINE]... : a guest that COMMAND completes while it is paused.
loads() {
	local name=$1 plug=$2
	shift 2
	load_guest $name "$l udp 10.0.0.1 9 300; $l send 10.0.0.1 9 256; $l send 10.0.0.1 9 16384; \
$l recv 10.0.0.1 9 256; $l recv 10.0.0.1 9 16384" "$@"
	$plug $name
	xl unpause $name
	sleep 30	# looking takes instructions: not while it is measured
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
