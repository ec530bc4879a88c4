/* SPDX-License-Identifier: MIT */
/*
 * Starting and recovering the in-flight record of a ring; record.h says how it is kept.
 */
#include "record.h"

void record_start(struct record *r, unsigned int slots, evtchn_port_t remote_port,
		  unsigned int ring_pages, const grant_ref_t *refs)
{
	PV_WRITE_ONCE(r->magic, 0);
	pv_barrier();
	memset(r, 0, record_bytes(slots));
	r->slots = slots;
	r->remote_port = remote_port;
	r->ring_pages = ring_pages;
	memcpy(r->refs, refs, ring_pages * sizeof(*refs));
	pv_barrier();		/* valid only when all of it is */
	PV_WRITE_ONCE(r->magic, RECORD_MAGIC);
}

bool record_matches(const struct record *r, unsigned int slots, evtchn_port_t remote_port,
		    unsigned int ring_pages, const grant_ref_t *refs)
{
	return r->magic == RECORD_MAGIC && r->slots == slots && r->remote_port == remote_port &&
	       r->ring_pages == ring_pages && !memcmp(r->refs, refs, ring_pages * sizeof(*refs));
}

static void rewrite(struct record *r, struct pv_ring_shared *shared, const struct record_entry *e)
{
	struct blkif_response response = {
		.id = e->id, .operation = e->operation, .status = e->status,
	};

	memcpy(pv_ring_slot(shared, r->slots, sizeof(union blkif_sring_entry), e->rsp_index),
	       &response, sizeof(response));
}

int record_recover(struct record *r, struct pv_ring_shared *shared, uint32_t *req_cons,
		   uint32_t *rsp_prod)
{
	uint32_t visible = PV_READ_ONCE(shared->rsp_prod), answers = 0, pending = 0;

	for (unsigned int i = 0; i < r->slots; i++) {
		struct record_entry *e = &r->entries[i];

		if (e->state == RECORD_PENDING && (int32_t)(e->req_index - r->req_cons) >= 0)
			e->state = RECORD_FREE;
		if (e->state == RECORD_ANSWERED && (int32_t)(e->rsp_index - visible) < 0)
			e->state = RECORD_FREE;
		if (e->state == RECORD_ANSWERED && e->rsp_index - visible >= r->slots)
			return -XEN_EINVAL;
		record_point();
		answers += e->state == RECORD_ANSWERED;
		pending += e->state == RECORD_PENDING;
	}
	/* Every request taken is answered visibly, answered, or pending: else the index was tampered with. */
	if (r->req_cons - visible != answers + pending)
		return -XEN_EINVAL;
	for (unsigned int i = 0; i < r->slots; i++)
		if (r->entries[i].state == RECORD_ANSWERED)
			rewrite(r, shared, &r->entries[i]);
	record_point();
	*req_cons = r->req_cons;
	*rsp_prod = visible + answers;
	return 0;
}
