/* SPDX-License-Identifier: MIT */
/*
 * Walking a guest's tables in software, through the direct map.
 *
 * The base table is held by the vcpu; nothing below is locked, so another vcpu
 * may change an entry at any time. A table page found is therefore locked and
 * its owner and type checked before anything is done to it.
 */
#include "private.h"

pte_t *guest_leaf(const struct vcpu *v, unsigned long va, mfn_t *table)
{
	mfn_t t = v->arch.guest_table;
	pte_t e;

	if (unlikely(!guest_va_ok(va)) || unlikely(no_table(t)))
		return NULL;
	e.pte = read_once(((pte_t *)mfn_to_virt(t))[l4_index(va)].pte);
	if (unlikely(!pte_present(e)))
		return NULL;
	e.pte = read_once(((pte_t *)mfn_to_virt(pte_mfn(e)))[l3_index(va)].pte);
	if (unlikely((e.pte & (PTE_PRESENT | PTE_PSE)) != PTE_PRESENT))
		return NULL;
	e.pte = read_once(((pte_t *)mfn_to_virt(pte_mfn(e)))[l2_index(va)].pte);
	if (unlikely((e.pte & (PTE_PRESENT | PTE_PSE)) != PTE_PRESENT))
		return NULL;
	*table = pte_mfn(e);
	return (pte_t *)mfn_to_virt(*table) + l1_index(va);
}

bool guest_walk_l1e(struct vcpu *v, unsigned long va, pte_t *entry, mfn_t *table)
{
	const pte_t *p = guest_leaf(v, va, table);

	if (!p)
		return false;
	entry->pte = read_once(p->pte);
	return true;
}

struct page_info *get_locked_l1(mfn_t mfn, const struct domain *d)
{
	struct page_info *pg;

	if (unlikely(!mfn_valid(mfn)))
		return NULL;
	pg = mfn_to_page(mfn);
	if (unlikely(!get_page(pg, d)))
		return NULL;
	if (likely(page_lock(pg))) {
		if (likely((pg->type_info & PGT_type_mask) == PGT_l1_page_table))
			return pg;
		page_unlock(pg);
	}
	put_page(pg);
	return NULL;
}

void put_locked_l1(struct page_info *pg)
{
	page_unlock(pg);
	put_page(pg);
}
