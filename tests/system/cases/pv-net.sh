#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest's network cards on our netback: ping, bulk both ways with checksums over IPv4 and
# IPv6, two queues, offloads used, the daemon killed ten times under load, three cards, one of them
# with a rate limit and another MTU, unplugging and plugging in under load, link state.
# oracle: yes
# cpus: 2
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 380 --add "$TOP/$BUILD/tools/netback:/guest/netback" \
	--add "$HERE/lib/qnic.sh:/lib/qnic.sh" <<EOS
. /lib/kt.sh
. /lib/qnic.sh
bridge
ip -6 addr add fd00::1/64 dev xenbr0
check "daemon" netback_start
check "whose copies need no help of the kernel's" grep -q gntalloc /proc/\$(cat /run/netback.pid)/maps
dd if=/dev/urandom of=/dev/shm/bulk bs=1M count=6 2>/dev/null
sum=\$(md5sum </dev/shm/bulk | cut -c1-32)
httpd -p 7000 -h /dev/shm
debian d1 'vcpus = 2' ip=10.0.0.2 stay
check "create" xl create -p /root/d1.cfg
id=\$(xl domid d1)
check "card" qnic \$id 0
check "unpause" xl unpause d1
check "up" on_console d1 DOMU-UP
check "ping" within 20 ping -c 1 -W 2 10.0.0.2
check "ping, 1400 bytes, 10 times" prints ' 0% packet loss' ping -c 10 -i 0.2 -s 1400 10.0.0.2
check "connected" prints '^4\$' xenstore-read /local/domain/0/backend/qnic/\$id/0/state
echo "# Linux netfront and our netback: \$(xenstore-ls -f /local/domain/\$id/device/vif/0 | sed -n 's/.*0\/\(.*\(feature\|queues\|request\|event\).*\) = /\1=/p' | tr '\n' ' ')"
check "two queues, split event channels" prints 'connected 1 queues 2 .* tso6' /guest/netback --statistics
type_in d1 'mount -t tmpfs t /mnt; ip -6 addr add fd00::2/64 dev eth0; httpd -p 7001 -h /mnt; wget -q -O /mnt/bulk http://10.0.0.1:7000/bulk; md5sum /mnt/bulk; echo first=\$((1 + 1))'
check "fetched" on_console d1 first=2 60
check "into the guest" on_console d1 "\$sum  /mnt/bulk" 5
check "out of the guest" wget -q -O /dev/shm/back http://10.0.0.2:7001/bulk
check "as it was" [ "\$(md5sum </dev/shm/back | cut -c1-32)" = \$sum ]
gso4=\$(counter gso)
check "segmentation left to the receiver" [ "\$gso4" -gt 100 ]
type_in d1 'rm /mnt/bulk; wget -q -O /mnt/bulk6 http://[fd00::1]:7000/bulk; md5sum /mnt/bulk6; echo second=\$((1 + 2))'
check "IPv6 into the guest" on_console d1 "\$sum  /mnt/bulk6" 60
check "IPv6 out of the guest" wget -q -O /dev/shm/back http://[fd00::2]:7001/bulk6
check "as it was, too" [ "\$(md5sum </dev/shm/back | cut -c1-32)" = \$sum ]
check "segmentation for IPv6" [ "\$(counter gso)" -gt \$((gso4 + 100)) ]
/guest/netback --statistics

(for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.8; netback_kill; netback_start; done; touch killed) 2>/dev/null &
type_in d1 'wget -q -O /mnt/bulk7 http://10.0.0.1:7000/bulk; md5sum /mnt/bulk7; echo fifth=\$((2 + 3))'
rounds=0
while [ ! -e killed ]; do
	check "out of the guest while the daemon is killed" wget -q -O /dev/shm/back http://10.0.0.2:7001/bulk6
	check "as it was, in spite of it" [ "\$(md5sum </dev/shm/back | cut -c1-32)" = \$sum ]
	rounds=\$((rounds + 1))
done
echo "# 10 kills, \$rounds rounds"
check "into the guest meanwhile" on_console d1 fifth=5 60
check "as it was there" on_console d1 "\$sum  /mnt/bulk7" 1
check "the guest saw no error" refuses console_has d1 'vif vif-0'
check "ping afterwards" within 10 ping -c 1 -W 2 10.0.0.2
/guest/netback --statistics

# More cards, each with an own network.
subnet() {
	ip link add xenbr\$1 type bridge
	ip addr add 10.0.\$1.1/24 dev xenbr\$1
	ip link set xenbr\$1 up
}
cards="1 2"
for n in \$cards; do
	subnet \$n
done
check "a second card" qnic \$id 1 bridge xenbr1
check "a third, slow and with small frames" qnic \$id 2 bridge xenbr2 rate 50000,100000 mtu 1000
type_in d1 "sleep 2; head -c 2000000 /mnt/bulk7 >/mnt/part; for n in \$cards; do ifconfig eth\\\$n 10.0.\\\$n.2 netmask 255.255.255.0 up; done; echo third=\\\$((2 + 4))"
check "the guest has them" on_console d1 third=6 30
for n in \$cards; do
	check "ping on card \$n" within 20 ping -c 1 -W 2 10.0.\$n.2
done
seconds() {
	cut -d. -f1 /proc/uptime
}
slow_card() {
	check "small frames" prints '^1000\$' cat /sys/class/net/vif\$id.2/mtu
	began=\$(seconds)
	check "over the slow card" wget -q -O /dev/shm/back http://10.0.2.2:7001/part
	took=\$((\$(seconds) - began))
	echo "# 2 MB at 0.5 MB/s took \$took s"
	check "is the same" cmp -n 2000000 /dev/shm/back /dev/shm/bulk
	check "takes its time" [ \$took -ge 3 ]
	held=\$(counter throttled)
	check "was held back" [ "\$held" -gt 0 ]
	xenstore-rm /local/domain/0/backend/qnic/\$id/2/rate
	sleep 1
	held=\$(counter throttled)
	check "over the card without its limit" wget -q -O /dev/shm/back http://10.0.2.2:7001/part
	check "is not held back" [ "\$(counter throttled)" = \$held ]
}
slow_card
(while [ ! -e unplugged ]; do wget -q -O /dev/null http://10.0.1.2:7001/bulk7; done) 2>/dev/null &
sleep 1
check "unplug under load" qnic_remove \$id 1
touch unplugged
check "plug it in again" qnic \$id 1 bridge xenbr1
type_in d1 'sleep 2; ifconfig eth1 10.0.1.2 netmask 255.255.255.0 up; echo fourth=\$((2 + 3))'
check "the guest has it again" on_console d1 fourth=5 20
check "ping on it again" within 20 ping -c 1 -W 2 10.0.1.2
check "data over it" wget -q -O /dev/shm/back http://10.0.1.2:7001/bulk7
check "as it was, again" [ "\$(md5sum </dev/shm/back | cut -c1-32)" = \$sum ]
check "link down" ip link set vif\$id.1 down
check "is told" within 5 prints 0 xenstore-read /local/domain/0/backend/qnic/\$id/1/carrier
check "link up" ip link set vif\$id.1 up
check "is told, too" within 5 prints 1 xenstore-read /local/domain/0/backend/qnic/\$id/1/carrier
check "shutdown" xl shutdown -w d1
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
