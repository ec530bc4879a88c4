#!/bin/bash
# SPDX-License-Identifier: MIT
# Our tool saves and restores a Debian guest with a disk and a card: processes, memory, file system and clock go
# on; images cross between kl and xl both ways; a guest that does not answer is resumed; nothing is left.
# oracle: yes
# cpus: 2
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

{ echo "hypervisor=$HYPERVISOR"; cat <<'EOS'; } | toolstack --toolstack krypton:consoled --smp 2 --mem 2048 --timeout 390
. /lib/kt.sh
. /lib/traveller.sh
bridge
before=$(free_memory)
traveller
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
check "no step back of the clock" refuses clock_went_back
kl pause d1
check "a guest that does not answer" refuses kl save --timeout 2 d1 /dev/shm/s4
check "no half file is left" refuses ls /dev/shm/s4 /dev/shm/s4.part
kl unpause d1
check "it runs on unharmed" same 5
check "a damaged file" refuses sh -c 'head -c 3000000 /dev/shm/s3 >/dev/shm/s5; kl restore /dev/shm/s5'
check "a full disk" refuses kl save d1 /dev/full
check "it runs on after that" same 6
rm -f /dev/shm/s?
# All other ways to migrate need log-dirty mode and are in kl-migrate.
if [ $hypervisor = xen ]; then
	check "what live migration lacks there" sh -c "kl migrate -s '' d1 'kl migrate-receive' 2>&1 | grep -e --non-live"
	check "migrate, not live" kl migrate --non-live -s '' d1 'kl migrate-receive'
	check "the same there" same 7
fi
check "destroy" kl destroy d1
check "memory is back" memory_is_back $before
check "no loop device is left" refuses prints d1-root losetup -a
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
