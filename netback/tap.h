/* SPDX-License-Identifier: MIT */
/*
 * The wire as a tap device of Linux: named by the toolstack's rule (vifD.N), with checksums and
 * segmentation left to either side (virtio's header), several queues, and a life longer than our
 * process, so that it keeps its place on the bridge.
 */
#ifndef NETBACK_TAP_H
#define NETBACK_TAP_H

#include "wire.h"

/*
 * Attaches to tap @name, creating it if there is none. @ready is called with @arg when frames wait
 * on a queue that listens. 0, or a negative error; *wire out.
 */
int tap_open(struct wire **wire, struct pv_domain *domain, const char *name,
	     bool (*ready)(void *arg, unsigned int queue), void *arg);

/* Lets go of the tap; @destroy: it vanishes with us. */
void tap_close(struct wire *wire, bool destroy);

/* Its name now: scripts may rename it. */
int tap_name(struct wire *wire, char *name, size_t room);

/* Brings it up, where no script does. */
int tap_set_up(struct wire *wire);

/* Is it up? */
bool tap_is_up(struct wire *wire);

#endif
