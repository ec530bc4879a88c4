/* SPDX-License-Identifier: MIT */
/*
 * General references: who owns a frame, and that it is not freed meanwhile.
 *
 * count_info has one count for the owner's own claim (PGC_allocated) and one
 * for each use: a mapping, a base pointer, a lookup in progress. The page is
 * freed by whoever drops the last. A page with a reference keeps its owner, so
 * the owner may be compared after the reference was taken.
 */
#include "private.h"

struct domain *page_get_owner_and_reference(struct page_info *pg)
{
	unsigned long x, y = read_once(pg->count_info);

	do {
		x = y;
		/* as in get_page_hot() */
		if (unlikely(((x + 2) & PGC_count_mask) <= 2))
			return NULL;
	} while (unlikely((y = atomic_cmpxchg(&pg->count_info, x, x + 1)) != x));
	return page_get_owner(pg);
}

bool get_page(struct page_info *pg, const struct domain *d)
{
	return get_page_hot(pg, d);
}

void get_page_again(struct page_info *pg)
{
	unsigned long now = atomic_add_return(&pg->count_info, 1);

	BUG_ON((now & PGC_count_mask) <= 1);
}

/* The last reference to a page of ours that was shared with d: it is d's no more. */
static void release_shared_page(struct page_info *pg)
{
	struct domain *d = page_get_owner(pg);
	bool last;

	spin_lock(&d->page_alloc_lock);
	page_list_del(pg, &d->xenpage_list);
	last = --d->xenheap_pages == 0;
	spin_unlock(&d->page_alloc_lock);
	if (last)
		domain_put(d);
}

void put_page(struct page_info *pg)
{
	put_page_hot(pg);
}

/* The count is zero: the page goes back to whom it came from. */
void put_last_ref(struct page_info *pg)
{
	if (unlikely(pg->count_info & PGC_xen_heap))
		release_shared_page(pg);
	else
		free_domheap_page(pg);
}

void share_xen_page_with_guest(struct page_info *pg, struct domain *d, enum share_mode mode)
{
	if ((pg->count_info & PGC_allocated) && page_get_owner(pg) == d)
		return;
	set_gpfn_from_mfn(page_to_mfn(pg), INVALID_M2P_ENTRY);

	spin_lock(&d->page_alloc_lock);
	/* The type reference that is never dropped pins it as writable, or as never writable. */
	pg->type_info = (mode == SHARE_ro ? PGT_none : PGT_writable_page) | PGT_validated | 1;
	page_set_owner(pg, d);
	smp_wmb();	/* owner before the count that lets others take references */
	if (d->is_dying == DOMDYING_alive) {
		pg->count_info = PGC_xen_heap | PGC_allocated | 1;
		page_list_add_tail(pg, &d->xenpage_list);
		if (d->xenheap_pages++ == 0)
			(void)domain_get(d);
	}
	spin_unlock(&d->page_alloc_lock);
}

int unshare_xen_page(struct page_info *pg, struct domain *d)
{
	const unsigned long unused = PGC_xen_heap | PGC_allocated | 1;

	if (page_get_owner(pg) != d)
		return -EINVAL;
	/* From here on nobody can take a reference. */
	if (atomic_cmpxchg(&pg->count_info, unused, PGC_xen_heap) != unused)
		return -EBUSY;
	pg->type_info = 0;
	release_shared_page(pg);
	page_set_owner(pg, NULL);
	return 0;
}

int steal_page(struct domain *d, struct page_info *pg, unsigned int memflags)
{
	const unsigned long mask = PGC_count_mask | PGC_allocated;
	unsigned long x, y;

	/* A reference of our own, so that it stays what it is while we look. */
	if (!get_page(pg, d))
		return -EINVAL;
	y = read_once(pg->count_info);
	do {
		x = y;
		/* Exactly two: ours and the owner's. A typed or mapped page has more. */
		if ((x & mask) != (2 | PGC_allocated) || (x & (PGC_xen_heap | PGC_extra))) {
			put_page(pg);
			return -EINVAL;
		}
	} while ((y = atomic_cmpxchg(&pg->count_info, x, x & ~mask)) != x);

	/* No count, so nobody can get at it any more. */
	spin_lock(&d->page_alloc_lock);
	BUG_ON(pg->type_info & (PGT_count_mask | PGT_locked | PGT_pinned));
	pg->type_info = 0;
	page_list_del(pg, &d->page_list);
	x = 1;
	if (!(memflags & MEMF_no_refcount))
		x = domain_adjust_tot_pages(d, -1);
	page_set_owner(pg, NULL);
	spin_unlock(&d->page_alloc_lock);
	if (!x)
		domain_put(d);
	return 0;
}
