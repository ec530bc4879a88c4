# SPDX-License-Identifier: MIT
# Saving, restoring and migrating domains. What light is not needed for stands first.
MOVE_SRC := $(addprefix dom0-tools/libs/move/,apart.c brake.c channel.c features.c frames.c link.c lock.c pages.c preflight.c receive.c \
	restore.c restore_pages.c restore_state.c save.c save_state.c send.c source.c suspend.c)
TOOLS_LIB_SRC += $(MOVE_SRC)
