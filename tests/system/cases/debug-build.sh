#!/bin/bash
# SPDX-License-Identifier: MIT
# The build with checks (make DEBUG=1: asserts, lock order) with dom0 and a Debian guest that has a
# disk and a network card, two CPUs each; then a small guest is made and destroyed a few times.
# oracle: no (a build of the hypervisor under test)
# cpus: 2
# timeout: 320
. "$(dirname "$0")/../lib/case.sh"

HYPERVISOR=$TOP/$BUILD/debug/krypton
[ -e "$HYPERVISOR" ] || { echo "no $HYPERVISOR; run make debug-build"; exit 1; }
toolstack --smp 2 --timeout 300 --add "$TOP/$BUILD/guests/hello:guest/hello" <<'EOS'
. /lib/kt.sh
bridge
before=$(free_memory)
debian d1 'memory = 160' 'vcpus = 2' 'vif = [ "bridge=xenbr0" ]' ip=10.0.0.2 stay \
	"run=dd if=/dev/zero of=/bulk bs=64k count=40 conv=fsync; ping -c 3 10.0.0.1"
must "create" xl create /root/d1.cfg
must "up" on_console d1 DOMU-UP 60
must "its disk and card work" on_console d1 'DOMU-EXIT: 0' 60
check "debug keys" xl debug-keys qreitgH
cat >/root/t.cfg <<X
name = "t"
kernel = "/guest/hello"
memory = 24
on_poweroff = "preserve"
X
for i in 1 2 3; do
	check "create $i" xl create -q /root/t.cfg
	check "destroy $i" xl destroy t
done
check "pause, unpause" sh -c 'xl pause d1 && xl unpause d1'
check "vcpus move" sh -c 'xl vcpu-pin d1 all 1 && xl vcpu-pin d1 all 0 && xl vcpu-pin d1 all all'
check "one vcpu less" xl vcpu-set d1 1
check "destroy" xl destroy d1
check "memory is back" memory_is_back $before
finish
EOS
