/* SPDX-License-Identifier: MIT */
/*
 * Inside the block backend's core: device.c (xenbus, life), hold.c (letting go of the medium for a while),
 * connect.c (a frontend's keys become queues),
 * queue.c (requests in, responses out), request.c (one slot decoded and checked), buffer.c (memory for
 * data), copy.c and move.c (into and out of it), persist.c (grants kept mapped), record.c (what a restart needs).
 */
#ifndef BLKBACK_PRIVATE_H
#define BLKBACK_PRIVATE_H

#include <pv/ring.h>
#include <pv/xenbus.h>
#include <xen/io/blkif.h>
#include "blkback.h"
#include "record.h"

#define MAX_QUEUES	4
#define MAX_RING_ORDER	4
#define MAX_RING_PAGES	(1U << MAX_RING_ORDER)
#define MAX_SEGMENTS	256	/* of an indirect request */
#define BUFFER_PAGES	1024	/* for data, each device: its memory's ceiling */
#define BUFFER_BYTES	(BUFFER_PAGES * PV_PAGE_SIZE)
#define COPY_BATCH	128
#define SECTOR_SHIFT	9
#define SEGMENTS_PER_PAGE	(PV_PAGE_SIZE / sizeof(struct blkif_request_segment))
#define NO_BUFFER	UINT32_MAX
#define CONNECT_TRIES	250	/* some seconds for an earlier instance to be gone */

struct queue;

/* Letting go of the medium for a while, step by step (hold.c). */
enum hold {
	HOLD_NONE,
	HOLD_DRAINING,	/* nothing is taken; what is under way ends */
	HOLD_FLUSHING,
	HOLD_CLOSING,	/* until nobody of ours works on it */
	HOLD_DONE,
	HOLD_OPENING,	/* the toolstack wants it back */
};

/* What remains to be done for a request, in this order, one medium operation each. */
enum step { STEP_FLUSH_FIRST = 1, STEP_DATA = 2, STEP_FLUSH_LAST = 4 };

/* A request under way; its number is that of its entry in the queue's record. */
struct request {
	struct medium_io io;		/* first: found again from it */
	struct request *next;		/* on the free, taken, done or answered list */
	struct queue *queue;
	struct record_entry *entry;
	uint8_t operation;		/* READ, WRITE, barrier, flush, discard: what an indirect one stands for */
	uint8_t steps;			/* enum step */
	bool failed;
	bool waiting;			/* found in the record, not started again */
	bool mapped;			/* the segments' pages are; pieces[] has where their data is */
	unsigned int nr_segments;
	uint32_t buffer;		/* first page in the device's buffer, or NO_BUFFER */
	uint64_t first;			/* byte on the medium */
	uint64_t bytes;
	int16_t status;			/* BLKIF_RSP_* */
	struct blkif_request_segment *segments;	/* MAX_SEGMENTS of them */
	struct medium_piece *pieces;		/* as many */
	struct medium_piece whole;		/* its part of the buffer, for the medium */
};

struct list {
	struct request *first, **end;
};

/* Grants kept mapped, by reference: a hash table with open addressing. */
struct persist_slot {
	grant_ref_t ref;
	uint32_t users;		/* requests that use it now */
	char *address;		/* NULL: empty slot */
	bool recent;		/* used since the clock's hand passed */
};

struct persist {
	struct persist_slot *slots;
	unsigned int count, limit, room, hand;
};

struct queue {
	struct blkback *device;
	unsigned int index;
	struct pv_back_ring ring;
	void *shared;			/* the ring, mapped */
	unsigned int ring_pages;
	evtchn_port_t port;
	struct record *record;
	struct request *requests;	/* as many as the ring has slots */
	unsigned int request_pages;	/* memory of the above, segments and pieces included */
	struct request *free;
	struct list taken;		/* in this turn, not started */
	struct list answered;		/* not pushed */
	unsigned int in_flight;		/* taken and not answered */
	unsigned int backlog;		/* found in the record, not started again */
	bool draining;			/* a barrier is waiting or under way: take nothing */
	bool stalled;			/* what comes next waits for something to complete */
	struct persist persist;
};

struct blkback {
	struct pv_xenbus bus;
	struct pv_domain *domain;
	struct medium_host *host;
	struct medium *medium;
	struct medium_info info;
	unsigned int devid;
	bool cdrom, removable, discard, offer_persistent, persistent, emulate_512;
	unsigned int unit_shift;	/* of sector numbers in requests: 9, or 12 by agreement */
	bool peer_known;		/* its state has been read */
	enum hold hold;
	struct medium_io hold_flush;
	struct pv_timer hold_timer;
	unsigned int hold_tries;	/* to open it again */
	bool connected;
	bool dying;			/* disconnects as soon as nothing is under way */
	bool closed;			/* and will not be opened again */
	struct pv_timer retry;		/* opening the medium, or connecting, again */
	struct pv_timer again;		/* queues have more than a turn's work */
	struct pv_timer ending;		/* the frontend is Closed, and what it asked before is being done */
	bool was_quiet;			/* when the timer above rang last */
	unsigned int endings;		/* how often it may ring yet */
	unsigned int tries;
	unsigned int nr_queues;
	struct queue queues[MAX_QUEUES];
	struct list done;		/* by the medium, not answered */
	char *buffer;			/* BUFFER_PAGES pages; the medium's own if grants stay mapped */
	bool buffer_is_medium;
	uint64_t buffer_used[BUFFER_PAGES / 64];
	uint32_t buffer_hint, buffer_free;
	struct pv_copy copies[COPY_BATCH];
	struct request *copy_owner[COPY_BATCH];
	unsigned int nr_copies;
	struct blkback_stats stats;
	struct pv_timer hold_look;	/* at the toolstack's wish, again */
	bool flush_owed;		/* hold_flush has failed, and the guest has not heard of it */
};

/* The device's number among all, for the lock of its medium: 15 bits of domain amid 32 of device. */
static inline uint64_t device_fence(const struct blkback *b)
{
	return (uint64_t)(b->devid >> 20) << 35 | (uint64_t)b->bus.peer << 20 | (b->devid & 0xfffff);
}

static inline void list_init(struct list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static inline void list_add(struct list *l, struct request *r)
{
	r->next = NULL;
	*l->end = r;
	l->end = &r->next;
}

static inline struct request *list_take(struct list *l)
{
	struct request *r = l->first;

	if (r) {
		l->first = r->next;
		if (!l->first)
			l->end = &l->first;
	}
	return r;
}

/* buffer.c: @pages adjacent pages of the device's buffer; NO_BUFFER: not now. */
uint32_t buffer_take(struct blkback *b, unsigned int pages);
void buffer_give(struct blkback *b, uint32_t first, unsigned int pages);
static inline char *buffer_address(struct blkback *b, uint32_t first)
{
	return b->buffer + (size_t)first * PV_PAGE_SIZE;
}

/*
 * request.c. request_decode(): what the slot in r->entry asks; header fields only. -XEN_EINVAL: the
 * device has been failed, with field and value. r->status != OKAY: to be answered at once so.
 */
int request_decode(struct request *r);
/* The segments have been fetched: checks them, sets r->bytes. As request_decode(). */
int request_check_segments(struct request *r);
/* Does the request move data? */
static inline bool request_has_data(const struct request *r)
{
	return r->nr_segments != 0;
}
static inline bool request_writes(const struct request *r)
{
	return r->operation != BLKIF_OP_READ;
}

/* queue.c */
bool queue_event(void *arg, evtchn_port_t port);
/* Takes requests, within a budget; true: there is more. */
bool queue_run(struct queue *q);
void queue_io_done(struct medium_io *io);
/* Answers what the medium has completed; then goes on with what waited for it. */
void device_complete(void *arg);
/* Looks at all rings, from a timer. */
void device_run_queues(struct blkback *b);

/* copy.c: batches of grant copies. A failed piece fails its request (and, if the grant is bad, the device). */
void copy_add(struct blkback *b, struct request *r, bool to_grant, grant_ref_t ref,
	      unsigned int offset, unsigned int bytes, void *local);
void copy_run(struct blkback *b);

/* move.c: memcpy() for data, with the widest registers that there are. */
void move_bytes(void *to, const void *from, size_t bytes);

/* connect.c: 0; -XEN_EINVAL: the device has been failed; -XEN_EAGAIN: try again later. */
int device_connect(struct blkback *b, bool takeover);
/* Unmaps and closes all. @forget: the records are of no use any more. Nothing may be under way. */
void device_disconnect(struct blkback *b, bool forget);
/* The memory for data, which belongs to the open medium. 0 or -XEN_ENOMEM. */
int device_take_buffer(struct blkback *b);
void device_drop_buffer(struct blkback *b);

/* persist.c: the page of the grant, mapped, counted as used; NULL: not now, use copies. */
int persist_init(struct queue *q);
char *persist_get(struct queue *q, grant_ref_t ref);
void persist_put(struct queue *q, grant_ref_t ref);
void persist_drop_all(struct queue *q);

unsigned int device_in_flight(const struct blkback *b);

/*
 * hold.c. hold_poke(): the toolstack's key was written. hold_look(): does what it asks; also when a connection stands. hold_go_on(): something has
 * ended. hold_forget(): the device ends. hold_begin(): a device that an earlier instance had let go of; negative: nobody knows.
 */
void hold_poke(struct blkback *b);
void hold_look(struct blkback *b);
void hold_go_on(struct blkback *b);
void hold_forget(struct blkback *b);
int hold_begin(struct blkback *b);

/*
 * device.c: a number from 0 to @high of our directory; *value stays where there is none, or nonsense. Negative: the
 * store did not answer, and nobody knows.
 */
int device_own_number(struct blkback *b, const char *key, uint64_t high, uint64_t *value);

/* device.c: 0, -XEN_EAGAIN (an earlier instance's work has not ended), or why it cannot be opened. */
int device_open_medium(struct blkback *b, bool taken_over);
void device_close_medium(struct blkback *b);
/* Says that it cannot be opened; for the first times, and then ever less often. */
void device_complain(struct blkback *b, unsigned int tries, int rc);
/* Does what both ends' states ask for. */
void device_advance(struct blkback *b);
/* The medium may have another size than @bytes, which the frontend knows. */
void device_tell_size(struct blkback *b, uint64_t bytes);

/*
 * device.c: no request is taken any more; when none is under way, the rings are let go of and the
 * state goes on to Closed.
 */
void device_end_connection(struct blkback *b);

#endif
