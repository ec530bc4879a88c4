/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler's files share: sched.c (states, waking, sleeping, the
 * switch), sched_credit2.c (who is next, for how long, on which CPU) and
 * cpupool.c.
 *
 * Rules. v->processor says whose run queue lock guards v's scheduling state; it
 * changes only under that lock, while v is neither running nor queued. A vcpu
 * whose registers are not saved yet (is_running) may be queued on its own CPU,
 * but does not move; SVF_replace asks context_saved() to find it a place.
 */
#ifndef XEN_CORE_SCHED_PRIVATE_H
#define XEN_CORE_SCHED_PRIVATE_H

#include <core/sched.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/atomic.h>
#include <arch/percpu.h>
#include <arch/time.h>

struct runqueue {
	spinlock_t lock;		/* LOCK_RUNQUEUE; interrupts off */
	unsigned int nr_queued;
	struct list_head queue;		/* runnable and not running; most credit first */
	struct vcpu *curr;		/* runs, or is being switched to */
	struct vcpu *idle;
	unsigned int epoch;		/* number of credit resets */
	s_time_t slice_end;		/* when curr's turn ends; INT64_MAX = no end */
	bool contended;			/* somebody waited when curr was chosen, or since */
	s_time_t balanced;		/* when load was last compared with others' */
	struct timer slice_timer;	/* fires at slice_end or before */
};
DECLARE_PER_CPU(struct runqueue, runqueues);

extern cpumask_t idle_cpus;		/* atomic bits: runs its idle vcpu */
extern unsigned int sched_ratelimit_us;

/* v->sched.flags */
#define SVF_yield	(1u << 0)	/* gives way once, whatever its credit */
#define SVF_replace	(1u << 1)	/* wants a place once it is saved */

struct cpupool {
	unsigned int id;
	unsigned int n_dom;		/* cpupool lock */
	cpumask_t cpu_valid;		/* cpupool lock to write */
	struct list_head list;		/* by id */
};
extern struct cpupool *cpupool0;

static inline bool vcpu_queued(const struct vcpu *v)
{
	return !list_empty(&v->sched.runq);
}

/* The CPUs on which v may run; never empty as long as its pool is not. */
void vcpu_allowed_cpus(const struct vcpu *v, cpumask_t *out);
static inline bool vcpu_may_run_on(const struct vcpu *v, unsigned int cpu)
{
	return cpumask_test_cpu(cpu, &v->cpu_hard_affinity) &&
	       cpumask_test_cpu(cpu, &v->domain->cpupool->cpu_valid);
}

/* ---- sched.c ---- */
/* Locks the run queue of whichever CPU v is on. */
struct runqueue *vcpu_rq_lock(const struct vcpu *v, unsigned long *flags);
void runstate_change(struct vcpu *v, unsigned int state, s_time_t now);
/* v's hard affinity or pool changed: makes sure that it runs or waits where it may. */
void vcpu_replace(struct vcpu *v);

/* ---- sched_credit2.c; the run queue's lock is held ---- */
void c2_init_vcpu(struct vcpu *v);
void c2_enqueue(struct runqueue *rq, struct vcpu *v);
void c2_dequeue(struct runqueue *rq, struct vcpu *v);
/* Leaves its queue rq for another CPU's: what it has counts there, what it missed there does not. */
void c2_change_queue(const struct runqueue *rq, struct vcpu *v, unsigned int cpu);
/* Charges v, which runs on rq's CPU, for the time until now. May park it. */
void c2_burn(const struct runqueue *rq, struct vcpu *v, s_time_t now);
/* Who runs next on this CPU, dequeued; sets rq->slice_end. prev is not queued. */
struct vcpu *c2_pick(struct runqueue *rq, struct vcpu *prev, s_time_t now);
/* v was just queued: should that CPU reschedule? */
bool c2_should_tickle(const struct runqueue *rq, const struct vcpu *v, s_time_t now);
/* The best CPU for v, which wants to run and is neither queued nor running. */
unsigned int c2_choose_cpu(const struct vcpu *v);
/* Gives a queued vcpu of an overloaded queue away; returns its CPU to tickle, or NR_CPUS. */
unsigned int c2_push(struct runqueue *rq, unsigned int cpu, s_time_t now);
void c2_init_domain(struct domain *d);
void c2_destroy_domain(struct domain *d);

#endif
