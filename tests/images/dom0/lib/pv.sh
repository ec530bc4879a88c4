# SPDX-License-Identifier: MIT
#
# Our own block backend in dom0, by hand: what a toolstack would write into the store.
#
#	. /lib/pv.sh
#	start_blkback
#	plug_disk GUEST VDEV FILE [MODE] [KEY=VALUE...]	e.g. plug_disk d1 51728 /root/b.img w
#	unplug_disk GUEST VDEV
#	restart_blkback					kill -9, and a new one at once
#	kill_repeatedly DAEMON TIMES [MICROSECONDS]	one that somebody else starts again, about each second

BLKBACK_LOG=/root/blkback.log

start_blkback() {
	blkback -f 2>>$BLKBACK_LOG &
	blkback_pid=$!
}

restart_blkback() {
	kill -9 $blkback_pid
	wait $blkback_pid 2>/dev/null
	start_blkback
}

# It is asked once it catches the signal (10): one that is being started would be ended by it.
blkback_told() {
	[ -e /run/krypton/blkback/stats ] && return
	[ $((0x$(sed -n 's/^SigCgt:[ \t]*//p' /proc/$blkback_pid/status) & 0x200)) = 0 ] || kill -USR1 $blkback_pid
	return 1
}

# Statistics of all devices, one line each.
blkback_stats() {
	rm -f /run/krypton/blkback/stats
	within 5 blkback_told && cat /run/krypton/blkback/stats
}

back_of() {
	echo /local/domain/0/backend/qblk/$(xl domid $1)/$2
}

plug_disk() {
	local id=$(xl domid $1) vdev=$2 file=$3 mode=${4:-w} pair
	local front=/local/domain/$id/device/vbd/$vdev back=$(back_of $1 $2)
	shift 3
	[ $# = 0 ] || shift
	xenstore-write $back/frontend $front $back/frontend-id $id $back/online 1 \
		$back/removable 0 $back/mode $mode $back/device-type disk $back/params $file
	for pair; do
		xenstore-write $back/${pair%%=*} "${pair#*=}"
	done
	xenstore-chmod -r $back n0 r$id
	xenstore-write $front/backend $back $front/backend-id 0 $front/virtual-device $vdev \
		$front/device-type disk
	xenstore-chmod -r $front n$id r0
	xenstore-write $back/state 1 $front/state 1
	xenstore-chmod $back/state n0 r$id
	xenstore-chmod $front/state n$id r0
}

disk_state() {
	[ "$(xenstore-read $(back_of $1 $2)/state)" = $3 ]
}

unplug_disk() {
	local back=$(back_of $1 $2) front=/local/domain/$(xl domid $1)/device/vbd/$2
	xenstore-write $back/online 0 $back/state 5
	within 20 disk_state $1 $2 6 || return 1
	xenstore-rm $back
	xenstore-rm $front
	# Linux keeps its closed device if new nodes are there when it comes to look; nothing says that it did.
	sleep 1
}

# Deaths while it was not there do not count.
kill_repeatedly() {
	local n=0
	while [ $n -lt $2 ]; do
		usleep ${3:-900000}
		kill -9 $(pidof $1) 2>/dev/null && n=$((n + 1))
	done
}
