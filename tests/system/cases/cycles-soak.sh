#!/bin/bash
# SPDX-License-Identifier: MIT
# The same 1,000 times by either tool.
# oracle: yes
# cpus: 2
# soak
# timeout: 3900
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/cycles.sh"
cycles 1000 1000 3800
