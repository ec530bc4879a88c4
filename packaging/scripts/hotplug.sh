# SPDX-License-Identifier: MIT
#
# What the hotplug scripts share. The toolstack runs them with the backend's store folder in
# XENBUS_PATH; they answer there: hotplug-status "connected", or "error" with hotplug-error.
# Plain sh; needs the store's commands and ip or brctl (busybox has both).

PATH=/usr/lib/krypton/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LANG=C
export PATH LANG

say() {
	logger -t "$(basename "$0")" -- "$XENBUS_PATH: $*" 2>/dev/null
	echo "$(basename "$0"): $XENBUS_PATH: $*" >&2
}

# A key of the backend's folder; empty if there is none.
get() {
	xenstore-read "$XENBUS_PATH/$1" 2>/dev/null
}

put() {
	xenstore-write "$XENBUS_PATH/$1" "$2"
}

# The device is not usable: why goes to the store, where the toolstack finds it.
fail() {
	put hotplug-error "$(basename "$0"): $*"
	put hotplug-status error
	say "$*"
	trap - EXIT
	exit 1
}

connected() {
	put hotplug-status connected || fail "cannot tell that it is connected"
	trap - EXIT
}

# A script that ends early has failed, whatever it was.
trap 'fail "ended early"' EXIT

[ -n "${XENBUS_PATH:-}" ] || {
	trap - EXIT
	echo "$(basename "$0"): XENBUS_PATH is not set: the toolstack runs this" >&2
	exit 1
}
