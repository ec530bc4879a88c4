/* SPDX-License-Identifier: MIT */
/*
 * A world for the store daemon in tests: domains with rings, clients' sockets, a clock and a log,
 * in memory that a forked and killed daemon shares with its successor and with the test.
 *
 * In process: world_start(), clients' calls, world_run(). For kills: world_start() and world_run()
 * in a forked child with world->kill_at set, the test being the clients and the kernel that keeps
 * sockets open.
 */
#ifndef TESTS_XENSTORED_WORLD_H
#define TESTS_XENSTORED_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include "../../dom0-tools/xenstored/port.h"
#include "../../dom0-tools/xenstored/xsd.h"

#define WORLD_DOMAINS 64
#define WORLD_SOCKETS 64

struct world {
	struct {
		unsigned int state;	/* DOMAIN_ bits */
		unsigned int notified, bound, mapped;
		bool fail_map, fail_bind;
	} domain[WORLD_DOMAINS];
	struct {
		int client, server;	/* -1: none */
		bool closed;		/* by the daemon */
	} socket[WORLD_SOCKETS];
	uint64_t now;
	long kill_at;			/* SIGKILL at this point from now; 0: never */
	long points;			/* passed so far */
	unsigned int turn;		/* whom world_run() serves first */
	unsigned int log_lines;
	char log[4096];			/* the last lines */
	char dir[64];			/* of the journal */
	_Alignas(4096) char ring[WORLD_DOMAINS][4096];
};

struct port {
	struct world *w;
	struct xsd x;
};

struct world *world_new(const char *name);
void world_free(struct world *w);
/* The number of a new client's connection. */
int world_connect(struct world *w);
/* Drops the client's end. */
void world_hang_up(struct world *w, int n);
/* Closes what the daemon closed: for the test that holds copies after a fork. */
void world_reap(struct world *w);

/* A daemon on this world: takes up the journal, adopts sockets, introduces dom0. */
struct port *world_start(struct world *w, bool crashed);
/* Serves until nothing happens any more. */
void world_run(struct port *p);
/* Forgets the daemon without a word, as if it were killed. */
void world_stop(struct port *p);

/* A client's bytes: whole message; and what came back (0: nothing): its body, NUL-terminated. */
void world_send(struct world *w, int n, uint32_t type, uint32_t tx, const void *body,
		unsigned int length);
int world_receive(struct world *w, int n, struct xsd_sockmsg *msg, char *body);
/* The same through a domain's ring; false: no room (nothing was put). */
bool world_ring_send(struct world *w, unsigned int domid, uint32_t type, uint32_t tx,
		     const void *body, unsigned int length);
int world_ring_receive(struct world *w, unsigned int domid, struct xsd_sockmsg *msg, char *body);
/* Raw bytes into or out of a ring: the count. */
unsigned int world_ring_put(struct world *w, unsigned int domid, const void *bytes,
			    unsigned int length);
unsigned int world_ring_get(struct world *w, unsigned int domid, void *bytes, unsigned int room);

#endif
