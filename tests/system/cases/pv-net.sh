#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest's network card on our netback: ping, bulk both ways with checksums over IPv4 and
# IPv6, offloads used, unplugging and plugging in, a second card, the daemon killed under load.
# oracle: yes
# timeout: 400
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp 2 --timeout 380 --add "$TOP/$BUILD/tools/netback:/guest/netback" \
	--add "$HERE/lib/qnic.sh:/lib/qnic.sh" <<EOS
. /lib/kt.sh
. /lib/qnic.sh
bridge
ip -6 addr add fd00::1/64 dev xenbr0
check "daemon" netback_start
dd if=/dev/urandom of=/dev/shm/bulk bs=1M count=10 2>/dev/null
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

(while sleep 1; do netback_kill; netback_start; done) 2>/dev/null &
killer=\$!
check "out of the guest while the daemon is killed every second" wget -q -O /dev/shm/back http://10.0.0.2:7001/bulk6
check "as it was, in spite of it" [ "\$(md5sum </dev/shm/back | cut -c1-32)" = \$sum ]
type_in d1 'rm /mnt/bulk6; wget -q -O /mnt/bulk7 http://10.0.0.1:7000/bulk; md5sum /mnt/bulk7'
check "into the guest while the daemon is killed every second" on_console d1 "\$sum  /mnt/bulk7" 60
kill \$killer
wait \$killer 2>/dev/null
check "the guest saw no error" refuses console_has d1 'vif vif-0'
check "ping afterwards" within 10 ping -c 1 -W 2 10.0.0.2
/guest/netback --statistics

check "a second card" qnic \$id 1
type_in d1 'sleep 2; ifconfig eth1 10.0.0.3 up && ifconfig eth0 down && echo third=\$((2 + 2))'
check "the guest has it" on_console d1 third=4 20
check "ping on it" within 20 ping -c 1 -W 2 10.0.0.3
check "unplug" qnic_remove \$id 1
check "plug it in again" qnic \$id 1
type_in d1 'sleep 2; ifconfig eth1 10.0.0.3 up; echo fourth=\$((2 + 3))'
check "the guest has it again" on_console d1 fourth=5 20
check "ping on it again" within 20 ping -c 1 -W 2 10.0.0.3
check "link down" ip link set vif\$id.1 down
check "is told" within 5 prints 0 xenstore-read /local/domain/0/backend/qnic/\$id/1/carrier
check "shutdown" xl shutdown -w d1
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
