# SPDX-License-Identifier: MIT
# cycles COUNT TIMEOUT: the body of cycles.sh and cycles-soak.sh.

cycles() {
	local guest=$TOP/$BUILD/guests/hello
	[ -e "$guest" ] || { echo "no $guest; run make guests"; exit 1; }
	dom0 --smp 2 --mem 1024 --cmdline dom0_mem=400M --timeout "$2" \
		--add "$guest:guest/hello" <<EOS
count=$1
. /lib/kt.sh
cat >/root/t.cfg <<X
name = "t"
kernel = "/guest/hello"
memory = 24
on_poweroff = "preserve"
on_crash = "preserve"
X
one() {
	case \$((\$1 % 4)) in
	0) xl create -p -q /root/t.cfg && xl destroy t ;;
	*) xl create -q /root/t.cfg && xl destroy t ;;
	esac
}
check "the guest runs" xl create -q /root/t.cfg
check "and ends well" on_console t 'KTEST-EXIT: 0' 30
check "destroy" xl destroy t
before=\$(free_memory)
bad=0
for i in \$(seq \$count); do
	one \$i || bad=\$((bad + 1))
done
check "\$count cycles" [ \$bad = 0 ]
check "no domain is left" [ \$(xl list | wc -l) = 2 ]
check "free memory: \$before before, \$(free_memory) after" [ \$(free_memory) -ge \$before ]
check "no zombie in the store" [ "\$(xenstore-list /local/domain)" = 0 ]
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
}
