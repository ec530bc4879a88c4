#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: a Debian guest on our netback moves KIB KiB each way by TCP as fast as it can, and again while the
# daemon is killed every second of the machine's time, which -icount counts. It is started again as a
# service manager would, RESTART seconds after its death. Lines "WORK quiet|killed send|recv SECONDS".
. /lib/net-guest.sh

netback_start
load_guest d1 "now() { cut -d ' ' -f 1 /proc/uptime; }; $l send 10.0.0.1 9 9999; $l recv 10.0.0.1 9 9999; \
for w in quiet killed; do echo begin-\$w; for d in recv send; do a=\$(now); $l \$d 10.0.0.1 9 $KIB; \
echo WORK \$w \$d \$a \$(now); done; done"
qnic $(xl domid d1) 0
xl unpause d1
on_console d1 '^begin-killed' 300 || exit 1
kills=0
while ! console_has d1 '^all-done'; do
	sleep 0.95
	netback_kill
	sleep $RESTART
	netback_start
	kills=$((kills + 1))
done
tr -d '\r' <$CONSOLES/guest-d1.log | grep '^WORK'
echo "KILLS $kills"
/guest/netback --statistics
cat /var/log/netback
echo done
