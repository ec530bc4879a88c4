/* SPDX-License-Identifier: MIT */
/*
 * The state machine of page types: what keeps a PV guest from writing to its
 * page tables and descriptors.
 *
 * A frame has one type at a time and a count of uses as that type; the type may
 * change only while the count is zero. type_info packs both with the state:
 *
 *   count 0                        any type may be taken
 *   VALIDATED, count > 0           contents are checked; more references are free
 *   neither, count 1               one CPU is at work on the contents, or dates the
 *                                  end of the last use; the others wait or turn
 *                                  away ("busy" below)
 *   PARTIAL, count 1               the work was preempted. The state itself holds
 *                                  that type reference and one general reference;
 *                                  page->nr_validated says where to go on, and
 *                                  whoever next gets or puts the type does so
 *
 * Everything is done by compare-and-exchange on the whole word, so a stale view
 * never wins. Nothing here knows the CPU; the contents are validate.c's.
 *
 * When the type changes, CPUs that may still have mappings from before are
 * flushed: those in the owner's dirty_cpumask that have not flushed since the
 * last reference of the old type was dropped (tlbflush_stamp).
 */
#include "private.h"

#include <core/hypercall.h>

/* ---- Getting ---- */

/* Mappings of the type that the page had may be cached: drop them before the new one counts. */
static void flush_old_type(struct page_info *pg)
{
	const struct domain *d = page_get_owner(pg);
	cpumask_t mask;

	if (!d)
		return;
	mask = d->dirty_cpumask;
	tlbflush_filter(&mask, pg->tlbflush_stamp);
	if (!cpumask_empty(&mask))
		flush_tlb_mask(&mask);
}

/*
 * The rare end of a change of type, x being the word before: while somebody logs (entries were
 * adjusted, and a table is sent in another form than data), or if we took over a
 * partial state, with its general reference.
 */
static __attribute__((noinline)) void after_change(struct page_info *pg, unsigned long x)
{
	log_dirty_page(pg);
	if (x & PGT_partial)
		put_page(pg);
}

/*
 * We made the page busy; x is the word before. Check the contents and publish
 * the outcome. Called once per change of type, so nothing here is hot.
 */
static int establish_type(struct page_info *pg, unsigned long type, unsigned long x,
			  bool preemptible)
{
	bool residue = false;
	int rc = 0;

	if (!(x & PGT_count_mask) && (x & PGT_type_mask) != type)
		flush_old_type(pg);

	if (is_table_type(type)) {
		if (!(x & PGT_partial)) {
			pg->nr_validated = 0;
			pg->partial_flags = 0;
		}
		rc = table_validate(pg, level_of(type), preemptible, &residue);
	} else if (type == PGT_seg_desc_page) {
		rc = validate_seg_desc_page(pg);
	}

	smp_wmb();	/* contents before the bit that says that they are good */
	if (likely(!rc)) {
		atomic_or(&pg->type_info, PGT_validated);
	} else if (rc == -ERESTART || residue) {
		/* The partial state needs a general reference before others can see it. */
		get_page_again(pg);
		atomic_or(&pg->type_info, PGT_partial);
		if (residue)
			defer_table_put(pg, true);
	} else {
		/* Nothing is held: free for any type again. */
		atomic_and(&pg->type_info, ~(PGT_count_mask | PGT_type_mask));
	}
	if (unlikely((x & PGT_partial) | log_dirty_on))
		after_change(pg, x);
	return rc;
}

/* Waits while another CPU works on the contents. False: preempted. */
static bool wait_while_busy(const struct page_info *pg, unsigned long x, bool preemptible)
{
	while (read_once(pg->type_info) == x) {
		if (preemptible && hypercall_preempt_check())
			return false;
		cpu_relax();
	}
	return true;
}

int page_type_get(struct page_info *pg, unsigned long type, bool preemptible)
{
	unsigned long x, nx, y = read_once(pg->type_info);

	for (;;) {
		x = y;
		nx = x + 1;
		if (unlikely(!(nx & PGT_count_mask)))
			return -EINVAL;

		if (!(x & PGT_count_mask)) {
			if ((x & PGT_type_mask) != type)
				nx = (nx & ~(PGT_type_mask | PGT_validated)) | type;
		} else if (unlikely((x & PGT_type_mask) != type)) {
			return -EINVAL;
		} else if (unlikely(!(x & PGT_validated))) {
			if (!(x & PGT_partial)) {
				if (!wait_while_busy(pg, x, preemptible))
					return -EINTR;
				y = read_once(pg->type_info);
				continue;
			}
			nx = x & ~PGT_partial;	/* its type reference becomes ours */
		}

		y = atomic_cmpxchg(&pg->type_info, x, nx);
		if (likely(y == x))
			break;
		if (preemptible && hypercall_preempt_check())
			return -EINTR;
	}

	if (likely(nx & PGT_validated))
		return 0;
	return establish_type(pg, type, x, preemptible);
}

/* ---- Putting ---- */

/* The last reference to a table goes: x is the word before, validated or partial. */
static int dissolve_table(struct page_info *pg, unsigned long x, bool preemptible)
{
	int rc;

	if (!(x & PGT_partial)) {
		pg->nr_validated = PT_ENTRIES;
		pg->partial_flags = 0;
	}
	rc = table_invalidate(pg, level_of(x), preemptible);
	if (likely(!rc)) {
		pg->tlbflush_stamp = tlbflush_current_time();
		smp_wmb();	/* stamp before others may give it a new type */
		atomic_and(&pg->type_info, ~PGT_count_mask);
	} else if (rc == -EINTR) {
		atomic_or(&pg->type_info, PGT_validated);
		return rc;
	} else {
		BUG_ON(rc != -ERESTART);
		get_page_again(pg);
		atomic_or(&pg->type_info, PGT_partial);
	}
	if (unlikely((x & PGT_partial) | log_dirty_on))
		after_change(pg, x);
	return rc;
}

int page_type_put(struct page_info *pg, bool partial, bool preemptible)
{
	unsigned long x, nx, y = read_once(pg->type_info);

	for (;;) {
		x = y;
		nx = x - 1;
		if (partial && !(x & PGT_partial))
			return 0;
		BUG_ON(!(x & PGT_count_mask));
		BUG_ON(!partial && ((x & PGT_partial) || !(x & PGT_validated)));

		if ((nx & (PGT_locked | PGT_count_mask)) == (PGT_locked | 1)) {
			/*
			 * page_unlock() drops a count without looking: it must
			 * not be the last one.
			 */
			cpu_relax();
			y = read_once(pg->type_info);
		} else if (!(nx & PGT_count_mask)) {
			nx = x & ~(PGT_validated | PGT_partial);
			y = atomic_cmpxchg(&pg->type_info, x, nx);
			if (likely(y == x)) {
				if (is_table_type(x))
					return dissolve_table(pg, x, preemptible);
				leave_type(pg);
				return 0;
			}
		} else {
			y = atomic_cmpxchg(&pg->type_info, x, nx);
			if (likely(y == x))
				return 0;
		}
		if (preemptible && hypercall_preempt_check())
			return -EINTR;
	}
}

/* ---- What others call ---- */

int get_page_type(struct page_info *pg, unsigned long type)
{
	return likely(type == PGT_writable_page) ? get_writable_type(pg) :
						   page_type_get(pg, type, false);
}

void put_page_type(struct page_info *pg)
{
	/* The type cannot change while the caller has his reference. */
	if (likely((read_once(pg->type_info) & PGT_type_mask) == PGT_writable_page))
		put_writable_type(pg);
	else
		(void)page_type_put(pg, false, false);
}

int get_page_type_preemptible(struct page_info *pg, unsigned long type)
{
	return page_type_get(pg, type, true);
}

int put_page_type_preemptible(struct page_info *pg)
{
	return page_type_put(pg, false, true);
}

int put_page_and_type_preemptible(struct page_info *pg)
{
	int rc = page_type_put(pg, false, true);

	if (!rc)
		put_page(pg);
	return rc;
}

/* ---- The lock of a table, and of anything validated: a bit of the same word ---- */

/*
 * The lock brings a type reference of its own, so while it is held the type
 * stays, and with it the owner: whoever held the type before waits in
 * page_type_put() and keeps his general reference until then. Two pages are
 * never locked at a time.
 */
bool page_lock(struct page_info *pg)
{
	unsigned long x, y = read_once(pg->type_info);

	for (;;) {
		while (unlikely(y & PGT_locked)) {
			cpu_relax();
			y = read_once(pg->type_info);
		}
		x = y;
		if (!(x & PGT_validated) || !(x & PGT_count_mask) || !((x + 1) & PGT_count_mask))
			return false;
		y = atomic_cmpxchg(&pg->type_info, x, (x + 1) | PGT_locked);
		if (likely(y == x))
			return true;
	}
}

void page_unlock(struct page_info *pg)
{
	ASSERT((pg->type_info & PGT_locked) && (pg->type_info & PGT_count_mask) > 1);
	(void)atomic_sub_return(&pg->type_info, PGT_locked | 1);
}

struct page_info *get_locked_l1(mfn_t mfn, const struct domain *d)
{
	struct page_info *pg;

	if (unlikely(!mfn_valid(mfn)))
		return NULL;
	pg = mfn_to_page(mfn);
	if (unlikely(!get_page_hot(pg, d)))
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
	put_page_hot(pg);
}

/* ---- Releases put off ---- */

void defer_table_put(struct page_info *pg, bool partial)
{
	struct arch_vcpu *a = &current->arch;

	a->old_guest_table = pg;
	a->old_guest_table_partial = partial;
}

int put_table_or_defer(struct page_info *pg)
{
	int rc = put_page_and_type_preemptible(pg);

	if (likely(!rc))
		return 0;
	defer_table_put(pg, rc == -ERESTART);
	return -ERESTART;
}

int put_old_guest_table(struct vcpu *v)
{
	struct page_info *pg = v->arch.old_guest_table;
	int rc;

	if (likely(!pg))
		return 0;
	rc = page_type_put(pg, v->arch.old_guest_table_partial, true);
	if (rc) {
		/* -EINTR: nothing was done, what is held is what it was. */
		if (rc == -ERESTART)
			v->arch.old_guest_table_partial = true;
		return -ERESTART;
	}
	v->arch.old_guest_table = NULL;
	put_page(pg);
	return 0;
}
