# SPDX-License-Identifier: MIT
# The network backend: its core knows no operating system, tap.c and main.c are Linux's.

NETBACK_CORE := netback/device.c netback/connect.c netback/tx.c netback/rx.c netback/filter.c \
	pvlib/packet.c pvlib/store.c pvlib/xenbus.c pvlib/port/file.c pvlib/port/linux.c
$(eval $(call tools_program,netback,netback/main.c netback/tap.c $(NETBACK_CORE)))
