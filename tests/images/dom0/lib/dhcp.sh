#!/bin/sh
# SPDX-License-Identifier: MIT
# udhcpc's script: takes the lease.
case $1 in
bound|renew)
	ifconfig "$interface" "$ip" netmask "$subnet" up
	[ -z "$router" ] || route add default gw ${router%% *} ;;
deconfig)
	ifconfig "$interface" up ;;
esac
exit 0
