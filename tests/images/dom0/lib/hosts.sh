# SPDX-License-Identifier: MIT
#
# Functions for tests with two machines on one cable (tests/system/lib/hosts.sh):
#
#	. /lib/hosts.sh
#	link 1				this one is 10.0.0.1; bridge xenbr0 has the cable in it
#	serve				the other one may run commands here, until it says `end`
#	peer COMMAND...			runs a command there: its output, its status; 255 if none comes
#	put FILE			FILE moves onto the shared disk, 16 MiB behind its start; prints its bytes
#	take FILE BYTES			and from there, on the other machine
#	end_peer			the other machine's script may end

COMMAND_PORT=99

# link N : N is 1 or 2.
link() {
	local card
	card=$(grep -l '^52:54:00:4c:4b:' /sys/class/net/*/address | head -n 1)
	card=$(basename "$(dirname "$card")")
	brctl addbr xenbr0 && brctl addif xenbr0 "$card" && ifconfig "$card" up &&
		ifconfig xenbr0 10.0.0.$1 up || return 1
	echo 10.0.0.$((3 - $1)) >/run/peer
}

# serve : ends when the peer has said so.
serve() {
	cat >/run/serve-one <<-'X'
		#!/bin/sh
		. /lib/kt.sh
		. /lib/hosts.sh
		read -r command
		if [ "$command" = end ]; then
			touch /run/served
		else
			(eval "$command") </dev/null 2>&1
			echo "<status:$?>"
		fi
	X
	chmod 755 /run/serve-one
	nc -ll -p $COMMAND_PORT -e /run/serve-one &
	while [ ! -e /run/served ]; do
		sleep 1
	done
}

peer() {
	local out
	out=$(echo "$*" | nc $(cat /run/peer) $COMMAND_PORT)
	case $out in
	*'<status:'*'>') ;;
	*) echo "$out"; echo "no answer from the other machine"; return 255 ;;
	esac
	echo "${out%<status:*}"
	out=${out##*<status:}
	return "${out%>}"
}

# peer_up SECONDS : waits for the other machine.
peer_up() {
	within "$1" peer true
}

put() {
	dd if=$1 of=/dev/vda bs=1M seek=16 conv=notrunc,fsync 2>/dev/null && wc -c <$1 && rm $1
}

take() {
	echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/vda bs=1M skip=16 2>/dev/null | head -c $2 >$1 && [ $(wc -c <$1) = $2 ]
}

end_peer() {
	echo end | nc $(cat /run/peer) $COMMAND_PORT
}
