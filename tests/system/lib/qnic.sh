# SPDX-License-Identifier: MIT
#
# Functions for scripts in dom0 that give guests network cards on netback, by hand as a toolstack
# would do it:
#
#	netback_start			the daemon (again)
#	qnic DOMID N [KEY VALUE]...	card N of domain DOMID: keys, tap, bridge
#	qnic_remove DOMID N		unplugs it
#	counter NAME			a number of netback --statistics, e.g. "copies"

NETBACK=${NETBACK:-/guest/netback}

netback_start() {
	[ -e /dev/net/tun ] || modprobe tun
	$NETBACK --daemon --pid-file /run/netback.pid >>/var/log/netback 2>&1 </dev/null
}

netback_kill() {
	kill -9 "$(cat /run/netback.pid)"
}

qnic() {
	local front=/local/domain/$1/device/vif/$2 back=/local/domain/0/backend/qnic/$1/$2 d=$1 n=$2
	local mac=00:16:3e:00:0$n:$(printf %02x "$d")
	shift 2
	# At once, as a toolstack does: the daemon reads them when the first one appears.
	set -- frontend $front frontend-id $d online 1 mac $mac bridge xenbr0 handle $n \
		script /etc/xen/scripts/vif-bridge "$@"
	local words=()
	while [ $# -gt 1 ]; do
		words+=($back/$1 "$2")
		shift 2
	done
	xenstore-write "${words[@]}" || return 1
	xenstore-write $back/state 1 || return 1
	xenstore-chmod -r $back n0 r$d
	# What comes to be below an existing directory has its permissions from the start.
	xenstore-write $front ""
	xenstore-chmod $front n$d r0
	xenstore-write $front/backend $back $front/backend-id 0 $front/handle $n $front/mac $mac \
		$front/state 1 || return 1
	within 10 prints '^2$' xenstore-read $back/state || return 1
	vif=vif$d.$n XENBUS_PATH=backend/qnic/$d/$n XENBUS_TYPE=vif XENBUS_BASE_PATH=backend \
		/etc/xen/scripts/vif-bridge online type_if=vif
}

qnic_remove() {
	local front=/local/domain/$1/device/vif/$2 back=/local/domain/0/backend/qnic/$1/$2
	xenstore-write $back/online 0 $back/state 5
	within 20 prints '^6$' xenstore-read $back/state || return 1
	vif=vif$1.$2 XENBUS_PATH=backend/qnic/$1/$2 XENBUS_TYPE=vif XENBUS_BASE_PATH=backend \
		/etc/xen/scripts/vif-bridge offline type_if=vif
	xenstore-rm $front
	xenstore-rm $back
	within 10 refuses test -e /sys/class/net/vif$1.$2
}

# The numbers before a word, summed over all cards and queues.
counter() {
	$NETBACK --statistics | awk -v w="$1" \
		'{ for (i = 2; i <= NF; i++) if ($i == w || $i == w ",") n += $(i - 1) } END { print n + 0 }'
}
