#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make install` leaves: the files, and a generator whose menu GRUB accepts, which honours the
# GRUB_CMDLINE_XEN* settings. The menu of a made-up /boot is then booted, through GRUB, up to dom0's
# user space.
# oracle: no (it installs Krypton)
# timeout: 200
. "$(dirname "$0")/../lib/case.sh"

root=$LOGS/root
rm -rf "$root"
make -s -C "$TOP" BUILD="$BUILD" install DESTDIR="$root" || exit 1
ls "$root"/boot/krypton-[0-9]*.gz "$root/boot/krypton-syms" "$root/etc/grub.d/20_linux_krypton" || exit 1
. "$HERE/lib/generator.sh"
check_generator "$root" || exit 1
name=$(ls "$root/boot" | grep '^krypton-[0-9]')
cp "$root/boot/$name" "$LOGS/installed.gz"
expect 0 boot --via grub --hypervisor "$LOGS/installed.gz" --cmdline "loglvl=warning" --script - <<<'exit 0'
