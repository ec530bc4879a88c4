/* SPDX-License-Identifier: MIT */
/*
 * A block frontend for guests without an operating system of their own: <xen/io/blkif.h> from the
 * guest's side, on <pv/port.h>.
 *
 *	blkfront_open(&disk, domain, "device/vbd/51712", &options, ready, arg);
 *	... the loop runs; ready() is called when the disk can be used, and when it cannot any more ...
 *	io->op = BLKFRONT_READ; ...; blkfront_submit(disk, io);		io->done(io) later
 *
 * The backend is not trusted: an answer that is none of ours, twice ours, or too many ends the device;
 * its operations then complete with -XEN_EIO.
 */
#ifndef PV_BLKFRONT_H
#define PV_BLKFRONT_H

#include <pv/port.h>

struct blkfront;

struct blkfront_options {
	unsigned int max_queues;	/* 0: one */
	unsigned int max_ring_order;	/* pages of each ring, logarithm to 2 */
	bool persistent;		/* offer persistent grants (data is copied then) */
	bool no_indirect;
	bool large_units;	/* feature-large-sector-size: only for backends known to mean it */
};

struct blkfront_info {
	uint64_t bytes;
	uint32_t sector;	/* offsets and lengths are multiples of it */
	uint32_t max_bytes;	/* of one operation */
	uint32_t queues, ring_pages;
	bool read_only, flush, discard, persistent, indirect;
};

enum blkfront_op { BLKFRONT_READ, BLKFRONT_WRITE, BLKFRONT_FLUSH, BLKFRONT_DISCARD };

/* One operation, in the caller's memory until done() is called. */
struct blkfront_io {
	struct blkfront_io *next;
	enum blkfront_op op;
	unsigned int queue;	/* taken modulo their number */
	uint64_t offset, bytes;	/* on the disk; flush: both 0 */
	void *data;		/* from pv_pages_alloc(); at a multiple of the sector in its page */
	int result;		/* 0, -XEN_EIO, -XEN_EOPNOTSUPP */
	bool stuck;		/* the backend keeps the pages: never use them again */
	void (*done)(struct blkfront_io *io);
	void *arg;
};

/* -XEN_ENOENT: there is no such device; -XEN_ENOMEM. */
int blkfront_open(struct blkfront **front, struct pv_domain *domain, const char *path,
		  const struct blkfront_options *options,
		  void (*ready)(void *arg, bool usable), void *arg);

/* False: not connected. */
bool blkfront_info(const struct blkfront *front, struct blkfront_info *info);

/*
 * Queues the operation, once the disk's shape is known (also while it reconnects); done() is never
 * called from inside. -XEN_EINVAL: not in the disk's bounds or alignment; -XEN_EIO: the device has ended.
 */
int blkfront_submit(struct blkfront *front, struct blkfront_io *io);

/* Sends what was submitted; called by itself too when answers come in. */
void blkfront_kick(struct blkfront *front);

/*
 * The domain is a new one in the place of the old (restored, migrated): all of the rings is void.
 * Connects anew and sends again what was not answered.
 */
void blkfront_resume(struct blkfront *front);

/*
 * Ends the device: what is under way is waited for, then the state is Closed, then the backend lets go of
 * our pages. -XEN_EBUSY: not yet, call again from the loop; @force: at once, pages that the backend
 * keeps being lost. 0: *front is no more.
 */
int blkfront_close(struct blkfront *front, bool force);

#endif
