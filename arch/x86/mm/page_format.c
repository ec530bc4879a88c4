/* SPDX-License-Identifier: MIT */
/*
 * The flag rules of page-table entries, as a table: every check of a guest's
 * entry, on fast and slow paths alike, reads these masks and no others.
 *
 * Levels 2 to 4 name tables only: the page-size bit, cache attributes and the
 * global bit are refused (Xen 4.17 refuses them too). A table's RW bit takes
 * part in no reference since a table is never mapped by itself (linear tables
 * are refused), so it may change freely there; in a leaf it may not.
 */
#include "private.h"

#define ANY_LEVEL	(PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_AVAIL | \
			 PTE_AVAIL_HIGH | PTE_NX)
#define FAST_LEAF	(PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_AVAIL | \
			 PTE_AVAIL_HIGH | PTE_NX)
#define FAST_TABLE	(FAST_LEAF | PTE_RW)

const struct pt_format pt_format[6] = {
	/* Cache attributes of leaves: see may_set_cache_attrs(). */
	[1] = {
		.disallow = PTE_FLAGS_MASK & ~(ANY_LEVEL | PTE_GLOBAL | PTE_CACHE_ATTRS),
		.fast = FAST_LEAF,
		.child = PGT_none,
	},
	[2] = {
		.disallow = PTE_FLAGS_MASK & ~ANY_LEVEL,
		.fast = FAST_TABLE,
		.set = PTE_USER,
		.child = PGT_l1_page_table,
	},
	[3] = {
		.disallow = PTE_FLAGS_MASK & ~ANY_LEVEL,
		.fast = FAST_TABLE,
		.set = PTE_USER,
		.child = PGT_l2_page_table,
	},
	/* Accessed is set so that a copy of an L4 never differs from the guest's in that bit. */
	[4] = {
		.disallow = PTE_FLAGS_MASK & ~ANY_LEVEL,
		.fast = FAST_TABLE,
		.set = PTE_USER | PTE_ACCESSED,
		.child = PGT_l3_page_table,
	},
	[5] = { .child = PGT_l4_page_table },
};
