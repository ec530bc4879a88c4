/* SPDX-License-Identifier: MIT */
/*
 * Deferred work of a CPU, see core/softirq.h.
 *
 * A pending softirq is one bit of a per-CPU word. Raising one for another CPU
 * sends an event-check interrupt, whose only purpose is that the CPU leaves its
 * guest or its halt and looks at the word. SCHEDULE_SOFTIRQ's handler may never
 * come back (it switches to another vcpu on a fresh stack); what else was
 * pending is then found by whoever runs next.
 */
#include <core/softirq.h>
#include <core/lib.h>
#include <arch/atomic.h>
#include <arch/bitops.h>
#include <arch/cpu.h>

DEFINE_PER_CPU(unsigned long, softirq_bits);
static DEFINE_PER_CPU(struct deferred *, deferred_list);

static void (*softirq_fn[NR_SOFTIRQS])(void) __ro_after_init;

/* Bits that must not run in the middle of something: they end the vcpu's turn, or references. */
#define SOFTIRQS_OUTERMOST \
	((1UL << SCHEDULE_SOFTIRQ) | (1UL << QUIESCE_SOFTIRQ) | (1UL << OFFLINE_SOFTIRQ))

static void run_deferred(void);

void open_softirq(unsigned int nr, void (*fn)(void))
{
	BUG_ON(nr >= NR_SOFTIRQS);
	softirq_fn[nr] = fn;
}

void softirq_init(void)
{
	open_softirq(CALL_SOFTIRQ, run_deferred);
}

void raise_softirq(unsigned int nr)
{
	set_bit(nr, &this_cpu(softirq_bits));
}

void cpu_raise_softirq(unsigned int cpu, unsigned int nr)
{
	if (test_and_set_bit(nr, &per_cpu(softirq_bits, cpu)))
		return;		/* whoever set it has sent the interrupt */
	if (cpu != smp_processor_id()) {
		cpumask_t mask = cpumask_of(cpu);

		smp_send_event_check(&mask);
	}
}

void cpumask_raise_softirq(const cpumask_t *mask, unsigned int nr)
{
	unsigned int cpu;

	for_each_cpu(cpu, mask)
		cpu_raise_softirq(cpu, nr);
}

static void run_softirqs(unsigned long leave_out)
{
	unsigned long pending;

	/* Re-read the CPU's word each time: handlers raise more. */
	while ((pending = this_softirq_pending() & ~leave_out) != 0) {
		unsigned int nr = (unsigned int)__builtin_ctzl(pending);

		clear_bit(nr, &this_cpu(softirq_bits));
		BUG_ON(!softirq_fn[nr]);
		softirq_fn[nr]();
	}
}

void do_softirq(void)
{
	run_softirqs(0);
}

void process_pending_softirqs(void)
{
	run_softirqs(SOFTIRQS_OUTERMOST);
}

void defer_init(struct deferred *d, void (*fn)(void *), void *arg)
{
	*d = (struct deferred){ .fn = fn, .arg = arg };
}

void defer_on_cpu(struct deferred *d, unsigned int cpu)
{
	struct deferred **head = &per_cpu(deferred_list, cpu);
	struct deferred *first;

	if (test_and_set_bit(0, &d->queued))
		return;
	do {
		first = read_once(*head);
		d->next = first;
	} while (atomic_cmpxchg(head, first, d) != first);
	cpu_raise_softirq(cpu, CALL_SOFTIRQ);
}

static void run_list(struct deferred **head)
{
	struct deferred *d = atomic_xchg(head, (struct deferred *)NULL);
	struct deferred *in_order = NULL, *next;

	for (; d; d = next) {		/* the list grew at its head: turn it round */
		next = d->next;
		d->next = in_order;
		in_order = d;
	}
	for (d = in_order; d; d = next) {
		void (*fn)(void *) = d->fn;
		void *arg = d->arg;

		next = d->next;
		/* from here it may be queued again, or freed by fn */
		clear_bit(0, &d->queued);
		fn(arg);
	}
}

static void run_deferred(void)
{
	run_list(&this_cpu(deferred_list));
}

void softirq_cpu_offline(unsigned int cpu)
{
	run_list(&per_cpu(deferred_list, cpu));
}
