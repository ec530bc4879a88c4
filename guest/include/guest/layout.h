/* SPDX-License-Identifier: MIT */
/*
 * Where things are: constants shared by C, assembly and the linker script.
 *
 * The kernel is linked at GUEST_VIRT_BASE + 1 MiB and the builder's initial mapping begins at
 * GUEST_VIRT_BASE with pfn 0, so virt = GUEST_VIRT_BASE + pfn * 4096 for all memory that the kernel
 * maps.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define GUEST_VIRT_BASE		0xffffffff80000000
#define GUEST_LOAD_OFFSET	0x100000

/* A vcpu's kernel stack; its struct cpu lies at the aligned bottom (see cpu.h). */
#define GUEST_STACK_ORDER	15
#define GUEST_STACK_SIZE	(1 << GUEST_STACK_ORDER)

/* The flat kernel stack segment, for assembly (FLAT_KERNEL_SS in C). */
#define GUEST_KERNEL_SS		0xe02b

/* Pseudo vectors of the two callbacks, above the 256 real ones. */
#define VEC_UPCALL		256
#define VEC_SYSCALL		257
#define VEC_FAILSAFE		258

#endif
