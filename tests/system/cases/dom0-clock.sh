#!/bin/bash
# SPDX-License-Identifier: MIT
# The clock: dom0's date follows the RTC, an hour of wall time is not gained or lost in a boot, and
# time advances with the machine's (compared with the RTC, which the hypervisor does not touch).
# oracle: yes
# cpus: variant
# variants: 1 4
# timeout: 180
. "$(dirname "$0")/../lib/case.sh"

dom0 --smp "$VARIANT" --rtc 2031-05-06T07:08:09 --no-tools <<'EOS'
. /lib/kt.sh
check "the date is the RTC's" prints '^2031-05-06 07:\(08\|09\|10\|11\)' date -u '+%Y-%m-%d %H:%M'
rtc() { date -u -D '%Y-%m-%d %H:%M:%S' -d "$(cat /sys/class/rtc/rtc0/date) $(cat /sys/class/rtc/rtc0/time)" +%s; }
[ -e /sys/class/rtc/rtc0 ] || modprobe rtc-cmos
a=$(rtc)
b=$(date +%s)
check "the RTC agrees at first" [ $((a - b)) -ge -2 -a $((a - b)) -le 2 ]
up=$(cut -d. -f1 /proc/uptime)
sleep 15
c=$(rtc)
d=$(date +%s)
check "15 s later too" [ $((c - d)) -ge -2 -a $((c - d)) -le 2 ]
check "it is some 15 s ($((d - b))), as for the RTC ($((c - a)))" \
	[ $((d - b)) -ge 14 -a $((d - b - c + a)) -ge -2 -a $((d - b - c + a)) -le 2 ]
check "uptime says so too" [ $(($(cut -d. -f1 /proc/uptime) - up)) -ge 14 ]
# Time must not step back, on whichever CPU it is read (by the shell itself: a process for each
# reading took minutes on four emulated CPUs).
cpus=$(nproc)
back=0
last=0
for i in $(seq 300); do
	taskset -p -c $((i % cpus)) $$ >/dev/null
	read -r now idle </proc/uptime
	now=${now%.*}${now#*.}
	[ "$now" -ge "$last" ] || back=$((back + 1))
	last=$now
done
check "never back" [ $back = 0 ]
finish
EOS
