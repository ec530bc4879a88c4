/* SPDX-License-Identifier: MIT */
/* The memory of dom0 while it is built. */
#ifndef PV_DOM0_MEMORY_H
#define PV_DOM0_MEMORY_H

#include "dom0_private.h"
#include <core/mm.h>
#include <xen/xen.h>

/*
 * Virtual addresses in the initial mapping, each on a page, in this order:
 * kernel, initrd (if it must be mapped), p2m (if the kernel names no place for
 * it), start info, page tables, stack, slack. Frames behind it: pfn 0 on.
 */
struct layout {
	unsigned long v_start, v_end;
	unsigned long initrd;		/* 0: not mapped */
	unsigned long p2m;
	unsigned long start_info;
	unsigned long tables, nr_tables;
	unsigned long stack, stack_end;
	unsigned long nr_initial;	/* pages of the initial mapping */
	unsigned long initrd_pfn;	/* first, mapped or not */
	unsigned long p2m_pfn;		/* first of the p2m outside: its tables, then itself */
	unsigned long nr_p2m_frames, nr_p2m_tables;
};

struct dom0 {
	const struct boot_info *bi;
	struct domain *d;
	struct kernel_image kernel;
	size_t initrd_size;
	unsigned long nr_pages;
	struct layout layout;
	mfn_t l4;
	/* Frame of each pfn up to the p2m's last; pages from alloc_boot_pages. */
	unsigned long *frames;
	unsigned long nr_frames;
};

/* Computes b->layout; panics if nr_pages is too small for it. */
void dom0_lay_out(struct dom0 *b);
struct boot_module;
/*
 * Allocates all memory, builds page tables and p2m, loads kernel and initrd, and
 * frees where the kernel file was: its buffer, or that module.
 * True if the initrd was copied, so that the module's memory is free.
 */
bool dom0_populate(struct dom0 *b, const struct boot_module *kernel_module);
void dom0_free_module(const struct boot_module *m);
/* Where an address of the initial mapping is in the direct map. */
void *dom0_pointer(const struct dom0 *b, unsigned long va);
void dom0_free_scratch(struct dom0 *b);

#endif
