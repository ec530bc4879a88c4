/* SPDX-License-Identifier: MIT */
/*
 * The block frontend's states: it waits for the backend's features, makes rings by them, publishes
 * these, and is usable when the backend has connected.
 */
#include "private.h"

#define KEY_MAX	48

/* Requests not sent yet are kept by their queue, whose number may change with the backend. */
static void init_lists(struct blkfront *f)
{
	for (unsigned int i = 0; i < MAX_QUEUES; i++) {
		f->queues[i].front = f;
		f->queues[i].waiting_end = &f->queues[i].waiting;
	}
}

static void drop_queues(struct blkfront *f)
{
	f->connected = false;
	pv_timer_set(f->domain, &f->retry, 0);
	for (unsigned int i = 0; i < MAX_QUEUES; i++)
		front_queue_drop(&f->queues[i]);
	bounce_free_all(f);
}

/* --- Failing operations, from the loop --- */

static void fail_waiting(void *arg)
{
	struct blkfront *f = arg;
	struct blkfront_io *io;

	while ((io = f->failing)) {
		f->failing = io->next;
		io->result = -XEN_EIO;
		io->done(io);
	}
}

/* What waits in the queues will fail, from the loop. */
static void fail_queued(struct blkfront *f)
{
	for (unsigned int i = 0; i < MAX_QUEUES; i++) {
		struct front_queue *q = &f->queues[i];

		if (!q->waiting)
			continue;
		*q->waiting_end = f->failing;
		f->failing = q->waiting;
		q->waiting = NULL;
		q->waiting_end = &q->waiting;
	}
	f->timer.fn = fail_waiting;
	f->timer.arg = f;
	if (f->failing)
		pv_timer_set(f->domain, &f->timer, pv_now(f->domain));
}

/* The rings go now, whatever is in them. */
static void drop(struct blkfront *f)
{
	f->ended = f->dropped = true;
	drop_queues(f);
	fail_queued(f);
}

static unsigned int in_flight(const struct blkfront *f)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < MAX_QUEUES; i++)
		n += f->queues[i].in_flight;
	return n;
}

void front_drained(struct blkfront *f)
{
	if (!in_flight(f))
		pv_xenbus_switch(&f->bus, XenbusStateClosed);
}

/* No more requests; Closed as soon as all answers are there. The rings stay until the backend is. */
static void start_closing(struct blkfront *f)
{
	bool was_usable = f->connected;

	if (f->ended)
		return;
	f->ended = true;
	fail_queued(f);
	front_drained(f);
	if (was_usable)
		f->ready(f->arg, false);
}

/* The backend has gone, or may as well have. */
static void backend_gone(struct blkfront *f)
{
	bool was_usable = f->connected && !f->ended;

	if (f->dropped)
		return;
	drop(f);
	pv_xenbus_switch(&f->bus, XenbusStateClosed);
	if (was_usable)
		f->ready(f->arg, false);
}

void front_fail(struct blkfront *f)
{
	backend_gone(f);
}

/* --- Keys --- */

static int write_queue_keys(struct blkfront *f, unsigned int index)
{
	const struct front_queue *q = &f->queues[index];
	char prefix[20] = "", key[KEY_MAX];
	int rc;

	if (f->nr_queues > 1)
		snprintf(prefix, sizeof(prefix), "queue-%u/", index);
	snprintf(key, sizeof(key), "%sevent-channel", prefix);
	rc = pv_store_printf(f->domain, 0, f->bus.path, key, "%u", q->port);
	for (unsigned int i = 0; i < 1U << f->ring_order && !rc; i++) {
		if (f->ring_order)
			snprintf(key, sizeof(key), "%sring-ref%u", prefix, i);
		else
			snprintf(key, sizeof(key), "%sring-ref", prefix);
		rc = pv_store_printf(f->domain, 0, f->bus.path, key, "%u", q->ring_refs[i]);
	}
	return rc;
}

static int write_keys(struct blkfront *f)
{
	struct pv_domain *d = f->domain;
	const char *path = f->bus.path;
	int rc = pv_store_write(d, 0, path, "protocol", "x86_64-abi");

	if (!rc)
		rc = pv_store_printf(d, 0, path, "feature-persistent", "%u", f->options.persistent);
	if (!rc && f->options.large_units)
		rc = pv_store_write(d, 0, path, "feature-large-sector-size", "1");
	if (!rc && f->nr_queues > 1)
		rc = pv_store_printf(d, 0, path, "multi-queue-num-queues", "%u", f->nr_queues);
	if (!rc && f->ring_order)
		rc = pv_store_printf(d, 0, path, "ring-page-order", "%u", f->ring_order);
	for (unsigned int i = 0; i < f->nr_queues && !rc; i++)
		rc = write_queue_keys(f, i);
	return rc;
}

static unsigned int least(unsigned int a, uint64_t b)
{
	return a < b ? a : (unsigned int)b;
}

/* A backend with fewer queues than the last one: what waits in those that are gone moves. */
static void gather_waiting(struct blkfront *f)
{
	struct front_queue *first = &f->queues[0];

	for (unsigned int i = f->nr_queues; i < MAX_QUEUES; i++) {
		struct front_queue *q = &f->queues[i];

		if (!q->waiting)
			continue;
		*first->waiting_end = q->waiting;
		first->waiting_end = q->waiting_end;
		q->waiting = NULL;
		q->waiting_end = &q->waiting;
	}
}

/* The backend offers: rings are made and published. */
static void offer(struct blkfront *f)
{
	uint64_t queues, order;
	int rc = pv_xenbus_peer_number(&f->bus, "multi-queue-max-queues", 1, UINT32_MAX, 1, &queues);

	if (!rc)
		rc = pv_xenbus_peer_number(&f->bus, "max-ring-page-order", 0, UINT32_MAX, 0, &order);
	if (!rc) {
		f->nr_queues = least(f->options.max_queues, queues);
		f->ring_order = least(f->options.max_ring_order, order);
	}
	gather_waiting(f);
	for (unsigned int i = 0; i < f->nr_queues && !rc; i++)
		rc = front_queue_init(&f->queues[i], f);
	if (!rc)
		rc = write_keys(f);
	if (!rc)
		rc = pv_xenbus_switch(&f->bus, XenbusStateInitialised);
	if (rc) {
		pv_xenbus_fail(&f->bus, "cannot be set up: error %d", -rc);
		front_fail(f);
	}
}

/* The disk's shape; sizes that are none fail the device. */
static int learn_shape(struct blkfront *f)
{
	struct blkfront_info *n = &f->info;
	uint64_t sectors, sector, info;
	int rc = pv_xenbus_peer_required(&f->bus, "sectors", 0, UINT64_MAX >> 12, &sectors);

	if (!rc)
		rc = pv_xenbus_peer_number(&f->bus, "sector-size", 512, 4096, 512, &sector);
	if (!rc)
		rc = pv_xenbus_peer_number(&f->bus, "info", 0, UINT32_MAX, 0, &info);
	if (rc)
		return rc;
	if (sector != 512 && sector != 4096)
		return pv_xenbus_fail(&f->bus, "sector-size is %llu", (unsigned long long)sector);
	/*
	 * Whatever the sector's size, sectors are counted in units of 512 bytes: so Linux does at both
	 * ends, against the letter of <xen/io/blkif.h>.
	 */
	f->unit = f->options.large_units ? sector : 512;
	n->sector = sector;
	n->bytes = sectors * f->unit;
	n->read_only = info & VDISK_READONLY;
	return 0;
}

static int learn_features(struct blkfront *f)
{
	struct blkfront_info *n = &f->info;
	uint64_t flush, discard, persistent, segments;
	int rc = pv_xenbus_peer_number(&f->bus, "feature-flush-cache", 0, 1, 0, &flush);

	if (!rc)
		rc = pv_xenbus_peer_number(&f->bus, "feature-discard", 0, 1, 0, &discard);
	if (!rc)
		rc = pv_xenbus_peer_number(&f->bus, "feature-persistent", 0, 1, 0, &persistent);
	if (!rc)
		rc = pv_xenbus_peer_number(&f->bus, "feature-max-indirect-segments", 0, UINT32_MAX, 0,
					   &segments);
	if (rc)
		return rc;
	n->flush = flush;
	n->discard = discard;
	n->persistent = persistent && f->options.persistent;
	n->queues = f->nr_queues;
	n->ring_pages = 1U << f->ring_order;
	f->max_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	if (!f->options.no_indirect && segments > f->max_segments)
		f->max_segments = least(MAX_SEGMENTS, segments);
	n->indirect = f->max_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST;
	n->max_bytes = (f->max_segments - 1) * PV_PAGE_SIZE;	/* wherever it starts in a page */
	return 0;
}

/* The backend has connected, or tells a new size. */
static void connected(struct blkfront *f)
{
	bool first = !f->connected;

	if (learn_shape(f) || (first && learn_features(f))) {
		start_closing(f);	/* it has our rings: it lets go of them when we are Closed */
		return;
	}
	pv_xenbus_switch(&f->bus, XenbusStateConnected);
	f->connected = true;
	if (first)
		f->ready(f->arg, true);
	blkfront_kick(f);
}

static void backend_changed(struct pv_xenbus *bus, enum xenbus_state state)
{
	struct blkfront *f = PV_CONTAINER(bus, struct blkfront, bus);

	if (f->dropped || (f->ended && state != XenbusStateClosed && state != XenbusStateUnknown))
		return;
	switch (state) {
	case XenbusStateInitWait:
		if (f->bus.state == XenbusStateInitialising)
			offer(f);
		break;
	case XenbusStateConnected:
		if (f->bus.state == XenbusStateInitialised || f->connected)
			connected(f);
		break;
	case XenbusStateClosing:
		if (f->bus.state != XenbusStateInitialising)
			start_closing(f);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		/* Before it has offered anything it may be the last life's Closed that we see. */
		if (f->bus.state != XenbusStateInitialising)
			backend_gone(f);
		break;
	default:
		break;
	}
}

/* --- For the guest --- */

static unsigned int struct_pages(void)
{
	return (sizeof(struct blkfront) + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;
}

int blkfront_open(struct blkfront **front, struct pv_domain *domain, const char *path,
		  const struct blkfront_options *options,
		  void (*ready)(void *arg, bool usable), void *arg)
{
	struct blkfront *f = pv_pages_alloc(domain, struct_pages());
	int rc;

	if (!f)
		return -XEN_ENOMEM;
	f->domain = domain;
	f->options = *options;
	f->options.max_queues = least(MAX_QUEUES, options->max_queues ? options->max_queues : 1);
	f->options.max_ring_order = least(MAX_RING_ORDER, options->max_ring_order);
	f->ready = ready;
	f->arg = arg;
	init_lists(f);
	rc = pv_xenbus_open(&f->bus, domain, path, PV_FRONTEND, backend_changed);
	if (rc) {
		pv_pages_free(domain, f, struct_pages());
		return rc;
	}
	*front = f;
	return 0;
}

bool blkfront_info(const struct blkfront *f, struct blkfront_info *info)
{
	if (f->connected)
		*info = f->info;
	return f->connected;
}

/* Whether the operation makes sense on this disk. */
static bool is_valid(const struct blkfront *f, const struct blkfront_io *io)
{
	const struct blkfront_info *n = &f->info;
	uint64_t mask = n->sector - 1;

	if (io->op == BLKFRONT_FLUSH)
		return true;
	if (!io->bytes || ((io->offset | io->bytes) & mask) || io->offset > n->bytes ||
	    io->bytes > n->bytes - io->offset)
		return false;
	if (io->op == BLKFRONT_DISCARD)
		return true;
	return io->bytes <= n->max_bytes && !((unsigned long)io->data & mask);
}

int blkfront_submit(struct blkfront *f, struct blkfront_io *io)
{
	struct front_queue *q = &f->queues[io->queue % (f->nr_queues ? f->nr_queues : 1)];

	if (f->ended)
		return -XEN_EIO;
	if (!is_valid(f, io))
		return -XEN_EINVAL;
	io->next = NULL;
	io->stuck = false;
	*q->waiting_end = io;
	q->waiting_end = &io->next;
	return 0;
}

void blkfront_kick(struct blkfront *f)
{
	for (unsigned int i = 0; i < MAX_QUEUES && f->connected; i++)
		front_queue_send(&f->queues[i]);
}

void blkfront_resume(struct blkfront *f)
{
	char path[PV_PATH_MAX];
	int rc;

	if (f->ended)
		return;
	drop_queues(f);
	memcpy(path, f->bus.path, sizeof(path));
	pv_xenbus_close(&f->bus);
	rc = pv_xenbus_open(&f->bus, f->domain, path, PV_FRONTEND, backend_changed);
	if (!rc)
		rc = pv_xenbus_switch(&f->bus, XenbusStateInitialising);
	if (rc)
		drop(f);
}

int blkfront_close(struct blkfront *f, bool force)
{
	start_closing(f);
	if (!f->dropped && (force || f->bus.state == XenbusStateInitialising))
		backend_gone(f);
	if (!f->dropped)
		return -XEN_EBUSY;
	pv_timer_set(f->domain, &f->timer, 0);
	fail_waiting(f);
	pv_xenbus_close(&f->bus);
	pv_pages_free(f->domain, f, struct_pages());
	return 0;
}
