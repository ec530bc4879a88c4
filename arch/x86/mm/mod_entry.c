/* SPDX-License-Identifier: MIT */
/*
 * Changing one entry of a validated table, for every interface that does so.
 *
 * The table is locked, so only the CPU's accessed and dirty bits change under
 * us. The new entry's references are taken first, then the entry is written,
 * then the old one's are dropped; a failure changes nothing.
 *
 * Two short cuts, both equal in effect to the whole path: bits on which no
 * reference depends are just written, and a leaf that changes only its RW bit
 * besides keeps its general reference.
 */
#include "private.h"

/* How an entry is written. */
enum write_mode {
	WRITE_PLAIN,	/* A and D that the CPU sets meanwhile may be lost, as by any plain store */
	WRITE_KEEP_AD,	/* they stay set */
	WRITE_EXACT,	/* only if the entry is still what we saw */
};

/* False: WRITE_EXACT found it changed. */
static inline bool write_entry(pte_t *p, pte_t old, pte_t new, enum write_mode mode)
{
	if (likely(mode == WRITE_PLAIN)) {
		write_once(p->pte, new.pte);
		return true;
	}
	if (mode == WRITE_EXACT)
		return atomic_cmpxchg(&p->pte, old.pte, new.pte) == old.pte;
	for (;;) {
		uint64_t was = atomic_cmpxchg(&p->pte, old.pte,
					      new.pte | (old.pte & (PTE_ACCESSED | PTE_DIRTY)));

		if (was == old.pte)
			return true;
		old.pte = was;
	}
}

/* The leaf keeps its frame and attributes, RW apart. 0, -errno; 1: not a case for this path. */
static inline int flip_rw(pte_t *p, pte_t old, pte_t new, enum write_mode mode,
			  struct domain *pt_dom, struct domain *pg_dom)
{
	const mfn_t mfn = pte_mfn(new);
	struct page_info *pg;

	/* The old entry's reference keeps the owner. Foreign and device frames go the whole way. */
	if (!mfn_valid(mfn) || pg_dom != pt_dom || (new.pte & PTE_CACHE_ATTRS))
		return 1;
	pg = mfn_to_page(mfn);
	if (page_get_owner(pg) != pt_dom)
		return 1;
	if (new.pte & PTE_RW) {
		if (unlikely(get_writable_type(pg)))
			return -EBUSY;
		if (likely(write_entry(p, old, new, mode)))
			return 0;
		put_writable_type(pg);
		return -EAGAIN;
	}
	if (unlikely(!write_entry(p, old, new, mode)))
		return -EAGAIN;
	put_writable_type(pg);
	return 0;
}

static inline int change_leaf(pte_t *p, pte_t old, pte_t new, enum write_mode mode,
			      struct domain *pt_dom, struct domain *pg_dom)
{
	uint64_t diff;
	long flip;

	if (!pte_present(new)) {
		if (unlikely(!write_entry(p, old, new, mode)))
			return -EAGAIN;
		if (pte_present(old))
			put_leaf_refs(old, pt_dom);
		return 0;
	}

	if (unlikely(new.pte & pt_format[1].disallow))
		return -EINVAL;
	if (unlikely(new.pte & PTE_CACHE_ATTRS) && !may_set_cache_attrs(pt_dom))
		return -EINVAL;
	new = adjust_l1e(new);

	/* An absent old entry differs in PRESENT, which neither short cut allows. */
	diff = (old.pte ^ new.pte) & ~pt_format[1].fast;
	if (!diff)
		return write_entry(p, old, new, mode) ? 0 : -EAGAIN;
	if (diff == PTE_RW) {
		int rc = flip_rw(p, old, new, mode, pt_dom, pg_dom);

		if (likely(rc <= 0))
			return rc;
	}

	flip = get_leaf_refs(new, pt_dom, pg_dom);
	if (unlikely(flip)) {
		if (flip < 0)
			return (int)flip;
		new.pte ^= (uint64_t)flip;
	}
	if (unlikely(!write_entry(p, old, new, mode))) {
		put_leaf_refs(new, pt_dom);
		return -EAGAIN;
	}
	if (pte_present(old))
		put_leaf_refs(old, pt_dom);
	return 0;
}

int mod_l1_entry(pte_t *p, pte_t new, bool preserve_ad, struct domain *pt_dom,
		 struct domain *pg_dom)
{
	const pte_t old = { read_once(p->pte) };

	return change_leaf(p, old, new, preserve_ad ? WRITE_KEEP_AD : WRITE_PLAIN, pt_dom, pg_dom);
}

int cmpxchg_l1_entry(pte_t *p, pte_t old, pte_t new, struct domain *d)
{
	return change_leaf(p, old, new, WRITE_EXACT, d, d);
}

int mod_table_entry(pte_t *p, pte_t new, unsigned int level, bool preserve_ad, struct domain *d)
{
	const struct pt_format *f = &pt_format[level];
	const enum write_mode mode = preserve_ad ? WRITE_KEEP_AD : WRITE_PLAIN;
	const pte_t old = { read_once(p->pte) };

	if (unlikely(!is_guest_slot(level,
				    (unsigned int)((unsigned long)p / sizeof(*p) % PT_ENTRIES))))
		return -EINVAL;

	if (pte_present(new)) {
		int rc;

		if (unlikely(new.pte & f->disallow))
			return -EINVAL;
		new.pte |= f->set;
		if (!((old.pte ^ new.pte) & ~f->fast)) {
			(void)write_entry(p, old, new, mode);
			return 0;
		}
		rc = get_table_refs(new, level, d, true, false);
		if (unlikely(rc))
			return rc;
	}
	(void)write_entry(p, old, new, mode);
	if (pte_present(old))
		defer_table_put(mfn_to_page(pte_mfn(old)), false);
	return 0;
}
