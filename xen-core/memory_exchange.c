/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange: a domain trades frames for as many others, e.g. single ones
 * for a contiguous block at a low address. It goes chunk by chunk, a chunk
 * being the larger of one input and one output extent. A chunk is all or
 * nothing: the input frames are stolen, the output allocated, and only when
 * both are there does either change hands. nr_exchanged tells how many input
 * extents were done; it is also how a preempted call remembers its place.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/memory.h>
#include <arch/map.h>
#include "memory_private.h"

struct exchange {
	struct xen_memory_exchange x;
	struct domain *d;
	unsigned int memflags;
	unsigned int in_order, out_order;	/* log2 of the extents of each side in a chunk */
	struct page_list in, out;
};

/* 0, -EPERM, -EINVAL, -EFAULT as the ABI says; fills in the orders. */
static int check(struct exchange *e)
{
	const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;

	if (max(in->extent_order, out->extent_order) > memop_max_order(current->domain))
		return -EPERM;
	if (e->x.nr_exchanged > in->nr_extents || in->domid != out->domid ||
	    ~0UL >> in->extent_order < in->nr_extents ||
	    ~0UL >> out->extent_order < out->nr_extents ||
	    in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
		return -EINVAL;
	e->in_order = e->out_order = 0;
	if (in->extent_order <= out->extent_order)
		e->in_order = out->extent_order - in->extent_order;
	else
		e->out_order = in->extent_order - out->extent_order;
	if (!guest_range_okay(in->extent_start.p, in->nr_extents, sizeof(*in->extent_start.p)) ||
	    !guest_range_okay(out->extent_start.p, out->nr_extents, sizeof(*out->extent_start.p)))
		return -EFAULT;
	return 0;
}

/* Takes the frames of chunk i from the domain, onto e->in; they stay counted in tot_pages. */
static int steal_chunk(struct exchange *e, unsigned long i)
{
	for (unsigned long j = 0; j < 1UL << e->in_order; j++) {
		xen_pfn_t mfn;

		if (raw_copy_from_guest(&mfn, e->x.in.extent_start.p + (i << e->in_order) + j,
					sizeof(mfn)))
			return -EFAULT;
		for (unsigned long k = 0; k < 1UL << e->x.in.extent_order; k++) {
			struct page_info *pg;
			int rc;

			if (!mfn_valid(_mfn(mfn + k)))
				return -EINVAL;
			pg = mfn_to_page(_mfn(mfn + k));
			rc = steal_page(e->d, pg, MEMF_no_refcount);
			if (rc)
				return rc;
			page_list_add(pg, &e->in);
		}
	}
	return 0;
}

static int alloc_chunk(struct exchange *e)
{
	for (unsigned long j = 0; j < 1UL << e->out_order; j++) {
		struct page_info *pg = alloc_domheap_pages(e->d, e->x.out.extent_order,
							   MEMF_no_owner | e->memflags);

		if (!pg)
			return -ENOMEM;
		page_list_add(pg, &e->out);
	}
	return 0;
}

/* Puts everything back. A page that cannot go back, since the domain began to die, is freed. */
static void undo_chunk(struct exchange *e)
{
	struct page_info *pg;

	while ((pg = page_list_remove_head(&e->out)) != NULL)
		free_domheap_pages(pg, e->x.out.extent_order);
	while ((pg = page_list_remove_head(&e->in)) != NULL)
		if (assign_pages(pg, 0, e->d, MEMF_no_refcount)) {
			bool last;

			spin_lock(&e->d->page_alloc_lock);
			last = domain_adjust_tot_pages(e->d, -1) == 0;
			spin_unlock(&e->d->page_alloc_lock);
			free_domheap_page(pg);
			if (last)
				domain_put(e->d);
		}
}

/* The domain is dying: what it did not get any more is not counted any more. */
static void dying(struct exchange *e, unsigned long nr)
{
	struct page_info *pg;
	bool last;

	spin_lock(&e->d->page_alloc_lock);
	last = domain_adjust_tot_pages(e->d, -(long)nr) == 0;
	spin_unlock(&e->d->page_alloc_lock);
	while ((pg = page_list_remove_head(&e->out)) != NULL)
		free_domheap_pages(pg, e->x.out.extent_order);
	if (last)
		domain_put(e->d);
}

/*
 * Both sides are in hand: nothing fails any more but telling the guest. 0,
 * -EFAULT, -EINVAL (dying).
 */
static int commit_chunk(struct exchange *e, unsigned long i)
{
	unsigned long left = 1UL << (e->out_order + e->x.out.extent_order);
	xen_pfn_t *slot = e->x.out.extent_start.p + (i << e->out_order);
	struct page_info *pg;
	int rc = 0;

	while ((pg = page_list_remove_head(&e->in)) != NULL)
		free_domheap_page(pg);
	for (; (pg = page_list_remove_head(&e->out)) != NULL; slot++) {
		xen_pfn_t mfn = mfn_x(page_to_mfn(pg)), pfn;

		if (assign_pages(pg, e->x.out.extent_order, e->d, MEMF_no_refcount)) {
			page_list_add(pg, &e->out);
			dying(e, left);
			return -EINVAL;
		}
		left -= 1UL << e->x.out.extent_order;
		if (raw_copy_from_guest(&pfn, slot, sizeof(pfn))) {
			rc = -EFAULT;
			continue;
		}
		for (unsigned long k = 0; k < 1UL << e->x.out.extent_order; k++) {
			set_gpfn_from_mfn(_mfn(mfn + k), pfn + k);
			log_dirty_page(pg + k);
		}
		if (raw_copy_to_guest(slot, &mfn, sizeof(mfn)))
			rc = -EFAULT;
	}
	return rc;
}

static long report(const struct exchange *e, unsigned long arg, long rc)
{
	struct xen_memory_exchange *guest = (struct xen_memory_exchange *)arg;

	if (raw_copy_to_guest(&guest->nr_exchanged, &e->x.nr_exchanged, sizeof(e->x.nr_exchanged)))
		return -EFAULT;
	return rc;
}

static long run(struct exchange *e, unsigned long arg)
{
	unsigned long first = e->x.nr_exchanged >> e->in_order, i;
	unsigned long chunks = e->x.in.nr_extents >> e->in_order;
	int rc = 0;

	for (i = first; i < chunks; i++) {
		if (i != first && hypercall_preempt_check()) {
			e->x.nr_exchanged = i << e->in_order;
			rc = (int)report(e, arg, 0);
			return rc ? rc : hypercall_continue(__HYPERVISOR_memory_op, 2,
							    (unsigned long)XENMEM_exchange, arg);
		}
		rc = steal_chunk(e, i);
		if (!rc)
			rc = alloc_chunk(e);
		if (rc) {
			undo_chunk(e);
			break;
		}
		rc = commit_chunk(e, i);
		if (rc)
			break;
	}
	e->x.nr_exchanged = rc ? i << e->in_order : e->x.in.nr_extents;
	return report(e, arg, rc);
}

/* 0, -EFAULT, -EPERM, -EINVAL, -ESRCH, -ENOMEM; nr_exchanged is written in every case. */
long memory_exchange(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
		     unsigned long arg)
{
	struct exchange e = { .memflags = 0 };
	unsigned int bits;
	int rc;

	if (raw_copy_from_guest(&e.x, (void *)arg, sizeof(e.x)))
		return -EFAULT;
	rc = check(&e);
	if (rc && rc != -EFAULT)
		return report(&e, arg, rc);
	if (e.x.nr_exchanged == e.x.in.nr_extents)
		return 0;
	/* The address width is checked when allocating: one that is too small is -ENOMEM here. */
	if (!rc && memop_memflags(e.x.out.mem_flags & ~0xffU, &e.memflags))
		rc = -EINVAL;
	bits = XENMEMF_get_address_bits(e.x.out.mem_flags);
	e.memflags |= MEMF_bits(bits);
	if (!rc) {
		e.d = domain_by_any_id(e.x.in.domid);
		rc = e.d ? memop_permitted(e.d) : -ESRCH;
	}
	return rc ? report(&e, arg, rc) : run(&e, arg);
}
