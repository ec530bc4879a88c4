/* SPDX-License-Identifier: MIT */
/*
 * A client of the NBD protocol on a connected socket, without blocking: fixed newstyle negotiation of the
 * default export, then any number of calls, answered in any order by simple replies.
 *
 * Whoever uses it learns of what happens from the daemon's loop; when the connection is lost, the calls that
 * were not answered are his again, in the order in which they were sent.
 */
#ifndef BLKBACK_NBD_H
#define BLKBACK_NBD_H

#include <linux/nbd.h>
#include <pv/linux.h>
#include "medium.h"

#define NBD_DEPTH	64	/* calls that the server knows of; later ones wait */

/* A read, write, flush or trim, in the caller's memory until it is answered or returned. */
struct nbd_call {
	struct nbd_call *next;
	uint16_t type;		/* NBD_CMD_* */
	uint64_t offset;
	uint32_t bytes;
	const struct medium_piece *pieces;	/* reads and writes */
	unsigned int nr_pieces;
	void *owner;		/* this and the next three are the caller's own */
	uint64_t mark;
	unsigned int purpose;
	unsigned int crashes;
	bool known;		/* out: the server has been given some of it */
	struct nbd_request header;		/* from here on ours */
	size_t moved;		/* bytes sent, or of the reply's data received */
};

struct nbd_calls {
	struct nbd_call *first, **end;
};

/* None of them is called from inside a function of this header. */
struct nbd_events {
	void (*ready)(void *arg);	/* negotiated: bytes and flags are known */
	void (*answered)(void *arg, struct nbd_call *call, int result);	/* 0 or -errno */
	void (*batch_done)(void *arg);	/* after all that came together */
	void (*lost)(void *arg, const char *why);	/* nbd_close() follows, from there or later */
};

struct nbd {
	struct pv_domain *domain;
	struct pv_fd fd;	/* fd.fd < 0: closed */
	const struct nbd_events *events;
	void *arg;
	uint64_t bytes;		/* of the export */
	uint16_t flags;		/* NBD_FLAG_* */
	unsigned int stage;
	unsigned char input[64];
	size_t input_bytes, wanted;
	uint32_t option_left;	/* bytes of an option's reply to come */
	uint32_t option_type;
	struct nbd_calls queue;			/* not, or not wholly, sent */
	struct nbd_call *sent[NBD_DEPTH];	/* by the lower half of the cookie */
	uint32_t order[NBD_DEPTH], next_order;
	unsigned int nr_sent;
	struct nbd_call *receiving;
	const char *broken;	/* why, to be reported by the next turn of the loop */
};

void nbd_calls_init(struct nbd_calls *calls);
void nbd_calls_add(struct nbd_calls *calls, struct nbd_call *call);
struct nbd_call *nbd_calls_take(struct nbd_calls *calls);
/* Moves all of @from behind those of @to. */
void nbd_calls_append(struct nbd_calls *to, struct nbd_calls *from);

/* Takes the nonblocking socket @fd over. -errno: it is still the caller's. */
int nbd_open(struct nbd *nbd, struct pv_domain *domain, int fd, const struct nbd_events *events,
	     void *arg);

/* After ready. Starts with the next nbd_kick() at the latest. */
void nbd_send(struct nbd *nbd, struct nbd_call *call);
void nbd_kick(struct nbd *nbd);

/* Is no call under way? */
bool nbd_is_idle(const struct nbd *nbd);

/* Ends the connection, with the protocol's farewell if that is possible. What was not answered goes to @calls. */
void nbd_close(struct nbd *nbd, struct nbd_calls *calls);

#endif
