#!/bin/bash
# SPDX-License-Identifier: MIT
# The rarer controllers: NVMe (many MSI-X vectors) and USB storage behind xHCI.
# oracle: yes
# cpus: 4
# soak
# variants: q35-nvme pc-nvme q35-usb
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

IFS=- read -r machine disk <<<"$VARIANT"
image=$LOGS/disk.img
truncate -s 64M "$image"
dom0 --machine "$machine" --smp 4 --disk "$image" --disk-if "$disk" <<'EOS'
. /lib/kt.sh
have() { dev=$(ls /sys/block | grep -E '^(sd|nvme)' | head -n 1); [ -b "/dev/$dev" ]; }
check "a disk" within 20 have
have
dd if=/dev/urandom of=/root/data bs=1M count=32 2>/dev/null
check "write" dd if=/root/data of=/dev/$dev bs=1M conv=fsync
echo 3 >/proc/sys/vm/drop_caches
check "read back" [ "$(dd if=/dev/$dev bs=1M count=32 2>/dev/null | md5sum)" = "$(md5sum </root/data)" ]
check "no lost interrupts" refuses sh -c "dmesg | grep -E 'nobody cared|lost interrupt|timed? ?out|Oops|Call Trace'"
finish
EOS
