# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c dom0-tools/libs/util/daemon.c
