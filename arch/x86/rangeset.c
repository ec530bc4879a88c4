/* SPDX-License-Identifier: MIT */
/*
 * Sets of numbers, kept as a sorted list of disjoint ranges that do not touch.
 * They are small (what a domain may use), so a list is enough. Each set has its
 * own lock; adding and removing allocate before they change anything, so a
 * failure leaves the set as it was.
 */
#include <core/errno.h>
#include <core/list.h>
#include <core/lib.h>
#include <core/xmalloc.h>
#include <arch/spinlock.h>
#include <x86/rangeset.h>

struct range {
	struct list_head link;
	unsigned long s, e;		/* inclusive */
};

struct rangeset {
	spinlock_t lock;
	struct list_head ranges;	/* lock; ascending */
};

struct rangeset *rangeset_new(void)
{
	struct rangeset *r = xzalloc(struct rangeset);

	if (!r)
		return NULL;
	spin_lock_init(&r->lock, LOCK_ANY);
	list_init(&r->ranges);
	return r;
}

void rangeset_destroy(struct rangeset *r)
{
	struct range *x, *n;

	if (!r)
		return;
	list_for_each_entry_safe(x, n, &r->ranges, link)
		xfree(x);
	xfree(r);
}

/* The first range that ends at or after s; &r->ranges' container if none (compare with is_end). */
static struct range *first_from(struct rangeset *r, unsigned long s)
{
	struct range *x;

	list_for_each_entry(x, &r->ranges, link)
		if (x->e >= s)
			break;
	return x;
}

static bool is_end(const struct rangeset *r, const struct range *x)
{
	return &x->link == &r->ranges;
}

int rangeset_add(struct rangeset *r, unsigned long s, unsigned long e)
{
	struct range *fresh = xmalloc(struct range), *x, *n;

	if (s > e) {
		xfree(fresh);
		return -EINVAL;
	}
	if (!fresh)
		return -ENOMEM;
	spin_lock(&r->lock);
	/* One that ends just before s is joined as well. */
	x = first_from(r, s ? s - 1 : 0);
	while (!is_end(r, x) && (e == ~0UL || x->s <= e + 1)) {
		n = list_entry(x->link.next, struct range, link);
		s = min(s, x->s);
		e = max(e, x->e);
		list_del(&x->link);
		xfree(x);
		x = n;
	}
	fresh->s = s;
	fresh->e = e;
	list_add_tail(&fresh->link, &x->link);	/* before x */
	spin_unlock(&r->lock);
	return 0;
}

int rangeset_remove(struct rangeset *r, unsigned long s, unsigned long e)
{
	struct range *spare = xmalloc(struct range), *x, *n;

	if (s > e) {
		xfree(spare);
		return -EINVAL;
	}
	if (!spare)
		return -ENOMEM;
	spin_lock(&r->lock);
	for (x = first_from(r, s); !is_end(r, x) && x->s <= e; x = n) {
		n = list_entry(x->link.next, struct range, link);
		if (x->s < s && x->e > e) {	/* a hole in the middle */
			spare->s = e + 1;
			spare->e = x->e;
			x->e = s - 1;
			list_add(&spare->link, &x->link);
			spare = NULL;
			break;
		}
		if (x->s < s) {
			x->e = s - 1;
		} else if (x->e > e) {
			x->s = e + 1;
		} else {
			list_del(&x->link);
			xfree(x);
		}
	}
	spin_unlock(&r->lock);
	xfree(spare);
	return 0;
}

bool rangeset_contains(struct rangeset *r, unsigned long s, unsigned long e)
{
	struct range *x;
	bool in;

	if (!r || s > e)
		return false;
	spin_lock(&r->lock);
	x = first_from(r, s);
	in = !is_end(r, x) && x->s <= s && x->e >= e;
	spin_unlock(&r->lock);
	return in;
}

bool rangeset_overlaps(struct rangeset *r, unsigned long s, unsigned long e)
{
	struct range *x;
	bool in;

	if (!r || s > e)
		return false;
	spin_lock(&r->lock);
	x = first_from(r, s);
	in = !is_end(r, x) && x->s <= e;
	spin_unlock(&r->lock);
	return in;
}
