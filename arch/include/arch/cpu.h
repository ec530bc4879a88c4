/* SPDX-License-Identifier: MIT */
/* This CPU and the others: identity, interrupt flag, waiting, calls across. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <core/types.h>
#include <core/cpumask.h>

struct vcpu;

/*
 * The port gives, inline where it matters:
 *   unsigned int smp_processor_id(void);
 *   struct vcpu *current_vcpu(void);		`current`
 *   void local_irq_disable(void), local_irq_enable(void);
 *   unsigned long local_irq_save(void); void local_irq_restore(unsigned long);
 *   bool local_irq_is_enabled(void);
 *   void cpu_relax(void);
 */
#include <machine/cpu_impl.h>

#define current	(current_vcpu())

bool in_irq(void);			/* in interrupt context */
/* In what cannot be masked and hit the hypervisor: any lock may be held, so none may be taken. */
bool in_nmi(void);
/*
 * Halts until an interrupt; called with interrupts off after the last check,
 * returns with them on.
 */
void cpu_safe_halt(void);
/* Makes each CPU of mask leave its guest or halt and look at its softirqs. */
void smp_send_event_check(const cpumask_t *mask);
/*
 * Runs fn(arg) in interrupt context on each CPU of mask, this one included;
 * waits if wait. Interrupts on.
 */
void on_selected_cpus(const cpumask_t *mask, void (*fn)(void *), void *arg, bool wait);

#endif
