/* SPDX-License-Identifier: MIT */
/*
 * What event_channel.c shares with the two ways in which a guest sees its
 * ports: event_2l.c (bitmaps in shared_info) and event_fifo.c (linked queues).
 *
 * Locks. d->event_lock orders everything that allocates, binds or closes ports
 * of d. A channel's own lock guards its state, and is all that a send takes:
 * whoever changes a channel's state holds the event_lock *and* the channel's
 * lock, and for an interdomain channel both ends' locks. So the holder of one
 * end's lock may use the other end, too: it cannot be closed meanwhile.
 * Channel locks are taken with interrupts off.
 */
#ifndef XEN_CORE_EVENT_PRIVATE_H
#define XEN_CORE_EVENT_PRIVATE_H

#include <core/event.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/domain.h>
#include <arch/atomic.h>
#include <arch/barrier.h>

enum evtchn_state {
	ECS_free,
	ECS_reserved,		/* port 0 */
	ECS_unbound,		/* waits for the domain `unbound_domid` */
	ECS_interdomain,
	ECS_pirq,
	ECS_virq,
	ECS_ipi,
};

struct evtchn {
	spinlock_t lock;
	uint8_t state;			/* enum evtchn_state */
	uint8_t priority;		/* FIFO: queue of the next event */
	uint8_t last_priority;		/* FIFO: queue it was last linked to ... */
	bool pending;			/* FIFO: raised before its array page existed */
	uint16_t notify_vcpu_id;
	uint16_t last_vcpu_id;		/* ... of this vcpu; under that vcpu's queue lock */
	uint32_t port;			/* (c) */
	union {
		uint32_t remote_port;	/* interdomain */
		uint32_t pirq;
		uint32_t virq;
	};
	union {
		struct domain *remote_dom;	/* interdomain */
		domid_t unbound_domid;
		/* pirq ports of one vcpu; 0 = end */
		struct { uint32_t next, prev; } pirq_list;
	};
};

#define EVTCHNS_PER_BUCKET	64U
#define MAX_EVTCHNS_2L		((unsigned int)EVTCHN_2L_NR_CHANNELS)
#define MAX_EVTCHNS_FIFO	((unsigned int)EVTCHN_FIFO_NR_CHANNELS)

/* The channel of a port, NULL if d has never had so many. Valid as long as d. */
static inline struct evtchn *evtchn_from_port(const struct domain *d, unsigned int port)
{
	if (unlikely(port >= atomic_load(&d->valid_evtchns)))
		return NULL;
	return d->evtchn_buckets[port / EVTCHNS_PER_BUCKET] + port % EVTCHNS_PER_BUCKET;
}

/* Bound or waiting to be: a port that means something to the guest. Channel or event lock. */
static inline bool evtchn_usable(const struct evtchn *chn)
{
	return chn->state > ECS_reserved;
}

/* ---- event_2l.c ---- */
bool evtchn_2l_set_pending(struct vcpu *v, unsigned int port);
void evtchn_2l_clear_pending(struct domain *d, unsigned int port);
void evtchn_2l_unmask(struct vcpu *v, unsigned int port);
bool evtchn_2l_is_pending(const struct domain *d, unsigned int port);
bool evtchn_2l_is_masked(const struct domain *d, unsigned int port);

/* ---- event_fifo.c ---- */
bool evtchn_fifo_set_pending(struct vcpu *v, struct evtchn *chn);
void evtchn_fifo_clear_pending(struct domain *d, struct evtchn *chn);
void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn);
bool evtchn_fifo_is_pending(const struct domain *d, const struct evtchn *chn);
bool evtchn_fifo_is_masked(const struct domain *d, const struct evtchn *chn);
/* Still linked in a queue: the port must not be used anew yet. */
bool evtchn_fifo_is_busy(const struct domain *d, const struct evtchn *chn);
int evtchn_fifo_init_control(struct evtchn_init_control *op);
int evtchn_fifo_expand_array(const struct evtchn_expand_array *op);
/* Back to 2-level: no channel is open, the event_lock is held (or nobody looks). */
void evtchn_fifo_destroy(struct domain *d);

/* ---- event_channel.c ---- */
/* May current act on d's event channels? 0 or -EPERM. */
int evtchn_permitted_on(const struct domain *d);
/* EVTCHNOP_*: arg is the operation's structure, copied in. */
long evtchn_alloc_unbound(void *arg);
long evtchn_bind_interdomain(void *arg);
long evtchn_bind_virq(void *arg);
long evtchn_bind_ipi(void *arg);
long evtchn_bind_pirq(void *arg);
long evtchn_close(void *arg);
/* Wakes vcpus of d that poll for this port. */
void evtchn_wake_pollers(struct domain *d, unsigned int port);
static inline void evtchn_check_pollers(struct domain *d, unsigned int port)
{
	if (unlikely(d->poll_mask[0] | d->poll_mask[1]))
		evtchn_wake_pollers(d, port);
}

/*
 * Makes the port pending and tells vcpu. True if that changed nothing, because
 * it was pending already, or masked. The channel's, or the other end's, lock is held.
 */
static inline bool evtchn_set_pending(struct domain *d, unsigned int vcpu_id, struct evtchn *chn)
{
	struct vcpu *v = d->vcpu[vcpu_id];

	if (d->evtchn_fifo)
		return evtchn_fifo_set_pending(v, chn);
	return evtchn_2l_set_pending(v, chn->port);
}

static inline bool virq_is_global(unsigned int virq)
{
	switch (virq) {
	case VIRQ_TIMER:
	case VIRQ_DEBUG:
	case VIRQ_XENOPROF:
	case VIRQ_XENPMU:
		return false;
	default:
		return true;
	}
}

#endif
