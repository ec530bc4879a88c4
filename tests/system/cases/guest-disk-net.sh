#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest's disk and network card through dom0's blkback, netback and a bridge: a file system
# made and filled in the guest, read by dom0 afterwards; ping; 16 MiB each way with checksums.
# oracle: yes
# cpus: variant
# variants: 1 2
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

toolstack --smp "$VARIANT" --timeout 280 <<EOS
vcpus=$VARIANT
. /lib/kt.sh
bridge
disk b 48
dd if=/dev/urandom of=/dev/shm/bulk bs=1M count=16 2>/dev/null
sum=\$(md5sum </dev/shm/bulk | cut -c1-32)
httpd -p 7000 -h /dev/shm
debian d1 "vcpus = \$vcpus" 'vif = [ "bridge=xenbr0" ]' \\
	'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img", "format=raw,vdev=xvdb,access=rw,target=/root/b.img" ]' \\
	ip=10.0.0.2 ro stay 'run=mke2fs /dev/xvdb >/dev/null; mount -t ext4 /dev/xvdb /mnt && wget -q -O /mnt/bulk http://10.0.0.1:7000/bulk; md5sum /mnt/bulk; cp /mnt/bulk /mnt/copy; umount /mnt; mount -t ext4 /dev/xvdb /mnt; cmp /mnt/bulk /mnt/copy && httpd -p 7001 -h /mnt && echo served'
check "create" xl create /root/d1.cfg
check "up" on_console d1 DOMU-UP
check "ping" within 20 ping -c 1 -W 2 10.0.0.2
check "ping, 1400 bytes, 20 times" prints ' 0% packet loss' ping -c 20 -i 0.2 -s 1400 10.0.0.2
check "into the guest" on_console d1 "\$sum  /mnt/bulk" 60
check "served" on_console d1 'DOMU-EXIT: 0' 30
check "out of the guest" wget -q -O /dev/shm/back http://10.0.0.2:7001/copy
check "as it was" [ "\$(md5sum </dev/shm/back | cut -c1-32)" = \$sum ]
type_in d1 'killall httpd; umount /mnt && echo down=\$((3 + 4))'
check "unmounted" on_console d1 down=7 20
check "shutdown" xl shutdown -w d1
check "the guest's file system, in dom0" mount -o loop,ro /root/b.img /mnt
check "its file" [ "\$(md5sum </mnt/copy | cut -c1-32)" = \$sum ]
check "no oops" refuses sh -c "dmesg | grep -E 'Oops|BUG:|Call Trace'"
finish
EOS
