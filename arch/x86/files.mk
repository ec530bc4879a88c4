# SPDX-License-Identifier: MIT
# The x86 machine. One line a folder or subject; keep sorted by subject.
HYP_SRC += $(addprefix arch/x86/, \
	setup.c panic.c serial.c vga.c)
