/* SPDX-License-Identifier: MIT */
/*
 * Which pfn and which virtual address of a new PV guest holds what: the layout of <xen/xen.h>
 * ("Start-of-day memory layout") in the order in which Xen's builder has it. Sizes come from images
 * and configuration; sums that do not fit are found here, so that later steps only follow the
 * result.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

/* The ABI: at least that much is mapped behind the stack. */
#define SLACK		(512UL << 10)
/* 1 TiB: keeps every sum of page counts and byte counts far from overflow. */
#define PAGES_MAX	(1UL << 28)

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

/* Tables whose entries each map 1 << @shift bytes, for [start, end). */
static uint64_t tables_at(uint64_t start, uint64_t end, unsigned int shift)
{
	return ((end - 1) >> (shift + 9)) - (start >> (shift + 9)) + 1;
}

/* L1, L2 and L3 tables; the L4 is not counted. */
static uint64_t lower_tables(uint64_t start, uint64_t end)
{
	return tables_at(start, end, 12) + tables_at(start, end, 21) + tables_at(start, end, 30);
}

/* Tables map themselves, so their number is found by trying. -EINVAL: too few addresses. */
static int place_tables(struct guest_layout *layout)
{
	for (layout->nr_tables = 4; ; layout->nr_tables++) {
		layout->stack = layout->tables + layout->nr_tables * PAGE_BYTES;
		layout->v_end = round_up(layout->stack + PAGE_BYTES + SLACK, MIB(4));
		/* The very last page of the address space stays out too: v_end would be 0. */
		if (layout->v_end <= layout->tables)
			return -EINVAL;
		if (lower_tables(layout->v_start, layout->v_end) + 1 <= layout->nr_tables)
			return 0;
	}
}

/* Whether an address range is a guest's to use: canonical and not the hypervisor's. */
static bool usable(uint64_t start, uint64_t end)
{
	const uint64_t low_end = 1ULL << 47, hypervisor_end = 0xffff880000000000ULL;

	return end > start && (end <= low_end || start >= hypervisor_end);
}

/*
 * Whether the frame list can lie where the kernel's INIT_P2M note wants it. As with Xen's builder,
 * one that cannot is ignored: the kernel then finds the list in its initial mapping.
 */
static bool outer_p2m_possible(const struct guest_elf *elf, uint64_t bytes)
{
	uint64_t start = elf->p2m_base, end = start + bytes;

	return start != UNSET_ADDRESS && !(start & (PAGE_BYTES - 1)) && start < elf->virt_base &&
	       usable(start, end) && (end - 1) >> 39 < elf->virt_base >> 39;
}

static int too_small(struct tools_error *error, uint64_t need, uint64_t have)
{
	tools_fail(error, -E2BIG, "too-little-memory",
		   "the guest's kernel and ramdisk need %llu MiB, it gets %llu",
		   (unsigned long long)(need >> 8) + 1, (unsigned long long)have >> 8);
	return tools_hint(error, -E2BIG, "raise memory=, or use a smaller ramdisk");
}

/* Everything in the initial mapping, from the kernel's end on. */
static int place_initial(const struct guest_elf *elf, uint64_t ramdisk_bytes,
			 struct guest_layout *layout)
{
	uint64_t at = round_up(elf->end, PAGE_BYTES);

	layout->v_start = elf->virt_base;
	if (at < elf->end)
		return -EINVAL;
	if (ramdisk_bytes && !elf->mod_start_pfn) {
		layout->ramdisk = at;
		layout->ramdisk_pfn = guest_pfn(layout, at);
		at += pages_of(ramdisk_bytes) * PAGE_BYTES;
	}
	if (!layout->outer_p2m) {
		layout->p2m = at;
		layout->p2m_pfn = guest_pfn(layout, at);
		at += layout->nr_p2m_pages * PAGE_BYTES;
	}
	layout->start_info = at;
	layout->store = at + PAGE_BYTES;
	layout->console = at + 2 * PAGE_BYTES;
	layout->tables = at + 3 * PAGE_BYTES;
	if (layout->tables < elf->end || place_tables(layout) ||
	    !usable(layout->v_start, layout->v_end))
		return -EINVAL;
	return 0;
}

/* The ranges of pfns that the builder writes or clears. */
static void divide(const struct guest_elf *elf, uint64_t ramdisk_bytes, struct guest_layout *layout)
{
	struct guest_range *kernel = &layout->written[0], *rest = &layout->written[1];
	struct guest_range *high = &layout->written[2];

	kernel->first = guest_pfn(layout, elf->start);
	kernel->end = guest_pfn(layout, round_up(elf->file_end, PAGE_BYTES));
	rest->first = guest_pfn(layout, round_up(elf->end, PAGE_BYTES));
	rest->end = guest_pfn(layout, layout->stack);
	layout->cleared = (struct guest_range){ kernel->end, rest->first };
	high->first = high->end = guest_pfn(layout, layout->v_end);
	if (ramdisk_bytes && !layout->ramdisk) {
		layout->ramdisk_pfn = high->end;
		high->end += pages_of(ramdisk_bytes);
	}
	if (layout->outer_p2m) {
		layout->p2m_pfn = high->end;
		high->end += layout->nr_p2m_pages + layout->nr_p2m_tables;
	}
	layout->used = high->end;
}

int guest_lay_out(const struct guest_elf *elf, uint64_t nr_pages, uint64_t ramdisk_bytes,
		  struct guest_layout *layout, struct tools_error *error)
{
	uint64_t p2m_bytes = round_up(nr_pages * sizeof(xen_pfn_t), PAGE_BYTES);

	memset(layout, 0, sizeof(*layout));
	if (!nr_pages || nr_pages > PAGES_MAX)
		return tools_fail(error, -EINVAL, "bad-config",
				  "a guest cannot have %llu pages of memory",
				  (unsigned long long)nr_pages);
	if (pages_of(elf->end - elf->virt_base) + pages_of(ramdisk_bytes) > nr_pages)
		return too_small(error,
				 pages_of(elf->end - elf->virt_base) + pages_of(ramdisk_bytes),
				 nr_pages);
	layout->nr_pages = nr_pages;
	layout->nr_p2m_pages = p2m_bytes >> PAGE_BITS;
	layout->outer_p2m = outer_p2m_possible(elf, p2m_bytes);
	if (place_initial(elf, ramdisk_bytes, layout))
		return tools_fail(error, -EINVAL, "bad-image",
				  "the kernel, its ramdisk and frame list have no room in the "
				  "addresses from %#llx on", (unsigned long long)elf->virt_base);

	if (layout->outer_p2m) {
		layout->p2m = elf->p2m_base;
		layout->nr_p2m_tables = lower_tables(layout->p2m, layout->p2m + p2m_bytes);
	}
	divide(elf, ramdisk_bytes, layout);
	return layout->used > nr_pages ? too_small(error, layout->used, nr_pages) : 0;
}
