# SPDX-License-Identifier: MIT
# For move.sh and live.sh: a Linux guest that has nothing but bench/system/worker.c, named w.

tool=xl
readlink "/proc/$(cat /run/xenstored.pid)/exe" | grep -q krypton && tool=kl
forks=0

# worker MIB WORD... : creates it and waits until its memory is filled.
worker() {
	local mib=$1
	shift
	rm -f $CONSOLES/guest-w*.log
	forks=0
	cat >/root/w.cfg <<X
name = "w"
kernel = "/guest/vmlinux"
ramdisk = "/guest/worker.cpio"
memory = $mib
vcpus = 1
extra = "console=hvc0 rdinit=/init $*"
X
	$tool create -q /root/w.cfg && on_console w '^READY' 120 || echo "FAIL: no guest of $mib MiB"
	sleep 2
}

has_forked() {
	[ "$(cat $CONSOLES/guest-w*.log | grep -c '^FORKED')" -ge $forks ]
}

# forked COUNT : lets it start so many processes.
forked() {
	forks=$((forks + 1))
	type_in w $1
	within 200 has_forked || echo "FAIL: the guest started no $1 processes"
}

answers() {
	forked 1
}
