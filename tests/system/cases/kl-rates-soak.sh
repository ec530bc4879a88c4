#!/bin/bash
# SPDX-License-Identifier: MIT
# Small guests are saved on one host, restored on a second one whose TSC has another rate, and again on the first:
# their clocks keep the host's pace and never go back; the TSC keeps the rate that it began with, but for a guest
# with tsc_mode=native, which has the host's. QEMU's TSC is that of the machine, with -icount it has 1 GHz.
# oracle: yes
# cpus: 2
# timeout: 400
# soak
. "$(dirname "$0")/../lib/case.sh"

disks=
for guest in default native emulated; do
	truncate -s 32M "$LOGS/$guest.img"
	disks="$disks --disk $LOGS/$guest.img"
done

# host ARG... : one more; what it does is on standard input.
host() {
	dom0 --toolstack krypton:xenstored --mem 700 --cmdline dom0_mem=500M --timeout 120 $disks \
		--add "$TOP/$BUILD/guests/mover:/guest/mover" "$@" < <(
		cat <<'EOS'
. /lib/kt.sh
. /lib/mover.sh
guests="default native emulated"
khz=$(kl info cpu_mhz | tr -d .)
echo "$khz kHz"
each() {
	local guest
	for guest in $guests; do
		"$@" $guest || return 1
	done
}
# A B PERCENT
near() {
	local off=$((($1 - $2) * 100))
	[ ${off#-} -le $(($2 * $3)) ]
}
centiseconds() {
	cut -d ' ' -f 1 /proc/uptime | tr -d .
}
keeps_pace() {
	local guest=$(said $1 clock_ms) here=$(centiseconds)
	sleep 4
	guest=$(($(said $1 clock_ms) - guest)) here=$((($(centiseconds) - here) * 10))
	echo "$1: $guest ms while $here passed"
	near $guest $here 15
}
tsc_goes() {
	echo "$1: TSC $(said $1 tsc_khz) kHz, first $(said $1 first_khz)"
	near $(said $1 tsc_khz) $2 1
}
as_at_first() {
	tsc_goes $1 $(said $1 first_khz)
}
save() {
	case $1 in
	default) kl save $1 /dev/vda ;;
	native) kl save $1 /dev/vdb ;;
	emulated) kl save $1 /dev/vdc ;;
	esac
}
save_all() {
	each save && sync
}
# OTHER: the host has another rate than they began with.
arrive() {
	check "restore" sh -c 'for d in a b c; do kl restore /dev/vd$d || exit 1; done'
	check "all beat, no clock went back" within 10 each beats
	check "their clocks keep pace" within 3 each keeps_pace
	check "native has this host's TSC" within 10 tsc_goes native $khz
	check "the first host was another one" $1 near $khz $(said native first_khz) 10
	check "default keeps its own" within 10 as_at_first default
	check "emulated keeps its own" within 10 as_at_first emulated
	check "all beat" each beats
}
EOS
		cat
	)
}

host --rtc 2019-12-01 <<'EOS' || exit 1
must "default" mover default 1 'look=100 rates'
must "native" mover native 1 'look=100 rates' 'tsc_mode = "native"'
must "emulated" mover emulated 1 'look=100 rates steady' 'tsc_mode = "always_emulate"'
for guest in $guests; do
	check "$guest has this host's TSC" within 10 tsc_goes $guest $khz
done
check "their clocks keep pace" within 3 each keeps_pace
check "save" save_all
finish
EOS
host --icount <<'EOS' || exit 1
arrive refuses
check "save" save_all
finish
EOS
host --rtc 2020-03-01 <<'EOS'
arrive ''
each kl destroy
finish
EOS
