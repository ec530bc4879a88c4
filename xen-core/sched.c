/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: the states of vcpus, waking and putting to sleep, and the switch
 * from one to the next. Who is next is for sched_credit2.c to say.
 *
 * A vcpu runs if no bit of pause_flags is set and its pause_count is 0. Whoever
 * sets a reason calls vcpu_sleep_*(), whoever takes one away vcpu_wake(); both
 * may be called at any time, and set right what is not. There is no tick: a
 * CPU's slice timer is armed only while somebody waits for that CPU, or a cap
 * must end.
 */
#include "sched_private.h"
#include <core/event.h>
#include <core/mm.h>
#include <arch/barrier.h>
#include <arch/domain.h>

DEFINE_PER_CPU(struct runqueue, runqueues);
cpumask_t idle_cpus;

struct runqueue *vcpu_rq_lock(const struct vcpu *v, unsigned long *flags)
{
	for (;;) {
		unsigned int cpu = read_once(v->processor);
		struct runqueue *rq = &per_cpu(runqueues, cpu);

		spin_lock_irqsave(&rq->lock, *flags);
		if (likely(v->processor == cpu))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* ---- runstate ---- */

void runstate_change(struct vcpu *v, unsigned int state, s_time_t now)
{
	s_time_t delta = now - (s_time_t)v->runstate.state_entry_time;

	if ((unsigned int)v->runstate.state == state)
		return;
	if (delta > 0) {
		v->runstate.time[v->runstate.state] += (uint64_t)delta;
		v->runstate.state_entry_time = (uint64_t)now;
	}
	v->runstate.state = (int)state;
}

/* The runstate of a vcpu that does not run. */
static unsigned int waiting_state(const struct vcpu *v)
{
	unsigned long flags = read_once(v->pause_flags);

	if (flags & (1UL << VPF_blocked))
		return RUNSTATE_blocked;
	if ((flags & ~(1UL << VPF_parked)) || read_once(v->pause_count))
		return RUNSTATE_offline;
	return RUNSTATE_runnable;
}

void vcpu_runstate_get(const struct vcpu *v, struct vcpu_runstate_info *out)
{
	unsigned long flags;
	struct runqueue *rq = vcpu_rq_lock(v, &flags);
	s_time_t delta;

	*out = v->runstate;
	spin_unlock_irqrestore(&rq->lock, flags);
	delta = NOW() - (s_time_t)out->state_entry_time;
	if (delta > 0)
		out->time[out->state] += (uint64_t)delta;
}

uint64_t cpu_idle_time(unsigned int cpu)
{
	struct vcpu_runstate_info rs;

	if (cpu >= NR_CPUS || !idle_vcpu[cpu])
		return 0;
	vcpu_runstate_get(idle_vcpu[cpu], &rs);
	return rs.time[RUNSTATE_running];
}

/* ---- waking and sleeping ---- */

/*
 * Unlocks rq, and then makes `cpu` (none if NR_CPUS) schedule: interrupted while
 * the lock is held, it would only come to wait for it.
 */
static void unlock_and_tickle(struct runqueue *rq, unsigned long flags, unsigned int cpu)
{
	spin_unlock_irqrestore(&rq->lock, flags);
	if (cpu < NR_CPUS)
		cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
}

/* Queues v here; the CPU to tickle, or NR_CPUS if it goes on as it is. */
static unsigned int enqueue_here(struct runqueue *rq, struct vcpu *v)
{
	c2_enqueue(rq, v);
	return c2_should_tickle(rq, v, NOW()) ? v->processor : NR_CPUS;
}

/*
 * v is runnable: queues it where it fits best, unless it is queued or running.
 * rq is v's, locked; unlocked on return.
 */
static void place(struct runqueue *rq, struct vcpu *v, unsigned long flags)
{
	unsigned int cpu, tickle = NR_CPUS;

	if (rq->curr == v || vcpu_queued(v))
		goto out;
	if (v->is_running) {		/* still being saved */
		if (vcpu_may_run_on(v, v->processor))
			tickle = enqueue_here(rq, v);
		else
			v->sched.flags |= SVF_replace;
		goto out;
	}
	while (unlikely((cpu = c2_choose_cpu(v)) != v->processor)) {
		c2_change_queue(rq, v, cpu);
		spin_unlock_irqrestore(&rq->lock, flags);

		/* Between the locks anybody may have queued it, or made it stop, ... */
		rq = vcpu_rq_lock(v, &flags);
		if (!vcpu_runnable(v) || rq->curr == v || vcpu_queued(v) || v->is_running)
			goto out;
		/* ... and the CPU may have left the pool, where nobody would find it. */
		if (likely(cpumask_test_cpu(v->processor, cpupool_valid_cpus(v->domain))))
			break;
	}
	tickle = enqueue_here(rq, v);
out:
	unlock_and_tickle(rq, flags, tickle);
}

void vcpu_wake(struct vcpu *v)
{
	unsigned long flags;
	struct runqueue *rq = vcpu_rq_lock(v, &flags);

	if (likely(vcpu_runnable(v))) {
		if (v->runstate.state >= RUNSTATE_blocked)
			runstate_change(v, RUNSTATE_runnable, NOW());
		place(rq, v, flags);
		return;
	}
	if (v->runstate.state == RUNSTATE_blocked)
		runstate_change(v, waiting_state(v), NOW());
	spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_unblock(struct vcpu *v)
{
	if (!test_and_clear_bit(VPF_blocked, &v->pause_flags))
		return;
	/* Being unblocked ends a poll. Whoever takes the poll_mask bit owns this wake-up. */
	if (unlikely(v->poll_evtchn != 0)) {
		v->poll_evtchn = 0;
		if (test_and_clear_bit(v->vcpu_id, v->domain->poll_mask))
			clear_bit(VPF_blocked, &v->pause_flags);
	}
	vcpu_wake(v);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
	unsigned long flags;
	struct runqueue *rq = vcpu_rq_lock(v, &flags);
	unsigned int tickle = NR_CPUS;

	if (likely(!vcpu_runnable(v))) {
		if (vcpu_queued(v))
			c2_dequeue(rq, v);
		if (v->runstate.state == RUNSTATE_runnable)
			runstate_change(v, waiting_state(v), NOW());
		if (rq->curr == v)
			tickle = v->processor;
	}
	unlock_and_tickle(rq, flags, tickle);
}

void vcpu_sleep_sync(struct vcpu *v)
{
	vcpu_sleep_nosync(v);
	while (!vcpu_runnable(v) && atomic_load(&v->is_running))
		cpu_relax();
	sync_vcpu_execstate(v);
}

void vcpu_kick(struct vcpu *v)
{
	bool running = read_once(v->is_running);

	vcpu_unblock(v);
	/* Here, or in an interrupt that goes back to it: it looks on its way out. */
	if (running && v != current) {
		cpumask_t mask = cpumask_of(read_once(v->processor));

		if (!cpumask_test_cpu(smp_processor_id(), &mask))
			smp_send_event_check(&mask);
	}
}

/* ---- pausing ---- */

void vcpu_pause_nosync(struct vcpu *v)
{
	atomic_inc(&v->pause_count);
	vcpu_sleep_nosync(v);
}

void vcpu_pause(struct vcpu *v)
{
	ASSERT(v != current);
	atomic_inc(&v->pause_count);
	vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
	if (atomic_dec_and_test(&v->pause_count))
		vcpu_wake(v);
}

static void pause_all(struct domain *d)
{
	unsigned long flags;
	struct vcpu *v;

	spin_lock_irqsave(&d->pause_lock, flags);
	d->pause_count++;
	for_each_vcpu(d, v)
		atomic_inc(&v->pause_count);
	spin_unlock_irqrestore(&d->pause_lock, flags);
}

void domain_pause(struct domain *d)
{
	struct vcpu *v;

	ASSERT(d != current->domain);
	pause_all(d);
	for_each_vcpu(d, v)
		vcpu_sleep_sync(v);
	arch_domain_pause(d);
}

void domain_pause_nosync(struct domain *d)
{
	struct vcpu *v;

	pause_all(d);
	for_each_vcpu(d, v)
		vcpu_sleep_nosync(v);
	arch_domain_pause(d);
}

void domain_unpause(struct domain *d)
{
	unsigned long flags;
	struct vcpu *v;

	arch_domain_unpause(d);
	spin_lock_irqsave(&d->pause_lock, flags);
	d->pause_count--;
	for_each_vcpu(d, v)
		atomic_dec(&v->pause_count);
	spin_unlock_irqrestore(&d->pause_lock, flags);
	for_each_vcpu(d, v)
		if (!read_once(v->pause_count))
			vcpu_wake(v);
}

/* ---- what current asks for ---- */

void vcpu_block(void)
{
	struct vcpu *v = current;

	set_bit(VPF_blocked, &v->pause_flags);
	if (local_events_need_delivery())
		clear_bit(VPF_blocked, &v->pause_flags);
	else
		raise_softirq(SCHEDULE_SOFTIRQ);
}

void vcpu_block_enable_events(void)
{
	vcpu_set_event_delivery(current, true);
	vcpu_block();
}

void vcpu_yield(void)
{
	struct vcpu *v = current;
	struct runqueue *rq = &this_cpu(runqueues);

	if (!read_once(rq->nr_queued))
		return;		/* nobody to give way to */
	v->sched.flags |= SVF_yield;	/* read by schedule() here only */
	raise_softirq(SCHEDULE_SOFTIRQ);
}

/* ---- where a vcpu runs ---- */

void vcpu_replace(struct vcpu *v)
{
	unsigned long flags;
	struct runqueue *rq = vcpu_rq_lock(v, &flags);

	if (vcpu_queued(v)) {
		c2_dequeue(rq, v);
		place(rq, v, flags);
		return;
	}
	unlock_and_tickle(rq, flags, rq->curr == v ? v->processor : NR_CPUS);
}

int vcpu_set_hard_affinity(struct vcpu *v, const cpumask_t *mask)
{
	unsigned long flags;
	struct runqueue *rq;
	bool misplaced = false;
	int rc = 0;

	if (!cpumask_intersects(mask, cpupool_online_cpus(v->domain)))
		return -EINVAL;
	rq = vcpu_rq_lock(v, &flags);
	if (v->affinity_broken) {
		rc = -EBUSY;
	} else {
		cpumask_copy(&v->cpu_hard_affinity, mask);
		misplaced = !vcpu_may_run_on(v, v->processor);
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	if (misplaced)
		vcpu_replace(v);
	return rc;
}

int vcpu_set_soft_affinity(struct vcpu *v, const cpumask_t *mask)
{
	unsigned long flags;
	struct runqueue *rq = vcpu_rq_lock(v, &flags);
	int rc = 0;

	if (v->affinity_broken)
		rc = -EBUSY;
	else
		cpumask_copy(&v->cpu_soft_affinity, mask);
	spin_unlock_irqrestore(&rq->lock, flags);
	if (!rc)
		vcpu_replace(v);
	return rc;
}

int vcpu_temporary_affinity(struct vcpu *v, unsigned int cpu)
{
	unsigned long flags;
	struct runqueue *rq = vcpu_rq_lock(v, &flags);
	bool misplaced;
	int rc = -EINVAL;

	if (cpu == NR_CPUS) {
		if (v->affinity_broken) {
			v->affinity_broken = false;
			cpumask_copy(&v->cpu_hard_affinity, &v->cpu_hard_saved);
			rc = 0;
		}
	} else if (cpu < nr_cpu_ids) {
		if (v->affinity_broken) {
			rc = -EBUSY;
		} else if (cpumask_test_cpu(cpu, cpupool_online_cpus(v->domain))) {
			cpumask_copy(&v->cpu_hard_saved, &v->cpu_hard_affinity);
			v->cpu_hard_affinity = cpumask_of(cpu);
			v->affinity_broken = true;
			rc = 0;
		}
	}
	misplaced = !rc && !vcpu_may_run_on(v, v->processor);
	spin_unlock_irqrestore(&rq->lock, flags);
	if (misplaced)
		vcpu_replace(v);
	return rc;
}

void sched_migrate_timers(struct vcpu *v)
{
	unsigned int cpu = read_once(v->processor);

	migrate_timer(&v->singleshot_timer, cpu);
	migrate_timer(&v->poll_timer, cpu);
}

/* Its device interrupts follow a vcpu that moved, a little later: they need locks. */
static void move_pirqs(void *arg)
{
	struct vcpu *v = arg;
	struct domain *d = v->domain;

	evtchn_move_pirqs(v);
	domain_put(d);
}

static void vcpu_has_moved(struct vcpu *v, unsigned int cpu)
{
	v->last_cpu = cpu;
	if (!read_once(v->pirq_evtchn_head) || read_once(v->moved.queued))
		return;
	if (domain_get(v->domain))
		defer_on_cpu(&v->moved, cpu);
}

/* ---- timers of a vcpu ---- */

static void send_timer_event(struct vcpu *v)
{
	send_guest_vcpu_virq(v, VIRQ_TIMER);
}

/* Sends the tick if it is due, and arms the next. Only the CPU that v runs on calls this. */
static void periodic_work(struct vcpu *v, s_time_t now)
{
	s_time_t period = v->periodic_period, next = v->periodic_last_event + period;

	if (!period)
		return;
	if (now >= next) {
		send_timer_event(v);
		v->periodic_last_event = now;
		next = now + period;
	}
	set_timer_here(&v->periodic_timer, next);
}

static void periodic_timer_fn(void *arg)
{
	struct vcpu *v = arg;

	/* It ticks only while it runs: a late one is made up for at the switch. */
	if (v == current)
		periodic_work(v, NOW());
}

void vcpu_set_periodic_timer(struct vcpu *v, s_time_t period)
{
	stop_timer(&v->periodic_timer);
	v->periodic_period = period;
	if (period && v == current)
		periodic_work(v, NOW());
}

static void singleshot_timer_fn(void *arg)
{
	send_timer_event(arg);
}

static void poll_timer_fn(void *arg)
{
	struct vcpu *v = arg;

	if (test_and_clear_bit(v->vcpu_id, v->domain->poll_mask))
		vcpu_unblock(v);
}

/* ---- the switch ---- */

static void slice_timer_fn(void *arg)
{
	struct runqueue *rq = arg;
	s_time_t end = read_once(rq->slice_end);

	if (end <= NOW())
		raise_softirq(SCHEDULE_SOFTIRQ);
	else if (end != INT64_MAX)
		set_timer(&rq->slice_timer, end);
}

/*
 * Makes the timer fire at the slice's end; one that fires earlier looks again,
 * and is left alone.
 */
static void arm_slice(struct runqueue *rq)
{
	if (rq->slice_end != INT64_MAX &&
	    (!timer_is_active(&rq->slice_timer) || rq->slice_timer.expires > rq->slice_end))
		set_timer(&rq->slice_timer, rq->slice_end);
}

/* prev goes, next comes: books only. rq's lock is held. */
static void account_switch(struct runqueue *rq, struct vcpu *prev, struct vcpu *next,
			   unsigned int cpu, s_time_t now)
{
	if (is_idle_vcpu(prev)) {
		cpumask_clear_cpu(cpu, &idle_cpus);
		runstate_change(prev, RUNSTATE_runnable, now);
	} else {
		runstate_change(prev, waiting_state(prev), now);
		if (vcpu_runnable(prev)) {
			if (!vcpu_may_run_on(prev, cpu)) {
				prev->sched.flags |= SVF_replace;
			} else {
				c2_enqueue(rq, prev);
				/*
				 * Woken after `next` was chosen: whoever wakes
				 * it finds it queued.
				 */
				if (is_idle_vcpu(next) || !rq->contended)
					raise_softirq(SCHEDULE_SOFTIRQ);
			}
		}
	}
	if (is_idle_vcpu(next))
		cpumask_set_cpu(cpu, &idle_cpus);
	runstate_change(next, RUNSTATE_running, now);
	next->sched.start = now;
	next->is_running = true;
	rq->curr = next;
	/* Who sets an event pending reads is_running next; we look for events after this. */
	smp_mb();
}

static void schedule(void)
{
	unsigned int cpu = smp_processor_id(), tickle;
	struct runqueue *rq = &this_cpu(runqueues);
	struct vcpu *prev = current, *next;
	s_time_t now;

	spin_lock_irq(&rq->lock);
	now = NOW();
	if (!is_idle_vcpu(prev))
		c2_burn(rq, prev, now);
	next = c2_pick(rq, prev, now);
	if (next == prev) {
		arm_slice(rq);
		spin_unlock_irq(&rq->lock);
		return;
	}
	account_switch(rq, prev, next, cpu, now);
	arm_slice(rq);
	tickle = rq->nr_queued ? c2_push(rq, cpu, now) : NR_CPUS;
	spin_unlock(&rq->lock);		/* interrupts stay off until next runs */

	if (unlikely(tickle < NR_CPUS))
		cpu_raise_softirq(tickle, SCHEDULE_SOFTIRQ);
	if (prev->periodic_period)
		stop_timer(&prev->periodic_timer);
	if (next->periodic_period)
		periodic_work(next, now);
	if (prev->runstate_guest)
		update_runstate_area(prev);	/* its page tables are still loaded */
	if (unlikely(next->last_cpu != cpu))
		vcpu_has_moved(next, cpu);
	context_switch(prev, next);
}

void context_saved(struct vcpu *prev)
{
	unsigned long flags;
	struct runqueue *rq;

	if (is_idle_vcpu(prev)) {
		prev->is_running = false;
		return;
	}
	rq = vcpu_rq_lock(prev, &flags);
	atomic_store(&prev->is_running, false);
	if (unlikely(prev->sched.flags & SVF_replace)) {
		prev->sched.flags &= ~SVF_replace;
		if (vcpu_runnable(prev)) {
			place(rq, prev, flags);
			return;
		}
	}
	spin_unlock_irqrestore(&rq->lock, flags);
}

void idle_loop(void)
{
	for (;;) {
		if (this_softirq_pending()) {
			do_softirq();
			continue;
		}
		/* dom0 takes its memory as it is: before that, scrubbing is wasted and in the way. */
		if (hardware_domain && hardware_domain->creation_finished && heap_scrub_idle())
			continue;
		local_irq_disable();
		if (this_softirq_pending())
			local_irq_enable();
		else
			cpu_safe_halt();
	}
}

/* ---- life of vcpus and CPUs ---- */

static void runqueue_init(unsigned int cpu)
{
	struct runqueue *rq = &per_cpu(runqueues, cpu);

	spin_lock_init(&rq->lock, LOCK_RUNQUEUE);
	list_init(&rq->queue);
	rq->slice_end = INT64_MAX;
	init_timer(&rq->slice_timer, slice_timer_fn, rq, cpu);
}

int sched_init_vcpu(struct vcpu *v)
{
	unsigned int cpu = v->vcpu_id;

	list_init(&v->sched.runq);
	defer_init(&v->moved, move_pirqs, v);
	v->dirty_cpu = VCPU_CPU_CLEAN;
	cpumask_setall(&v->cpu_hard_affinity);
	cpumask_setall(&v->cpu_soft_affinity);
	if (is_idle_vcpu(v)) {
		struct runqueue *rq = &per_cpu(runqueues, cpu);

		runqueue_init(cpu);
		v->cpu_hard_affinity = cpumask_of(cpu);
		v->processor = v->last_cpu = cpu;
		v->is_running = true;
		v->runstate.state_entry_time = (uint64_t)NOW();
		rq->idle = rq->curr = v;
	} else {
		/* Spread the vcpus of a domain over its pool. */
		cpumask_t allowed;
		unsigned int n;

		vcpu_allowed_cpus(v, &allowed);
		n = v->vcpu_id % max(cpumask_weight(&allowed), 1u);
		for_each_cpu(cpu, &allowed)
			if (!n--)
				break;
		v->processor = v->last_cpu = cpu < NR_CPUS ? cpu : 0;
		if (v->domain->is_pinned)
			v->cpu_hard_affinity = cpumask_of(v->processor);
		c2_init_vcpu(v);
	}
	init_timer(&v->periodic_timer, periodic_timer_fn, v, v->processor);
	init_timer(&v->singleshot_timer, singleshot_timer_fn, v, v->processor);
	init_timer(&v->poll_timer, poll_timer_fn, v, v->processor);
	return 0;
}

void sched_destroy_vcpu(struct vcpu *v)
{
	unsigned long flags;
	struct runqueue *rq;

	kill_timer(&v->periodic_timer);
	kill_timer(&v->singleshot_timer);
	kill_timer(&v->poll_timer);
	rq = vcpu_rq_lock(v, &flags);
	if (vcpu_queued(v))
		c2_dequeue(rq, v);
	spin_unlock_irqrestore(&rq->lock, flags);
}

int sched_init_domain(struct domain *d, unsigned int poolid)
{
	int rc = cpupool_add_domain(d, poolid);

	if (!rc)
		c2_init_domain(d);
	return rc;
}

void sched_destroy_domain(struct domain *d)
{
	if (!d->cpupool)
		return;
	c2_destroy_domain(d);
	cpupool_rm_domain(d);
}

int sched_cpu_up(unsigned int cpu)
{
	/* It moved away if the CPU has been down. */
	migrate_timer(&per_cpu(runqueues, cpu).slice_timer, cpu);
	cpumask_set_cpu(cpu, &idle_cpus);
	return cpupool_cpu_up(cpu);
}

int sched_cpu_down(unsigned int cpu)
{
	struct runqueue *rq = &per_cpu(runqueues, cpu);
	int rc = cpupool_cpu_down(cpu);

	if (rc)
		return rc;
	/*
	 * Who came just before the CPU left its pool was not told to go, and may never
	 * sleep: the CPU looks again whom it may run.
	 */
	while (read_once(rq->curr) != rq->idle || read_once(rq->nr_queued)) {
		cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
		cpu_relax();
	}
	cpumask_clear_cpu(cpu, &idle_cpus);
	return 0;
}

void scheduler_init(void)
{
	open_softirq(SCHEDULE_SOFTIRQ, schedule);
	cpupool_init();
	cpumask_set_cpu(smp_processor_id(), &idle_cpus);
	cpupool_cpu_up(smp_processor_id());
}
