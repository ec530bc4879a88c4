/* SPDX-License-Identifier: MIT */
/*
 * The first page tables of a PV guest, and its frame list. Tables lie in one run of pfns: the L4,
 * then the L3, L2 and L1 tables of the initial mapping, which maps them read-only. A frame list
 * outside of that mapping has its own run, hung into the same L4, and is followed by those tables.
 */
#include <string.h>
#include "private.h"

#define PTE_PRESENT	0x001UL
#define PTE_RW		0x002UL
#define PTE_USER	0x004UL
#define PTE_ACCESSED	0x020UL
#define PTE_DIRTY	0x040UL

/* What Xen's builder uses; the hypervisor adds to it what PV needs. */
#define LEAF		(PTE_PRESENT | PTE_RW | PTE_ACCESSED)
#define INNER		(PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

/* One level of a mapping: entries of 1 << shift bytes for [start, end). */
struct level {
	uint64_t start, end;
	unsigned int shift;
	xen_pfn_t table;	/* the first table of this level */
	xen_pfn_t child;	/* what the entry for @start points to; the next ones follow */
	uint64_t flags;
};

static void fill_level(const struct guest_memory *memory, const struct level *level)
{
	uint64_t first = level->start >> level->shift, last = (level->end - 1) >> level->shift;
	const xen_pfn_t *child = &memory->p2m[level->child];
	uint64_t at = first;

	while (at <= last) {
		uint64_t *table = guest_memory_page(memory,
						    level->table + (at >> 9) - (first >> 9));
		uint64_t stop = (at | 511) < last ? at | 511 : last;

		for (; at <= stop; at++)
			table[at & 511] = *child++ << PAGE_BITS | level->flags;
	}
}

static uint64_t table_count(uint64_t start, uint64_t end, unsigned int shift)
{
	return ((end - 1) >> (shift + 9)) - (start >> (shift + 9)) + 1;
}

/* The tables from @table on, under the L4 at @top, that map [start, end) to pfns from @page on. */
static void map_range(const struct guest_memory *memory, uint64_t start, uint64_t end,
		      xen_pfn_t top, xen_pfn_t table, xen_pfn_t page)
{
	xen_pfn_t l2 = table + table_count(start, end, 30), l1 = l2 + table_count(start, end, 21);
	const struct level levels[] = {
		{ start, end, 39, top, table, INNER },
		{ start, end, 30, table, l2, INNER },
		{ start, end, 21, l2, l1, INNER },
		{ start, end, 12, l1, page, LEAF },
	};

	for (unsigned int i = 0; i < 4; i++)
		fill_level(memory, &levels[i]);
}

void guest_fill_tables(const struct guest_memory *memory)
{
	const struct guest_layout *layout = memory->layout;
	xen_pfn_t tables = guest_pfn(layout, layout->tables);
	struct level own;

	memset(guest_memory_page(memory, tables), 0, layout->nr_tables * PAGE_BYTES);
	map_range(memory, layout->v_start, layout->v_end, tables, tables + 1, 0);
	/* Once more where the tables map themselves. */
	own = (struct level){
		.start = layout->tables, .end = layout->stack, .shift = 12, .child = tables,
		.flags = LEAF & ~PTE_RW,
	};
	own.table = tables + 1 + table_count(layout->v_start, layout->v_end, 30) +
		    table_count(layout->v_start, layout->v_end, 21) +
		    (layout->tables >> 21) - (layout->v_start >> 21);
	fill_level(memory, &own);

	memcpy(guest_memory_page(memory, layout->p2m_pfn), memory->p2m,
	       layout->nr_pages * sizeof(*memory->p2m));
	/* The list's last page is filled up with no frame at all. */
	memset((uint8_t *)guest_memory_page(memory, layout->p2m_pfn) +
	       layout->nr_pages * sizeof(*memory->p2m), 0xff,
	       layout->nr_p2m_pages * PAGE_BYTES - layout->nr_pages * sizeof(*memory->p2m));
	if (!layout->outer_p2m)
		return;
	memset(guest_memory_page(memory, layout->p2m_pfn + layout->nr_p2m_pages), 0,
	       layout->nr_p2m_tables * PAGE_BYTES);
	map_range(memory, layout->p2m, layout->p2m + layout->nr_p2m_pages * PAGE_BYTES, tables,
		  layout->p2m_pfn + layout->nr_p2m_pages, layout->p2m_pfn);
}
