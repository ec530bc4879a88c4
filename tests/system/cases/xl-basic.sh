#!/bin/bash
# SPDX-License-Identifier: MIT
# The toolstack's verbs that look at the host and at dom0; no guest is needed.
# oracle: yes
# cpus: 2
# timeout: 240
. "$(dirname "$0")/../lib/case.sh"

dom0 --smp 2 --mem 1024 --cmdline dom0_mem=600M <<'EOS'
. /lib/kt.sh
check "info" prints '^xen_version *: 4.17' xl info
check "info: both CPUs" prints '^nr_cpus *: 2$' xl info
check "info: scheduler" prints '^xen_scheduler *: credit2' xl info
check "info: memory" [ "$(info free_memory)" -gt 200 -a "$(info free_memory)" -lt 500 ]
check "info -n" prints 'node' xl info -n
check "list: header" prints '^Name  *ID  *Mem VCPUs.State.Time(s)' xl list
check "list: dom0" prints '^Domain-0  *0  *600  *2  *r----- ' xl list
check "list: six columns" [ "$(xl list Domain-0 | awk 'NR == 2 { print NF }')" = 6 ]
check "list -l" prints '"domid": 0' xl list -l
check "list -v" prints '^Domain-0' xl list -v
check "vcpu-list" prints '^Domain-0  *0  *1  *[01] ' xl vcpu-list
check "domid" prints '^0$' xl domid Domain-0
check "domname" prints '^Domain-0$' xl domname 0
check "dmesg" prints 'XEN\|KRYPTON\|Krypton' xl dmesg
check "dmesg -c" xl dmesg -c
check "dmesg is empty then" [ "$(xl dmesg | wc -l)" -lt 5 ]
check "debug-keys q" xl debug-keys q
check "debug-keys is logged" within 5 sh -c 'xl dmesg | grep -qi "dom\(ain\)\?[ -]\?0\|General information"'
check "debug-keys h" xl debug-keys h
check "uptime" prints 'Domain-0' xl uptime
check "sched-credit2" prints 'Domain-0  *0  *256' xl sched-credit2
check "sched-credit2 -d" xl sched-credit2 -d Domain-0 -w 512
check "sched-credit2 keeps it" prints 'Domain-0  *0  *512' xl sched-credit2
check "cpupool-list" prints '^Pool-0  *2  *credit2' xl cpupool-list
check "cpupool-list -c" prints '^Pool-0  *0,1' xl cpupool-list -c
check "cpupool-cpu-remove" xl cpupool-cpu-remove Pool-0 1
check "cpupool-create" xl cpupool-create 'name="p1"' 'cpus=["1"]'
check "cpupool-list shows it" prints '^p1  *1' xl cpupool-list
check "cpupool-rename" xl cpupool-rename p1 p2
check "cpupool-destroy" xl cpupool-destroy p2
check "cpupool-cpu-add" xl cpupool-cpu-add Pool-0 1
check "cpupool-list as before" prints '^Pool-0  *2' xl cpupool-list
check "cpupool-numa-split" xl cpupool-numa-split
check "vcpu-pin" xl vcpu-pin Domain-0 0 1
check "vcpu-list shows it" prints '^Domain-0  *0  *0  *[0-9]*  .*  1 /' xl vcpu-list
check "vcpu-pin all" xl vcpu-pin Domain-0 all all
check "mem-max" xl mem-max Domain-0 700
check "mem-set down" xl mem-set Domain-0 500
check "ballooned" within 30 prints '^Domain-0  *0  *500 ' xl list
check "mem-set up" xl mem-set Domain-0 600
check "ballooned back" within 30 prints '^Domain-0  *0  *600 ' xl list
check "vcpu-set down" xl vcpu-set Domain-0 1
check "CPU off" within 20 prints '^0$' cat /sys/devices/system/cpu/online
check "one CPU left" within 20 prints '^Domain-0 .* 1 ' xl list
check "vcpu-set up" xl vcpu-set Domain-0 2
check "two CPUs again" within 30 prints '^Domain-0 .* 2 ' xl list
check "top" prints 'Domain-0' xentop -b -i 1
check "lsevtchn" prints 'VCPU 0: ' lsevtchn 0
check "xenstore-ls" prints 'domid = "0"' xenstore-ls
check "xenstore write, read" sh -c 'xenstore-write /a/b c && [ "$(xenstore-read /a/b)" = c ] && xenstore-rm /a'
check "claims" prints 'Domain-0' xl claims
check "unknown domain" refuses xl pause nobody
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
