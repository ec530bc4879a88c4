#!/bin/bash
# SPDX-License-Identifier: MIT
# Our whole toolstack; what happens when domains end: restarts, crashes, loops, cores, and a monitor
# that dies meanwhile.
# oracle: yes
# timeout: 600
. "$(dirname "$0")/../lib/case.sh"

toolstack --toolstack bare --smp 2 --add "$TOP/$BUILD/guests/hello" --timeout 560 <<'EOS'
. /lib/kt.sh
daemon=$(cat /run/xen-monitor.pid)
LOG=/var/log/xen/monitor.log
restart_monitor() {
	kill -9 $(cat /run/xen-monitor.pid)
	[ -z "${1:-}" ] || usleep $1
	monitor --pid-file=/run/xen-monitor.pid
}
# guest NAME LINE... : a small one without devices, on initramfs alone.
guest() {
	local name=$1 line
	shift
	{
		echo "name = '$name'"
		echo "kernel = '/guest/vmlinuz'"
		echo "ramdisk = '/guest/initrd'"
		echo "memory = 96"
		echo "extra = 'console=hvc0 stay $(date +%s)'"
		for line; do echo "$line"; done
	} >/root/$name.cfg
}
ups() { [ "$(tr -d '\r' <$CONSOLES/guest-$1.log | grep -c '^DOMU-UP')" -ge $2 ]; }
other_id() { local id; id=$(xl domid $1 2>/dev/null) && [ "$id" != "$2" ]; }
crash() { type_in $1 'echo c >/proc/sysrq-trigger'; }
death() { prints "\"reason\": \"$2\"" cat /var/lib/xen/death/$1.json; }
before=$(free_memory)

guest g
check "create" xl create -q /root/g.cfg
check "boots" within 60 ups g 1
id=$(xl domid g)
type_in g 'reboot -f'
check "reboot: a new domain" within 40 other_id g $id
check "reboot: it boots" within 60 ups g 2
check "reboot: reported" death g reboot
id=$(xl domid g)
type_in g 'reboot -f'
usleep 300000
restart_monitor 100000
check "reboot while the monitor dies: a new domain" within 40 other_id g $id
check "reboot while the monitor dies: it boots" within 60 ups g 3
check "one domain of that name" [ "$(xl list | grep -c '^g ')" = 1 ]
type_in g 'poweroff -f'
check "poweroff: gone" gone g 40
check "poweroff: reported" death g poweroff

guest c 'on_crash = "coredump-destroy"'
check "create: crashes" xl create -q /root/c.cfg
check "boots" within 60 ups c 1
crash c
check "crash: gone" gone c 60
check "crash: reported" death c crash
check "crash: the core" prints ELF head -c 4 /var/lib/xen/dump/c
rm -f /var/lib/xen/dump/c
cat /var/lib/xen/death/c.json

guest p 'on_crash = "preserve"'
check "create: preserved" xl create -q /root/p.cfg
check "boots" within 60 ups p 1
crash p
check "preserve: stays" within 40 in_state p c
restart_monitor
sleep 2
check "preserve: still there" in_state p c
check "preserve: destroyed by hand" xl destroy p

guest r 'on_crash = "rename-restart"'
check "create: renamed" xl create -q /root/r.cfg
check "boots" within 60 ups r 1
id=$(xl domid r)
crash r
check "rename-restart: a new one" within 60 other_id r $id
check "rename-restart: boots" within 60 ups r 2
check "rename-restart: the old one" prints '^r-2' xl list
xl destroy r
xl destroy $id

# A loop, and a monitor that dies all the time.
cat >/root/l.cfg <<'X'
name = "l"
kernel = "/guest/hello"
memory = 16
on_poweroff = "restart"
on_crash = "restart"
on_reboot = "restart"
X
check "create: a loop" xl create -q /root/l.cfg
n=0
while [ $n -lt 25 ]; do
	usleep $((RANDOM * 12))
	restart_monitor $((RANDOM * 2))
	# Without the delays that a loop earns.
	rm -f /run/xen/monitor/*.restarts
	[ "$(xl list | grep -c '^l ')" -le 1 ] || echo "FAIL two of one name"
	n=$((n + 1))
done
starts() { grep -c 'l: restarted as domain' $LOG; }
was=$(starts)
more() { rm -f /run/xen/monitor/*.restarts; [ "$(starts)" -gt $(($was + 1)) ]; }
check "25 kills: the loop goes on" within 40 more
# A worker that saw the domain end before it was destroyed here may still write an intent, or be creating.
intents() { ls /run/xen/monitor/*.intent 2>/dev/null; }
ended() { rm -f /run/xen/monitor/*.intent; xl destroy l >/dev/null 2>&1; sleep 5; ! exists l && [ -z "$(intents)" ]; }
check "the loop ends" within 60 ended
sleep 2
check "and stays so" refuses exists l
echo "restarts: $(starts)"
check "nothing is left: domains" [ "$(xl list | wc -l)" = 2 ]
check "nothing is left: nodes" [ -z "$(xenstore-list /local/domain | grep -v '^0$')$(xenstore-list /vm 2>/dev/null)" ]
check "nothing is left: intents" [ -z "$(intents)" ]
check "memory is back" memory_is_back $before
echo "resident: $(sed -n 's/^VmRSS: *//p' /proc/$(cat /run/xen-monitor.pid)/status)"
grep -v 'has ended\|restarted as\|already' $LOG | tail -n 20
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
