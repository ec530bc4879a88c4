/* SPDX-License-Identifier: MIT */
/* Contiguous pages in any number, for the buffers of dom0's builder. */
#include <core/lib.h>
#include <core/mm.h>
#include "dom0_private.h"

/* Gives back nr pages in the largest aligned blocks that they form. */
void __init free_boot_pages(void *v, unsigned long nr)
{
	unsigned long mfn = mfn_x(virt_to_mfn(v));

	while (nr) {
		unsigned int order = min((unsigned int)__builtin_ctzl(mfn), MAX_ORDER);

		while ((1UL << order) > nr)
			order--;
		free_xenheap_pages(mfn_to_virt(_mfn(mfn)), order);
		mfn += 1UL << order;
		nr -= 1UL << order;
	}
}

void *__init alloc_boot_pages(unsigned long nr)
{
	unsigned int order = get_order_from_pages(nr);
	/*
	 * No guest has run yet, so no TLB holds anything of these pages; a flush could not be
	 * made where interrupts are off.
	 */
	char *v = order > MAX_ORDER ? NULL : alloc_xenheap_pages(order, MEMF_no_tlbflush);

	if (v && nr < 1UL << order)
		free_boot_pages(v + (nr << PAGE_SHIFT), (1UL << order) - nr);
	return v;
}
