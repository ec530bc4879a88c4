#!/bin/bash
# SPDX-License-Identifier: MIT
# The Debian package: installs into a root of its own, beside Debian's Xen or alone, and goes again.
# oracle: no (it installs Krypton)
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

make -s -C "$TOP" BUILD="$BUILD" deb >"$LOGS/make" || { tail "$LOGS/make"; exit 1; }
deb=$(ls "$TOP/$BUILD"/krypton_*_amd64.deb)
root=$LOGS/root
DPKG="dpkg --root=$root --force-not-root --force-script-chrootless --force-depends --log=/dev/null"
fresh() {
	rm -rf "$root"
	mkdir -p "$root/var/lib/dpkg/"{info,updates} "$root/usr/bin" "$root/etc"
	: >"$root/var/lib/dpkg/status"
	: >"$root/var/lib/dpkg/available"
}
want() {
	if ! eval "$2"; then
		echo "FAIL $1"
		exit 1
	fi
	echo "ok $1"
}

# No file of it belongs to Debian's packages.
cache=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
theirs=$(dpkg-deb -c "$deb" | awk '$1 !~ /^d/ { print $6 }' | while read -r f; do
	[ ! -e "$cache/root/$f" ] || echo "$f"; done)
want "no file of another package ($theirs)" '[ -z "$theirs" ]'

fresh
$DPKG -i "$deb" >"$LOGS/dpkg" 2>&1 || { cat "$LOGS/dpkg"; exit 1; }
want "kl" '[ "$(readlink -f "$root/usr/sbin/kl")" = "$(readlink -f "$root")/usr/lib/krypton/bin/kl" ]'
want "kl runs" '"$root/usr/lib/krypton/bin/kl" help | grep -q create'
for unit in proc-xen.mount xenstored.service xenconsoled.service xen-init-dom0.service xen-monitor.service \
	xendomains.service xen.service krypton-blkback.service krypton-netback.service; do
	want "unit $unit" '[ "$(readlink "$root/etc/systemd/system/$unit")" = /usr/lib/krypton/systemd/$unit ]'
done
want "scripts" '[ "$(readlink "$root/etc/xen/scripts/vif-bridge")" = /usr/lib/krypton/scripts/vif-bridge ]'
want "manual" 'gzip -t "$root"/usr/share/man/man8/krypton-*.8.gz'
want "auto" '[ -d "$root/etc/xen/auto" ]'
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify --root="$root" xenstored.service 2>&1 | grep -i krypton | head -n 5
fi
$DPKG -r krypton >"$LOGS/dpkg" 2>&1 || { cat "$LOGS/dpkg"; exit 1; }
left=$(find "$root/usr" "$root/boot" "$root/etc/systemd" "$root/etc/xen" \( -type f -o -type l \) 2>/dev/null)
want "removed ($left)" '[ -z "$left" ]'

# Beside Debian's toolstack: installed, but not in charge until told so.
fresh
cat >"$root/var/lib/dpkg/status" <<'X'
Package: xen-utils-common
Status: install ok installed
Version: 4.17
Architecture: amd64
Maintainer: Debian
Description: a stand-in
X
: >"$root/var/lib/dpkg/info/xen-utils-common.list"
$DPKG -i "$deb" >"$LOGS/dpkg" 2>&1 || { cat "$LOGS/dpkg"; exit 1; }
want "Debian's daemons stay" '[ ! -e "$root/etc/systemd/system/xenstored.service" ] && [ ! -L "$root/etc/systemd/system/xenstored.service" ]'
DPKG_ROOT=$root "$root/usr/sbin/krypton-toolstack" krypton
want "ours when told so" '[ "$(DPKG_ROOT=$root "$root/usr/sbin/krypton-toolstack" status)" = krypton ]'
DPKG_ROOT=$root "$root/usr/sbin/krypton-toolstack" debian
want "and Debian's again" '[ "$(DPKG_ROOT=$root "$root/usr/sbin/krypton-toolstack" status)" = debian ]'
rm -rf "$root"
