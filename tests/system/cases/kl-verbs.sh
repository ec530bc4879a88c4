#!/bin/bash
# SPDX-License-Identifier: MIT
# kl's verbs that change a running guest, each seen afterwards by kl and xl alike; its verbs that leave files are
# compared with xl's to the byte.
# oracle: yes
# cpus: 2
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 400 --add "$TOP/$BUILD/tools/kl:usr/sbin/kl" \
	--add "$HERE/lib/kl-compare.sh:lib/kl-compare.sh" <<'EOS'
. /lib/kt.sh
. /lib/kl-compare.sh
bridge
debian d1 'vcpus = 2' 'maxmem = 256' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' ip=10.0.0.2 stay
check "create" xl create -p /root/d1.cfg
check "unpause" kl unpause d1
check "boots" on_console d1 DOMU-UP
check "pause" kl pause d1
check "paused" in_state d1 p
check "unpause again" kl unpause d1
check "vcpu-pin" kl vcpu-pin d1 0 1 0
check "pinned alike" same vcpu-list d1
check "vcpu-pin all" kl vcpu-pin d1 all all all
check "sched-credit2 sets" kl sched-credit2 -d d1 -w 300 -c 40
check "seen alike" same sched-credit2
kl sched-credit2 -d d1 -w 256 -c 0
check "mem-set" kl mem-set d1 160
check "ballooned" within 30 prints '^d1  *1  *160 ' kl list
check "mem-max" kl mem-max d1 200
check "seen in the store" prints '^204800$' xenstore-read /local/domain/1/memory/static-max
check "vcpu-set" kl vcpu-set d1 1
check "one vcpu" within 20 prints '^d1  *1  *160  *1 ' kl list
check "lists alike after it" same vcpu-list d1
check "list -l alike after it" same list -l d1
check "vcpu-set up" kl vcpu-set d1 2
check "rename" kl rename d1 d2
check "listed alike" same list
kl rename d2 d1
check "trigger" kl trigger d1 nmi 0
check "sysrq" kl sysrq d1 h
check "sysrq arrives" on_console d1 HELP 20
type_at_console() { (sleep 2; echo 'echo hand=$((40 + 3))'; sleep 4; printf '\035') |
	timeout 15 script -q -c "kl console d1" /dev/null; true; }
check "console" prints hand=43 type_at_console
check "cpupool-cpu-remove" kl cpupool-cpu-remove Pool-0 1
check "cpupool-create" kl cpupool-create 'name="p1"' 'cpus=["1"]'
check "listed alike" same cpupool-list
check "cpupool-migrate" kl cpupool-migrate d1 p1
check "listed alike with pools" same list -c
check "back" kl cpupool-migrate d1 Pool-0
check "cpupool-rename" kl cpupool-rename p1 p2
check "cpupool-destroy" kl cpupool-destroy p2
check "cpupool-cpu-add" kl cpupool-cpu-add Pool-0 1
check "cpupool-numa-split" kl cpupool-numa-split
check "listed alike" same cpupool-list
stored() { cat /var/lib/xen/userdata-d.*.xl; }
xl config-update d1 /root/d1.cfg 'memory=130' 2>/dev/null && stored >/tmp/x.stored
check "config-update" kl config-update d1 /root/d1.cfg 'memory=131'
check "stored" prints 'memory=131' stored
kl config-update d1 /root/d1.cfg 'memory=130'
check "stored as by xl" sh -c 'cat /var/lib/xen/userdata-d.*.xl | cmp - /tmp/x.stored'
check "set-parameters" same set-parameters gnttab_max_frames=64
check "an unknown parameter" same_status set-parameters nonsense=1
xenstore-write /local/domain/1/control/shutdown suspend
check "suspended" within 20 in_state d1 s
check "resume" kl resume d1
check "nothing to resume" refuses kl resume d1
type_in d1 'echo awake=$((40 + 4))'
check "it goes on" on_console d1 awake=44 30
check "network-reconnect" kl network-reconnect d1 0
check "it connects" within 20 prints '00:16:3e:00:00:01     0     4' kl network-list d1
type_in d1 'ifconfig eth0 10.0.0.2 up'
check "ping over it" within 20 ping -c 1 -W 2 10.0.0.2
check "network-detach" kl network-detach d1 0
check "the card is gone" within 10 refuses prints '00:16:3e:00:00:01' xl network-list d1
# dumped_alike : xl's dump and kl's of the paused guest are the same file, unless dom0 wrote into the guest between
# the two (an answer of the store's, say), which does not happen thrice.
dumped_alike() {
	for try in 1 2 3; do
		xl dump-core d1 /dev/shm/core && sum=$(md5sum </dev/shm/core) &&
			rm /dev/shm/core && kl dump-core d1 /dev/shm/core || return
		[ "$sum" != "$(md5sum </dev/shm/core)" ] || return 0
	done
	return 1
}
kl pause d1
check "dump-core" dumped_alike
check "its sections" [ "$(od -An -t u2 -j 60 -N 2 /dev/shm/core)" -eq 7 ]
rm -f /dev/shm/core
kl unpause d1
check "debug R: a prefix" kl debug h
check "an ambiguous prefix" refuses kl s d1
check "dmesg -c" kl dmesg -c
check "empty then" [ "$(kl dmesg | wc -l)" -lt 5 ]
xl destroy d1
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
