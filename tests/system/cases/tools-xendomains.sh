#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that start and stop with the host, in their order; real hotplug work for a disk and a card.
# oracle: yes
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

toolstack --toolstack bare --smp 2 --timeout 400 <<'EOS'
. /lib/kt.sh
LOG=/var/log/xen/monitor.log
bridge
before=$(free_memory)
small() {
	cat >/etc/xen/auto/$1 <<X
name = "$2"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initrd"
memory = 96
extra = "console=hvc0 stay"
$3
X
}
small 10-first first
cp /guest/root.img /root/root.img
small 20-second second 'vif = [ "bridge=xenbr0" ]
disk = [ "format=raw,vdev=xvda,access=rw,target=/root/root.img" ]
extra = "console=hvc0 root=/dev/xvda stay ip=10.0.0.2"'
small other other
check "start" /etc/xen/scripts/xendomains start
for g in first second other; do
	check "$g runs" on_console $g DOMU-UP 90
done
check "in order" [ "$(xl list | awk 'NR > 2 { printf "%s ", $1 }')" = "first second other " ]
check "the card" ping -c 2 10.0.0.2
check "the disk" prints '^51712 ' xl block-list second
check "started again: no harm" /etc/xen/scripts/xendomains start
cat >/root/hand.cfg <<X
name = "hand"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initrd"
memory = 96
extra = "console=hvc0 stay"
X
check "one by hand" xl create -q /root/hand.cfg
check "it boots" on_console hand DOMU-UP 90
check "stop" /etc/xen/scripts/xendomains stop
alone() {
	[ "$(xl list | wc -l)" = 2 ]
}
check "all gone" within 20 alone
sed -n 's/^.* \([a-z]*\): domain .* has ended (poweroff).*/\1/p' $LOG >/tmp/order
check "in order" [ "$(tr '\n' ' ' </tmp/order)" = "hand other second first " ]
check "no loop device is left" [ -z "$(losetup -a)" ]
check "nothing is left: nodes" [ -z "$(xenstore-list /local/domain | grep -v '^0$')" ]
check "memory is back" memory_is_back $before
cat $LOG
finish
EOS
