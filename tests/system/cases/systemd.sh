#!/bin/bash
# SPDX-License-Identifier: MIT
# Our units under a real systemd: everything comes up in order, a guest starts with the host; every daemon
# is killed more often than systemd's own limit allows and is back; guests live through it, whatever is
# restarted; at the end they are shut down.
# oracle: yes
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

adds=()
add() { adds+=(--add "$1:$2"); }
S=/lib/systemd
# This machine's systemd, with its libraries as the loader takes them.
for p in $S/systemd /usr/bin/systemctl; do
	add "$(readlink -f "$p")" "$p"
	libs+=" $(ldd "$p" | awk '/=> \// { print $3 } /^\t\/lib64/ { print $1 }')"
done
for lib in $(printf '%s\n' $libs | sort -u); do
	case $lib in
	/lib64/*) add "$(readlink -f "$lib")" "/usr$lib" ;;
	*/systemd/*) add "$(readlink -f "$lib")" "/usr/lib/x86_64-linux-gnu/systemd/${lib##*/}" ;;
	*) add "$(readlink -f "$lib")" "/usr/lib/x86_64-linux-gnu/${lib##*/}" ;;
	esac
done
for unit in basic sysinit multi-user local-fs local-fs-pre sockets timers paths slices swap shutdown umount \
	network-online network remote-fs final; do
	add "$S/system/$unit.target" "/usr/lib/systemd/system/$unit.target"
done
for unit in "$TOP"/packaging/systemd/*; do
	add "$unit" "/usr/lib/krypton/systemd/${unit##*/}"
done
add "$HERE/lib/systemd-init" /lib/systemd-init
cat >"$LOGS/auto" <<'X'
name = "auto"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initrd"
memory = 192
disk = [ "format=raw,vdev=xvda,access=rw,target=/guest/root.img" ]
extra = "console=hvc0 root=/dev/xvda stay"
X
add "$LOGS/auto" /etc/xen/auto/10-auto

words="rdinit=/lib/systemd-init systemd.show_status=0 systemd.default_standard_output=kmsg"
toolstack --toolstack bare --smp 2 --timeout 280 --dom0-cmdline "$words" "${adds[@]}" <<'EOS'
. /lib/kt.sh
DAEMONS="xenconsoled xen-monitor krypton-blkback krypton-netback"
active() { [ "$(systemctl is-active $1)" = active ]; }
pid() { systemctl show -p MainPID --value $1; }
another() { active $1 && [ "$(pid $1)" != $2 ] && [ "$(pid $1)" != 0 ]; }
for unit in proc-xen.mount xenstored xen-init-dom0 $DAEMONS xen xendomains; do
	check "$unit" within 10 active $unit || systemctl status $unit
done
check "the guest of /etc/xen/auto" prints "^auto " xl list || { dmesg | tail -n 40; finish; }
check "it boots" on_console auto DOMU-UP

# Six within ten seconds: systemd would by itself give up after five.
killed_often() {
	local n=0 old tries
	while [ $n -lt 6 ]; do
		old=$(pid $1)
		kill -9 $old
		tries=0
		until another $1 $old; do
			tries=$((tries + 1))
			[ $tries -lt 100 ] || return 1
			usleep 100000
		done
		n=$((n + 1))
	done
}
for unit in $DAEMONS; do
	check "6 kills of $unit" killed_often $unit
done
keeper=$(pid xenstored)
worker=$(cat /run/xenstored.pid)
kill -9 $worker
check "the store's worker is killed" within 10 prints '^auto ' xl list
check "the keeper is who it was" [ "$(pid xenstored)" = $keeper ]
check "the worker is another" [ "$(cat /run/xenstored.pid)" != $worker ]
check "kills of the keeper" killed_often xenstored
check "the store knows all" within 10 prints '^auto ' xl list
check "restart" systemctl restart xenstored xenconsoled
for unit in xenstored xen-init-dom0 $DAEMONS xen xendomains; do
	check "$unit is up" within 10 active $unit
done
check "the guest was not touched" [ "$(xl domid auto)" = 1 ]
sleep 1
type_in auto 'echo sum=$((20 + 22))'
check "and answers" on_console auto sum=42 20
check "stop" systemctl stop xendomains
check "the guest has been shut down" gone auto 5
check "orderly" console_has auto 'Power down\|System halted'
check "nothing failed" prints '^0 loaded' systemctl list-units --failed --no-pager
[ $failed = 0 ] || { dmesg | tail -n 60; systemctl list-units --failed --no-pager; }
finish
EOS
