#!/bin/bash
# SPDX-License-Identifier: MIT
# Our tool saves and restores a Debian guest with a disk and a card: processes, memory, file system and clock go
# on; images cross between kl and xl both ways; a guest that does not answer is resumed; nothing is left.
# oracle: yes
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

toolstack --toolstack krypton:consoled --smp 2 --mem 2048 --timeout 390 <<'EOS'
. /lib/kt.sh
bridge
before=$(free_memory)
debian d1 'memory = 128' 'vcpus = 2' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01,backendtype=vif" ]' \
	"disk = [ 'format=raw,vdev=xvda,access=rw,backendtype=phy,target=/root/d1-root.img' ]" ip=10.0.0.2 stay
check "create" kl create /root/d1.cfg
must "up" on_console d1 '^DOMU-UP'
type_in d1 'mkdir -p /m; mount -t tmpfs t /m; head -c 8000000 /dev/urandom >/m/a; sha256sum </m/a | cut -c1-12 >/m/sum; echo ready=$((3 + 4))'
check "a memory pattern" on_console d1 'ready=7' 60
type_in d1 'while :; do n=$(cut -d. -f1 /proc/uptime); [ $n -ge ${last:-0} ] || echo clock-back; last=$n; sleep 1; done & echo clock=$((5 + 6))'
check "a clock watcher" on_console d1 'clock=11' 20
same() {
	type_in d1 "sha256sum </m/a | cut -c1-12 | cmp - /m/sum && sync && echo x >/tmp/x && sync && echo same$1=\$((4 + 4))"
	on_console d1 "same$1=8" 60 && within 20 ping -c 2 10.0.0.2
}
check "checkpoint" kl save -c d1 /dev/shm/c1
rm -f /dev/shm/c1
check "it runs on" same 1
check "save" kl --json save d1 /dev/shm/s1
check "it is gone" refuses xl list d1
check "memory too" memory_is_back $before
check "kl restores what kl saved" kl --json restore /dev/shm/s1
rm -f /dev/shm/s1
check "the same" same 2
check "kl saves again" kl save d1 /dev/shm/s2
check "xl restores what kl saved" xl restore /dev/shm/s2
rm -f /dev/shm/s2
check "the same again" same 3
check "xl saves" xl save d1 /dev/shm/s3
check "kl restores what xl saved" kl restore -p /dev/shm/s3
check "is paused" within 5 in_state d1 p
check "unpause" kl unpause d1
check "the same at last" same 4
check "no step back of the clock" refuses console_has d1 '^clock-back'
kl pause d1
check "a guest that does not answer" refuses kl save --timeout 2 d1 /dev/shm/s4
check "no half file is left" refuses ls /dev/shm/s4 /dev/shm/s4.part
kl unpause d1
check "it runs on unharmed" same 5
check "a damaged file" refuses sh -c 'head -c 3000000 /dev/shm/s3 >/dev/shm/s5; kl restore /dev/shm/s5'
check "a full disk" refuses kl save d1 /dev/full
check "it runs on after that" same 6
rm -f /dev/shm/s?
check "destroy" kl destroy d1
check "memory is back" memory_is_back $before
check "no loop device is left" refuses prints d1-root losetup -a
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
