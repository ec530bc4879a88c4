# SPDX-License-Identifier: MIT
TOOLS_LIB_SRC += $(addprefix dom0-tools/libs/stream/,rules.c reader.c framing.c writer.c tables.c context.c)
