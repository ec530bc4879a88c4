/* SPDX-License-Identifier: MIT */
/*
 * The block frontend's rings: operations become requests with granted pages, answers are checked
 * against what was asked before anything is believed.
 */
#include "private.h"

#define RING_SLOT	sizeof(union blkif_sring_entry)

/* --- Pages for persistent grants --- */

static struct bounce *bounce_take(struct blkfront *f)
{
	struct bounce *b = f->bounces;
	char *page;

	if (b) {
		f->bounces = b->next;
		return b;
	}
	page = pv_pages_alloc(f->domain, 2);	/* one for data, one for our own notes */
	if (!page)
		return NULL;
	b = (void *)(page + PV_PAGE_SIZE);
	b->page = page;
	if (pv_grant_share(f->domain, f->bus.peer, page, true, &b->ref)) {
		pv_pages_free(f->domain, page, 2);
		return NULL;
	}
	return b;
}

static void bounce_give(struct blkfront *f, struct bounce *b)
{
	b->next = f->bounces;
	f->bounces = b;
}

void bounce_free_all(struct blkfront *f)
{
	struct bounce *b;

	while ((b = f->bounces)) {
		f->bounces = b->next;
		if (!pv_grant_unshare(f->domain, b->ref))
			pv_pages_free(f->domain, b->page, 2);
	}
}

/* --- One request --- */

/* Bytes of the operation in its @n-th page, and where they start. */
static char *piece_of(const struct blkfront_io *io, unsigned int n, unsigned int *bytes)
{
	unsigned long start = (unsigned long)io->data, end = start + io->bytes;
	unsigned long from = n ? (start & ~(PV_PAGE_SIZE - 1UL)) + (size_t)n * PV_PAGE_SIZE : start;
	unsigned long to = (from & ~(PV_PAGE_SIZE - 1UL)) + PV_PAGE_SIZE;

	*bytes = (to < end ? to : end) - from;
	return (char *)from;
}

static unsigned int pieces_of(const struct blkfront_io *io)
{
	unsigned long offset = (unsigned long)io->data & (PV_PAGE_SIZE - 1);

	return (offset + io->bytes + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;
}

/* Takes one segment's page back; false: the backend still has it. */
static bool take_back(struct front_queue *q, struct shadow *s, unsigned int i, bool copy)
{
	unsigned int bytes;
	char *at = piece_of(s->io, i, &bytes);

	if (!s->bounce[i])
		return !pv_grant_unshare(q->front->domain, s->refs[i]);
	if (copy)
		memcpy(at, s->bounce[i]->page + ((unsigned long)at & (PV_PAGE_SIZE - 1)), bytes);
	bounce_give(q->front, s->bounce[i]);
	return true;
}

static int give_out(struct front_queue *q, struct shadow *s, unsigned int i)
{
	struct blkfront *f = q->front;
	bool writes = s->io->op == BLKFRONT_WRITE;
	unsigned int bytes;
	char *at = piece_of(s->io, i, &bytes);
	unsigned long offset = (unsigned long)at & (PV_PAGE_SIZE - 1);

	s->bounce[i] = NULL;
	if (!f->info.persistent)
		return pv_grant_share(f->domain, f->bus.peer, at - offset, !writes, &s->refs[i]);
	s->bounce[i] = bounce_take(f);
	if (!s->bounce[i])
		return -XEN_ENOSPC;
	s->refs[i] = s->bounce[i]->ref;
	if (writes)
		memcpy(s->bounce[i]->page + offset, at, bytes);
	return 0;
}

static void fill_segment(const struct front_queue *q, const struct shadow *s, unsigned int i,
			 struct blkif_request_segment *segment)
{
	unsigned int bytes, unit = q->front->unit;
	unsigned long at = (unsigned long)piece_of(s->io, i, &bytes) & (PV_PAGE_SIZE - 1);

	segment->gref = s->refs[i];
	segment->first_sect = at / unit;
	segment->last_sect = (at + bytes) / unit - 1;
}

static void put_direct(struct front_queue *q, struct shadow *s)
{
	struct blkif_request r = {
		.operation = s->operation, .nr_segments = s->nr_segments, .id = s->id,
		.sector_number = s->io->offset / q->front->unit,
	};

	for (unsigned int i = 0; i < s->nr_segments; i++)
		fill_segment(q, s, i, &r.seg[i]);
	pv_front_ring_put(&q->ring, &r, sizeof(r));
}

static void put_indirect(struct front_queue *q, struct shadow *s)
{
	struct blkif_request_indirect r = {
		.operation = BLKIF_OP_INDIRECT, .indirect_op = s->operation,
		.nr_segments = s->nr_segments, .id = s->id,
		.sector_number = s->io->offset / q->front->unit,
		.indirect_grefs = { s->list_ref },
	};
	struct blkif_request_segment *list = (void *)s->list_page;

	for (unsigned int i = 0; i < s->nr_segments; i++)
		fill_segment(q, s, i, &list[i]);
	pv_front_ring_put(&q->ring, &r, sizeof(r));
}

static void put_discard(struct front_queue *q, struct shadow *s)
{
	struct blkif_request_discard r = {
		.operation = BLKIF_OP_DISCARD, .id = s->id,
		.sector_number = s->io->offset / q->front->unit,
		.nr_sectors = s->io->bytes / q->front->unit,
	};

	pv_front_ring_put(&q->ring, &r, sizeof(r));
}

/* The page of a segment list, kept with the shadow once it was needed. */
static int need_list(struct front_queue *q, struct shadow *s)
{
	struct pv_domain *d = q->front->domain;

	if (s->list_page)
		return 0;
	s->list_page = pv_pages_alloc(d, 1);
	if (!s->list_page)
		return -XEN_ENOMEM;
	/* With persistent grants the backend maps every page for writing, and keeps it. */
	if (!pv_grant_share(d, q->front->bus.peer, s->list_page, q->front->info.persistent,
			    &s->list_ref))
		return 0;
	pv_pages_free(d, s->list_page, 1);
	s->list_page = NULL;
	return -XEN_ENOSPC;
}

/* Grants the data's pages and puts the request; on failure nothing is held, but by a backend that should not. */
static int put_request(struct front_queue *q, struct shadow *s)
{
	static const uint8_t operations[] = {
		[BLKFRONT_READ] = BLKIF_OP_READ,
		[BLKFRONT_WRITE] = BLKIF_OP_WRITE,
		[BLKFRONT_FLUSH] = BLKIF_OP_FLUSH_DISKCACHE,
		[BLKFRONT_DISCARD] = BLKIF_OP_DISCARD,
	};
	bool data = s->io->op <= BLKFRONT_WRITE;
	unsigned int n = data ? pieces_of(s->io) : 0, i = 0;
	int rc = n > BLKIF_MAX_SEGMENTS_PER_REQUEST ? need_list(q, s) : 0;

	for (; i < n && !rc; i++)
		rc = give_out(q, s, i);
	if (rc) {
		while (i-- > 1)		/* the last one was not given out */
			s->io->stuck |= !take_back(q, s, i - 1, false);
		return rc;
	}
	s->nr_segments = n;
	s->operation = operations[s->io->op];
	s->id = (uint64_t)++q->uses << 32 | (s - q->shadows);
	if (s->io->op == BLKFRONT_DISCARD)
		put_discard(q, s);
	else if (n > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		put_indirect(q, s);
	else
		put_direct(q, s);
	return 0;
}

#define RETRY_NS	10000000ULL	/* 10 ms */

static void send_again(void *arg)
{
	blkfront_kick(arg);
}

/* Nothing will come back that would make us try again: time must. */
static void retry_later(struct blkfront *f)
{
	f->retry.fn = send_again;
	f->retry.arg = f;
	pv_timer_set(f->domain, &f->retry, pv_now(f->domain) + RETRY_NS);
}

void front_queue_send(struct front_queue *q)
{
	while (q->waiting && q->free && q->front->connected && !q->front->ended) {
		struct blkfront_io *io = q->waiting;
		struct shadow *s = q->free;

		s->io = io;
		if (put_request(q, s)) {
			s->io = NULL;	/* no grant or page: some come back with the next answer */
			if (!q->in_flight)
				retry_later(q->front);
			break;
		}
		q->free = s->next;
		q->in_flight++;
		q->waiting = io->next;
		if (!q->waiting)
			q->waiting_end = &q->waiting;
		q->unsent = true;
	}
	if (!q->unsent)
		return;
	q->unsent = false;
	if (pv_front_ring_push(&q->ring))
		pv_event_notify(q->front->domain, q->port);
}

/* --- Answers --- */

/* Lets go of a request's pages; the shadow is free then. */
static struct blkfront_io *retire(struct front_queue *q, struct shadow *s, bool copy)
{
	struct blkfront_io *io = s->io;

	for (unsigned int i = 0; i < s->nr_segments; i++)
		io->stuck |= !take_back(q, s, i, copy);
	s->io = NULL;
	s->nr_segments = 0;
	q->in_flight--;
	s->next = q->free;
	q->free = s;
	return io;
}

/* The shadow that an answer is for; NULL: it is for none. */
static struct shadow *match(struct front_queue *q, const struct blkif_response *r)
{
	uint32_t index = r->id;
	struct shadow *s = &q->shadows[index];

	if (index >= q->ring.size || !s->io || s->id != r->id || s->operation != r->operation)
		return NULL;
	return s;
}

static int take_answer(struct front_queue *q)
{
	struct blkif_response r;
	struct blkfront_io *io;
	struct shadow *s;

	pv_front_ring_get(&q->ring, &r, sizeof(r));
	s = match(q, &r);
	if (!s)
		return pv_xenbus_fail(&q->front->bus, "answer to no request: id is %llx, operation %u",
				      (unsigned long long)r.id, r.operation);
	io = retire(q, s, r.status == BLKIF_RSP_OKAY && s->io->op == BLKFRONT_READ);
	io->result = r.status == BLKIF_RSP_OKAY ? 0 :
		     r.status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP : -XEN_EIO;
	if (io->stuck) {
		io->result = -XEN_EIO;
		io->done(io);
		return pv_xenbus_fail(&q->front->bus, "answered, but keeps the pages mapped");
	}
	io->done(io);
	return 0;
}

bool front_queue_event(void *arg, evtchn_port_t port)
{
	struct front_queue *q = arg;
	int n, rc = 0;

	(void)port;
	if (!q->shared)
		return false;
	n = pv_front_ring_pending(&q->ring);
	if (n < 0)
		rc = pv_xenbus_fail(&q->front->bus, "rsp_prod is %u, req_prod %u",
				    q->ring.shared->rsp_prod, q->ring.req_prod);
	for (; n > 0 && !rc && q->shared; n--)
		rc = take_answer(q);
	if (rc) {
		front_fail(q->front);
		return false;
	}
	if (!q->shared)
		return false;		/* closed by one of the done() functions */
	front_queue_send(q);
	if (q->front->ended)
		front_drained(q->front);
	return q->shared && !pv_front_ring_idle(&q->ring);
}

/* --- Life --- */

int front_queue_init(struct front_queue *q, struct blkfront *f)
{
	unsigned int pages = 1U << f->ring_order, n;

	q->front = f;
	q->shared = pv_pages_alloc(f->domain, pages);
	if (!q->shared)
		return -XEN_ENOMEM;
	pv_front_ring_init(&q->ring, q->shared, (size_t)pages * PV_PAGE_SIZE, RING_SLOT);
	for (n = 0; n < MAX_RING_PAGES; n++)
		q->ring_refs[n] = NO_REF;
	n = q->ring.size;
	q->shadow_pages = (n * sizeof(struct shadow) + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;
	q->shadows = pv_pages_alloc(f->domain, q->shadow_pages);
	if (!q->shadows)
		return -XEN_ENOMEM;
	q->free = NULL;
	while (n--) {
		q->shadows[n].next = q->free;
		q->free = &q->shadows[n];
	}
	for (n = 0; n < pages; n++) {
		grant_ref_t ref;
		int rc = pv_grant_share(f->domain, f->bus.peer,
					(char *)q->shared + (size_t)n * PV_PAGE_SIZE, true, &ref);

		if (rc)
			return rc;
		q->ring_refs[n] = ref;
	}
	n = pv_event_open(f->domain, f->bus.peer, 0, front_queue_event, q);
	if ((int)n < 0)
		return (int)n;
	q->port = n;
	return 0;
}

/* What was sent and not answered will be sent again, before what waits. */
static void requeue(struct front_queue *q, struct shadow *s)
{
	struct blkfront_io *io = retire(q, s, false);

	io->next = q->waiting;
	if (!q->waiting)
		q->waiting_end = &io->next;
	q->waiting = io;
}

static void drop_shadows(struct front_queue *q)
{
	struct pv_domain *d = q->front->domain;

	for (unsigned int i = q->ring.size; i--;) {
		struct shadow *s = &q->shadows[i];

		if (s->io)
			requeue(q, s);
		if (s->list_page && !pv_grant_unshare(d, s->list_ref))
			pv_pages_free(d, s->list_page, 1);
	}
	pv_pages_free(d, q->shadows, q->shadow_pages);
	q->shadows = NULL;
	q->free = NULL;
}

void front_queue_drop(struct front_queue *q)
{
	struct pv_domain *d = q->front->domain;
	unsigned int pages = 1U << q->front->ring_order;
	bool kept = false;

	if (q->port)
		pv_event_close(d, q->port);
	q->port = 0;
	if (q->shadows)
		drop_shadows(q);
	for (unsigned int i = 0; q->shared && i < pages; i++)
		if (q->ring_refs[i] != NO_REF)
			kept |= pv_grant_unshare(d, q->ring_refs[i]) != 0;
	if (q->shared && !kept)
		pv_pages_free(d, q->shared, pages);
	q->shared = NULL;	/* else it is the backend's for ever */
	q->unsent = false;
}
