#!/bin/bash
# SPDX-License-Identifier: MIT
# 100 times create and destroy of a tiny guest by kl, 25 times by xl: some guests end by themselves, some
# are paused, some just start. Then the hypervisor has as much memory free as before.
# oracle: yes
# cpus: 2
# timeout: 420
. "$(dirname "$0")/../lib/case.sh"
. "$(dirname "$0")/../lib/cycles.sh"
cycles 25 100 400
