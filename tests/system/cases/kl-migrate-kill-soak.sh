#!/bin/bash
# SPDX-License-Identifier: MIT
# The case kl-migrate-kill at every point of the talk.
# oracle: no (Debian's Xen has no log-dirty mode for PV guests)
# cpus: 2
# timeout: 500
# soak
POINTS="banner answer memory ready go report" exec "$(dirname "$0")/kl-migrate-kill.sh"
