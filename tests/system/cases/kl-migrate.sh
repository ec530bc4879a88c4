#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest migrates from its host to the same host, over a command's pipes and over TCP, live and not, by kl
# and from kl to xl and back; what would fail is said before; a broken link or a cancel leaves it running here.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# cpus: 2
# timeout: 500
. "$(dirname "$0")/../lib/case.sh"

toolstack --toolstack krypton:consoled --smp 2 --mem 2048 --timeout 480 <<'EOS'
. /lib/kt.sh
. /lib/traveller.sh
bridge
before=$(free_memory)
traveller
type_in d1 'while :; do cat /m/a >/m/b; done & echo load=$((6 + 6))'
check "a load on its memory" on_console d1 'load=12' 20
moved() {
	same $1 && exists d1 && ! exists d1--incoming && ! exists d1--migratedaway
}
id() {
	xl domid d1
}
check "would go" kl migrate --check -s 'sh -c' d1 '"exec kl migrate-receive" #'
check "live, through a command" kl migrate -s 'sh -c' d1 '"exec kl migrate-receive" #'
check "another domain now" [ "$(id)" = 2 ]
check "the same" moved 1
(kl migrate-receive --tcp 7000 --bind 127.0.0.1 2>/tmp/receiver; echo $? >>/tmp/receiver) &
sleep 1
check "live, over TCP" sh -c 'kl --json migrate --tcp 7000 d1 127.0.0.1 >/tmp/json'
check "its phases and figures" sh -c 'grep "\"last-memory\"" /tmp/json && tail -n 1 /tmp/json | grep "\"result\": *\"migrated\".*downtime_ms"'
tail -n 1 /tmp/json
check "the same over TCP" moved 2
check "to xl's receiver, not live" kl migrate --non-live -s '' d1 'xl migrate-receive'
check "the same by xl" moved 3
check "xl sends it to kl" xl migrate -s '' d1 'kl migrate-receive'
check "the same from xl" moved 4
four=$(id)
check "no such host" refuses kl migrate --tcp 9 d1 127.0.0.1
check "a command that is none" refuses kl migrate -s nonsense d1 there
check "a receiver that is none" refuses kl migrate -s '' d1 'echo hello; cat >/dev/null'
check "a link that breaks" refuses kl migrate -s '' d1 'head -c 20000000 | kl migrate-receive'
check "what would fail" sh -c "kl migrate -C /dev/null d1 x 2>&1 | grep -q . && mv /root/d1-root.img /root/moved; kl migrate -s '' d1 'kl migrate-receive' 2>&1 | tee /tmp/refused | grep -q 'd1-root.img'; s=\$?; mv /root/moved /root/d1-root.img; cat /tmp/refused; exit \$s"
check "cancel" refuses timeout -s INT 3 kl migrate --bandwidth 4 -s '' d1 'kl migrate-receive'
check "it has not moved" [ "$(id)" = $four ]
check "it runs on" moved 5
check "no step back of the clock" refuses clock_went_back
check "destroy" kl destroy d1
check "nothing is left of it" within 20 prints '^0$' sh -c 'xl list | tail -n +3 | wc -l'
check "memory is back" memory_is_back $before
check "no loop device is left" within 10 refuses prints d1-root losetup -a
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
