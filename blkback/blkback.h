/* SPDX-License-Identifier: MIT */
/*
 * The block backend's core: one struct blkback for each virtual disk, the protocol of <xen/io/blkif.h>
 * without any call of an operating system. Its environment is <pv/port.h>, its disk medium.h, its
 * memory over a restart the records below.
 *
 * A backend may die at any instant. Whoever opens the device next takes its rings over from the
 * records: requests under way are done again, each is answered exactly once, and neither state nor
 * features change, so the frontend sees a pause and nothing else.
 *
 * The daemon (main.c) opens a device for each directory of its backend type, pokes it when something in
 * the directory changes, and closes it when blkback_finished() or when the directory is gone.
 */
#ifndef BLKBACK_H
#define BLKBACK_H

#include <pv/xenbus.h>
#include "medium.h"

/* The name below backend/: one that no kernel driver claims. */
#define BLKBACK_TYPE	"qblk"

struct blkback;

/*
 * Makes the backend of the directory @path. -XEN_ENOENT, -XEN_EINVAL: it describes no device;
 * -XEN_ENOMEM. A medium that cannot be opened is the device's failure, reported in the store.
 */
int blkback_open(struct blkback **device, struct pv_domain *domain, struct medium_host *host,
		 const char *path);

/*
 * @key of the device's own directory has changed: toolstacks ask so for removal ("state" 5, "online" 0),
 * for a look at the medium's size ("resize", any value), to let go of the medium for a while ("hold" 1; "holding" is the
 * answer), and how long a guest waits for an image's server ("patience").
 */
void blkback_poke(struct blkback *device, const char *key);

/* Closed, and not to come back: blkback_close() it. */
bool blkback_finished(const struct blkback *device);

/* The device's end, records included. Operations under way end first: -XEN_EBUSY, ask again. */
int blkback_close(struct blkback *device);

struct blkback_stats {
	uint64_t reads, writes, flushes, discards;	/* requests answered */
	uint64_t read_sectors, written_sectors;		/* of 512 bytes */
	uint64_t errors;				/* answered with an error */
	uint64_t taken_over;				/* requests found in a record */
	uint32_t in_flight, mapped_grants, queues;
};
void blkback_stats(const struct blkback *device, struct blkback_stats *stats);
const char *blkback_path(const struct blkback *device);

/*
 * Memory that outlives the process (a file in shared memory), found again by @name: @bytes of it, as an
 * earlier instance left it, or zeroed. NULL: cannot be had. Provided by the environment, as are the
 * two below.
 */
void *blkback_record_map(struct medium_host *host, const char *name, size_t bytes);
void blkback_record_unmap(struct medium_host *host, void *record, size_t bytes);
void blkback_record_remove(struct medium_host *host, const char *name);

#endif
