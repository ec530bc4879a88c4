# SPDX-License-Identifier: MIT
# In dom0: comparing kl with xl on the same machine state.

# What moves between two calls: running or blocked, CPU seconds, the CPU a vcpu is on, clocks, free memory.
mask() {
	sed -E -e 's/ [r-][b-]([p-][s-].[d-]) / rb\1 /' -e 's/ +[0-9]+\.[0-9]( |$)/ T\1/' \
		-e 's/( +[0-9]+ +[0-9]+) +[0-9]+ +[r-][b-]- /\1 C S /' \
		-e 's/[0-9]+:[0-9]+(:[0-9]+)?/H/g' -e 's/^(free_memory +:).*/\1/' -e 's/xl/kl/g'
}

# same ARGUMENTS...: both print the same on standard output and end with the same status
same() {
	local xs=0 ks=0
	xl "$@" >/tmp/x.out 2>/tmp/x.err || xs=$?
	kl "$@" >/tmp/k.out 2>/tmp/k.err || ks=$?
	[ $xs = $ks ] || { echo "status $xs and $ks"; cat /tmp/k.err; return 1; }
	mask </tmp/x.out >/tmp/x.masked
	mask </tmp/k.out >/tmp/k.masked
	diff /tmp/x.masked /tmp/k.masked
}

# same_status ARGUMENTS...: both end with the same status
same_status() {
	local xs=0 ks=0
	xl "$@" >/dev/null 2>&1 || xs=$?
	kl "$@" >/tmp/k.out 2>&1 || ks=$?
	[ $xs = $ks ] || { echo "status $xs and $ks"; cat /tmp/k.out; return 1; }
}

# json ARGUMENTS...: kl prints JSON (its unit tests parse it)
json() {
	kl --json "$@" >/tmp/j && head -c 1 /tmp/j | grep -q '[[{]'
}
