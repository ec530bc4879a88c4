# SPDX-License-Identifier: MIT
#
# A Debian guest that is saved or moved, for scripts that have sourced kt.sh:
#
#	traveller			creates d1: a disk, a card (10.0.0.2), a pattern in its memory, a
#					watch on its clock
#	same N				it is as it was: pattern, file system, card (N: another one each time)
#	told TEXT			its console has such a line
#	clock_went_back			it has seen that
#
# And one that travels between two hosts; hosts.sh is needed, too:
#
#	stream_traveller [VIF DISK MORE]	creates d1 on the shared disk; 10.0.0.3 (",KEY=VALUE" for its card and
#					disk, further disks), waits for the other host; d1 says by TCP each second how it is
#	stream_grows			it still does
#	stream_is_whole			memory, clock and connection were so all the time

traveller() {
	debian d1 'memory = 128' 'vcpus = 2' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01,backendtype=vif" ]' \
		"disk = [ 'format=raw,vdev=xvda,access=rw,backendtype=phy,target=/root/d1-root.img' ]" ip=10.0.0.2 stay
	check "create" kl create /root/d1.cfg
	must "up" on_console d1 '^DOMU-UP'
	type_in d1 'mkdir -p /m; mount -t tmpfs t /m; head -c 8000000 /dev/urandom >/m/a; sha256sum </m/a | cut -c1-12 >/m/sum; echo ready=$((3 + 4))'
	check "a memory pattern" on_console d1 'ready=7' 60
	type_in d1 'while :; do n=$(cut -d. -f1 /proc/uptime); [ $n -ge ${last:-0} ] || echo clock-back; last=$n; sleep 1; done & echo clock=$((5 + 6))'
	check "a clock watcher" on_console d1 'clock=11' 20
}

# What it said while it came in is in the log of the name that it had then.
told() {
	cat $CONSOLES/guest-d1.log $CONSOLES/guest-d1--incoming.log 2>/dev/null | tr -d '\r' | grep -q -- "$1"
}

same() {
	type_in d1 "sha256sum </m/a | cut -c1-12 | cmp - /m/sum && sync && echo x >/tmp/x && sync && echo same$1=\$((4 + 4))"
	within 60 told "same$1=8" && within 20 ping -c 2 10.0.0.2
}

clock_went_back() {
	told '^clock-back'
}

stream_traveller() {
	debian d1 'memory = 128' "vif = [ 'bridge=xenbr0,mac=00:16:3e:00:00:01${1:-}' ]" \
		"disk = [ 'format=raw,vdev=xvda,access=rw${2:-},target=/dev/vda'${3:+, $3} ]" ip=10.0.0.3 stay
	dd if=/guest/root.img of=/dev/vda bs=1M conv=notrunc 2>/dev/null; sync
	rm -f /root/d1-root.img
	check "create" kl create /root/d1.cfg
	must "up" on_console d1 '^DOMU-UP'
	must "the other host" peer_up 120
	tail -f /dev/null | nc -l -p 5000 >/tmp/stream & # its input never ends
	type_in d1 'mkdir -p /m; mount -t tmpfs t /m; head -c 4000000 /dev/urandom >/m/a; sha256sum </m/a | cut -c1-12 >/m/sum; (last=0; i=0; while :; do sha256sum </m/a | cut -c1-12 | cmp - /m/sum || echo torn; n=$(cut -d. -f1 /proc/uptime); [ $n -ge $last ] || echo back; last=$n; i=$((i+1)); echo $i; sync; sleep 1; done) | nc 10.0.0.1 5000 &'
	check "a TCP stream" within 30 grep -q '^2$' /tmp/stream
}

stream_grows() {
	local n=$(wc -l </tmp/stream)
	within 40 sh -c "[ \$(wc -l </tmp/stream) -gt $((n + 1)) ]"
}

stream_is_whole() {
	check "its memory was whole all the time" refuses grep -q torn /tmp/stream
	check "its clock never went back" refuses grep -q back /tmp/stream
	check "the stream is whole" sh -c 'grep -v -e back -e torn /tmp/stream | awk "\$1 != NR { exit 1 } END { exit NR < 20 }"'
}
