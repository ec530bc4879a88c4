/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupts: sending them, and who handles the global ones. A virq's
 * port is found without a lock; the channel's lock then shows whether it is
 * still that virq's.
 */
#include "event_private.h"

static void send_virq(struct vcpu *v, unsigned int virq)
{
	unsigned int port = read_once(v->virq_to_evtchn[virq]);
	struct domain *d = v->domain;
	struct evtchn *chn;
	unsigned long flags;

	if (!port)
		return;
	chn = evtchn_from_port(d, port);
	spin_lock_irqsave(&chn->lock, flags);
	if (likely(chn->state == ECS_virq && chn->virq == virq))
		evtchn_set_pending(d, chn->notify_vcpu_id, chn);
	spin_unlock_irqrestore(&chn->lock, flags);
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq)
{
	send_virq(v, virq);
}

void send_guest_global_virq(struct domain *d, unsigned int virq)
{
	struct vcpu *v = d ? domain_vcpu(d, 0) : NULL;

	if (v)
		send_virq(v, virq);
}

bool evtchn_virq_enabled(const struct vcpu *v, unsigned int virq)
{
	if (v && virq_is_global(virq) && v->vcpu_id)
		v = domain_vcpu(v->domain, 0);
	return v && read_once(v->virq_to_evtchn[virq]);
}

/* A handler other than the hardware domain; each holds a reference. */
static struct domain *virq_handlers[NR_VIRQS];
static DEFINE_SPINLOCK(virq_handlers_lock, LOCK_ANY);

void send_global_virq(unsigned int virq)
{
	struct domain *d = read_once(virq_handlers[virq]);

	send_guest_global_virq(d ? d : hardware_domain, virq);
}

int set_global_virq_handler(struct domain *d, unsigned int virq)
{
	struct domain *old;

	if (virq >= NR_VIRQS || !virq_is_global(virq))
		return -EINVAL;
	if (virq_handlers[virq] == d)
		return 0;
	if (!domain_get(d))
		return -EINVAL;
	spin_lock(&virq_handlers_lock);
	old = virq_handlers[virq];
	virq_handlers[virq] = d;
	spin_unlock(&virq_handlers_lock);
	if (old)
		domain_put(old);
	return 0;
}

void clear_global_virq_handlers(struct domain *d)
{
	unsigned int refs = 0;

	spin_lock(&virq_handlers_lock);
	for (unsigned int virq = 0; virq < NR_VIRQS; virq++) {
		if (virq_handlers[virq] == d) {
			virq_handlers[virq] = NULL;
			refs++;
		}
	}
	spin_unlock(&virq_handlers_lock);
	while (refs--)
		domain_put(d);
}
