/* SPDX-License-Identifier: MIT */
/*
 * Connecting to a frontend: reading its keys, mapping its rings, binding its event channels; also by
 * the record alone, when an earlier process was connected.
 */
#include "netback.h"

#define RING_BYTES	PV_PAGE_SIZE
#define QUEUE_PAGES	((sizeof(struct netback_queue) + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE)

int netback_fail(struct netback_queue *q, const char *field, uint64_t value, const char *why)
{
	struct netback *nb = q->nb;

	if (nb->resuming) {
		pv_log(nb->domain, "%s: queue %u: %s %llu: %s; it is tried again", nb->bus.path, q->index, field,
		       (unsigned long long)value, why);
		return -XEN_EINVAL;
	}
	if (!nb->broken)
		pv_xenbus_fail(&nb->bus, "queue %u: %s %llu: %s", q->index, field,
			       (unsigned long long)value, why);
	nb->broken = true;
	return -XEN_EINVAL;
}

int netback_copy(struct netback_queue *q, unsigned int count)
{
	if (!count)
		return 0;
	q->record->stats.copies += count;
	q->record->stats.copy_calls++;
	return pv_grant_copy(q->nb->domain, q->nb->shared->copies, count);
}

int netback_take(struct pv_back_ring *ring, void *log, uint32_t *taken)
{
	int n = pv_back_ring_pending(ring);

	if (n < 0)
		return n;
	while (n > 0) {
		uint32_t at = ring->req_cons & (NETBACK_SLOTS - 1), count = NETBACK_SLOTS - at;

		if (count > (uint32_t)n)
			count = n;
		pv_ring_copy((char *)log + at * ring->slot_bytes,
			     pv_ring_slot(ring->shared, ring->size, ring->slot_bytes, at),
			     count * ring->slot_bytes);
		ring->req_cons += count;
		n -= count;
	}
	netback_point();
	pv_wmb();		/* the log before the index that says it is there */
	PV_WRITE_ONCE(*taken, ring->req_cons);
	return 0;
}

/* --- The frontend's keys --- */

static int read_port(struct netback *nb, const char *prefix, const char *key, evtchn_port_t *port)
{
	char name[48];
	uint64_t value;
	int rc;

	snprintf(name, sizeof(name), "%s%s", prefix, key);
	rc = pv_xenbus_peer_required(&nb->bus, name, 1, UINT32_MAX, &value);
	*port = rc ? 0 : value;
	return rc;
}

static int read_ref(struct netback *nb, const char *prefix, const char *key, grant_ref_t *ref)
{
	char name[48];
	uint64_t value;
	int rc;

	snprintf(name, sizeof(name), "%s%s", prefix, key);
	rc = pv_xenbus_peer_required(&nb->bus, name, 0, UINT32_MAX, &value);
	*ref = rc ? 0 : value;
	return rc;
}

static int read_queue(struct netback *nb, unsigned int index, bool single)
{
	struct netback_queue_record *r = &nb->record->queue[index];
	char prefix[16] = "", split[48];
	uint64_t port;
	int rc;

	if (!single)
		snprintf(prefix, sizeof(prefix), "queue-%u/", index);
	rc = read_ref(nb, prefix, "tx-ring-ref", &r->tx_ref);
	if (!rc)
		rc = read_ref(nb, prefix, "rx-ring-ref", &r->rx_ref);
	if (rc)
		return rc;
	snprintf(split, sizeof(split), "%sevent-channel-tx", prefix);
	rc = pv_xenbus_peer_number(&nb->bus, split, 1, UINT32_MAX, 0, &port);
	if (rc)
		return rc;
	if (port) {
		r->tx_port = port;
		return read_port(nb, prefix, "event-channel-rx", &r->rx_port);
	}
	rc = read_port(nb, prefix, "event-channel", &r->tx_port);
	r->rx_port = r->tx_port;
	return rc;
}

static int read_features(struct netback *nb, uint32_t *features)
{
	static const struct {
		const char *key;
		uint32_t bit;
		bool inverted;
	} keys[] = {
		{ "feature-sg", NETBACK_SG, false },
		{ "feature-gso-tcpv4", NETBACK_TSO4, false },
		{ "feature-gso-tcpv6", NETBACK_TSO6, false },
		{ "feature-no-csum-offload", NETBACK_CSUM4, true },
		{ "feature-ipv6-csum-offload", NETBACK_CSUM6, false },
	};
	uint64_t value;
	int rc;

	*features = 0;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(keys); i++) {
		rc = pv_xenbus_peer_number(&nb->bus, keys[i].key, 0, 1, 0, &value);
		if (rc)
			return rc;
		if (value != keys[i].inverted)
			*features |= keys[i].bit;
	}
	/* Segmentation is nothing without partial checksums and frames of several slots. */
	if (!(*features & NETBACK_SG))
		*features &= ~(NETBACK_TSO4 | NETBACK_TSO6);
	if (!(*features & NETBACK_CSUM4))
		*features &= ~NETBACK_TSO4;
	if (!(*features & NETBACK_CSUM6))
		*features &= ~NETBACK_TSO6;
	return 0;
}

/* Everything the frontend wrote, into the record. */
int netback_read_frontend(struct netback *nb)
{
	struct netback_record *record = nb->record;
	uint64_t value, queues;
	int rc;

	rc = pv_xenbus_peer_required(&nb->bus, "request-rx-copy", 1, 1, &value);
	if (!rc)
		rc = pv_xenbus_peer_required(&nb->bus, "feature-rx-notify", 1, 1, &value);
	if (!rc)
		rc = pv_xenbus_peer_number(&nb->bus, "multi-queue-num-queues", 1, nb->queues_max, 1,
					   &queues);
	if (!rc)
		rc = read_features(nb, &record->features);
	if (rc)
		return rc;
	record->queues = queues;
	for (unsigned int i = 0; i < queues && !rc; i++)
		rc = read_queue(nb, i, queues == 1);
	return rc;
}

/* --- Queues --- */

static void queue_stop(struct netback_queue *q)
{
	struct netback *nb = q->nb;

	wire_listen(nb->wire, q->index, false);
	if (q->rx_port && q->rx_port != q->tx_port)
		pv_event_close(nb->domain, q->rx_port);
	if (q->tx_port)
		pv_event_close(nb->domain, q->tx_port);
	if (q->tx.shared)
		pv_grant_unmap(nb->domain, q->tx.shared, 1);
	if (q->rx.shared)
		pv_grant_unmap(nb->domain, q->rx.shared, 1);
	*q = (struct netback_queue){
		.nb = nb, .index = q->index, .record = q->record, .rx_waiting = q->rx_waiting,
	};
}

/*
 * Frames that the guest sends often bring others at once, as an acknowledgement does: taken here, they need no turn
 * of their own. Asked for only now and then where it was in vain lately.
 */
static bool brings_others(struct netback_queue *q)
{
	return q->rx_vain < 4 || !(q->rx_vain & 31);
}

static bool on_tx(void *arg, evtchn_port_t port)
{
	struct netback_queue *q = arg;
	uint64_t before = q->record->stats.tx_frames, taken = q->record->stats.rx_frames;
	bool more;

	q->record->stats.events_in++;
	more = netback_tx(q);
	if (port == q->rx_port && q->rx_first != q->rx_count) {
		more |= netback_rx(q);
	} else if (q->record->stats.tx_frames != before && q->rx_first == q->rx_count) {
		if (brings_others(q))
			more |= netback_rx(q);
		q->rx_vain = q->record->stats.rx_frames == taken ? q->rx_vain + 1 : 0;
	}
	return netback_end_turn(q->nb, more);
}

/* The guest has posted buffers. */
static bool on_rx(void *arg, evtchn_port_t port)
{
	struct netback_queue *q = arg;

	(void)port;
	q->record->stats.events_in++;
	return netback_end_turn(q->nb, netback_rx(q));
}

static int map_ring(struct netback_queue *q, struct pv_back_ring *ring, const char *name,
		    grant_ref_t ref, uint32_t slot_bytes, const uint32_t *taken)
{
	struct netback *nb = q->nb;
	struct pv_ring_shared *shared;
	uint32_t answered, cons;
	void *page;
	int rc;

	rc = pv_grant_map(nb->domain, nb->bus.peer, &ref, 1, true, &page);
	if (rc)
		return netback_fail(q, name, ref, "cannot be mapped");
	shared = page;
	answered = PV_READ_ONCE(shared->rsp_prod);
	cons = nb->record->connected ? *taken : answered;
	pv_back_ring_init(ring, page, RING_BYTES, slot_bytes, cons, answered);
	if (cons - answered > ring->size || PV_READ_ONCE(shared->req_prod) - answered > ring->size)
		return netback_fail(q, name, answered, "has impossible indices");
	return 0;
}

static int open_port(struct netback_queue *q, const char *name, evtchn_port_t remote,
		     pv_event_fn fn, evtchn_port_t *port)
{
	int rc = pv_event_open(q->nb->domain, q->nb->bus.peer, remote, fn, q);

	if (rc <= 0)
		return netback_fail(q, name, remote, "cannot be bound");
	*port = rc;
	return 0;
}

/* Maps a queue's rings by its record and binds its ports; queue_stop() undoes what was done. */
static int queue_start(struct netback_queue *q)
{
	struct netback_queue_record *r = q->record;
	int rc;

	rc = map_ring(q, &q->tx, "tx-ring-ref", r->tx_ref, sizeof(struct netif_tx_request),
		      &r->tx_taken);
	if (!rc)
		rc = map_ring(q, &q->rx, "rx-ring-ref", r->rx_ref, sizeof(struct netif_rx_request),
			      &r->rx_taken);
	if (rc)
		return rc;
	q->tx_used = q->tx.rsp_prod;
	q->rx_used = q->rx.rsp_prod;
	r->tx_taken = q->tx.req_cons;
	r->rx_taken = q->rx.req_cons;
	rc = open_port(q, "tx event channel", r->tx_port, on_tx, &q->tx_port);
	if (!rc && r->rx_port == r->tx_port)
		q->rx_port = q->tx_port;
	else if (!rc)
		rc = open_port(q, "rx event channel", r->rx_port, on_rx, &q->rx_port);
	return rc;
}

/* --- All of them --- */

static uint32_t wire_offloads(uint32_t features)
{
	uint32_t offloads = 0;

	/* What only one IP version lacks, rx.c makes up for. */
	if (features & (NETBACK_CSUM4 | NETBACK_CSUM6))
		offloads |= WIRE_CSUM;
	if (features & NETBACK_TSO4)
		offloads |= WIRE_TSO4;
	if (features & NETBACK_TSO6)
		offloads |= WIRE_TSO6;
	return offloads;
}

/* A queue's memory stays when it stops: a frontend that comes and goes costs no more than its rings. */
static int get_queue(struct netback *nb, unsigned int index)
{
	struct netback_queue *q = nb->queue[index];

	if (q)
		return 0;
	q = pv_pages_alloc(nb->domain, QUEUE_PAGES);
	if (!q)
		return -XEN_ENOMEM;
	*q = (struct netback_queue){
		.nb = nb, .index = index, .record = &nb->record->queue[index],
		.rx_waiting = pv_pages_alloc(nb->domain, NETBACK_WAITING),
	};
	if (!q->rx_waiting) {
		pv_pages_free(nb->domain, q, QUEUE_PAGES);
		return -XEN_ENOMEM;
	}
	nb->queue[index] = q;
	return 0;
}

int netback_start_queues(struct netback *nb)
{
	unsigned int queues = nb->record->queues;
	int rc = wire_set_queues(nb->wire, queues);

	if (!rc)
		rc = wire_set_offloads(nb->wire, wire_offloads(nb->record->features));
	for (unsigned int i = 0; i < queues && !rc; i++) {
		rc = get_queue(nb, i);
		if (!rc)
			rc = queue_start(nb->queue[i]);
	}
	return rc;
}

void netback_stop_queues(struct netback *nb)
{
	for (unsigned int i = 0; i < NETBACK_QUEUES_MAX; i++) {
		if (nb->queue[i])
			queue_stop(nb->queue[i]);
	}
}

void netback_free_queues(struct netback *nb)
{
	for (unsigned int i = 0; i < NETBACK_QUEUES_MAX; i++) {
		if (!nb->queue[i])
			continue;
		pv_pages_free(nb->domain, nb->queue[i]->rx_waiting, NETBACK_WAITING);
		pv_pages_free(nb->domain, nb->queue[i], QUEUE_PAGES);
		nb->queue[i] = NULL;
	}
}
