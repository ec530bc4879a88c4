/* SPDX-License-Identifier: MIT */
/*
 * A queue's pages, grants and event channels: from allocation to the day the backend lets go of them.
 */
#include "netfront.h"

#define QUEUE_PAGES	((sizeof(struct netfront_queue) + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE)

int netfront_queue_alloc(struct netfront *nf, unsigned int index)
{
	struct pv_domain *d = nf->domain;
	struct netfront_queue *q = pv_pages_alloc(d, QUEUE_PAGES);

	if (!q)
		return -XEN_ENOMEM;
	memset(q, 0, sizeof(*q));
	q->nf = nf;
	q->index = index;
	nf->queue[index] = q;
	q->tx_pages = pv_pages_alloc(d, nf->buffers);
	q->rx_pages = pv_pages_alloc(d, nf->buffers);
	q->tx.shared = pv_pages_alloc(d, 1);
	q->rx.shared = pv_pages_alloc(d, 1);
	return q->tx_pages && q->rx_pages && q->tx.shared && q->rx.shared ? 0 : -XEN_ENOMEM;
}

void netfront_queue_free(struct netfront *nf, unsigned int index)
{
	struct netfront_queue *q = nf->queue[index];

	if (!q)
		return;
	nf->queue[index] = NULL;
	if (q->tx_pages)
		pv_pages_free(nf->domain, q->tx_pages, nf->buffers);
	if (q->rx_pages)
		pv_pages_free(nf->domain, q->rx_pages, nf->buffers);
	if (q->tx.shared)
		pv_pages_free(nf->domain, q->tx.shared, 1);
	if (q->rx.shared)
		pv_pages_free(nf->domain, q->rx.shared, 1);
	pv_pages_free(nf->domain, q, QUEUE_PAGES);
}

static bool on_tx(void *arg, evtchn_port_t port)
{
	struct netfront_queue *q = arg;
	struct netfront *nf = q->nf;
	bool more = false, room;

	nf->stats.events++;
	netfront_reclaim(q);
	room = q->tx_waiting && q->tx_free_count;
	if (port == q->rx_port && !nf->broken)
		more = netfront_receive(q);
	if (!netfront_end_turn(nf))
		return false;
	if (room) {
		q->tx_waiting = false;
		nf->options.changed(nf->options.arg);
	}
	return more;
}

static bool on_rx(void *arg, evtchn_port_t port)
{
	struct netfront_queue *q = arg;
	struct netfront *nf = q->nf;
	bool more;

	(void)port;
	nf->stats.events++;
	more = netfront_receive(q);
	return netfront_end_turn(nf) && more;
}

static int share(struct netfront_queue *q, uint8_t *pages, bool writable, grant_ref_t *refs,
		 unsigned int *shared)
{
	struct netfront *nf = q->nf;
	int rc = 0;

	while (*shared < nf->buffers && !rc) {
		rc = pv_grant_share(nf->domain, nf->bus.peer, pages + (size_t)*shared * PV_PAGE_SIZE,
				    writable, &refs[*shared]);
		*shared += !rc;
	}
	return rc;
}

static int share_ring(struct netfront_queue *q, void *page, grant_ref_t *ref, bool *shared)
{
	int rc = pv_grant_share(q->nf->domain, q->nf->bus.peer, page, true, ref);

	*shared = !rc;
	return rc;
}

static int open_port(struct netfront_queue *q, pv_event_fn fn, evtchn_port_t *port)
{
	int rc = pv_event_open(q->nf->domain, q->nf->bus.peer, 0, fn, q);

	if (rc < 0)
		return rc;
	*port = rc;
	return 0;
}

int netfront_queue_start(struct netfront_queue *q)
{
	struct netfront *nf = q->nf;
	int rc;

	pv_front_ring_init(&q->tx, q->tx.shared, PV_PAGE_SIZE, sizeof(struct netif_tx_request));
	pv_front_ring_init(&q->rx, q->rx.shared, PV_PAGE_SIZE, sizeof(struct netif_rx_request));
	q->tx_extras = 0;
	q->tx_waiting = false;
	q->tx_free_count = 0;
	for (unsigned int i = nf->buffers; i-- > 0;) {
		q->tx_busy[i] = false;
		q->tx_free[q->tx_free_count++] = i;
	}
	rc = share(q, q->tx_pages, false, q->tx_refs, &q->tx_shared);
	if (!rc)
		rc = share(q, q->rx_pages, true, q->rx_refs, &q->rx_shared);
	if (!rc)
		rc = share_ring(q, q->tx.shared, &q->tx_ring_ref, &q->tx_ring_shared);
	if (!rc)
		rc = share_ring(q, q->rx.shared, &q->rx_ring_ref, &q->rx_ring_shared);
	if (!rc)
		rc = open_port(q, on_tx, &q->tx_port);
	if (!rc && nf->split)
		rc = open_port(q, on_rx, &q->rx_port);
	else if (!rc)
		q->rx_port = q->tx_port;
	if (!rc)
		netfront_post(q);
	return rc;
}

/* Takes pages back from the last to the first. */
static bool unshare(struct netfront_queue *q, const grant_ref_t *refs, unsigned int *shared)
{
	while (*shared && !pv_grant_unshare(q->nf->domain, refs[*shared - 1]))
		--*shared;
	return !*shared;
}

static bool unshare_ring(struct netfront_queue *q, grant_ref_t ref, bool *shared)
{
	if (*shared && !pv_grant_unshare(q->nf->domain, ref))
		*shared = false;
	return !*shared;
}

bool netfront_queue_stop(struct netfront_queue *q)
{
	struct pv_domain *d = q->nf->domain;
	bool all;

	if (q->rx_port && q->rx_port != q->tx_port)
		pv_event_close(d, q->rx_port);
	if (q->tx_port)
		pv_event_close(d, q->tx_port);
	q->tx_port = q->rx_port = 0;
	all = unshare(q, q->tx_refs, &q->tx_shared);
	all &= unshare(q, q->rx_refs, &q->rx_shared);
	all &= unshare_ring(q, q->tx_ring_ref, &q->tx_ring_shared);
	all &= unshare_ring(q, q->rx_ring_ref, &q->rx_ring_shared);
	return all;
}
