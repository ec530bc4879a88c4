# SPDX-License-Identifier: MIT
CONSOLED_SRC := $(addprefix dom0-tools/consoled/,main.c daemon.c console.c viewer.c spool.c ring.c \
	hypervisor.c linux.c)
$(eval $(call tools_program,consoled,$(CONSOLED_SRC)))
