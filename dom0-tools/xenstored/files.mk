# SPDX-License-Identifier: MIT
XENSTORED_CORE := $(addprefix dom0-tools/xenstored/,table.c journal.c perms.c tree.c watch.c domain.c transaction.c \
	view.c output.c connection.c request.c control.c restore.c room.c core.c)
$(eval $(call tools_program,xenstored,$(XENSTORED_CORE) dom0-tools/xenstored/port_linux.c \
	dom0-tools/xenstored/worker.c dom0-tools/xenstored/keeper.c dom0-tools/xenstored/main.c))
