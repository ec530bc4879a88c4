# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/store/core.c dom0-tools/libs/store/linux.c
