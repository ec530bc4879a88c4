/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_update_va_mapping: sets the leaf that maps one of the caller's
 * addresses, and flushes as asked. The other-domain form maps a frame of
 * another domain.
 */
#include "private.h"

#include <core/hypercall.h>

/*
 * flags: the kind of flush in the low bits; above them where: local, all, or
 * the address of a vcpu bitmap.
 */
static int flush_after_update(unsigned long va, unsigned long flags, struct domain *d)
{
	const unsigned long type = flags & UVMF_FLUSHTYPE_MASK;
	const unsigned long where = flags & ~UVMF_FLUSHTYPE_MASK;
	cpumask_t mask;
	int rc = 0;

	if (type != UVMF_TLB_FLUSH && type != UVMF_INVLPG)
		return 0;
	if (where == UVMF_LOCAL) {
		if (type == UVMF_TLB_FLUSH)
			flush_tlb_local();
		else
			flush_tlb_one_local(va);
		return 0;
	}
	if (where == UVMF_ALL)
		mask = d->dirty_cpumask;
	else
		rc = vcpumask_to_pcpumask(d, where, &mask);
	if (rc)
		return rc;
	if (type == UVMF_TLB_FLUSH)
		flush_tlb_mask(&mask);
	else
		flush_tlb_one_mask(&mask, va);
	return 0;
}

static int update_va(unsigned long va, uint64_t val, unsigned long flags, struct domain *pg_owner)
{
	struct vcpu *curr = current;
	struct page_info *table;
	mfn_t mfn;
	pte_t *p;
	int rc;

	p = guest_leaf(curr, va, &mfn);
	if (unlikely(!p))
		return -EINVAL;
	table = get_locked_l1(mfn, curr->domain);
	if (unlikely(!table))
		return -EINVAL;
	rc = mod_l1_entry(p, (pte_t){ val }, false, curr->domain, pg_owner);
	log_dirty_page(table);
	put_locked_l1(table);

	if (unlikely(rc) || likely(!flags))
		return rc;
	return flush_after_update(va, flags, curr->domain);
}

DEFINE_HYPERCALL(update_va_mapping)
{
	return update_va(a1, a2, a3, current->domain);
}

DEFINE_HYPERCALL(update_va_mapping_otherdomain)
{
	struct domain *pg_owner = get_pg_owner((domid_t)a4);

	if (!pg_owner)
		return -ESRCH;
	if (pg_owner != dom_io && mm_permitted(pg_owner))
		return -EPERM;
	return update_va(a1, a2, a3, pg_owner);
}
