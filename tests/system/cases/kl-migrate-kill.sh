#!/bin/bash
# SPDX-License-Identifier: MIT
# A small guest moves while sender, receiver, link or store are killed, or the sender is told to give
# up, at the points of the talk that POINTS names: one copy runs or can be resumed, and nothing is left
# over. Then four vcpus, ssh, a balloon at work, a guest that writes too fast, two senders of one guest,
# guests that ignore or refuse to suspend.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# cpus: 2
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

dom0 --toolstack krypton:xenstored --smp 2 --mem 900 --cmdline dom0_mem=500M --timeout 380 \
	--add "$TOP/$BUILD/guests/mover:/guest/mover" \
	--add "$TOP/$BUILD/system-programs/link_relay:/bin/link_relay" < <(
	echo "POINTS='${POINTS:-memory ready go report}'"
	cat <<'EOS'
. /lib/kt.sh
. /lib/mover.sh
nobody_moves() {
	! pidof kl link_relay
}
domains() {
	kl list | tail -n +3 | wc -l
}
# Names of all nodes, with N for d1's number and V for its uuid.
nodes() {
	xenstore-ls -f | sed "s/ = .*//; s,/$1\(/\|$\),/N\1,; s,/[0-9a-f]*-[0-9a-f]*-[0-9a-f-]*,/V," | sort
}
same_nodes() {
	nodes $1 | diff /tmp/nodes -
}
stands() {
	kl gc | grep "($1) stands suspended"
}

must "create" mover d1 1
before=$(free_memory)
nodes $(kl domid d1) >/tmp/nodes

# What POINT WHO WHERE: the end for d1 if WHO is hit there. here, there, asleep (suspended here), both
# (runs there, suspended here).
cell() {
	local point=$1 who=$2 where=$3 action id=$(kl domid d1) now
	rm -f /tmp/relay.done
	case $who in
	sender) action='kill -9 $SENDER' ;;
	receiver) action='kill -9 $RECEIVER' ;;
	cancel) action='kill -INT $SENDER; sleep 1' ;;
	store) action='kill -9 $(cat /run/xenstored.pid)' ;;
	link) action=cut ;;
	esac
	kl migrate -s '' d1 "exec link_relay $point '$action' 'exec kl migrate-receive'" >/tmp/out 2>&1
	[ -e /tmp/relay.done ] || { echo "did not happen"; cat /tmp/out; return 1; }
	within 40 nobody_moves || return 1
	case $where in
	asleep)
		stands d1 && kl resume d1 ;;
	both)
		stands d1--migratedaway && kl destroy d1--migratedaway ;;
	*)
		kl gc ;;
	esac || { cat /tmp/out; return 1; }
	now=$(kl domid d1)
	case $where in
	here|asleep) [ "$now" = "$id" ] ;;
	*) [ "$now" -gt "$id" ] ;;
	esac && [ $(domains) = 1 ] && beats d1 && [ -z "$(ls /run/xen/kl | grep -v moved-)" ] || {
		cat /tmp/out; kl list; ls /run/xen/kl; return 1
	}
}
#	sender		receiver	link		cancel		store
while read -r point sender receiver link cancel store; do
	echo " $POINTS " | grep -q " $point " || continue
	for who in sender receiver link cancel store; do
		check "$who at $point: ${!who}" cell $point $who ${!who}
	done
	check "the store is as before" within 3 same_nodes $(kl domid d1)
done <<'X'
banner	here		here		here		here		there
answer	here		here		here		here		there
memory	here		here		here		here		there
ready	asleep		here		here		here		there
go	both		here		here		there		there
report	both		there		there		there		there
X
check "memory is back" memory_is_back $before
kl destroy d1

loop='exec kl migrate-receive'
check "four vcpus" mover d4 4
check "live" kl migrate -s '' d4 "$loop"
check "all four go on" beats d4
cat >/bin/ssh <<'X'
#!/bin/sh
echo "$*" >/tmp/ssh.words
shift
exec "$@"
X
chmod 755 /bin/ssh
check "and again over ssh, standing still" kl migrate --non-live -e d4 there
check "whose words are xl's" grep -x 'there kl migrate-receive -e' /tmp/ssh.words
check "all four go on again" beats d4
kl destroy d4

check "a balloon" mover db 2 "balloon dirty=64"
for n in 1 2 3; do
	check "live with a balloon at work, $n" kl migrate -s '' db "$loop"
	check "it goes on" beats db
done
kl destroy db

check "one that writes all the time" mover dw 2 dirty=256
kl migrate --bandwidth 1 -s '' dw "$loop" >/tmp/first 2>&1 &
check "a first sender" within 10 [ -s /run/xen/kl/moving-$(kl domid dw) ]
check "a second one is refused" sh -c "kl migrate -s '' dw '$loop' 2>&1 | grep 'saves or migrates domain'"
check "and a save" sh -c "kl save dw /dev/shm/s 2>&1 | grep 'saves or migrates domain'"
check "the first one is made to give up" kl migrate-cancel dw
wait
check "it says so" grep 'runs here' /tmp/first
check "there is none now" refuses kl migrate-cancel dw
check "it runs" beats dw
check "with its CPU taken away" sh -c "kl --json migrate --auto-converge --bandwidth 8 -s '' dw '$loop' >/tmp/json"
check "which is told" grep -q braked_to_percent /tmp/json
check "all that it had is given back" prints 'dw .* 0$' kl sched-credit2 -d dw
check "it runs there" beats dw
kl destroy dw

check "one that ignores" mover di 1 ignore
check "is told of" sh -c "kl migrate --timeout 2 -s '' di '$loop' 2>&1 | tee /tmp/out | grep 'does not answer'"
check "and runs here" beats di
kl destroy di
check "one that refuses" mover dr 1 refuse
check "is told of" sh -c "kl migrate --timeout 2 -s '' dr '$loop' 2>&1 | tee /tmp/out | grep 'did not come to rest'"
check "and runs here" beats dr
kl destroy dr
no_domains() {
	[ $(domains) = 0 ]
}
check "no domain is left" within 10 no_domains
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
)
