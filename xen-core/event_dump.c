/* SPDX-License-Identifier: MIT */
/*
 * Debug key 'e': the event channels of every domain, what each is bound to, and
 * whether it is pending or masked. Takes no locks, so that it can be used when
 * something hangs; what changes meanwhile may be shown wrongly.
 */
#include "event_private.h"

static void dump_port(const struct domain *d, const struct evtchn *chn)
{
	static const char *const states[] = {
		"free", "reserved", "unbound", "interdomain", "pirq", "virq", "ipi",
	};
	bool pending = d->evtchn_fifo ? evtchn_fifo_is_pending(d, chn) :
					evtchn_2l_is_pending(d, chn->port);
	bool masked = d->evtchn_fifo ? evtchn_fifo_is_masked(d, chn) :
				       evtchn_2l_is_masked(d, chn->port);

	printk("  %4u [%c%c%c] v%u %s", chn->port, pending ? 'p' : '-', masked ? 'm' : '-',
	       d->evtchn_fifo && evtchn_fifo_is_busy(d, chn) ? 'l' : '-', chn->notify_vcpu_id,
	       states[chn->state]);
	switch (chn->state) {
	case ECS_unbound:
		printk(" for d%u", chn->unbound_domid);
		break;
	case ECS_interdomain:
		printk(" %pd:%u", chn->remote_dom, chn->remote_port);
		break;
	case ECS_pirq:
		printk(" %u", chn->pirq);
		break;
	case ECS_virq:
		printk(" %u", chn->virq);
		break;
	}
	printk("\n");
}

void events_dump(unsigned char key __maybe_unused)
{
	struct domain *d;

	for_each_domain(d) {
		printk("Event channels of %pd (%s; pending, masked, linked):\n", d,
		       d->evtchn_fifo ? "FIFO" : "2-level");
		for (unsigned int port = 1; port < d->valid_evtchns; port++) {
			const struct evtchn *chn = evtchn_from_port(d, port);

			if (evtchn_usable(chn))
				dump_port(d, chn);
		}
	}
}
