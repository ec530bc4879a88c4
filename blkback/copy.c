/* SPDX-License-Identifier: MIT */
/*
 * Grant copies between a device's buffer and its guest, collected over requests so that one call of
 * the hypervisor moves many pages.
 */
#include "private.h"

/*
 * What a piece's failure means: a reference that we may not use is the frontend's lie, anything else
 * can happen to an honest one.
 */
static void piece_failed(struct request *r, const struct pv_copy *c)
{
	r->failed = true;
	if (c->status == GNTST_bad_gntref || c->status == GNTST_permission_denied)
		pv_xenbus_fail(&r->queue->device->bus, "queue %u request %llx: gref is %u (%s)",
			       r->queue->index, (unsigned long long)r->entry->id, c->ref,
			       c->to_grant ? "not granted for writing" : "not granted");
}

void copy_run(struct blkback *b)
{
	unsigned int n = b->nr_copies;
	int rc;

	if (!n)
		return;
	b->nr_copies = 0;
	rc = pv_grant_copy(b->domain, b->copies, n);
	for (unsigned int i = 0; i < n; i++) {
		if (rc)
			b->copy_owner[i]->failed = true;
		else if (b->copies[i].status != GNTST_okay)
			piece_failed(b->copy_owner[i], &b->copies[i]);
	}
}

void copy_add(struct blkback *b, struct request *r, bool to_grant, grant_ref_t ref,
	      unsigned int offset, unsigned int bytes, void *local)
{
	unsigned int i = b->nr_copies;

	b->copy_owner[i] = r;
	b->copies[i] = (struct pv_copy){
		.to_grant = to_grant,
		.domid = b->bus.peer,
		.ref = ref,
		.offset = offset,
		.bytes = bytes,
		.local = local,
	};
	if (++b->nr_copies == COPY_BATCH)
		copy_run(b);
}
