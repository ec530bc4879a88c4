# SPDX-License-Identifier: MIT
# cycles XL KL TIMEOUT: the body of cycles.sh and cycles-soak.sh; how often with Debian's tool and
# how often with ours (which takes a third of the time).

cycles() {
	local guest=$TOP/$BUILD/guests/hello
	[ -e "$guest" ] || { echo "no $guest; run make guests"; exit 1; }
	dom0 --smp 2 --mem 1024 --cmdline dom0_mem=400M --timeout "$3" \
		--add "$TOP/$BUILD/tools/kl:usr/sbin/kl" --add "$guest:guest/hello" <<EOS
. /lib/kt.sh
cat >/root/t.cfg <<X
name = "t"
kernel = "/guest/hello"
memory = 24
on_poweroff = "preserve"
on_crash = "preserve"
X
# TOOL COUNT
many() {
	local i bad=0 paused
	for i in \$(seq \$2); do
		[ \$((i % 4)) = 0 ] && paused=-p || paused=
		\$1 create \$paused -q /root/t.cfg && \$1 destroy t || bad=\$((bad + 1))
	done
	[ \$bad = 0 ]
}
check "the guest runs" xl create -q /root/t.cfg
check "and ends well" on_console t 'KTEST-EXIT: 0' 30
check "destroy" xl destroy t
before=\$(free_memory)
check "$1 cycles with xl" many xl $1
check "$2 cycles with kl" many kl $2
check "no domain is left" [ \$(xl list | wc -l) = 2 ]
check "free memory: \$before before, \$(free_memory) after" [ \$(free_memory) -ge \$before ]
check "no zombie in the store" [ "\$(xenstore-list /local/domain)" = 0 ]
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
}
