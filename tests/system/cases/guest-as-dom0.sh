#!/bin/bash
# SPDX-License-Identifier: MIT
# Every test guest (tests/guests) as dom0; the guest says what it proves and how it ended.
# oracle: yes
# variants: @guests
# timeout: 300
. "$(dirname "$0")/../lib/case.sh"

guest=$TOP/$BUILD/guests/$VARIANT
args=$(sed -n 's,^.*boot-args: *\(.*\)\*/,\1,p;s,^.*boot-args: *,,p' "$TOP/tests/guests/$VARIANT/main.c" | head -n 1)
eval "boot --kernel '$guest' --mem 512 --timeout 240 $args"
