/* SPDX-License-Identifier: MIT */
/*
 * The boot allocator: hands out pages while the frame table is being made, from
 * the ranges that the memory map gave, highest address first but below 4 GiB
 * if possible. What is left goes to the heap (page_alloc.c) in one go.
 */
#include <core/lib.h>
#include <core/mm.h>

#define LOW_FRAMES	(1UL << (32 - PAGE_SHIFT))
#define BOOT_RANGES	64U
static struct { unsigned long s, e; } boot_ranges[BOOT_RANGES] __initdata;	/* frames [s, e) */
static unsigned int nr_boot_ranges __initdata;

void __init boot_allocator_add(paddr_t start, paddr_t end)
{
	unsigned long s = PFN_UP(start), e = PFN_DOWN(end);

	if (!s)
		s = 1;
	if (s >= e)
		return;
	if (nr_boot_ranges == BOOT_RANGES) {
		printk(XENLOG_WARNING "Memory map too fragmented: %lu KiB at %#lx not used\n",
		       (e - s) << (PAGE_SHIFT - 10), s << PAGE_SHIFT);
		return;
	}
	boot_ranges[nr_boot_ranges].s = s;
	boot_ranges[nr_boot_ranges++].e = e;
}

/* The highest fit below frame `limit` in any range, cut out of it; 0 if there is none. */
static unsigned long __init boot_take(unsigned long nr, unsigned long align, unsigned long limit)
{
	unsigned long best = 0, mfn;
	unsigned int i, best_i = 0;

	for (i = 0; i < nr_boot_ranges; i++) {
		unsigned long e = min(boot_ranges[i].e, limit);

		if (e < nr || e <= boot_ranges[i].s)
			continue;
		mfn = (e - nr) / align * align;
		if (mfn >= boot_ranges[i].s && mfn > best) {
			best = mfn;
			best_i = i;
		}
	}
	if (!best)
		return 0;
	mfn = boot_ranges[best_i].e;
	boot_ranges[best_i].e = best;
	boot_allocator_add((best + nr) << PAGE_SHIFT, mfn << PAGE_SHIFT);
	return best;
}

mfn_t __init boot_alloc_pages(unsigned long nr, unsigned long align_pages)
{
	unsigned long mfn = boot_take(nr, align_pages ? align_pages : 1, LOW_FRAMES);

	if (!mfn)
		mfn = boot_take(nr, align_pages ? align_pages : 1, ~0UL);
	if (!mfn)
		panic("Out of memory while booting: no %lu KiB contiguous",
		      nr << (PAGE_SHIFT - 10));
	for (unsigned long i = 0; i < nr; i++)
		clear_page(mfn_to_virt(_mfn(mfn + i)));
	return _mfn(mfn);
}

void __init end_boot_allocator(void)
{
	for (unsigned int i = 0; i < nr_boot_ranges; i++)
		heap_add_range(boot_ranges[i].s << PAGE_SHIFT, boot_ranges[i].e << PAGE_SHIFT);
	nr_boot_ranges = 0;
}
