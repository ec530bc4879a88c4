/* SPDX-License-Identifier: MIT */
/*
 * One domain's console: follows its store nodes, moves its output into the log, keeps a talkative
 * guest from taking more than its share.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "consoled.h"
#include <tools/kill_point.h>

struct console *console_new(struct daemon *daemon, domid_t domid, const uint8_t *handle)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console)
		return NULL;
	console->daemon = daemon;
	console->domid = domid;
	console->fresh = daemon->started;
	memcpy(console->handle, handle, sizeof(console->handle));
	console->tty.source.fd = -1;
	console->tty_slave = -1;
	console->tty_watch = -1;
	console->limit = LIMIT_DEFAULT;
	return console;
}

static void unmap(struct console *console)
{
	if (!console->ring)
		return;
	if (console->granted)
		gnttab_unmap(console->daemon->gnttab, console->ring, 1);
	else
		foreignmemory_unmap(console->daemon->fm, console->ring, 1);
	console->ring = NULL;
}

/*
 * What the last life logged but may not have taken out of this ring: if the index is still the one
 * that it saw, the bytes are skipped.
 */
static void recover(struct console *console)
{
	struct daemon *daemon = console->daemon;
	struct inflight *record = daemon->record;
	char bytes[RING_OUT_BYTES];
	XENCONS_RING_IDX cons;
	int n;

	if (!daemon->recovering || record->domid != console->domid ||
	    memcmp(record->handle, console->handle, sizeof(record->handle)) != 0)
		return;
	n = ring_peek(console->ring, bytes, &cons);
	if (n >= (int)record->length && cons == record->cons)
		ring_consume(console->ring, cons + record->length);
	daemon->recovering = false;
	spool_landed(record);
}

/* Moves what the ring has into the log and to the viewers. The count. */
static unsigned int drain(struct console *console)
{
	struct daemon *daemon = console->daemon;
	char bytes[RING_OUT_BYTES];
	XENCONS_RING_IDX cons;
	int n = ring_peek(console->ring, bytes, &cons), error;

	if (n < 0 && !console->sick) {
		console->sick = true;
		port_note("domain %u: its console ring is impossible and not read", console->domid);
	}
	if (n <= 0)
		return 0;
	error = spool_append_inflight(console->log, &daemon->options.limits, daemon->record, bytes,
				      (uint32_t)n, console->domid, console->handle, cons);
	ring_consume(console->ring, cons + (XENCONS_RING_IDX)n);
	spool_landed(daemon->record);
	viewers_show(console, error ? bytes : NULL, error ? (uint32_t)n : 0);
	return (unsigned int)n;
}

/*
 * Lets go of the log; one that nothing was written to (a name on the way to another) leaves no
 * file.
 */
static void close_log(struct console *console)
{
	struct spool *log = console->log;

	if (!log)
		return;
	if (!console->daemon->options.log_dir || (log->users == 1 && spool_end(log) == 0))
		port_unlink(log->path);
	spool_put(&console->daemon->spools, log);
	console->log = NULL;
}

void console_free(struct console *console)
{
	/* Twice: a guest may have waited for room. */
	if (console->ring && console->log && drain(console) > 0)
		drain(console);
	viewers_close(console);
	daemon_unbind(console->daemon, console);
	unmap(console);
	close_log(console);
	if (console->held)
		console->daemon->held--;
	free(console);
}

/* A node below the domain's console folder as a number in [0, @max]; -errno. */
static long node_number(struct console *console, const char *name, unsigned long max)
{
	char path[64], *value, *end;
	unsigned long number;
	int error;

	snprintf(path, sizeof(path), "/local/domain/%u/console/%s", console->domid, name);
	error = store_read(console->daemon->store, 0, path, &value, NULL);
	if (error < 0)
		return error;
	errno = 0;
	number = strtoul(value, &end, 10);
	error = errno != 0 || end == value || *end != 0 || !isdigit((unsigned char)value[0]) ||
		number > max ? -EINVAL : 0;
	free(value);
	return error ? error : (long)number;
}

/* Another program serves this console (QEMU's type is "ioemu"). */
static bool someone_elses(struct console *console)
{
	char path[64], *value;
	bool other;

	snprintf(path, sizeof(path), "/local/domain/%u/console/type", console->domid);
	if (store_read(console->daemon->store, 0, path, &value, NULL) < 0)
		return false;
	other = strcmp(value, "xenconsoled") != 0;
	free(value);
	return other;
}

/*
 * guest-NAME.log; characters that would leave the folder become '_'. False: it has no name, the
 * path is by number.
 */
static bool log_path(struct console *console, char *path, size_t room)
{
	const struct daemon_options *options = &console->daemon->options;
	char node[64], *name;
	bool named;
	size_t at;

	if (!options->log_dir) {
		snprintf(path, room, "%s/%u.replay", options->run_dir, console->domid);
		return false;
	}
	snprintf(node, sizeof(node), "/local/domain/%u/name", console->domid);
	if (store_read(console->daemon->store, 0, node, &name, NULL) < 0)
		name = NULL;
	at = (size_t)snprintf(path, room, "%s/guest-", options->log_dir);
	named = name && *name && at + strlen(name) + sizeof(".log.99") < room;
	if (named)
		for (const char *p = name; *p; p++)
			path[at++] = *p == '/' || !isprint((unsigned char)*p) ? '_' : *p;
	else
		at += (size_t)snprintf(path + at, room - at, "%u", console->domid);
	snprintf(path + at, room - at, ".log");
	free(name);
	return named;
}

void console_renamed(struct console *console)
{
	struct spool *log;
	char path[SPOOL_PATH];

	/* One that dies loses its name before we hear of its death. */
	if (!console->log || !log_path(console, path, sizeof(path)) ||
	    strcmp(path, console->log->path) == 0)
		return;
	if (console->ring)
		drain(console);
	log = spool_get(&console->daemon->spools, path);
	if (!log)
		return;
	viewers_turn_to(console, log);
	close_log(console);
	console->log = log;
}

/* By frame if possible: the kernel's first grant of all costs it some 42 million instructions. */
static int map(struct console *console, unsigned long frame)
{
	struct daemon *daemon = console->daemon;
	grant_ref_t ref = GNTTAB_RESERVED_CONSOLE;
	domid_t domid = console->domid;
	xen_pfn_t pfn = frame;
	int error = -ENOENT;
	void *page;

	if (console->ring && !console->granted && frame != console->frame)
		unmap(console);
	if (console->ring)
		return 0;
	if (frame && daemon->fm)
		error = foreignmemory_map(daemon->fm, domid, 0x3 /* PROT_READ | PROT_WRITE */, 1,
					  &pfn, NULL, &page);
	console->granted = error != 0;
	if (error != 0)
		error = gnttab_map(daemon->gnttab, 1, &domid, &ref, true, &page);
	if (error != 0)
		return error;
	console->frame = frame;
	console->ring = page;
	recover(console);
	return 0;
}

static void publish_terminal(struct console *console)
{
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/local/domain/%u/console/tty", console->domid);
	error = store_write(console->daemon->store, 0, path, console->tty_name,
			    strlen(console->tty_name));
	if (error != 0)
		port_note("domain %u: cannot write its tty node: %s", console->domid,
			  strerror(-error));
}

void console_configure(struct console *console)
{
	long frame, port, limit;
	bool fresh = !console->log;
	int error;

	frame = node_number(console, "ring-ref", ~0UL >> 1);
	port = node_number(console, "port", 1u << 20);
	console->retry = 0;	/* the store tells when that changes */
	if (frame < 0 || port <= 0 || someone_elses(console))
		return;
	limit = node_number(console, "limit", ~0u);
	if (limit > 0)
		console->limit = (uint64_t)limit;
	if (!console->log) {
		char path[SPOOL_PATH];

		log_path(console, path, sizeof(path));
		if (console->fresh && !console->daemon->options.log_dir)
			port_unlink(path);	/* of one that died while nobody looked */
		console->log = spool_get(&console->daemon->spools, path);
		if (!console->log)
			return;
	}
	error = map(console, (unsigned long)frame);
	if (error == 0 && (console->port == 0 || console->remote_port != (evtchn_port_t)port)) {
		daemon_unbind(console->daemon, console);
		console->remote_port = (evtchn_port_t)port;
		error = daemon_bind(console->daemon, console);
	}
	if (error == 0 && fresh) {
		error = viewers_open(console);
		if (error == 0 && console->tty_slave >= 0)
			publish_terminal(console);
	}
	if (error != 0) {
		/* A previous life may still be letting go of the port. */
		if (!console->daemon->retries)
			port_note("domain %u: no console yet: %s", console->domid,
				  strerror(-error));
		console->retry = port_now_ms() + RETRY_MS;
		console->daemon->retries = true;
		if (fresh) {
			/* No events while there is nowhere to put what they announce. */
			daemon_unbind(console->daemon, console);
			viewers_close(console);
			spool_put(&console->daemon->spools, console->log);
			console->log = NULL;
		}
		return;
	}
	/* What came before us; and the guest may wait for an event that a previous life owed it. */
	drain(console);
	evtchn_notify(console->daemon->evtchn, (evtchn_port_t)console->port);
}

void console_event(struct console *console)
{
	struct daemon *daemon = console->daemon;
	uint64_t now = port_now_ms();
	unsigned int bytes;

	if (now >= console->period_end) {
		console->period_end = now + PERIOD_MS;
		console->events = console->bytes = 0;
	}
	bytes = drain(console);
	if (bytes > 0)
		evtchn_notify(daemon->evtchn, (evtchn_port_t)console->port);
	viewers_typing(console);
	console->bytes += bytes;
	if (++console->events < PERIOD_EVENTS && console->bytes < PERIOD_BYTES) {
		evtchn_unmask(daemon->evtchn, (evtchn_port_t)console->port);
	} else if (!console->held) {
		console->held = true;
		daemon->held++;
	}
}

void console_period(struct console *console, uint64_t now)
{
	if (!console->held || now < console->period_end)
		return;
	console->held = false;
	console->daemon->held--;
	console->events = console->bytes = 0;
	console->period_end = now + PERIOD_MS;
	if (console->port > 0)
		evtchn_unmask(console->daemon->evtchn, (evtchn_port_t)console->port);
}
