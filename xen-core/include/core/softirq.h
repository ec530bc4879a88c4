/* SPDX-License-Identifier: MIT */
/*
 * Deferred work of a CPU. A softirq is raised anywhere (interrupt context
 * included) and run with interrupts enabled and no lock held, at the outermost
 * level only: before returning to a guest, and in the idle loop. There is no
 * preemption otherwise; long work polls hypercall_preempt_check().
 */
#ifndef CORE_SOFTIRQ_H
#define CORE_SOFTIRQ_H

#include <core/types.h>
#include <core/cpumask.h>
#include <arch/percpu.h>

enum {
	TIMER_SOFTIRQ,
	SCHEDULE_SOFTIRQ,
	QUIESCE_SOFTIRQ,	/* core/quiesce.h */
	CALL_SOFTIRQ,		/* deferred functions of this CPU */
	TIME_CALIBRATE_SOFTIRQ,
	SCRUB_SOFTIRQ,
	NMI_SOFTIRQ,
	CONSOLE_SOFTIRQ,	/* console_late.c */
	MCE_SOFTIRQ,
	OFFLINE_SOFTIRQ,	/* the CPU stops; last, as it never comes back */
	NR_SOFTIRQS
};

DECLARE_PER_CPU(unsigned long, softirq_bits);	/* bit n: softirq n is pending */

#define softirq_pending(cpu)	read_once(per_cpu(softirq_bits, cpu))
#define this_softirq_pending()	read_once(this_cpu(softirq_bits))

void softirq_init(void);				/* boot CPU, before any other */
void open_softirq(unsigned int nr, void (*fn)(void));
void raise_softirq(unsigned int nr);			/* on this CPU */
void cpu_raise_softirq(unsigned int cpu, unsigned int nr);	/* sends an IPI if needed */
void cpumask_raise_softirq(const cpumask_t *mask, unsigned int nr);
/* Runs what is pending on this CPU, repeatedly. Interrupts on, no lock held. */
void do_softirq(void);
/* As do_softirq but never SCHEDULE, QUIESCE or OFFLINE: for long loops. */
void process_pending_softirqs(void);

/*
 * Runs fn(arg) on this CPU (or cpu) from CALL_SOFTIRQ, once. The node must stay
 * valid until then; queueing a queued node does nothing. Any context.
 */
struct deferred {
	void (*fn)(void *arg);
	void *arg;
	struct deferred *next;
	unsigned long queued;	/* bit 0; atomic */
};
void defer_init(struct deferred *d, void (*fn)(void *), void *arg);
void defer_on_cpu(struct deferred *d, unsigned int cpu);
/* The CPU has stopped: what was deferred to it is run here. */
void softirq_cpu_offline(unsigned int cpu);

#endif
