#!/bin/bash
# SPDX-License-Identifier: MIT
# 100 times create and destroy of a tiny guest, some of which end by themselves, some paused, some
# while they start; then the hypervisor has as much memory free as before.
# oracle: yes
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/cycles.sh"
cycles 100 400
