#!/bin/bash
# SPDX-License-Identifier: MIT
# What cannot boot is told in one line: a kernel that is none, cut, damaged, of an unknown
# compression or without Xen notes, a machine or dom0_mem= too small. Kernels packed in every
# format that is known boot.
# oracle: no (other words)
# variants: junk cut damaged unknown notes memory dom0-mem nx zstd gzip lz4
# timeout: 180
. "$(dirname "$0")/../lib/case.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bzimage() {
	python3 "$HERE/lib/bzimage.py" "$1" "$work/kernel"
}

# says TEXT ARG...: the hypervisor panics, and TEXT is in its log
says() {
	local text=$1
	shift
	expect 0 boot --no-tools --script /dev/null --cmdline "noreboot ${args:-}" --end panic "$@"
	grep -q "$text" "$LOGS/console.$boots" || { echo "it did not say: $text"; exit 1; }
}

case $VARIANT in
junk)
	head -c 100000 /dev/urandom >"$work/kernel"
	says 'neither a bzImage nor an ELF file' --kernel "$work/kernel" ;;
cut)
	bzimage cut
	says 'damaged or too old bzImage' --kernel "$work/kernel" ;;
damaged)
	bzimage damaged
	says 'cannot be unpacked: it is damaged' --kernel "$work/kernel" ;;
unknown)
	bzimage unknown
	says 'its compression is unknown' --kernel "$work/kernel" ;;
notes)
	says 'no Xen ELF notes' --kernel /bin/true ;;
memory)
	says 'Too little memory' --bzimage --mem 96 ;;
dom0-mem)
	args=dom0_mem=16M says 'see dom0_mem=' ;;
nx)
	says 'lacks no-execute pages' --cpu qemu64,-nx ;;
zstd | gzip | lz4)
	bzimage "$VARIANT"
	echo 'uname -r' | expect 0 dom0 --no-tools --kernel "$work/kernel" ;;
esac
