/* SPDX-License-Identifier: MIT */
/*
 * The console daemon: what its files share. A domain has a console; the console has a ring, a log
 * (spool.h) and viewers, each a cursor into the log: no output is kept in memory.
 */
#ifndef CONSOLED_CONSOLED_H
#define CONSOLED_CONSOLED_H

#include <stdbool.h>
#include <stdint.h>
#include <tools/ctl.h>
#include <tools/evtchn.h>
#include <tools/foreignmemory.h>
#include <tools/gnttab.h>
#include <tools/store.h>
#include "port.h"
#include "ring.h"
#include "spool.h"

#define VIEWERS_MAX	16		/* per domain */
#define REPLAY_BYTES	(16 * 1024)	/* of the log, to who attaches */
#define LIMIT_DEFAULT	(1024 * 1024)	/* how far a viewer may lag: as libxl writes it to the store */
/* A guest may be heard so often, and so much, in a period; then it waits for the next one. */
#define PERIOD_MS	200
#define PERIOD_EVENTS	30
#define PERIOD_BYTES	(256 * 1024)

#define RETRY_MS	100		/* after a failure to set a console up */

struct console;

/* One who reads and types: a socket's connection, or the terminal. */
struct viewer {
	struct source source;		/* first: what port.h calls back with */
	struct viewer *next;
	struct console *console;
	uint64_t position;		/* of the next byte for it, in the log's stream */
	bool terminal;
	bool silent;			/* will type no more */
	bool ended;			/* gone: freed at the next opportunity */
};

struct console {
	struct daemon *daemon;
	domid_t domid;
	uint8_t handle[16];
	bool seen;			/* in the enumeration under way */
	bool fresh; /* no earlier life of the daemon had it: what it left is not its */
	/* The ring; NULL: not there yet, or not ours */
	struct xencons_interface *ring;
	bool granted;			/* mapped as grant, else as frame @frame */
	uint64_t retry;			/* configure it again then; 0: no need */
	bool sick;			/* its indices were impossible; said once */
	unsigned long frame;
	evtchn_port_t remote_port;
	int port;			/* ours; 0: none */
	uint64_t limit;
	/* Rate */
	uint64_t period_end;
	unsigned int events, bytes;
	bool held;			/* port masked until period_end */
	struct spool *log;
	/* Viewers */
	struct viewer *viewers;
	unsigned int viewer_count;
	struct viewer tty;
	int tty_slave, tty_watch;
	unsigned int tty_opens;		/* how many have it open: nobody, no output */
	char tty_name[32];
	struct source listener;
	bool listening;
};

struct daemon_options {
	const char *log_dir; /* of guests; NULL: no logs, but short ones in run_dir to replay */
	const char *hypervisor_dir;	/* of the hypervisor's log; NULL: it is not logged */
	const char *run_dir;
	struct spool_limits limits, hypervisor_limits;
};

struct daemon {
	struct daemon_options options;
	struct ctl *ctl;
	struct evtchn *evtchn;
	struct gnttab *gnttab;
	struct foreignmemory *fm;
	struct store *store;		/* NULL while xenstored is away */
	uint64_t store_retry;
	struct inflight *record;
	struct spool *spools;
	struct console **by_domid, **by_port;
	unsigned int domids, ports;	/* sizes of these */
	unsigned int held;		/* consoles that wait for their period's end */
	bool retries;			/* some console has a retry, or the hypervisor's */
	int hypervisor_port;
	struct spool *hypervisor_log;
	struct source event_source, store_source, watch_source;
	bool started;			/* domains found from now on are new */
	bool recovering;		/* record->domid's ring still holds what the log has */
};

/* --- daemon.c --- */
/* Opens everything, recovers, finds the domains. 0, or -errno with a note. */
int daemon_start(struct daemon *daemon, const struct daemon_options *options);
/* One turn: waits for events at most @max_ms (-1: for ever) and handles them. */
int daemon_turn(struct daemon *daemon, int max_ms);
/* Closes everything as a death would, but frees memory: for tests. */
void daemon_end(struct daemon *daemon);
/* All logs by name again. */
void daemon_reopen(struct daemon *daemon);
int daemon_bind(struct daemon *daemon, struct console *console);
void daemon_unbind(struct daemon *daemon, struct console *console);

/* --- console.c --- */
struct console *console_new(struct daemon *daemon, domid_t domid, const uint8_t *handle);
/* The domain is dying: what the ring still has is logged and shown, then all of it goes. */
void console_free(struct console *console);
/* Looks at its store nodes and follows them: maps, binds, opens log and viewers. */
void console_configure(struct console *console);
/* Its domain's name may be another: then the log is, too. */
void console_renamed(struct console *console);
/* Its port has an event. */
void console_event(struct console *console);
/* Its period may be over. */
void console_period(struct console *console, uint64_t now);
void console_type(struct console *console, struct viewer *viewer);

/* --- viewer.c --- */
/* The socket, and the terminal if there can be one: 0; -errno: no socket. */
int viewers_open(struct console *console);
void viewers_close(struct console *console);
/* Shows all what the log got; @bytes that it could not take are shown to who was up to date. */
void viewers_show(struct console *console, const char *unlogged, uint32_t length);
/*
 * They go on in @log, from its end on; who is far behind loses what the console's log so far still
 * has.
 */
void viewers_turn_to(struct console *console, const struct spool *log);
/* The guest has made room: typing goes on. */
void viewers_typing(struct console *console);
/* Somebody opened (+1) or closed (-1) the terminal. */
void viewers_terminal(struct console *console, int change);

/* --- hypervisor.c --- */
int hypervisor_start(struct daemon *daemon);
/* Tries to get its events, if it is logged and they are not bound; false: not yet. */
bool hypervisor_bind(struct daemon *daemon);
void hypervisor_event(struct daemon *daemon);

#endif
