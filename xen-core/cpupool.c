/* SPDX-License-Identifier: MIT */
/*
 * CPU pools: each online CPU is in one pool or free, each domain in one pool,
 * and its vcpus run only on that pool's CPUs. Pool 0 always exists and keeps
 * CPU 0. `xl cpupool-*` is built on the sysctl below; errnos as Xen 4.17's.
 */
#include "sched_private.h"
#include <core/domctl.h>
#include <core/xmalloc.h>

#define CPUPOOL_NONE	(~0u)

static DEFINE_SPINLOCK(cpupool_lock, LOCK_CPUPOOL);
static LIST_HEAD(pools);		/* by id */
static unsigned int nr_pools;
static cpumask_t free_cpus;		/* online, in no pool */
static struct cpupool boot_pool;
struct cpupool *cpupool0 = &boot_pool;

static struct cpupool *pool_by_id(unsigned int id)
{
	struct cpupool *c;

	list_for_each_entry(c, &pools, list)
		if (c->id == id)
			return c;
	return NULL;
}

unsigned int cpupool_get_id(const struct domain *d)
{
	const struct cpupool *c = read_once(d->cpupool);

	return c ? c->id : CPUPOOL_NONE;
}

const cpumask_t *cpupool_valid_cpus(const struct domain *d)
{
	return d->cpupool ? &d->cpupool->cpu_valid : &cpu_online_map;
}

/* CPUs leave their pool before they go offline, so these are the same. */
const cpumask_t *cpupool_online_cpus(const struct domain *d)
{
	return cpupool_valid_cpus(d);
}

/* ---- domains ---- */

int cpupool_add_domain(struct domain *d, unsigned int poolid)
{
	struct cpupool *c;
	int rc = 0;

	spin_lock(&cpupool_lock);
	c = pool_by_id(poolid);
	if (!c) {
		rc = -ESRCH;
	} else if (cpumask_empty(&c->cpu_valid)) {
		rc = -ENODEV;
	} else {
		c->n_dom++;
		d->cpupool = c;
	}
	spin_unlock(&cpupool_lock);
	return rc;
}

void cpupool_rm_domain(struct domain *d)
{
	spin_lock(&cpupool_lock);
	if (d->cpupool)
		d->cpupool->n_dom--;
	d->cpupool = NULL;
	spin_unlock(&cpupool_lock);
}

/* The lock is held. Affinities start afresh in the new pool. */
static int move_domain(struct domain *d, struct cpupool *c)
{
	unsigned long flags;
	struct vcpu *v;

	if (d->cpupool == c)
		return 0;
	for_each_vcpu(d, v)
		if (v->affinity_broken)
			return -EBUSY;

	domain_pause(d);
	d->cpupool->n_dom--;
	c->n_dom++;
	d->cpupool = c;
	for_each_vcpu(d, v) {
		struct runqueue *rq = vcpu_rq_lock(v, &flags);

		cpumask_setall(&v->cpu_hard_affinity);
		cpumask_setall(&v->cpu_soft_affinity);
		v->processor = cpumask_first(&c->cpu_valid);
		spin_unlock_irqrestore(&rq->lock, flags);
		sched_migrate_timers(v);
	}
	domain_unpause(d);
	return 0;
}

void cpupool_move_to_default(struct domain *d)
{
	spin_lock(&cpupool_lock);
	if (d->cpupool)
		move_domain(d, cpupool0);
	spin_unlock(&cpupool_lock);
}

/* ---- CPUs ---- */

static bool has_live_domain(const struct cpupool *c)
{
	struct domain *d;

	for_each_domain(d)
		if (d->cpupool == c && !d->is_dying)
			return true;
	return false;
}

/*
 * Takes cpu out of c; whoever runs or waits there goes elsewhere. -EBUSY if it
 * is the last one and a domain needs it. The lock is held.
 */
static int remove_cpu(struct cpupool *c, unsigned int cpu)
{
	struct domain *d;
	struct vcpu *v;

	if (cpumask_weight(&c->cpu_valid) == 1 && c->n_dom) {
		if (has_live_domain(c))
			return -EBUSY;
		for_each_domain(d)
			if (d->cpupool == c)
				move_domain(d, cpupool0);
	}
	for_each_domain(d)
		for_each_vcpu(d, v)
			if (v->affinity_broken && v->processor == cpu && d->cpupool == c)
				return -EADDRINUSE;

	cpumask_clear_cpu(cpu, &c->cpu_valid);
	for_each_domain(d) {
		if (d->cpupool != c)
			continue;
		for_each_vcpu(d, v) {
			/* An affinity to CPUs that are all gone is forgotten. */
			if (!cpumask_intersects(&v->cpu_hard_affinity, &c->cpu_valid))
				vcpu_set_hard_affinity(v, &c->cpu_valid);
			if (read_once(v->processor) == cpu)
				vcpu_replace(v);
		}
	}
	return 0;
}

/* The CPU looks at once whether somebody waits whom it may run now. */
static void add_cpu(struct cpupool *c, unsigned int cpu)
{
	cpumask_set_cpu(cpu, &c->cpu_valid);
	cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
}

int cpupool_cpu_up(unsigned int cpu)
{
	spin_lock(&cpupool_lock);
	add_cpu(cpupool0, cpu);
	spin_unlock(&cpupool_lock);
	return 0;
}

int cpupool_cpu_down(unsigned int cpu)
{
	int rc = 0;

	spin_lock(&cpupool_lock);
	if (cpumask_test_cpu(cpu, &cpupool0->cpu_valid))
		rc = remove_cpu(cpupool0, cpu);
	else if (!cpumask_test_and_clear_cpu(cpu, &free_cpus))
		rc = -ENODEV;		/* in another pool: take it out first */
	spin_unlock(&cpupool_lock);
	return rc;
}

void cpupool_init(void)
{
	list_init(&pools);
	cpumask_clear(&free_cpus);
	boot_pool = (struct cpupool){ .id = 0 };
	list_add_tail(&cpupool0->list, &pools);
	nr_pools = 1;
}

/* ---- sysctl; the lock is held ---- */

static long pool_create(struct xen_sysctl_cpupool_op *op)
{
	struct cpupool *c, *after;
	unsigned int id = op->cpupool_id;
	struct list_head *at = &pools;

	if (nr_pools >= 2 * nr_cpu_ids)
		return -ENOSPC;
	if (op->sched_id != XEN_SCHEDULER_CREDIT2)
		return -ENOENT;
	if (id == XEN_SYSCTL_CPUPOOL_PAR_ANY)
		for (id = 1; pool_by_id(id); id++)
			;
	else if (pool_by_id(id))
		return -EEXIST;
	c = xzalloc(struct cpupool);
	if (!c)
		return -ENOMEM;
	c->id = id;
	list_for_each_entry(after, &pools, list) {
		if (after->id > id) {
			at = &after->list;
			break;
		}
	}
	list_add_tail(&c->list, at);
	nr_pools++;
	op->cpupool_id = id;
	return 0;
}

static long pool_destroy(struct xen_sysctl_cpupool_op *op)
{
	struct cpupool *c = pool_by_id(op->cpupool_id);

	if (!c)
		return -ENOENT;
	if (c == cpupool0 || c->n_dom || !cpumask_empty(&c->cpu_valid))
		return -EBUSY;
	list_del(&c->list);
	nr_pools--;
	xfree(c);
	return 0;
}

/* Answers for the first pool whose id is not smaller. */
static long pool_info(struct xen_sysctl_cpupool_op *op)
{
	struct cpupool *c;

	list_for_each_entry(c, &pools, list) {
		if (c->id < op->cpupool_id)
			continue;
		op->cpupool_id = c->id;
		op->sched_id = XEN_SCHEDULER_CREDIT2;
		op->n_dom = c->n_dom;
		return cpumask_to_xenctl(&op->cpumap, &c->cpu_valid);
	}
	return -ENOENT;
}

static long pool_add_cpu(struct xen_sysctl_cpupool_op *op)
{
	struct cpupool *c = pool_by_id(op->cpupool_id);
	unsigned int cpu = op->cpu;

	if (!c)
		return -ENOENT;
	if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY) {
		cpu = cpumask_first(&free_cpus);
		if (cpu >= NR_CPUS)
			return -ENODEV;
	}
	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	if (!cpumask_test_and_clear_cpu(cpu, &free_cpus))
		return -ENODEV;
	add_cpu(c, cpu);
	return 0;
}

static long pool_rm_cpu(struct xen_sysctl_cpupool_op *op)
{
	struct cpupool *c = pool_by_id(op->cpupool_id);
	unsigned int cpu = op->cpu, i;
	long rc;

	if (!c)
		return -ENOENT;
	if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY) {	/* the last one */
		cpu = NR_CPUS;
		for_each_cpu(i, &c->cpu_valid)
			cpu = i;
	}
	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, &cpu_online_map) || (c == cpupool0 && !cpu))
		return -EINVAL;
	if (!cpumask_test_cpu(cpu, &c->cpu_valid))
		return -EADDRNOTAVAIL;
	rc = remove_cpu(c, cpu);
	if (!rc)
		cpumask_set_cpu(cpu, &free_cpus);
	return rc;
}

static long pool_move_domain(struct xen_sysctl_cpupool_op *op)
{
	struct domain *d = domain_by_id((domid_t)op->domid);
	struct cpupool *c = pool_by_id(op->cpupool_id);

	if (!d || op->domid > 0xffff)
		return -ESRCH;
	if (d == current->domain)
		return -EPERM;
	if (!d->cpupool)
		return -EINVAL;
	if (!c || (c != d->cpupool && cpumask_empty(&c->cpu_valid)))
		return -ENOENT;
	return move_domain(d, c);
}

long cpupool_do_sysctl(struct xen_sysctl_cpupool_op *op)
{
	static long (*const fns[])(struct xen_sysctl_cpupool_op *) = {
		[XEN_SYSCTL_CPUPOOL_OP_CREATE]		= pool_create,
		[XEN_SYSCTL_CPUPOOL_OP_DESTROY]		= pool_destroy,
		[XEN_SYSCTL_CPUPOOL_OP_INFO]		= pool_info,
		[XEN_SYSCTL_CPUPOOL_OP_ADDCPU]		= pool_add_cpu,
		[XEN_SYSCTL_CPUPOOL_OP_RMCPU]		= pool_rm_cpu,
		[XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN]	= pool_move_domain,
	};
	long rc;

	if (op->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO)
		return cpumask_to_xenctl(&op->cpumap, &free_cpus);
	if (op->op >= ARRAY_SIZE(fns) || !fns[op->op])
		return -ENOSYS;
	spin_lock(&cpupool_lock);
	rc = fns[op->op](op);
	spin_unlock(&cpupool_lock);
	return rc;
}

/* sysctl scheduler_op: the parameters of a pool's scheduler, here common to all. */
long sched_adjust_global(struct xen_sysctl_scheduler_op *op)
{
	struct xen_sysctl_credit2_schedule *p = &op->u.sched_credit2;
	bool known;

	if (op->cmd != XEN_SYSCTL_SCHEDOP_putinfo && op->cmd != XEN_SYSCTL_SCHEDOP_getinfo)
		return -EINVAL;
	spin_lock(&cpupool_lock);
	known = pool_by_id(op->cpupool_id) != NULL;
	spin_unlock(&cpupool_lock);
	if (!known)
		return -ESRCH;
	if (op->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	if (op->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
		if (p->ratelimit_us && (p->ratelimit_us > XEN_SYSCTL_SCHED_RATELIMIT_MAX ||
					p->ratelimit_us < XEN_SYSCTL_SCHED_RATELIMIT_MIN))
			return -EINVAL;
		sched_ratelimit_us = p->ratelimit_us;
	}
	p->ratelimit_us = sched_ratelimit_us;
	return 0;
}
