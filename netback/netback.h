/* SPDX-License-Identifier: MIT */
/*
 * The backend of a network device (<xen/io/netif.h>): one guest's rings on one side, a wire
 * (wire.h) on the other. No operating system in it; the environment is <pv/port.h>.
 *
 * Frames move by batched grant copies: the backend maps the rings and nothing else of the guest.
 *
 *	tx.c		guest to wire		device.c	states, from open to close
 *	rx.c		wire to guest		connect.c	the frontend's keys, rings, ports
 *	filter.c	rate limit, multicast list
 *
 * Everything that the frontend writes is checked; what breaks the protocol closes the device with one
 * line in the log. Frames that merely make no sense are dropped.
 */
#ifndef NETBACK_H
#define NETBACK_H

#include <pv/port.h>
#include <pv/ring.h>
#include <pv/xenbus.h>
#include "record.h"
#include "wire.h"

/* Ring slots of one frame: <xen/io/netif.h> asks for 18; more than this is refused. */
#define NETBACK_FRAME_SLOTS	20U
#define NETBACK_BATCH		64U	/* frames */
#define NETBACK_COPIES		(NETBACK_SLOTS + NETBACK_FRAME_SLOTS)
/* Frames that one turn moves before others have theirs. */
#define NETBACK_BUDGET		256U
/*
 * Staging memory in pages: frames between the grant copy and the wire. For a turn either way, a whole ring's worth, as
 * both network stacks work best on many at once; and for each queue, where a frame waits for buffers.
 */
#define NETBACK_STAGING		320U
#define NETBACK_WAITING		32U

#define NETBACK_MULTICAST_MAX	64U

/* A frame in the staging memory, on its way. */
struct netback_frame {
	uint8_t *data;
	uint32_t bytes;
	uint16_t slots;		/* ring slots it takes, extras included */
	uint16_t extras;	/* of those; they follow the first */
	uint16_t copy, copies;	/* its pieces in the batch */
	int16_t status;		/* NETIF_RSP_* */
	struct pv_offload offload;
};

struct netback_queue {
	struct netback *nb;
	unsigned int index;
	struct netback_queue_record *record;
	struct pv_back_ring tx, rx;
	evtchn_port_t tx_port, rx_port;		/* ours; equal: one for both; 0: none */
	uint32_t tx_used, rx_used;		/* logged requests that were given to frames */
	/* Frames from the wire that the guest has not got yet: [rx_first, rx_count). */
	uint8_t *rx_waiting;			/* those that outlast a turn lie here */
	unsigned int rx_first, rx_count;
	bool rx_drained;			/* the wire had no more */
	unsigned int rx_lone;			/* turns in which it had exactly one frame, up to the last */
	unsigned int rx_vain;			/* turns after sending in which it had none, up to the last */
	struct netback_frame rx_frames[NETBACK_BATCH];
};

/* Bytes that may be sent in each interval. */
struct netback_rate {
	uint64_t bytes, interval;		/* ns; 0: no limit */
	uint64_t credit, next;			/* left; when it is refilled */
	struct pv_timer timer;
};

struct netback_multicast {
	bool wanted;				/* the frontend filters */
	unsigned int count;
	uint8_t address[NETBACK_MULTICAST_MAX][6];
};

/* Memory that all devices of a process share, as only one is served at a time. */
struct netback_shared {
	uint8_t *staging;
	struct netback_frame *tx_frames;
	struct pv_copy *copies;
};

struct netback {
	struct pv_xenbus bus;
	struct pv_domain *domain;
	struct netback_shared *shared;
	struct wire *wire;
	struct netback_record *record;
	struct pv_watch hotplug_watch, multicast_watch, rate_watch;
	bool broken;			/* to be closed at the end of this turn */
	bool connected;
	bool gone;			/* the frontend's directory vanished */
	bool resuming;			/* what fails now is tried again */
	unsigned int resumes;		/* how often it was */
	struct pv_timer resume;
	unsigned int queues_max;
	struct netback_rate rate;
	struct netback_multicast multicast;
	struct netback_queue *queue[NETBACK_QUEUES_MAX];
};

/* 0, or -XEN_ENOMEM and nothing is held. */
int netback_shared_open(struct netback_shared *shared, struct pv_domain *domain);
/* After the last device was closed. */
void netback_shared_close(struct netback_shared *shared, struct pv_domain *domain);

/*
 * Takes charge of the backend directory @path. @nb is zeroed but for ->shared, which is open; @record is zeroed, or what an earlier
 * process left, whose work on the rings is over. @queues_max is what the frontend is offered.
 * 0, or a negative error, and nothing is held.
 */
int netback_open(struct netback *nb, struct pv_domain *domain, const char *path, struct wire *wire,
		 struct netback_record *record, unsigned int queues_max);

/* Lets go of everything; a connected device stays so in store and record, for the next process. */
void netback_close(struct netback *nb);

/* Frames wait on the wire. True: call again soon. */
bool netback_wire_ready(struct netback *nb, unsigned int queue);

/* Somebody wrote into our directory: a toolstack asks so (state 5) for the device's end. */
void netback_poke(struct netback *nb);

/* The link's state, for the frontend. */
void netback_carrier(struct netback *nb, bool up);

/* --- Between the files --- */

/* Marks the device as broken (unless it is) and logs why. Returns -XEN_EINVAL. */
int netback_fail(struct netback_queue *q, const char *field, uint64_t value, const char *why);

/* Reads what the frontend asks for into the record; marks the device as broken if it makes no sense. */
int netback_read_frontend(struct netback *nb);
/* Maps the rings and binds the ports that the record names; netback_stop_queues() undoes it, also in part. */
int netback_start_queues(struct netback *nb);
void netback_stop_queues(struct netback *nb);
/* The end of a turn: a broken device lets go of its rings and is Closed. @more, or false if it was. */
bool netback_end_turn(struct netback *nb, bool more);
void netback_free_queues(struct netback *nb);

/*
 * Moves what the frontend put on a ring into @log, which has NETBACK_SLOTS places of the ring's slot size, and then
 * says so in *@taken. -XEN_EINVAL: its index is impossible.
 */
int netback_take(struct pv_back_ring *ring, void *log, uint32_t *taken);

/* One turn of a direction. True: there is more to do. */
bool netback_tx(struct netback_queue *q);
bool netback_rx(struct netback_queue *q);

/* Runs the first @count of the shared copies. 0, or an error of the whole call. */
int netback_copy(struct netback_queue *q, unsigned int count);

/* Reads "BYTES,MICROSECONDS"; anything else means no limit. */
void netback_rate_parse(struct netback_rate *rate, const char *text);
/* May @bytes be sent at @now? If not, @rate->next says when to ask again. */
bool netback_rate_take(struct netback_rate *rate, uint64_t now, uint32_t bytes);

int netback_multicast_add(struct netback_multicast *list, const uint8_t *address);
void netback_multicast_remove(struct netback_multicast *list, const uint8_t *address);
/* Is the frame one that the guest wants? */
bool netback_multicast_wants(const struct netback_multicast *list, const uint8_t *frame);

#endif
