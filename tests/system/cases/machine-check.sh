#!/bin/bash
# SPDX-License-Identifier: MIT
# Machine checks made by QEMU: dom0 (tests/guests/machine-check) is told of those that the machine
# survives, and one that it cannot survive is told in a line before it stops.
# oracle: no (what Xen recovers from, and its words)
# timeout: 60
. "$(dirname "$0")/../lib/case.sh"

# mce CPU BANK STATUS MCG_STATUS ADDRESS MISC
expect 0 boot --kernel "$TOP/$BUILD/guests/machine-check" --mem 256 --timeout 50 --cmdline noreboot \
	--monitor-on INJECT-NO-ACTION 'mce 0 9 0x9000000000000042 0 0 0' \
	--monitor-on INJECT-NO-ACTION 'mce 0 8 0xb400000000000043 5 0x1000 0' \
	--monitor-on INJECT-ACTION 'mce 0 7 0xb580000000000044 5 0x2000 0' \
	--monitor-on INJECT-FATAL 'mce 0 6 0xb600000000000045 5 0x3000 0' \
	--end 'Machine check on CPU0 cannot be recovered'
grep -q 'CPU0: machine check, bank 6: status b600000000000045 address 0000000000003000' "$LOGS/console.1"
