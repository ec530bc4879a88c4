#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's xl saves and restores a Debian guest with a disk and a card: its processes, its memory and its file
# system go on, its clock does not go back, and that twice; a checkpoint (save -c) leaves it running; save -p leaves
# it paused.
# oracle: yes
# cpus: 2
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --mem 2048 --timeout 380 <<'EOS'
. /lib/kt.sh
bridge
before=$(free_memory)
debian d1 'memory = 128' 'vcpus = 2' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' ip=10.0.0.2 stay
check "create" xl create -q /root/d1.cfg
check "up" on_console d1 '^DOMU-UP'
type_in d1 'mkdir -p /m; mount -t tmpfs t /m; head -c 16000000 /dev/urandom >/m/a; echo sum $(sha256sum </m/a | cut -c1-12) >/m/sum; echo ready=$((3 + 4))'
check "a memory pattern" on_console d1 'ready=7' 60
type_in d1 'while :; do n=$(cut -d. -f1 /proc/uptime); [ $n -ge ${last:-0} ] || echo clock-back; last=$n; sleep 1; done & echo clock=$((5 + 6))'
check "a clock watcher" on_console d1 'clock=11' 20
check "checkpoint" xl save -c d1 /dev/shm/c1
rm -f /dev/shm/c1
check "it runs on" prints '^d1 ' xl list
type_in d1 'echo after-c=$((1 + 1))'
check "and answers" on_console d1 'after-c=2' 20
check "save" xl save d1 /dev/shm/s1
check "it is gone" refuses xl list d1
check "memory too" memory_is_back $before
check "restore" xl restore /dev/shm/s1
check "it is back" prints '^d1 ' xl list
rm -f /dev/shm/s1
type_in d1 'echo sum $(sha256sum </m/a | cut -c1-12) | cmp - /m/sum && echo same=$((4 + 4))'
check "the same memory" on_console d1 'same=8' 60
type_in d1 'sync; echo disk >/tmp/x && sync && echo written=$((6 + 6))'
check "its disk works" on_console d1 'written=12' 30
check "its card, too" within 20 ping -c 2 10.0.0.2
check "no step back of the clock" refuses on_console d1 '^clock-back' 2
check "save -p" xl save -p d1 /dev/shm/s2
check "leaves it paused" within 5 in_state d1 p
check "unpause" xl unpause d1
type_in d1 'echo third=$((7 + 7))'
check "it answers" on_console d1 'third=14' 20
check "save again" xl save d1 /dev/shm/s2
check "restore -p" xl restore -p /dev/shm/s2
check "is paused" within 5 in_state d1 p
check "unpause" xl unpause d1
type_in d1 'sha256sum </m/a | cut -c1-12 | sed "s/^/sum /" | cmp - /m/sum && echo fourth=$((8 + 8))'
check "the same memory again" on_console d1 'fourth=16' 40
check "no step back of the clock since" refuses on_console d1 '^clock-back' 2
check "destroy" xl destroy d1
check "memory is back" memory_is_back $before
finish
EOS
