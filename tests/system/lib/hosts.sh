# SPDX-License-Identifier: MIT
#
# Two machines with a cable between them, for cases that move guests. After case.sh:
#
#	shared=$(shared_disk 64)	a disk of so many MiB that both may open (/dev/vda there); another NAME, another disk
#	second_host ARG...		boots the other one, which does what the first one's peer() says
#	first_host ARG... <<'EOS'	the script: . /lib/kt.sh; . /lib/hosts.sh; link 1; peer_up 60; ...
#
# The second one's output is in $LOGS/second, its console in $LOGS/console.second. It ends with
# the case at the latest. SECOND_HYPERVISOR chooses its hypervisor.

second_pid=
cable=$(mktemp -d /tmp/krypton-cable.XXXXXX)
trap 'end_second; rm -rf "$cable"' EXIT

end_second() {
	[ -z "$second_pid" ] || { kill "$second_pid"; wait "$second_pid"; } 2>/dev/null
}

shared_disk() {
	truncate -s "$1"M "$LOGS/${2:-shared}.img"
	echo "$LOGS/${2:-shared}.img"
}

second_host() {
	"$HERE/boot" --hypervisor "${SECOND_HYPERVISOR:-$HYPERVISOR}" --log "$LOGS/console.second" \
		--link "$cable/2,$cable/1" --domu --script - "$@" >"$LOGS/second" 2>&1 <<-'X' &
		. /lib/kt.sh
		. /lib/hosts.sh
		link 2
		serve
	X
	second_pid=$!
}

first_host() {
	dom0 --link "$cable/1,$cable/2" --domu "$@"
}
