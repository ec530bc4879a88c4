# SPDX-License-Identifier: MIT
$(eval $(call tools_program,xenstore,dom0-tools/xenstore/main.c))
