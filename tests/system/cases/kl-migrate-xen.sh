#!/bin/bash
# SPDX-License-Identifier: MIT
# A Debian guest moves between Krypton and another host with real Xen 4.17: live into Xen, to its xl and to kl,
# back standing still; saved by xl there and restored by kl here, and the other way round.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# cpus: 2
# timeout: 600
# soak
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/hosts.sh"

CACHE=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
if [ ! -e "$CACHE/root/boot/xen-4.17-amd64.gz" ]; then
	echo "skip: Debian's Xen is not there (packaging/setup.sh)"
	exit 77
fi

shared=$(shared_disk 160)
host="--toolstack krypton:consoled --smp 1 --mem 1200 --cmdline dom0_mem=740M --timeout 560"
SECOND_HYPERVISOR=xen second_host $host --shared-disk "$shared"
first_host $host --shared-disk "$shared" <<'EOS' || exit 1
. /lib/kt.sh
. /lib/hosts.sh
. /lib/traveller.sh
check "link" link 1
stream_traveller ,backendtype=vif ,backendtype=phy
check "it has Xen 4.17" peer 'xl info xen_version | grep -q "^4\.17" && kl info xen_extra | grep -vq -i krypton'
there() {
	check "it is there" peer 'within 20 xl list d1'
	check "and not here" refuses kl list d1
	check "the stream goes on" stream_grows
}
here() {
	check "it is here" within 20 kl list d1
	check "and not there" refuses peer 'xl list d1'
	check "the stream goes on" stream_grows
}
peer 'printf "#!/bin/sh\nexec xl migrate-receive 2>/tmp/receiver\n" >/bin/receiver; chmod 755 /bin/receiver; nc -l -p 7777 -e /bin/receiver >/dev/null 2>&1 & sleep 1' >/dev/null
check "live into Xen, to xl" kl migrate -s '' d1 'nc 10.0.0.2 7777'
there
kl migrate-receive --tcp 7000 2>/tmp/receiver &
check "back by kl" peer 'kl migrate --non-live --tcp 7000 d1 10.0.0.1'
here
peer 'kl migrate-receive --tcp 7000 >/tmp/receiver 2>&1 & sleep 2' >/dev/null
check "live into Xen, to kl" kl migrate --tcp 7000 d1 10.0.0.2
there
check "live out of Xen is refused" prints 'cannot watch' peer "kl migrate -s '' d1 'kl migrate-receive' || true"
check "xl saves it there" peer 'xl save d1 /dev/shm/x'
bytes=$(peer 'put /dev/shm/x' | grep '^[0-9]')
check "the image comes here" take /dev/shm/x $bytes
check "kl restores it" kl restore /dev/shm/x
rm /dev/shm/x
here
check "kl saves it" kl save d1 /dev/shm/k
bytes=$(put /dev/shm/k)
check "the image goes there" peer "take /dev/shm/k $bytes"
check "xl restores it" peer 'xl restore /dev/shm/k; s=$?; rm /dev/shm/k; exit $s'
there
stream_is_whole
peer "type_in d1 'kill %1; sync; mount -o remount,ro /; echo ro=\$((1 + 1))'" >/dev/null
check "its disk is written" within 30 peer 'cat /var/log/xen/console/guest-d1*.log | grep -q ro=2'
check "destroy" peer 'xl destroy d1'
end_peer
finish
EOS
expect 0 /sbin/e2fsck -fn "$shared"
