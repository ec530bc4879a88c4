# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/foreignmemory/linux.c
