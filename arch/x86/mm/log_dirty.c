/* SPDX-License-Identifier: MIT */
/*
 * XEN_DOMCTL_shadow_op for PV domains: log-dirty mode on and off, its answers,
 * and the memory that shadows may take. The bitmap is core/log_dirty.h's, what
 * catches the guest's stores is shadow.c.
 */
#include "private.h"

#include <core/event.h>
#include <core/sched.h>
#include <arch/domain.h>
#include <x86/shadow.h>

#define TABLES_PER_MB		256U
#define DEFAULT_TABLES		256U	/* of a vcpu, unless a domain has many */
#define DEFAULT_MB_MANY		16U

/* Tables for each vcpu of d. */
static unsigned int pool_size(const struct domain *d)
{
	unsigned long n = d->arch.shadow_mb * (unsigned long)TABLES_PER_MB / d->max_vcpus;

	if (!d->arch.shadow_mb)
		n = min(DEFAULT_TABLES, DEFAULT_MB_MANY * TABLES_PER_MB / d->max_vcpus);
	return (unsigned int)min(max(n, (unsigned long)SHADOW_TABLES_MIN),
				 (unsigned long)SHADOW_TABLES_MAX);
}

static uint32_t allocation_mb(const struct domain *d)
{
	return DIV_ROUND_UP(pool_size(d) * d->max_vcpus, TABLES_PER_MB);
}

/* How many frame numbers the log has room for: what d may have, or says that it uses. */
static unsigned long log_length(const struct domain *d)
{
	const unsigned long host = 2 * max_page_nr();
	const unsigned long said = read_once(d->shared_info->arch.max_pfn);
	const unsigned long most = max(d->max_pages, said);

	return min(most, host - 1) + 1;
}

/* The vcpus leave their shadows, if they have any; d is paused or dying. */
static void leave_shadows(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v) {
		if (!v->arch.shadow_mem)
			continue;
		sync_vcpu_execstate(v);
		shadow_use(v, false);
		shadow_destroy(v);
	}
}

/* d is paused. */
static int enter_shadows(struct domain *d)
{
	const unsigned int tables = pool_size(d);
	struct vcpu *v;

	for_each_vcpu(d, v) {
		if (shadow_create(v, tables)) {
			leave_shadows(d);
			return -ENOMEM;
		}
	}
	for_each_vcpu(d, v) {
		sync_vcpu_execstate(v);
		shadow_use(v, true);
	}
	return 0;
}

static long enable(struct domain *d)
{
	struct log_dirty *log;
	int rc;

	if (d->log_dirty)
		return -EINVAL;
	/* Vcpus that come later would have no shadow. */
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		if (!d->vcpu[i])
			return -EINVAL;
	log = log_dirty_create(log_length(d));
	if (!log)
		return -ENOMEM;
	domain_pause(d);
	/* First the log: a shadow would be filled without one as if all were dirty. */
	log_dirty_begin(d, log);
	rc = enter_shadows(d);
	if (rc)
		log_dirty_end(d);
	domain_unpause(d);
	return rc;
}

static long disable(struct domain *d)
{
	if (!d->log_dirty)
		return 0;
	domain_pause(d);
	leave_shadows(d);
	log_dirty_end(d);
	domain_unpause(d);
	return 0;
}

static long answer(struct domain *d, struct xen_domctl_shadow_op *op)
{
	const bool clean = op->op == XEN_DOMCTL_SHADOW_OP_CLEAN;
	long rc;

	if ((op->mode & ~XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL) || !d->log_dirty)
		return -EINVAL;
	domain_pause(d);
	log_dirty_mark_mapped(d);
	if (d->arch.pirq_eoi_map)
		log_dirty_page(mfn_to_page(d->arch.pirq_eoi_map_mfn));
	rc = log_dirty_report(d, op, clean);
	/*
	 * The shadows that are loaded somewhere are emptied; the others are when they
	 * are loaded. After that every store faults again.
	 */
	if (clean)
		flush_tlb_mask(&d->dirty_cpumask);
	domain_unpause(d);
	return rc;
}

static long set_allocation(struct domain *d, struct xen_domctl_shadow_op *op)
{
	int rc = 0;

	if (!op->mb && d->log_dirty)
		return -EINVAL;
	d->arch.shadow_mb = op->mb;
	if (d->log_dirty) {
		domain_pause(d);
		leave_shadows(d);
		rc = enter_shadows(d);
		/* Without shadows stores would go unseen: the log ends, and its reader is told so. */
		if (rc)
			log_dirty_end(d);
		domain_unpause(d);
	}
	op->mb = d->arch.shadow_mb ? allocation_mb(d) : 0;
	return rc;
}

long log_dirty_op(struct domain *d, struct xen_domctl_shadow_op *op)
{
	if (!domain_vcpu(d, 0))
		return -EINVAL;
	switch (op->op) {
	case XEN_DOMCTL_SHADOW_OP_ENABLE:
		if (op->mode != XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY)
			return -EINVAL;
		/* fall through */
	case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
		return enable(d);
	case XEN_DOMCTL_SHADOW_OP_OFF:
		return disable(d);
	case XEN_DOMCTL_SHADOW_OP_CLEAN:
	case XEN_DOMCTL_SHADOW_OP_PEEK:
		return answer(d, op);
	case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
		op->mb = d->log_dirty || d->arch.shadow_mb ? allocation_mb(d) : 0;
		return 0;
	case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
		return set_allocation(d, op);
	}
	return -EINVAL;
}

void log_dirty_teardown(struct domain *d)
{
	leave_shadows(d);
	log_dirty_end(d);
}
