#!/bin/bash
# SPDX-License-Identifier: MIT
# The image of `make iso` boots through BIOS and through UEFI and its demonstration ends well.
# oracle: yes
# cpus: 2
# variants: grub uefi
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

hypervisor=$TOP/$BUILD/krypton.gz
cache=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
[ "$HYPERVISOR" != xen ] || hypervisor=$cache/root/boot/xen-4.17-amd64.gz
"$TOP/packaging/make-iso" "$LOGS/demo.iso" "$hypervisor" || exit 1
expect 0 boot --iso "$LOGS/demo.iso" --via "$VARIANT" --mem 1536 --smp 2 --end DEMO-DONE --timeout 280
rm -f "$LOGS/demo.iso"
