#!/bin/bash
# SPDX-License-Identifier: MIT
# kl against xl: on the same machine state every printing verb prints the same, to the byte once what moves
# is masked, and ends with the same status; what xl refuses is refused alike.
# oracle: yes
# timeout: 600
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 580 --add "$TOP/$BUILD/tools/kl:usr/sbin/kl" \
	--add "$HERE/lib/kl-compare.sh:lib/kl-compare.sh" <<'EOS'
. /lib/kt.sh
. /lib/kl-compare.sh
bridge
debian d1 'vcpus = 2' 'maxmem = 256' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' stay
check "create" xl create -p /root/d1.cfg
for verb in list 'list d1' 'list 1' 'list 0' 'list -v' 'list -Z' 'list -c' 'list -n' 'list -v -Z -c -n' \
	claims sharing 'sharing d1' vm-list info 'info -n' 'info xen_version' 'info total' \
	vcpu-list 'vcpu-list 0 d1' uptime 'uptime d1' 'uptime -s' \
	'domid d1' 'domname 0' 'domname 1' sched-credit2 'sched-credit2 -d d1' \
	'sched-credit2 -s' 'sched-credit2 -p Pool-0' sched-credit cpupool-list 'cpupool-list -c' \
	'cpupool-list Pool-0' 'list -l' 'list -l d1' dmesg '-N vcpu-pin d1 all 0 1' \
	'block-list d1' 'network-list d1' 'network-list 0 d1'; do
	check "$verb" same $verb
done
for verb in 'list nobody' 'list 77' 'domid nobody' 'domname 77' 'domname x' 'vcpu-list nobody' 'pause' \
	'pause nobody' 'list a b' 'cpupool-list p9' 'sched-credit2 -w 3' 'sched-credit2 -d nobody' \
	'cpupool-destroy p9' 'mem-set d1 x' 'vcpu-pin d1' 'vcpu-pin d1 a 0' 'vcpu-set d1 9' 'vcpu-set d1 x' \
	'trigger d1 x' 'sysrq d1 xx' 'rename d1' 'mem-max d1 1' 'bogus' 'pci' '-q list' 'list -q' \
	'rename d1 Domain-0' 'destroy nobody' 'destroy 0' 'shutdown nobody' 'block-detach d1 xvdz' \
	'network-detach d1 7' 's d1' 'create /nonexistent'; do
	check "refused alike: $verb" same_status $verb
done
for verb in list claims sharing vm-list info vcpu-list uptime 'domid d1' 'domname 1' sched-credit2 cpupool-list \
	'list -l' dmesg; do
	check "json: $verb" json $verb
done
check "metrics" prints '^xen_domain_memory_bytes{domid="1",name="d1"' kl metrics
check "top" prints 'd1' kl top -b -i 1
kl pause d1
# The same paused domain: the same dump but for the shared page, whose clock the hypervisor may set.
digest() { echo $(stat -c %s $1) $(head -c 4096 $1 | md5sum) $(tail -c +65536 $1 | md5sum); rm -f $1; }
check "dump-core by xl" xl dump-core d1 /dev/shm/core
theirs=$(digest /dev/shm/core)
check "dump-core" kl dump-core d1 /dev/shm/core
check "the same dump" [ "$theirs" = "$(digest /dev/shm/core)" ]
check "dump-core says what is wrong" refuses kl dump-core d1 /nonexistent/core
xl destroy d1
finish
EOS
