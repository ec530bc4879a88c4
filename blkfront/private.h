/* SPDX-License-Identifier: MIT */
/* Inside the block frontend: device.c (states, keys, rings' life), ring.c (requests and answers). */
#ifndef BLKFRONT_PRIVATE_H
#define BLKFRONT_PRIVATE_H

#include <pv/blkfront.h>
#include <pv/ring.h>
#include <pv/xenbus.h>
#include <xen/io/blkif.h>

#define MAX_QUEUES	4
#define MAX_RING_ORDER	4
#define MAX_RING_PAGES	(1U << MAX_RING_ORDER)
#define MAX_SEGMENTS	32	/* of an indirect request: 128 KiB */
#define NO_REF		UINT32_MAX

/* A page of ours that the backend may keep mapped. */
struct bounce {
	struct bounce *next;	/* on the stack of free ones: last in, first out */
	char *page;
	grant_ref_t ref;
};

/* What a slot of the ring stands for while it is with the backend. */
struct shadow {
	struct shadow *next;	/* free */
	struct blkfront_io *io;	/* NULL: free */
	uint64_t id;		/* number of the use, and the shadow's index */
	uint8_t operation;	/* that the answer must name */
	unsigned int nr_segments;
	struct bounce *list;	/* with persistent grants: the segment list's page */
	char *list_page;	/* without: the same, ours for good */
	grant_ref_t list_ref;
	grant_ref_t refs[MAX_SEGMENTS];
	struct bounce *bounce[MAX_SEGMENTS];
};

struct front_queue {
	struct blkfront *front;
	struct pv_front_ring ring;
	void *shared;
	grant_ref_t ring_refs[MAX_RING_PAGES];
	evtchn_port_t port;
	struct shadow *shadows;
	struct shadow *free;
	unsigned int shadow_pages;
	uint32_t uses;
	struct blkfront_io *waiting, **waiting_end;
	bool unsent;
	unsigned int in_flight;
};

struct blkfront {
	struct pv_xenbus bus;
	struct pv_domain *domain;
	struct blkfront_options options;
	void (*ready)(void *arg, bool usable);
	void *arg;
	struct blkfront_info info;
	bool connected;		/* requests go to the ring */
	bool ended;		/* no request is taken any more */
	bool dropped;		/* ended, and the rings are gone */
	unsigned int ring_order, nr_queues, max_segments;
	unsigned int unit;	/* bytes that sector numbers count */
	struct bounce *bounces;	/* free ones */
	struct blkfront_io *failing;	/* to be completed from the loop */
	struct pv_timer timer;	/* completes those */
	struct pv_timer retry;	/* sends what found no grant or page */
	struct front_queue queues[MAX_QUEUES];
};

/* ring.c */
int front_queue_init(struct front_queue *q, struct blkfront *front);
/* Takes back all it can; what was under way goes to the front of the waiting list. */
void front_queue_drop(struct front_queue *q);
void front_queue_send(struct front_queue *q);
bool front_queue_event(void *arg, evtchn_port_t port);
void bounce_free_all(struct blkfront *front);

/* device.c: the backend cannot be relied on: everything fails. */
void front_fail(struct blkfront *front);
/* The last answer may have come that an ending device waits for. */
void front_drained(struct blkfront *front);

#endif
