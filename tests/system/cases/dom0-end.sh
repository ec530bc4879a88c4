#!/bin/bash
# SPDX-License-Identifier: MIT
# How the machine ends: power off and reboot by dom0, and dom0's crash, which reboots the machine
# after a while, or not with noreboot.
# oracle: yes
# cpus: 2
# variants: poweroff-pc poweroff-q35 reboot-pc reboot-q35 crash-pc crash-noreboot
# timeout: 180
. "$(dirname "$0")/../lib/case.sh"

crash() {
	echo 'echo c >/proc/sysrq-trigger'
}

case $VARIANT in
poweroff-*)
	echo 'poweroff -f; sleep 100' |
		expect 0 dom0 --smp 2 --no-tools --machine "${VARIANT#*-}" --end poweroff ;;
reboot-*)
	echo 'reboot -f; sleep 100' |
		expect 0 dom0 --smp 2 --no-tools --machine "${VARIANT#*-}" --end reboot ;;
crash-pc)
	crash | expect 0 dom0 --no-tools --dom0-cmdline panic=-1 --end reboot
	grep -q 'sysrq: Trigger a crash' "$LOGS/console.1" ;;
crash-noreboot)
	# Linux's own panic=0 makes it tell the hypervisor "crashed" instead of "reboot".
	crash | expect 0 dom0 --no-tools --cmdline noreboot --dom0-cmdline panic=0 \
		--end "not rebooting" ;;
esac
