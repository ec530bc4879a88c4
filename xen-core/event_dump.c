/* SPDX-License-Identifier: MIT */
/*
 * Debug key 'e': the event channels of every domain, what each is bound to, and
 * whether it is pending or masked. Waits for no lock, so that it can be used when
 * something hangs: a channel whose lock stays taken is only named.
 */
#include "event_private.h"
#include <core/softirq.h>

#define LOCK_TRIES	1000U
#define AT_ONCE		64U	/* between two looks at other work */

struct shown {
	struct evtchn chn;
	bool pending, masked, linked;
};

/* What chn is, of one moment: its guest may close it, or all of them, at any time. */
static bool take_picture(const struct domain *d, struct evtchn *chn, struct shown *s)
{
	unsigned long flags = local_irq_save();
	bool locked = spin_trylock(&chn->lock);

	for (unsigned int i = 0; i < LOCK_TRIES && !locked; i++) {
		cpu_relax();
		locked = spin_trylock(&chn->lock);
	}
	if (locked) {
		s->chn = *chn;
		s->linked = false;
		if (!evtchn_usable(chn)) {
			s->pending = s->masked = false;
		} else if (d->evtchn_fifo) {
			s->pending = evtchn_fifo_is_pending(d, chn);
			s->masked = evtchn_fifo_is_masked(d, chn);
			s->linked = evtchn_fifo_is_busy(d, chn);
		} else {
			s->pending = evtchn_2l_is_pending(d, chn->port);
			s->masked = evtchn_2l_is_masked(d, chn->port);
		}
		spin_unlock(&chn->lock);
	}
	local_irq_restore(flags);
	return locked;
}

static void dump_port(const struct domain *d, struct evtchn *chn)
{
	static const char *const states[] = {
		"free", "reserved", "unbound", "interdomain", "pirq", "virq", "ipi",
	};
	struct shown s;

	if (!take_picture(d, chn, &s)) {
		printk("  %4u is locked\n", chn->port);
		return;
	}
	if (!evtchn_usable(&s.chn))
		return;
	printk("  %4u [%c%c%c] v%u %s", s.chn.port, s.pending ? 'p' : '-', s.masked ? 'm' : '-',
	       s.linked ? 'l' : '-', s.chn.notify_vcpu_id, states[s.chn.state]);
	switch (s.chn.state) {
	case ECS_unbound:
		printk(" for d%u", s.chn.unbound_domid);
		break;
	case ECS_interdomain:
		printk(" %pd:%u", s.chn.remote_dom, s.chn.remote_port);
		break;
	case ECS_pirq:
		printk(" %u", s.chn.pirq);
		break;
	case ECS_virq:
		printk(" %u", s.chn.virq);
		break;
	}
	printk("\n");
}

void events_dump(unsigned char key __maybe_unused)
{
	struct domain *d;

	for_each_domain(d) {
		printk("Event channels of %pd (%s; pending, masked, linked):\n", d,
		       read_once(d->evtchn_fifo) ? "FIFO" : "2-level");
		for (unsigned int port = 1; port < d->valid_evtchns; port++) {
			dump_port(d, evtchn_from_port(d, port));
			if (!(port % AT_ONCE))
				process_pending_softirqs();
		}
	}
}
