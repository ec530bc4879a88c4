#!/bin/bash
# SPDX-License-Identifier: MIT
# Our own tool makes, changes and ends guests; real xl sees and changes the same ones, and the other
# way round. Once with our daemons, once (and shorter) with Debian's xenstored.
# oracle: yes
# cpus: 2
# variants: ours debian
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"

daemons=consoled
[ "$VARIANT" = debian ] || daemons=xenstored,consoled
{ echo "daemons=$VARIANT"; cat <<'EOS'; } | toolstack --toolstack krypton:$daemons --smp 2 --timeout 400
. /lib/kt.sh
bridge
before=$(free_memory)
disk b 16
debian d1 'vcpus = 2' 'maxmem = 256' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]' ip=10.0.0.2 stay
check "dry run as xl's" sh -c 'kl -N create /root/d1.cfg >/tmp/a; xl -N create /root/d1.cfg >/tmp/b; sed -i /uuid/d /tmp/a /tmp/b; diff /tmp/a /tmp/b'
check "create" sh -c 'kl create --timings -p /root/d1.cfg 2>/tmp/timings'
cat /tmp/timings
check "it is paused" within 5 in_state d1 p
check "xl knows it" prints '"name": "d1"' xl list -l d1
check "the name is taken" refuses kl create /root/d1.cfg
check "and xl says so too" refuses xl create /root/d1.cfg
check "unpause" kl unpause d1
check "it boots" on_console d1 DOMU-UP
check "ping" within 20 ping -c 1 -W 2 10.0.0.2
xl list -l d1 >/tmp/x.json; kl list -l d1 >/tmp/k.json
check "list -l as xl's" diff /tmp/x.json /tmp/k.json
check "block-attach" kl block-attach d1 "format=raw,vdev=xvdb,access=rw,target=/root/b.img"
check "block-list" prints '^51728 ' kl block-list d1
check "the disk connects" within 10 prints '^51728 0   1      4' kl block-list d1
check "as xl's" sh -c 'kl block-list d1 >/tmp/a; xl block-list d1 >/tmp/b; diff /tmp/a /tmp/b'
type_in d1 'sleep 1; mke2fs /dev/xvdb >/dev/null && mount -t ext4 /dev/xvdb /mnt && ls /mnt && umount /mnt && echo disk=$((1 + 1))'
check "it sees the disk" on_console d1 disk=2 30
check "the same disk twice is refused" refuses kl block-attach d1 "format=raw,vdev=xvdc,access=rw,target=/root/b.img"
check "block-detach" kl block-detach d1 xvdb
check "the disk is gone" within 10 refuses prints '^51728 ' kl block-list d1
check "no loop device is left" within 5 refuses prints b.img losetup -a
check "network-attach" kl network-attach d1 bridge=xenbr0 backendtype=vif mac=00:16:3e:00:00:02
check "network-list" prints '00:16:3e:00:00:02' kl network-list d1
check "the card connects" within 10 prints '00:16:3e:00:00:02     1     4' kl network-list d1
check "as xl's too" sh -c 'kl network-list d1 >/tmp/a; xl network-list d1 >/tmp/b; diff /tmp/a /tmp/b'
check "xl detaches it" xl network-detach d1 1
check "the card is gone" within 10 refuses prints '00:16:3e:00:00:02' kl network-list d1
loop=$(losetup -f) && losetup $loop /root/b.img
check "xl attaches a disk" xl block-attach d1 "phy:$loop,xvdd,w"
check "the disk of xl connects" within 10 prints '^51760 0   1      4' kl block-list d1
check "kl detaches it" kl block-detach d1 xvdd
losetup -d $loop
check "shutdown" within 30 kl shutdown -w d1
kl destroy d1 2>/dev/null
check "it is gone" gone d1 60
check "memory is back" memory_is_back $before
[ $daemons = ours ] || finish

check "xl creates" xl create -q /root/d1.cfg
check "kl lists it" prints '"name": "d1"' kl list -l d1
check "kl destroys it" kl destroy d1
check "gone" gone d1 30
check "kl creates, xl destroys" sh -c 'kl create /root/d1.cfg && xl destroy d1'
check "gone again" gone d1 30
check "nothing in the store" refuses sh -c 'xenstore-ls /libxl | grep -v "^ "'
check "nothing below /var/lib/xen" refuses sh -c "ls /var/lib/xen/userdata-* | grep -v -- -d.0."
check "a kernel that is none" refuses kl create /root/d1.cfg 'kernel="/etc/passwd"'
check "a bridge that is none" refuses kl create /root/d1.cfg 'vif=["bridge=nope"]'
check "a disk that is none" refuses kl create /root/d1.cfg 'disk=["/nope,raw,xvda,w"]'
check "too much memory" refuses kl create /root/d1.cfg memory=99999 maxmem=99999
check "nothing is left" prints '^0$' sh -c 'kl list | tail -n +3 | wc -l'
check "memory is back again" memory_is_back $before
# Who holds a dead domain is told: the console daemon stands still, and keeps its ring.
check "create once more" kl create -q -p /root/d1.cfg
kill -STOP $(cat /run/xenconsoled.pid)
check "destroy" sh -c 'kl destroy d1 2>/tmp/held'
cat /tmp/held
check "its holder is told, or that the hypervisor does not tell" grep "held: .* mapped by domain 0\|does not tell" /tmp/held
check "Krypton tells" sh -c "kl dmesg | grep -q 'dying d.* mapp.* by d0' || ! kl info xen_extra | grep -qi krypton"
check "its name stays" prints '^d1 ' kl list
check "the cause stays" prints '"zombie": true' kl --json destroy d1
kill -CONT $(cat /run/xenconsoled.pid)
check "it goes" gone d1 30
echo 'autoballoon="on"' >>/etc/xen/xl.conf
need=$(($(info free_memory) + 64))
check "more than is free: dom0 gives it" kl create -p /root/d1.cfg "memory=$need" "maxmem=$need"
check "dom0 has less" prints ' 6[0-4][0-9] ' sh -c "kl list 0 | tail -n 1"
check "gone once more" sh -c 'kl destroy d1 && kl mem-set 0 700'
check "dom0 has it again" within 30 memory_is_back $before
check "gc" kl gc
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
