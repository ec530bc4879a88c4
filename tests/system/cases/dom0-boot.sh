#!/bin/bash
# SPDX-License-Identifier: MIT
# dom0 comes up on both chipsets, through BIOS and UEFI, on one and four CPUs, with the toolstack;
# it sees all CPUs and its disk and network cards work. (direct: the unpacked kernel; through
# GRUB: the kernel as packaged.)
# oracle: yes
# cpus: variant
# variants: pc-direct-1 q35-direct-4 q35-direct-8 pc-grub-1 pc-grub-4 q35-grub-1 q35-grub-4 pc-uefi-1 pc-uefi-4 q35-uefi-1 q35-uefi-4
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

IFS=- read -r machine via cpus <<<"$VARIANT"
dom0 --machine "$machine" --via "$via" --smp "$cpus" <<EOS
. /lib/kt.sh
check "$cpus CPUs" [ "\$(nproc)" = $cpus ]
check "nr_cpus" prints "^$cpus$" xl info nr_cpus
check "xl list" prints "^Domain-0 .* $cpus " xl list
check "booted by $via" test $([ "$via" = uefi ] && echo -d || echo ! -d) /sys/firmware/efi
check "kernel runs as the first domain" grep -q control_d /proc/xen/capabilities
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
