/* SPDX-License-Identifier: MIT */
/*
 * Who owns the frames that are not guest memory, set up once; and the page
 * types of dom0's first page tables.
 *
 * DOMID_IO owns what is not RAM and the first MiB: guests map such frames by
 * right to the range, without counts. DOMID_XEN owns the machine-to-physical
 * table, read-only, so that tools can map it. The rest of the hypervisor has no
 * owner, and so can be mapped by nobody.
 */
#include "private.h"

#include <x86/boot_info.h>
#include <x86/rangeset.h>

#define FIRST_MIB	(MB(1) >> PAGE_SHIFT)
#define M2P_CHUNK	(1UL << 21)

static void __init give_to_io(unsigned long mfn)
{
	struct page_info *pg = mfn_to_page(_mfn(mfn));

	BUG_ON((pg->count_info & PGC_state_mask) == PGC_state_free);
	set_gpfn_from_mfn(_mfn(mfn), INVALID_M2P_ENTRY);
	/* The type reference that is never dropped pins it as writable. */
	pg->type_info = PGT_writable_page | PGT_validated | 1;
	page_set_owner(pg, dom_io);
	pg->count_info = PGC_allocated | 1;
}

/* Frames below max_page that no RAM region of the memory map covers as a whole. */
static void __init give_holes_to_io(void)
{
	unsigned long next = FIRST_MIB;

	for (unsigned long mfn = 0; mfn < min(FIRST_MIB, max_page); mfn++)
		give_to_io(mfn);
	for (unsigned int i = 0; i < boot_info.nr_e820; i++) {
		const struct e820_entry *e = &boot_info.e820[i];
		unsigned long start = PFN_UP(e->addr), end = PFN_DOWN(e->addr + e->size);

		/* Bad RAM is nobody's: not even mapped as a device. */
		if ((e->type != E820_RAM && e->type != E820_UNUSABLE) || start >= end)
			continue;
		for (; next < min(start, max_page); next++)
			give_to_io(next);
		next = max(next, end);
	}
	for (; next < max_page; next++)
		give_to_io(next);
}

static void __init give_m2p_to_xen(void)
{
	for (unsigned long at = 0; at < max_page * sizeof(unsigned long); at += M2P_CHUNK) {
		mfn_t mfn = hyp_va_to_mfn(RW_M2P_START + at);

		BUG_ON(mfn_eq(mfn, INVALID_MFN));
		for (unsigned long i = 0; i < PFN_DOWN(M2P_CHUNK); i++)
			share_xen_page_with_guest(mfn_to_page(mfn_add(mfn, i)), dom_xen, SHARE_ro);
	}
}

void __init arch_mm_init(void)
{
	mmio_ro_ranges = rangeset_new();
	if (!mmio_ro_ranges)
		panic("No memory for the list of read-only device memory");
	give_holes_to_io();
	give_m2p_to_xen();
}

void __init mm_dom0_set_types(struct domain *d, mfn_t l4)
{
	struct page_info *pg = mfn_to_page(l4);
	int rc;

	BUG_ON(!get_page(pg, d));
	rc = page_type_get(pg, PGT_l4_page_table, false);
	if (rc)
		panic("dom0's first page tables are refused: %d", rc);
	(void)test_and_set_pinned(pg);
}
