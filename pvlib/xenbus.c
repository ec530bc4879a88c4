/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a device's end, as pv/xenbus.h describes it.
 */
#include <pv/xenbus.h>

/* Only the toolstack and we write our directory: a transaction on it is not lost often. */
#define SWITCH_TRIES	100
#define SAY_ALL		16	/* failures of a device that are logged one by one */

static const struct end_keys {
	const char *path, *id;
} keys[] = {
	[PV_FRONTEND] = { "backend", "backend-id" },	/* what a frontend's directory says */
	[PV_BACKEND] = { "frontend", "frontend-id" },
};

#define RETRY_NS	100000000ULL	/* 100 ms */

/* What a "state" key says; no key or nonsense is Unknown. Other errors: the store did not answer. */
static int read_state(struct pv_domain *domain, const char *dir, enum xenbus_state *state)
{
	uint64_t number = XenbusStateUnknown;
	int rc = pv_store_read_number(domain, 0, dir, "state", XenbusStateUnknown,
				      XenbusStateReconfigured, &number);

	if (rc && rc != -XEN_ENOENT && rc != -XEN_EINVAL)
		return rc;
	*state = number;
	return 0;
}

static void look_at_peer(void *arg)
{
	struct pv_xenbus *bus = arg;

	if (!read_state(bus->domain, bus->peer_path, &bus->peer_state)) {
		bus->changed(bus, bus->peer_state);
		return;
	}
	bus->retry.fn = look_at_peer;
	bus->retry.arg = bus;
	pv_timer_set(bus->domain, &bus->retry, pv_now(bus->domain) + RETRY_NS);
}

static void state_changed(void *arg, const char *path)
{
	(void)path;		/* it is the only one that we watch */
	look_at_peer(arg);
}

int pv_xenbus_open(struct pv_xenbus *bus, struct pv_domain *domain, const char *path,
		   enum pv_xenbus_end end,
		   void (*changed)(struct pv_xenbus *bus, enum xenbus_state peer_state))
{
	char watched[PV_PATH_MAX];
	uint64_t peer;
	int n;

	memset(bus, 0, sizeof(*bus));
	bus->domain = domain;
	bus->changed = changed;
	n = snprintf(bus->path, sizeof(bus->path), "%s", path);
	if (n < 0 || (size_t)n >= sizeof(bus->path))
		return -XEN_EINVAL;
	n = pv_store_read(domain, 0, path, keys[end].path, bus->peer_path, sizeof(bus->peer_path));
	if (n <= 0)
		return n == 0 || n == -XEN_E2BIG ? -XEN_EINVAL : n;
	n = pv_store_read_number(domain, 0, path, keys[end].id, 0, DOMID_FIRST_RESERVED - 1, &peer);
	if (n)
		return n;
	bus->peer = peer;
	n = read_state(domain, path, &bus->state);
	if (n)
		return n;
	n = snprintf(watched, sizeof(watched), "%s/state", bus->peer_path);
	if (n < 0 || (size_t)n >= sizeof(watched))
		return -XEN_EINVAL;
	return pv_store_watch(domain, &bus->watch, watched, state_changed, bus);
}

void pv_xenbus_close(struct pv_xenbus *bus)
{
	pv_timer_set(bus->domain, &bus->retry, 0);
	pv_store_unwatch(bus->domain, &bus->watch);
}

/*
 * One try: the old state is read in the transaction that writes the new one, so that a directory
 * which the toolstack removes meanwhile makes the transaction fail instead of coming back to life.
 */
static int try_switch(struct pv_xenbus *bus, enum xenbus_state state)
{
	uint32_t tx;
	uint64_t old;
	int rc = pv_store_begin(bus->domain, &tx);

	if (rc)
		return rc;
	rc = pv_store_read_number(bus->domain, tx, bus->path, "state", 0, UINT64_MAX, &old);
	if (rc != -XEN_ENOENT)
		rc = pv_store_printf(bus->domain, tx, bus->path, "state", "%u", (unsigned int)state);
	if (rc) {
		pv_store_end(bus->domain, tx, false);
		return rc;
	}
	return pv_store_end(bus->domain, tx, true);
}

int pv_xenbus_switch(struct pv_xenbus *bus, enum xenbus_state state)
{
	int rc = -XEN_EAGAIN;

	if (bus->state == state)
		return 0;
	for (int tries = 0; tries < SWITCH_TRIES && rc == -XEN_EAGAIN; tries++)
		rc = try_switch(bus, state);
	if (!rc)
		bus->state = state;
	return rc;
}

int pv_xenbus_fail(struct pv_xenbus *bus, const char *format, ...)
{
	char text[256];
	va_list args;

	if (bus->failed)
		return -XEN_EINVAL;
	bus->failed = true;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (++bus->failures <= SAY_ALL || !(bus->failures & (bus->failures - 1)))
		pv_log(bus->domain, "domain %u device %s: %s", bus->peer, bus->path, text);
	pv_store_write(bus->domain, 0, bus->path, "error", text);
	pv_xenbus_switch(bus, XenbusStateClosing);
	return -XEN_EINVAL;
}

/* Bytes that a peer wrote, made fit for a log line. */
static void printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static int peer_number(struct pv_xenbus *bus, const char *key, uint64_t low, uint64_t high,
		       uint64_t *value)
{
	char text[32];
	int n = pv_store_read(bus->domain, 0, bus->peer_path, key, text, sizeof(text));

	if (n == -XEN_ENOENT)
		return n;
	if (n == -XEN_E2BIG)
		return pv_xenbus_fail(bus, "%s is too long", key);
	if (n < 0) {			/* not the peer's fault */
		pv_log(bus->domain, "domain %u device %s: %s cannot be read: error %d", bus->peer, bus->path, key, -n);
		return n;
	}
	if (!pv_parse_number(text, low, high, value))
		return 0;
	printable(text);
	return pv_xenbus_fail(bus, "%s is '%s', not a number from %llu to %llu", key, text,
			      (unsigned long long)low, (unsigned long long)high);
}

int pv_xenbus_peer_number(struct pv_xenbus *bus, const char *key, uint64_t low, uint64_t high,
			  uint64_t fallback, uint64_t *value)
{
	int rc;

	*value = fallback;
	rc = peer_number(bus, key, low, high, value);
	return rc == -XEN_ENOENT ? 0 : rc;
}

int pv_xenbus_peer_required(struct pv_xenbus *bus, const char *key, uint64_t low, uint64_t high,
			    uint64_t *value)
{
	int rc = peer_number(bus, key, low, high, value);

	return rc == -XEN_ENOENT ? pv_xenbus_fail(bus, "%s is missing", key) : rc;
}
