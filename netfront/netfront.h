/* SPDX-License-Identifier: MIT */
/*
 * The frontend of a network device (<xen/io/netif.h>), freestanding: its environment is <pv/port.h>.
 *
 *	netfront_open(&nf, domain, "device/vif/0", &options);	then run the environment's loop
 *	options.changed(arg)			the card works now, or not any more: netfront_ready()
 *	netfront_send(&nf, queue, frame, bytes, &offload, false)
 *	options.receive(arg, frame, bytes, &offload)
 *
 * The backend is not trusted. It sees dedicated pages only, granted once and copied from and to: no grant
 * is ever given or taken back per frame, and what is handed up is a private copy. An index, id, size or flag that
 * it cannot mean ends the device with one line in the log; it does not end the guest.
 */
#ifndef NETFRONT_H
#define NETFRONT_H

#include <pv/packet.h>
#include <pv/port.h>
#include <pv/ring.h>
#include <pv/xenbus.h>
#include <xen/io/netif.h>

#define NETFRONT_QUEUES_MAX	8U
#define NETFRONT_SLOTS		256U	/* of each ring; also the most buffers each way */
#define NETFRONT_FRAME_SLOTS	18U	/* what every backend takes (XEN_NETIF_NR_SLOTS_MIN) */

struct netfront_options {
	/* A frame has come; its memory is good until this returns. Not to close the device in. */
	void (*receive)(void *arg, uint8_t *frame, uint32_t bytes, const struct pv_offload *offload);
	/* netfront_ready() or netfront_link() has changed, or there is room again after -XEN_EAGAIN. */
	void (*changed)(void *arg);
	void *arg;
	unsigned int queues;	/* at most; 0: one */
	unsigned int buffers;	/* pages each way and queue, a power of two from 32 to 256; 0: 256 */
	bool no_partial;	/* the receiver cannot finish checksums: it is done here */
	bool no_gso;		/* nor take segments to be merged or cut */
	bool no_split;		/* one event channel for both directions */
};

struct netfront;

/* One queue: both rings, and the pages that the backend may see. */
struct netfront_queue {
	struct netfront *nf;
	unsigned int index;
	struct pv_front_ring tx, rx;
	evtchn_port_t tx_port, rx_port;		/* equal: one for both; 0: none */
	grant_ref_t tx_ring_ref, rx_ring_ref;
	bool tx_ring_shared, rx_ring_shared;
	uint8_t *tx_pages, *rx_pages;		/* nf->buffers each */
	grant_ref_t tx_refs[NETFRONT_SLOTS], rx_refs[NETFRONT_SLOTS];
	unsigned int tx_shared, rx_shared;	/* how many of them are granted */
	bool tx_busy[NETFRONT_SLOTS];		/* the backend has it */
	uint8_t tx_free[NETFRONT_SLOTS];	/* stack of pages that it has not */
	unsigned int tx_free_count;
	unsigned int tx_extras;			/* slots under way that hold no page */
	bool tx_waiting;			/* somebody was told to wait */
};

struct netfront_stats {
	uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes;
	uint64_t tx_gso, rx_gso, tx_errors, rx_errors, tx_full;
	uint64_t events;
};

struct netfront {
	struct pv_xenbus bus;
	struct pv_domain *domain;
	struct netfront_options options;
	struct pv_watch carrier_watch;
	struct pv_timer retry;			/* for pages that the backend still holds */
	bool broken, ready, link;
	unsigned int queues, buffers;
	/* What the backend can take. */
	bool sg, tso4, tso6, csum4, csum6, split;
	uint8_t mac[6];
	uint16_t mtu;
	uint8_t *scratch, *tx_scratch;		/* a frame each, private */
	struct netfront_queue *queue[NETFRONT_QUEUES_MAX];
	struct netfront_stats stats;
};

/*
 * Takes charge of the device whose directory is @path (relative to the domain's own, or absolute).
 * @nf is zeroed. 0, or a negative error and nothing is held.
 */
int netfront_open(struct netfront *nf, struct pv_domain *domain, const char *path,
		  const struct netfront_options *options);

/*
 * Says good-bye to the backend and gives everything back. -XEN_EBUSY: it still holds pages; call again
 * later.
 */
int netfront_close(struct netfront *nf);

/*
 * The domain is a new one in the place of the old (restored, migrated): rings, ports and grants are void. Connects
 * anew; frames under way are lost.
 */
void netfront_resume(struct netfront *nf);

/* Can frames be sent? */
bool netfront_ready(const struct netfront *nf);
/* Has the backend a link? */
bool netfront_link(const struct netfront *nf);

/*
 * Sends a frame; @offload says what is left to the backend (NULL: nothing). @more: another follows at once,
 * the backend need not be told yet. -XEN_EAGAIN: no room now, changed() will be called;
 * -XEN_EINVAL: not a frame that can be sent here (too long, offload not offered); -XEN_ENOTCONN.
 */
int netfront_send(struct netfront *nf, unsigned int queue, const uint8_t *frame, uint32_t bytes,
		  const struct pv_offload *offload, bool more);

/* --- Between the files --- */

int netfront_fail(struct netfront_queue *q, const char *field, uint64_t value, const char *why);
/* Ends a broken device's life; returns whether it is alive. */
bool netfront_end_turn(struct netfront *nf);
/* The same from the loop, as the queues are in use. */
void netfront_end_soon(struct netfront *nf);

/* Grants all pages, fills the receive ring, opens the ports. netfront_queue_stop() undoes it, also in part. */
int netfront_queue_start(struct netfront_queue *q);
/* False: the backend still holds pages of it; to be called again. */
bool netfront_queue_stop(struct netfront_queue *q);
int netfront_queue_alloc(struct netfront *nf, unsigned int index);
void netfront_queue_free(struct netfront *nf, unsigned int index);

/* Takes responses. netfront_receive() is true when its budget ran out. */
void netfront_reclaim(struct netfront_queue *q);
bool netfront_receive(struct netfront_queue *q);
/* Fills and pushes the receive ring; once at the start. */
void netfront_post(struct netfront_queue *q);

#endif
