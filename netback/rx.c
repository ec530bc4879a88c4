/* SPDX-License-Identifier: MIT */
/*
 * Wire to guest. One turn: read frames from the wire into staging memory, give them the buffers that
 * the guest has posted, copy all in one batch, answer in ring order (netfront counts on a
 * response being in the slot of its request).
 *
 * As long as there are buffers for whatever may come, frames go by the memory that all devices share. A guest with fewer
 * holds up what its queue's own memory takes, one large frame or some small ones; then the wire is
 * not read any more, and drops at its own short queue.
 */
#include "netback.h"

/* The slots that the largest frame takes, with its extra info. */
#define MOST_SLOTS	((PV_FRAME_MAX + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE + 1)

static struct netif_rx_request *logged(const struct netback_queue *q, uint32_t index)
{
	return &q->record->rx_log[index & (NETBACK_SLOTS - 1)];
}

/* The most slots that a frame of this device takes. */
static uint32_t most_slots(const struct netback_queue *q)
{
	return q->nb->record->features & NETBACK_SG ? MOST_SLOTS : 1;
}

/* Buffers that were taken from the ring and are not given to a frame yet. */
static uint32_t posted(const struct netback_queue *q)
{
	return q->rx.req_cons - q->rx_used;
}

static int take_requests(struct netback_queue *q)
{
	if (netback_take(&q->rx, q->record->rx_log, &q->record->rx_taken))
		return netback_fail(q, "rx req_prod", PV_READ_ONCE(q->rx.shared->req_prod),
				    "more requests than slots");
	return 0;
}

/*
 * Makes the frame such that this frontend can take it: sums what it would not. False: it cannot
 * take it at all.
 */
static bool adapt(struct netback_queue *q, struct netback_frame *frame)
{
	uint32_t features = q->nb->record->features;
	struct pv_offload *o = &frame->offload;
	uint32_t gso = o->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? NETBACK_TSO4 : NETBACK_TSO6;
	struct pv_transport t;
	bool v6;

	if (frame->bytes < PV_ETHERNET_HEADER || !netback_multicast_wants(&q->nb->multicast, frame->data))
		return false;
	if (o->gso_type && (!(features & gso) || !o->partial))
		return false;
	if (o->partial) {
		v6 = !pv_packet_transport(frame->data, frame->bytes, &t) && t.v6;
		if (!(features & (v6 ? NETBACK_CSUM6 : NETBACK_CSUM4))) {
			if (o->gso_type || pv_packet_complete(frame->data, frame->bytes, o))
				return false;
			o->partial = false;
			o->validated = true;
		}
	}
	frame->extras = o->gso_type ? 1 : 0;
	frame->slots = (frame->bytes + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE + frame->extras;
	return frame->slots <= most_slots(q);
}

/*
 * Is it worth asking the wire for more after one frame? Not if it had one frame each time lately: it
 * says by itself when there is more. Asked now and then, lest a change stay unseen.
 */
static bool probe(struct netback_queue *q)
{
	return q->rx_lone < 4 || !(q->rx_lone & 31);
}

/*
 * Reads frames, each to the start of a page: its pieces are then whole pages here, one copy each. How
 * many were read, those dropped included.
 */
static unsigned int read_wire(struct netback_queue *q)
{
	const uint32_t most = most_slots(q);
	struct netback_stats *stats = &q->record->stats;
	const bool waits = posted(q) < most;
	uint8_t *staging = waits ? q->rx_waiting : q->nb->shared->staging;
	uint32_t at = PV_PAGE_SIZE, limit = (waits ? NETBACK_WAITING : NETBACK_STAGING) * PV_PAGE_SIZE;
	uint32_t room = waits ? UINT32_MAX : posted(q);		/* slots */
	struct netback_frame *frame;
	unsigned int reads = 0;
	long bytes;

	q->rx_first = 0;
	q->rx_count = 0;
	q->rx_drained = false;
	while (q->rx_count < NETBACK_BATCH && reads < NETBACK_BUDGET && at + PV_FRAME_MAX <= limit &&
	       room >= most) {
		frame = &q->rx_frames[q->rx_count];
		*frame = (struct netback_frame){ .data = staging + at };
		bytes = wire_receive(q->nb->wire, q->index, frame->data, PV_FRAME_MAX, &frame->offload);
		if (bytes <= 0) {
			q->rx_drained = true;
			break;
		}
		reads++;
		frame->bytes = bytes;
		if (!adapt(q, frame)) {
			stats->rx_dropped++;
			continue;
		}
		at = (at + bytes + WIRE_HEADROOM + PV_PAGE_SIZE - 1) & ~(PV_PAGE_SIZE - 1);
		room -= frame->slots;
		q->rx_count++;
		if (reads == 1 && !probe(q)) {
			q->rx_drained = true;
			break;
		}
	}
	if (reads)
		q->rx_lone = reads == 1 && q->rx_drained ? q->rx_lone + 1 : 0;
	return reads;
}

/*
 * Lists the copies of a frame into the guest's next buffers. (What does not change is kept out of the loops here and
 * below: stores might change it for all that the compiler knows.)
 */
static void plan(struct netback_queue *q, struct netback_frame *frame, unsigned int *copies)
{
	struct pv_copy *c = &q->nb->shared->copies[*copies], *end;
	const struct netif_rx_request *log = q->record->rx_log;
	uint32_t at = q->rx_used, left = frame->bytes;
	const domid_t peer = q->nb->bus.peer;
	uint8_t *data = frame->data;

	frame->copy = *copies;
	frame->copies = frame->slots - frame->extras;
	*copies += frame->copies;
	q->rx_used += frame->slots;
	for (end = c + frame->copies; c < end; c++) {
		*c = (struct pv_copy){
			.to_grant = true, .domid = peer, .ref = log[at & (NETBACK_SLOTS - 1)].gref,
			.bytes = left < PV_PAGE_SIZE ? left : PV_PAGE_SIZE, .local = data,
		};
		data += PV_PAGE_SIZE;
		left -= PV_PAGE_SIZE;
		/* The buffers behind the first go unused: their slots hold extras. */
		at += data == frame->data + PV_PAGE_SIZE ? 1U + frame->extras : 1U;
	}
}

static int judge(struct netback_queue *q, struct netback_frame *frame)
{
	const struct pv_copy *c = &q->nb->shared->copies[frame->copy], *end = c + frame->copies;

	frame->status = NETIF_RSP_OKAY;
	for (; c < end; c++) {
		if (c->status == GNTST_okay)
			continue;
		if (c->status == GNTST_bad_gntref || c->status == GNTST_permission_denied)
			return netback_fail(q, "rx gref", c->ref, "is not granted for writing");
		frame->status = NETIF_RSP_ERROR;
	}
	return 0;
}

static void put_extra(struct netback_queue *q, const struct netback_frame *frame)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	extra.u.gso.type = frame->offload.gso_type;
	extra.u.gso.size = frame->offload.gso_size;
	pv_back_ring_put(&q->rx, &extra, sizeof(extra));
}

/* What the first response of a frame says beyond its size. */
static uint16_t first_flags(const struct netback_frame *frame)
{
	uint16_t flags = 0;

	if (frame->extras)
		flags |= NETRXF_extra_info;
	if (frame->offload.partial)
		flags |= NETRXF_csum_blank | NETRXF_data_validated;
	else if (frame->offload.validated)
		flags |= NETRXF_data_validated;
	return flags;
}

/* Answers the pieces of a frame that follow the first. */
static void answer_rest(struct netback_queue *q, const struct netback_frame *frame, uint32_t left)
{
	const struct netif_rx_request *log = q->record->rx_log;
	const int16_t status = frame->status;
	struct pv_back_ring ring = q->rx;

	while (left) {
		uint32_t bytes = left < PV_PAGE_SIZE ? left : PV_PAGE_SIZE;
		const struct netif_rx_response response = {
			.id = log[ring.rsp_prod & (NETBACK_SLOTS - 1)].id,
			.flags = left > PV_PAGE_SIZE ? NETRXF_more_data : 0,
			.status = status == NETIF_RSP_OKAY ? (int16_t)bytes : status,
		};

		pv_back_ring_put(&ring, &response, sizeof(response));
		netback_point();
		left -= bytes;
	}
	q->rx.rsp_prod = ring.rsp_prod;
}

static void answer(struct netback_queue *q, const struct netback_frame *frame)
{
	uint32_t bytes = frame->bytes < PV_PAGE_SIZE ? frame->bytes : PV_PAGE_SIZE;
	struct netif_rx_response response = {
		.id = logged(q, q->rx.rsp_prod)->id,
		.flags = first_flags(frame),
		.status = frame->status == NETIF_RSP_OKAY ? (int16_t)bytes : frame->status,
	};

	if (frame->copies > 1)
		response.flags |= NETRXF_more_data;
	pv_back_ring_put(&q->rx, &response, sizeof(response));
	netback_point();
	for (unsigned int e = 0; e < frame->extras; e++)
		put_extra(q, frame);
	answer_rest(q, frame, frame->bytes - bytes);
}

static void count(struct netback_queue *q, const struct netback_frame *frame)
{
	struct netback_stats *stats = &q->record->stats;

	if (frame->status != NETIF_RSP_OKAY) {
		stats->rx_dropped++;
		return;
	}
	stats->rx_frames++;
	stats->rx_bytes += frame->bytes;
	stats->rx_gso += frame->offload.gso_type != 0;
}

/* Delivers waiting frames from the first on, as far as buffers go. Their number, or an error. */
static int deliver(struct netback_queue *q)
{
	unsigned int copies = 0, n = q->rx_first;
	int rc;

	while (n < q->rx_count && posted(q) >= q->rx_frames[n].slots)
		plan(q, &q->rx_frames[n++], &copies);
	if (n == q->rx_first)
		return 0;
	rc = netback_copy(q, copies);
	for (unsigned int i = q->rx_first; i < n; i++) {
		if (!rc && judge(q, &q->rx_frames[i]))
			return -XEN_EINVAL;
		if (rc)
			q->rx_frames[i].status = NETIF_RSP_ERROR;
		answer(q, &q->rx_frames[i]);
		count(q, &q->rx_frames[i]);
	}
	netback_point();
	if (pv_back_ring_push(&q->rx)) {
		netback_point();
		q->record->stats.events_out++;
		pv_event_notify(q->nb->domain, q->rx_port);
	}
	rc = n - q->rx_first;
	q->rx_first = n;
	return rc;
}

bool netback_rx(struct netback_queue *q)
{
	struct netback *nb = q->nb;
	unsigned int moved = 0;
	int n;

	while (!nb->broken && moved < NETBACK_BUDGET) {
		if (posted(q) < most_slots(q) && take_requests(q))
			return false;
		if (q->rx_first == q->rx_count) {
			if (q->rx_count && q->rx_drained) {
				q->rx_count = q->rx_first = 0;
				break;
			}
			moved += read_wire(q);
			if (!q->rx_count)
				break;
		}
		n = deliver(q);
		if (n < 0)
			return false;
		if (n)
			continue;
		moved++;	/* one who moves the index to and fro has no more turns than others */
		if (pv_back_ring_idle(&q->rx)) {
			q->record->stats.rx_stalls++;
			wire_listen(nb->wire, q->index, false);
			return false;
		}
	}
	if (nb->broken)
		return false;
	wire_listen(nb->wire, q->index, true);
	return moved >= NETBACK_BUDGET;
}
