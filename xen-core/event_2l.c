/* SPDX-License-Identifier: MIT */
/*
 * The 2-level port ABI: a pending and a mask bit per port in shared_info, and
 * per vcpu a selector word that says which words of pending bits to look at.
 * Source: <xen/xen.h>, struct shared_info.
 */
#include "event_private.h"

#define BITS_PER_WORD	(sizeof(xen_ulong_t) * 8)

/* The order is the ABI's: pending bit, then mask looked at, then selector, then upcall. */
bool evtchn_2l_set_pending(struct vcpu *v, unsigned int port)
{
	struct domain *d = v->domain;
	struct shared_info *s = d->shared_info;
	bool masked;

	if (test_and_set_bit(port, s->evtchn_pending))
		return true;
	masked = test_bit(port, s->evtchn_mask);
	if (!masked && !test_and_set_bit(port / BITS_PER_WORD, &v->vcpu_info->evtchn_pending_sel))
		vcpu_mark_events_pending(v);
	evtchn_check_pollers(d, port);
	return masked;
}

void evtchn_2l_clear_pending(struct domain *d, unsigned int port)
{
	clear_bit(port, d->shared_info->evtchn_pending);
}

void evtchn_2l_unmask(struct vcpu *v, unsigned int port)
{
	struct shared_info *s = v->domain->shared_info;

	if (test_and_clear_bit(port, s->evtchn_mask) && test_bit(port, s->evtchn_pending) &&
	    !test_and_set_bit(port / BITS_PER_WORD, &v->vcpu_info->evtchn_pending_sel))
		vcpu_mark_events_pending(v);
}

bool evtchn_2l_is_pending(const struct domain *d, unsigned int port)
{
	return port < MAX_EVTCHNS_2L && test_bit(port, d->shared_info->evtchn_pending);
}

bool evtchn_2l_is_masked(const struct domain *d, unsigned int port)
{
	return port >= MAX_EVTCHNS_2L || test_bit(port, d->shared_info->evtchn_mask);
}
