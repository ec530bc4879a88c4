#!/bin/bash
# SPDX-License-Identifier: MIT
# kl against xl: on the same machine state every printing verb prints the same, to the byte once what moves
# is masked, and ends with the same status; what xl refuses is refused alike.
# oracle: yes
# cpus: 2
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 280 --add "$TOP/$BUILD/tools/kl:usr/sbin/kl" \
	--add "$HERE/lib/kl-compare.sh:lib/kl-compare.sh" <<'EOS'
. /lib/kt.sh
. /lib/kl-compare.sh
bridge
# A uuid of its own: without one either tool makes up another whenever it reads the file.
debian d1 'memory = 128' 'vcpus = 2' 'maxmem = 160' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' \
	'uuid = "0d5b5d0e-6c47-4b1f-9d2a-6f0f6f1c7a11"' stay
check "create" xl create -p /root/d1.cfg
for verb in list 'list d1' 'list -v -Z -c -n' claims sharing vm-list info 'info -n' 'info xen_version' \
	vcpu-list uptime 'uptime -s d1' 'domid d1' 'domname 1' sched-credit2 'sched-credit2 -s' sched-credit \
	cpupool-list 'cpupool-list -c' 'list -l d1' dmesg '-N vcpu-pin d1 all 0 1' 'network-list d1' 'block-list d1' \
	'block-list 0 d1' 'sched-credit2 -p Pool-0' '-N network-attach d1 mac=00:16:3e:00:00:02' \
	'-N block-attach d1 /root/d1-root.img,raw,xvdc,r' '-N cpupool-create name="p1"' \
	'-N config-update d1 /root/d1.cfg'; do
	check "$verb" same $verb
done
for verb in 'list nobody' 'list 77' 'domname x' 'pause' 'pause nobody' 'cpupool-list p9' 'sched-credit2 -w 3' \
	'mem-set d1 x' 'vcpu-pin d1 a 0' 'trigger d1 x' 'sysrq d1 xx' 'bogus' 'pci' '-q list' 'list -q' \
	'rename d1 Domain-0' 'destroy 0' 's d1' 'set-parameters x=1' 'block-attach d1' 'block-detach d1 xvdz' \
	'network-detach d1 9' 'network-attach d1 mac=zz' 'config-update nobody /root/d1.cfg' 'dump-core d1 /nope/x' \
	'mem-max d1 x' 'vcpu-set d1 99' 'vcpu-set d1 0' 'cpupool-migrate d1 p9' 'cpupool-destroy Pool-0' \
	'cpupool-cpu-remove Pool-0 9' 'cpupool-rename p9 p8' 'save nobody /x' 'restore /nope' \
	'migrate nobody x' 'shutdown nobody' 'reboot nobody' 'console nobody' 'uptime nobody' 'domname 99' \
	'vcpu-pin d1 0 9' 'sched-credit2 -d d1 -c 99999' 'sched-credit -d d1 -w 3'; do
	check "refused alike: $verb" same_status $verb
done
for verb in list info vcpu-list 'list -l' dmesg; do
	check "json: $verb" json $verb
done
check "metrics" prints '^xen_domain_memory_bytes{domid="1",name="d1"' kl metrics
check "top" prints 'd1' kl top -b -i 1
xl destroy d1
finish
EOS
