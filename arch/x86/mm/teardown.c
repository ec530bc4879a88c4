/* SPDX-License-Identifier: MIT */
/*
 * Taking a dead domain's memory back, in steps that may be preempted anywhere.
 *
 * Its base pointers go first. Then a pass over its memory looks only for tables:
 * a pinned one loses its pin, one that was left half checked is dissolved. After
 * it a page has no other reference than its owner's, unless somebody else (a
 * grant, a foreign mapping) has one, so the last pass frees whole runs at once,
 * and of the others drops the owner's reference: their last user frees them then.
 */
#include "private.h"

#include <core/hypercall.h>

/* Between two looks at what is pending: */
#define RUN_PAGES	64UL	/* freed */
#define LOOK_PAGES	256UL	/* looked at in search of tables */

enum { STEP_START, STEP_SHARED, STEP_EXTRA, STEP_TABLES, STEP_MEMORY, STEP_DONE };

/*
 * Undoes what the domain's own page tables hold through pg, to which the caller
 * has a reference. 0; -ERESTART: pg must be looked at again.
 */
static int release_table(struct page_info *pg)
{
	int rc;

	if (test_and_clear_pinned(pg)) {
		rc = put_page_and_type_preemptible(pg);
		if (rc == -EINTR) {
			(void)test_and_set_pinned(pg);
			return -ERESTART;
		}
		if (rc == -ERESTART)
			put_page(pg);	/* the pin's; the partial state has one of its own */
		if (rc)
			return rc;
	}
	/* What a vcpu left unfinished, and will never finish. */
	while (read_once(pg->type_info) & PGT_partial) {
		rc = page_type_put(pg, true, true);
		if (rc)
			return -ERESTART;
	}
	return 0;
}

/*
 * The first page of d's memory with a pin or a table left half checked, with a reference, among
 * the next LOOK_PAGES of d->arch.relmem_left. Those before it go to the list's end and are not
 * looked at again. NULL: none of them, or none at all (then relmem_left is 0).
 */
static struct page_info *next_table(struct domain *d)
{
	unsigned long *left = &d->arch.relmem_left, n = min(*left, LOOK_PAGES);
	struct page_info *pg, *found = NULL;

	spin_lock(&d->page_alloc_lock);
	*left -= n;
	for (pg = page_list_first(&d->page_list); n && pg; n--, pg = page_list_next(pg)) {
		if (likely(!(read_once(pg->type_info) & (PGT_pinned | PGT_partial))))
			continue;
		if (get_page(pg, d)) {
			found = pg;
			break;
		}
	}
	if (pg) {
		*left += n;
		page_list_rotate(&d->page_list, pg);
	} else {
		*left = 0;
	}
	spin_unlock(&d->page_alloc_lock);
	return found;
}

/* 0 or -ERESTART. A page that is not done yet stays the first, so it is met again. */
static int relinquish_tables(struct domain *d)
{
	while (d->arch.relmem_left) {
		struct page_info *pg = next_table(d);
		int rc = pg ? release_table(pg) : 0;

		if (pg)
			put_page(pg);
		if (rc || (d->arch.relmem_left && hypercall_preempt_check()))
			return -ERESTART;
	}
	return 0;
}

/* The owner's reference, which only one may drop. */
static void drop_owner_reference(struct page_info *pg)
{
	if (__atomic_fetch_and(&pg->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST) & PGC_allocated)
		put_page(pg);
}

/* The first page of list, moved to its end; *referenced says whether it can still be held. */
static struct page_info *next_page(struct domain *d, struct page_list *list, bool *referenced)
{
	struct page_info *pg;

	spin_lock(&d->page_alloc_lock);
	pg = page_list_first(list);
	*referenced = pg && get_page(pg, d);
	if (pg && page_list_next(pg)) {
		page_list_del(pg, list);
		page_list_add_tail(pg, list);
	}
	spin_unlock(&d->page_alloc_lock);
	return pg;
}

/*
 * A page that next_page() gave, and that is not done yet, is the next again. At
 * the list's end it would stand behind pages that were met before it, and the
 * count of those left would run out before it is reached.
 */
static void meet_again(struct domain *d, struct page_list *list, struct page_info *pg)
{
	spin_lock(&d->page_alloc_lock);
	page_list_del(pg, list);
	page_list_add(pg, list);
	spin_unlock(&d->page_alloc_lock);
	++d->arch.relmem_left;
}

/* Looks at d->arch.relmem_left pages of a list. 0 or -ERESTART. */
static int relinquish_list(struct domain *d, struct page_list *list)
{
	unsigned long *left = &d->arch.relmem_left;

	for (unsigned int n = 0; *left; n++) {
		bool referenced;
		struct page_info *pg;

		if ((n & 15) == 15 && hypercall_preempt_check())
			return -ERESTART;
		if (list == &d->page_list) {
			unsigned int freed = free_unreferenced_pages(d, min(*left, RUN_PAGES));

			*left -= freed;
			if (freed) {
				n = 14;		/* as much work as many single pages: look now */
				continue;
			}
		}
		pg = next_page(d, list, &referenced);
		if (!pg)
			break;
		--*left;
		if (!referenced)
			continue;	/* somebody is freeing it just now */
		if (unlikely(release_table(pg))) {
			meet_again(d, list, pg);
			put_page(pg);
			return -ERESTART;
		}
		drop_owner_reference(pg);
		put_page(pg);
	}
	return 0;
}

static void begin_step(struct domain *d, unsigned int step, const struct page_list *list)
{
	d->arch.relmem_step = step;
	d->arch.relmem_left = read_once(list->count);
}

int mm_relinquish_memory(struct domain *d)
{
	struct vcpu *v;
	int rc = 0;

	switch (d->arch.relmem_step) {
	case STEP_START:
		for_each_vcpu(d, v) {
			rc = vcpu_destroy_pagetables(v);
			if (rc)
				return rc;
		}
		begin_step(d, STEP_SHARED, &d->xenpage_list);
		/* fall through */
	case STEP_SHARED:
		rc = relinquish_list(d, &d->xenpage_list);
		if (rc)
			return rc;
		begin_step(d, STEP_EXTRA, &d->extra_page_list);
		/* fall through */
	case STEP_EXTRA:
		rc = relinquish_list(d, &d->extra_page_list);
		if (rc)
			return rc;
		begin_step(d, STEP_TABLES, &d->page_list);
		/* fall through */
	case STEP_TABLES:
		rc = relinquish_tables(d);
		if (rc)
			return rc;
		begin_step(d, STEP_MEMORY, &d->page_list);
		/* fall through */
	case STEP_MEMORY:
		rc = relinquish_list(d, &d->page_list);
		if (rc)
			return rc;
		d->arch.relmem_step = STEP_DONE;
		/* fall through */
	default:
		return 0;
	}
}
