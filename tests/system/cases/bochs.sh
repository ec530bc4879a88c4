#!/bin/bash
# SPDX-License-Identifier: MIT
# Test guests as dom0 in Bochs, whose CPUs have what QEMU's lack: AVX-512, x2APIC, TSC-deadline timers; and
# an older one with none of them.
# oracle: yes
# variants: xstate x2apic older
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

# bochs MODEL GUEST ARG...
bochs() {
	local model=$1 guest=$2
	shift 2
	boot --cpu "bochs:$model" --via grub --mem 512 --timeout 250 --kernel "$TOP/$BUILD/guests/$guest" "$@"
}

on_console() {
	[ "$HYPERVISOR" = xen ] || grep -q "$1" "$LOGS/console.$boots" || { echo "the console lacks: $1"; exit 1; }
}

case $VARIANT in
xstate)
	# Debian's Xen offers x87 and SSE only on this model.
	[ "$HYPERVISOR" = xen ] && need= || need=need=0xe7
	expect 0 bochs corei7_skylake_x xstate --cmdline dom0_max_vcpus=2 --dom0-cmdline "$need"
	;;
x2apic)
	expect 0 bochs corei7_haswell_4770 time
	on_console 'APIC: id 0, x2APIC'
	on_console 'APIC timer: TSC deadline'
	;;
older)
	expect 0 bochs core2_penryn_t9600 time
	on_console 'APIC: id 0, xAPIC'
	expect 0 bochs core2_penryn_t9600 xstate --cmdline dom0_max_vcpus=2
	;;
esac
