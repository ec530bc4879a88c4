/* SPDX-License-Identifier: MIT */
/*
 * Debug key 'r': what runs on each CPU, who waits there, and what its timers
 * are set to. Of a run queue whose lock stays taken, who waits is left out: the
 * key is for when something hangs.
 */
#include "sched_private.h"
#include <core/domain.h>
#include <core/softirq.h>
#include <arch/cpu.h>

#define MAX_SHOWN	64U	/* of those that wait for a CPU */
#define LOCK_TRIES	1000U

static void dump_vcpu(const struct vcpu *v, s_time_t now)
{
	printk("    %pv%s credit=%ld flags=%x pause=%lx/%d runstate=%d for %ld us, timer ", v,
	       v->is_running ? " running" : "", v->sched.credit, v->sched.flags, v->pause_flags,
	       v->pause_count, v->runstate.state,
	       (now - (s_time_t)v->runstate.state_entry_time) / 1000);
	if (timer_is_active(&v->singleshot_timer))
		printk("CPU%u in %ld us\n", v->singleshot_timer.cpu,
		       (v->singleshot_timer.expires - now) / 1000);
	else
		printk("off\n");
}

/* Who waits in rq, first to last: how many of them are in list. False: its lock stays taken. */
static bool who_waits(struct runqueue *rq, struct vcpu **list, unsigned int *nr)
{
	unsigned long irq = local_irq_save();
	bool locked = spin_trylock(&rq->lock);
	struct vcpu *v;

	for (unsigned int i = 0; i < LOCK_TRIES && !locked; i++) {
		cpu_relax();
		locked = spin_trylock(&rq->lock);
	}
	*nr = 0;
	if (locked) {
		list_for_each_entry(v, &rq->queue, sched.runq)
			if (*nr < MAX_SHOWN)
				list[(*nr)++] = v;
		spin_unlock(&rq->lock);
	}
	local_irq_restore(irq);
	return locked;
}

static void dump_cpu(unsigned int cpu)
{
	struct runqueue *rq = &per_cpu(runqueues, cpu);
	const s_time_t end = read_once(rq->slice_end), now = NOW();
	struct vcpu *waiting[MAX_SHOWN];
	unsigned int nr;
	bool locked = who_waits(rq, waiting, &nr);

	printk("CPU%u:%s %u queued%s, slice ends in %ld us, its timer %s, softirqs %lx%s\n", cpu,
	       cpumask_test_cpu(cpu, &idle_cpus) ? " idle," : "", rq->nr_queued,
	       rq->contended ? ", contended" : "", end == INT64_MAX ? -1 : (end - now) / 1000,
	       timer_is_active(&rq->slice_timer) ? "on" : "off", per_cpu(softirq_bits, cpu),
	       locked ? "" : ", LOCKED");
	dump_vcpu(read_once(rq->curr), now);
	for (unsigned int i = 0; i < nr; i++)
		dump_vcpu(waiting[i], now);
}

void sched_dump(unsigned char key __maybe_unused)
{
	const s_time_t now = NOW();
	struct domain *d;
	struct vcpu *v;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		dump_cpu(cpu);
		process_pending_softirqs();
	}
	printk("All vcpus (now = %ld):\n", now);
	for_each_domain(d)
		for_each_vcpu(d, v) {
			dump_vcpu(v, now);
			process_pending_softirqs();
		}
}
