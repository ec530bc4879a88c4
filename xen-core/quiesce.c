/* SPDX-License-Identifier: MIT */
/*
 * Waiting for readers that take no lock, see core/quiesce.h.
 *
 * Calls are gathered into batches. For one batch at a time every online CPU is
 * asked, by QUIESCE_SOFTIRQ, to say that it holds no old pointer; the last one
 * to answer runs the batch. Calls that come meanwhile form the next batch,
 * since a CPU that has answered may have found the newer objects afterwards.
 */
#include <core/quiesce.h>
#include <core/cpumask.h>
#include <core/softirq.h>
#include <core/lib.h>
#include <arch/spinlock.h>

static DEFINE_SPINLOCK(quiesce_lock, LOCK_ANY);
static struct quiesce_head *running;	/* the batch being waited for */
static struct quiesce_head *gathering, **gathering_end = &gathering;
static cpumask_t waiting_for;		/* CPUs that have not answered for `running` */

/* The lock is held. Returns the CPUs to ask, to be asked without the lock. */
static bool start_batch(cpumask_t *ask)
{
	if (running || !gathering)
		return false;
	running = gathering;
	gathering = NULL;
	gathering_end = &gathering;
	cpumask_copy(&waiting_for, &cpu_online_map);
	cpumask_copy(ask, &waiting_for);
	return true;
}

void quiesce_call(struct quiesce_head *head, void (*fn)(struct quiesce_head *))
{
	unsigned long flags;
	cpumask_t ask;
	bool start;

	head->fn = fn;
	head->next = NULL;
	spin_lock_irqsave(&quiesce_lock, flags);
	*gathering_end = head;
	gathering_end = &head->next;
	start = start_batch(&ask);
	spin_unlock_irqrestore(&quiesce_lock, flags);
	if (start)
		cpumask_raise_softirq(&ask, QUIESCE_SOFTIRQ);
}

static void cpu_has_passed(unsigned int cpu)
{
	struct quiesce_head *done = NULL, *next;
	unsigned long flags;
	bool start = false;
	cpumask_t ask;

	spin_lock_irqsave(&quiesce_lock, flags);
	cpumask_clear_cpu(cpu, &waiting_for);
	if (running && cpumask_empty(&waiting_for)) {
		done = running;
		running = NULL;
		start = start_batch(&ask);
	}
	spin_unlock_irqrestore(&quiesce_lock, flags);

	if (start)
		cpumask_raise_softirq(&ask, QUIESCE_SOFTIRQ);
	for (; done; done = next) {
		next = done->next;
		done->fn(done);
	}
}

static void quiesce_softirq(void)
{
	cpu_has_passed(smp_processor_id());
}

void quiesce_cpu_offline(unsigned int cpu)
{
	cpu_has_passed(cpu);
}

void quiesce_init(void)
{
	open_softirq(QUIESCE_SOFTIRQ, quiesce_softirq);
}
