/* SPDX-License-Identifier: MIT */
/*
 * Logs of guests' consoles: appended to, rotated, read back for viewers; and the record of the one
 * write in flight, which makes "into the log, then out of the ring" a single step for whoever looks
 * after a kill.
 */
#ifndef CONSOLED_SPOOL_H
#define CONSOLED_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include "ring.h"

#define SPOOL_PATH 256

/*
 * A log file. Its stream goes on over rotations: the byte at file offset f has position base + f.
 * Domains of the same name share one.
 */
struct spool {
	struct spool *next;
	unsigned int users;
	int fd;
	uint64_t base, size;
	uint64_t identity;	/* what tells the file from others */
	uint64_t lost;		/* bytes that no log took, since the last that one did */
	char path[SPOOL_PATH];
};

/*
 * Lives in shared memory; one is enough, as the daemon does one thing at a time. While @armed, the
 * bytes are wanted in the log at @offset, and the ring of @domid may or may not have given them up.
 */
struct inflight {
	uint32_t magic;
	uint32_t armed;
	uint32_t domid;
	uint32_t cons;		/* the ring's consumer index before */
	uint32_t length;
	uint32_t hypervisor;	/* index into the hypervisor's own ring */
	uint8_t handle[16];	/* the domain's, as its number may be taken by another */
	uint64_t offset, identity;
	char path[SPOOL_PATH];
	char bytes[RING_OUT_BYTES];
};

struct spool_limits {
	uint64_t bytes;		/* a file does not grow beyond */
	unsigned int files;	/* old ones kept: PATH.1 is the youngest */
};

/* The log at @path, opened or shared. NULL: cannot be (a note says why). */
struct spool *spool_get(struct spool **all, const char *path);
void spool_put(struct spool **all, struct spool *spool);
/* Opens all anew by name, after somebody has moved them away. */
void spool_reopen(struct spool *all);

/*
 * Appends; rotates before, if it would grow too big. A log that cannot be written (disk full)
 * counts what it lost and says so in its next successful line: guests do not wait for disks. 0, or
 * -errno: not logged.
 */
int spool_append(struct spool *spool, const struct spool_limits *limits, const void *bytes,
		 uint32_t length);

/* As spool_append(), in flight from here: spool_landed() when the ring has given the bytes up. */
int spool_append_inflight(struct spool *spool, const struct spool_limits *limits,
			  struct inflight *record, const char *bytes, uint32_t length,
			  domid_t domid, const uint8_t *handle, uint32_t cons);
void spool_landed(struct inflight *record);

/*
 * After a start: completes the log of what was in flight. True: record->{domid,handle,cons,length}
 * tell which ring to give up the bytes, if its index is still the one there; then spool_landed().
 */
bool spool_recover(struct inflight *record);

/* The stream's end; up to @room bytes from @*position on, which moves over what rotation took. */
uint64_t spool_end(const struct spool *spool);
long spool_read(const struct spool *spool, uint64_t *position, char *bytes, uint32_t room);

#endif
