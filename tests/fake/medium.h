/* SPDX-License-Identifier: MIT */
/*
 * Disks in memory for the block backend in the fake world, behind blkback/medium.h: operations complete
 * later, in an order and in groups drawn from the world's seed. Also the memory that outlives a
 * backend (its records), and what becomes of a dead one's operations.
 */
#ifndef FAKE_MEDIUM_H
#define FAKE_MEDIUM_H

#include <world.h>
#include "../../blkback/blkback.h"

/* @owner: the backend's domain, whose timers drive completions. */
struct medium_host *fake_host_new(struct pv_domain *owner);

/* Frees it with its disks and records. Nonzero: operations or media were left over (printed). */
unsigned int fake_host_free(struct medium_host *host);

/* A disk that medium_open() finds by this path. Its bytes; NULL: no memory. */
unsigned char *fake_disk(struct medium_host *host, const char *path, uint64_t bytes,
			 uint32_t sector);

/* It lies behind @before bytes that must not be touched: a large disk of which only the end is used. */
void fake_disk_move(struct medium_host *host, const char *path, uint64_t before);

/* Its size from now on (up to the first one, whose memory it has). */
void fake_disk_resize(struct medium_host *host, const char *path, uint64_t bytes);

/* Its next @count operations fail with @error (negative). */
void fake_disk_fail(struct medium_host *host, const char *path, unsigned int count, int error);

/* It cannot be opened (negative), or can again (0). */
void fake_disk_refuse(struct medium_host *host, const char *path, int error);

/* How often it is open now. */
unsigned int fake_disk_opens(struct medium_host *host, const char *path);

/* Flushes that it has completed. */
unsigned int fake_disk_flushes(struct medium_host *host, const char *path);

/*
 * The backend's process died: each operation under way reaches the disk or not, as the seed says. The
 * media are locked for some time yet (medium_open says -XEN_EAGAIN to the same fence).
 */
void fake_host_killed(struct medium_host *host);

/* Records in being; the device's end removes its own. */
unsigned int fake_host_records(const struct medium_host *host);

/* Calls to medium_open() and blkback_record_map() fail like port calls: the n-th from now (0: none). */
void fake_host_fail(struct medium_host *host, unsigned long nth);

#endif
