#!/bin/bash
# SPDX-License-Identifier: MIT
# Test guests as unprivileged domains, one after the other in one boot. The list holds those that
# need neither dom0's rights nor more memory or ports than such a domain gets.
# oracle: yes
# cpus: 2
# timeout: 500
. "$(dirname "$0")/../lib/case.sh"

add=()
for name in hello event-fifo event-lifetime event-races exceptions grant-counts guest-pointers \
		multicall page-refs emul-priv emul-ptwr preemption pte-validation return-paths segments \
		stale-memory start-info stolen-pages time tlb-stale type-races vcpus xstate; do
	[ -e "$TOP/$BUILD/guests/$name" ] || { echo "$name is not built; run make guests"; exit 1; }
	add+=(--add "$TOP/$BUILD/guests/$name")
done
dom0 --smp 2 --mem 1024 --cmdline dom0_mem=400M --timeout 480 "${add[@]}" <<'EOS'
. /lib/kt.sh
for guest in /guest/*; do
	name=$(basename $guest)
	cat >/root/$name.cfg <<X
name = "$name"
kernel = "$guest"
memory = 64
vcpus = 2
on_poweroff = "destroy"
on_crash = "destroy"
X
	check "$name: create" xl create -q /root/$name.cfg
	check "$name: passes" on_console $name 'KTEST-EXIT: 0' 60
	exists $name && ! gone $name 5 >/dev/null && xl destroy $name
done
check "no domain is left" [ $(xl list | wc -l) = 2 ]
finish
EOS
