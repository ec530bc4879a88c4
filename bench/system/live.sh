#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: what the log of dirty pages costs a guest that starts processes, and where there is such a
# log, kl migrates guests that write memory at a set rate. Prints "BENCH: <number> <row>" and "LIVE <run>
# <pages of each round>"; run by bench/run-system.
. /lib/kt.sh
. /guest/worker.sh

MIGRATED=128

# processes COUNT ROW : the guest's CPU time for each process that it starts.
processes() {
	local before after
	before=$(/guest/cputime $id)
	forked $1
	after=$(/guest/cputime $id)
	echo "BENCH: $(((after - before) / $1)) $2"
}

worker 128 area=16
id=$(xl domid w)
processes 100 "process, warm up"
processes 500 "process, log off"
for ms in 100 20; do
	/guest/log_dirty keep $id $ms >/root/on &
	sleep 1
	grep -q on /root/on || break
	processes 100 "process, warm up"
	processes 500 "process, log emptied every $ms ms"
	kill $!
	wait $!
done
$tool destroy w
[ $tool = kl ] && grep -q on /root/on || exit 0

# migrate RUN WORD : to this host; the sizes of its rounds, and its costs.
migrate() {
	worker $MIGRATED area=40 $2
	if /guest/cost -w -o /root/sender $1 kl --json migrate -s '' w \
		"exec /guest/cost -o /root/receiver $1-receiver kl migrate-receive"; then
		sleep 1
		grep -h BENCH /root/sender /root/receiver
		echo "LIVE $1 $(sed -n 's/.*"round_pages": *\[\([^]]*\)\].*/\1/p' /root/sender)"
	else
		echo "FAIL: $1 does not migrate"
	fi
	grep -v BENCH /root/sender
	kl destroy w
}

migrate "idle" rate=0
migrate "rate" rate=10000
migrate "last" hot=30
echo done
