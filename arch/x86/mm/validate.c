/* SPDX-License-Identifier: MIT */
/*
 * The contents of page tables: taking and giving back the references that the
 * entries of a table stand for, entry by entry.
 *
 * One walker serves all levels. A leaf (level 1) refers to a frame of memory,
 * with a writable type reference if it is writable; an entry above refers to a
 * table of the level below, with a type reference of that level, so validating
 * a top-level table validates the tree under it. Trees are shared: a table that
 * is validated already costs one more reference and no look inside.
 *
 * Preemption: a leaf table is done in one go (512 entries); above, the walker
 * polls after each entry that made work and notes its position in the page.
 */
#include "private.h"

#include <core/hypercall.h>
#include <x86/pv.h>
#include <x86/rangeset.h>

/* Made by arch_mm_init(). */
struct rangeset *mmio_ro_ranges;

/* ---- Leaves ---- */

/* A frame that is not in the frame table, or belongs to DOMID_IO: rights are ranges of frames. */
static long get_device_leaf(pte_t e, struct domain *pt_dom, struct domain *pg_dom)
{
	const unsigned long mfn = mfn_x(pte_mfn(e));
	const bool nowhere = mfn == (PTE_ADDR_MASK >> PAGE_SHIFT);
	long flip = 0;

	/* DOMID_IO stands for the caller's own rights. */
	if (pg_dom == dom_io)
		pg_dom = current->domain;
	if (!iomem_permitted(pg_dom, mfn) || (pg_dom != pt_dom && !iomem_permitted(pt_dom, mfn)))
		return nowhere ? -EINVAL : -EPERM;

	if ((e.pte & PTE_RW) && mmio_ro_ranges && rangeset_contains(mmio_ro_ranges, mfn, mfn))
		flip = PTE_RW;
	/* Write-back and write-through are turned into uncached. */
	switch (e.pte & PTE_CACHE_ATTRS) {
	case 0:
		return flip | PTE_PWT | PTE_PCD;
	case PTE_PWT:
	case PTE_PWT | PTE_PAT:
		return flip | PTE_PCD | (long)(e.pte & PTE_PAT);
	default:
		return flip;
	}
}

long get_leaf_refs(pte_t e, struct domain *pt_dom, struct domain *pg_dom)
{
	const mfn_t mfn = pte_mfn(e);
	struct page_info *pg;
	struct domain *owner;

	if (unlikely(e.pte & PTE_CACHE_ATTRS) && !may_set_cache_attrs(pt_dom))
		return -EINVAL;
	if (unlikely(!mfn_valid(mfn)))
		return get_device_leaf(e, pt_dom, pg_dom);

	pg = mfn_to_page(mfn);
	owner = page_get_owner_and_reference(pg);
	if (unlikely(owner == dom_io)) {
		put_page(pg);
		return get_device_leaf(e, pt_dom, pg_dom);
	}
	if (unlikely(owner != pg_dom)) {
		if (!owner)
			return -EBUSY;
		/*
		 * A control domain that is named as owner lends its right to
		 * map any domain's memory.
		 */
		if (pg_dom == pt_dom || !pg_dom->is_privileged)
			goto busy;
	}
	if ((e.pte & PTE_RW) && unlikely(get_writable_type(pg)))
		goto busy;
	if (likely(!(e.pte & PTE_CACHE_ATTRS)) || !(pg->count_info & (PGC_xen_heap | PGC_extra)))
		return 0;

	/* Memory that we use too stays cached. */
	if (e.pte & PTE_RW)
		put_writable_type(pg);
	put_page(pg);
	return -EACCES;

busy:
	put_page(pg);
	return -EBUSY;
}

/*
 * A writable mapping of another's page goes by itself, not by a grant unmap. Its
 * owner may now make it a table, and that flushes the owner's CPUs only: ours
 * must not find the old translation any more, unless they have flushed since
 * `since`, when nobody could reach the entry any more (0: just now). Control
 * domains are trusted to flush for themselves. What was written by this mapping
 * no fault has told: the page counts as written.
 */
static __noinline void foreign_leaf_goes(const struct domain *pt_dom, const struct page_info *pg,
					 uint32_t since)
{
	cpumask_t mask;

	if (!pt_dom->is_privileged) {
		smp_mb();	/* who loads the tables from now on finds the entry gone, or is in the mask */
		mask = pt_dom->dirty_cpumask;
		tlbflush_filter(&mask, since);
		if (!cpumask_empty(&mask))
			flush_tlb_mask(&mask);
	}
	log_dirty_page(pg);
}

static inline void put_leaf(pte_t e, const struct domain *pt_dom, uint32_t since)
{
	const mfn_t mfn = pte_mfn(e);
	const struct domain *owner;
	struct page_info *pg;

	/* Device memory has no counts; the mapping's reference keeps any other frame's owner. */
	if (unlikely(!mfn_valid(mfn)))
		return;
	pg = mfn_to_page(mfn);
	owner = page_get_owner(pg);
	if (unlikely(owner == dom_io))
		return;
	if (e.pte & PTE_RW) {
		if (unlikely(owner != pt_dom))
			foreign_leaf_goes(pt_dom, pg, since);
		put_writable_type(pg);
	}
	put_page(pg);
}

void put_leaf_refs(pte_t e, const struct domain *pt_dom)
{
	put_leaf(e, pt_dom, 0);
}

/* ---- Entries that name tables ---- */

int get_table_refs(pte_t e, unsigned int level, struct domain *d, bool preemptible, bool retain)
{
	const mfn_t mfn = pte_mfn(e);
	struct page_info *pg;
	int rc;

	if (unlikely(!mfn_valid(mfn)))
		return -EINVAL;
	pg = mfn_to_page(mfn);
	if (unlikely(!get_page(pg, d)))
		return -EINVAL;
	rc = page_type_get(pg, pt_format[level].child, preemptible);
	if (likely(!rc) || (retain && rc == -ERESTART))
		return rc;
	/* A failed table that is left to put_old_guest_table() took our reference. */
	if (pg != current->arch.old_guest_table)
		put_page(pg);
	return rc;
}

/*
 * As get_table_refs for the entry at which its table stopped: the general
 * reference is there already.
 */
static int get_table_again(pte_t e, unsigned int level, bool preemptible)
{
	return page_type_get(mfn_to_page(pte_mfn(e)), pt_format[level].child, preemptible);
}

static int put_table_refs(pte_t e, bool partial, bool preemptible)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));
	int rc = page_type_put(pg, partial, preemptible);

	if (likely(!rc))
		put_page(pg);
	return rc;
}

/* ---- Leaf tables ---- */

/* Eight entries at a time: most of a sparse table is passed over without looking at each. */
static inline bool none_present(const pte_t *t)
{
	return !((t[0].pte | t[1].pte | t[2].pte | t[3].pte |
		  t[4].pte | t[5].pte | t[6].pte | t[7].pte) & PTE_PRESENT);
}

/* Gives back what entries [0, n) of a table of d's hold; no other table names it any more. */
static void invalidate_leaves(pte_t *t, unsigned int n, const struct domain *d)
{
	const uint32_t since = tlbflush_current_time();

	for (unsigned int i = 0; i < n; i += 8) {
		if (none_present(t + i))
			continue;
		for (unsigned int k = i; k < i + 8 && k < n; k++)
			if (pte_present(t[k]))
				put_leaf(t[k], d, since);
	}
}

static int validate_leaf(pte_t *p, struct domain *d)
{
	long flip;

	if (unlikely(p->pte & pt_format[1].disallow))
		return -EINVAL;
	flip = get_leaf_refs(*p, d, d);
	if (unlikely(flip < 0))
		return (int)flip;
	p->pte ^= (uint64_t)flip;
	*p = adjust_l1e(*p);
	return 0;
}

static int validate_leaves(struct page_info *pg)
{
	struct domain *d = page_get_owner(pg);
	pte_t *t = page_to_virt(pg);

	for (unsigned int i = 0; i < PT_ENTRIES; i += 8) {
		if (none_present(t + i))
			continue;
		for (unsigned int k = i; k < i + 8; k++) {
			int rc = pte_present(t[k]) ? validate_leaf(t + k, d) : 0;

			if (unlikely(rc)) {
				invalidate_leaves(t, k, d);
				return rc;
			}
		}
	}
	return 0;
}

/* ---- Tables of level 2 to 4 ---- */

/* Notes that a walk stopped before entry i, which holds a general reference if partial_set. */
static void note_position(struct page_info *pg, unsigned int i, bool partial_set)
{
	pg->nr_validated = (uint16_t)i;
	pg->partial_flags = partial_set ? PARTIAL_SET : 0;
}

static int validate_table_entry(pte_t *p, unsigned int level, struct domain *d, bool again,
				bool preemptible)
{
	const pte_t e = *p;
	int rc;

	if (unlikely(e.pte & pt_format[level].disallow))
		return -EINVAL;
	rc = again ? get_table_again(e, level, preemptible) :
		     get_table_refs(e, level, d, preemptible, true);
	if (!rc)
		p->pte = e.pte | pt_format[level].set;
	return rc;
}

/*
 * Entry i could not be taken, or we were preempted there. `again` says whether
 * it held a general reference when this call began.
 */
static int stop_validation(struct page_info *pg, unsigned int i, int rc, bool again, bool *residue)
{
	struct arch_vcpu *a = &current->arch;
	const pte_t *t = page_to_virt(pg);

	if (rc == -ERESTART) {
		note_position(pg, i, true);
		return rc;
	}
	if (rc == -EINTR) {
		note_position(pg, i, again);
		return i || again ? -ERESTART : -EINTR;
	}
	/*
	 * The entry's table is itself waiting to be cleaned up: that becomes
	 * part of our own clean-up.
	 */
	if (a->old_guest_table && a->old_guest_table == mfn_to_page(pte_mfn(t[i]))) {
		a->old_guest_table = NULL;
		again = true;
	}
	note_position(pg, i, again);
	*residue = i || again;
	return rc;
}

static int validate_tables(struct page_info *pg, unsigned int level, bool preemptible,
			   bool *residue)
{
	struct domain *d = page_get_owner(pg);
	pte_t *t = page_to_virt(pg);
	bool again = pg->partial_flags & PARTIAL_SET;
	bool worked = false;

	for (unsigned int i = pg->nr_validated; i < PT_ENTRIES; i++) {
		int rc;

		if (!pte_present(t[i]) || !is_guest_slot(level, i)) {
			if (!(i & 7))
				while (i + 8 < PT_ENTRIES && none_present(t + i))
					i += 8;
			if (!pte_present(t[i]) || !is_guest_slot(level, i))
				continue;
		}
		if (worked && preemptible && hypercall_preempt_check())
			rc = -EINTR;
		else
			rc = validate_table_entry(t + i, level, d, again, preemptible);
		if (unlikely(rc))
			return stop_validation(pg, i, rc, again, residue);
		worked = true;
		again = false;
	}
	if (level == 4)
		init_guest_l4_slots(t);
	return 0;
}

static int invalidate_tables(struct page_info *pg, unsigned int level, bool preemptible)
{
	const pte_t *t = page_to_virt(pg);
	const bool resumed = pg->nr_validated < PT_ENTRIES || pg->partial_flags;
	bool again = pg->partial_flags & PARTIAL_SET;
	bool worked = false;

	for (int i = (int)pg->nr_validated - !again; i >= 0; i--) {
		int rc;

		if ((i & 7) == 7)
			while (i > 7 && none_present(t + i - 7))
				i -= 8;
		if (!pte_present(t[i]) || !is_guest_slot(level, (unsigned int)i))
			continue;
		if (worked && preemptible && hypercall_preempt_check())
			rc = -EINTR;
		else
			rc = put_table_refs(t[i], again, preemptible);
		if (unlikely(rc == -ERESTART)) {
			note_position(pg, (unsigned int)i, true);
			return rc;
		}
		if (unlikely(rc)) {
			/* Entry i is as it was: valid, or still partial. */
			note_position(pg, again ? (unsigned int)i : (unsigned int)i + 1, again);
			return worked || resumed ? -ERESTART : -EINTR;
		}
		worked = true;
		again = false;
	}
	return 0;
}

/* ---- What page_type.c calls ---- */

int table_validate(struct page_info *pg, unsigned int level, bool preemptible, bool *residue)
{
	if (level == 1)
		return validate_leaves(pg);
	return validate_tables(pg, level, preemptible, residue);
}

int table_invalidate(struct page_info *pg, unsigned int level, bool preemptible)
{
	if (level > 1)
		return invalidate_tables(pg, level, preemptible);
	invalidate_leaves(page_to_virt(pg), PT_ENTRIES, page_get_owner(pg));
	return 0;
}

int validate_seg_desc_page(struct page_info *pg)
{
	uint64_t *desc = page_to_virt(pg);

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*desc); i++)
		if (!pv_fix_descriptor(desc + i))
			return -EINVAL;
	return 0;
}
