/* SPDX-License-Identifier: MIT */
/*
 * Event channels: the upcall, handlers per port, masks; 2-level ABI, or FIFO after
 * event_use_fifo().
 *
 * Guests start with upcalls masked on vcpu 0; event_enable() opens them. A port is masked until
 * event_set_handler() or event_unmask(). Without a handler a delivered event is only counted.
 */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include <guest/cpu.h>
#include <guest/hypercall.h>
#include <guest/start.h>

struct trap_frame;

typedef void (*event_handler_t)(evtchn_port_t port);

#define EVENT_MAX_PORTS	4096

static inline struct vcpu_info *this_vcpu_info(void)
{
	return &shared_info->vcpu_info[this_cpu()->id];
}

void event_init(void);

/* Deliver everything pending: called by the upcall entry. */
void event_upcall(struct trap_frame *frame);

void event_disable(void);	/* mask this vcpu's upcalls */
void event_enable(void);	/* unmask, and take what is pending */

/* Set a port's handler (NULL: none) and unmask it. */
void event_set_handler(evtchn_port_t port, event_handler_t handler);

/* How often the port was delivered since event_set_handler(). */
unsigned long event_count(evtchn_port_t port);

/* The port's bits, in whichever ABI is in use. */
bool event_pending(evtchn_port_t port);
bool event_masked(evtchn_port_t port);
void event_mask(evtchn_port_t port);
void event_clear(evtchn_port_t port);

/* Unmask; a pending event is delivered (by EVTCHNOP_unmask). */
void event_unmask(evtchn_port_t port);

/* One-call wrappers: a port >= 0, or the negative error. */
long event_alloc_unbound(domid_t dom, domid_t remote);
long event_bind_interdomain(domid_t remote, evtchn_port_t port);
long event_bind_virq(unsigned int virq, unsigned int vcpu);
long event_bind_ipi(unsigned int vcpu);
long event_send(evtchn_port_t port);
long event_close(evtchn_port_t port);

/* EVTCHNOP_status of our own port: the EVTCHNSTAT_* or a negative error. */
long event_status(evtchn_port_t port, struct evtchn_status *status);

/* A pair of ports bound to each other in this domain. 0 or a negative error. */
long event_self_pair(evtchn_port_t *a, evtchn_port_t *b);

/* Switch this domain to the FIFO ABI (fifo.c). 0 or a negative error. */
long event_use_fifo(void);

#endif
