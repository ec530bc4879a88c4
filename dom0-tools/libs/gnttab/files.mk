# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/gnttab/linux.c dom0-tools/libs/gnttab/copy.c
