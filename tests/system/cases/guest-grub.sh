#!/bin/bash
# SPDX-License-Identifier: MIT
# GRUB's PV image as a guest's kernel: it reads its menu from the guest's own disk through its own
# drivers, loads Debian's packaged kernel from there and starts it; without a disk it waits at its
# prompt and can be destroyed.
# oracle: yes
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

cache=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
toolstack --timeout 280 --add "$cache/root/usr/lib/grub-xen/grub-x86_64-xen.bin:guest/grub" \
	--add "$(ls "$cache"/root/boot/vmlinuz-*-amd64 | tail -n 1):guest/bzImage" <<'EOS'
. /lib/kt.sh
debian g0 'kernel = "/guest/grub"' 'memory = 64' 'disk = []' 'ramdisk = ""'
sed -i '/^ramdisk/d' /root/g0.cfg
check "GRUB alone: create" xl create /root/g0.cfg
check "GRUB alone: its prompt" on_console g0 'grub>' 30
type_in g0 'echo three${root}four'
check "GRUB alone: obeys" on_console g0 'threefour\|three.*four' 20
check "GRUB alone: destroy" xl destroy g0

disk b 40
mke2fs -F /root/b.img >/dev/null
mount -o loop -t ext4 /root/b.img /mnt
mkdir -p /mnt/boot/grub
cp /guest/bzImage /mnt/boot/vmlinuz
cp /guest/initrd /mnt/boot/initrd
cat >/mnt/boot/grub/grub.cfg <<X
linux /boot/vmlinuz console=hvc0 run=echo from grub
initrd /boot/initrd
boot
X
umount /mnt
debian g1 'kernel = "/guest/grub"' 'memory = 256' 'disk = [ "format=raw,vdev=xvda,access=rw,target=/root/b.img" ]'
sed -i '/^ramdisk/d' /root/g1.cfg
check "create" xl create /root/g1.cfg
check "GRUB starts" on_console g1 'Welcome to GRUB' 30
check "Linux starts" on_console g1 'Linux version' 90
check "its script runs" on_console g1 '^from grub' 120
check "it powers off" gone g1 60
finish
EOS
