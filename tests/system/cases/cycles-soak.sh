#!/bin/bash
# SPDX-License-Identifier: MIT
# The same 1,000 times.
# oracle: yes
# soak
# timeout: 3000
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/cycles.sh"
cycles 1000 2900
