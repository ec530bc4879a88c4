#!/bin/bash
# SPDX-License-Identifier: MIT
# The case kl-migrate-two with twenty moves (MOVES in the environment: another number).
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# cpus: 2
# timeout: 1300
# soak
MOVES=${MOVES:-20} exec "$(dirname "$0")/kl-migrate-two.sh"
