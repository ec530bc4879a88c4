#!/bin/bash
# SPDX-License-Identifier: MIT
# The programs as they are shipped, with musl, read their options on a host without a hypervisor: a wrong one, and one
# that misses its argument, end in an error, never in a signal. (The other host tests link with glibc, whose
# getopt() is another.)
#
#	options.sh FOLDER	where kl and the others were built
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
[ $failed = 0 ] && echo '[       OK ] options' || exit 1
