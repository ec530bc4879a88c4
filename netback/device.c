/* SPDX-License-Identifier: MIT */
/*
 * A network device on xenbus: what it offers, when it connects, resumes and closes.
 *
 * States: Initialising -> InitWait (features written, tap there) -> Connected (rings mapped, and the
 * toolstack's script has put the tap on its bridge) -> Closing -> Closed, and from there to InitWait
 * again when the frontend starts anew.
 */
#include "netback.h"

#define PAGES(bytes)	(((bytes) + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE)
#define FRAMES_PAGES	PAGES(NETBACK_BATCH * sizeof(struct netback_frame))
#define COPIES_PAGES	PAGES(NETBACK_COPIES * sizeof(struct pv_copy))
#define RESUMES		10			/* tries to take a connection over, a second apart */
#define RETRY_NS	1000000000ULL

/* --- Connecting --- */

static void disconnect(struct netback *nb)
{
	netback_stop_queues(nb);
	nb->connected = false;
	pv_timer_set(nb->domain, &nb->rate.timer, 0);
	pv_timer_set(nb->domain, &nb->resume, 0);
}

bool netback_end_turn(struct netback *nb, bool more)
{
	if (!nb->broken)
		return more;
	PV_WRITE_ONCE(nb->record->connected, 0);
	disconnect(nb);
	pv_xenbus_switch(&nb->bus, XenbusStateClosed);
	return false;
}

bool netback_wire_ready(struct netback *nb, unsigned int queue)
{
	struct netback_queue *q = queue < NETBACK_QUEUES_MAX ? nb->queue[queue] : NULL;

	if (!q || !nb->connected)
		return false;
	return netback_end_turn(nb, netback_rx(q));
}

static void on_rate(void *arg)
{
	struct netback *nb = arg;

	for (unsigned int i = 0; i < nb->record->queues && nb->connected; i++) {
		/* What the budget left over is done at the next interval: the limit is the point. */
		if (netback_tx(nb->queue[i]))
			pv_timer_set(nb->domain, &nb->rate.timer, pv_now(nb->domain));
	}
	netback_end_turn(nb, false);
}

/* Is the tap on its bridge? The toolstack's script says so; without a script nobody has to. */
static bool plugged(struct netback *nb)
{
	char value[32];

	if (pv_store_read(nb->domain, 0, nb->bus.path, "script", value, sizeof(value)) == -XEN_ENOENT)
		return true;
	return pv_store_read(nb->domain, 0, nb->bus.path, "hotplug-status", value,
			     sizeof(value)) >= 0 && !strcmp(value, "connected");
}

static void say_connected(struct netback *nb)
{
	if (nb->connected && plugged(nb))
		pv_xenbus_switch(&nb->bus, XenbusStateConnected);
}

static void changed(struct pv_xenbus *bus, enum xenbus_state state);

static void resume_again(void *arg)
{
	struct netback *nb = arg;

	changed(&nb->bus, nb->bus.peer_state);
}

/*
 * Connects to a frontend that is ready; @resume: by what the record says, as an earlier process was
 * connected. A device that cannot be connected is broken.
 */
static void connect(struct netback *nb, bool resume)
{
	int rc = 0;

	if (!resume) {
		nb->record->connected = 0;
		rc = netback_read_frontend(nb);
	}
	nb->resuming = resume && nb->resumes < RESUMES;
	if (!rc)
		rc = netback_start_queues(nb);
	if (rc && nb->resuming) {	/* memory, or an earlier process that is not quite gone: a guest waits */
		nb->resuming = false;
		nb->resumes++;
		netback_stop_queues(nb);
		pv_timer_set(nb->domain, &nb->resume, pv_now(nb->domain) + RETRY_NS);
		return;
	}
	nb->resuming = false;
	if (rc) {
		if (!nb->broken)
			pv_xenbus_fail(&nb->bus, "cannot connect: error %d", rc);
		nb->broken = true;
		netback_end_turn(nb, false);
		return;
	}
	pv_wmb();		/* the record is complete before it says so */
	PV_WRITE_ONCE(nb->record->connected, 1);
	nb->connected = true;
	nb->record->lives++;
	for (unsigned int i = 0; i < nb->record->queues; i++) {
		wire_listen(nb->wire, i, true);
		if (resume && nb->queue[i]->rx_port != nb->queue[i]->tx_port)
			pv_event_notify(nb->domain, nb->queue[i]->rx_port);
		if (resume)	/* the last words of the earlier process may have been lost */
			pv_event_notify(nb->domain, nb->queue[i]->tx_port);
	}
	say_connected(nb);
}

static void frontend_ready(struct netback *nb)
{
	if (nb->connected)
		return;
	if (nb->bus.state == XenbusStateInitWait)
		connect(nb, nb->record->connected);
	else if (nb->bus.state == XenbusStateConnected && nb->record->connected)
		connect(nb, true);
	else if (nb->bus.state == XenbusStateConnected) {
		pv_xenbus_fail(&nb->bus, "connected by an earlier process whose record is lost");
		nb->broken = true;
		netback_end_turn(nb, false);
	}
}

static int offer(struct netback *nb)
{
	static const struct {
		const char *key;
		unsigned int value;
	} features[] = {
		{ "feature-sg", 1 },
		{ "feature-gso-tcpv4", 1 },
		{ "feature-gso-tcpv6", 1 },
		{ "feature-ipv6-csum-offload", 1 },
		{ "feature-rx-copy", 1 },
		{ "feature-rx-flip", 0 },
		{ "feature-multicast-control", 1 },
		{ "feature-dynamic-multicast-control", 1 },
		{ "feature-split-event-channels", 1 },
	};
	int rc = 0;

	for (unsigned int i = 0; i < PV_ARRAY_SIZE(features) && !rc; i++)
		rc = pv_store_printf(nb->domain, 0, nb->bus.path, features[i].key, "%u",
				     features[i].value);
	if (!rc)
		rc = pv_store_printf(nb->domain, 0, nb->bus.path, "multi-queue-max-queues", "%u",
				     nb->queues_max);
	if (!rc)
		rc = pv_xenbus_switch(&nb->bus, XenbusStateInitWait);
	return rc;
}

static void frontend_ends(struct netback *nb, enum xenbus_state state)
{
	PV_WRITE_ONCE(nb->record->connected, 0);
	disconnect(nb);
	nb->multicast.count = 0;
	pv_xenbus_switch(&nb->bus, state);
}

/*
 * The frontend is at its beginning (again): offer everything anew. It may have parted and come back while no process
 * of ours was there: what the record and our state say is of its last life then.
 */
static void frontend_starts(struct netback *nb)
{
	if (nb->bus.state == XenbusStateClosing)
		return;
	if (nb->bus.state == XenbusStateConnected)
		frontend_ends(nb, XenbusStateClosed);
	PV_WRITE_ONCE(nb->record->connected, 0);
	if (nb->bus.state != XenbusStateInitWait && !nb->broken && offer(nb))
		pv_log(nb->domain, "%s: the store takes no features", nb->bus.path);
}

static void changed(struct pv_xenbus *bus, enum xenbus_state state)
{
	struct netback *nb = PV_CONTAINER(bus, struct netback, bus);

	switch (state) {
	case XenbusStateInitialising:
		frontend_starts(nb);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (!nb->broken)
			frontend_ready(nb);
		break;
	case XenbusStateClosing:
		frontend_ends(nb, nb->broken ? XenbusStateClosed : XenbusStateClosing);
		break;
	case XenbusStateUnknown:
		nb->gone = true;
		/* fall through */
	case XenbusStateClosed:
		frontend_ends(nb, XenbusStateClosed);
		break;
	default:
		break;
	}
}

static void on_hotplug(void *arg, const char *path)
{
	(void)path;
	say_connected(arg);
}

static void on_multicast(void *arg, const char *path)
{
	struct netback *nb = arg;
	uint64_t wanted = 0;

	(void)path;
	pv_store_read_number(nb->domain, 0, nb->bus.peer_path, "request-multicast-control", 0, 1,
			     &wanted);
	nb->multicast.wanted = wanted;
}

/* The limit, at first and when an operator changes it. */
static void on_rate_key(void *arg, const char *path)
{
	struct netback *nb = arg;
	char text[64] = "";

	(void)path;
	pv_store_read(nb->domain, 0, nb->bus.path, "rate", text, sizeof(text));
	netback_rate_parse(&nb->rate, text);
	if (nb->connected)	/* what waits under the old limit is looked at again */
		on_rate(nb);
}

/* --- Life --- */

void netback_shared_close(struct netback_shared *shared, struct pv_domain *domain)
{
	if (shared->copies)
		pv_pages_free(domain, shared->copies, COPIES_PAGES);
	if (shared->tx_frames)
		pv_pages_free(domain, shared->tx_frames, FRAMES_PAGES);
	if (shared->staging)
		pv_pages_free(domain, shared->staging, NETBACK_STAGING);
	*shared = (struct netback_shared){ 0 };
}

int netback_shared_open(struct netback_shared *shared, struct pv_domain *domain)
{
	*shared = (struct netback_shared){
		.staging = pv_pages_alloc(domain, NETBACK_STAGING),
		.tx_frames = pv_pages_alloc(domain, FRAMES_PAGES),
		.copies = pv_pages_alloc(domain, COPIES_PAGES),
	};
	if (shared->staging && shared->tx_frames && shared->copies)
		return 0;
	netback_shared_close(shared, domain);
	return -XEN_ENOMEM;
}


static int watch_keys(struct netback *nb)
{
	char path[PV_PATH_MAX + 32];
	int rc;

	snprintf(path, sizeof(path), "%s/hotplug-status", nb->bus.path);
	rc = pv_store_watch(nb->domain, &nb->hotplug_watch, path, on_hotplug, nb);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/rate", nb->bus.path);
	rc = pv_store_watch(nb->domain, &nb->rate_watch, path, on_rate_key, nb);
	if (rc)
		goto unwatch_hotplug;
	snprintf(path, sizeof(path), "%s/request-multicast-control", nb->bus.peer_path);
	rc = pv_store_watch(nb->domain, &nb->multicast_watch, path, on_multicast, nb);
	if (!rc)
		return 0;
	pv_store_unwatch(nb->domain, &nb->rate_watch);
unwatch_hotplug:
	pv_store_unwatch(nb->domain, &nb->hotplug_watch);
	return rc;
}

int netback_open(struct netback *nb, struct pv_domain *domain, const char *path, struct wire *wire,
		 struct netback_record *record, unsigned int queues_max)
{
	int rc;

	nb->domain = domain;
	nb->wire = wire;
	nb->record = record;
	nb->queues_max = queues_max < NETBACK_QUEUES_MAX ? queues_max : NETBACK_QUEUES_MAX;
	if (record->magic != NETBACK_RECORD_MAGIC || record->version != NETBACK_RECORD_VERSION ||
	    record->queues > NETBACK_QUEUES_MAX)
		memset(record, 0, sizeof(*record));
	record->version = NETBACK_RECORD_VERSION;
	record->magic = NETBACK_RECORD_MAGIC;
	rc = pv_xenbus_open(&nb->bus, domain, path, PV_BACKEND, changed);
	if (rc)
		return rc;
	nb->resume.fn = resume_again;
	nb->resume.arg = nb;
	nb->rate.timer.fn = on_rate;
	nb->rate.timer.arg = nb;
	on_rate_key(nb, NULL);
	rc = watch_keys(nb);
	if (!rc)
		return 0;
	pv_xenbus_close(&nb->bus);
	netback_free_queues(nb);
	return rc;
}

void netback_close(struct netback *nb)
{
	pv_store_unwatch(nb->domain, &nb->multicast_watch);
	pv_store_unwatch(nb->domain, &nb->rate_watch);
	pv_store_unwatch(nb->domain, &nb->hotplug_watch);
	pv_xenbus_close(&nb->bus);
	disconnect(nb);
	netback_free_queues(nb);
}

void netback_poke(struct netback *nb)
{
	uint64_t state = nb->bus.state;

	pv_store_read_number(nb->domain, 0, nb->bus.path, "state", XenbusStateUnknown,
			     XenbusStateReconfigured, &state);
	if (state != XenbusStateClosing || nb->bus.state == XenbusStateClosing)
		return;
	/* A connected frontend sees it too, and parts by itself. */
	nb->bus.state = state;
	if (!nb->connected)
		pv_xenbus_switch(&nb->bus, XenbusStateClosed);
}

void netback_carrier(struct netback *nb, bool up)
{
	pv_store_write(nb->domain, 0, nb->bus.path, "carrier", up ? "1" : "0");
}
