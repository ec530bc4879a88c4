# SPDX-License-Identifier: MIT
#
# Functions for scripts that system tests run in dom0:
#
#	. /lib/kt.sh
#	debian d1 'vcpus = 2' 'run=ls /'	write /root/d1.cfg: a Debian guest
#	check "d1 starts" xl create /root/d1.cfg
#	check "d1 is up" on_console d1 DOMU-UP
#	finish					exits 1 if a check failed
#
#	must "d1 is up" on_console d1 DOMU-UP	the same, and nothing else makes sense without it
#
# Every check prints one line, with the seconds if it took long, and what the command said if it
# failed.

[ ! -e /run/boot/settings ] || . /run/boot/settings
failed=0
passed=0
CONSOLES=/var/log/xen/console

# check NAME COMMAND... : the command must succeed.
check() {
	local name=$1 out start=$SECONDS took=
	shift
	if out=$("$@" 2>&1); then
		[ $((SECONDS - start)) -lt 5 ] || took=" ($((SECONDS - start)) s)"
		echo "ok $name$took"
		passed=$((passed + 1))
	else
		echo "FAIL $name ($((SECONDS - start)) s)"
		echo "$out" | tail -n 25 | sed 's/^/    /'
		failed=$((failed + 1))
		return 1
	fi
}

# must NAME COMMAND... : as check, but if it fails the state of things is shown, and the test ends.
must() {
	check "$@" || { show_state | sed 's/^/    /'; finish; }
}

# What xl and the hypervisor (in the console's log) know, and the ends of the guests' consoles.
show_state() {
	local log
	timeout 20 xl vcpu-list
	timeout 20 xl debug-keys qre
	for log in $CONSOLES/guest-*.log; do
		[ -e "$log" ] || continue
		echo "--- $log"
		tail -n 12 "$log"
	done
}

# refuses COMMAND... : succeeds if the command fails.
refuses() {
	! "$@"
}

# prints TEXT COMMAND... : the command succeeds and prints TEXT (a basic regular expression).
prints() {
	local text=$1 out
	shift
	out=$("$@" 2>&1) || { echo "$out"; return 1; }
	echo "$out"
	echo "$out" | grep -q -- "$text"
}

# within SECONDS COMMAND... : retries until it succeeds.
within() {
	local left=$(($1 * ${PATIENCE:-1}))
	shift
	while ! "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		if [ $left -lt 0 ]; then
			echo "not within the time: $*"
			"$@"
			return 1
		fi
		sleep 1
	done
}

finish() {
	echo "$passed ok, $failed failed"
	[ $failed = 0 ]
	exit
}

# The kernel's echo of its command line, with what the guest is to run, does not count.
console_has() {
	tr -d '\r' <$CONSOLES/guest-$1.log | grep -v -i 'command line' | grep -q -- "$2"
}

# on_console GUEST TEXT [SECONDS] : waits for a line on the guest's console.
on_console() {
	within ${3:-120} console_has "$1" "$2" || {
		tail -n 30 $CONSOLES/guest-$1.log
		return 1
	}
}

exists() {
	xl list "$1" >/dev/null 2>&1
}

# gone GUEST [SECONDS] : waits until the domain is no more.
gone() {
	within ${2:-60} refuses exists "$1" || { xl list; return 1; }
}

# State letters of a domain as xl list shows them.
state() {
	xl list "$1" | awk 'NR == 2 { print $(NF - 1) }'
}

in_state() {
	state "$1" | grep -q "$2"
}

# A word of xl info.
info() {
	xl info "$1"
}

# How much memory the hypervisor has free, in MiB; settles first, as freeing may lag.
free_memory() {
	local a b=-1
	while a=$(info free_memory); [ "$a" != "$b" ]; do
		b=$a
		sleep 1
	done
	echo $a
}

# memory_is_back BEFORE : waits until as much is free as it was.
memory_is() {
	local now
	now=$(info free_memory)
	echo "free: $1 MiB before, $now now"
	[ "$now" -ge $(($1 - 1)) ]
}

memory_is_back() {
	within 30 memory_is "$1"
}

# bridge : the bridge that guests' cards are put on; dom0 is 10.0.0.1.
bridge() {
	brctl addbr xenbr0 && ifconfig xenbr0 10.0.0.1 up
}

# disk NAME MIB : makes /root/NAME.img.
disk() {
	dd if=/dev/zero of=/root/$1.img bs=1M count=0 seek=$2 2>/dev/null
}

# debian NAME [LINE]... [WORD=...] : writes /root/NAME.cfg for a guest with Debian's kernel and its
# own copy of the small root. Arguments with " = " are lines of the configuration (a later one
# wins over the defaults); others go to the end of the kernel's command line, run=... last (its
# blanks in disguise, since Linux panics on more than 32 unknown words).
debian() {
	local name=$1 lines= words= arg
	shift
	for arg; do
		case $arg in
		run=*) words="$words $(printf %s "$arg" | tr ' ' '\037')" ;;
		*' = '*) lines="$lines
$arg" ;;
		*) words="$words $arg" ;;
		esac
	done
	cp /guest/root.img /root/$name-root.img
	cat >/root/$name.cfg <<X
name = "$name"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initrd"
memory = 192
vcpus = 1
on_crash = "preserve"
disk = [ "format=raw,vdev=xvda,access=rw,target=/root/$name-root.img" ]
extra = "console=hvc0 root=/dev/xvda$words"
$lines
X
}

# type_in GUEST LINE : types a line at the guest's console.
type_in() {
	local id tty
	id=$(xl domid "$1") || return 1
	tty=$(xenstore-read /local/domain/$id/console/tty) || return 1
	printf '%s\n' "$2" >"$tty"
}
