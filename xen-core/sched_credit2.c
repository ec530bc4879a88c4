/* SPDX-License-Identifier: MIT */
/*
 * Who runs next: credits, weights, caps, and the choice of CPUs.
 *
 * Each CPU has a queue of its own, ordered by credit. Running burns credit,
 * faster for a smaller weight; the vcpu with most credit runs. When even that
 * one has none left, all of the queue get some more at once: a "reset". Who was
 * away in the meantime gets the same when it comes back (sched.epoch), but
 * nobody saves up more than CREDIT_MAX. So CPU time is shared by weight among
 * those who want it, and who slept is served soon.
 *
 * A domain with a cap has a budget for each period, from which all its vcpus
 * burn; when it is used up they are parked until the next period.
 *
 * Load is balanced when a vcpu wakes (idle CPUs first, those of its soft
 * affinity before others), when a CPU runs out of work (it takes from the
 * others), and now and then from long queues to short ones.
 */
#include "sched_private.h"
#include <core/param.h>
#include <arch/domain.h>

#define CREDIT_MAX	MILLISECS(10)	/* also what a reset gives */
#define DEFAULT_WEIGHT	256
#define SLICE_MIN	MICROSECS(500)
#define SLICE_MAX	MILLISECS(2)
#define BALANCE_PERIOD	MILLISECS(10)

unsigned int sched_ratelimit_us = 1000;
integer_param("sched_ratelimit_us", sched_ratelimit_us);
static unsigned int cap_period_ms = 10;
integer_param("credit2_cap_period_ms", cap_period_ms);

/* Real time -> credit burnt, and back. */
static inline s_time_t to_credit(const struct vcpu *v, s_time_t delta)
{
	unsigned int w = v->domain->sched_weight;

	return likely(w == DEFAULT_WEIGHT) ? delta : delta * DEFAULT_WEIGHT / w;
}

static inline s_time_t to_time(const struct vcpu *v, s_time_t credit)
{
	return credit * v->domain->sched_weight / DEFAULT_WEIGHT;
}

/* ---- credit ---- */

/* The resets that v missed while it was away from this queue. */
static void catch_up(const struct runqueue *rq, struct vcpu *v)
{
	unsigned int missed = rq->epoch - v->sched.epoch;

	if (likely(!missed))
		return;
	v->sched.epoch = rq->epoch;
	v->sched.credit = missed > 1000 ? CREDIT_MAX :
		min((s_time_t)v->sched.credit + (s_time_t)missed * CREDIT_MAX,
		    (s_time_t)CREDIT_MAX);
}

/* Enough resets at once that `v`, who has most, has some. prev may be NULL. */
static void reset_credit(struct runqueue *rq, const struct vcpu *v, struct vcpu *prev)
{
	s_time_t times = -v->sched.credit / CREDIT_MAX + 1;
	struct vcpu *w;

	rq->epoch += (unsigned int)times;
	list_for_each_entry(w, &rq->queue, sched.runq)
		catch_up(rq, w);
	if (prev)
		catch_up(rq, prev);
}

void c2_init_vcpu(struct vcpu *v)
{
	v->sched.credit = CREDIT_MAX;
	v->sched.epoch = per_cpu(runqueues, v->processor).epoch;
}

void c2_enqueue(struct runqueue *rq, struct vcpu *v)
{
	struct list_head *at = &rq->queue;
	struct vcpu *w;

	catch_up(rq, v);
	list_for_each_entry(w, &rq->queue, sched.runq) {
		if (w->sched.credit < v->sched.credit) {
			at = &w->sched.runq;
			break;
		}
	}
	list_add_tail(&v->sched.runq, at);
	rq->nr_queued++;
}

void c2_dequeue(struct runqueue *rq, struct vcpu *v)
{
	list_del_init(&v->sched.runq);
	rq->nr_queued--;
}

void c2_change_queue(const struct runqueue *rq, struct vcpu *v, unsigned int cpu)
{
	catch_up(rq, v);
	v->processor = cpu;
	v->sched.epoch = per_cpu(runqueues, cpu).epoch;
}

/* ---- caps ---- */

static s_time_t period_budget(const struct domain *d)
{
	return MILLISECS(cap_period_ms) * d->sched_cap / 100;
}

/* Takes from the budget of v's domain. True if nothing is left: v is parked then. */
static bool charge_cap(struct vcpu *v, s_time_t used)
{
	struct domain *d = v->domain;
	unsigned long flags;
	bool parked = false;

	spin_lock_irqsave(&d->sched.lock, flags);
	if (d->sched_cap) {
		d->sched.budget -= used;
		if (d->sched.budget <= 0) {
			set_bit(VPF_parked, &v->pause_flags);
			parked = true;
		}
	}
	spin_unlock_irqrestore(&d->sched.lock, flags);
	return parked;
}

static void unpark_all(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		if (test_and_clear_bit(VPF_parked, &v->pause_flags))
			vcpu_wake(v);
}

/* A new period. A debt from the old one is carried over. */
static void refill(void *arg)
{
	struct domain *d = arg;
	bool some = true;
	unsigned long flags;

	spin_lock_irqsave(&d->sched.lock, flags);
	if (d->sched_cap) {
		s_time_t full = period_budget(d);

		d->sched.budget = min(d->sched.budget + full, full);
		some = d->sched.budget > 0;
		set_timer(&d->sched.refill, NOW() + MILLISECS(cap_period_ms));
	}
	spin_unlock_irqrestore(&d->sched.lock, flags);
	if (some)
		unpark_all(d);
}

static void set_cap(struct domain *d, unsigned int cap)
{
	unsigned long flags;
	struct vcpu *v;
	bool had;

	spin_lock_irqsave(&d->sched.lock, flags);
	had = d->sched_cap != 0;
	d->sched_cap = (uint16_t)cap;
	if (cap && !had) {
		d->sched.budget = period_budget(d);
		/* Here: the CPU on which the domain was made may be gone. */
		set_timer_here(&d->sched.refill, NOW() + MILLISECS(cap_period_ms));
	}
	spin_unlock_irqrestore(&d->sched.lock, flags);
	if (cap) {		/* those that run have no end yet */
		for_each_vcpu(d, v)
			if (read_once(v->is_running))
				cpu_raise_softirq(read_once(v->processor), SCHEDULE_SOFTIRQ);
	} else {
		stop_timer(&d->sched.refill);
		unpark_all(d);
	}
}

void c2_init_domain(struct domain *d)
{
	spin_lock_init(&d->sched.lock, LOCK_ANY);
	d->sched_weight = DEFAULT_WEIGHT;
	d->sched_cap = 0;
	init_timer(&d->sched.refill, refill, d, smp_processor_id());
}

void c2_destroy_domain(struct domain *d)
{
	kill_timer(&d->sched.refill);
}

void c2_burn(const struct runqueue *rq, struct vcpu *v, s_time_t now)
{
	s_time_t delta = now - v->sched.start;

	if (delta <= 0)
		return;
	v->sched.start = now;
	v->sched.credit -= to_credit(v, delta);
	if (!rq->contended && v->sched.credit < 0)
		v->sched.credit = 0;	/* nobody else wanted that time */
	if (unlikely(v->domain->sched_cap))
		charge_cap(v, delta);
}

/* ---- the choice of a vcpu ---- */

/* The first of the queue that has budget; others are parked. NULL if there is none. */
static struct vcpu *first_queued(struct runqueue *rq)
{
	while (!list_empty(&rq->queue)) {
		struct vcpu *v = list_first_entry(&rq->queue, struct vcpu, sched.runq);

		if (likely(!v->domain->sched_cap) || !charge_cap(v, 0))
			return v;
		c2_dequeue(rq, v);
	}
	return NULL;
}

/* Somebody who waits on another CPU and may run here: moved to this CPU, not queued. */
static struct vcpu *steal(unsigned int cpu)
{
	unsigned int other;

	for_each_online_cpu(other) {
		struct runqueue *rq = &per_cpu(runqueues, other);
		struct vcpu *v, *found = NULL;

		if (other == cpu || !read_once(rq->nr_queued) || !spin_trylock(&rq->lock))
			continue;
		list_for_each_entry(v, &rq->queue, sched.runq) {
			if (v->is_running || !vcpu_may_run_on(v, cpu))
				continue;
			if (!found)
				found = v;
			if (cpumask_test_cpu(cpu, &v->cpu_soft_affinity)) {
				found = v;
				break;
			}
		}
		if (found) {
			c2_dequeue(rq, found);
			c2_change_queue(rq, found, cpu);
		}
		spin_unlock(&rq->lock);
		if (found)
			return found;
	}
	return NULL;
}

/* How long next may run when `waiting` (or nobody) waits. */
static s_time_t slice_of(const struct vcpu *next, const struct vcpu *waiting)
{
	s_time_t slice = INT64_MAX;

	if (waiting) {
		slice = to_time(next, next->sched.credit - waiting->sched.credit);
		slice = max(min(slice, (s_time_t)SLICE_MAX), (s_time_t)SLICE_MIN);
	}
	if (unlikely(next->domain->sched_cap)) {
		/* Its siblings burn from the same budget meanwhile. */
		s_time_t share = next->domain->sched.budget / next->domain->max_vcpus;

		slice = min(slice, max(share, (s_time_t)SLICE_MIN / 5));
	}
	return slice;
}

struct vcpu *c2_pick(struct runqueue *rq, struct vcpu *prev, s_time_t now)
{
	unsigned int cpu = smp_processor_id();
	bool stays = !is_idle_vcpu(prev) && vcpu_runnable(prev) && vcpu_may_run_on(prev, cpu);
	bool yields = prev->sched.flags & SVF_yield;
	struct vcpu *next = first_queued(rq), *waiting;
	s_time_t slice, ran;

	prev->sched.flags &= ~SVF_yield;
	if (stays && !yields && next) {
		ran = now - (s_time_t)prev->runstate.state_entry_time;
		if (ran < MICROSECS(sched_ratelimit_us)) {
			rq->slice_end = now - ran + MICROSECS(sched_ratelimit_us);
			rq->contended = true;
			return prev;
		}
		catch_up(rq, prev);
		if (prev->sched.credit >= next->sched.credit)
			next = NULL;
	}
	if (next) {
		c2_dequeue(rq, next);
	} else if (stays) {
		next = prev;
	} else {
		next = steal(cpu);
		if (!next) {
			rq->contended = false;
			rq->slice_end = INT64_MAX;
			return rq->idle;
		}
	}

	if (next->sched.credit <= 0) {
		reset_credit(rq, next, stays ? prev : NULL);
		catch_up(rq, next);
	}
	waiting = first_queued(rq);
	if (stays && next != prev &&	/* prev will be queued, too */
	    (!waiting || prev->sched.credit > waiting->sched.credit))
		waiting = prev;
	rq->contended = waiting != NULL;
	slice = slice_of(next, waiting);
	rq->slice_end = slice == INT64_MAX ? INT64_MAX : now + slice;
	return next;
}

bool c2_should_tickle(const struct runqueue *rq, const struct vcpu *v, s_time_t now)
{
	const struct vcpu *curr = rq->curr;

	if (is_idle_vcpu(curr))
		return true;
	/* Nobody waited until now: a turn without end must get one. */
	if (!rq->contended || (curr->sched.flags & SVF_yield))
		return true;
	return v->sched.credit > curr->sched.credit - to_credit(curr, now - curr->sched.start);
}

/* ---- the choice of a CPU ---- */

void vcpu_allowed_cpus(const struct vcpu *v, cpumask_t *out)
{
	const cpumask_t *pool = &v->domain->cpupool->cpu_valid;

	cpumask_and(out, &v->cpu_hard_affinity, pool);
	if (cpumask_empty(out))		/* its CPUs have left the pool */
		cpumask_copy(out, pool);
}

/* Vcpus that want the CPU now. */
static unsigned int load_of(unsigned int cpu)
{
	const struct runqueue *rq = &per_cpu(runqueues, cpu);

	return read_once(rq->nr_queued) + !cpumask_test_cpu(cpu, &idle_cpus);
}

unsigned int c2_choose_cpu(const struct vcpu *v)
{
	unsigned int cpu, best = NR_CPUS, here = v->processor;
	cpumask_t allowed, idle, soft;

	vcpu_allowed_cpus(v, &allowed);
	cpumask_and(&idle, &allowed, &idle_cpus);
	if (likely(cpumask_test_cpu(here, &allowed)) && cpumask_empty(&idle))
		return here;
	cpumask_and(&soft, &idle, &v->cpu_soft_affinity);
	if (cpumask_test_cpu(here, &soft))
		return here;
	for_each_cpu(cpu, &soft)
		if (!read_once(per_cpu(runqueues, cpu).nr_queued))
			return cpu;
	if (cpumask_test_cpu(here, &idle))
		return here;
	for_each_cpu(cpu, &idle)
		if (!read_once(per_cpu(runqueues, cpu).nr_queued))
			return cpu;
	if (cpumask_test_cpu(here, &allowed))
		return here;
	for_each_cpu(cpu, &allowed)
		if (best == NR_CPUS || load_of(cpu) < load_of(best))
			best = cpu;
	return best < NR_CPUS ? best : here;
}

unsigned int c2_push(struct runqueue *rq, unsigned int cpu, s_time_t now)
{
	unsigned int other, to = NR_CPUS, mine = rq->nr_queued + 1;
	struct runqueue *rq2;
	struct vcpu *v;

	if (likely(now - rq->balanced < BALANCE_PERIOD))
		return NR_CPUS;
	rq->balanced = now;
	for_each_online_cpu(other)
		if (other != cpu && load_of(other) + 1 < mine &&
		    (to == NR_CPUS || load_of(other) < load_of(to)))
			to = other;
	if (to == NR_CPUS)
		return NR_CPUS;
	rq2 = &per_cpu(runqueues, to);
	if (!spin_trylock(&rq2->lock))
		return NR_CPUS;
	list_for_each_entry(v, &rq->queue, sched.runq) {
		if (v->is_running || !vcpu_may_run_on(v, to))
			continue;
		c2_dequeue(rq, v);
		c2_change_queue(rq, v, to);
		c2_enqueue(rq2, v);
		break;
	}
	if (&v->sched.runq == &rq->queue)
		to = NR_CPUS;		/* nobody may go there */
	spin_unlock(&rq2->lock);
	return to;
}

/* ---- what tools set ---- */

unsigned int scheduler_id(void)
{
	return XEN_SCHEDULER_CREDIT2;
}

static unsigned int nr_vcpus(const struct domain *d)
{
	const struct vcpu *v;
	unsigned int n = 0;

	for_each_vcpu(d, v)
		n++;
	return n;
}

long sched_adjust_domain(struct domain *d, struct xen_domctl_scheduler_op *op)
{
	struct xen_domctl_sched_credit2 *c2 = &op->u.credit2;

	if (op->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	switch (op->cmd) {
	case XEN_DOMCTL_SCHEDOP_getinfo:
		c2->weight = d->sched_weight;
		c2->cap = d->sched_cap;
		return 0;
	case XEN_DOMCTL_SCHEDOP_putinfo:
		if (c2->weight)
			d->sched_weight = c2->weight;
		if (c2->cap > 100 * nr_vcpus(d))
			return -EINVAL;
		if (c2->cap != d->sched_cap)
			set_cap(d, c2->cap);
		return 0;
	default:
		return -EINVAL;		/* nothing is set per vcpu */
	}
}

/* sched=: there is one scheduler; its name is accepted, others are named in the log. */
static int parse_sched(const char *value)
{
	return strcmp(value, "credit2") ? -EINVAL : 0;
}
custom_param("sched", parse_sched);

#define IGNORED(id, name_) PARAM_ENTRY_(id, .name = name_, .type = PARAM_IGNORED)
/* Options of a scheduler with shared queues that mean nothing here. */
IGNORED(c2_runqueue, "credit2_runqueue");
IGNORED(c2_max_cpus, "sched_credit2_max_cpus_runqueue");
IGNORED(c2_resist, "sched_credit2_migrate_resist");
IGNORED(c2_over, "credit2_balance_over");
IGNORED(c2_under, "credit2_balance_under");
IGNORED(c2_load_shift, "credit2_load_precision_shift");
IGNORED(c2_window_shift, "credit2_load_window_shift");
IGNORED(c2_smt, "sched_smt_power_savings");
IGNORED(c2_gran, "sched-gran");
