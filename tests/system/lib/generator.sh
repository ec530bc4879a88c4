# SPDX-License-Identifier: MIT
# check_generator ROOT: runs ROOT/etc/grub.d/20_linux_krypton over a made-up /boot and checks the menu.

want() {
	grep -q -- "$1" "$menu" || { echo "the menu lacks: $1"; cat "$menu"; return 1; }
}

check_generator() {
	local fake=$1/boot version
	menu=$1/menu
	for version in 6.1.0-9-amd64 6.1.0-56-amd64; do
		: >"$fake/vmlinuz-$version"
		: >"$fake/initrd.img-$version"
		echo CONFIG_XEN_DOM0=y >"$fake/config-$version"
	done
	: >"$fake/vmlinuz-7.0.0-cloud"
	printf '#!/bin/sh\ncase "$*" in *target=hints*|*hint*) exit 1;; *fs_uuid*) echo 1234-abcd;; *target=fs*) echo ext2;; esac\n' >"$1/probe"
	chmod +x "$1/probe"
	env grub_probe="$1/probe" pkgdatadir=/usr/share/grub KRYPTON_BOOT="$fake" \
		GRUB_DEVICE=/dev/vda1 GRUB_DEVICE_UUID=1234-abcd GRUB_DISTRIBUTOR=Debian \
		GRUB_CMDLINE_LINUX=lin GRUB_CMDLINE_LINUX_DEFAULT=quiet \
		GRUB_CMDLINE_XEN=hyp GRUB_CMDLINE_XEN_DEFAULT=hypdef \
		GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT="console=hvc0" \
		sh "$1/etc/grub.d/20_linux_krypton" >"$menu" || return 1
	grub-script-check "$menu" || return 1
	want "menuentry 'Debian GNU/Linux, with Krypton hypervisor'" &&
	want 'multiboot2 .*/krypton-.*gz placeholder hyp hypdef$' &&
	want 'multiboot2 .*/krypton-.*gz placeholder hyp$' &&
	want 'module2 .*/vmlinuz-6.1.0-56-amd64 placeholder root=.* ro lin console=hvc0$' &&
	want 'module2 .*/vmlinuz-6.1.0-9-amd64 placeholder root=.* ro single lin$' &&
	want 'module2 --nounzip .*/initrd.img-6.1.0-56-amd64' || return 1
	grep -q -e cloud -e quiet "$menu" && { echo "the menu has what it must not"; return 1; }
	[ "$(grep -m 1 -o 'vmlinuz-[^ ]*' "$menu")" = vmlinuz-6.1.0-56-amd64 ] ||
		{ echo "the newest kernel is not first"; return 1; }
}
