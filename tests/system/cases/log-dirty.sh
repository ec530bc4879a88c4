#!/bin/bash
# SPDX-License-Identifier: MIT
# The log of dirty pages: a guest writes in every way there is, and the pages that it names are found; then the
# ABI guests run with the log on, emptied every few milliseconds: nothing that they see may be different.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# timeout: 450
. "$(dirname "$0")/../lib/case.sh"

add=(--add "$TOP/$BUILD/system-programs/log_dirty:/bin/log_dirty")
for name in log-dirty emul-ptwr page-refs pte-validation tlb-stale type-races vcpus; do
	add+=(--add "$TOP/$BUILD/guests/$name")
done
dom0 --smp 2 --mem 1024 --cmdline dom0_mem=400M --timeout 430 "${add[@]}" <<'EOS'
. /lib/kt.sh
before=$(free_memory)
config() {
	cat >/root/$1.cfg <<X
name = "$1"
kernel = "/guest/$1"
memory = 64
vcpus = 2
on_poweroff = "destroy"
on_crash = "destroy"
X
}
for vcpus in 1 3; do
	config log-dirty
	sed -i "s/^vcpus.*/vcpus = $vcpus/" /root/log-dirty.cfg
	check "log-dirty, $vcpus vcpus: create" xl create -q -p -e /root/log-dirty.cfg
	check "what it writes is found" log_dirty verify $(xl domid log-dirty)
	check "it saw nothing of it" on_console log-dirty 'KTEST-EXIT: 0' 5
	xl destroy log-dirty
	rm -f /var/log/xen/console/guest-log-dirty.log
done
rm /guest/log-dirty
for guest in /guest/*; do
	name=$(basename $guest)
	config $name
	check "$name: create" xl create -q -p /root/$name.cfg
	log_dirty churn $(xl domid $name) >/tmp/$name.churn &
	within 5 grep -q on /tmp/$name.churn
	xl unpause $name
	check "$name: passes" on_console $name 'KTEST-EXIT: 0' 60
	wait $!
	tail -n 1 /tmp/$name.churn
	exists $name && ! gone $name 5 >/dev/null && xl destroy $name
done
check "no domain is left" [ $(xl list | wc -l) = 2 ]
check "memory is back" memory_is_back $before
finish
EOS
