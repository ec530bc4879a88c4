/* SPDX-License-Identifier: MIT */
/*
 * The console ring of <xen/io/console.h> from the daemon's side, with a guest that may write
 * anything into it at any time: indices are read once, judged, and only the local copies are used.
 */
#ifndef CONSOLED_RING_H
#define CONSOLED_RING_H

#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/console.h>

#define RING_OUT_BYTES sizeof(((struct xencons_interface *)0)->out)

/*
 * Copies what the guest has written to @bytes (room for RING_OUT_BYTES) without consuming it;
 * *@cons is the consumer index it starts at. The count; -EPROTO: indices that no ring can have.
 */
int ring_peek(const struct xencons_interface *ring, char *bytes, XENCONS_RING_IDX *cons);

/* Gives everything before @cons back to the guest. */
void ring_consume(struct xencons_interface *ring, XENCONS_RING_IDX cons);

/* How many bytes can be typed now; 0 too where the indices are impossible. */
unsigned int ring_room(const struct xencons_interface *ring);

/* Types @length bytes, at most ring_room(); the count taken. */
unsigned int ring_type(struct xencons_interface *ring, const char *bytes, unsigned int length);

#endif
