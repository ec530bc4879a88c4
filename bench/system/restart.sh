#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: a guest of our own works on a disk of our blkback as fast as it can and checks every byte; once
# undisturbed, once with the daemon killed every second of the machine's time, which -icount counts. The
# daemon is started again as a service manager would, RESTART seconds after its death.
. /lib/kt.sh
. /lib/pv.sh

insmod /guest/brd.ko rd_nr=1 rd_size=16384 || echo "no RAM disk"
dd if=/dev/zero of=/dev/ram0 bs=1M 2>/dev/null

# work NAME : the guest runs for six seconds.
work() {
	cat >/root/$1.cfg <<X
name = "$1"
kernel = "/guest/blk"
memory = 64
on_crash = "preserve"
extra = "vbd=51728 ms=6000 queues=1 order=0 persistent"
X
	xl create -p -q /root/$1.cfg
	plug_disk $1 51728 /dev/ram0 w
	xl unpause $1
}

start_blkback
work quiet
on_console quiet 'KTEST-EXIT' 120
start=$(cut -d ' ' -f 1 /proc/uptime)
work killed
kills=0
while ! console_has killed 'KTEST-EXIT'; do
	sleep 0.99
	kill -9 $blkback_pid
	wait $blkback_pid 2>/dev/null
	sleep $RESTART
	start_blkback
	kills=$((kills + 1))
done
for g in quiet killed; do
	tr -d '\r' <$CONSOLES/guest-$g.log | sed -n "s/^# \([0-9]*\) reads, \([0-9]*\) writes in \([0-9]*\) ms.*/WORK $g \1 \2 \3/p; s/KTEST-EXIT: /EXIT $g /p"
done
echo "KILLS $kills"
blkback_stats
cat $BLKBACK_LOG
