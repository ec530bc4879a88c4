#!/bin/bash
# SPDX-License-Identifier: MIT
# The toolstack's verbs on a running Debian guest, from create to destroy.
# oracle: yes
# cpus: 2
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 400 <<'EOS'
. /lib/kt.sh
bridge
before=$(free_memory)
disk b 16
debian d1 'vcpus = 2' 'maxmem = 256' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' ip=10.0.0.2 stay
check "create -p" xl create -p /root/d1.cfg
check "it is paused" within 5 in_state d1 p
check "unpause" xl unpause d1
check "it boots" on_console d1 DOMU-UP
check "list" prints '^d1  *1  *192  *2  *[r-]b\?' xl list d1
check "list -l" prints '"name": "d1"' xl list -l d1
check "vcpu-list" prints '^d1 .* 1 .*all / all' xl vcpu-list d1
check "pause" xl pause d1
check "paused" in_state d1 p
check "unpause again" xl unpause d1
type_in d1 'echo sum=$((20 + 22))'
check "its console answers" on_console d1 sum=42 20
type_at_console() { (sleep 2; echo 'echo hand=$((40 + 3))'; sleep 4) |
	timeout 15 script -q -c "xl console d1" /dev/null; true; }
check "xl console" prints hand=43 type_at_console
check "rename" xl rename d1 d2
check "the new name" prints d2 xl list
check "and back" xl rename d2 d1
check "mem-set down" xl mem-set d1 128
check "ballooned" within 30 prints '^d1  *1  *128 ' xl list
check "mem-max" xl mem-max d1 224
check "mem-set up" xl mem-set d1 192
check "ballooned back" within 30 prints '^d1  *1  *192 ' xl list
check "vcpu-set 1" xl vcpu-set d1 1
check "one vcpu" within 20 prints '^d1  *1  *192  *1 ' xl list
check "vcpu-set 2" xl vcpu-set d1 2
check "two vcpus" within 20 prints '^d1  *1  *192  *2 ' xl list
check "vcpu-pin" xl vcpu-pin d1 1 0
check "pinned" prints '^d1  *1  *1  *.* 0 / all' xl vcpu-list d1
check "sched-credit2" xl sched-credit2 -d d1 -w 100 -c 50
check "weight and cap" prints '^d1  *1  *100  *50' xl sched-credit2
check "trigger nmi" xl trigger d1 nmi 0
check "sysrq" xl sysrq d1 h
check "sysrq arrives" on_console d1 HELP 20
check "block-attach" xl block-attach d1 "format=raw,vdev=xvdb,access=rw,target=/root/b.img"
check "block-list" prints '^51728 ' xl block-list d1
type_in d1 'sleep 1; mke2fs /dev/xvdb >/dev/null && mount -t ext4 /dev/xvdb /mnt && ls /mnt && umount /mnt && echo disk=$((1 + 1))'
check "it sees the disk" on_console d1 disk=2 30
check "block-detach" xl block-detach d1 xvdb
check "the disk is gone" within 10 refuses prints '^51728 ' xl block-list d1
check "network-attach" xl network-attach d1 bridge=xenbr0 mac=00:16:3e:00:00:02
check "network-list" prints '00:16:3e:00:00:02' xl network-list d1
check "network-detach" xl network-detach d1 1
check "the card is gone" within 10 refuses prints '00:16:3e:00:00:02' xl network-list d1
check "ping" ping -c 3 10.0.0.2
check "xentop" prints 'd1' xentop -b -i 1
check "lsevtchn" prints 'VCPU' lsevtchn 1
check "xenstore-ls" prints 'name = "d1"' xenstore-ls /local/domain/1
check "dump-core" xl dump-core d1 /dev/shm/core
check "a core in ELF" prints ELF head -c 4 /dev/shm/core
rm -f /dev/shm/core
check "reboot" xl reboot -F -w d1
check "it comes up anew" within 60 prints '^d1  *2 ' xl list
check "and boots" on_console d1 'DOMU-UP' 90
check "shutdown" within 20 xl shutdown -F d1
check "it is gone" gone d1 60
xl destroy d1 2>/dev/null
check "memory is back" memory_is_back $before
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
