# SPDX-License-Identifier: MIT
# The x86 machine. One line a folder or subject; keep sorted by subject.
HYP_SRC += $(addprefix arch/x86/, \
	setup.c panic.c serial.c vga.c memcpy.c clear_page.c)

# Booting: entry, loader information, memory map, page tables, CPUs.
HYP_SRC += $(addprefix arch/x86/, \
	boot/head.S boot/trampoline.S boot/boot_info.c boot/multiboot1.c boot/multiboot2.c boot/efi.c \
	boot/memory.c e820.c paging.c cpu.c percpu.c smpboot.c efi_runtime.c efi_call.c)
# Crossings between guests and the hypervisor, guest memory access
HYP_SRC += $(addprefix arch/x86/, \
	entry.S traps.c traps_init.c extable.c show_state.c guest_access.c)
# What a vcpu is while it runs, and domains
HYP_SRC += $(addprefix arch/x86/, \
	context.c fpu.c domain.c vcpu_context.c cpu_policy.c cpu_policy_io.c \
	arch_domctl.c arch_sysctl.c)
# PV guests: entering their kernels, their privileged instructions, their descriptors
HYP_SRC += $(addprefix arch/x86/pv/, \
	trap_bounce.c iret.c callback.c descriptors.c debugreg.c emul_priv.c emul_decode.c emul_io.c msr.c)

# Interrupts, time, ACPI, PCI, SMP: the platform.
HYP_SRC += $(addprefix arch/x86/, \
	acpi.c acpi_power.c reboot.c apic.c i8259.c io_apic.c irq.c pirq.c msi.c pci.c physdev.c \
	time.c time_scale.c platform_timer.c wallclock.c pvclock.c smp.c flush.c nmi.c mce.c microcode.c microcode_parse.c \
	platform_op.c platform_info.c rangeset.c)

# Direct paging for PV guests
HYP_SRC += $(addprefix arch/x86/mm/, \
	page_format.c page_ref.c page_type.c validate.c mod_entry.c walk.c batch.c mmu_update.c \
	update_va.c mmuext.c base_tables.c cr3.c map.c fault.c pte_insn.c init.c memory.c teardown.c \
	shadow.c log_dirty.c holders.c)

# Building dom0
HYP_SRC += $(addprefix arch/x86/pv/, \
	dom0_build.c dom0_layout.c dom0_memory.c dom0_image.c dom0_unpack.c dom0_pages.c dom0_params.c \
	dom0_caps.c dom0_info.c)
include arch/x86/pv/unpack.mk

# Debug builds
ifneq ($(DEBUG),0)
HYP_SRC += arch/x86/lock_check.c
endif

include arch/x86/link.mk
