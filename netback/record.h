/* SPDX-License-Identifier: MIT */
/*
 * The in-flight record of a network device: memory that outlives the backend's process (a mapped
 * file), so that the next process can go on with the same rings.
 *
 * A ring alone does not tell what is pending: a response overwrites the request in its slot, and how many
 * requests were taken is private. So requests are copied into the log here first, then `taken` moves, and only
 * then is anything done with them. The responses published (rsp_prod in the ring) are the rest: what
 * lies between is pending, and is done again by the next process from the log. A frame may so be sent
 * or delivered twice, which networks allow; each request is answered exactly once.
 *
 * Written by the backend only; a reader (statistics) needs no lock, only patience with half updates.
 */
#ifndef NETBACK_RECORD_H
#define NETBACK_RECORD_H

#include <pv/types.h>
#include <xen/io/netif.h>

#define NETBACK_QUEUES_MAX	8U
#define NETBACK_SLOTS		256U	/* of each one-page ring */

#define NETBACK_RECORD_MAGIC	0x6b72746e	/* "ntrk" */
#define NETBACK_RECORD_VERSION	1U

/* What the frontend asked for; fixed while connected. */
enum {
	NETBACK_SG		= 1 << 0,	/* frames in several slots */
	NETBACK_CSUM4		= 1 << 1,	/* takes partial checksums */
	NETBACK_CSUM6		= 1 << 2,
	NETBACK_TSO4		= 1 << 3,
	NETBACK_TSO6		= 1 << 4,
};

/* Where a process may die with the record and the rings in between two states: tests make it die there. */
#ifdef TOOLS_TEST
void netback_point(void);
#else
static inline void netback_point(void) { }
#endif

struct netback_stats {
	uint64_t tx_frames, tx_bytes;	/* out of the guest */
	uint64_t rx_frames, rx_bytes;	/* into it */
	uint64_t tx_gso, rx_gso;	/* of those, to be segmented by the receiver */
	uint64_t tx_errors;		/* answered with an error: unusable headers, copy failed */
	uint64_t tx_dropped;		/* not taken by the wire */
	uint64_t rx_dropped;		/* not deliverable */
	uint64_t rx_stalls;		/* the guest had given too few buffers */
	uint64_t tx_throttled;		/* waits for the rate limit */
	uint64_t copies, copy_calls;	/* grant copies and the calls that batched them */
	uint64_t events_in, events_out;
};

struct netback_queue_record {
	grant_ref_t tx_ref, rx_ref;
	evtchn_port_t tx_port, rx_port;	/* the frontend's; equal: one for both */
	uint32_t tx_taken, rx_taken;
	struct netif_tx_request tx_log[NETBACK_SLOTS];
	struct netif_rx_request rx_log[NETBACK_SLOTS];
	struct netback_stats stats;
};

struct netback_record {
	uint32_t magic, version;
	uint32_t connected;		/* 1: all below is valid and the rings are in use */
	uint32_t features;
	uint32_t queues;
	uint32_t lives;			/* how often rings were connected or taken over */
	char wire[16];			/* the tap's name */
	struct netback_queue_record queue[NETBACK_QUEUES_MAX];
};

#endif
