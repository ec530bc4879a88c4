# SPDX-License-Identifier: MIT
#
# What every system test starts with: . "$(dirname "$0")/../lib/case.sh"
#
#	boot ARG...		tests/system/boot on the hypervisor under test, console logged
#	dom0 ARG... <<'X'	the same, the script on standard input
#	toolstack ARG... <<'X'	the same with a Debian guest and memory for two of them
#	expect STATUS COMMAND...	fails the test unless the command ends so
#	$(with_libraries PROGRAM...)	arguments that put this machine's programs and their libraries into dom0
#
# tests/system/run-all sets HYPERVISOR and LOGS; by hand they default to krypton and build/system.

set -u
HERE=$(cd "$(dirname "$0")/.." && pwd)
TOP=$(cd "$HERE/../.." && pwd)
BUILD=${BUILD:-build}
HYPERVISOR=${HYPERVISOR:-krypton}
LOGS=${LOGS:-$TOP/$BUILD/system/$(basename "$0" .sh)}
VARIANT=${1:-}
boots=0
mkdir -p "$LOGS"

boot() {
	boots=$((boots + 1))
	"$HERE/boot" --hypervisor "$HYPERVISOR" --log "$LOGS/console.$boots" ${BOOT_ARGS:-} "$@"
}

dom0() {
	boot --script - "$@"
}

toolstack() {
	dom0 --domu --mem 1536 --cmdline dom0_mem=700M "$@"
}

with_libraries() {
	local name path
	for name; do
		path=$(command -v "$name" || echo "$name")
		echo "--add $path:usr/bin/$name"
		ldd "$path"
	done | awk '/^--add/ { print } /=> \// { n = split($3, p, "/"); print "--add " $3 ":usr/lib/x86_64-linux-gnu/" p[n] }' |
		sort -u
}

expect() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	if [ "$got" != "$want" ]; then
		echo "ended with $got, not $want: $*"
		exit 1
	fi
}
