#!/bin/bash
# SPDX-License-Identifier: MIT
# dom0 drives real devices: a disk that keeps what is written (checked by reading it back past the
# cache, and from outside after the machine ended) and a network card that reaches QEMU's gateway.
# oracle: yes
# cpus: 2
# variants: pc-ahci-e1000 q35-ahci-virtio-net-pci pc-virtio-virtio-net-pci q35-virtio-e1000 pc-ide-e1000
# timeout: 240
. "$(dirname "$0")/../lib/case.sh"

IFS=- read -r machine disk nic <<<"$VARIANT"
image=$LOGS/disk.img
truncate -s 64M "$image"
dom0 --machine "$machine" --smp 2 --disk "$image" --disk-if "$disk" --net --nic "$nic" <<'EOS' || exit 1
. /lib/kt.sh
dev=$(ls -d /sys/block/[sv]d* /sys/block/nvme* 2>/dev/null | sed 's,.*/,,' | head -n 1)
check "a disk" [ -b /dev/$dev ]
dd if=/dev/urandom of=/root/data bs=1M count=32 2>/dev/null
want=$(md5sum </root/data)
check "write" dd if=/root/data of=/dev/$dev bs=1M conv=fsync
echo 3 >/proc/sys/vm/drop_caches
check "read back" [ "$(dd if=/dev/$dev bs=1M count=32 2>/dev/null | md5sum)" = "$want" ]
modprobe ext4
check "mke2fs" mke2fs /dev/$dev
check "mount" mount -t ext4 /dev/$dev /mnt
cp /root/data /mnt/data
umount /mnt
mount -t ext4 /dev/$dev /mnt
check "file as it was" [ "$(md5sum </mnt/data)" = "$want" ]
umount /mnt
eth=$(ls /sys/class/net | grep -v lo | head -n 1)
check "a card" [ -n "$eth" ]
check "address by DHCP" udhcpc -n -q -i $eth -s /lib/dhcp.sh
check "gateway answers" ping -c 3 10.0.2.2
check "no lost interrupts" refuses sh -c "dmesg | grep -E 'nobody cared|lost interrupt|timed out|Oops|Call Trace'"
finish
EOS
file=$(debugfs -R 'ls -p' "$image" 2>/dev/null | grep -c /data/)
[ "$file" = 1 ] || { echo "the disk does not hold the file"; exit 1; }
rm "$image"
