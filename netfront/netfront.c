/* SPDX-License-Identifier: MIT */
/*
 * A network card on xenbus, the guest's end: connecting, and parting without losing a page.
 *
 * States: Initialising until the backend is in InitWait; then rings and keys are made and we are Connected; frames may
 * go as soon as the backend is Connected too. When it closes, so do we; a backend that comes back to
 * InitWait is connected to anew.
 */
#include "netfront.h"

/* How soon pages that the backend still holds are asked for again. */
#define RETRY_NS	100000000ULL

int netfront_fail(struct netfront_queue *q, const char *field, uint64_t value, const char *why)
{
	struct netfront *nf = q->nf;

	if (!nf->broken)
		pv_xenbus_fail(&nf->bus, "queue %u: %s %llu: %s", q->index, field,
			       (unsigned long long)value, why);
	nf->broken = true;
	return -XEN_EINVAL;
}

bool netfront_ready(const struct netfront *nf)
{
	return nf->ready && !nf->broken;
}

bool netfront_link(const struct netfront *nf)
{
	return netfront_ready(nf) && nf->link;
}

static void tell(struct netfront *nf)
{
	nf->options.changed(nf->options.arg);
}

/* --- Parting --- */

/* Takes all back that the backend has let go of. False: something is left. */
static bool stop_queues(struct netfront *nf)
{
	bool all = true;

	for (unsigned int i = 0; i < NETFRONT_QUEUES_MAX; i++) {
		if (!nf->queue[i])
			continue;
		if (netfront_queue_stop(nf->queue[i]))
			netfront_queue_free(nf, i);
		else
			all = false;
	}
	return all;
}

static void connect(struct netfront *nf);

static void on_retry(void *arg)
{
	struct netfront *nf = arg;

	if (nf->ready && nf->broken)
		netfront_end_turn(nf);
	else if (!stop_queues(nf))
		pv_timer_set(nf->domain, &nf->retry, pv_now(nf->domain) + RETRY_NS);
	else if (nf->bus.peer_state == XenbusStateInitWait && !nf->broken)
		connect(nf);
}

static void disconnect(struct netfront *nf)
{
	bool was_ready = nf->ready;

	nf->ready = false;
	if (!stop_queues(nf))
		pv_timer_set(nf->domain, &nf->retry, pv_now(nf->domain) + RETRY_NS);
	if (was_ready)
		tell(nf);
}

bool netfront_end_turn(struct netfront *nf)
{
	if (!nf->broken)
		return true;
	disconnect(nf);
	pv_xenbus_switch(&nf->bus, XenbusStateClosed);
	return false;
}

void netfront_end_soon(struct netfront *nf)
{
	if (nf->broken)
		pv_timer_set(nf->domain, &nf->retry, pv_now(nf->domain));
}

/* --- Connecting --- */

static int read_flag(struct netfront *nf, const char *key, bool *flag)
{
	uint64_t value;
	int rc = pv_xenbus_peer_number(&nf->bus, key, 0, 1, 0, &value);

	*flag = !rc && value;
	return rc;
}

static int read_backend(struct netfront *nf)
{
	uint64_t copy, most;
	bool no_csum4 = false;
	int rc;

	rc = pv_xenbus_peer_required(&nf->bus, "feature-rx-copy", 1, 1, &copy);
	if (!rc)
		rc = pv_xenbus_peer_number(&nf->bus, "multi-queue-max-queues", 1, UINT32_MAX, 1, &most);
	if (!rc)
		rc = read_flag(nf, "feature-sg", &nf->sg);
	if (!rc)
		rc = read_flag(nf, "feature-gso-tcpv4", &nf->tso4);
	if (!rc)
		rc = read_flag(nf, "feature-gso-tcpv6", &nf->tso6);
	if (!rc)
		rc = read_flag(nf, "feature-no-csum-offload", &no_csum4);
	if (!rc)
		rc = read_flag(nf, "feature-ipv6-csum-offload", &nf->csum6);
	if (!rc)
		rc = read_flag(nf, "feature-split-event-channels", &nf->split);
	if (rc)
		return rc;
	nf->csum4 = !no_csum4;
	nf->tso4 &= nf->sg && nf->csum4;
	nf->tso6 &= nf->sg && nf->csum6;
	nf->split &= !nf->options.no_split;
	nf->queues = nf->options.queues < most ? nf->options.queues : most;
	return 0;
}

/* A queue's keys, below "queue-N/" when there are several. */
static int write_queue(struct netfront *nf, uint32_t tx, unsigned int index)
{
	const struct netfront_queue *q = nf->queue[index];
	const struct {
		const char *key;
		unsigned int value;
		bool wanted;
	} keys[] = {
		{ "tx-ring-ref", q->tx_ring_ref, true },
		{ "rx-ring-ref", q->rx_ring_ref, true },
		{ "event-channel", q->tx_port, !nf->split },
		{ "event-channel-tx", q->tx_port, nf->split },
		{ "event-channel-rx", q->rx_port, nf->split },
	};
	char name[48];
	int rc = 0;

	for (unsigned int i = 0; i < PV_ARRAY_SIZE(keys) && !rc; i++) {
		if (nf->queues > 1)
			snprintf(name, sizeof(name), "queue-%u/%s", index, keys[i].key);
		else
			snprintf(name, sizeof(name), "%s", keys[i].key);
		if (keys[i].wanted)
			rc = pv_store_printf(nf->domain, tx, nf->bus.path, name, "%u", keys[i].value);
		else if (pv_store_remove(nf->domain, tx, nf->bus.path, name) == -XEN_EIO)
			rc = -XEN_EIO;	/* that there is none is no error */
	}
	return rc;
}

static int write_features(struct netfront *nf, uint32_t tx)
{
	const struct {
		const char *key;
		unsigned int value;
	} keys[] = {
		{ "request-rx-copy", 1 },
		{ "feature-rx-notify", 1 },
		{ "feature-sg", 1 },
		{ "feature-gso-tcpv4", !nf->options.no_gso },
		{ "feature-gso-tcpv6", !nf->options.no_gso },
		{ "feature-ipv6-csum-offload", 1 },
	};
	int rc = 0;

	for (unsigned int i = 0; i < PV_ARRAY_SIZE(keys) && !rc; i++)
		rc = pv_store_printf(nf->domain, tx, nf->bus.path, keys[i].key, "%u", keys[i].value);
	if (!rc && nf->queues > 1)
		rc = pv_store_printf(nf->domain, tx, nf->bus.path, "multi-queue-num-queues", "%u",
				     nf->queues);
	return rc;
}

static int write_all(struct netfront *nf)
{
	uint32_t tx;
	int rc = pv_store_begin(nf->domain, &tx);

	if (rc)
		return rc;
	for (unsigned int i = 0; i < nf->queues && !rc; i++)
		rc = write_queue(nf, tx, i);
	if (!rc)
		rc = write_features(nf, tx);
	if (rc) {
		pv_store_end(nf->domain, tx, false);
		return rc;
	}
	return pv_store_end(nf->domain, tx, true);
}

static int make_queues(struct netfront *nf)
{
	int rc = 0;

	for (unsigned int i = 0; i < nf->queues && !rc; i++) {
		rc = netfront_queue_alloc(nf, i);
		if (!rc)
			rc = netfront_queue_start(nf->queue[i]);
	}
	return rc;
}

static void connect(struct netfront *nf)
{
	int rc;

	/* Pages of an earlier connection first. */
	if (!stop_queues(nf)) {
		pv_timer_set(nf->domain, &nf->retry, pv_now(nf->domain) + RETRY_NS);
		return;
	}
	rc = read_backend(nf);
	if (!rc)
		rc = make_queues(nf);
	if (!rc) {
		do {
			rc = write_all(nf);
		} while (rc == -XEN_EAGAIN);
	}
	if (!rc)
		rc = pv_xenbus_switch(&nf->bus, XenbusStateConnected);
	if (!rc)
		return;
	if (!nf->broken)
		pv_xenbus_fail(&nf->bus, "cannot connect: error %d", -rc);
	nf->broken = true;
	netfront_end_turn(nf);
}

static void now_ready(struct netfront *nf)
{
	if (nf->ready || nf->bus.state != XenbusStateConnected)
		return;
	nf->ready = true;
	tell(nf);
}

static void changed(struct pv_xenbus *bus, enum xenbus_state state)
{
	struct netfront *nf = PV_CONTAINER(bus, struct netfront, bus);

	if (nf->broken)
		return;
	switch (state) {
	case XenbusStateInitWait:
		if (bus->state == XenbusStateConnected)
			break;		/* it is still about to connect */
		connect(nf);
		break;
	case XenbusStateConnected:
		now_ready(nf);
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		if (bus->state == XenbusStateInitialising)
			break;		/* of an earlier life; it will start */
		disconnect(nf);
		pv_xenbus_switch(bus, XenbusStateClosed);
		break;
	case XenbusStateUnknown:
		disconnect(nf);
		break;
	default:
		break;
	}
}

static void on_carrier(void *arg, const char *path)
{
	struct netfront *nf = arg;
	uint64_t up = 1;
	bool old = nf->link;

	(void)path;
	pv_store_read_number(nf->domain, 0, nf->bus.peer_path, "carrier", 0, 1, &up);
	nf->link = up;
	if (nf->link != old && nf->ready)
		tell(nf);
}

/* --- Our own keys --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads "00:16:3e:01:02:03". */
static bool parse_mac(const char *text, uint8_t *mac)
{
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = high << 4 | low;
	}
	return !(mac[0] & 1);
}

static int read_own_keys(struct netfront *nf)
{
	char text[32];
	uint64_t mtu = 1500;
	int rc = pv_store_read(nf->domain, 0, nf->bus.path, "mac", text, sizeof(text));

	if (rc < 0)
		return rc;
	if (!parse_mac(text, nf->mac))
		return -XEN_EINVAL;
	pv_store_read_number(nf->domain, 0, nf->bus.path, "mtu", 68, 65521, &mtu);
	nf->mtu = mtu;
	return 0;
}

/* --- Life --- */

#define FRAME_PAGES	((PV_FRAME_MAX + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE)
#define SCRATCH_PAGES	(2 * FRAME_PAGES)	/* who receives a frame may send one meanwhile */

/* Begins on xenbus; on error nothing is held there. */
static int attach(struct netfront *nf, const char *path)
{
	char watched[PV_PATH_MAX + 8];
	int rc;

	rc = pv_xenbus_open(&nf->bus, nf->domain, path, PV_FRONTEND, changed);
	if (rc)
		return rc;
	rc = read_own_keys(nf);
	if (!rc && nf->bus.state != XenbusStateInitialising)
		rc = pv_xenbus_switch(&nf->bus, XenbusStateInitialising);
	if (!rc) {
		snprintf(watched, sizeof(watched), "%s/carrier", nf->bus.peer_path);
		rc = pv_store_watch(nf->domain, &nf->carrier_watch, watched, on_carrier, nf);
	}
	if (rc)
		pv_xenbus_close(&nf->bus);
	return rc;
}

int netfront_open(struct netfront *nf, struct pv_domain *domain, const char *path,
		  const struct netfront_options *options)
{
	int rc;

	nf->domain = domain;
	nf->options = *options;
	nf->link = true;
	nf->buffers = options->buffers ? options->buffers : NETFRONT_SLOTS;
	if (!nf->options.queues)
		nf->options.queues = 1;
	if (nf->options.queues > NETFRONT_QUEUES_MAX || nf->buffers > NETFRONT_SLOTS ||
	    nf->buffers < 32 || (nf->buffers & (nf->buffers - 1)))
		return -XEN_EINVAL;
	nf->retry.fn = on_retry;
	nf->retry.arg = nf;
	nf->scratch = pv_pages_alloc(domain, SCRATCH_PAGES);
	if (!nf->scratch)
		return -XEN_ENOMEM;
	nf->tx_scratch = nf->scratch + FRAME_PAGES * PV_PAGE_SIZE;
	rc = attach(nf, path);
	if (rc) {
		pv_pages_free(domain, nf->scratch, SCRATCH_PAGES);
		nf->scratch = NULL;
	}
	return rc;
}

void netfront_resume(struct netfront *nf)
{
	char path[PV_PATH_MAX];
	bool was_ready = nf->ready;
	int rc;

	if (!nf->scratch)
		return;
	nf->ready = false;
	nf->broken = false;
	nf->link = true;
	pv_timer_set(nf->domain, &nf->retry, 0);
	stop_queues(nf);
	pv_store_unwatch(nf->domain, &nf->carrier_watch);
	memcpy(path, nf->bus.path, sizeof(path));
	pv_xenbus_close(&nf->bus);
	rc = attach(nf, path);
	if (rc) {
		pv_log(nf->domain, "%s: is not there any more: error %d", path, -rc);
		nf->broken = true;
	}
	if (was_ready)
		tell(nf);
}

int netfront_close(struct netfront *nf)
{
	if (!nf->scratch)
		return 0;
	nf->ready = false;
	if (nf->bus.state != XenbusStateClosed) {
		pv_xenbus_switch(&nf->bus, XenbusStateClosing);
		pv_xenbus_switch(&nf->bus, XenbusStateClosed);
	}
	nf->broken = true;	/* whatever the backend does now, we do not connect */
	if (!stop_queues(nf)) {
		pv_timer_set(nf->domain, &nf->retry, pv_now(nf->domain) + RETRY_NS);
		return -XEN_EBUSY;
	}
	pv_timer_set(nf->domain, &nf->retry, 0);
	pv_store_unwatch(nf->domain, &nf->carrier_watch);
	pv_xenbus_close(&nf->bus);
	pv_pages_free(nf->domain, nf->scratch, SCRATCH_PAGES);
	nf->scratch = NULL;
	return 0;
}
