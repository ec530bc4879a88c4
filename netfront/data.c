/* SPDX-License-Identifier: MIT */
/*
 * Frames out and in: the rings' hot path.
 *
 * Sending copies the frame into free pages, one request each; the request's id is the page's number.
 * Receiving buffers stay in their slots for ever: the n-th request always offers page n modulo their
 * number, which the protocol's rule (a response lies in its request's slot) makes safe to rely on.
 */
#include "netfront.h"

#define BUDGET	64	/* frames taken in one turn */

/* --- Out --- */

/* Takes responses: their pages are free again. */
void netfront_reclaim(struct netfront_queue *q)
{
	struct netif_tx_response response;
	int n = pv_front_ring_pending(&q->tx);

	if (n < 0) {
		netfront_fail(q, "tx rsp_prod", PV_READ_ONCE(q->tx.shared->rsp_prod),
			      "more responses than requests");
		return;
	}
	while (n-- > 0) {
		pv_front_ring_get(&q->tx, &response, sizeof(response));
		if (response.status == NETIF_RSP_NULL) {
			if (!q->tx_extras--) {
				netfront_fail(q, "tx status", NETIF_RSP_NULL, "for no extra info");
				return;
			}
			continue;
		}
		if (response.id >= q->nf->buffers || !q->tx_busy[response.id]) {
			netfront_fail(q, "tx id", response.id, "was not under way");
			return;
		}
		if (response.status != NETIF_RSP_OKAY)
			q->nf->stats.tx_errors++;
		q->tx_busy[response.id] = false;
		q->tx_free[q->tx_free_count++] = response.id;
	}
}

/* Room for a frame of @pages pages and @extras extra infos? Looks for responses only if needed. */
static bool has_room(struct netfront_queue *q, unsigned int pages, unsigned int extras)
{
	if (q->tx_free_count >= pages && pv_front_ring_free(&q->tx) >= pages + extras)
		return true;
	netfront_reclaim(q);
	return q->tx_free_count >= pages && pv_front_ring_free(&q->tx) >= pages + extras;
}

/* No room: ask to be told, and look once more. Each time there are responses, or the backend lies. */
static bool wait_for_room(struct netfront_queue *q, unsigned int pages, unsigned int extras)
{
	for (unsigned int looks = 0; looks <= NETFRONT_SLOTS && !q->nf->broken; looks++) {
		if (has_room(q, pages, extras))
			return true;
		if (!q->nf->broken && pv_front_ring_idle(&q->tx)) {
			q->tx_waiting = true;
			q->nf->stats.tx_full++;
			return false;
		}
	}
	netfront_fail(q, "tx rsp_prod", PV_READ_ONCE(q->tx.shared->rsp_prod), "moves to and fro");
	return false;
}

static void put_extra(struct netfront_queue *q, const struct pv_offload *offload, bool first)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	if (!first || !offload->gso_type)
		return;
	extra.u.gso.type = offload->gso_type;
	extra.u.gso.size = offload->gso_size;
	pv_front_ring_put(&q->tx, &extra, sizeof(extra));
	q->tx_extras++;
}

static void put_frame(struct netfront_queue *q, const uint8_t *frame, uint32_t bytes,
		      const struct pv_offload *offload)
{
	struct netif_tx_request request;
	uint32_t done = 0, part;
	unsigned int page;

	while (done < bytes) {
		part = bytes - done < PV_PAGE_SIZE ? bytes - done : PV_PAGE_SIZE;
		page = q->tx_free[--q->tx_free_count];
		q->tx_busy[page] = true;
		memcpy(q->tx_pages + (size_t)page * PV_PAGE_SIZE, frame + done, part);
		request = (struct netif_tx_request){
			.gref = q->tx_refs[page],
			.id = page,
			.size = done ? part : bytes,
			.flags = done + part < bytes ? NETTXF_more_data : 0,
		};
		if (!done && offload->gso_type)
			request.flags |= NETTXF_extra_info;
		if (!done && offload->partial)
			request.flags |= NETTXF_csum_blank | NETTXF_data_validated;
		else if (!done && offload->validated)
			request.flags |= NETTXF_data_validated;
		pv_front_ring_put(&q->tx, &request, sizeof(request));
		put_extra(q, offload, !done);
		done += part;
	}
}

/*
 * Does for the backend what it did not offer to do. The frame to send, which may be a copy; NULL: it
 * cannot be sent.
 */
static const uint8_t *adapt(struct netfront *nf, const uint8_t *frame, uint32_t bytes,
			    struct pv_offload *offload)
{
	struct pv_transport t;

	if (offload->gso_type) {
		if (!offload->partial || !offload->gso_size || nf->options.no_gso)
			return NULL;
		if (!(offload->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? nf->tso4 : nf->tso6))
			return NULL;
	}
	if (!offload->partial)
		return frame;
	if (pv_packet_transport(frame, bytes, &t))
		return NULL;
	if (t.v6 ? nf->csum6 : nf->csum4)
		return frame;
	if (offload->gso_type)
		return NULL;
	memcpy(nf->tx_scratch, frame, bytes);
	pv_packet_locate(&t, offload);
	if (pv_packet_complete(nf->tx_scratch, bytes, offload))
		return NULL;
	offload->partial = false;
	return nf->tx_scratch;
}

int netfront_send(struct netfront *nf, unsigned int queue, const uint8_t *frame, uint32_t bytes,
		  const struct pv_offload *offload, bool more)
{
	struct pv_offload rest = { 0 };
	struct netfront_queue *q;
	unsigned int pages;

	if (!nf->ready || nf->broken)
		return -XEN_ENOTCONN;
	if (bytes < PV_ETHERNET_HEADER || bytes > XEN_NETIF_MAX_TX_SIZE ||
	    (bytes > PV_PAGE_SIZE && !nf->sg))
		return -XEN_EINVAL;
	if (offload)
		rest = *offload;
	frame = adapt(nf, frame, bytes, &rest);
	if (!frame)
		return -XEN_EINVAL;
	q = nf->queue[queue % nf->queues];
	pages = (bytes + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;
	if (!wait_for_room(q, pages, rest.gso_type ? 1 : 0)) {
		netfront_end_soon(nf);	/* we may be called while a frame is received */
		return nf->broken ? -XEN_ENOTCONN : -XEN_EAGAIN;
	}
	put_frame(q, frame, bytes, &rest);
	nf->stats.tx_frames++;
	nf->stats.tx_bytes += bytes;
	nf->stats.tx_gso += rest.gso_type != 0;
	if (!more && pv_front_ring_push(&q->tx))
		pv_event_notify(nf->domain, q->tx_port);
	return 0;
}

/* --- In --- */

void netfront_post(struct netfront_queue *q)
{
	struct netif_rx_request request = { 0 };
	unsigned int page;

	while (q->rx.req_prod - q->rx.rsp_cons < q->nf->buffers) {
		page = q->rx.req_prod & (q->nf->buffers - 1);
		request.id = page;
		request.gref = q->rx_refs[page];
		pv_front_ring_put(&q->rx, &request, sizeof(request));
	}
	if (pv_front_ring_push(&q->rx))
		pv_event_notify(q->nf->domain, q->rx_port);
}

static int take_extras(struct netfront_queue *q, int *pending, struct pv_offload *offload)
{
	struct netif_extra_info extra;

	do {
		if (!*pending)
			return netfront_fail(q, "rx extra", 0, "is missing");
		--*pending;
		pv_front_ring_get(&q->rx, &extra, sizeof(extra));
		if (extra.type != XEN_NETIF_EXTRA_TYPE_GSO)
			return netfront_fail(q, "rx extra type", extra.type, "was not asked for");
		if (q->nf->options.no_gso || !extra.u.gso.size ||
		    (extra.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
		     extra.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
			return netfront_fail(q, "rx gso type", extra.u.gso.type, "or its size is wrong");
		offload->gso_type = extra.u.gso.type;
		offload->gso_size = extra.u.gso.size;
	} while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

/* One slot's data into the private frame. 0, or the device is broken. */
static int take_slot(struct netfront_queue *q, uint32_t index, const struct netif_rx_response *r,
		     uint32_t *bytes, bool *error)
{
	uint32_t page = index & (q->nf->buffers - 1);

	if (r->id != page)
		return netfront_fail(q, "rx id", r->id, "is not its slot's");
	if (r->flags & NETRXF_gso_prefix)
		return netfront_fail(q, "rx flags", r->flags, "has gso_prefix");
	if (r->status < 0) {
		*error = true;
		return 0;
	}
	if (r->offset + (uint32_t)r->status > PV_PAGE_SIZE)
		return netfront_fail(q, "rx status", r->status, "beyond the page");
	if (*bytes + r->status > PV_FRAME_MAX)
		return netfront_fail(q, "rx size", *bytes + r->status, "too long");
	pv_ring_copy(q->nf->scratch + *bytes, q->rx_pages + (size_t)page * PV_PAGE_SIZE + r->offset,
		     r->status);
	*bytes += r->status;
	return 0;
}

/* Collects one frame of up to *pending responses. */
static int take_frame(struct netfront_queue *q, int *pending, uint32_t *bytes,
		      struct pv_offload *offload, bool *error)
{
	struct netif_rx_response r;
	bool first = true;
	uint32_t index;
	int rc;

	*bytes = 0;
	*error = false;
	memset(offload, 0, sizeof(*offload));
	do {
		if (!*pending)
			return netfront_fail(q, "rx flags", NETRXF_more_data, "but no more slots");
		--*pending;
		index = q->rx.rsp_cons;
		pv_front_ring_get(&q->rx, &r, sizeof(r));
		rc = take_slot(q, index, &r, bytes, error);
		if (!rc && first && (r.flags & NETRXF_extra_info))
			rc = take_extras(q, pending, offload);
		if (rc)
			return rc;
		if (first) {
			offload->partial = r.flags & NETRXF_csum_blank;
			offload->validated = r.flags & (NETRXF_data_validated | NETRXF_csum_blank);
		}
		first = false;
	} while (r.flags & NETRXF_more_data);
	return 0;
}

/* Finishes what the receiver cannot, or finds where it is to be finished. False: the frame is no good. */
static bool judge(struct netfront *nf, uint32_t bytes, struct pv_offload *offload)
{
	struct pv_transport t;

	if (bytes < PV_ETHERNET_HEADER)
		return false;
	if (offload->gso_type)
		offload->partial = true;
	if (!offload->partial)
		return true;
	if (pv_packet_transport(nf->scratch, bytes, &t))
		return false;
	pv_packet_locate(&t, offload);
	if (!nf->options.no_partial)
		return true;
	offload->partial = false;
	return !pv_packet_complete(nf->scratch, bytes, offload);
}

static int receive_one(struct netfront_queue *q, int *pending)
{
	struct netfront *nf = q->nf;
	struct pv_offload offload;
	uint32_t bytes;
	bool error;

	if (take_frame(q, pending, &bytes, &offload, &error))
		return -XEN_EINVAL;
	if (error || !judge(nf, bytes, &offload)) {
		nf->stats.rx_errors++;
		return 0;
	}
	nf->stats.rx_frames++;
	nf->stats.rx_bytes += bytes;
	nf->stats.rx_gso += offload.gso_type != 0;
	nf->options.receive(nf->options.arg, nf->scratch, bytes, &offload);
	return 0;
}

bool netfront_receive(struct netfront_queue *q)
{
	int n, budget = BUDGET;

	while (budget-- > 0 && !q->nf->broken) {
		n = pv_front_ring_pending(&q->rx);
		if (n < 0) {
			netfront_fail(q, "rx rsp_prod", PV_READ_ONCE(q->rx.shared->rsp_prod),
				      "more responses than requests");
			return false;
		}
		if (!n && pv_front_ring_idle(&q->rx))
			return false;
		while (n > 0 && budget-- > 0) {
			if (receive_one(q, &n))
				return false;
		}
		netfront_post(q);
	}
	return !q->nf->broken;
}
