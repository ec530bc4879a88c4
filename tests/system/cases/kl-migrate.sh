#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest migrates from its host to the same host, over a command's pipes and over TCP, live and not, by kl
# and from kl to xl and back; what would fail is said before; a broken link or a cancel leaves it running here.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# timeout: 500
. "$(dirname "$0")/../lib/case.sh"

toolstack --toolstack krypton:consoled --smp 2 --mem 2048 --timeout 480 <<'EOS'
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
type_in d1 'while :; do cat /m/a >/m/b; done & echo load=$((6 + 6))'
check "a load on its memory" on_console d1 'load=12' 20
# What it said while it came in is in the log of the name that it had then.
said() {
	cat $CONSOLES/guest-d1.log $CONSOLES/guest-d1--incoming.log 2>/dev/null | tr -d '\r' | grep -q -- "$1"
}
same() {
	type_in d1 "sha256sum </m/a | cut -c1-12 | cmp - /m/sum && sync && echo x >/tmp/x && sync && echo same$1=\$((4 + 4))"
	within 60 said "same$1=8" && within 20 ping -c 2 10.0.0.2 && exists d1 && ! exists d1--incoming && ! exists d1--migratedaway
}
id() {
	xl domid d1
}
check "would go" kl migrate --check -s 'sh -c' d1 '"exec kl migrate-receive" #'
check "live, through a command" kl migrate -s 'sh -c' d1 '"exec kl migrate-receive" #'
check "another domain now" [ "$(id)" = 2 ]
check "the same" same 1
(kl migrate-receive --tcp 7000 --bind 127.0.0.1 2>/tmp/receiver; echo $? >>/tmp/receiver) &
sleep 1
check "live, over TCP" sh -c 'kl --json migrate --tcp 7000 d1 127.0.0.1 >/tmp/json'
check "its phases and figures" sh -c 'grep "\"last-memory\"" /tmp/json && tail -n 1 /tmp/json | grep "\"result\": *\"migrated\".*downtime_ms"'
tail -n 1 /tmp/json
check "the same over TCP" same 2
check "to xl's receiver, not live" kl migrate --non-live -s '' d1 'xl migrate-receive'
check "the same by xl" same 3
check "xl sends it to kl" xl migrate -s '' d1 'kl migrate-receive'
check "the same from xl" same 4
four=$(id)
check "no such host" refuses kl migrate --tcp 9 d1 127.0.0.1
check "a command that is none" refuses kl migrate -s nonsense d1 there
check "a receiver that is none" refuses kl migrate -s '' d1 'echo hello; cat >/dev/null'
check "a link that breaks" refuses kl migrate -s '' d1 'head -c 20000000 | kl migrate-receive'
check "what would fail" sh -c "kl migrate -C /dev/null d1 x 2>&1 | grep -q . && mv /root/d1-root.img /root/moved; kl migrate -s '' d1 'kl migrate-receive' 2>&1 | tee /tmp/refused | grep -q 'd1-root.img'; s=\$?; mv /root/moved /root/d1-root.img; cat /tmp/refused; exit \$s"
check "cancel" refuses timeout -s INT 3 kl migrate --bandwidth 4 -s '' d1 'kl migrate-receive'
check "it has not moved" [ "$(id)" = $four ]
check "it runs on" same 5
check "no step back of the clock" refuses said '^clock-back'
check "destroy" kl destroy d1
check "nothing is left of it" within 20 prints '^0$' sh -c 'xl list | tail -n +3 | wc -l'
check "memory is back" memory_is_back $before
check "no loop device is left" within 10 refuses prints d1-root losetup -a
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
