#!/bin/bash
# SPDX-License-Identifier: MIT
# In dom0: what saving a Linux guest into a file in memory costs, and restoring it, for two sizes; by kl
# where our daemons run, else by xl. Prints "BENCH: <instructions> <row>"; run by bench/run-system,
# which knows the sizes.
. /lib/kt.sh
. /guest/worker.sh

# there_and_back NAME MIB : both, the restored guest is destroyed.
there_and_back() {
	/guest/cost "save $1" $tool save w /dev/shm/w || echo "FAIL save $1"
	echo "image: $(stat -c %s /dev/shm/w) bytes"
	/guest/cost "restore $1" $tool restore /dev/shm/w || echo "FAIL restore $1"
	rm -f /dev/shm/w
}

for size in "small 96" "large 224"; do
	set -- $size
	worker $2
	# What only the first pays is not counted.
	there_and_back "$1, first"
	there_and_back $1
	answers || echo "FAIL: the restored guest does not answer"
	$tool destroy w
done
echo done
