# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/call/linux.c
