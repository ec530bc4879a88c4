# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c
