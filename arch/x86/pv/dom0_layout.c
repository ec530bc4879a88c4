/* SPDX-License-Identifier: MIT */
/*
 * Which virtual address of dom0's initial mapping holds what. The number of page
 * tables depends on how much is mapped, and the tables are mapped themselves, so
 * their number is found by trying.
 */
#include <core/lib.h>
#include <x86/boot_info.h>
#include <x86/layout.h>
#include <x86/page.h>
#include "dom0_memory.h"

#define SLACK		(512UL << 10)	/* the ABI: at least that much mapped behind the stack */

/* Tables of one level (entry size 1 << shift) that cover [start, end). */
static unsigned long __init tables_for(unsigned long start, unsigned long end, unsigned int shift)
{
	return ((end - 1) >> shift) - (start >> shift) + 1;
}

static unsigned long __init nr_tables(unsigned long start, unsigned long end)
{
	return tables_for(start, end, 39) + tables_for(start, end, 30) + tables_for(start, end, 21);
}

/* May a guest have all of [start, end)? */
static bool __init guest_range(unsigned long start, unsigned long end)
{
	return end > start && is_canonical(start) && is_canonical(end - 1) &&
	       (start >> 47) == ((end - 1) >> 47) &&
	       (start >= DIRECTMAP_END || end <= RO_M2P_START);
}

static void __init place_tables(struct layout *l)
{
	/* The L4 and one L3 at the least. */
	for (l->nr_tables = 2; ; l->nr_tables++) {
		l->stack = l->tables + l->nr_tables * PAGE_SIZE;
		l->stack_end = l->stack + PAGE_SIZE;
		l->v_end = ROUNDUP(l->stack_end + SLACK, MB(4));
		if (!guest_range(l->v_start, l->v_end))
			panic("dom0's kernel, initrd and frame list do not fit between %lx and the "
			      "hypervisor; use another kernel or less dom0_mem=\n", l->v_start);
		if (nr_tables(l->v_start, l->v_end) + 1 <= l->nr_tables)
			return;
	}
}

/* The p2m at an address of its own, with tables of its own. */
static void __init place_outer_p2m(struct dom0 *b, unsigned long p2m_bytes)
{
	struct layout *l = &b->layout;
	unsigned long start = b->kernel.p2m_base, end = start + p2m_bytes;

	l->p2m = start;
	if (start & (GB(1) - 1) || !guest_range(start, end) ||
	    (l->v_start >> 39) == (start >> 39) || (l->v_start >> 39) == ((end - 1) >> 39))
		panic("dom0's kernel wants its frame list at %lx, where it cannot be\n", start);
	l->nr_p2m_tables = nr_tables(start, end);
	l->nr_p2m_frames = l->nr_p2m_tables + p2m_bytes / PAGE_SIZE;
}

void __init dom0_lay_out(struct dom0 *b)
{
	struct layout *l = &b->layout;
	const struct kernel_image *k = &b->kernel;
	unsigned long at = ROUNDUP(k->kernel_end, PAGE_SIZE);
	unsigned long p2m_bytes = ROUNDUP(b->nr_pages * sizeof(unsigned long), PAGE_SIZE);
	unsigned long initrd_pages = PFN_UP(b->initrd_size);

	l->v_start = k->virt_base;
	if (b->initrd_size && !k->mod_start_pfn) {
		l->initrd = at;
		at += initrd_pages << PAGE_SHIFT;
	}
	if (k->p2m_base == UNSET_ADDR) {
		l->p2m = at;
		at += p2m_bytes;
	} else {
		place_outer_p2m(b, p2m_bytes);
	}
	l->start_info = at;
	l->tables = at + PAGE_SIZE;
	place_tables(l);
	l->nr_initial = (l->v_end - l->v_start) >> PAGE_SHIFT;
	l->initrd_pfn = l->initrd ? (l->initrd - l->v_start) >> PAGE_SHIFT : l->nr_initial;
	l->p2m_pfn = l->nr_initial + (l->initrd ? 0 : initrd_pages);
	b->nr_frames = l->p2m_pfn + l->nr_p2m_frames;
	if (b->nr_frames > b->nr_pages)
		panic("Too little memory for dom0: its kernel and initrd need %lu MiB, it gets %lu; "
		      "see dom0_mem=\n",
		      (b->nr_frames >> 8) + 1, b->nr_pages >> 8);
	if (k->hypercall_page != UNSET_ADDR &&
	    (k->hypercall_page < k->kernel_start || k->hypercall_page >= k->kernel_end ||
	     k->hypercall_page & ~PAGE_MASK))
		panic("dom0's kernel has a wrong HYPERCALL_PAGE note (%lx)\n", k->hypercall_page);
}
