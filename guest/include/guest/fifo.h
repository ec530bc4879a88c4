/* SPDX-License-Identifier: MIT */
/*
 * The FIFO event ABI, behind event.h; tests of the ABI itself use these directly.
 */
#ifndef GUEST_FIFO_H
#define GUEST_FIFO_H

#include <guest/types.h>

#include <xen/event_channel.h>

/*
 * Register a control block for every online vcpu and one event array page. 0 or a negative error.
 */
long fifo_init(void);

/* Register the calling vcpu's control block. */
long fifo_init_cpu(unsigned int vcpu);

/* Add one page (1,024 ports) to the event array. */
long fifo_expand(void);

/* Consume this vcpu's ready queues, highest priority first. */
void fifo_drain(void (*deliver)(evtchn_port_t port));

bool fifo_pending(evtchn_port_t port);
bool fifo_masked(evtchn_port_t port);
void fifo_mask(evtchn_port_t port);
void fifo_clear(evtchn_port_t port);

#endif
