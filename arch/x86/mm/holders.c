/* SPDX-License-Identifier: MIT */
/*
 * Who maps a domain's memory, for a debug key: there is no way back from a frame to the entries that
 * name it, so all level 1 tables are looked through. Each frame is held meanwhile, but its type is not: a
 * table that ceases to be one is read as memory, and what it says is a count on a console.
 */
#include "private.h"

#include <arch/domain.h>

static void look_through(const struct page_info *table, const struct domain *d,
			 void (*each)(const struct domain *by, void *data), void *data)
{
	const pte_t *entries = mfn_to_virt(page_to_mfn(table));
	const struct domain *by = page_get_owner(table);

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*entries); i++) {
		const pte_t e = { .pte = read_once(entries[i].pte) };

		if (pte_present(e) && mfn_valid(pte_mfn(e)) &&
		    page_get_owner(mfn_to_page(pte_mfn(e))) == d)
			each(by, data);
	}
}

void arch_each_mapping(const struct domain *d, void (*each)(const struct domain *by, void *data),
		       void *data)
{
	for (unsigned long n = 0; n < max_page_nr(); n++) {
		struct page_info *pg = mfn_to_page(_mfn(n));
		const struct domain *by = page_get_owner(pg);

		if (!by || by == d || (read_once(pg->type_info) & (PGT_type_mask | PGT_validated)) !=
				      (PGT_l1_page_table | PGT_validated) || !get_page(pg, by))
			continue;
		look_through(pg, d, each, data);
		put_page(pg);
	}
}
