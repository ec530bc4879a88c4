#!/bin/bash
# SPDX-License-Identifier: MIT
# The programs as they are shipped, with musl, on a host without a hypervisor: a wrong option, and one that misses its
# argument, end in an error, never in a signal; a daemon that waits bears one; the store serves its client. (The other host tests link with glibc,
# whose getopt() is another.)
#
#	programs.sh FOLDER	where kl and the others were built
# What is said and how it is counted is cmocka's.
failed=0

# ends PROGRAM ARGUMENT... : with a status of its own, in time
ends() {
	timeout 20 "$@" >/dev/null 2>&1 </dev/null
	local got=$?
	[ $got -lt 3 ] && return
	echo "status $got: $*"
	failed=1
}

cd "$1" || exit 1
verbs=$(./kl help | sed -n 's/^ \([a-z0-9-]*\) .*/\1/p')
[ "$(wc -w <<<"$verbs")" -gt 40 ] || failed=1
for verb in $verbs; do
	# Letters of options that take an argument with some verb, and what is none.
	for option in -C -d -f -i -o -r -t -w --cpupool --defconfig --delay --domain --timeout --weight --nothing; do
		ends ./kl "$verb" $option
	done
done
for program in blkback consoled monitor netback xenstored; do
	ends ./$program --nothing
	ends ./$program --pid-file
done

# A daemon that waits for its predecessor to die bears being asked for its statistics.
folder=$(mktemp -d)
exec 9>"$folder/lock"
flock 9
./blkback -f -d "$folder" >/dev/null 2>&1 9>&- &
waits=$!
catches() {
	[ $((0x$(sed -n 's/^SigCgt:[ \t]*//p' /proc/$waits/status) & 0x200)) != 0 ] # 10, SIGUSR1
}
for try in {1..40}; do # it waits for 5 s
	catches 2>/dev/null && break
	sleep 0.1
done
kill -USR1 $waits || { echo "blkback: does not wait for the lock, or for signals before it"; failed=1; }
exec 9>&-
wait $waits
[ $? -lt 3 ] || { echo "blkback: ended by a request for statistics"; failed=1; }
rm -r "$folder"

export XENSTORED_RUNDIR=$(mktemp -d)
export XENSTORED_PATH=$XENSTORED_RUNDIR/socket
./xenstored -N -D --no-keeper -F "$XENSTORED_RUNDIR/pid" -T "$XENSTORED_RUNDIR/log" &
for try in {1..100}; do
	[ -S "$XENSTORED_PATH" ] && break
	sleep 0.1
done
# says TEXT ARGUMENT... : what xenstore prints.
says() {
	local want=$1 got
	shift
	got=$(timeout 20 ./xenstore "$@" 2>&1)
	[ "$got" = "$want" ] && return
	echo "xenstore $*: $got"
	failed=1
}
says '' write /a/b 'x y'
says 'x y' read /a/b
says '/a/b = "x y"' ls -f /a
says OK control check
says '' rm /a
ends ./xenstore control quota set nonsense 3
ends ./xenstore exists /a
kill %1
wait
rm -r "$XENSTORED_RUNDIR"
[ $failed = 0 ] && echo '[       OK ] programs' || exit 1
