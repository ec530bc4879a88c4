/* SPDX-License-Identifier: MIT */
/*
 * Viewers of a console: connections to its socket, and its terminal (which real xl's xenconsole
 * opens). Each is a cursor into the log, so that a slow one costs no memory and holds up nobody: it
 * skips what lies further back than the domain's limit.
 *
 * The terminal gets output only while somebody has it open; whoever comes first gets the replay, as
 * on the socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "consoled.h"

#define PIECE 4096
#define PIECES 8	/* at a time: others want to be served, too */

/* Where a newcomer starts: at most REPLAY_BYTES back, at a line's beginning. */
static uint64_t replay_from(const struct spool *log)
{
	uint64_t end = spool_end(log), from = end > REPLAY_BYTES ? end - REPLAY_BYTES : 0;
	char bytes[512];
	long n;

	if (from <= log->base)
		return log->base;
	n = spool_read(log, &from, bytes, sizeof(bytes));
	for (long i = 0; i < n; i++)
		if (bytes[i] == '\n')
			return from + (uint64_t)i + 1;
	return from;
}

static void end_viewer(struct viewer *viewer)
{
	if (viewer->ended)
		return;
	viewer->ended = true;
	port_drop(&viewer->source);
	port_close(viewer->source.fd);
	viewer->source.fd = -1;
	if (!viewer->terminal)
		viewer->console->viewer_count--;
}

static void sweep(struct console *console)
{
	for (struct viewer **at = &console->viewers; *at;) {
		struct viewer *viewer = *at;

		if (!viewer->ended) {
			at = &viewer->next;
			continue;
		}
		*at = viewer->next;
		if (!viewer->terminal)
			free(viewer);
	}
}

/* Writes what the log has beyond the viewer's cursor, as far as the viewer takes it. */
static void pump(struct viewer *viewer)
{
	struct console *console = viewer->console;
	uint64_t end = spool_end(console->log);
	char bytes[PIECE];

	if (viewer->ended || (viewer->terminal && console->tty_opens == 0))
		return;
	if (end - viewer->position > console->limit && viewer->position < end)
		viewer->position = end - console->limit;
	for (unsigned int i = 0; i < PIECES; i++) {
		long n = spool_read(console->log, &viewer->position, bytes, sizeof(bytes)), written;

		if (n <= 0)
			break;
		written = port_write(viewer->source.fd, bytes, (size_t)n);
		if (written == -EAGAIN)
			written = 0;
		if (written < 0) {
			end_viewer(viewer);
			return;
		}
		viewer->position += (uint64_t)written;
		if (written < n)
			break;
	}
	port_want(&viewer->source, (viewer->source.want & PORT_IN) |
		  (viewer->position < spool_end(console->log) ? PORT_OUT : 0));
}

void viewers_show(struct console *console, const char *unlogged, uint32_t length)
{
	for (struct viewer *v = console->viewers; v; v = v->next) {
		if (unlogged && !v->ended && v->position == spool_end(console->log) &&
		    (!v->terminal || console->tty_opens > 0))
			port_write(v->source.fd, unlogged, length);
		pump(v);
	}
	sweep(console);
}

void viewers_turn_to(struct console *console, const struct spool *log)
{
	viewers_show(console, NULL, 0);
	for (struct viewer *v = console->viewers; v; v = v->next)
		v->position = spool_end(log);
}

void viewers_typing(struct console *console)
{
	for (struct viewer *v = console->viewers; v; v = v->next)
		if (!v->ended && !v->silent)
			port_want(&v->source, v->source.want | PORT_IN);
}

static void viewer_ready(struct source *source, unsigned int what)
{
	struct viewer *viewer = (struct viewer *)source;
	struct console *console = viewer->console;

	if (what & PORT_IN)
		console_type(console, viewer);
	if (!viewer->ended && (what & PORT_OUT))
		pump(viewer);
	if (!viewer->ended && (what & PORT_GONE))
		end_viewer(viewer);
	sweep(console);
}

void console_type(struct console *console, struct viewer *viewer)
{
	char bytes[256];
	unsigned int room = console->ring ? ring_room(console->ring) : 0;
	long n;

	if (room == 0) {
		/* The guest's event, when it has read some, wants it again (viewers_typing). */
		port_want(&viewer->source, viewer->source.want & ~PORT_IN);
		return;
	}
	n = port_read(viewer->source.fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
	if (n == -EAGAIN)
		return;
	if (n == 0) {	/* it only listens from now on */
		viewer->silent = true;
		port_want(&viewer->source, viewer->source.want & ~PORT_IN);
		return;
	}
	if (n < 0) {
		end_viewer(viewer);
		return;
	}
	ring_type(console->ring, bytes, (unsigned int)n);
	evtchn_notify(console->daemon->evtchn, (evtchn_port_t)console->port);
}

static void listener_ready(struct source *source, unsigned int what)
{
	struct console *console =
		(struct console *)((char *)source - offsetof(struct console, listener));
	struct viewer *viewer;
	int fd = port_accept(source->fd);

	(void)what;
	if (fd < 0)
		return;
	viewer = console->viewer_count < VIEWERS_MAX ? calloc(1, sizeof(*viewer)) : NULL;
	if (!viewer)
		goto refuse;
	viewer->console = console;
	viewer->source = (struct source){ .ready = viewer_ready, .fd = fd };
	viewer->position = replay_from(console->log);
	if (port_add(&viewer->source, PORT_IN) != 0)
		goto refuse;
	console->viewer_count++;
	viewer->next = console->viewers;
	console->viewers = viewer;
	pump(viewer);
	sweep(console);
	return;
refuse:
	free(viewer);
	port_close(fd);
}

void viewers_terminal(struct console *console, int change)
{
	if (change > 0 && console->tty_opens++ == 0) {
		port_tty_forget(console->tty_slave);
		console->tty.position = replay_from(console->log);
		pump(&console->tty);
	} else if (change < 0 && console->tty_opens > 0 && --console->tty_opens == 0) {
		port_want(&console->tty.source, PORT_IN);
		port_tty_forget(console->tty_slave);
	}
}

static void terminal_ready(struct source *source, unsigned int what)
{
	struct viewer *viewer = (struct viewer *)source;

	if (what & PORT_IN)
		console_type(viewer->console, viewer);
	if (!viewer->ended && (what & PORT_OUT))
		pump(viewer);
	/* Our own hold on the slave keeps the terminal from ever being gone. */
}

static int open_terminal(struct console *console)
{
	struct viewer *tty = &console->tty;
	int fd = port_tty(&console->tty_slave, console->tty_name, sizeof(console->tty_name));

	if (fd < 0)
		return fd;
	*tty = (struct viewer){ .source = { .ready = terminal_ready, .fd = fd }, .console = console,
				.terminal = true };
	console->tty_watch = port_watch_open(console->tty_name);
	if (console->tty_watch < 0)
		console->tty_opens = 1;	/* never known: output always, as if somebody had it open */
	if (port_add(&tty->source, PORT_IN) == 0) {
		tty->next = console->viewers;
		console->viewers = tty;
		return 0;
	}
	if (console->tty_watch >= 0)
		port_unwatch(console->tty_watch);
	port_close(console->tty_slave);
	port_close(fd);
	tty->source.fd = console->tty_slave = -1;
	return -ENOSPC;
}

int viewers_open(struct console *console)
{
	char path[SPOOL_PATH];
	int error = console->tty.source.fd < 0 ? open_terminal(console) : 0;

	/* Without terminals (no devpts, say) there are still the log and the socket. */
	if (error != 0)
		port_note("domain %u: no terminal for its console: %s", console->domid,
			  strerror(-error));
	if (!console->listening) {
		snprintf(path, sizeof(path), "%s/%u.sock", console->daemon->options.run_dir,
			 console->domid);
		console->listener = (struct source){ .ready = listener_ready,
						     .fd = port_listen(path) };
		if (console->listener.fd < 0)
			return console->listener.fd;
		console->listening = true;
		return port_add(&console->listener, PORT_IN);
	}
	return 0;
}

void viewers_close(struct console *console)
{
	char path[SPOOL_PATH];

	if (console->log)
		viewers_show(console, NULL, 0);
	if (console->listening) {
		port_drop(&console->listener);
		port_close(console->listener.fd);
		snprintf(path, sizeof(path), "%s/%u.sock", console->daemon->options.run_dir,
			 console->domid);
		port_unlink(path);
		console->listening = false;
	}
	while (console->viewers) {
		struct viewer *viewer = console->viewers;

		console->viewers = viewer->next;
		end_viewer(viewer);
		if (!viewer->terminal)
			free(viewer);
	}
	if (console->tty_slave >= 0) {
		if (console->tty_watch >= 0)
			port_unwatch(console->tty_watch);
		port_close(console->tty_slave);
		console->tty_slave = -1;
	}
}
