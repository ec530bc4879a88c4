# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += $(addprefix dom0-tools/libs/ctl/,core.c domain.c host.c memory.c policy.c vcpu.c)
