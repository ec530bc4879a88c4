#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Prepares a Debian 12 machine for building Krypton and running its system tests.
#
#   packaging/setup.sh            quick check; installs and downloads only what is missing
#   packaging/setup.sh --list     prints the packages it wants, does nothing
#
# Three kinds of packages, kept apart on purpose:
#   - tools (compiler, QEMU, GRUB image tools) are installed with apt, as root or through sudo;
#   - lwIP, which the web server guest is built from, is Debian's source package, unpacked into the cache;
#   - what we only boot as a guest or as the oracle (Debian's kernel, Xen, xl and its libraries)
#     is downloaded and unpacked into the cache. Installing Xen would change the boot loader of
#     the user's machine, which no test may do.
# The cache is $KRYPTON_CACHE, else ${XDG_CACHE_HOME:-$HOME/.cache}/krypton; `make clean` keeps it.
set -eu

CACHE=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
STAMP=5		# raise when GUEST below changes
LWIP_STAMP=1

TOOLS="gcc make clang python3 libc6-dev libxen-dev libcmocka-dev liblzma-dev libzstd-dev
	zlib1g-dev liblz4-dev musl-tools qemu-system-x86 qemu-utils grub-common grub-pc-bin
	grub-efi-amd64-bin xorriso mtools ovmf seabios bochs bochsbios e2fsprogs cpio zstd
	lz4 xz-utils kmod socat bash util-linux bsdutils patch systemd valgrind
	openssl"

GUEST="linux-image-amd64 xen-hypervisor-4.17-amd64 xen-utils-4.17 xen-utils-common
	xenstore-utils grub-xen-bin grub-xen-host busybox-static libyajl2 libncurses6 libtinfo6
	libuuid1 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1
	libxengnttab1 libxenhypfs1 libxenmisc4.17 libxenstore4 libxentoolcore1
	libxentoollog1"

if [ "${1:-}" = --list ]; then
	echo $TOOLS $GUEST
	exit 0
fi

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command as root.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "need root for: $*"
	fi
}

# Names of $TOOLS that are not installed.
missing_tools() {
	local pkg
	for pkg in $TOOLS; do
		dpkg-query -W -f '${db:Status-Status}\n' "$pkg" 2>/dev/null |
			grep -qx installed || echo "$pkg"
	done
}

updated=
apt_update() {
	[ -z "$updated" ] || return 0
	updated=yes
	as_root apt-get update -qq
}

install_tools() {
	local pkgs
	pkgs=$(missing_tools)
	[ -n "$pkgs" ] || return 0
	say "installing:" $pkgs
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $pkgs >/dev/null && return 0
	apt_update
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $pkgs >/dev/null
}

# linux-image-amd64 is only a pointer: prints the package that it points to.
kernel_package() {
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/.*Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' | head -n 1
}

download() {
	(cd "$CACHE/debs" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$@")
}

fetch_guest() {
	local kernel pkgs deb
	[ "$(cat "$CACHE/root/.stamp" 2>/dev/null)" != "$STAMP" ] || return 0
	say "filling $CACHE"
	rm -rf "$CACHE/debs" "$CACHE/root.new"
	mkdir -p "$CACHE/debs" "$CACHE/root.new"
	kernel=$(kernel_package)
	if [ -z "$kernel" ]; then
		apt_update
		kernel=$(kernel_package)
	fi
	[ -n "$kernel" ] || die "apt knows no linux-image-amd64"
	pkgs=$(echo $GUEST | sed "s/linux-image-amd64/$kernel/")
	download $pkgs || { apt_update; download $pkgs; } || die "download failed"
	for deb in "$CACHE"/debs/*.deb; do
		dpkg -x "$deb" "$CACHE/root.new"
	done
	rm -rf "$CACHE/root" "$CACHE/debs"
	echo $STAMP >"$CACHE/root.new/.stamp"
	mv "$CACHE/root.new" "$CACHE/root"
}

# Debian's source package of lwIP, with its patches, as $CACHE/lwip. The machine need not have deb-src
# lines: apt gets some of its own for this, with the servers that it knows.
fetch_lwip() {
	local work=$CACHE/lwip.new patch opts site
	[ "$(cat "$CACHE/lwip/.stamp" 2>/dev/null)" != "$LWIP_STAMP" ] || return 0
	say "fetching lwIP's source"
	# Where this machine's binary packages of Debian's main come from.
	site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' | sed -n 's/ bookworm main$//p' | head -n 1)
	rm -rf "$work"
	mkdir -p "$work/lists/partial" "$work/src"
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		sort -u | sed 's/^/deb-src /' >"$work/src.list"
	opts="-qq -o Dir::Etc::sourcelist=$work/src.list -o Dir::Etc::sourceparts=-
		-o Dir::State::lists=$work/lists -o APT::Sandbox::User=$(id -un)"
	(cd "$work" && apt-get $opts update && apt-get $opts source --download-only lwip >/dev/null) ||
		{ say "no lwIP: the web server guest will not be built"; rm -rf "$work"; return 0; }
	tar -C "$work/src" --strip-components=1 -xf "$work"/lwip_*.orig.tar.*
	tar -C "$work" -xf "$work"/lwip_*.debian.tar.*
	while read -r patch; do
		[ -z "$patch" ] || (cd "$work/src" && patch -p1 -s <"$work/debian/patches/$patch")
	done <"$work/debian/patches/series"
	echo $LWIP_STAMP >"$work/src/.stamp"
	rm -rf "$CACHE/lwip"
	mv "$work/src" "$CACHE/lwip"
	rm -rf "$work"
}

command -v apt-get >/dev/null || die "this needs Debian (apt-get); install by hand: $TOOLS"
mkdir -p "$CACHE"
exec 9>"$CACHE/.lock"
flock 9
install_tools
fetch_guest
fetch_lwip
