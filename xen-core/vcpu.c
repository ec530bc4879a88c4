/* SPDX-License-Identifier: MIT */
/*
 * Virtual CPUs: creation, destruction, reset, and where their vcpu_info is.
 *
 * vcpu_info (upcall flags, event selector, time) lies in shared_info for the
 * first 32 vcpus until the guest registers a place of its own. Later ones
 * start with a common dummy and cannot run before they have registered.
 */
#include "domain_private.h"
#include <core/event.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/map.h>
#include <arch/time.h>

struct vcpu *idle_vcpu[NR_CPUS];
static struct vcpu_info dummy_vcpu_info;

bool vcpu_info_is_dummy(const struct vcpu *v)
{
	return v->vcpu_info == &dummy_vcpu_info;
}

void vcpu_info_reset(struct vcpu *v)
{
	struct domain *d = v->domain;

	v->vcpu_info = v->vcpu_id < XEN_LEGACY_MAX_VCPUS && d->shared_info ?
		&d->shared_info->vcpu_info[v->vcpu_id] : &dummy_vcpu_info;
	v->vcpu_info_mfn = INVALID_MFN;
}

/*
 * v becomes visible, with its share of the domain's pauses. A domain that shuts
 * down already takes it along.
 */
static void vcpu_publish(struct vcpu *v)
{
	struct domain *d = v->domain;
	unsigned long flags;

	spin_lock_irqsave(&d->pause_lock, flags);
	v->pause_count = d->pause_count;
	atomic_store(&d->vcpu[v->vcpu_id], v);
	spin_unlock_irqrestore(&d->pause_lock, flags);

	spin_lock(&d->shutdown_lock);
	if (d->is_shutting_down && !v->paused_for_shutdown) {
		vcpu_pause_nosync(v);
		v->paused_for_shutdown = true;
	}
	spin_unlock(&d->shutdown_lock);
}

struct vcpu *vcpu_create(struct domain *d, unsigned int vcpu_id)
{
	struct vcpu *v;

	if (vcpu_id >= d->max_vcpus || d->vcpu[vcpu_id])
		return NULL;
	v = xzalloc(struct vcpu);
	if (!v)
		return NULL;
	v->domain = d;
	v->vcpu_id = vcpu_id;
	v->is_idle = d == dom_idle;
	vcpu_info_reset(v);
	if (v->is_idle) {
		v->runstate.state = RUNSTATE_running;
	} else {
		v->runstate.state = RUNSTATE_offline;
		v->runstate.state_entry_time = (uint64_t)NOW();
		__set_bit(VPF_down, &v->pause_flags);
	}
	if (sched_init_vcpu(v))
		goto free_vcpu;
	if (arch_vcpu_create(v))
		goto destroy_sched;
	if (v->is_idle)
		idle_vcpu[vcpu_id] = v;
	vcpu_publish(v);
	return v;

destroy_sched:
	sched_destroy_vcpu(v);
free_vcpu:
	xfree(v);
	return NULL;
}

void vcpu_destroy(struct vcpu *v)
{
	v->domain->vcpu[v->vcpu_id] = NULL;
	sched_destroy_vcpu(v);
	arch_vcpu_destroy(v);
	xfree(v);
}

int vcpu_reset(struct vcpu *v)
{
	struct domain *d = v->domain;
	int rc;

	vcpu_pause(v);
	spin_lock(&d->domain_lock);
	rc = arch_vcpu_reset(v);
	if (!rc) {
		set_bit(VPF_down, &v->pause_flags);
		clear_bit(v->vcpu_id, d->poll_mask);
		v->poll_evtchn = 0;
		v->is_initialised = false;
		if (v->affinity_broken)
			vcpu_temporary_affinity(v, NR_CPUS);
		clear_bit(VPF_blocked, &v->pause_flags);
	}
	spin_unlock(&d->domain_lock);
	vcpu_unpause(v);
	return rc;
}

/* ---- vcpu_info ---- */

int map_vcpu_info(struct vcpu *v, gfn_t gfn, unsigned int offset)
{
	struct vcpu_info *info;
	struct page_info *pg;

	if (offset > PAGE_SIZE - sizeof(*info) || (offset & (__alignof__(*info) - 1)))
		return -ENXIO;
	if (!mfn_eq(v->vcpu_info_mfn, INVALID_MFN))
		return -EINVAL;		/* once only */
	if (v != current && !test_bit(VPF_down, &v->pause_flags))
		return -EINVAL;
	pg = get_page_from_gfn(v->domain, gfn);
	if (!pg)
		return -EINVAL;
	if (get_page_type(pg, PGT_writable_page)) {
		put_page(pg);
		return -EINVAL;
	}

	info = (struct vcpu_info *)((char *)page_to_virt(pg) + offset);
	if (vcpu_info_is_dummy(v)) {
		memset(info, 0, sizeof(*info));
		info->evtchn_upcall_mask = 1;
	} else {
		memcpy(info, v->vcpu_info, sizeof(*info));
	}
	v->vcpu_info_mfn = page_to_mfn(pg);
	atomic_store(&v->vcpu_info, info);
	/* An event may have gone to the old place meanwhile: let the guest look everywhere. */
	evtchn_vcpu_info_moved(v);
	return 0;
}

void unmap_vcpu_info(struct vcpu *v)
{
	mfn_t mfn = v->vcpu_info_mfn;

	if (mfn_eq(mfn, INVALID_MFN))
		return;
	vcpu_info_reset(v);
	put_page_and_type(mfn_to_page(mfn));
}
