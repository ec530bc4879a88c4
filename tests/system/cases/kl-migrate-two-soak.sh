#!/bin/bash
# SPDX-License-Identifier: MIT
# The case kl-migrate-two with twenty moves.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# timeout: 1300
# soak
MOVES=20 exec "$(dirname "$0")/kl-migrate-two.sh"
