#!/bin/sh
# SPDX-License-Identifier: MIT
# The demonstration that `make run` and the demo image run in dom0, which has our own tools only: kl
# starts a PV guest with two disks and a network card on a bridge, served by our backends, and shows that
# they work; then a web server guest, if it was built, which dom0 asks for a page. Ends with 0 if all works.
. /lib/kt.sh

show() {
	echo
	echo "# $*"
	"$@"
}

echo "dom0: $(uname -sr) on $(cat /sys/hypervisor/type 2>/dev/null), $(nproc) CPUs"
show kl info | grep -E '^(#|release|nr_cpus|total_memory|free_memory|xen_version|xen_scheduler|cc_comp)'
bridge
disk data 16
debian demo 'vif = [ "bridge=xenbr0" ]' \
	'disk = [ "format=raw,vdev=xvda,access=ro,target=/guest/root.img", "format=raw,vdev=xvdb,access=rw,target=/root/data.img" ]' \
	ip=10.0.0.2 stay 'run=mke2fs /dev/xvdb >/dev/null; mount -t ext4 /dev/xvdb /mnt; echo Krypton >/mnt/hello; sync; df -h /mnt; cat /mnt/hello; ping -c 3 10.0.0.1'
show grep -v ^extra /root/demo.cfg
show kl create --timings /root/demo.cfg
on_console demo DOMU-EXIT 180 >/dev/null
status=$?
show kl list
show kl block-list demo
show kl network-list demo
echo
echo "# the guest's console"
tr -d '\r' <$CONSOLES/guest-demo.log | sed -n '/DOMU-UP/,/DOMU-EXIT/p'
show ping -c 3 10.0.0.2 || status=1
console_has demo 'DOMU-EXIT: 0' || status=1

# A guest of a few hundred KiB with a page on its disk.
web_server() {
	mkdir -p site
	echo '<html><title>Krypton</title><h1>This page comes from a guest</h1></html>' >site/index.html
	tar cf site.img -C site .
	truncate -s 4M site.img
	cat >web.cfg <<X
name = "web"
kernel = "/guest/http"
memory = 48
extra = "ip=10.0.0.5"
vif = [ "bridge=xenbr0" ]
disk = [ "format=raw,vdev=xvda,access=ro,target=/root/site.img" ]
X
	show cat web.cfg
	show kl create web.cfg && on_console web 'http: serving' 60 >/dev/null && within 20 ping -c 1 -W 2 10.0.0.5 &&
		show wget -q -O - http://10.0.0.5/
}

[ ! -e /guest/http ] || web_server || status=1
[ $status = 0 ] && echo && echo "DEMO-DONE: the guest's disk and network work"
exit $status
