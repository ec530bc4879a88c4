/* SPDX-License-Identifier: MIT */
/*
 * Guest to wire. One turn: log the new requests, gather whole frames of them, fetch all in one batch
 * of grant copies, give them to the wire, answer in ring order.
 *
 * A frame is a first request (whose size is the frame's), extra infos, and further requests (each
 * with its own size); it lies on the ring completely before the producer index covers it.
 */
#include "netback.h"

/* Bytes in one turn for which it is worth to begin a batch on the wire. */
#define BULK	16384U
/*
 * The smallest segments that a frame may be cut into: what Linux's TCP goes down to. One byte each would make
 * 65,000 frames of one, cut and carried at dom0's expense.
 */
#define SEGMENT_MIN	8U

struct gather {
	struct netback_queue *q;
	unsigned int frames, copies;
	uint32_t staged;		/* bytes of staging memory in use */
	bool throttled;
};

static const struct netif_tx_request *logged(const struct netback_queue *q, uint32_t index)
{
	return &q->record->tx_log[index & (NETBACK_SLOTS - 1)];
}

static int take_requests(struct netback_queue *q)
{
	if (netback_take(&q->tx, q->record->tx_log, &q->record->tx_taken))
		return netback_fail(q, "tx req_prod", PV_READ_ONCE(q->tx.shared->req_prod),
				    "more requests than slots");
	return 0;
}

static int take_gso(struct netback_queue *q, const struct netif_extra_info *extra,
		    struct netback_frame *frame)
{
	if (!extra->u.gso.size)
		return netback_fail(q, "tx gso size", 0, "must not be zero");
	if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
	    extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
		return netback_fail(q, "tx gso type", extra->u.gso.type, "unknown");
	frame->offload.gso_type = extra->u.gso.type;
	frame->offload.gso_size = extra->u.gso.size;
	return 0;
}

/*
 * The extra infos behind the first request. 1: the frame is only a message about multicast, and is
 * answered; 0: go on.
 */
static int take_extras(struct netback_queue *q, struct netback_frame *frame)
{
	struct netif_extra_info extra;
	int rc, message = 0;

	do {
		if (q->tx_used + frame->slots == q->tx.req_cons)
			return netback_fail(q, "tx extra", frame->extras, "is missing");
		if (frame->extras == XEN_NETIF_EXTRA_TYPE_MAX)
			return netback_fail(q, "tx extra", frame->extras, "too many");
		memcpy(&extra, logged(q, q->tx_used + frame->slots), sizeof(extra));
		frame->slots++;
		frame->extras++;
		switch (extra.type) {
		case XEN_NETIF_EXTRA_TYPE_GSO:
			rc = take_gso(q, &extra, frame);
			if (rc)
				return rc;
			break;
		case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
			message = 1;
			if (netback_multicast_add(&q->nb->multicast, extra.u.mcast.addr))
				frame->status = NETIF_RSP_ERROR;
			break;
		case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
			message = 1;
			netback_multicast_remove(&q->nb->multicast, extra.u.mcast.addr);
			break;
		default:
			return netback_fail(q, "tx extra type", extra.type, "unknown");
		}
	} while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return message;
}

/* Counts the frame's slots and checks their sizes; *first_bytes: what the first request holds. */
static int measure(struct netback_queue *q, struct netback_frame *frame, uint32_t *first_bytes)
{
	const struct netif_tx_request *r = logged(q, q->tx_used);
	uint32_t rest = r->size;

	while (r->flags & NETTXF_more_data) {
		if (q->tx_used + frame->slots == q->tx.req_cons)
			return netback_fail(q, "tx flags", r->flags, "more data than requests");
		if (frame->slots - frame->extras == NETBACK_FRAME_SLOTS)
			return netback_fail(q, "tx slots", frame->slots, "too many in one frame");
		r = logged(q, q->tx_used + frame->slots++);
		if (r->size > rest)
			return netback_fail(q, "tx size", r->size, "exceeds the frame's");
		if (r->offset + (uint32_t)r->size > PV_PAGE_SIZE)
			return netback_fail(q, "tx offset", r->offset, "beyond the page");
		rest -= r->size;
	}
	r = logged(q, q->tx_used);
	if (r->offset + rest > PV_PAGE_SIZE)
		return netback_fail(q, "tx size", r->size, "beyond the page");
	*first_bytes = rest;
	return 0;
}

static void add_copy(struct gather *g, struct netback_frame *frame, const struct netif_tx_request *r,
		     uint32_t bytes, uint8_t *to)
{
	struct pv_copy *c = &g->q->nb->shared->copies[g->copies];

	if (!bytes)
		return;
	g->copies++;
	frame->copies++;
	c->to_grant = false;
	c->domid = g->q->nb->bus.peer;
	c->ref = r->gref;
	c->offset = r->offset;
	c->bytes = bytes;
	c->local = to;
}

/*
 * Chooses the frame's place in the staging memory: such that the second request's bytes lie in their page
 * here as they do there. A piece that crosses no page is one copy and not two.
 */
static void place(struct gather *g, struct netback_frame *frame, uint32_t first_bytes)
{
	const struct netback_queue *q = g->q;
	uint32_t start = g->staged + WIRE_HEADROOM;

	if (frame->slots - frame->extras > 1)
		start += (logged(q, q->tx_used + 1 + frame->extras)->offset - first_bytes - start) &
			 (PV_PAGE_SIZE - 1);
	else
		start = (start + 15) & ~15U;
	frame->data = q->nb->shared->staging + start;
	g->staged = start + frame->bytes;
}

/* Lists the copies that fetch the frame. */
static void plan(struct gather *g, struct netback_frame *frame, uint32_t first_bytes)
{
	const struct netif_tx_request *r = logged(g->q, g->q->tx_used);
	uint8_t *to;

	place(g, frame, first_bytes);
	frame->copy = g->copies;
	add_copy(g, frame, r, first_bytes, frame->data);
	to = frame->data + first_bytes;
	for (unsigned int i = 1 + frame->extras; i < frame->slots; i++) {
		r = logged(g->q, g->q->tx_used + i);
		add_copy(g, frame, r, r->size, to);
		to += r->size;
	}
}

/* The next frame. 1: taken; 0: none, or it has to wait; negative: the device is broken. */
static int gather_one(struct gather *g)
{
	struct netback_queue *q = g->q;
	struct netback *nb = q->nb;
	struct netback_frame *frame = &nb->shared->tx_frames[g->frames];
	const struct netif_tx_request *first = logged(q, q->tx_used);
	uint32_t first_bytes = 0;
	int rc, message = 0;

	if (q->tx_used == q->tx.req_cons)
		return 0;
	*frame = (struct netback_frame){ .slots = 1, .bytes = first->size, .status = NETIF_RSP_OKAY };
	if (!netback_rate_take(&nb->rate, nb->rate.bytes ? pv_now(nb->domain) : 0, first->size)) {
		g->throttled = true;
		return 0;
	}
	if (first->flags & NETTXF_extra_info) {
		message = take_extras(q, frame);
		if (message < 0)
			return message;
	}
	rc = measure(q, frame, &first_bytes);
	if (rc)
		return rc;
	frame->offload.partial = first->flags & NETTXF_csum_blank;
	frame->offload.validated = first->flags & NETTXF_data_validated;
	if (message)
		frame->bytes = 0;
	else if (frame->bytes < PV_ETHERNET_HEADER)
		frame->status = NETIF_RSP_ERROR;
	else
		plan(g, frame, first_bytes);
	q->tx_used += frame->slots;
	g->frames++;
	return 1;
}

/* As many frames as fit into one batch. */
static int gather(struct gather *g)
{
	int rc;

	do {
		rc = gather_one(g);
	} while (rc > 0 && g->frames < NETBACK_BATCH &&
		 g->staged + WIRE_HEADROOM + PV_PAGE_SIZE + UINT16_MAX <=
			 NETBACK_STAGING * PV_PAGE_SIZE);
	return rc;
}

/* Did all of the frame's pieces arrive? A bad reference is the frontend's lie; others may be bad luck. */
static int judge_copies(struct netback_queue *q, struct netback_frame *frame)
{
	for (unsigned int i = 0; i < frame->copies; i++) {
		const struct pv_copy *c = &q->nb->shared->copies[frame->copy + i];

		if (c->status == GNTST_okay)
			continue;
		if (c->status == GNTST_bad_gntref || c->status == GNTST_permission_denied)
			return netback_fail(q, "tx gref", c->ref, "is not granted");
		frame->status = NETIF_RSP_ERROR;
	}
	return 0;
}

/* Finds out from the headers what the guest left to do. Frames that make no sense are errors. */
static void judge_headers(struct netback_frame *frame)
{
	struct pv_transport t;

	if (!frame->offload.partial && !frame->offload.gso_type)
		return;
	if (pv_packet_transport(frame->data, frame->bytes, &t) ||
	    (frame->offload.gso_type &&
	     (frame->offload.gso_size < SEGMENT_MIN || t.protocol != 6 ||
	      t.v6 != (frame->offload.gso_type == XEN_NETIF_GSO_TYPE_TCPV6)))) {
		frame->status = NETIF_RSP_ERROR;
		return;
	}
	pv_packet_locate(&t, &frame->offload);
	if (!frame->offload.partial)
		pv_packet_seed(frame->data, &t);	/* segmenting starts from a partial sum */
	frame->offload.partial = true;
}

static void deliver(struct netback_queue *q, struct netback_frame *frame)
{
	struct netback_stats *stats = &q->record->stats;

	if (frame->status == NETIF_RSP_OKAY && frame->copies)
		judge_headers(frame);
	if (frame->status != NETIF_RSP_OKAY) {
		stats->tx_errors++;
		return;
	}
	if (!frame->copies)
		return;
	stats->tx_frames++;
	stats->tx_bytes += frame->bytes;
	stats->tx_gso += frame->offload.gso_type != 0;
	if (wire_send(q->nb->wire, q->index, frame->data, frame->bytes, &frame->offload))
		stats->tx_dropped++;
}

/* Answers a frame's requests in their slots: the first, its extras (no answer), the others. */
static void answer(struct netback_queue *q, const struct netback_frame *frame)
{
	struct netif_tx_response response = { .status = frame->status };
	unsigned int extras = frame->extras;

	for (unsigned int i = 0; i < frame->slots; i++) {
		if (i - 1 < extras) {
			static const struct netif_tx_response none = { .status = NETIF_RSP_NULL };

			pv_back_ring_put(&q->tx, &none, sizeof(none));
		} else {
			response.id = logged(q, q->tx.rsp_prod)->id;
			pv_back_ring_put(&q->tx, &response, sizeof(response));
		}
		netback_point();
	}
}

/* Sends and answers what was gathered. */
static void deliver_all(struct gather *g)
{
	struct netback_queue *q = g->q;
	struct netback_frame *frames = q->nb->shared->tx_frames;
	bool batch = g->frames > 1 && g->staged > BULK;

	if (batch)
		wire_begin_batch(q->nb->wire);
	for (unsigned int i = 0; i < g->frames; i++) {
		deliver(q, &frames[i]);
		answer(q, &frames[i]);
	}
	netback_point();
	if (pv_back_ring_push(&q->tx)) {
		netback_point();
		q->record->stats.events_out++;
		pv_event_notify(q->nb->domain, q->tx_port);
	}
	if (batch)
		wire_end_batch(q->nb->wire);
}

static int finish(struct gather *g)
{
	struct netback_queue *q = g->q;
	struct netback_frame *frames = q->nb->shared->tx_frames;

	if (netback_copy(q, g->copies)) {
		for (unsigned int i = 0; i < g->frames; i++)
			frames[i].status = frames[i].copies ? NETIF_RSP_ERROR : frames[i].status;
	}
	for (unsigned int i = 0; i < g->frames; i++) {
		if (frames[i].status == NETIF_RSP_OKAY && judge_copies(q, &frames[i]))
			return -XEN_EINVAL;
	}
	deliver_all(g);
	return 0;
}

bool netback_tx(struct netback_queue *q)
{
	struct netback *nb = q->nb;
	unsigned int moved = 0;
	int rc;

	while (!nb->broken && moved < NETBACK_BUDGET) {
		struct gather g = { .q = q };

		if (take_requests(q))
			return false;
		rc = gather(&g);
		if (rc < 0)
			return false;
		if (g.frames && finish(&g))
			return false;
		moved += g.frames ? g.frames : 1;	/* one who moves the index to and fro uses up turns, too */
		if (g.throttled) {
			q->record->stats.tx_throttled++;
			pv_timer_set(nb->domain, &nb->rate.timer, nb->rate.next);
			return false;
		}
		if (!g.frames && pv_back_ring_idle(&q->tx))
			return false;
	}
	return !nb->broken;
}
