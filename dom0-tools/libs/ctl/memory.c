/* SPDX-License-Identifier: MIT */
/*
 * Control operations on memory: reservations, frame types, other domains' page tables, dirty pages.
 * Lists go through the handle's argument area in batches, so their length is not limited by it.
 * Sources: <xen/memory.h>, <xen/domctl.h>, <xen/xen.h>.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

/* Frames per hypercall: 32 KiB of list. */
#define FRAME_BATCH	4096UL
/* getpageframeinfo3 takes no more. */
#define INFO_BATCH	1024U

/* ---- reservations ---- */

static long reservation(struct ctl *ctl, unsigned int cmd, domid_t domid, unsigned int order,
			unsigned int flags, unsigned long count, xen_pfn_t *frames)
{
	unsigned long done = 0;

	while (done < count) {
		unsigned long batch = count - done < FRAME_BATCH ? count - done : FRAME_BATCH;
		xen_pfn_t *payload = ctl_payload(ctl, batch * sizeof(*frames));
		struct xen_memory_reservation op = {
			.nr_extents = batch, .extent_order = order, .mem_flags = flags,
			.domid = domid,
		};
		int rc;

		if (!payload)
			return done ? (long)done : -ENOMEM;
		memcpy(payload, frames + done, batch * sizeof(*frames));
		set_xen_guest_handle(op.extent_start, payload);
		rc = ctl_small_op(ctl, __HYPERVISOR_memory_op, cmd, &op, sizeof(op));
		if (rc < 0 || (unsigned long)rc > batch)
			return done ? (long)done : rc < 0 ? rc : -EPROTO;
		if (cmd == XENMEM_populate_physmap)
			memcpy(frames + done, payload, rc * sizeof(*frames));
		done += rc;
		if ((unsigned long)rc < batch)
			break;
	}
	return (long)done;
}

long ctl_populate_physmap(struct ctl *ctl, domid_t domid, unsigned int order, unsigned int flags,
			  unsigned long count, xen_pfn_t *frames)
{
	return reservation(ctl, XENMEM_populate_physmap, domid, order, flags, count, frames);
}

long ctl_decrease_reservation(struct ctl *ctl, domid_t domid, unsigned long count,
			      xen_pfn_t *frames)
{
	return reservation(ctl, XENMEM_decrease_reservation, domid, 0, 0, count, frames);
}

int ctl_claim_pages(struct ctl *ctl, domid_t domid, unsigned long pages)
{
	struct xen_memory_reservation op = { .nr_extents = pages, .domid = domid };

	return ctl_small_op(ctl, __HYPERVISOR_memory_op, XENMEM_claim_pages, &op, sizeof(op));
}

/* ---- questions ---- */

long ctl_maximum_ram_page(struct ctl *ctl)
{
	return call_memory_op(ctl->call, XENMEM_maximum_ram_page, NULL);
}

long ctl_maximum_gpfn(struct ctl *ctl, domid_t domid)
{
	domid_t *payload = ctl_payload(ctl, sizeof(*payload));

	if (!payload)
		return -ENOMEM;
	*payload = domid;
	return call_memory_op(ctl->call, XENMEM_maximum_gpfn, payload);
}

int ctl_machphys_mfn_list(struct ctl *ctl, unsigned int max, xen_pfn_t *frames)
{
	struct xen_machphys_mfn_list op = { .max_extents = max };
	xen_pfn_t *payload = ctl_payload(ctl, max * sizeof(*payload));
	int rc;

	if (!payload)
		return -ENOMEM;
	set_xen_guest_handle(op.extent_start, payload);
	rc = ctl_small_op(ctl, __HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, &op, sizeof(op));
	if (rc)
		return rc;
	if (op.nr_extents > max)
		return -EPROTO;
	memcpy(frames, payload, op.nr_extents * sizeof(*frames));
	return (int)op.nr_extents;
}

int ctl_set_memory_map(struct ctl *ctl, domid_t domid, const void *entries, unsigned int count,
		       size_t entry_bytes)
{
	struct xen_foreign_memory_map op = { .domid = domid, .map.nr_entries = count };
	char *payload = ctl_payload(ctl, count * entry_bytes);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, entries, count * entry_bytes);
	set_xen_guest_handle(op.map.buffer, (void *)payload);
	return ctl_small_op(ctl, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &op, sizeof(op));
}

int ctl_getpageframeinfo(struct ctl *ctl, domid_t domid, unsigned int count, xen_pfn_t *frames)
{
	while (count) {
		unsigned int batch = count < INFO_BATCH ? count : INFO_BATCH;
		struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_getpageframeinfo3, domid);
		xen_pfn_t *payload = ctl_payload(ctl, batch * sizeof(*frames));
		int rc;

		if (!payload)
			return -ENOMEM;
		memcpy(payload, frames, batch * sizeof(*frames));
		op.u.getpageframeinfo3.num = batch;
		set_xen_guest_handle(op.u.getpageframeinfo3.array, payload);
		rc = ctl_domctl(ctl, &op);
		if (rc)
			return rc;
		memcpy(frames, payload, batch * sizeof(*frames));
		frames += batch;
		count -= batch;
	}
	return 0;
}

int ctl_shadow_op(struct ctl *ctl, domid_t domid, uint32_t what, uint32_t mode, void *bitmap,
		  uint64_t *pages, struct xen_domctl_shadow_op_stats *stats)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_shadow_op, domid);
	size_t bytes = pages ? (*pages + 7) / 8 : 0;
	uint8_t *payload = NULL;
	int rc;

	if (bitmap) {
		payload = ctl_payload(ctl, bytes);
		if (!payload)
			return -ENOMEM;
		memset(payload, 0, bytes);
	}
	op.u.shadow_op.op = what;
	op.u.shadow_op.mode = mode;
	op.u.shadow_op.pages = pages ? *pages : 0;
	set_xen_guest_handle(op.u.shadow_op.dirty_bitmap, payload);
	rc = ctl_domctl(ctl, &op);
	if (rc < 0)
		return rc;
	if (bitmap)
		memcpy(bitmap, payload, bytes);
	if (pages)
		*pages = op.u.shadow_op.pages;
	if (stats)
		*stats = op.u.shadow_op.stats;
	return rc;
}

/* ---- page tables ---- */

/* A list of operations on @domid: all done, or -errno of the first that failed. */
static int mmu_list(struct ctl *ctl, unsigned int hypercall, domid_t domid, const void *list,
		    unsigned int count, size_t entry_bytes)
{
	while (count) {
		unsigned int batch = count < FRAME_BATCH ? count : (unsigned int)FRAME_BATCH;
		void *payload = ctl_payload(ctl, batch * entry_bytes);
		int rc;

		if (!payload)
			return -ENOMEM;
		memcpy(payload, list, batch * entry_bytes);
		rc = call_hypercall(ctl->call, hypercall, (unsigned long)payload, batch, 0, domid,
				    0);
		if (rc)
			return rc;
		list = (const char *)list + batch * entry_bytes;
		count -= batch;
	}
	return 0;
}

int ctl_mmuext(struct ctl *ctl, domid_t domid, struct mmuext_op *ops, unsigned int count)
{
	return mmu_list(ctl, __HYPERVISOR_mmuext_op, domid, ops, count, sizeof(*ops));
}

int ctl_mmu_update(struct ctl *ctl, domid_t domid, struct mmu_update *updates, unsigned int count)
{
	return mmu_list(ctl, __HYPERVISOR_mmu_update, domid, updates, count, sizeof(*updates));
}
