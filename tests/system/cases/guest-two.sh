#!/bin/bash
# SPDX-License-Identifier: MIT
# Two Debian guests at once, which talk to each other over the bridge while both compute (SIMD state
# and sums must survive the switching).
# oracle: yes
# cpus: 2
# timeout: 360
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 340 <<'EOS'
. /lib/kt.sh
bridge
before=$(free_memory)
work='for i in 1 2 3 4 5; do head -c 2000000 /dev/zero | sha256sum | cut -c1-16; done | uniq -c'
debian d1 'memory = 160' 'vcpus = 2' 'vif = [ "bridge=xenbr0" ]' ip=10.0.0.2 stay \
	"run=$work; head -c 3000000 /dev/zero >/tmp/bulk; httpd -p 7000 -h /tmp"
debian d2 'memory = 160' 'vcpus = 2' 'vif = [ "bridge=xenbr0" ]' ip=10.0.0.3 stay \
	"run=$work; while ! ping -c 1 -W 1 10.0.0.2 >/dev/null; do sleep 1; done; while ! wget -q -O - http://10.0.0.2:7000/bulk | wc -c | grep 3000000; do sleep 1; done"
must "create d1" xl create /root/d1.cfg
must "create d2" xl create /root/d2.cfg
must "d1 up" on_console d1 DOMU-UP 60
must "d2 up" on_console d2 DOMU-UP 60
want=$(head -c 2000000 /dev/zero | sha256sum | cut -c1-16)
must "d1's sums" on_console d1 "5 $want" 60
must "d2's sums" on_console d2 "5 $want" 60
must "d2 heard d1" on_console d2 '^3000000' 60
check "done" on_console d2 'DOMU-EXIT: 0' 60
check "both listed" prints '^d2 ' xl list
check "dom0 reaches both" sh -c 'ping -c 2 10.0.0.2 && ping -c 2 10.0.0.3'
check "destroy d1" xl destroy d1
check "d2 lives" ping -c 2 10.0.0.3
check "shutdown d2" xl shutdown -w d2
check "memory is back" memory_is_back $before
finish
EOS
