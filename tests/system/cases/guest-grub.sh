#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests whose kernel is on their own disk. GRUB's PV image reads its menu from there through its own
# drivers, loads Debian's packaged kernel and starts it; without a disk it waits at its prompt and can be
# destroyed. With xl, and with kl and nothing of Debian's tools there; that one boots the same disk with
# Debian's pygrub as well.
# oracle: yes
# variants: xl kl
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

cache=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
more=()
if [ "$VARIANT" = kl ]; then
	more=(--toolstack bare)
	while read -r file; do
		more+=(--add "$file")
	done < <(/usr/bin/python3 "$HERE/lib/pygrub-files" "$cache/root")
fi
{ echo "tool=$VARIANT"; cat <<'EOS'; } |
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
set timeout=1
menuentry "Debian" {
	linux /boot/vmlinuz console=hvc0 run=echo from grub
	initrd /boot/initrd
}
X
umount /mnt
debian g1 'kernel = "/guest/grub"' 'memory = 256' 'disk = [ "format=raw,vdev=xvda,access=rw,target=/root/b.img" ]'
sed -i '/^ramdisk/d' /root/g1.cfg
check "create" xl create /root/g1.cfg
check "GRUB starts" on_console g1 'Welcome to GRUB' 30
check "Linux starts" on_console g1 'Linux version' 90
check "its script runs" on_console g1 '^from grub' 120
check "it powers off" gone g1 60
[ $tool = kl ] || finish

sed -e '/^kernel\|^extra/d' -e 's/g1/p1/' /root/g1.cfg >/root/p1.cfg
echo 'bootloader = "pygrub"' >>/root/p1.cfg
check "pygrub: create" kl create /root/p1.cfg || tail -n 5 /var/log/xen/bootloader-p1.log
check "pygrub: its script runs" on_console p1 '^from grub' 120
check "pygrub: it powers off" gone p1 60
check "pygrub: nothing is left" refuses ls -d /run/xen/bootloader.*
sed -i 's,/root/b.img,/guest/bzImage,' /root/p1.cfg
check "pygrub: a disk without a menu" refuses kl create /root/p1.cfg
check "its words are kept" prints 'pygrub\|Unable\|Error' cat /var/log/xen/bootloader-p1.log
finish
EOS
toolstack --timeout 280 "${more[@]}" --add "$cache/root/usr/lib/grub-xen/grub-x86_64-xen.bin:guest/grub" \
	--add "$(ls "$cache"/root/boot/vmlinuz-*-amd64 | tail -n 1):guest/bzImage"
