/* SPDX-License-Identifier: MIT */
/*
 * The in-flight record of a ring: what a new instance of the backend must know that the ring itself
 * does not tell, in memory that outlives the process.
 *
 * A slot of the ring is a union of request and response, the consumer's index is private, and answers
 * come out of order; so each request has an entry here from before it is taken until after its
 * response is visible. A process is killed between two instructions, and x86 keeps the order of stores:
 * what follows needs no more than the compiler's barriers.
 *
 *	take:	entry's slot and req_index; state PENDING; req_cons
 *	answer:	entry's status and rsp_index; state ANSWERED; the ring's slot; ... ; the ring's rsp_prod;
 *		then state FREE
 *
 * So on takeover an entry PENDING with req_index not before req_cons was not yet taken; one ANSWERED
 * with rsp_index before the ring's rsp_prod has been seen; one ANSWERED beyond it may be half written
 * in the ring, and is written again.
 */
#ifndef BLKBACK_RECORD_H
#define BLKBACK_RECORD_H

#include <pv/ring.h>
#include <xen/io/blkif.h>

#define RECORD_MAGIC	0x314b4c42	/* BLK1 */
#define RECORD_MAX_REFS	16

enum record_state { RECORD_FREE, RECORD_PENDING, RECORD_ANSWERED };

struct record_entry {
	uint32_t state;
	uint32_t req_index;
	uint32_t rsp_index;
	int16_t status;
	uint8_t operation;
	uint8_t pad;
	uint64_t id;
	union {
		struct blkif_request request;
		struct blkif_request_indirect indirect;
		struct blkif_request_discard discard;
	} slot;
};

/* The connection that it is about, then its requests. */
struct record {
	uint32_t magic;
	uint32_t slots;
	uint32_t remote_port;
	uint32_t ring_pages;
	grant_ref_t refs[RECORD_MAX_REFS];
	uint32_t req_cons;
	uint32_t pad[7];
	struct record_entry entries[];
};

static inline size_t record_bytes(unsigned int slots)
{
	return sizeof(struct record) + slots * sizeof(struct record_entry);
}

/* In tests a seeded kill may happen here; nothing otherwise. */
#ifdef TOOLS_TEST
void record_point(void);
#else
static inline void record_point(void) { pv_barrier(); }
#endif

/* A new connection: nothing is under way. */
void record_start(struct record *r, unsigned int slots, evtchn_port_t remote_port,
		  unsigned int ring_pages, const grant_ref_t *refs);

/* Is it about this connection? */
bool record_matches(const struct record *r, unsigned int slots, evtchn_port_t remote_port,
		    unsigned int ring_pages, const grant_ref_t *refs);

/*
 * Brings the ring to where the earlier instance left it: *req_cons and *rsp_prod for the new instance,
 * answers not yet visible written again, entries that need nothing more freed. What then is PENDING
 * is to be done again. -XEN_EINVAL: the ring's index cannot be.
 */
int record_recover(struct record *r, struct pv_ring_shared *shared, uint32_t *req_cons,
		   uint32_t *rsp_prod);

static inline void record_take(struct record *r, struct record_entry *e, uint32_t req_index)
{
	e->req_index = req_index;
	record_point();
	PV_WRITE_ONCE(e->state, RECORD_PENDING);
	record_point();
	PV_WRITE_ONCE(r->req_cons, req_index + 1);
	record_point();
}

static inline void record_answer(struct record_entry *e, uint32_t rsp_index, int16_t status)
{
	e->rsp_index = rsp_index;
	e->status = status;
	record_point();
	PV_WRITE_ONCE(e->state, RECORD_ANSWERED);
	record_point();
}

static inline void record_free(struct record_entry *e)
{
	record_point();
	PV_WRITE_ONCE(e->state, RECORD_FREE);
}

#endif
