/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: their pages and growth, the use count of an entry, and all
 * operations but mapping (grant_map.c) and copying (grant_copy.c). Only
 * version 1 of the table is offered, and set_version says so; transitive and
 * sub-page grants belong to version 2 and do not exist here.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/param.h>
#include <core/softirq.h>
#include <core/xmalloc.h>
#include <xen/memory.h>
#include "grant_private.h"

static unsigned int opt_max_grant_frames = 64;
static unsigned int opt_max_maptrack_frames = 1024;
integer_param("gnttab_max_frames", opt_max_grant_frames);
integer_param("gnttab_max_maptrack_frames", opt_max_maptrack_frames);

#define GNTTABOP_CMD_MASK	0xfffu	/* above it: an argument that only cache_flush has */
#define CAS_RETRIES	4	/* the guest may race with us a few times, not for ever */

/* ---- the use count of an entry ---- */

/* The first word of an entry, as one unit. */
union combo {
	uint32_t raw;
	struct {
		uint16_t flags;
		domid_t domid;
	};
};

/*
 * Marks the entry in use. `want` and `mask`: what its word must say for that
 * (type, user, no read-only for a writer); another use may have settled it all.
 */
static int set_in_use(uint32_t *word, uint32_t mask, uint32_t want, bool readonly)
{
	const union combo mark = { .flags = readonly ? GTF_reading : GTF_reading | GTF_writing };
	uint32_t old = read_once(*word), was;

	for (unsigned int i = 0; i <= CAS_RETRIES; i++, old = was) {
		if (unlikely((old & mask) != want))
			return GNTST_general_error;
		was = atomic_cmpxchg(word, old, old | mark.raw);
		if (likely(was == old))
			return GNTST_okay;
	}
	return GNTST_general_error;
}

/* Takes back what the pins do not ask for any more. Active entry's lock held. */
static void clear_in_use(grant_entry_v1_t *entry, uint32_t pin, bool readonly)
{
	uint16_t clear = pin ? 0 : GTF_reading;

	if (!readonly && !(pin & PIN_WRITERS))
		clear |= GTF_writing;
	if (clear)
		atomic_and(&entry->flags, (uint16_t)~clear);
}

/* First use of an entry: the only time that it is believed. */
static int pin_first(struct domain *rd, struct active_entry *act, grant_entry_v1_t *entry,
		     domid_t user, bool readonly, bool map, struct page_info **pg)
{
	union combo mask = { .flags = GTF_type_mask, .domid = (domid_t)~0 };
	const union combo want = { .flags = GTF_permit_access, .domid = user };
	struct page_info *p;
	int rc;

	if (map)
		mask.flags |= GTF_sub_page;
	if (!readonly)
		mask.flags |= GTF_readonly;
	rc = set_in_use((uint32_t *)(void *)entry, mask.raw, want.raw, readonly);
	if (unlikely(rc))
		return rc;
	p = get_page_from_gfn(rd, _gfn(read_once(entry->frame)));
	if (unlikely(!p)) {
		clear_in_use(entry, 0, readonly);
		return GNTST_bad_page;
	}
	act->mfn = (uint32_t)mfn_x(page_to_mfn(p));
	act->domid = user;
	*pg = p;
	return GNTST_okay;
}

/* A further use, of the frame that the first one found. */
static int pin_again(struct domain *rd, struct active_entry *act, grant_entry_v1_t *entry,
		     domid_t user, bool readonly, bool map, uint32_t incr, struct page_info **pg)
{
	const union combo mask = { .flags = GTF_readonly };
	struct page_info *p = mfn_to_page(_mfn(act->mfn));

	if (act->domid != user || (act->pin & PIN_OVERFLOW(incr)))
		return GNTST_general_error;
	if (!readonly && !(act->pin & PIN_WRITERS) &&
	    set_in_use((uint32_t *)(void *)entry, mask.raw, 0, false))
		return GNTST_general_error;
	/* The pins keep the frame, but for a dying owner, or a user that lost its mapping. */
	if (unlikely(!get_page(p, rd))) {
		clear_in_use(entry, act->pin, readonly);
		return map ? GNTST_general_error : GNTST_bad_domain;
	}
	*pg = p;
	return GNTST_okay;
}

int grant_pin(struct domain *rd, grant_ref_t ref, domid_t user, bool readonly, bool map,
	      uint32_t incr, struct page_info **pg)
{
	struct grant_table *gt = rd->grant_table;
	struct active_entry *act;
	int rc;

	*pg = NULL;
	if (unlikely(!gt) || unlikely(ref >= gt_entries(gt)))
		return GNTST_bad_gntref;
	act = gt_active(gt, ref);
	spin_lock(&act->lock);
	if (likely(!act->pin))
		rc = pin_first(rd, act, gt_shared(gt, ref), user, readonly, map, pg);
	else
		rc = pin_again(rd, act, gt_shared(gt, ref), user, readonly, map, incr, pg);
	if (likely(!rc))
		act->pin += incr;
	spin_unlock(&act->lock);
	return rc;
}

void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly, uint32_t decr)
{
	struct grant_table *gt = rd->grant_table;
	struct active_entry *act = gt_active(gt, ref);

	spin_lock(&act->lock);
	ASSERT(act->pin >= decr);
	act->pin -= decr;
	clear_in_use(gt_shared(gt, ref), act->pin, readonly);
	spin_unlock(&act->lock);
}

void grant_unpin_mapping(struct domain *rd, grant_ref_t ref, domid_t user, bool readonly,
			 uint32_t decr)
{
	struct grant_table *gt = rd->grant_table;
	struct active_entry *act = gt_active(gt, ref);

	spin_lock(&act->lock);
	if (likely(act->domid == user && (act->pin & decr * 0xffu))) {
		act->pin -= decr;
		clear_in_use(gt_shared(gt, ref), act->pin, readonly);
	}
	spin_unlock(&act->lock);
}

/* ---- making and growing ---- */

static bool grow_one(struct grant_table *gt)
{
	unsigned int i = gt->nr_frames;
	grant_entry_v1_t *frame = alloc_xenheap_page();
	struct active_entry *act;

	if (!frame)
		return false;
	act = xzalloc_array(struct active_entry, ENTRIES_PER_FRAME);
	if (!act) {
		free_xenheap_page(frame);
		return false;
	}
	for (unsigned int j = 0; j < ENTRIES_PER_FRAME; j++)
		act[j].lock.class = LOCK_GRANT_ACTIVE;
	gt->shared[i] = frame;
	gt->active[i] = act;
	share_xen_page_with_guest(virt_to_page(frame), gt->domain, SHARE_rw);
	atomic_store(&gt->nr_frames, i + 1);
	return true;
}

/* Frames that were added before one failed stay: they are within what the domain may have. */
int gnttab_grow(struct grant_table *gt, unsigned int nr)
{
	while (gt->nr_frames < nr)
		if (!grow_one(gt))
			return -ENOMEM;
	return 0;
}

/* ~0 for a size means the default. 0, -EINVAL, -ENOMEM; d->grant_table is NULL after an error. */
int grant_table_init(struct domain *d, unsigned int max_grant_frames,
		     unsigned int max_maptrack_frames)
{
	struct grant_table *gt;

	if ((int)max_grant_frames < 0)
		max_grant_frames = opt_max_grant_frames;
	if ((int)max_maptrack_frames < 0)
		max_maptrack_frames = opt_max_maptrack_frames;
	if (!max_grant_frames || max_grant_frames > opt_max_grant_frames ||
	    max_maptrack_frames > opt_max_maptrack_frames)
		return -EINVAL;
	gt = xzalloc(struct grant_table);
	if (!gt)
		return -ENOMEM;
	spin_lock_init(&gt->lock, LOCK_GRANT_TABLE);
	spin_lock_init(&gt->maptrack_lock, LOCK_GRANT_MAPTRACK);
	gt->domain = d;
	gt->max_frames = max_grant_frames;
	gt->max_maptrack_pages = max_maptrack_frames;
	d->grant_table = gt;
	gt->shared = xzalloc_array(grant_entry_v1_t *, max_grant_frames);
	gt->active = xzalloc_array(struct active_entry *, max_grant_frames);
	if (!gt->shared || !gt->active || gnttab_grow(gt, 1)) {
		grant_table_destroy(d);
		return -ENOMEM;
	}
	return 0;
}

/*
 * Nobody may look any more. The pages were d's; whatever references it had to
 * them are gone or go now.
 */
void grant_table_destroy(struct domain *d)
{
	struct grant_table *gt = d->grant_table;

	if (!gt)
		return;
	for (unsigned int i = 0; i < gt->nr_frames; i++) {
		(void)unshare_xen_page(virt_to_page(gt->shared[i]), d);
		free_xenheap_page(gt->shared[i]);
		xfree(gt->active[i]);
	}
	for (unsigned int i = 0; i < gt->maptrack_pages; i++)
		free_xenheap_page(gt->maptrack[i]);
	xfree(gt->maptrack);
	xfree(gt->shared);
	xfree(gt->active);
	xfree(gt);
	d->grant_table = NULL;
}

/* ---- operations on the table as a whole ---- */

static int table_permitted(const struct domain *d)
{
	return d == current->domain ? 0 : op_permitted(PRIV_TOOLS, current->domain);
}

static int16_t setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
	struct grant_table *gt = d->grant_table;
	int16_t status = GNTST_okay;
	unsigned int i;

	if (op->nr_frames > gt->max_frames)
		return GNTST_general_error;
	spin_lock(&gt->lock);
	i = gnttab_grow(gt, op->nr_frames) != 0;
	spin_unlock(&gt->lock);
	if (i)
		return GNTST_general_error;
	for (; i < op->nr_frames; i++) {
		xen_pfn_t frame = gfn_x(mfn_to_gfn(d, virt_to_mfn(gt->shared[i])));

		if (raw_copy_to_guest(op->frame_list.p + i, &frame, sizeof(frame)))
			status = GNTST_bad_virt_addr;
	}
	return status;
}

static long do_setup_table(unsigned long uop, unsigned int count)
{
	struct gnttab_setup_table op, *guest = (struct gnttab_setup_table *)uop;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (raw_copy_from_guest(&op, guest, sizeof(op)) ||
	    !guest_range_okay(op.frame_list.p, op.nr_frames, sizeof(xen_pfn_t)))
		return -EFAULT;
	d = domain_by_any_id(op.dom);
	if (!d || !d->grant_table)
		op.status = GNTST_bad_domain;
	else if (table_permitted(d))
		op.status = GNTST_permission_denied;
	else
		op.status = setup_table(d, &op);
	return raw_copy_to_guest(&guest->status, &op.status, sizeof(op.status)) ? -EFAULT : 0;
}

static long do_query_size(unsigned long uop, unsigned int count)
{
	struct gnttab_query_size op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (raw_copy_from_guest(&op, (void *)uop, sizeof(op)))
		return -EFAULT;
	d = domain_by_any_id(op.dom);
	if (!d || !d->grant_table) {
		op.status = GNTST_bad_domain;
	} else if (table_permitted(d)) {
		op.status = GNTST_permission_denied;
	} else {
		op.nr_frames = atomic_load(&d->grant_table->nr_frames);
		op.max_nr_frames = d->grant_table->max_frames;
		op.status = GNTST_okay;
	}
	return raw_copy_to_guest((void *)uop, &op, sizeof(op)) ? -EFAULT : 0;
}

static long do_set_version(unsigned long uop, unsigned int count __maybe_unused)
{
	struct gnttab_set_version op;
	long rc;

	if (raw_copy_from_guest(&op, (void *)uop, sizeof(op)))
		return -EFAULT;
	rc = op.version == 1 ? 0 : op.version == 2 ? -ENOSYS : -EINVAL;
	op.version = 1;
	return raw_copy_to_guest((void *)uop, &op, sizeof(op)) ? -EFAULT : rc;
}

static long do_get_version(unsigned long uop, unsigned int count __maybe_unused)
{
	struct gnttab_get_version op;
	struct domain *d;
	int rc;

	if (raw_copy_from_guest(&op, (void *)uop, sizeof(op)))
		return -EFAULT;
	d = domain_by_any_id(op.dom);
	if (!d)
		return -ESRCH;
	rc = table_permitted(d);
	if (rc)
		return rc;
	op.version = 1;
	return raw_copy_to_guest((void *)uop, &op, sizeof(op)) ? -EFAULT : 0;
}

/* Status frames exist only in version 2. */
static long do_get_status_frames(unsigned long uop, unsigned int count)
{
	struct gnttab_get_status_frames op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (raw_copy_from_guest(&op, (void *)uop, sizeof(op)) ||
	    !guest_range_okay(op.frame_list.p, op.nr_frames, sizeof(*op.frame_list.p)))
		return -EFAULT;
	d = domain_by_any_id(op.dom);
	if (!d)
		op.status = GNTST_bad_domain;
	else if (table_permitted(d))
		op.status = GNTST_permission_denied;
	else
		op.status = GNTST_general_error;
	return raw_copy_to_guest((void *)uop, &op, sizeof(op)) ? -EFAULT : 0;
}

/*
 * Exchanges two entries that nobody uses. Both active entries are locked, in
 * order, so nobody begins to.
 */
static int16_t swap_refs(struct grant_table *gt, grant_ref_t a, grant_ref_t b)
{
	struct active_entry *lo, *hi;
	int16_t rc = GNTST_okay;

	if (a >= gt_entries(gt) || b >= gt_entries(gt))
		return GNTST_bad_gntref;
	if (a == b)
		return GNTST_okay;
	lo = gt_active(gt, min(a, b));
	hi = gt_active(gt, max(a, b));
	spin_lock(&gt->lock);
	spin_lock(&lo->lock);
	spin_lock_nested(&hi->lock);
	if (lo->pin || hi->pin) {
		rc = GNTST_eagain;
	} else {
		grant_entry_v1_t *ea = gt_shared(gt, a), *eb = gt_shared(gt, b), saved = *ea;

		*ea = *eb;
		*eb = saved;
	}
	spin_unlock(&hi->lock);
	spin_unlock(&lo->lock);
	spin_unlock(&gt->lock);
	return rc;
}

static long do_swap_grant_ref(unsigned long uop, unsigned int count)
{
	struct gnttab_swap_grant_ref op, *guest = (struct gnttab_swap_grant_ref *)uop;

	for (unsigned int i = 0; i < count; i++, guest++) {
		if (i && hypercall_preempt_check())
			return i;
		if (raw_copy_from_guest(&op, guest, sizeof(op)))
			return -EFAULT;
		op.status = swap_refs(current->domain->grant_table, op.ref_a, op.ref_b);
		if (raw_copy_to_guest(&guest->status, &op.status, sizeof(op.status)))
			return -EFAULT;
	}
	return 0;
}

/*
 * For machines whose devices see stale caches. Arguments are checked; the
 * operation itself is not needed here.
 */
static long do_cache_flush(unsigned long uop, unsigned int count)
{
	const struct gnttab_cache_flush *guest = (const struct gnttab_cache_flush *)uop;
	struct gnttab_cache_flush op;

	for (unsigned int i = 0; i < count; i++, guest++) {
		if (i && hypercall_preempt_check())
			return i;
		if (raw_copy_from_guest(&op, guest, sizeof(op)))
			return -EFAULT;
		if (op.offset >= PAGE_SIZE || op.length > PAGE_SIZE ||
		    op.offset + op.length > PAGE_SIZE ||
		    (op.op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
			return -EINVAL;
		if (op.length && op.op)
			return -EOPNOTSUPP;
	}
	return 0;
}

/* ---- the hypercall ---- */

struct gnttab_row {
	long (*fn)(unsigned long uop, unsigned int count);
	/* of an element whose array is checked, and continued at; 0: not an array */
	unsigned int size;
};

static const struct gnttab_row gnttab_table[] = {
	[GNTTABOP_map_grant_ref]	= { gnttab_map, sizeof(struct gnttab_map_grant_ref) },
	[GNTTABOP_unmap_grant_ref]	= { gnttab_unmap, sizeof(struct gnttab_unmap_grant_ref) },
	[GNTTABOP_setup_table]		= { do_setup_table, 0 },
	[GNTTABOP_copy]			= { gnttab_copy, sizeof(struct gnttab_copy) },
	[GNTTABOP_query_size]		= { do_query_size, 0 },
	[GNTTABOP_unmap_and_replace]	= { gnttab_unmap_replace,
					    sizeof(struct gnttab_unmap_and_replace) },
	[GNTTABOP_set_version]		= { do_set_version, 0 },
	[GNTTABOP_get_status_frames]	= { do_get_status_frames, 0 },
	[GNTTABOP_get_version]		= { do_get_version, 0 },
	[GNTTABOP_swap_grant_ref]	= { do_swap_grant_ref,
					    sizeof(struct gnttab_swap_grant_ref) },
	[GNTTABOP_cache_flush]		= { do_cache_flush, sizeof(struct gnttab_cache_flush) },
};

/*
 * grant_table_op(cmd, array, count): see <xen/grant_table.h>. Each element has
 * a status of its own; the result is 0 or -errno. Transfer is not offered.
 */
DEFINE_HYPERCALL(grant_table_op)
{
	unsigned int cmd = (unsigned int)a1, count = (unsigned int)a3;
	const struct gnttab_row *row;
	long rc;

	if (unlikely((int)count < 0))
		return -EINVAL;
	if (unlikely(cmd >= ARRAY_SIZE(gnttab_table) || !gnttab_table[cmd].fn))
		return cmd & ~GNTTABOP_CMD_MASK ? -EINVAL : -ENOSYS;
	row = &gnttab_table[cmd];
	if (unlikely(row->size && !guest_range_okay((void *)a2, count, row->size)))
		return -EFAULT;
	rc = row->fn(a2, count);
	if (unlikely(rc > 0))
		return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (unsigned long)cmd,
					  a2 + (unsigned long)rc * row->size,
					  (unsigned long)count - (unsigned long)rc);
	return rc;
}

/* ---- for tools ---- */

unsigned int gnttab_resource_max_frames(const struct domain *d)
{
	return d->grant_table ? d->grant_table->max_frames : 0;
}

int gnttab_acquire_resource(struct domain *d, unsigned int id, unsigned int frame,
			    unsigned int nr, mfn_t *mfns)
{
	struct grant_table *gt = d->grant_table;
	int rc;

	if (!gt || id != XENMEM_resource_grant_table_id_shared || !nr || frame + nr < frame ||
	    frame + nr > gt->max_frames)
		return -EINVAL;
	spin_lock(&gt->lock);
	rc = gnttab_grow(gt, frame + nr);
	spin_unlock(&gt->lock);
	if (rc)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++)
		mfns[i] = virt_to_mfn(gt->shared[frame + i]);
	return 0;
}

int gnttab_get_shared_frame(struct domain *d, unsigned long idx, mfn_t *mfn)
{
	if (idx >= UINT32_MAX)
		return -EINVAL;
	return gnttab_acquire_resource(d, XENMEM_resource_grant_table_id_shared, (unsigned int)idx,
				       1, mfn);
}

static void show_usage(const struct domain *d)
{
	const struct grant_table *gt = d->grant_table;

	printk("%pd grant frames %u of %u, maptrack pages %u of %u\n", d, gt->nr_frames,
	       gt->max_frames, gt->maptrack_pages, gt->max_maptrack_pages);
	for (grant_ref_t ref = 0; ref < gt_entries(gt); ref++) {
		const struct active_entry *act = gt_active(gt, ref);
		uint32_t pin = read_once(act->pin);

		if (pin)
			printk("  [%4u] d%u mfn %x pins %08x flags %04x\n", ref, act->domid,
			       act->mfn, pin, read_once(gt_shared(gt, ref)->flags));
		if (!(ref % 64))
			process_pending_softirqs();
	}
}

/*
 * No lock: an active entry keeps its frame while it is pinned, and whoever
 * ends a writable use marks the page before he takes the pin away.
 */
void gnttab_mark_writable(struct domain *d)
{
	const struct grant_table *gt = d->grant_table;
	const unsigned int n = gt ? gt_entries(gt) : 0;

	for (grant_ref_t ref = 0; ref < n; ref++) {
		const struct active_entry *act = gt_active(gt, ref);
		const uint32_t pin = read_once(act->pin);
		const mfn_t mfn = _mfn(read_once(act->mfn));

		if ((pin & PIN_WRITERS) && page_get_owner(mfn_to_page(mfn)) == d)
			log_dirty_mark_pfn(d, get_gpfn_from_mfn(mfn));
	}
}

static void show_all_usage(unsigned char key __maybe_unused)
{
	const struct domain *d;

	for_each_domain(d)
		if (d->grant_table)
			show_usage(d);
}

void gnttab_keyhandler_init(void)
{
	keyhandler_register('g', show_all_usage, "print grant table usage");
	keyhandler_register('Z', zombies_dump, "tell what holds dying domains");
}
