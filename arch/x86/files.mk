# SPDX-License-Identifier: MIT
# The x86 machine. One line a folder or subject; keep sorted by subject.
HYP_SRC += $(addprefix arch/x86/, \
	setup.c panic.c serial.c vga.c)

# Booting: entry, loader information, memory map, page tables, CPUs.
HYP_SRC += $(addprefix arch/x86/, \
	boot/head.S boot/trampoline.S boot/boot_info.c boot/multiboot1.c boot/multiboot2.c boot/efi.c \
	e820.c paging.c cpu.c percpu.c smpboot.c)
# Crossings between guests and the hypervisor, guest memory access
HYP_SRC += $(addprefix arch/x86/, \
	entry.S traps.c traps_init.c extable.c show_state.c guest_access.c)

include arch/x86/link.mk
