/* SPDX-License-Identifier: MIT */
/*
 * Mapping granted frames, and unmapping them. Operations come in arrays; they
 * are fetched and answered a batch at a time, and a batch of unmaps costs one
 * TLB flush: page references and pins are dropped only after it, so nobody
 * gets a page to which a stale translation still leads.
 *
 * References: a device mapping and a host mapping hold one each to the frame,
 * and one to its writable type unless read-only. Those of a host mapping
 * belong to the page-table entry: if the guest's tables go in another way than
 * by unmap, they go with them.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/xmalloc.h>
#include <arch/flush.h>
#include "grant_private.h"

#define BATCH		16U	/* elements copied at a time; 512 bytes of stack */
#define NO_HANDLE	(~0u)

/* ---- maptrack ---- */

static union maptrack *track(const struct grant_table *gt, grant_handle_t handle)
{
	return &gt->maptrack[handle >> MT_SHIFT][handle & (MT_PER_PAGE - 1)];
}

/* NULL if there is no such handle. */
static union maptrack *track_checked(const struct grant_table *gt, grant_handle_t handle)
{
	if (unlikely(handle >> MT_SHIFT >= atomic_load(&gt->maptrack_pages)))
		return NULL;
	return track(gt, handle);
}

/*
 * The free list is a stack of indices + 1 in the low half of one word, with a
 * generation in the high half so that a head that comes back is not mistaken
 * for one that never left. The pages stay, so a stale `next` may be read.
 */
static void push_free(struct grant_table *gt, grant_handle_t first, union maptrack *last)
{
	uint64_t old = read_once(gt->maptrack_free), was;

	for (;; old = was) {
		write_once(last->raw, (uint64_t)(uint32_t)old);	/* flags 0 */
		was = atomic_cmpxchg(&gt->maptrack_free, old,
				     (((old >> 32) + 1) << 32) | (first + 1));
		if (likely(was == old))
			return;
	}
}

static grant_handle_t pop_free(struct grant_table *gt)
{
	uint64_t old = read_once(gt->maptrack_free), was;

	for (;; old = was) {
		uint32_t head = (uint32_t)old;

		if (unlikely(!head))
			return NO_HANDLE;
		was = atomic_cmpxchg(&gt->maptrack_free, old, (((old >> 32) + 1) << 32) |
				     read_once(track(gt, head - 1)->ref));
		if (likely(was == old))
			return head - 1;
	}
}

/* Adds a page of tracks and takes one of them. NO_HANDLE at the limit or without memory. */
static grant_handle_t grow_maptrack(struct grant_table *gt)
{
	grant_handle_t first = NO_HANDLE;
	union maptrack *page;

	spin_lock(&gt->maptrack_lock);
	if (gt->maptrack_pages == gt->max_maptrack_pages)
		goto out;
	if (!gt->maptrack)
		gt->maptrack = xzalloc_array(union maptrack *, gt->max_maptrack_pages);
	page = gt->maptrack ? alloc_xenheap_page() : NULL;
	if (!page)
		goto out;
	first = gt->maptrack_pages << MT_SHIFT;
	for (unsigned int i = 1; i < MT_PER_PAGE - 1; i++)
		page[i].ref = first + i + 2;
	gt->maptrack[gt->maptrack_pages] = page;
	atomic_store(&gt->maptrack_pages, gt->maptrack_pages + 1);
	push_free(gt, first + 1, &page[MT_PER_PAGE - 1]);
out:
	spin_unlock(&gt->maptrack_lock);
	/* Somebody may have put one back meanwhile. */
	return first != NO_HANDLE ? first : pop_free(gt);
}

static inline grant_handle_t get_handle(struct grant_table *gt)
{
	grant_handle_t h = pop_free(gt);

	return likely(h != NO_HANDLE) ? h : grow_maptrack(gt);
}

/* ---- map ---- */

/* The domain of the element before is usually that of this one. */
struct domain_cache {
	struct domain *d;
	domid_t id;
};

static struct domain *cached_domain(struct domain_cache *c, domid_t id)
{
	if (!c->d || c->id != id) {
		c->d = domain_by_id(id);
		c->id = id;
	}
	return c->d;
}

static uint32_t pins_of(unsigned int flags)
{
	uint32_t writing = (flags & GNTMAP_host_map ? PIN_HOST_W : 0) |
			   (flags & GNTMAP_device_map ? PIN_DEV_W : 0);

	/* A reading pin's counter lies above the writing one's. */
	return flags & GNTMAP_readonly ? writing << PIN_READ_SHIFT : writing;
}

/*
 * Takes the references that the mappings want beyond the one that pg comes
 * with, and makes the host mapping. On error all are dropped, that one too.
 */
static int16_t map_frame(const struct gnttab_map_grant_ref *op, struct domain *rd,
			 struct page_info *pg)
{
	const bool host = op->flags & GNTMAP_host_map, dev = op->flags & GNTMAP_device_map;
	const bool ro = op->flags & GNTMAP_readonly;
	unsigned int refs = 1, types = 0;
	int16_t rc = GNTST_general_error;

	if (unlikely(host && dev)) {
		if (!get_page(pg, rd))
			goto undo;
		refs++;
	}
	if (!ro) {
		unsigned int want = (unsigned int)host + (unsigned int)dev;

		while (types < want) {
			if (unlikely(get_page_type(pg, PGT_writable_page)))
				goto undo;
			types++;
		}
	}
	if (likely(host))
		rc = (int16_t)arch_grant_map(op->host_addr, page_to_mfn(pg), op->flags);
	else
		rc = GNTST_okay;
	if (likely(rc == GNTST_okay))
		return rc;
undo:
	while (types--)
		put_page_type(pg);
	while (refs--)
		put_page(pg);
	return rc;
}

static int16_t map_one(struct gnttab_map_grant_ref *op, struct domain *ld,
		       struct domain_cache *cache)
{
	const uint32_t pins = pins_of(op->flags);
	const bool ro = op->flags & GNTMAP_readonly;
	struct page_info *pg;
	grant_handle_t handle;
	struct domain *rd;
	int16_t rc;

	if (unlikely(!pins))
		return GNTST_bad_gntref;
	rd = cached_domain(cache, op->dom);
	if (unlikely(!rd))
		return GNTST_bad_domain;
	handle = get_handle(ld->grant_table);
	if (unlikely(handle == NO_HANDLE))
		return GNTST_no_space;
	rc = (int16_t)grant_pin(rd, op->ref, ld->domain_id, ro, true, pins, &pg);
	if (unlikely(rc))
		goto put_handle;
	rc = map_frame(op, rd, pg);
	if (unlikely(rc))
		goto unpin;
	atomic_store(&track(ld->grant_table, handle)->raw,
		     MT_RAW(op->ref, op->dom, op->flags & MT_FLAGS));
	op->dev_bus_addr = mfn_to_paddr(page_to_mfn(pg));
	op->handle = handle;
	return GNTST_okay;

unpin:
	grant_unpin(rd, op->ref, ro, pins);
put_handle:
	push_free(ld->grant_table, handle, track(ld->grant_table, handle));
	return rc;
}

/*
 * Fetches up to BATCH elements; if not all are readable, one, so that what
 * comes before a bad address is done. 0 if not even that.
 */
static unsigned int fetch(void *batch, const void *guest, unsigned int left, size_t size)
{
	unsigned int n = min(left, BATCH);

	if (likely(!raw_copy_from_guest(batch, guest, n * size)))
		return n;
	return raw_copy_from_guest(batch, guest, size) ? 0 : 1;
}

long gnttab_map(unsigned long uop, unsigned int count)
{
	struct gnttab_map_grant_ref op[BATCH], *guest = (struct gnttab_map_grant_ref *)uop;
	struct domain_cache cache = { NULL, 0 };
	struct domain *ld = current->domain;
	unsigned int done = 0;

	while (done < count) {
		unsigned int n;

		if (done && hypercall_preempt_check())
			return done;
		n = fetch(op, guest + done, count - done, sizeof(*op));
		if (unlikely(!n))
			return -EFAULT;
		for (unsigned int i = 0; i < n; i++)
			op[i].status = map_one(&op[i], ld, &cache);
		if (unlikely(raw_copy_to_guest(guest + done, op, n * sizeof(*op))))
			return -EFAULT;
		done += n;
	}
	return 0;
}

/* ---- unmap ---- */

/* What an unmapped element still holds until the TLBs are flushed. */
struct undone {
	struct domain *rd;	/* NULL: nothing */
	grant_ref_t ref;
	unsigned int flags;	/* GNTMAP_host_map, _device_map: which went; GNTMAP_readonly */
	struct page_info *pg;
};

/* unmap_and_replace has the address of the entry to move in where unmap has the bus address. */
_Static_assert(sizeof(struct gnttab_unmap_and_replace) == sizeof(struct gnttab_unmap_grant_ref) &&
	       offsetof(struct gnttab_unmap_and_replace, new_addr) ==
	       offsetof(struct gnttab_unmap_grant_ref, dev_bus_addr) &&
	       offsetof(struct gnttab_unmap_and_replace, handle) ==
	       offsetof(struct gnttab_unmap_grant_ref, handle) &&
	       offsetof(struct gnttab_unmap_and_replace, status) ==
	       offsetof(struct gnttab_unmap_grant_ref, status), "one layout for both");

/*
 * Claims the track for us alone; *mt is what it held. False if it is free, or
 * being unmapped elsewhere.
 */
static bool claim_track(union maptrack *slot, union maptrack *mt)
{
	union maptrack busy;

	mt->raw = atomic_load(&slot->raw);
	if (unlikely(!mt->flags || (mt->flags & MT_BUSY)))
		return false;
	busy = *mt;
	busy.flags |= MT_BUSY;
	return atomic_cmpxchg(&slot->raw, mt->raw, busy.raw) == mt->raw;
}

static int16_t unmap_one(const struct gnttab_unmap_grant_ref *op, bool replace, struct domain *ld,
			 struct domain_cache *cache, struct undone *u)
{
	const uint64_t dev_bus_addr = replace ? 0 : op->dev_bus_addr;
	const uint64_t new_addr = replace ? op->dev_bus_addr : 0;
	struct grant_table *lgt = ld->grant_table;
	union maptrack *slot = track_checked(lgt, op->handle), mt;
	int16_t rc = GNTST_okay;
	struct domain *rd;
	mfn_t mfn;

	u->rd = NULL;
	if (unlikely(!slot) || unlikely(!claim_track(slot, &mt)))
		return GNTST_bad_handle;
	rd = cached_domain(cache, mt.domid);
	if (unlikely(!rd) || unlikely(mt.ref >= gt_entries(rd->grant_table))) {
		/*
		 * Only if the entry was overwritten behind the grant's back. The
		 * number may be another domain's already, with a smaller table.
		 */
		push_free(lgt, op->handle, slot);
		domain_crash(ld, "unmaps a grant of a domain that is gone");
		return GNTST_bad_handle;
	}
	/* This mapping's pin keeps the active entry as it is. */
	mfn = _mfn(read_once(gt_active(rd->grant_table, mt.ref)->mfn));
	u->flags = mt.flags & GNTMAP_readonly;
	if (dev_bus_addr && (mt.flags & GNTMAP_device_map) && dev_bus_addr != mfn_to_paddr(mfn)) {
		rc = GNTST_bad_dev_addr;
		goto out;
	}
	if (op->host_addr && (mt.flags & GNTMAP_host_map)) {
		rc = (int16_t)arch_grant_unmap(op->host_addr, mfn, new_addr, mt.flags);
		if (unlikely(rc))
			goto out;
		u->flags |= GNTMAP_host_map;
	}
	if (dev_bus_addr && (mt.flags & GNTMAP_device_map))
		u->flags |= GNTMAP_device_map;
	mt.flags &= (uint16_t)~(u->flags & (GNTMAP_host_map | GNTMAP_device_map));
	u->rd = rd;
	u->ref = mt.ref;
	u->pg = mfn_to_page(mfn);
out:
	if (mt.flags & (GNTMAP_host_map | GNTMAP_device_map))
		atomic_store(&slot->raw, mt.raw);
	else
		push_free(lgt, op->handle, slot);
	return rc;
}

/* While the pins still show that somebody may write: the pages were written. */
static void mark_written(const struct undone *u, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (u[i].rd && !(u[i].flags & GNTMAP_readonly))
			log_dirty_page(u[i].pg);
}

/* After the flush: drops what the mappings held. */
static void finish_unmaps(struct domain *ld, struct undone *u, unsigned int n)
{
	bool any = false;

	for (unsigned int i = 0; i < n; i++)
		any |= u[i].rd && (u[i].flags & GNTMAP_host_map);
	if (likely(any))
		flush_tlb_mask(&ld->dirty_cpumask);
	if (unlikely(log_dirty_on))
		mark_written(u, n);
	for (unsigned int i = 0; i < n; i++) {
		const bool ro = u[i].flags & GNTMAP_readonly;
		unsigned int refs = !!(u[i].flags & GNTMAP_host_map) +
				    !!(u[i].flags & GNTMAP_device_map);

		if (!u[i].rd || !refs)
			continue;
		grant_unpin_mapping(u[i].rd, u[i].ref, ld->domain_id, ro, pins_of(u[i].flags));
		while (refs--) {
			if (!ro)
				put_page_type(u[i].pg);
			put_page(u[i].pg);
		}
	}
}

static inline long unmap_all(unsigned long uop, unsigned int count, bool replace)
{
	struct gnttab_unmap_grant_ref op[BATCH], *guest = (struct gnttab_unmap_grant_ref *)uop;
	struct domain_cache cache = { NULL, 0 };
	struct domain *ld = current->domain;
	struct undone undone[BATCH];
	unsigned int done = 0;

	while (done < count) {
		unsigned int n;

		if (done && hypercall_preempt_check())
			return done;
		n = fetch(op, guest + done, count - done, sizeof(*op));
		if (unlikely(!n))
			return -EFAULT;
		for (unsigned int i = 0; i < n; i++)
			op[i].status = unmap_one(&op[i], replace, ld, &cache, &undone[i]);
		finish_unmaps(ld, undone, n);
		if (unlikely(raw_copy_to_guest(guest + done, op, n * sizeof(*op))))
			return -EFAULT;
		done += n;
	}
	return 0;
}

long gnttab_unmap(unsigned long uop, unsigned int count) { return unmap_all(uop, count, false); }
long gnttab_unmap_replace(unsigned long uop, unsigned int count)
{
	return unmap_all(uop, count, true);
}

/* ---- a domain dies ---- */

/* The page tables still hold the references of its host mappings; device mappings' go here. */
static void release_track(const struct domain *d, union maptrack mt)
{
	struct domain *rd = domain_by_id(mt.domid);
	const bool ro = mt.flags & GNTMAP_readonly;
	struct page_info *pg;

	if (!rd || mt.ref >= gt_entries(rd->grant_table))
		return;
	pg = mfn_to_page(_mfn(gt_active(rd->grant_table, mt.ref)->mfn));
	if (!ro)
		log_dirty_page(pg);
	grant_unpin_mapping(rd, mt.ref, d->domain_id, ro, pins_of(mt.flags));
	if (mt.flags & GNTMAP_device_map) {
		if (!ro)
			put_page_type(pg);
		put_page(pg);
	}
}

int gnttab_release_mappings(struct domain *d)
{
	struct grant_table *gt = d->grant_table;

	ASSERT(d->is_dying);
	if (!gt)
		return 0;
	while (gt->maptrack_pages) {
		union maptrack *page = gt->maptrack[gt->maptrack_pages - 1];

		for (unsigned int i = 0; i < MT_PER_PAGE; i++) {
			if (!page[i].flags)
				continue;
			release_track(d, page[i]);
			page[i].raw = 0;
		}
		/* Handles of this page are gone for good, and so is the list of free ones. */
		gt->maptrack_free = 0;
		gt->maptrack_pages--;
		free_xenheap_page(page);
		if (gt->maptrack_pages && hypercall_preempt_check())
			return -ERESTART;
	}
	return 0;
}
