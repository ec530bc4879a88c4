/* SPDX-License-Identifier: MIT */
/*
 * The medium on files and block devices: what the daemon sets up once, and what file_io.c and its two
 * engines (uring.c, workers.c) have between them.
 *
 * An engine runs operations without blocking the daemon and reports them from the daemon's loop:
 * io_uring where the kernel has it, else a few threads.
 */
#ifndef BLKBACK_FILE_IO_H
#define BLKBACK_FILE_IO_H

#include <pv/linux.h>
#include "blkback.h"

/* @records: the directory of the in-flight records. -errno. */
int file_io_open(struct medium_host **host, struct pv_domain *domain, const char *records);
void file_io_close(struct medium_host *host);

/* Does without io_uring although there is one; before any medium is open. -errno. */
int file_io_use_threads(struct medium_host *host);

/* One system call's worth of an operation. */
struct file_op {
	struct file_op *next;
	struct medium *medium;	/* NULL: nobody's */
	struct medium_io *io;
	int fd;
	int slot;		/* of registered memory, which all of it goes to or comes from; or -1 */
	int result;		/* bytes, 0, or -errno */
};

/* Called by the engine in the loop for each finished operation, then once for what came together. */
void file_op_done(struct file_op *op);
void file_ops_done(struct medium_host *host);

/* An engine has failed: operations that it has not begun are done by the other one, and all later ones. */
void file_ops_move(struct medium_host *host, struct file_op *ops);

/* Engines. Neither submit blocks; what one kick covers is seen by the kernel at once. */
struct uring;
int uring_open(struct uring **uring, struct pv_domain *domain, struct medium_host *host);
void uring_close(struct uring *uring);
void uring_submit(struct uring *uring, struct file_op *op);
void uring_kick(struct uring *uring);
/* Takes what has completed already; at the end of a round, so that the loop need not wait to hear of it. */
void uring_reap(struct uring *uring);
/* Lets the kernel hold on to memory instead of looking it up for each operation: a slot, or -errno. */
int uring_register(struct uring *uring, void *memory, size_t bytes);
void uring_unregister(struct uring *uring, int slot);

struct workers;
int workers_open(struct workers **workers, struct pv_domain *domain, struct medium_host *host);
void workers_close(struct workers *workers);
void workers_submit(struct workers *workers, struct file_op *op);

#endif
