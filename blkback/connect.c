/* SPDX-License-Identifier: MIT */
/*
 * From a frontend's keys to running queues, for the first time or on taking over from an instance that
 * died; and back.
 */
#include <xen/io/protocols.h>
#include "private.h"

#define KEY_MAX	48
#define RING_SLOT	sizeof(union blkif_sring_entry)

/* What one queue's keys say. */
struct queue_keys {
	uint64_t remote_port;
	grant_ref_t refs[MAX_RING_PAGES];
};

/* --- Keys --- */

static int check_protocol(struct blkback *b)
{
	char text[32];
	int n = pv_store_read(b->domain, 0, b->bus.peer_path, "protocol", text, sizeof(text));

	if (n == -XEN_ENOENT || (n >= 0 && !strcmp(text, XEN_IO_PROTO_ABI_NATIVE)))
		return 0;
	if (n < 0 && n != -XEN_E2BIG)
		return n;
	return pv_xenbus_fail(&b->bus, "protocol is not " XEN_IO_PROTO_ABI_NATIVE);
}

static int read_ring_refs(struct blkback *b, const char *prefix, unsigned int order, bool ordered,
			  struct queue_keys *keys)
{
	char key[KEY_MAX];
	uint64_t ref;
	int rc = 0;

	if (!ordered) {
		snprintf(key, sizeof(key), "%sring-ref", prefix);
		rc = pv_xenbus_peer_required(&b->bus, key, 0, UINT32_MAX, &ref);
		keys->refs[0] = ref;
		return rc;
	}
	for (unsigned int i = 0; i < 1U << order && !rc; i++) {
		snprintf(key, sizeof(key), "%sring-ref%u", prefix, i);
		rc = pv_xenbus_peer_required(&b->bus, key, 0, UINT32_MAX, &ref);
		keys->refs[i] = ref;
	}
	return rc;
}

/* A frontend with one page may say so by an order of 0 and still write "ring-ref": 0. */
static int has_numbered_refs(struct blkback *b, const char *prefix)
{
	char key[KEY_MAX], text[16];
	int n;

	snprintf(key, sizeof(key), "%sring-ref0", prefix);
	n = pv_store_read(b->domain, 0, b->bus.peer_path, key, text, sizeof(text));
	if (n == -XEN_ENOENT)
		return 0;
	return n < 0 && n != -XEN_E2BIG ? n : 1;
}

static int read_queue_keys(struct blkback *b, unsigned int index, unsigned int order,
			   struct queue_keys *keys)
{
	char prefix[20] = "", key[KEY_MAX];
	int rc;

	if (b->nr_queues > 1)
		snprintf(prefix, sizeof(prefix), "queue-%u/", index);
	snprintf(key, sizeof(key), "%sevent-channel", prefix);
	rc = pv_xenbus_peer_required(&b->bus, key, 1, (1U << 17) - 1, &keys->remote_port);
	if (!rc)
		rc = order ? 1 : has_numbered_refs(b, prefix);
	return rc < 0 ? rc : read_ring_refs(b, prefix, order, rc, keys);
}

/* --- One queue --- */

/* Requests, their segments and pieces, in one allocation. */
static int make_requests(struct queue *q)
{
	unsigned int n = q->ring.size;
	size_t each = sizeof(struct request) + MAX_SEGMENTS * (sizeof(struct blkif_request_segment) +
							       sizeof(struct medium_piece));
	char *memory;

	q->request_pages = (n * each + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;
	memory = pv_pages_alloc(q->device->domain, q->request_pages);
	if (!memory)
		return -XEN_ENOMEM;
	q->requests = (void *)memory;
	memory += n * sizeof(struct request);
	q->free = NULL;
	for (unsigned int i = n; i--;) {
		struct request *r = &q->requests[i];

		r->queue = q;
		r->entry = &q->record->entries[i];
		r->pieces = (void *)(memory + i * MAX_SEGMENTS * sizeof(*r->pieces));
		r->segments = (void *)(memory + n * MAX_SEGMENTS * sizeof(*r->pieces) +
				       i * MAX_SEGMENTS * sizeof(*r->segments));
		r->buffer = NO_BUFFER;
		r->waiting = r->entry->state == RECORD_PENDING;
		if (r->waiting) {
			q->backlog++;
			q->in_flight++;
			continue;
		}
		/* Answered ones are visible once the ring's index is: recovery pushed it. */
		r->entry->state = RECORD_FREE;
		r->next = q->free;
		q->free = r;
	}
	q->device->stats.taken_over += q->backlog;
	return 0;
}

static void record_name(const struct blkback *b, unsigned int queue, char *name, size_t room)
{
	snprintf(name, room, "%u-%u-%u", b->bus.peer, b->devid, queue);
}

/* Indexes as the record left them, or as a frontend leaves a fresh ring. */
static int recover(struct queue *q, const struct queue_keys *keys, bool takeover)
{
	struct blkback *b = q->device;
	unsigned int slots = pv_ring_slots(q->ring_pages * PV_PAGE_SIZE, RING_SLOT);
	uint32_t req_cons = 0, rsp_prod = 0;
	char name[KEY_MAX];

	record_name(b, q->index, name, sizeof(name));
	q->record = blkback_record_map(b->host, name, record_bytes(slots));
	if (!q->record)
		return -XEN_ENOMEM;
	if (!takeover) {
		record_start(q->record, slots, keys->remote_port, q->ring_pages, keys->refs);
	} else if (!record_matches(q->record, slots, keys->remote_port, q->ring_pages, keys->refs)) {
		return pv_xenbus_fail(&b->bus, "queue %u: no record of this connection", q->index);
	} else if (record_recover(q->record, q->shared, &req_cons, &rsp_prod)) {
		return pv_xenbus_fail(&b->bus, "queue %u: rsp_prod is %u, which the record denies",
				      q->index, ((struct pv_ring_shared *)q->shared)->rsp_prod);
	}
	pv_back_ring_init(&q->ring, q->shared, q->ring_pages * PV_PAGE_SIZE, RING_SLOT, req_cons,
			  rsp_prod);
	if (takeover)
		pv_back_ring_push(&q->ring);	/* before entries of visible answers are used again */
	return 0;
}

static int connect_queue(struct blkback *b, unsigned int index, unsigned int order, bool takeover)
{
	struct queue *q = &b->queues[index];
	struct queue_keys keys;
	int rc = read_queue_keys(b, index, order, &keys);

	if (rc)
		return rc;
	q->ring_pages = 1U << order;
	rc = pv_grant_map(b->domain, b->bus.peer, keys.refs, q->ring_pages, true, &q->shared);
	if (rc) {
		q->shared = NULL;
		if (rc == -XEN_ENOMEM)
			return rc;
		return pv_xenbus_fail(&b->bus, "queue %u: ring-ref is %u: cannot be mapped", index,
				      keys.refs[0]);
	}
	rc = recover(q, &keys, takeover);
	if (!rc)
		rc = make_requests(q);
	if (!rc && b->persistent)
		rc = persist_init(q);
	if (rc)
		return rc;
	rc = pv_event_open(b->domain, b->bus.peer, keys.remote_port, queue_event, q);
	if (rc > 0) {
		q->port = rc;
		return 0;
	}
	if (takeover && b->tries < CONNECT_TRIES)
		return -XEN_EAGAIN;	/* the earlier instance may not have let go of it yet */
	return pv_xenbus_fail(&b->bus, "queue %u: event-channel is %u: cannot be bound", index,
			      (unsigned int)keys.remote_port);
}

static void disconnect_queue(struct queue *q)
{
	struct blkback *b = q->device;

	if (q->port)
		pv_event_close(b->domain, q->port);
	persist_drop_all(q);
	if (q->requests)
		pv_pages_free(b->domain, q->requests, q->request_pages);
	if (q->record)
		blkback_record_unmap(b->host, q->record,
				     record_bytes(pv_ring_slots(q->ring_pages * PV_PAGE_SIZE, RING_SLOT)));
	if (q->shared)
		pv_grant_unmap(b->domain, q->shared, q->ring_pages);
	memset(q, 0, sizeof(*q));
}

/* --- The device --- */

static int agree(struct blkback *b, unsigned int *order)
{
	uint64_t queues, ring_order, persistent, large, offered = 0, discard = 0;
	int rc = check_protocol(b);

	if (!rc)
		rc = pv_xenbus_peer_number(&b->bus, "multi-queue-num-queues", 1, MAX_QUEUES, 1, &queues);
	if (!rc)
		rc = pv_xenbus_peer_number(&b->bus, "ring-page-order", 0, MAX_RING_ORDER, 0, &ring_order);
	if (!rc)
		rc = pv_xenbus_peer_number(&b->bus, "feature-persistent", 0, 1, 0, &persistent);
	if (!rc)
		rc = pv_xenbus_peer_number(&b->bus, "feature-large-sector-size", 0, 1, 0, &large);
	if (rc)
		return rc;
	/* What an earlier instance offered holds, whatever this one would. */
	rc = device_own_number(b, "feature-persistent", 1, &offered);
	if (!rc)
		rc = device_own_number(b, "feature-discard", 1, &discard);
	if (rc)
		return rc;
	b->discard = discard;
	b->persistent = persistent && offered;
	b->unit_shift = large && b->info.sector == 4096 && !b->emulate_512 ? 12 : SECTOR_SHIFT;
	b->nr_queues = queues;
	*order = ring_order;
	return 0;
}

int device_take_buffer(struct blkback *b)
{
	b->buffer_is_medium = b->persistent;
	b->buffer = b->persistent ? medium_memory_alloc(b->medium, BUFFER_BYTES) :
				    pv_pages_alloc(b->domain, BUFFER_PAGES);
	memset(b->buffer_used, 0, sizeof(b->buffer_used));
	b->buffer_free = BUFFER_PAGES;
	b->buffer_hint = 0;
	return b->buffer ? 0 : -XEN_ENOMEM;
}

void device_drop_buffer(struct blkback *b)
{
	if (b->buffer && b->buffer_is_medium)
		medium_memory_free(b->medium, b->buffer, BUFFER_BYTES);
	else if (b->buffer)
		pv_pages_free(b->domain, b->buffer, BUFFER_PAGES);
	b->buffer = NULL;
}

int device_connect(struct blkback *b, bool takeover)
{
	unsigned int order;
	int rc = agree(b, &order);

	if (rc)
		return rc;
	rc = device_take_buffer(b);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < b->nr_queues && !rc; i++) {
		struct queue *q = &b->queues[i];

		memset(q, 0, sizeof(*q));
		q->device = b;
		q->index = i;
		list_init(&q->taken);
		list_init(&q->answered);
		rc = connect_queue(b, i, order, takeover);
	}
	if (rc)
		device_disconnect(b, rc != -XEN_EAGAIN && !takeover);
	return rc;
}

void device_disconnect(struct blkback *b, bool forget)
{
	char name[KEY_MAX];

	pv_timer_set(b->domain, &b->again, 0);
	for (unsigned int i = 0; i < b->nr_queues; i++)
		if (b->queues[i].device)
			disconnect_queue(&b->queues[i]);
	for (unsigned int i = 0; forget && i < MAX_QUEUES; i++) {
		record_name(b, i, name, sizeof(name));	/* an earlier instance's may be there too */
		blkback_record_remove(b->host, name);
	}
	if (forget)
		medium_forget(b->host, device_fence(b));
	b->nr_queues = 0;
	b->connected = false;
	device_drop_buffer(b);
}
