/* SPDX-License-Identifier: MIT */
/*
 * dom0's frames: first those behind the initial mapping, the initrd and the p2m,
 * with the page tables that map them, then the rest. All RAM is in the direct
 * map, so nothing here runs on dom0's own tables.
 */
#include <core/lib.h>
#include <core/softirq.h>
#include <arch/map.h>
#include <x86/boot_info.h>
#include <x86/mm.h>
#include "dom0_memory.h"

#define LEAF_FLAGS	(PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_GUEST_KERNEL)
#define TABLE_FLAGS	(PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

void *__init dom0_pointer(const struct dom0 *b, unsigned long va)
{
	char *page = mfn_to_virt(_mfn(b->frames[(va - b->layout.v_start) >> PAGE_SHIFT]));

	return page + (va & ~PAGE_MASK);
}

/* The largest block of at most nr pages that the heap has; *got its size. */
static mfn_t __init take_block(struct domain *d, unsigned long nr, unsigned long *got)
{
	static unsigned int last_order __initdata = MAX_ORDER;
	unsigned int order = min(63 - (unsigned int)__builtin_clzl(nr), last_order);

	for (;; order--) {
		struct page_info *pg = alloc_domheap_pages(d, order, MEMF_no_scrub);

		if (pg) {
			last_order = max(order, 9u);
			*got = 1UL << order;
			return page_to_mfn(pg);
		}
		if (!order)
			panic("Out of memory for dom0: %lu more pages were promised; use less dom0_mem=\n",
			      nr);
	}
}

static void __init take_frames(struct dom0 *b, unsigned long pfn, unsigned long nr)
{
	while (nr) {
		unsigned long got;
		mfn_t m = take_block(b->d, nr, &got);

		for (unsigned long i = 0; i < got; i++)
			b->frames[pfn + i] = mfn_x(m) + i;
		pfn += got;
		nr -= got;
	}
}

/* Copies into pfns from `pfn` on, `offset` bytes into the first. */
static void __init copy_in(struct dom0 *b, unsigned long pfn, unsigned long offset,
			   const uint8_t *src, size_t len)
{
	while (len) {
		size_t n = min(len, PAGE_SIZE - offset);
		char *page = mfn_to_virt(_mfn(b->frames[pfn]));

		if (n == PAGE_SIZE && !((unsigned long)src & 7))
			copy_page(page, src);
		else
			memcpy(page + offset, src, n);
		src += n;
		len -= n;
		pfn++;
		offset = 0;
	}
}

/*
 * The initrd's frames become dom0's as they are, if they are whole pages above
 * the first MiB; else it is copied (true).
 */
static bool __init place_initrd(struct dom0 *b)
{
	const struct boot_module *m = &b->bi->modules[1];
	unsigned long pfn = b->layout.initrd_pfn, nr = PFN_UP(b->initrd_size);
	char *data = mfn_to_virt(_mfn(0));

	if (!nr)
		return false;
	data += m->start;
	if (m->start & ~PAGE_MASK || m->start < MB(1)) {
		take_frames(b, pfn, nr);
		copy_in(b, pfn, 0, (const uint8_t *)data, m->size);
		return true;
	}
	memset(data + m->size, 0, (nr << PAGE_SHIFT) - m->size);
	for (unsigned long i = 0; i < nr; i++) {
		mfn_t mfn = mfn_add(paddr_to_mfn(m->start), i);

		if (assign_pages(mfn_to_page(mfn), 0, b->d, 0))
			panic("dom0's initrd (%zu MiB) does not fit into dom0_mem=\n",
			      m->size >> 20);
		b->frames[pfn + i] = mfn_x(mfn);
	}
	return false;
}

static void __init load_segments(struct dom0 *b)
{
	unsigned long va;
	const uint8_t *data;
	size_t filesz, memsz;

	for (unsigned int n = 0; kernel_segment(&b->kernel, n, &va, &data, &filesz, &memsz); n++) {
		unsigned long offset = va - b->layout.v_start, zero = va + filesz, end = va + memsz;

		copy_in(b, offset >> PAGE_SHIFT, offset & ~PAGE_MASK, data, filesz);
		while (zero < end) {
			size_t chunk = min(end - zero, PAGE_SIZE - (zero & ~PAGE_MASK));

			memset(dom0_pointer(b, zero), 0, chunk);
			zero += chunk;
		}
		process_pending_softirqs();
	}
}

/* Frames from which page tables are taken, one after the other. */
struct table_pool {
	const unsigned long *frames;
	unsigned long used, nr;
};

static unsigned long __init new_table(struct table_pool *pool)
{
	unsigned long mfn;

	BUG_ON(pool->used == pool->nr);
	mfn = pool->frames[pool->used++];
	clear_page(mfn_to_virt(_mfn(mfn)));
	return mfn;
}

/* Maps a page of dom0, with tables from the pool. */
static void __init map_page(struct dom0 *b, struct table_pool *pool, unsigned long va,
			    unsigned long mfn, uint64_t flags)
{
	pte_t *table = mfn_to_virt(b->l4);

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		pte_t *e = &table[(va >> shift) & 511];

		if (!pte_present(*e))
			*e = pte_make(_mfn(new_table(pool)), TABLE_FLAGS);
		table = mfn_to_virt(pte_mfn(*e));
	}
	table[l1_index(va)] = pte_make(_mfn(mfn), flags);
}

/* Page tables are mapped read-only, all else writable. */
static void __init map_initial(struct dom0 *b)
{
	const struct layout *l = &b->layout;
	unsigned long first = (l->tables - l->v_start) >> PAGE_SHIFT;
	struct table_pool pool = { .frames = &b->frames[first], .nr = l->nr_tables };

	b->l4 = _mfn(new_table(&pool));		/* pt_base is the L4 */
	for (unsigned long pfn = 0; pfn < l->nr_initial; pfn++) {
		bool is_table = pfn >= first && pfn < first + l->nr_tables;

		map_page(b, &pool, l->v_start + (pfn << PAGE_SHIFT), b->frames[pfn],
			 is_table ? LEAF_FLAGS & ~PTE_RW : LEAF_FLAGS);
	}
	/* Tables that rounding left over: empty pages, never referenced as tables. */
	while (pool.used < pool.nr)
		new_table(&pool);
}

static void __init map_outer_p2m(struct dom0 *b)
{
	const struct layout *l = &b->layout;
	const unsigned long *frames = &b->frames[l->p2m_pfn];
	struct table_pool pool = { .frames = frames, .nr = l->nr_p2m_tables };

	for (unsigned long i = l->nr_p2m_tables; i < l->nr_p2m_frames; i++)
		map_page(b, &pool, l->p2m + ((i - l->nr_p2m_tables) << PAGE_SHIFT), frames[i],
			 LEAF_FLAGS);
}

#define INVALID_P2M_ENTRY	(~0UL)

static unsigned long *__init p2m_entry(const struct dom0 *b, unsigned long pfn)
{
	const struct layout *l = &b->layout;
	unsigned long first = b->kernel.p2m_base == UNSET_ADDR ?
			      (l->p2m - l->v_start) >> PAGE_SHIFT : l->p2m_pfn + l->nr_p2m_tables;
	unsigned long *page = mfn_to_virt(_mfn(b->frames[first + pfn / 512]));

	return &page[pfn % 512];
}

static void __init set_p2m(const struct dom0 *b, unsigned long pfn, unsigned long mfn)
{
	*p2m_entry(b, pfn) = mfn;
	set_gpfn_from_mfn(_mfn(mfn), pfn);
}

static void __init take_the_rest(struct dom0 *b)
{
	unsigned long pfn, page_end = ROUNDUP(b->nr_pages, 512UL);

	for (pfn = 0; pfn < b->nr_frames; pfn++)
		set_p2m(b, pfn, b->frames[pfn]);
	for (unsigned long i = b->nr_pages; i < page_end; i++)
		*p2m_entry(b, i) = INVALID_P2M_ENTRY;
	while (pfn < b->nr_pages) {
		unsigned long got;
		mfn_t m = take_block(b->d, b->nr_pages - pfn, &got);

		for (unsigned long i = 0; i < got; i++)
			set_p2m(b, pfn + i, mfn_x(m) + i);
		pfn += got;
		process_pending_softirqs();
	}
}

bool __init dom0_populate(struct dom0 *b, const struct boot_module *kernel_module)
{
	const struct layout *l = &b->layout;
	unsigned long initrd_pages = PFN_UP(b->initrd_size);
	bool copied;

	b->frames = alloc_boot_pages(PFN_UP(b->nr_frames * sizeof(*b->frames)));
	if (!b->frames)
		panic("Out of memory for dom0's frame list\n");
	if (l->initrd) {
		take_frames(b, 0, l->initrd_pfn);
		take_frames(b, l->initrd_pfn + initrd_pages,
			    l->nr_initial - l->initrd_pfn - initrd_pages);
	} else {
		take_frames(b, 0, l->nr_initial);
	}
	copied = place_initrd(b);
	load_segments(b);
	if (b->kernel.buffer)
		free_boot_pages(b->kernel.buffer, b->kernel.buffer_pages);
	if (kernel_module)
		dom0_free_module(kernel_module);
	b->kernel.elf = NULL;

	map_initial(b);
	if (b->kernel.p2m_base != UNSET_ADDR) {
		take_frames(b, l->p2m_pfn, l->nr_p2m_frames);
		map_outer_p2m(b);
	}
	take_the_rest(b);
	return copied;
}

void __init dom0_free_scratch(struct dom0 *b)
{
	free_boot_pages(b->frames, PFN_UP(b->nr_frames * sizeof(*b->frames)));
}
