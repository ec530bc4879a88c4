/* SPDX-License-Identifier: MIT */
/*
 * What the backend's core asks of a disk's medium: asynchronous reads, writes, flushes and discards.
 *
 * file_io.c implements it on files and block devices, tests/fake/medium.c in memory; chosen at link
 * time. Completions are reported from the environment's loop, never inside medium_submit(): first
 * io->done for each, then batch_done once for what came together.
 */
#ifndef BLKBACK_MEDIUM_H
#define BLKBACK_MEDIUM_H

#include <pv/port.h>

struct medium;
struct medium_host;		/* what all media of a process share */

enum medium_op {
	MEDIUM_READ, MEDIUM_WRITE, MEDIUM_FLUSH, MEDIUM_DISCARD,
	MEDIUM_FORGET,	/* file_io.c's own: what the page cache has of the file is dropped */
};

struct medium_piece {		/* as struct iovec */
	void *base;
	size_t bytes;
};

/* One operation, in the caller's memory until done is called. */
struct medium_io {
	struct medium_io *next;
	enum medium_op op;
	uint64_t offset, bytes;		/* on the medium; bytes is the sum of the pieces', or what to discard */
	struct medium_piece *pieces;	/* reads and writes: at least one */
	unsigned int nr_pieces;
	int result;			/* out: 0, or a negative XEN_E* (EOPNOTSUPP is told apart) */
	void (*done)(struct medium_io *io);
};

/* How a disk may be shared with other users of the same file. */
enum medium_mode {
	MEDIUM_READ_ONLY,	/* "r": others may read */
	MEDIUM_EXCLUSIVE,	/* "w": nobody else */
	MEDIUM_SHARED_WRITE,	/* "w!": the owner takes responsibility */
};

struct medium_spec {
	const char *path;
	const char *format;	/* "raw", or what another program shall parse: "qcow2" */
	enum medium_mode mode;
	uint64_t fence;		/* one number for each device: no two instances of its backend at once */
	const char *name;	/* the device, for the log */
	bool taken_over;	/* an earlier instance had it open: what that left behind is to be used */
	void (*batch_done)(void *arg);
	void (*changed)(void *arg);	/* its size did, some time after medium_resize() */
	void *arg;
};

struct medium_info {
	uint64_t bytes;
	uint32_t sector;		/* the medium's own: 512 or 4096 */
	uint32_t discard_granularity;	/* bytes; 0: cannot discard */
	uint32_t discard_alignment;
	bool read_only;
};

/*
 * -XEN_EAGAIN: an earlier instance's I/O is still under way (ask again soon); -XEN_EBUSY: somebody
 * else uses the file in a way that the mode excludes; else why it cannot be opened.
 */
int medium_open(struct medium **medium, struct medium_host *host, const struct medium_spec *spec,
		struct medium_info *info);

/* Only when nothing is under way. */
void medium_close(struct medium *medium);

/*
 * Memory from and to which this medium's operations cost less than with any other; one for each medium. NULL:
 * none. To be freed before the medium is closed.
 */
void *medium_memory_alloc(struct medium *medium, size_t bytes);
void medium_memory_free(struct medium *medium, void *memory, size_t bytes);

/* Is another program still at work on what was opened with this fence and closed? */
bool medium_lingers(struct medium_host *host, uint64_t fence);

/* What an earlier instance left behind for the device of this fence is of no use any more. */
void medium_forget(struct medium_host *host, uint64_t fence);

/*
 * Where another program serves the medium: how many seconds its operations wait for one that can be started
 * (0: for ever) before they fail. medium_expire(): those under way and all later ones do not wait any more.
 */
void medium_patience(struct medium *medium, uint32_t seconds);
void medium_expire(struct medium *medium);

/* To be made @bytes large, if the medium can do that by itself: an image in a format of its own. */
void medium_resize(struct medium *medium, uint64_t bytes);

/* Size and so on now; the file may have grown. */
void medium_refresh(struct medium *medium, struct medium_info *info);

/* Starts an operation, at the latest at the next medium_kick(). */
void medium_submit(struct medium *medium, struct medium_io *io);
void medium_kick(struct medium *medium);

#endif
