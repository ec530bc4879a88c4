/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's part of every address space: L4 slots 256 to 271, by the
 * ABI (0xffff800000000000 up to 0xffff880000000000). The same page tables serve
 * all domains: the slots are copied into each guest's L4 when it is validated.
 *
 *   256  read-only machine-to-physical table, readable by guests (ABI)
 *   257  ioremap: device memory that the hypervisor uses
 *   258  the same machine-to-physical table, writable
 *   259  frame table
 *   260  per-CPU windows: descriptor tables of the vcpu that runs there
 *   261  the image, at IMAGE_START
 *   262  direct map of all RAM, up to 5 TiB
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#define HYP_FIRST_SLOT		256
#define HYP_LAST_SLOT		271

#define RO_M2P_START		0xffff800000000000
#define IOREMAP_START		0xffff808000000000
#define IOREMAP_END		0xffff80c000000000
#define RW_M2P_START		0xffff810000000000
#define FRAMETABLE_START	0xffff818000000000
#define CPU_WINDOW_START	0xffff820000000000
#define IMAGE_START		0xffff82d040000000
#define DIRECTMAP_START		0xffff830000000000
#define DIRECTMAP_END		0xffff880000000000

/* The image is linked so that file offset 0 of its load segment is at IMAGE_START + IMAGE_PHYS. */
#define IMAGE_PHYS		0x200000

/*
 * Where SYSCALL enters: for each CPU a mapping of the one page of stub code
 * (entry.S) followed by the page that ends its stack, so that the stub finds
 * the CPU's struct cpu_info relative to its own address.
 */
#define SYSCALL_STUB_START	0xffff82d060000000
#define SYSCALL_STUB_SIZE	0x2000

/*
 * Per-CPU window, CPU_WINDOW_SIZE each: pages 0-13 the vcpu's GDT frames, page
 * 14 the hypervisor's own descriptors (selectors 0xe000 and up), page 15 zero
 * descriptors; from page 16 on the LDT (16 pages).
 */
#define CPU_WINDOW_PAGES	32
#define CPU_WINDOW_SIZE		(CPU_WINDOW_PAGES * 4096)
#define CPU_WINDOW_LDT_PAGE	16

/*
 * Stack of a CPU: pages 0 #DF, 1 NMI, 2 #MC, 3 #DB, 4 guard, 5-7 primary,
 * struct cpu_info at the top.
 */
#define STACK_ORDER		3
#define STACK_SIZE		(4096 << STACK_ORDER)

/* Selectors; the ones that guests see are the ABI's (FLAT_RING3_*). */
#define HYP_CS			0xe008
#define HYP_DS			0xe010	/* ring 0 data, also ring 0 SS */
#define TSS_SELECTOR		0xe040	/* 16 bytes */
#define LDT_SELECTOR		0xe050	/* 16 bytes */
/*
 * 0xe018 free; 0xe020 FLAT_RING3_CS32, 0xe028 FLAT_RING3_DS32/SS, 0xe030
 * FLAT_RING3_CS64: the order sysret wants
 */

#endif
