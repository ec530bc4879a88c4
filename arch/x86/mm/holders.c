/* SPDX-License-Identifier: MIT */
/*
 * Who maps dying domains' memory, for a debug key: there is no way back from a frame to the entries that
 * name it, so level 1 tables are looked through, in one pass for all dying domains. Each frame is held
 * meanwhile, but its type is not: a table that ceases to be one is read as memory, and what it says is a
 * count on a console.
 */
#include "private.h"

#include <core/softirq.h>
#include <arch/domain.h>

#define FRAMES_AT_ONCE	16384UL		/* between two looks at other work: well below a millisecond */

static void look_through(const struct page_info *table,
			 void (*each)(const struct domain *by, const struct domain *dying, void *data),
			 void *data)
{
	const pte_t *entries = mfn_to_virt(page_to_mfn(table));
	const struct domain *by = page_get_owner(table), *d;

	for (unsigned int i = 0; i < PT_ENTRIES; i++) {
		const pte_t e = { .pte = read_once(entries[i].pte) };

		if (!pte_present(e) || !mfn_valid(pte_mfn(e)))
			continue;
		d = page_get_owner(mfn_to_page(pte_mfn(e)));
		if (d && d != by && d->is_dying != DOMDYING_alive)
			each(by, d, data);
	}
}

void arch_each_mapping(void (*each)(const struct domain *by, const struct domain *dying, void *data),
		       void *data)
{
	for (unsigned long n = 0; n < max_page_nr(); n++) {
		struct page_info *pg = mfn_to_page(_mfn(n));
		const struct domain *by = page_get_owner(pg);

		if (n % FRAMES_AT_ONCE == FRAMES_AT_ONCE - 1)
			process_pending_softirqs();
		if (!by || !by->is_privileged ||
		    (read_once(pg->type_info) & (PGT_type_mask | PGT_validated)) !=
			(PGT_l1_page_table | PGT_validated) || !get_page(pg, by))
			continue;
		look_through(pg, each, data);
		put_page(pg);
	}
}
