/* SPDX-License-Identifier: MIT */
/*
 * Shared rings as <xen/io/ring.h> lays them out, accessed so that the peer cannot surprise us: an
 * index is read once and checked against the ring's size, a slot is copied once and only the copy used.
 *
 * One struct per end, for any message type: slot size and count are set at init. Loop of a backend:
 *
 *	n = pv_back_ring_pending(&ring);		negative: the frontend lies, give up
 *	while (n-- && budget--) { pv_back_ring_get(&ring, &request, sizeof(request)); ... }
 *	pv_back_ring_put(&ring, &response, sizeof(response)); ...
 *	if (pv_back_ring_push(&ring)) notify
 *	if (pv_back_ring_idle(&ring)) sleep, else go on
 *
 * Indices run freely modulo 2^32; the slot is index modulo size.
 */
#ifndef PV_RING_H
#define PV_RING_H

#include <pv/types.h>

/* What every sring starts with. */
struct pv_ring_shared {
	uint32_t req_prod, req_event;
	uint32_t rsp_prod, rsp_event;
	uint8_t pad[48];
};

#define PV_RING_HEADER	64U

struct pv_back_ring {
	struct pv_ring_shared *shared;
	uint32_t size;		/* slots, a power of two */
	uint32_t slot_bytes;
	uint32_t req_cons;	/* requests taken */
	uint32_t rsp_prod;	/* responses put, not all of them pushed */
};

struct pv_front_ring {
	struct pv_ring_shared *shared;
	uint32_t size;
	uint32_t slot_bytes;
	uint32_t req_prod;	/* requests put, not all of them pushed */
	uint32_t rsp_cons;	/* responses taken */
};

/* Slots that fit into @bytes of ring: a power of two. */
static inline uint32_t pv_ring_slots(size_t bytes, uint32_t slot_bytes)
{
	uint32_t fit = (bytes - PV_RING_HEADER) / slot_bytes, size = 1;

	while (size * 2 <= fit)
		size *= 2;
	return size;
}

static inline void *pv_ring_slot(struct pv_ring_shared *shared, uint32_t size, uint32_t slot_bytes,
				 uint32_t index)
{
	return (char *)shared + PV_RING_HEADER + (size_t)(index & (size - 1)) * slot_bytes;
}

/* Copies shared memory once: nothing after the barrier can make the compiler read it again. */
static inline void pv_ring_copy(void *to, const void *from, size_t bytes)
{
	pv_barrier();
	memcpy(to, from, bytes);
	pv_barrier();
}

/* Did moving the producer from @old to @now pass the index at which the other end wants a notice? */
static inline bool pv_ring_passed(uint32_t event, uint32_t old, uint32_t now)
{
	return (uint32_t)(now - event) < (uint32_t)(now - old);
}

/* --- The back end --- */

/* @index: where both counters start: 0, or what an earlier instance left. */
static inline void pv_back_ring_init(struct pv_back_ring *r, void *shared, size_t bytes,
				     uint32_t slot_bytes, uint32_t req_cons, uint32_t rsp_prod)
{
	r->shared = shared;
	r->size = pv_ring_slots(bytes, slot_bytes);
	r->slot_bytes = slot_bytes;
	r->req_cons = req_cons;
	r->rsp_prod = rsp_prod;
}

/* Requests to take. -XEN_EINVAL: the producer index is impossible. */
static inline int pv_back_ring_pending(const struct pv_back_ring *r)
{
	uint32_t prod = PV_READ_ONCE(r->shared->req_prod);

	pv_rmb();		/* the index before the slots it covers */
	if (prod - r->rsp_prod > r->size || prod - r->req_cons > r->size)
		return -XEN_EINVAL;
	return prod - r->req_cons;
}

/* Copies the next request out; only if pv_back_ring_pending() said there is one. */
static inline void pv_back_ring_get(struct pv_back_ring *r, void *request, size_t bytes)
{
	pv_ring_copy(request, pv_ring_slot(r->shared, r->size, r->slot_bytes, r->req_cons), bytes);
	r->req_cons++;
}

/* Copies a request out @ahead of the next one, without taking it. */
static inline void pv_back_ring_peek(const struct pv_back_ring *r, uint32_t ahead, void *request,
				     size_t bytes)
{
	pv_ring_copy(request,
		     pv_ring_slot(r->shared, r->size, r->slot_bytes, r->req_cons + ahead), bytes);
}

/* At most as many as requests were taken. */
static inline void pv_back_ring_put(struct pv_back_ring *r, const void *response, size_t bytes)
{
	memcpy(pv_ring_slot(r->shared, r->size, r->slot_bytes, r->rsp_prod), response, bytes);
	r->rsp_prod++;
}

/* Makes all responses visible; true: notify the frontend. */
static inline bool pv_back_ring_push(struct pv_back_ring *r)
{
	uint32_t old = PV_READ_ONCE(r->shared->rsp_prod);

	pv_wmb();		/* the slots before the index that covers them */
	PV_WRITE_ONCE(r->shared->rsp_prod, r->rsp_prod);
	pv_mb();		/* our index before we look at what the frontend waits for */
	return pv_ring_passed(PV_READ_ONCE(r->shared->rsp_event), old, r->rsp_prod);
}

/* Asks to be notified of the next request; false: one is already there (or the index is bad). */
static inline bool pv_back_ring_idle(struct pv_back_ring *r)
{
	PV_WRITE_ONCE(r->shared->req_event, r->req_cons + 1);
	pv_mb();		/* our wish before we look again */
	return PV_READ_ONCE(r->shared->req_prod) == r->req_cons;
}

/* --- The front end --- */

/* Also initialises the shared page(s), which nobody else may use yet. */
static inline void pv_front_ring_init(struct pv_front_ring *r, void *shared, size_t bytes,
				      uint32_t slot_bytes)
{
	memset(shared, 0, bytes);
	r->shared = shared;
	r->size = pv_ring_slots(bytes, slot_bytes);
	r->slot_bytes = slot_bytes;
	r->req_prod = 0;
	r->rsp_cons = 0;
	r->shared->req_event = 1;
	r->shared->rsp_event = 1;
}

/* Slots free for requests. */
static inline uint32_t pv_front_ring_free(const struct pv_front_ring *r)
{
	return r->size - (r->req_prod - r->rsp_cons);
}

/* Only while pv_front_ring_free() > 0. */
static inline void pv_front_ring_put(struct pv_front_ring *r, const void *request, size_t bytes)
{
	memcpy(pv_ring_slot(r->shared, r->size, r->slot_bytes, r->req_prod), request, bytes);
	r->req_prod++;
}

/* Makes all requests visible; true: notify the backend. */
static inline bool pv_front_ring_push(struct pv_front_ring *r)
{
	uint32_t old = PV_READ_ONCE(r->shared->req_prod);

	pv_wmb();		/* the slots before the index that covers them */
	PV_WRITE_ONCE(r->shared->req_prod, r->req_prod);
	pv_mb();		/* our index before we look at what the backend waits for */
	return pv_ring_passed(PV_READ_ONCE(r->shared->req_event), old, r->req_prod);
}

/* Responses to take. -XEN_EINVAL: more than there can be. */
static inline int pv_front_ring_pending(const struct pv_front_ring *r)
{
	uint32_t prod = PV_READ_ONCE(r->shared->rsp_prod);

	pv_rmb();		/* the index before the slots it covers */
	if (prod - r->rsp_cons > r->req_prod - r->rsp_cons)
		return -XEN_EINVAL;
	return prod - r->rsp_cons;
}

static inline void pv_front_ring_get(struct pv_front_ring *r, void *response, size_t bytes)
{
	pv_ring_copy(response, pv_ring_slot(r->shared, r->size, r->slot_bytes, r->rsp_cons), bytes);
	r->rsp_cons++;
}

/* Asks to be notified of the next response; false: one is already there (or the index is bad). */
static inline bool pv_front_ring_idle(struct pv_front_ring *r)
{
	PV_WRITE_ONCE(r->shared->rsp_event, r->rsp_cons + 1);
	pv_mb();		/* our wish before we look again */
	return PV_READ_ONCE(r->shared->rsp_prod) == r->rsp_cons;
}

#endif
