# SPDX-License-Identifier: MIT
#
# A Debian guest that is saved or moved, for scripts that have sourced kt.sh:
#
#	traveller			creates d1: a disk, a card (10.0.0.2), a pattern in its memory, a
#					watch on its clock
#	same N				it is as it was: pattern, file system, card (N: another one each time)
#	told TEXT			its console has such a line
#	clock_went_back			it has seen that

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
