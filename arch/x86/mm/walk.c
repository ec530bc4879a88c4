/* SPDX-License-Identifier: MIT */
/*
 * Walking a guest's tables in software, through the direct map.
 *
 * The base table is held by the vcpu; nothing below is locked, so another vcpu
 * may change an entry at any time. A table page found is therefore locked and
 * its owner and type checked before anything is done to it.
 *
 * Interrupts are off on the way down: a table that loses its place meanwhile
 * cannot become something else, whose contents would be taken for entries,
 * before this CPU has flushed its TLB. As for the CPU's own walks, that is.
 */
#include "private.h"

/* Interrupts are off. */
static inline pte_t *walk_down(const struct vcpu *v, unsigned long va, mfn_t *table)
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

pte_t *guest_leaf(const struct vcpu *v, unsigned long va, mfn_t *table)
{
	pte_t *p;

	ASSERT(local_irq_is_enabled());
	local_irq_disable();
	p = walk_down(v, va, table);
	local_irq_enable();
	return p;
}

bool guest_walk_l1e(struct vcpu *v, unsigned long va, pte_t *entry, mfn_t *table)
{
	const pte_t *p = guest_leaf(v, va, table);

	if (!p)
		return false;
	entry->pte = read_once(p->pte);
	return true;
}
