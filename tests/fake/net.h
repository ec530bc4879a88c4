/* SPDX-License-Identifier: MIT */
/*
 * A network frontend and backend with a wire behind it, and frames that know what they must be: what the
 * tests of netfront and netback share.
 *
 * Every frame carries a number by which it can be built again: what arrives is compared byte by byte. The
 * backend's process can be made to die at any of its points, and is then opened again on the same
 * record and wire.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include "world.h"
#include "../../netback/netback.h"
#include "../../netfront/netfront.h"

enum net_kind { NET_RAW, NET_UDP4, NET_UDP6, NET_TCP4, NET_TCP6, NET_GSO4, NET_GSO6, NET_KINDS };

struct net_sent {
	enum net_kind kind;
	uint32_t bytes;
	bool partial;		/* sent with its checksum left to do */
	unsigned int seen;
};

/* One direction's frames, by number. */
struct net_flow {
	struct net_sent *sent;
	unsigned int count, room;
	unsigned int arrived;	/* frames that came, repeated ones included */
	unsigned int lost;	/* frames that never came; net_check() counts */
	unsigned long wrong;
};

struct net_setup {
	uint64_t seed;
	unsigned int back_queues;	/* 0: 4 */
	const char *rate;		/* backend's key, or NULL */
	struct netfront_options front;
};

struct net {
	struct world *world;
	struct pv_domain *dom0, *guest;
	struct netback *back;
	struct netback_shared shared;
	struct netback_record *record;
	struct wire *wire;
	struct netfront front;
	struct net_flow out, in;	/* guest to wire, wire to guest */
	unsigned int changes;		/* calls of changed() */
	unsigned int deaths;
};

void net_new(struct net *n, const struct net_setup *setup);
int net_open_back(struct net *n);
int net_open_front(struct net *n, const struct net_setup *setup);

/* Runs until the card works. */
bool net_connect(struct net *n);

/* Delivers all that is pending, frames on the wire included. */
void net_settle(struct net *n);

/* The guest sends one; what netfront_send() says. */
int net_guest_send(struct net *n, enum net_kind kind, uint32_t bytes, bool partial, bool more);
/* A frame comes on the wire, for queue @queue. */
void net_wire_send(struct net *n, unsigned int queue, enum net_kind kind, uint32_t bytes, bool partial);
/* A frame by chance either way. */
void net_random(struct net *n);

/* The backend dies @points points (netback_point(), wire operations) from now. 0: not. */
void net_die(struct net *n, unsigned long points);

/* It dies now, and stays dead until net_open_back(). */
void net_kill_back(struct net *n);

/* Counts what was lost; the number of frames that came wrong, or more than once without a death. */
unsigned long net_check(struct net *n);

/* Closes both ends, and ends the world: what is left over. */
unsigned int net_end(struct net *n);

/* The shortest frame of its kind. */
uint32_t net_shortest(enum net_kind kind);

#define NET_BACK	"/local/domain/0/backend/qnic/1/0"
#define NET_FRONT	"/local/domain/1/device/vif/0"

#endif
