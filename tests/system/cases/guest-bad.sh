#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that go wrong: one panics (each on_crash action), one spins with interrupts off, one is
# destroyed in the middle of disk and network traffic, one has no memory to boot with, one is no
# kernel at all. dom0 keeps working, and all memory comes back.
# oracle: yes
# cpus: 2
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 400 <<'EOS'
. /lib/kt.sh
bridge
before=$(free_memory)

debian p1 'on_crash = "destroy"' 'run=echo c >/proc/sysrq-trigger'
check "panic: create" xl create /root/p1.cfg
check "panic: seen" on_console p1 'sysrq: Trigger a crash' 120
check "panic: destroyed" gone p1
debian p2 'on_crash = "preserve"' 'run=echo c >/proc/sysrq-trigger'
check "preserve: create" xl create /root/p2.cfg
check "preserve: crashed" within 60 in_state p2 c
check "preserve: destroy" xl destroy p2

debian s1 'vcpus = 2' stay 'run=echo spin; (while :; do :; done) & while :; do :; done'
check "spin: create" xl create /root/s1.cfg
check "spin: spins" on_console s1 spin 120
check "spin: dom0 answers at once" timeout 20 xl list
check "spin: destroy" timeout 30 xl destroy s1
check "spin: gone" gone s1

disk b 64
debian i1 'vif = [ "bridge=xenbr0" ]' \
	'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img", "format=raw,vdev=xvdb,access=rw,target=/root/b.img" ]' \
	ip=10.0.0.2 stay 'run=(while :; do dd if=/dev/zero of=/dev/xvdb bs=64k count=800; done) & (while :; do dd if=/dev/xvdb of=/dev/null bs=4k iflag=direct; done) & echo busy; ping -i 0.01 -q 10.0.0.1'
check "I/O: create" xl create /root/i1.cfg
check "I/O: busy" on_console i1 busy 120
sleep 3
ping -q -i 0.01 -s 1400 10.0.0.2 >/dev/null &
sleep 1
check "I/O: destroy" timeout 60 xl destroy i1
check "I/O: gone" gone i1
kill %1
check "I/O: no devices left" within 20 refuses sh -c 'ls /sys/bus/xen-backend/devices | grep .'

debian m1 'memory = 4'
check "no memory: refused" refuses xl create /root/m1.cfg
check "no memory: gone" gone m1
head -c 100000 /dev/urandom >/root/junk
debian k1 'kernel = "/root/junk"'
check "no kernel: refused" refuses xl create /root/k1.cfg
check "no kernel: gone" gone k1
debian h1 'memory = 100000'
check "too much memory: refused" refuses xl create /root/h1.cfg
check "memory is back" memory_is_back $before
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
