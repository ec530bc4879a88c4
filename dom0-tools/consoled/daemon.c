/* SPDX-License-Identifier: MIT */
/*
 * All domains' consoles: found through xenstored's special watches and the hypervisor's list, told
 * of their events, rid of when their domain dies. daemon_start(), then daemon_turn() for ever.
 *
 * Everything that must survive is in the rings, the logs and one record (spool.h): a new life
 * begins like the first one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "consoled.h"
#include <tools/kill_point.h>

#define STORE_DEADLINE_MS	10000
#define STORE_RETRY_MS		250
#define LIST_MAX		64

/* Makes room for index @index in an array of pointers; -ENOMEM. */
static int reach(struct console ***array, unsigned int *size, unsigned int index)
{
	unsigned int want = *size ? *size : 64;
	struct console **grown;

	if (index < *size)
		return 0;
	while (want <= index)
		want *= 2;
	grown = realloc(*array, want * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + *size, 0, (want - *size) * sizeof(*grown));
	*array = grown;
	*size = want;
	return 0;
}

int daemon_bind(struct daemon *daemon, struct console *console)
{
	int port = evtchn_bind_interdomain(daemon->evtchn, console->domid, console->remote_port);

	if (port < 0)
		return port;
	if (reach(&daemon->by_port, &daemon->ports, (unsigned int)port) != 0) {
		evtchn_unbind(daemon->evtchn, (evtchn_port_t)port);
		return -ENOMEM;
	}
	daemon->by_port[port] = console;
	console->port = port;
	return 0;
}

void daemon_unbind(struct daemon *daemon, struct console *console)
{
	if (console->port <= 0)
		return;
	daemon->by_port[console->port] = NULL;
	evtchn_unbind(daemon->evtchn, (evtchn_port_t)console->port);
	console->port = 0;
}

/* Its console's nodes by token "cN", its name by "nN". */
static void watch_console(struct daemon *daemon, domid_t domid, bool on)
{
	char path[48], token[16];

	for (unsigned int i = 0; i < 2 && daemon->store; i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, i ? "name" : "console");
		snprintf(token, sizeof(token), "%c%u", i ? 'n' : 'c', domid);
		if (on)
			store_watch(daemon->store, path, token);
		else
			store_unwatch(daemon->store, path, token);
	}
}

static void add(struct daemon *daemon, const struct xen_domctl_getdomaininfo *info)
{
	struct console *console;

	if (reach(&daemon->by_domid, &daemon->domids, info->domain) != 0)
		return;
	console = console_new(daemon, info->domain, info->handle);
	if (!console)
		return;
	console->seen = true;
	daemon->by_domid[info->domain] = console;
	/* Fires at once, and so configures what is there already. */
	watch_console(daemon, info->domain, true);
}

static void forget(struct daemon *daemon, struct console *console)
{
	watch_console(daemon, console->domid, false);
	daemon->by_domid[console->domid] = NULL;
	console_free(console);
}

/* Compares what the hypervisor has with what we have. */
static void enumerate(struct daemon *daemon)
{
	struct xen_domctl_getdomaininfo list[LIST_MAX];
	domid_t first = 1;
	int n;

	for (unsigned int i = 0; i < daemon->domids; i++)
		if (daemon->by_domid[i])
			daemon->by_domid[i]->seen = false;
	do {
		n = ctl_getdomaininfolist(daemon->ctl, first, LIST_MAX, list);
		for (int i = 0; i < n; i++) {
			struct console *console = list[i].domain < daemon->domids ?
						  daemon->by_domid[list[i].domain] : NULL;

			first = list[i].domain + 1;
			if (list[i].flags & XEN_DOMINF_dying)
				continue;
			/* Another domain of this number, or one given another uuid: anew. */
			if (console && memcmp(console->handle, list[i].handle, 16) != 0) {
				forget(daemon, console);
				console = NULL;
			}
			if (console)
				console->seen = true;
			else
				add(daemon, &list[i]);
		}
	} while (n == LIST_MAX);
	for (unsigned int i = 0; n >= 0 && i < daemon->domids; i++)
		if (daemon->by_domid[i] && !daemon->by_domid[i]->seen)
			forget(daemon, daemon->by_domid[i]);
}

static void store_lost(struct daemon *daemon)
{
	port_note("the connection to xenstored is lost; trying again");
	port_drop(&daemon->store_source);
	store_close(daemon->store);
	daemon->store = NULL;
	daemon->store_retry = port_now_ms() + STORE_RETRY_MS;
}

/* Is this the event of a node that we write ourselves, or nothing to do with the ring? */
static bool dull(const char *path)
{
	const char *last = strrchr(path, '/');

	return last && (strcmp(last, "/tty") == 0 || strcmp(last, "/output") == 0);
}

/* Handles events until there is none, as handling may have queued more. */
static void store_events(struct daemon *daemon)
{
	char *buffer, *path, *token;
	bool domains = false;
	int error;

	while (daemon->store) {
		error = store_event(daemon->store, &buffer, &path, &token);
		if (error == -EAGAIN && !domains)
			return;
		if (error == -EAGAIN) {
			domains = false;
			enumerate(daemon);
			continue;
		}
		if (error < 0) {
			store_lost(daemon);
			return;
		}
		if (strcmp(token, "domains") == 0) {
			domains = true;
		} else if ((token[0] == 'c' || token[0] == 'n') && !dull(path)) {
			unsigned long domid = strtoul(token + 1, NULL, 10);
			struct console *console =
				domid < daemon->domids ? daemon->by_domid[domid] : NULL;

			if (console && token[0] == 'c')
				console_configure(console);
			else if (console)
				console_renamed(console);
		}
		free(buffer);
	}
}

static void store_ready(struct source *source, unsigned int what)
{
	(void)what;
	store_events((struct daemon *)((char *)source - offsetof(struct daemon, store_source)));
}

static int store_connect(struct daemon *daemon)
{
	int error = store_open(&daemon->store);

	if (error != 0) {
		daemon->store = NULL;
		daemon->store_retry = port_now_ms() + STORE_RETRY_MS;
		return error;
	}
	store_set_deadline(daemon->store, STORE_DEADLINE_MS);
	daemon->store_source = (struct source){ .ready = store_ready,
						.fd = store_fd(daemon->store) };
	error = store_watch(daemon->store, "@introduceDomain", "domains");
	if (error == 0)
		error = store_watch(daemon->store, "@releaseDomain", "domains");
	if (error == 0)
		error = port_add(&daemon->store_source, PORT_IN);
	if (error != 0) {
		store_close(daemon->store);
		daemon->store = NULL;
		daemon->store_retry = port_now_ms() + STORE_RETRY_MS;
		return error;
	}
	/* Watches of those known from before the connection was lost. */
	for (unsigned int i = 0; i < daemon->domids; i++)
		if (daemon->by_domid[i])
			watch_console(daemon, (domid_t)i, true);
	return 0;
}

static void event_ready(struct source *source, unsigned int what)
{
	struct daemon *daemon = (struct daemon *)((char *)source -
						  offsetof(struct daemon, event_source));
	int port;

	(void)what;
	while ((port = evtchn_pending(daemon->evtchn)) > 0) {
		if (port == daemon->hypervisor_port)
			hypervisor_event(daemon);
		else if ((unsigned int)port < daemon->ports && daemon->by_port[port])
			console_event(daemon->by_port[port]);
	}
}

static void watch_ready(struct source *source, unsigned int what)
{
	struct daemon *daemon = (struct daemon *)((char *)source -
						  offsetof(struct daemon, watch_source));
	int watch, change;

	(void)what;
	while ((change = port_watch_next(&watch)) != 0)
		for (unsigned int i = 0; i < daemon->domids; i++)
			if (daemon->by_domid[i] && daemon->by_domid[i]->tty_watch == watch)
				viewers_terminal(daemon->by_domid[i], change);
}

/*
 * What a previous life had in flight: its log is completed first, then its domain's ring, before
 * any other console may take the record.
 */
static void recover(struct daemon *daemon)
{
	struct inflight *record = daemon->record;
	struct xen_domctl_getdomaininfo info;
	struct console *console;

	if (!spool_recover(record))
		return;
	if (record->domid == DOMID_XEN) {
		record->hypervisor = record->cons;
	} else if (ctl_getdomaininfo(daemon->ctl, (domid_t)record->domid, &info) == 0 &&
		   !(info.flags & XEN_DOMINF_dying)) {
		daemon->recovering = true;
		add(daemon, &info);
		console = record->domid < daemon->domids ? daemon->by_domid[record->domid] : NULL;
		if (console)
			console_configure(console);
	}
	daemon->recovering = false;
	spool_landed(record);
}

static int open_handles(struct daemon *daemon)
{
	char path[SPOOL_PATH];
	void *memory;
	int error;

	snprintf(path, sizeof(path), "%s/inflight", daemon->options.run_dir);
	error = port_memory(path, sizeof(struct inflight), 5000, &memory);
	if (error != 0) {
		port_note("%s: %s", path, error == -EBUSY ? "another consoled runs" :
			  strerror(-error));
		return error;
	}
	daemon->record = memory;
	error = ctl_open(&daemon->ctl);
	if (error == 0)
		error = evtchn_open(&daemon->evtchn);
	if (error == 0)
		error = gnttab_open(&daemon->gnttab);
	if (error != 0) {
		port_note("cannot reach the hypervisor: %s", strerror(-error));
		return error;
	}
	if (foreignmemory_open(&daemon->fm) != 0)
		daemon->fm = NULL;	/* grants do */
	return 0;
}

int daemon_start(struct daemon *daemon, const struct daemon_options *options)
{
	int error;

	memset(daemon, 0, sizeof(*daemon));
	daemon->options = *options;
	error = port_init();
	if (error == 0)
		error = open_handles(daemon);
	if (error != 0)
		return error;
	daemon->event_source = (struct source){ .ready = event_ready,
						.fd = evtchn_fd(daemon->evtchn) };
	daemon->watch_source = (struct source){ .ready = watch_ready, .fd = port_watch_fd() };
	error = port_add(&daemon->event_source, PORT_IN);
	if (error == 0)
		error = port_add(&daemon->watch_source, PORT_IN);
	if (error != 0)
		return error;
	error = store_connect(daemon);
	if (error != 0) {
		port_note("cannot reach xenstored: %s", strerror(-error));
		return error;
	}
	recover(daemon);
	if (daemon->options.hypervisor_dir && hypervisor_start(daemon) != 0)
		return -EIO;
	enumerate(daemon);
	daemon->started = true;
	store_events(daemon);
	return 0;
}

/* Consoles that could not be set up, once more; when to look again. */
static uint64_t retry_consoles(struct daemon *daemon, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (!daemon->retries || !daemon->store)
		return next;
	for (unsigned int i = 0; i < daemon->domids; i++) {
		struct console *console = daemon->by_domid[i];

		if (!console || console->retry == 0)
			continue;
		if (console->retry <= now)
			console_configure(console);
		if (console->retry > 0 && console->retry < next)
			next = console->retry;
	}
	if (daemon->hypervisor_log && !hypervisor_bind(daemon) && now + RETRY_MS < next)
		next = now + RETRY_MS;
	daemon->retries = next != UINT64_MAX;
	store_events(daemon);
	return next;
}

int daemon_turn(struct daemon *daemon, int max_ms)
{
	uint64_t now = port_now_ms(), until = max_ms < 0 ? UINT64_MAX : now + (unsigned int)max_ms;
	uint64_t next;
	int error;

	if (daemon->held > 0)
		for (unsigned int i = 0; i < daemon->ports; i++)
			if (daemon->by_port[i]) {
				console_period(daemon->by_port[i], now);
				if (daemon->by_port[i]->held &&
				    daemon->by_port[i]->period_end < until)
					until = daemon->by_port[i]->period_end;
			}
	if (!daemon->store && now >= daemon->store_retry && store_connect(daemon) == 0) {
		enumerate(daemon);
		store_events(daemon);
	}
	if (!daemon->store && daemon->store_retry < until)
		until = daemon->store_retry;
	next = retry_consoles(daemon, now);
	if (next < until)
		until = next;
	error = port_run(until == UINT64_MAX ? -1 : until > now ? (int)(until - now) : 0);
	return error;
}

void daemon_reopen(struct daemon *daemon)
{
	spool_reopen(daemon->spools);
}

void daemon_end(struct daemon *daemon)
{
	for (unsigned int i = 0; i < daemon->domids; i++)
		if (daemon->by_domid[i])
			console_free(daemon->by_domid[i]);
	spool_put(&daemon->spools, daemon->hypervisor_log);
	if (daemon->store)
		store_close(daemon->store);
	foreignmemory_close(daemon->fm);
	gnttab_close(daemon->gnttab);
	evtchn_close(daemon->evtchn);
	ctl_close(daemon->ctl);
	free(daemon->by_domid);
	free(daemon->by_port);
}
