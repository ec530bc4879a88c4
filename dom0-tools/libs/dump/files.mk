# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/dump/p2m.c dom0-tools/libs/dump/core.c
