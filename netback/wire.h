/* SPDX-License-Identifier: MIT */
/*
 * The wire: what a network backend puts a guest's frames on and takes them from. netback/tap.c makes
 * it a tap device of Linux; tests have one of their own. Chosen at link time.
 *
 * Nothing here blocks: a wire that can take no frame drops it, as wires do.
 */
#ifndef NETBACK_WIRE_H
#define NETBACK_WIRE_H

#include <pv/packet.h>

struct wire;

/* Bytes before every frame that the wire may write to (for a header of its own). */
#define WIRE_HEADROOM	16U

/* What may come out of the wire undone, as the frontend can take it. */
enum {
	WIRE_CSUM	= 1 << 0,	/* frames with `partial` */
	WIRE_TSO4	= 1 << 1,
	WIRE_TSO6	= 1 << 2,
};

/* Makes it @queues queues (numbered from 0). -errno: fewer remain, and those work. */
int wire_set_queues(struct wire *wire, unsigned int queues);
int wire_set_offloads(struct wire *wire, unsigned int offloads);

/* Puts a frame out. 0, or a negative error if it was dropped. */
int wire_send(struct wire *wire, unsigned int queue, uint8_t *frame, size_t bytes,
	      const struct pv_offload *offload);

/*
 * Between these two calls several frames are sent: who receives them may be let run once for all
 * rather than after each.
 */
void wire_begin_batch(struct wire *wire);
void wire_end_batch(struct wire *wire);

/* Takes the next frame: its length; 0: none is there; a negative error: none, and it may stay so. */
long wire_receive(struct wire *wire, unsigned int queue, uint8_t *frame, size_t room,
		  struct pv_offload *offload);

/* Whether netback_wire_ready() is to be called when frames wait. Off at first. */
void wire_listen(struct wire *wire, unsigned int queue, bool on);

#endif
