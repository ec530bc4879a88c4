#!/bin/bash
# SPDX-License-Identifier: MIT
# Our console daemon under Debian's toolstack: logs, viewers, rotation, kills.
# oracle: yes
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

toolstack --toolstack krypton:consoled --smp 2 --timeout 400 <<'EOS'
. /lib/kt.sh
LOG=$CONSOLES/guest-d1.log
daemon=$(cat /run/xenconsoled.pid)
start_consoled() {
	consoled --log=all --pid-file=/run/xenconsoled.pid "$@"
	daemon=$(cat /run/xenconsoled.pid)
}
check "it is ours" sh -c "readlink /proc/$daemon/exe | grep -q krypton"
before=$(free_memory)
debian d1 stay
check "create" xl create -q /root/d1.cfg
check "the guest boots" on_console d1 DOMU-UP
check "from the first byte" prints 'Linux version' head -n 3 $LOG
type_in d1 'echo sum=$((20 + 22))'
check "it can be typed at" on_console d1 sum=42 20
type_at_console() { (sleep 2; echo 'echo hand=$((40 + 3))'; sleep 4) |
	timeout 15 script -q -c "xl console d1" /dev/null; true; }
check "xl console: live" prints hand=43 type_at_console
check "xl console: what was before" prints sum=42 type_at_console

# A guest that counts, a daemon that dies. The guest's kernel keeps quiet meanwhile: its messages would
# stand in the middle of lines.
type_in d1 'dmesg -n 1'
type_in d1 'i=0; while [ $i -lt 4000 ]; do i=$((i + 1)); echo "count $i."; done; echo counted=$((1 + 1))'
n=0
while [ $n -lt 25 ]; do
	usleep $((RANDOM * 12))
	kill -9 $daemon
	usleep $((RANDOM * 3))
	start_consoled || echo "FAIL start $n"
	n=$((n + 1))
done
check "25 kills while it counts" on_console d1 counted=2 120
counts() { tr -d '\r' <$LOG | sed -n 's/^count \([0-9]*\)\.$/\1/p'; }
check "nothing lost, doubled or out of order" sh -c '[ "$1" = "$2" ]' - "$(counts)" "$(seq 1 4000)"
counts >/tmp/counts
seq 1 4000 | diff - /tmp/counts | grep '^[-+]' | head -n 5
type_in d1 'echo back=$((3 + 4))'
check "and it can still be typed at" on_console d1 back=7 20
check "the hypervisor's console is logged" prints 'd1\|dom\|Dom\|XEN' head -c 100000 $CONSOLES/hypervisor.log
check "no line of it twice" sh -c "[ \$(grep -c 'Xen version\|Krypton' $CONSOLES/hypervisor.log) -le 3 ]"

# Rotation.
kill -9 $daemon
start_consoled --log-size=8K --log-files=2
type_in d1 'i=0; while [ $i -lt 2500 ]; do i=$((i + 1)); echo "turn $i."; done; echo turned=$((4 + 4))'
check "rotated logs" on_console d1 turned=8 60
check "their number" [ "$(ls $LOG* | wc -l)" = 3 ]
check "their size" sh -c "[ \$(cat $LOG* | wc -c) -le 24576 ]"
check "their order" sh -c "cat $LOG.2 $LOG.1 $LOG | tr -d '\r' | sed -n 's/^turn \([0-9]*\)\.$/\1/p' | awk 'NR > 1 && \$1 != last + 1 { bad = 1 } { last = \$1 } END { exit bad || last != 2500 }'"

# The end of a guest.
check "destroy" xl destroy d1
check "it is gone" gone d1 30
check "no socket is left" within 5 [ ! -e /run/xen/console/1.sock ]
check "memory is back" memory_is_back $before
echo "resident: $(sed -n 's/^VmRSS: *//p' /proc/$daemon/status)"
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
