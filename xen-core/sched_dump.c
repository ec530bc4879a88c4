/* SPDX-License-Identifier: MIT */
/*
 * Debug key 'r': what runs on each CPU, who waits there, and what its timers
 * are set to. A run queue whose lock is taken is looked at all the same: the
 * key is for when something hangs.
 */
#include "sched_private.h"
#include <core/domain.h>
#include <core/softirq.h>
#include <arch/cpu.h>

#define MAX_SHOWN	64	/* of a list that may change while it is shown */

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

static void dump_cpu(unsigned int cpu)
{
	struct runqueue *rq = &per_cpu(runqueues, cpu);
	unsigned long irq = local_irq_save();
	bool locked = spin_trylock(&rq->lock);
	s_time_t now = NOW();
	unsigned int n = 0;
	struct vcpu *v;

	printk("CPU%u:%s %u queued%s, slice ends in %ld us, its timer %s, softirqs %lx%s\n", cpu,
	       cpumask_test_cpu(cpu, &idle_cpus) ? " idle," : "", rq->nr_queued,
	       rq->contended ? ", contended" : "",
	       rq->slice_end == INT64_MAX ? -1 : (rq->slice_end - now) / 1000,
	       timer_is_active(&rq->slice_timer) ? "on" : "off", per_cpu(softirq_bits, cpu),
	       locked ? "" : ", LOCKED");
	dump_vcpu(rq->curr, now);
	list_for_each_entry(v, &rq->queue, sched.runq) {
		if (n++ == MAX_SHOWN)
			break;
		dump_vcpu(v, now);
	}
	if (locked)
		spin_unlock(&rq->lock);
	local_irq_restore(irq);
}

void sched_dump(unsigned char key __maybe_unused)
{
	const s_time_t now = NOW();
	struct domain *d;
	struct vcpu *v;
	unsigned int cpu;

	for_each_online_cpu(cpu)
		dump_cpu(cpu);
	printk("All vcpus (now = %ld):\n", now);
	for_each_domain(d)
		for_each_vcpu(d, v)
			dump_vcpu(v, now);
}
