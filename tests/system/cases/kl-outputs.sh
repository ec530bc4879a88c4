#!/bin/bash
# SPDX-License-Identifier: MIT
# kl against xl: on the same machine state every printing verb prints the same, to the byte once times and
# places are masked, and ends with the same status; so do the refusals.
# oracle: yes
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 400 --add "$TOP/$BUILD/tools/kl:usr/sbin/kl" <<'EOS'
. /lib/kt.sh
# What moves between two calls: CPU seconds, running or blocked, the CPU a vcpu is on, clock, free memory.
mask() {
	sed -E -e 's/ +[0-9]+\.[0-9]( |$)/ T\1/' -e 's/[r-][b-]([p-][s-].[d-])  /rb\1/' \
		-e 's/( +[0-9]+ +[0-9]+) +[0-9]+ +[r-][b-]- /\1 C S /' \
		-e 's/[0-9]+:[0-9]+(:[0-9]+)?/H/g' -e 's/^(free_memory +:).*/\1/' -e 's/xl/kl/g'
}
# same WHAT ARGUMENTS...: same standard output and status of both
same() {
	local xs=0 ks=0
	xl "$@" >/tmp/x.out 2>/tmp/x.err || xs=$?
	kl "$@" >/tmp/k.out 2>/tmp/k.err || ks=$?
	[ $xs = $ks ] || { echo "status $xs and $ks"; cat /tmp/k.err; return 1; }
	mask </tmp/x.out >/tmp/x.masked
	mask </tmp/k.out >/tmp/k.masked
	diff /tmp/x.masked /tmp/k.masked
}
json() { kl --json "$@" >/tmp/j && head -c 1 /tmp/j | grep -q '[[{]'; }
bridge
debian d1 'vcpus = 2' 'maxmem = 256' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' stay
check "create" xl create -p /root/d1.cfg
for verb in list 'list d1' 'list 1' 'list 0' 'list -v' 'list -Z' 'list -c' 'list -n' 'list -v -Z -c -n' \
	'list -v d1' claims sharing 'sharing d1' vm-list info 'info -n' 'info xen_version' 'info total' \
	vcpu-list 'vcpu-list d1' 'vcpu-list 0 1' uptime 'uptime d1' 'uptime -s' 'uptime -s d1' \
	'domid d1' 'domid Domain-0' 'domname 0' 'domname 1' sched-credit2 'sched-credit2 -d d1' \
	'sched-credit2 -s' 'sched-credit2 -p Pool-0' sched-credit cpupool-list 'cpupool-list -c' \
	'cpupool-list Pool-0' 'list -l' 'list -l d1'; do
	check "$verb" same $verb
done
for verb in 'list nobody' 'list 77' 'domid nobody' 'domname 77' 'domname x' 'vcpu-list nobody' 'pause' \
	'pause nobody' 'list a b' 'cpupool-list p9' 'sched-credit2 -w 3' 'sched-credit2 -d nobody' \
	'cpupool-destroy p9' 'mem-set d1 x' 'vcpu-pin d1' 'vcpu-pin d1 a 0' 'vcpu-set d1 9' 'vcpu-set d1 x' \
	'trigger d1 x' 'sysrq d1 xx' 'rename d1' 'mem-max d1 1' 'bogus' 'pci' '-q list' 'list -q'; do
	check "refused alike: $verb" sh -c 'xl "$@" >/dev/null 2>&1; x=$?; kl "$@" >/dev/null 2>&1; [ $? = $x ]' - $verb
done
check "dmesg" same dmesg
check "prefixes: debug R" sh -c 'kl debug h'
check "prefixes: an ambiguous one" refuses kl s d1
check "dry run: vcpu-pin" same -N vcpu-pin d1 all 0 1
check "pause, unpause" sh -c 'kl unpause d1; kl pause d1; kl unpause d1'
check "boots" on_console d1 DOMU-UP
check "vcpu-pin" kl vcpu-pin d1 0 1 0
check "pinned alike" same vcpu-list d1
check "vcpu-pin all" kl vcpu-pin d1 all all all
check "sched-credit2 sets" kl sched-credit2 -d d1 -w 300 -c 40
check "seen alike" same sched-credit2
check "mem-set" kl mem-set d1 160
check "ballooned" within 30 prints '^d1  *1  *160 ' kl list
check "mem-max" kl mem-max d1 200
check "seen in the store" prints '^204800$' xenstore-read /local/domain/1/memory/static-max
check "vcpu-set" kl vcpu-set d1 1
check "one vcpu" within 20 prints '^d1  *1  *160  *1 ' kl list
check "lists alike after it" same vcpu-list d1
check "list -l alike after it" same list -l d1
check "rename" kl rename d1 d2
check "listed alike" same list
kl rename d2 d1
check "trigger" kl trigger d1 nmi 0
check "sysrq" kl sysrq d1 h
check "sysrq arrives" on_console d1 HELP 20
type_at_console() { (sleep 2; echo 'echo hand=$((40 + 3))'; sleep 4) |
	timeout 15 script -q -c "kl console d1" /dev/null; true; }
check "console" prints hand=43 type_at_console
# The same paused domain: the same dump but for the shared page, whose clock the hypervisor may set.
kl pause d1
digest() { echo $(stat -c %s $1) $(head -c 4096 $1 | md5sum) $(tail -c +65536 $1 | md5sum); rm -f $1; }
check "dump-core by xl" xl dump-core d1 /dev/shm/core
theirs=$(digest /dev/shm/core)
check "dump-core" kl dump-core d1 /dev/shm/core
check "the same dump" [ "$theirs" = "$(digest /dev/shm/core)" ]
check "dump-core says what is wrong" refuses kl dump-core d1 /nonexistent/core
kl unpause d1
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
for verb in list claims sharing vm-list info vcpu-list uptime 'domid d1' 'domname 1' sched-credit2 cpupool-list \
	'list -l' dmesg; do
	check "json: $verb" json $verb
done
check "metrics" prints '^xen_domain_memory_bytes{domid="1",name="d1"' kl metrics
check "top" prints 'd1' kl top -b -i 1
check "dmesg -c" kl dmesg -c
check "empty then" [ "$(kl dmesg | wc -l)" -lt 5 ]
xl destroy d1
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
