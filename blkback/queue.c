/* SPDX-License-Identifier: MIT */
/*
 * A queue's work: requests are taken from the ring into the record, their data fetched by batched
 * copies, given to the medium, and answered in whatever order it completes them.
 *
 * A turn is bounded by BUDGET, what is under way by the ring's size and the device's buffer. What
 * cannot be taken yet stays on the ring: the queue is stalled and goes on when something completes.
 */
#include "private.h"

#define BUDGET	64	/* requests taken in one turn */

unsigned int device_in_flight(const struct blkback *b)
{
	unsigned int n = b->hold == HOLD_FLUSHING;

	for (unsigned int i = 0; i < b->nr_queues; i++)
		n += b->queues[i].in_flight;
	return n;
}

/* --- Answering --- */

static void count(struct blkback_stats *s, const struct request *r)
{
	s->errors += r->status != BLKIF_RSP_OKAY;
	switch (r->operation) {
	case BLKIF_OP_READ:
		s->reads++;
		s->read_sectors += r->bytes >> SECTOR_SHIFT;
		break;
	case BLKIF_OP_WRITE:
	case BLKIF_OP_WRITE_BARRIER:
		s->writes++;
		s->written_sectors += r->bytes >> SECTOR_SHIFT;
		break;
	case BLKIF_OP_DISCARD:
		s->discards++;
		break;
	default:
		s->flushes++;
	}
}

/* Gives back what the request holds: its part of the buffer, or its mapped pages. */
static void release(struct request *r)
{
	struct queue *q = r->queue;

	if (r->mapped)
		for (unsigned int i = 0; i < r->nr_segments; i++)
			persist_put(q, r->segments[i].gref);
	r->mapped = false;
	if (r->buffer != NO_BUFFER)
		buffer_give(q->device, r->buffer, r->nr_segments);
	r->buffer = NO_BUFFER;
}

/* Puts the response into the ring (not yet visible); a dying device drops it. */
static void answer(struct request *r)
{
	struct queue *q = r->queue;
	struct blkif_response response = {
		.id = r->entry->id, .operation = r->entry->operation, .status = r->status,
	};

	release(r);
	q->in_flight--;
	if (r->operation == BLKIF_OP_WRITE_BARRIER)
		q->draining = false;
	if (q->device->dying) {
		r->next = q->free;
		q->free = r;
		return;
	}
	count(&q->device->stats, r);
	record_answer(r->entry, q->ring.rsp_prod, r->status);
	pv_back_ring_put(&q->ring, &response, sizeof(response));
	list_add(&q->answered, r);
}

/* Makes the answers visible and their requests free. */
static void push(struct queue *q)
{
	struct request *r;
	bool notify;

	if (!q->answered.first)
		return;
	record_point();
	notify = pv_back_ring_push(&q->ring);
	while ((r = list_take(&q->answered))) {
		record_free(r->entry);
		r->next = q->free;
		q->free = r;
	}
	record_point();
	if (notify)
		pv_event_notify(q->device->domain, q->port);
}

/* --- The medium --- */

/* A flush for the guest: it fails if it is owed the news that one of ours has. */
static void take_owed(struct request *r)
{
	r->failed |= r->queue->device->flush_owed;
	r->queue->device->flush_owed = false;
}

/* Starts the next of the request's steps. */
static void start_step(struct request *r)
{
	struct blkback *b = r->queue->device;

	r->io.done = queue_io_done;
	r->io.offset = r->first;
	r->io.bytes = 0;
	r->io.nr_pieces = 0;
	r->io.op = MEDIUM_FLUSH;
	if (r->steps & STEP_FLUSH_FIRST) {
		r->steps &= ~STEP_FLUSH_FIRST;
		take_owed(r);
	} else if (r->steps & STEP_DATA) {
		r->steps &= ~STEP_DATA;
		r->io.bytes = r->bytes;
		r->io.op = r->operation == BLKIF_OP_READ ? MEDIUM_READ :
			   r->operation == BLKIF_OP_DISCARD ? MEDIUM_DISCARD : MEDIUM_WRITE;
		r->whole = (struct medium_piece){ NULL, r->bytes };
		if (r->buffer != NO_BUFFER)
			r->whole.base = buffer_address(b, r->buffer);
		r->io.pieces = &r->whole;
		r->io.nr_pieces = 1;
	} else {
		r->steps &= ~STEP_FLUSH_LAST;
		take_owed(r);
	}
	medium_submit(b->medium, &r->io);
}

void queue_io_done(struct medium_io *io)
{
	struct request *r = PV_CONTAINER(io, struct request, io);

	list_add(&r->queue->device->done, r);
}

/* Copies between the segments, mapped or not, and the buffer, where they lie without gaps. */
static void copy_segments(struct request *r, bool to_grant)
{
	struct blkback *b = r->queue->device;
	char *at = buffer_address(b, r->buffer);

	for (unsigned int i = 0; i < r->nr_segments; i++) {
		const struct blkif_request_segment *s = &r->segments[i];
		unsigned int offset = s->first_sect << b->unit_shift;
		unsigned int bytes = (s->last_sect - s->first_sect + 1) << b->unit_shift;

		if (!r->mapped)
			copy_add(b, r, to_grant, s->gref, offset, bytes, at);
		else if (to_grant)
			move_bytes(r->pieces[i].base, at, bytes);
		else
			move_bytes(at, r->pieces[i].base, bytes);
		at += bytes;
	}
}

/* Where the request stands after the medium's completion; true: it can be answered. */
static bool step_done(struct request *r)
{
	if (r->io.result < 0)
		r->status = r->io.result == -XEN_EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
	else if (r->steps && !r->queue->device->dying)
		return false;
	else if (r->operation == BLKIF_OP_READ && r->buffer != NO_BUFFER &&
		 !r->queue->device->dying)
		copy_segments(r, true);
	return true;
}

static void run_again(void *arg)
{
	struct blkback *b = arg;

	for (unsigned int i = 0; i < b->nr_queues; i++)
		if (b->connected && queue_run(&b->queues[i]))
			device_run_queues(b);
}

void device_run_queues(struct blkback *b)
{
	b->again.fn = run_again;
	b->again.arg = b;
	pv_timer_set(b->domain, &b->again, pv_now(b->domain));
}

void device_complete(void *arg)
{
	struct blkback *b = arg;
	struct list finished;
	struct request *r;
	bool started = false;

	list_init(&finished);
	while ((r = list_take(&b->done))) {
		if (step_done(r)) {
			list_add(&finished, r);
		} else {
			start_step(r);
			started = true;
		}
	}
	copy_run(b);
	while ((r = list_take(&finished))) {
		if (r->failed && r->status == BLKIF_RSP_OKAY)
			r->status = BLKIF_RSP_ERROR;
		answer(r);
	}
	if (started)
		medium_kick(b->medium);
	for (unsigned int i = 0; i < b->nr_queues && !b->dying; i++)
		push(&b->queues[i]);
	if (b->dying || b->bus.failed) {
		device_end_connection(b);
		return;
	}
	for (unsigned int i = 0; i < b->nr_queues; i++)
		if (b->queues[i].stalled && queue_run(&b->queues[i]))
			device_run_queues(b);
	if (b->hold)
		hold_go_on(b);
}

/* --- Taking --- */

/* All segments' pages by persistent grants; false: some cannot be had, and none is held. */
static bool map_segments(struct request *r)
{
	unsigned int shift = r->queue->device->unit_shift, i;

	for (i = 0; i < r->nr_segments; i++) {
		const struct blkif_request_segment *s = &r->segments[i];
		char *page = persist_get(r->queue, s->gref);

		if (!page)
			break;
		r->pieces[i].base = page + ((size_t)s->first_sect << shift);
		r->pieces[i].bytes = (size_t)(s->last_sect - s->first_sect + 1) << shift;
	}
	if (i == r->nr_segments)
		return true;
	while (i--)
		persist_put(r->queue, r->segments[i].gref);
	return false;
}

/* The segment list of an indirect request, from the page that the guest keeps it in. */
static bool map_indirect(struct request *r)
{
	grant_ref_t ref = r->entry->slot.indirect.indirect_grefs[0];
	char *page = persist_get(r->queue, ref);

	if (!page)
		return false;
	pv_ring_copy(r->segments, page, r->nr_segments * sizeof(r->segments[0]));
	persist_put(r->queue, ref);
	return true;
}

static bool is_indirect(const struct request *r)
{
	return r->entry->slot.request.operation == BLKIF_OP_INDIRECT;
}

/*
 * Gets what the decoded request needs before it can be taken: its part of the buffer, mapped pages.
 * -XEN_EAGAIN: not now; -XEN_EINVAL: the device was failed.
 */
static int prepare(struct request *r)
{
	struct blkback *b = r->queue->device;

	if (!r->nr_segments || r->status != BLKIF_RSP_OKAY)
		return 0;
	r->buffer = buffer_take(b, r->nr_segments);
	if (r->buffer == NO_BUFFER)
		return -XEN_EAGAIN;
	if (b->persistent && (!is_indirect(r) || map_indirect(r))) {
		if (request_check_segments(r))
			return -XEN_EINVAL;
		r->mapped = r->status == BLKIF_RSP_OKAY && map_segments(r);
	}
	return 0;
}

/* Takes the next request off the ring. -XEN_EAGAIN: it must wait; -XEN_EINVAL: the device was failed. */
static int take(struct queue *q)
{
	struct request *r = q->free;
	int rc;

	if (!r)
		return -XEN_EAGAIN;
	pv_back_ring_peek(&q->ring, 0, &r->entry->slot, sizeof(r->entry->slot.request));
	rc = request_decode(r);
	if (!rc && r->operation == BLKIF_OP_WRITE_BARRIER && q->in_flight)
		rc = -XEN_EAGAIN;	/* all before it first */
	if (!rc)
		rc = prepare(r);
	if (rc)
		return rc;
	q->free = r->next;
	record_take(q->record, r->entry, q->ring.req_cons);
	q->ring.req_cons++;
	q->in_flight++;
	q->draining = r->operation == BLKIF_OP_WRITE_BARRIER;
	list_add(&q->taken, r);
	return 0;
}

/* Requests of an earlier life, which the record has and the ring not. */
static int take_backlog(struct queue *q)
{
	for (unsigned int i = 0; q->backlog && i < q->ring.size; i++) {
		struct request *r = &q->requests[i];
		int rc;

		if (!r->waiting)
			continue;
		rc = request_decode(r);
		if (!rc)
			rc = prepare(r);
		if (rc)
			return rc;
		r->waiting = false;
		q->backlog--;
		q->draining = r->operation == BLKIF_OP_WRITE_BARRIER;
		list_add(&q->taken, r);
	}
	return 0;
}

/* Fetches segment lists, then data to be written; all by as few copies as can be. */
static int fetch(struct queue *q)
{
	struct blkback *b = q->device;
	struct request *r;

	for (r = q->taken.first; r; r = r->next)
		if (r->buffer != NO_BUFFER && is_indirect(r) && !r->mapped)
			copy_add(b, r, false, r->entry->slot.indirect.indirect_grefs[0], 0,
				 r->nr_segments * sizeof(r->segments[0]), r->segments);
	copy_run(b);
	for (r = q->taken.first; r; r = r->next) {
		if (r->buffer == NO_BUFFER || r->failed)
			continue;
		if (!r->mapped && request_check_segments(r)) {
			b->nr_copies = 0;	/* of those before it: nobody's any more */
			return -XEN_EINVAL;
		}
		if (r->status == BLKIF_RSP_OKAY && request_writes(r))
			copy_segments(r, false);
	}
	copy_run(b);
	return b->bus.failed ? -XEN_EINVAL : 0;
}

/* Gives the taken requests to the medium, or answers them where there is nothing to do. */
static void start(struct queue *q)
{
	struct blkback *b = q->device;
	bool failed = fetch(q) != 0, started = false;
	struct request *r;

	if (failed)
		b->dying = true;
	while ((r = list_take(&q->taken))) {
		if (r->failed && r->status == BLKIF_RSP_OKAY)
			r->status = BLKIF_RSP_ERROR;
		if (failed || r->status != BLKIF_RSP_OKAY || !r->steps) {
			answer(r);
		} else {
			start_step(r);
			started = true;
		}
	}
	if (started)
		medium_kick(b->medium);
}

/* Takes what it can; 0: all there was, else why it stopped. */
static int take_all(struct queue *q, int *budget)
{
	int n, rc = take_backlog(q);

	while (!rc && !q->draining && *budget > 0) {
		n = pv_back_ring_pending(&q->ring);
		if (n < 0)
			return pv_xenbus_fail(&q->device->bus, "queue %u: req_prod is %u, req_cons %u",
					      q->index, q->ring.shared->req_prod, q->ring.req_cons);
		if (!n)
			return 0;
		for (; n && !rc && !q->draining && *budget > 0; n--, (*budget)--)
			rc = take(q);
	}
	return q->draining && !rc ? -XEN_EAGAIN : rc;
}

/* The medium is to be let go of: nothing new is taken, but all is done that an earlier life took. */
static bool run_held(struct queue *q)
{
	struct blkback *b = q->device;
	int rc;

	if (b->hold != HOLD_DRAINING || !q->backlog)
		return false;
	rc = take_backlog(q);
	q->stalled = rc == -XEN_EAGAIN;
	start(q);
	if (b->dying || rc == -XEN_EINVAL) {
		device_end_connection(b);
		return false;
	}
	push(q);
	hold_go_on(b);
	return q->stalled && b->hold == HOLD_DRAINING && !device_in_flight(b);
}

bool queue_run(struct queue *q)
{
	struct blkback *b = q->device;
	int budget = BUDGET, rc;

	if (b->dying || !b->connected)
		return false;
	if (b->hold)
		return run_held(q);
	rc = take_all(q, &budget);
	q->stalled = rc == -XEN_EAGAIN;
	start(q);
	if (!b->dying && rc != -XEN_EINVAL)
		push(q);
	if (b->dying || rc == -XEN_EINVAL) {
		device_end_connection(b);
		return false;
	}
	if (q->stalled && !device_in_flight(b))
		return true;	/* all was answered at once: nothing will complete */
	return !q->stalled && (budget <= 0 || !pv_back_ring_idle(&q->ring));
}

bool queue_event(void *arg, evtchn_port_t port)
{
	(void)port;
	return queue_run(arg);
}
