/* SPDX-License-Identifier: MIT */
/*
 * The life of a virtual disk's backend: what its directory asks, the states of both ends, opening and
 * closing the medium, and starting anew where an earlier instance died.
 *
 * States (ours): Initialising -> InitWait (features published) -> Connected -> Closing -> Closed, and
 * from Closed back to InitWait while the toolstack keeps the device "online". An instance that finds
 * Connected takes the connection over and writes nothing.
 */
#include "private.h"

#define RETRY_NS	20000000ULL	/* 20 ms */
#define MEDIUM_RETRY_NS	1000000000ULL	/* a second, for a medium that a guest waits for */
#define OPEN_TRIES	1500		/* half a minute for an earlier instance's I/O to end */
#define ENDING_NS	25000000ULL	/* 25 ms of quiet before a Closed frontend's rings are let go of */
#define ENDING_TURNS	200		/* and this many at most */
#define OFFER_PERSISTENT	1	/* unless the toolstack's key says otherwise */

static unsigned int struct_pages(void)
{
	return (sizeof(struct blkback) + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;
}

/* --- The medium --- */

/* Toolstacks say "aio:/path" or "raw:/path" as they do for QEMU. */
static const char *plain_path(const char *params)
{
	const char *slash = params;

	while (*slash && *slash != '/')
		slash++;
	return *slash ? slash : params;
}

int device_own_number(struct blkback *b, const char *key, uint64_t high, uint64_t *value)
{
	int rc = pv_store_read_number(b->domain, 0, b->bus.path, key, 0, high, value);

	return rc == -XEN_ENOENT || rc == -XEN_EINVAL ? 0 : rc;
}

static int read_mode(struct blkback *b, enum medium_mode *how)
{
	char mode[8] = "";
	int rc = pv_store_read(b->domain, 0, b->bus.path, "mode", mode, sizeof(mode));

	if (rc < 0 && rc != -XEN_ENOENT && rc != -XEN_E2BIG)
		return rc;
	*how = !strcmp(mode, "w!") ? MEDIUM_SHARED_WRITE : mode[0] == 'w' ? MEDIUM_EXCLUSIVE : MEDIUM_READ_ONLY;
	return 0;
}

static void size_changed(void *arg);

/* How long requests wait for a server that cannot be started: 0, the default, is for ever. */
static void read_patience(struct blkback *b)
{
	uint64_t seconds = 0;

	if (!device_own_number(b, "patience", UINT32_MAX, &seconds))
		medium_patience(b->medium, seconds);
}

int device_open_medium(struct blkback *b, bool taken_over)
{
	char params[PV_PATH_MAX], format[16];
	struct medium_spec spec = {
		.format = "raw",
		.fence = device_fence(b),
		.name = b->bus.path,
		.taken_over = taken_over,
		.batch_done = device_complete,
		.changed = size_changed,
		.arg = b,
	};
	int rc = pv_store_read(b->domain, 0, b->bus.path, "params", params, sizeof(params));

	if (rc >= 0)
		rc = read_mode(b, &spec.mode);
	if (rc < 0)
		return rc;
	spec.path = plain_path(params);
	rc = pv_store_read(b->domain, 0, b->bus.path, "format", format, sizeof(format));
	if (rc < 0 && rc != -XEN_ENOENT)
		return rc;		/* what is not raw must not be opened as raw */
	if (rc > 0)
		spec.format = format;
	rc = medium_open(&b->medium, b->host, &spec, &b->info);
	if (rc) {
		b->medium = NULL;
		return rc;
	}
	read_patience(b);
	return 0;
}

/* Why the medium cannot be opened, for people. */
static const char *explain(struct blkback *b, int rc, char *text, size_t room)
{
	char params[PV_PATH_MAX] = "";

	if (pv_store_read(b->domain, 0, b->bus.path, "params", params, sizeof(params)) < 0)
		snprintf(text, room, "params cannot be read: error %d", -rc);
	else
		snprintf(text, room, rc == -XEN_EBUSY ? "%s is in use: error %d" :
			 "%s cannot be opened: error %d", plain_path(params), -rc);
	return text;
}

void device_complain(struct blkback *b, unsigned int tries, int rc)
{
	char text[PV_PATH_MAX + 48];

	if (!(tries & (tries - 1)))
		pv_log(b->domain, "domain %u device %s: %s; its guest waits", b->bus.peer, b->bus.path,
		       explain(b, rc, text, sizeof(text)));
}

void device_close_medium(struct blkback *b)
{
	if (b->medium)
		medium_close(b->medium);
	b->medium = NULL;
}

/* --- What we tell the frontend --- */

static int put(struct blkback *b, const char *key, uint64_t value)
{
	return pv_store_printf(b->domain, 0, b->bus.path, key, "%llu", (unsigned long long)value);
}

/* Before InitWait: all that does not depend on the frontend. */
static int publish_features(struct blkback *b)
{
	uint64_t offer_discard = 1;
	int rc;

	pv_store_read_number(b->domain, 0, b->bus.path, "discard-enable", 0, 1, &offer_discard);
	b->discard = offer_discard && b->info.discard_granularity && !b->info.read_only;
	rc = put(b, "feature-flush-cache", 1);
	rc = rc ? rc : put(b, "feature-barrier", 1);
	rc = rc ? rc : put(b, "feature-persistent", b->offer_persistent);
	rc = rc ? rc : put(b, "feature-max-indirect-segments", MAX_SEGMENTS);
	rc = rc ? rc : put(b, "max-ring-page-order", MAX_RING_ORDER);
	rc = rc ? rc : put(b, "max-ring-pages", MAX_RING_PAGES);
	rc = rc ? rc : put(b, "multi-queue-max-queues", MAX_QUEUES);
	rc = rc ? rc : put(b, "feature-discard", b->discard);
	rc = rc ? rc : put(b, "holding", 0);
	if (!rc && b->discard) {
		rc = put(b, "discard-granularity", b->info.discard_granularity);
		rc = rc ? rc : put(b, "discard-alignment", b->info.discard_alignment);
		rc = rc ? rc : put(b, "discard-secure", 0);
	}
	return rc;
}

/*
 * Before Connected: the disk's shape. Sectors are the medium's, as Linux's backend shows them (a disk's
 * partitions depend on it), or of 512 bytes if the toolstack says "emulate-512": file_io.c can do
 * either. What numbers count is unit_shift's.
 */
static int publish_shape(struct blkback *b)
{
	unsigned int info = (b->cdrom ? VDISK_CDROM : 0) | (b->removable ? VDISK_REMOVABLE : 0) |
			    (b->info.read_only ? VDISK_READONLY : 0);
	int rc = put(b, "sectors", b->info.bytes >> b->unit_shift);

	rc = rc ? rc : put(b, "info", info);
	rc = rc ? rc : put(b, "sector-size", b->emulate_512 ? 512 : b->info.sector);
	return rc ? rc : put(b, "physical-sector-size", b->info.sector);
}

/* --- States --- */

static void attempt(void *arg);

static void try_again(struct blkback *b, uint64_t after)
{
	b->tries++;
	b->retry.fn = attempt;
	b->retry.arg = b;
	pv_timer_set(b->domain, &b->retry, pv_now(b->domain) + after);
}

static bool is_online(struct blkback *b)
{
	uint64_t online = 0;

	return device_own_number(b, "online", 1, &online) || online;
}

/* The connection has ended: on to Closed. */
static void finish_closing(struct blkback *b)
{
	bool gone = b->bus.peer_state == XenbusStateUnknown;

	device_disconnect(b, true);
	device_close_medium(b);
	hold_forget(b);
	b->dying = false;
	b->tries = 0;
	pv_timer_set(b->domain, &b->retry, 0);
	pv_timer_set(b->domain, &b->ending, 0);
	pv_xenbus_switch(&b->bus, XenbusStateClosed);
	b->closed = gone || !is_online(b);
}

/*
 * Started from the record: requests of the backlog count as under way although nothing does them.
 * A dying device forgets them.
 */
static void drop_backlog(struct blkback *b)
{
	for (unsigned int i = 0; i < b->nr_queues; i++) {
		b->queues[i].in_flight -= b->queues[i].backlog;
		b->queues[i].backlog = 0;
	}
}

/* No request is taken any more, and those under way wait for nobody. */
static void begin_to_die(struct blkback *b)
{
	b->dying = true;
	drop_backlog(b);
	if (b->medium && device_in_flight(b))
		medium_expire(b->medium);
}

void device_end_connection(struct blkback *b)
{
	begin_to_die(b);
	if (!device_in_flight(b))
		finish_closing(b);
}

static void close_down(struct blkback *b)
{
	if (b->bus.state == XenbusStateClosed) {
		b->closed = b->bus.peer_state == XenbusStateUnknown || !is_online(b);
		return;
	}
	device_end_connection(b);
}

static bool is_quiet(struct blkback *b)
{
	bool quiet = !device_in_flight(b);

	for (unsigned int i = 0; quiet && i < b->nr_queues; i++)
		quiet = pv_back_ring_idle(&b->queues[i].ring);
	return quiet;
}

static void ending_turn(void *arg)
{
	struct blkback *b = arg;
	bool quiet = is_quiet(b);

	if ((quiet && b->was_quiet) || !b->endings--) {
		close_down(b);
		return;
	}
	b->was_quiet = quiet;
	pv_timer_set(b->domain, &b->ending, pv_now(b->domain) + ENDING_NS);
}

/*
 * The frontend is Closed. Linux's goes there as soon as it is asked to, its ring full of requests, and
 * waits for all of them without end (del_gendisk()); an answer may make it send more that had waited. So it is
 * served until nothing comes any more.
 */
static void end_slowly(struct blkback *b)
{
	b->was_quiet = false;
	b->endings = ENDING_TURNS;
	b->ending.fn = ending_turn;
	b->ending.arg = b;
	pv_timer_set(b->domain, &b->ending, pv_now(b->domain));
}

/* A failure that is not the frontend's: memory, the store. */
static void give_up(struct blkback *b, const char *what, int rc)
{
	if (!b->bus.failed)
		pv_xenbus_fail(&b->bus, "%s: error %d", what, -rc);
	close_down(b);
}

/* Initialising: opens the medium, publishes, waits for the frontend. */
static void prepare_device(struct blkback *b)
{
	int rc = device_open_medium(b, false);
	char text[PV_PATH_MAX + 48];

	if (rc == -XEN_EAGAIN && b->tries < OPEN_TRIES) {
		try_again(b, RETRY_NS);
		return;
	}
	if (rc)
		pv_xenbus_fail(&b->bus, "%s", explain(b, rc, text, sizeof(text)));
	if (!rc)
		rc = publish_features(b);
	if (!rc)
		rc = pv_xenbus_switch(&b->bus, XenbusStateInitWait);
	if (rc)
		give_up(b, "cannot be prepared", rc);
	b->tries = 0;
}

static void connect_device(struct blkback *b, bool takeover)
{
	int rc = device_connect(b, takeover);

	if (rc == -XEN_EAGAIN) {
		try_again(b, RETRY_NS);
		return;
	}
	if (rc && takeover && !b->bus.failed) {		/* memory, the store: a guest waits */
		try_again(b, MEDIUM_RETRY_NS);
		if (!(b->tries & (b->tries - 1)))
			pv_log(b->domain, "domain %u device %s: cannot be taken over: error %d; its guest waits",
			       b->bus.peer, b->bus.path, -rc);
		return;
	}
	if (!rc && !takeover)
		rc = publish_shape(b);
	if (!rc && !takeover)
		rc = pv_xenbus_switch(&b->bus, XenbusStateConnected);
	if (rc) {
		give_up(b, "cannot be connected", rc);
		return;
	}
	b->connected = true;	/* each port's first event starts its queue */
	b->tries = 0;
	for (unsigned int i = 0; takeover && i < b->nr_queues; i++)
		pv_event_notify(b->domain, b->queues[i].port);	/* the dead one may not have */
	hold_look(b);
}

/*
 * An earlier instance was connected: a guest waits, and would lose its disk if this failed. So it waits on until its
 * medium can be opened; what that takes (a program, a mount) may be coming.
 */
static void take_over(struct blkback *b)
{
	int rc = b->medium ? 0 : device_open_medium(b, true);

	if (rc == -XEN_EAGAIN) {
		try_again(b, RETRY_NS);
	} else if (rc) {
		device_complain(b, ++b->hold_tries, rc);
		try_again(b, MEDIUM_RETRY_NS);
	} else {
		b->hold_tries = 0;
		connect_device(b, true);
	}
}

/*
 * What an earlier instance was connected to has gone. The frontend may be at its beginning again already, having come
 * and gone while nobody was there: no change of its state will tell.
 */
static void part(struct blkback *b)
{
	close_down(b);
	if (b->bus.state == XenbusStateClosed && !b->closed && b->bus.peer_state == XenbusStateInitialising)
		prepare_device(b);
}

static bool peer_lives(const struct blkback *b)
{
	return b->bus.peer_state == XenbusStateInitialised ||
	       b->bus.peer_state == XenbusStateConnected;
}

/* Does what both ends' states ask for; called whenever one may have changed. */
void device_advance(struct blkback *b)
{
	bool was_connected = b->bus.state == XenbusStateConnected ||
			     b->bus.state == XenbusStateClosing;

	if (b->dying || b->closed || b->retry.when || !b->peer_known)
		return;
	if (b->ending.when) {
		if (b->bus.peer_state == XenbusStateClosed)
			return;
		close_down(b);
	} else if (was_connected && b->bus.peer_state == XenbusStateClosed) {
		if (!b->connected && !b->hold)
			take_over(b);
		if (b->connected)
			end_slowly(b);
	} else if (b->bus.peer_state == XenbusStateUnknown || b->bus.peer_state == XenbusStateClosed) {
		if (was_connected || b->bus.peer_state == XenbusStateUnknown || !is_online(b))
			close_down(b);
	} else if (was_connected && !b->connected) {
		if (b->hold && peer_lives(b))
			return;
		if (!b->hold && (peer_lives(b) || b->bus.peer_state == XenbusStateClosing))
			take_over(b);
		else
			part(b);
	} else if (b->bus.peer_state == XenbusStateClosing) {
		if (b->connected)
			pv_xenbus_switch(&b->bus, XenbusStateClosing);
		else
			close_down(b);
	} else if (!was_connected && !b->medium && !b->hold) {
		prepare_device(b);
	}
	if (b->bus.state == XenbusStateInitWait && b->medium && peer_lives(b) && !b->dying)
		connect_device(b, false);
}

static void attempt(void *arg)
{
	device_advance(arg);
}

static void peer_changed(struct pv_xenbus *bus, enum xenbus_state peer_state)
{
	struct blkback *b = PV_CONTAINER(bus, struct blkback, bus);

	b->peer_known = true;
	if (b->bus.state == XenbusStateClosed && peer_state == XenbusStateInitialising)
		b->bus.failed = false;		/* a new attempt, if the toolstack still wants it */
	else if (b->bus.state == XenbusStateClosed && peer_state != XenbusStateUnknown)
		return;
	device_advance(b);
}

/* --- For the daemon --- */

/* The toolstack has written our state or "online". */
static void asked_to_close(struct blkback *b)
{
	uint64_t state = XenbusStateUnknown;

	pv_store_read_number(b->domain, 0, b->bus.path, "state", 0, XenbusStateReconfigured, &state);
	if (state == XenbusStateClosing && b->bus.state != XenbusStateClosing && !b->dying) {
		b->bus.state = XenbusStateClosing;
		if (!b->connected)
			close_down(b);
	}
	if (b->bus.state == XenbusStateClosed && !is_online(b))
		b->closed = true;
}

static void size_changed(void *arg)
{
	struct blkback *b = arg;
	uint64_t bytes = b->info.bytes;

	if (!b->medium)
		return;
	medium_refresh(b->medium, &b->info);
	device_tell_size(b, bytes);
}

/* Frontends look at the size again when the state is written, although it stays the same. */
void device_tell_size(struct blkback *b, uint64_t bytes)
{
	if (b->info.bytes == bytes || !b->connected || b->bus.state != XenbusStateConnected)
		return;
	if (!put(b, "sectors", b->info.bytes >> b->unit_shift))
		put(b, "state", XenbusStateConnected);
}

/* The key has the size that the medium is to have, or anything: it has grown by itself. */
static void resize(struct blkback *b)
{
	uint64_t bytes = 0;

	pv_store_read_number(b->domain, 0, b->bus.path, "resize", 0, UINT64_MAX, &bytes);
	if (b->medium && bytes > b->info.bytes)
		medium_resize(b->medium, bytes);
	size_changed(b);
}

void blkback_poke(struct blkback *b, const char *key)
{
	if (!strcmp(key, "state") || !strcmp(key, "online"))
		asked_to_close(b);
	else if (!strcmp(key, "resize") || !strcmp(key, "params"))
		resize(b);
	else if (!strcmp(key, "hold"))
		hold_poke(b);
	else if (!strcmp(key, "patience") && b->medium)
		read_patience(b);
}

static int read_kind(struct blkback *b)
{
	char text[16] = "";
	uint64_t removable = 0, persistent = OFFER_PERSISTENT, emulate = 0;
	int rc;

	pv_store_read(b->domain, 0, b->bus.path, "device-type", text, sizeof(text));
	b->cdrom = !strcmp(text, "cdrom");
	rc = device_own_number(b, "removable", 1, &removable);
	b->removable = removable;
	if (!rc)
		rc = device_own_number(b, "persistent-grants", 1, &persistent);
	b->offer_persistent = persistent;
	if (!rc)
		rc = device_own_number(b, "emulate-512", 1, &emulate);
	b->emulate_512 = emulate;
	return rc ? rc : hold_begin(b);
}

/* The directory's name is the device's number. */
static int read_devid(struct blkback *b)
{
	const char *name = b->bus.path;
	uint64_t devid;
	int rc;

	for (const char *p = name; *p; p++)
		if (*p == '/')
			name = p + 1;
	rc = pv_parse_number(name, 0, INT32_MAX, &devid);
	b->devid = devid;
	return rc;
}

int blkback_open(struct blkback **device, struct pv_domain *domain, struct medium_host *host,
		 const char *path)
{
	struct blkback *b = pv_pages_alloc(domain, struct_pages());
	int rc;

	if (!b)
		return -XEN_ENOMEM;
	b->domain = domain;
	b->host = host;
	b->unit_shift = SECTOR_SHIFT;
	list_init(&b->done);
	rc = pv_xenbus_open(&b->bus, domain, path, PV_BACKEND, peer_changed);
	if (rc)
		goto free_device;
	rc = read_devid(b);
	if (!rc)
		rc = read_kind(b);
	if (rc)
		goto close_bus;
	*device = b;
	return 0;

close_bus:
	pv_xenbus_close(&b->bus);
free_device:
	pv_pages_free(domain, b, struct_pages());
	return rc;
}

int blkback_close(struct blkback *b)
{
	begin_to_die(b);
	if (device_in_flight(b))
		return -XEN_EBUSY;
	device_disconnect(b, true);
	device_close_medium(b);
	hold_forget(b);
	pv_timer_set(b->domain, &b->retry, 0);
	pv_timer_set(b->domain, &b->ending, 0);
	pv_xenbus_close(&b->bus);
	pv_pages_free(b->domain, b, struct_pages());
	return 0;
}

bool blkback_finished(const struct blkback *b)
{
	return b->closed;
}

const char *blkback_path(const struct blkback *b)
{
	return b->bus.path;
}

void blkback_stats(const struct blkback *b, struct blkback_stats *stats)
{
	*stats = b->stats;
	stats->in_flight = device_in_flight(b);
	stats->queues = b->nr_queues;
	stats->mapped_grants = 0;
	for (unsigned int i = 0; i < b->nr_queues; i++)
		stats->mapped_grants += b->queues[i].persist.count;
}
