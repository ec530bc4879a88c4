/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_memory_op: what a domain's memory consists of. One row an
 * operation; those that only a machine can answer go to arch_memory_op().
 *
 * The reservation operations work through a list of extents and return how
 * many they did, not an errno. A preempted one is continued with the number
 * done encoded above the operation (MEMOP_EXTENT_SHIFT), so the guest's
 * arguments stay as they are. All guests own their physical map (PV), so what
 * changes another kind of map is refused with -EACCES.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/grant_table.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/memory.h>
#include <arch/atomic.h>
#include <arch/map.h>
#include "memory_private.h"

#define MAX_EXTENTS	(UINT32_MAX >> MEMOP_EXTENT_SHIFT)
#define MAX_NUMNODES	64U	/* the ABI's idea of how many there may be */

/*
 * Largest extents: a guest 2 MiB, a control domain 1 GiB; bounds the work
 * between preemption checks.
 */
unsigned int memop_max_order(const struct domain *d)
{
	return d->is_privileged ? 18 : 9;
}

int memop_permitted(const struct domain *d)
{
	return d == current->domain ? 0 : op_permitted(PRIV_TOOLS, current->domain);
}

/* ---- populate, increase, decrease ---- */

struct reservation {
	struct domain *d;
	xen_pfn_t *extents;		/* guest pointer */
	unsigned long nr, done;
	unsigned int order, memflags;
	bool populate_on_demand, preempted;
};

/* There is one memory node; only control domains may name it, the others may at most prefer one. */
static bool node_allowed(unsigned int flags)
{
	if (XENMEMF_get_node(flags) == 0xff)
		return true;
	if (current->domain->is_privileged)
		return XENMEMF_get_node(flags) < MAX_NUMNODES;
	return !(flags & XENMEMF_exact_node_request);
}

int memop_memflags(unsigned int xen_flags, unsigned int *memflags)
{
	unsigned int bits = XENMEMF_get_address_bits(xen_flags);

	*memflags = 0;
	if (bits && bits < get_order_from_pages(max_page_nr()) + PAGE_SHIFT) {
		if (bits <= PAGE_SHIFT)
			return -EINVAL;
		*memflags = MEMF_bits(bits);
	}
	return (xen_flags & XENMEMF_vnode) || node_allowed(xen_flags) ? 0 : -EINVAL;
}

static bool extents_okay(const struct reservation *r)
{
	return guest_range_okay(r->extents + r->done, r->nr - r->done, sizeof(*r->extents));
}

static bool preempted(struct reservation *r, unsigned long first)
{
	if (r->done != first && unlikely(hypercall_preempt_check()))
		r->preempted = true;
	return r->preempted;
}

static void increase_reservation(struct reservation *r)
{
	unsigned long first = r->done;

	if ((r->extents && !extents_okay(r)) || r->order > memop_max_order(current->domain))
		return;
	for (; r->done < r->nr && !preempted(r, first); r->done++) {
		struct page_info *pg = alloc_domheap_pages(r->d, r->order, r->memflags);
		xen_pfn_t mfn;

		if (unlikely(!pg))
			return;
		mfn = mfn_x(page_to_mfn(pg));
		if (r->extents && raw_copy_to_guest(r->extents + r->done, &mfn, sizeof(mfn)))
			return;
	}
}

static __attribute__((noinline)) void log_new_pages(xen_pfn_t mfn, unsigned int order)
{
	for (unsigned long i = 0; i < 1UL << order; i++)
		log_dirty_mark(mfn_to_page(_mfn(mfn + i)));
}

static void populate_physmap(struct reservation *r)
{
	unsigned long first = r->done;

	if (!extents_okay(r) || r->populate_on_demand ||
	    r->order > memop_max_order(current->domain))
		return;
	for (; r->done < r->nr && !preempted(r, first); r->done++) {
		struct page_info *pg;
		xen_pfn_t pfn, mfn;

		if (unlikely(raw_copy_from_guest(&pfn, r->extents + r->done, sizeof(pfn))))
			return;
		pg = alloc_domheap_pages(r->d, r->order, r->memflags);
		if (unlikely(!pg))
			return;
		mfn = mfn_x(page_to_mfn(pg));
		for (unsigned long i = 0; i < 1UL << r->order; i++)
			set_gpfn_from_mfn(_mfn(mfn + i), pfn + i);
		if (unlikely(log_dirty_on))
			log_new_pages(mfn, r->order);
		if (unlikely(raw_copy_to_guest(r->extents + r->done, &mfn, sizeof(mfn))))
			return;
	}
}

/* d gives one frame up. The page is freed when the last other user (a mapping, a grant) lets go. */
static int remove_page(struct domain *d, unsigned long frame)
{
	struct page_info *pg;

	if (unlikely(!mfn_valid(_mfn(frame))))
		return -EINVAL;
	pg = mfn_to_page(_mfn(frame));
	if (unlikely(!get_page(pg, d)))
		return -ENXIO;
	if (test_and_clear_bit(63, &pg->count_info))	/* PGC_allocated */
		put_page(pg);
	put_page(pg);
	return 0;
}
_Static_assert(PGC_allocated == 1UL << 63, "remove_page");

static void decrease_reservation(struct reservation *r)
{
	unsigned long first = r->done;

	if (!extents_okay(r) || r->order > memop_max_order(current->domain))
		return;
	for (; r->done < r->nr && !preempted(r, first); r->done++) {
		xen_pfn_t mfn;

		if (unlikely(raw_copy_from_guest(&mfn, r->extents + r->done, sizeof(mfn))))
			return;
		for (unsigned long i = 0; i < 1UL << r->order; i++)
			if (unlikely(remove_page(r->d, mfn + i)))
				return;
	}
}

/* Whatever is wrong with the arguments, the answer is that no more extents were done. */
static long reservation_op(unsigned int op, unsigned long start, unsigned long arg)
{
	struct xen_memory_reservation x;
	struct reservation r;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)) || x.nr_extents > MAX_EXTENTS ||
	    start >= x.nr_extents)
		return (long)start;
	r = (struct reservation){ .d = domain_by_any_id(x.domid), .extents = x.extent_start.p,
				  .nr = x.nr_extents, .done = start, .order = x.extent_order };
	if (!r.d || memop_memflags(x.mem_flags, &r.memflags) || memop_permitted(r.d))
		return (long)start;
	r.populate_on_demand = x.mem_flags & XENMEMF_populate_on_demand;
	if (op == XENMEM_decrease_reservation)
		decrease_reservation(&r);
	else if (op == XENMEM_populate_physmap)
		populate_physmap(&r);
	else
		increase_reservation(&r);
	if (r.preempted)
		return hypercall_continue(__HYPERVISOR_memory_op, 2,
					  (unsigned long)op | r.done << MEMOP_EXTENT_SHIFT, arg);
	return (long)r.done;
}

/* ---- figures ---- */

static long maximum_ram_page(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
			     unsigned long arg __maybe_unused)
{
	return (long)max_page_nr();
}

static long domain_figure(unsigned int op, unsigned long start __maybe_unused, unsigned long arg)
{
	struct xen_memory_domain x;
	struct domain *d;
	unsigned long max_pfn;
	int rc;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	d = domain_by_any_id(x.domid);
	if (!d)
		return -ESRCH;
	rc = memop_permitted(d);
	if (rc)
		return rc;
	if (op == XENMEM_current_reservation)
		return (long)d->tot_pages;
	if (op == XENMEM_maximum_reservation)
		return (long)d->max_pages;
	/* The guest says how many pfns it has. */
	max_pfn = d->shared_info ? read_once(d->shared_info->arch.max_pfn) : 0;
	return max_pfn ? (long)(max_pfn - 1) : 0;
}

static long zero(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
		 unsigned long arg __maybe_unused)
{
	return 0;
}

static long claim_pages(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
			unsigned long arg)
{
	struct xen_memory_reservation x;
	struct domain *d;
	int rc;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	if (x.extent_start.p || x.extent_order || x.mem_flags)
		return -EINVAL;
	d = domain_by_id(x.domid);
	if (!d)
		return -EINVAL;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	return rc ? rc : domain_set_outstanding_pages(d, x.nr_extents);
}

static long get_vnumainfo(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
			  unsigned long arg)
{
	struct xen_vnuma_topology_info x;
	struct domain *d;
	int rc;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	if (x.pad)
		return -EINVAL;
	d = domain_by_any_id(x.domid);
	if (!d)
		return -ESRCH;
	rc = memop_permitted(d);
	return rc ? rc : -EOPNOTSUPP;	/* no domain has a virtual topology */
}

static long reserved_device_memory_map(unsigned int op __maybe_unused,
				       unsigned long start __maybe_unused, unsigned long arg)
{
	struct xen_reserved_device_memory_map x;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)) ||
	    !guest_range_okay(x.buffer.p, x.nr_entries, sizeof(*x.buffer.p)))
		return -EFAULT;
	if (x.flags & ~(uint32_t)XENMEM_RDM_ALL)
		return -EINVAL;
	x.nr_entries = 0;		/* no IOMMU, no reserved regions */
	return raw_copy_to_guest((void *)arg, &x, sizeof(x)) ? -EFAULT : 0;
}

/* ---- maps that PV guests do not have ---- */

static long add_to_physmap(unsigned int op, unsigned long start, unsigned long arg)
{
	bool batch = op == XENMEM_add_to_physmap_batch;
	union {
		struct xen_add_to_physmap one;
		struct xen_add_to_physmap_batch many;
	} x;

	if (start != (uint16_t)start)
		return -EDOM;
	if (raw_copy_from_guest(&x, (void *)arg, batch ? sizeof(x.many) : sizeof(x.one)))
		return -EFAULT;
	if (!batch && x.one.space == XENMAPSPACE_gmfn_foreign)
		return -ENOSYS;
	if (batch && x.many.space == XENMAPSPACE_gmfn_range)
		return -EOPNOTSUPP;
	return domain_by_any_id(batch ? x.many.domid : x.one.domid) ? -EACCES : -ESRCH;
}

static long remove_from_physmap(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
				unsigned long arg)
{
	struct xen_remove_from_physmap x;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	return domain_by_any_id(x.domid) ? -EACCES : -ESRCH;
}

static long access_op(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
		      unsigned long arg)
{
	xen_mem_access_op_t x;
	struct domain *d;
	int rc;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	d = domain_by_id(x.domid);
	if (!d)
		return -ESRCH;
	if (d == current->domain)
		return -EPERM;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	return rc ? rc : -EINVAL;	/* only for translated guests */
}

static long not_supported(unsigned int op __maybe_unused, unsigned long start __maybe_unused,
			  unsigned long arg __maybe_unused)
{
	return -EOPNOTSUPP;
}

/* ---- resources of another domain ---- */

static int resource_size(const struct domain *d, const struct xen_mem_acquire_resource *x,
			 unsigned int *frames)
{
	switch (x->type) {
	case XENMEM_resource_grant_table:
		*frames = x->id == XENMEM_resource_grant_table_id_shared ?
			  gnttab_resource_max_frames(d) : 0;
		break;
	case XENMEM_resource_ioreq_server:
	case XENMEM_resource_vmtrace_buf:
		*frames = 0;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return *frames ? 0 : -EINVAL;
}

/*
 * Writes the machine frames of [x->frame, x->frame + x->nr_frames) to the
 * guest's list, from `start` on.
 */
static long resource_frames(struct domain *d, const struct xen_mem_acquire_resource *x,
			    unsigned long start, unsigned long arg)
{
	while (start < x->nr_frames) {
		unsigned int todo = min(32U, (unsigned int)(x->nr_frames - start));
		xen_pfn_t list[32];
		mfn_t mfns[32];
		int rc = gnttab_acquire_resource(d, x->id, (unsigned int)(x->frame + start), todo,
						 mfns);

		if (rc)
			return rc;
		for (unsigned int i = 0; i < todo; i++)
			list[i] = mfn_x(mfns[i]);
		if (raw_copy_to_guest(x->frame_list.p + start, list, todo * sizeof(*list)))
			return -EFAULT;
		start += todo;
		if (start < x->nr_frames && hypercall_preempt_check())
			return hypercall_continue(
				__HYPERVISOR_memory_op, 2,
				XENMEM_acquire_resource | start << MEMOP_EXTENT_SHIFT, arg);
	}
	return 0;
}

static long acquire_resource(unsigned int op __maybe_unused, unsigned long start, unsigned long arg)
{
	struct xen_mem_acquire_resource x;
	unsigned int frames = 0;
	struct domain *d;
	int rc;

	if (raw_copy_from_guest(&x, (void *)arg, sizeof(x)))
		return -EFAULT;
	if (x.pad || x.frame >> 32 || (x.frame + x.nr_frames) >> 32)
		return -EINVAL;
	if (x.domid == DOMID_SELF || x.domid == current->domain->domain_id)
		return -EPERM;
	d = domain_by_id(x.domid);
	if (!d)
		return -ESRCH;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	if (rc)
		return rc;
	rc = resource_size(d, &x, &frames);
	if (rc)
		return rc;
	if (!x.frame_list.p) {
		if (x.nr_frames || start)
			return -EINVAL;
		x.nr_frames = frames;
		return raw_copy_to_guest(&((struct xen_mem_acquire_resource *)arg)->nr_frames,
					 &x.nr_frames, sizeof(x.nr_frames)) ? -EFAULT : 0;
	}
	if (start >= x.nr_frames || x.nr_frames > MAX_EXTENTS)
		return -EINVAL;
	return resource_frames(d, &x, start, arg);
}

/* ---- the table ---- */

struct memop_row {
	long (*fn)(unsigned int op, unsigned long start, unsigned long arg);
	bool continues;			/* takes a start extent; the others refuse one */
};

static const struct memop_row memop_table[] = {
	[XENMEM_increase_reservation]		= { reservation_op, true },
	[XENMEM_decrease_reservation]		= { reservation_op, true },
	[XENMEM_maximum_ram_page]		= { maximum_ram_page, false },
	[XENMEM_current_reservation]		= { domain_figure, false },
	[XENMEM_maximum_reservation]		= { domain_figure, false },
	[XENMEM_populate_physmap]		= { reservation_op, true },
	[XENMEM_add_to_physmap]			= { add_to_physmap, true },
	[XENMEM_exchange]			= { memory_exchange, false },
	[XENMEM_maximum_gpfn]			= { domain_figure, false },
	[XENMEM_remove_from_physmap]		= { remove_from_physmap, false },
	[XENMEM_get_sharing_freed_pages]	= { zero, true },
	[XENMEM_get_sharing_shared_pages]	= { zero, true },
	[XENMEM_paging_op]			= { not_supported, true },
	[XENMEM_access_op]			= { access_op, true },
	[XENMEM_sharing_op]			= { not_supported, true },
	[XENMEM_add_to_physmap_batch]		= { add_to_physmap, true },
	[XENMEM_claim_pages]			= { claim_pages, false },
	[XENMEM_get_vnumainfo]			= { get_vnumainfo, false },
	[XENMEM_reserved_device_memory_map]	= { reserved_device_memory_map, false },
	[XENMEM_acquire_resource]		= { acquire_resource, true },
};

/* memory_op(cmd, arg): see each operation in <xen/memory.h>. */
DEFINE_HYPERCALL(memory_op)
{
	unsigned int op = a1 & MEMOP_CMD_MASK;
	unsigned long start = a1 >> MEMOP_EXTENT_SHIFT;
	const struct memop_row *row;

	if (unlikely(op >= ARRAY_SIZE(memop_table) || !memop_table[op].fn))
		return arch_memory_op(a1, a2);
	row = &memop_table[op];
	if (start && !row->continues)
		return -EINVAL;
	return row->fn(op, start, a2);
}
