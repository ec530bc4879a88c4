/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain, in three phases.
 *
 * 1. domain_kill(), from the destroydomain domctl, in preemptible steps: the
 *    vcpus are stopped, event channels closed, grant mappings dropped, memory
 *    given back. Nothing here waits for the guest to do anything.
 * 2. As long as others hold references (a tool that still maps its shared_info
 *    or its memory) it stays in the list as a zombie; the last domain_put()
 *    takes it out.
 * 3. When no CPU can still be looking at it (core/quiesce.h), the rest is freed.
 *
 * The tools are told (VIRQ_DOM_EXC) after 1 and after 3.
 */
#include "domain_private.h"
#include <core/event.h>
#include <core/grant_table.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/irq.h>

/* ---- the last phase ---- */

static void domain_free(struct quiesce_head *head)
{
	struct domain *d = container_of(head, struct domain, quiesce);

	sync_local_execstate();
	watchdog_domain_destroy(d);
	grant_table_destroy(d);
	sched_destroy_domain(d);	/* its timer looks at vcpus */
	for (unsigned int i = d->max_vcpus; i-- > 0; )
		if (d->vcpu[i])
			vcpu_destroy(d->vcpu[i]);
	arch_domain_destroy(d);
	evtchn_destroy_final(d);
	xfree(d->vcpu);
	xfree(d->console);
	free_xenheap_page(d->shared_info);
	free_xenheap_page(d);
	send_global_virq(VIRQ_DOM_EXC);
}

void domain_put(struct domain *d)
{
	if (!atomic_dec_and_test(&d->refcnt))
		return;
	BUG_ON(d->is_dying != DOMDYING_dead);
	domain_list_remove(d);
	quiesce_call(&d->quiesce, domain_free);
}

/* ---- the first phase ---- */

enum kill_step { KILL_start, KILL_grants, KILL_events, KILL_memory, KILL_done };

/* One step: 0, or -ERESTART to be called again. */
static int kill_step(struct domain *d)
{
	struct vcpu *v;

	switch ((enum kill_step)d->relinquish_step) {
	case KILL_start:
		domain_pause(d);
		spin_lock(&d->domain_lock);
		d->is_dying = DOMDYING_dying;
		spin_unlock(&d->domain_lock);
		domain_set_outstanding_pages(d, 0);
		return 0;
	case KILL_grants:
		return gnttab_release_mappings(d);
	case KILL_events:
		return evtchn_destroy(d);
	case KILL_memory:
		pirqs_release(d);
		for_each_vcpu(d, v)
			unmap_vcpu_info(v);
		return arch_domain_relinquish(d);
	case KILL_done:
		break;
	}
	return 0;
}

int domain_kill(struct domain *d)
{
	if (d == current->domain)
		return -EINVAL;
	while (d->relinquish_step != KILL_done) {
		int rc = kill_step(d);

		if (rc)
			return rc;
		d->relinquish_step++;
	}
	if (d->is_dying == DOMDYING_dead)
		return 0;

	cpupool_move_to_default(d);
	d->is_dying = DOMDYING_dead;
	send_global_virq(VIRQ_DOM_EXC);
	domain_put(d);		/* the one from domain_create() */
	return 0;
}
