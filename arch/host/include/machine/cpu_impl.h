/* SPDX-License-Identifier: MIT */
/*
 * A fake CPU: which one "we" are, who runs on it and its interrupt flag are
 * variables of the test.
 */
#ifndef MACHINE_CPU_IMPL_H
#define MACHINE_CPU_IMPL_H

#define HOST_NR_CPUS	8U

struct host_cpu {
	struct vcpu *current_vcpu;
	bool irq_enabled;
	unsigned int irq_depth;		/* in_irq() while not 0 */
	unsigned int nmi_depth;		/* in_nmi() while not 0 */
};
extern struct host_cpu host_cpus[HOST_NR_CPUS];
extern unsigned int host_this_cpu;
/* Called by cpu_relax(): lets a test run the other side of a wait. NULL: waiting is a deadlock. */
extern void (*host_relax_hook)(void);
void host_cpu_relax(void);

static inline unsigned int smp_processor_id(void) { return host_this_cpu; }
static inline struct vcpu *current_vcpu(void) { return host_cpus[host_this_cpu].current_vcpu; }
static inline void local_irq_disable(void) { host_cpus[host_this_cpu].irq_enabled = false; }
static inline void local_irq_enable(void) { host_cpus[host_this_cpu].irq_enabled = true; }
static inline bool local_irq_is_enabled(void) { return host_cpus[host_this_cpu].irq_enabled; }
static inline unsigned long local_irq_save(void)
{
	bool was = host_cpus[host_this_cpu].irq_enabled;

	host_cpus[host_this_cpu].irq_enabled = false;
	return was;
}
static inline void local_irq_restore(unsigned long flags)
{
	host_cpus[host_this_cpu].irq_enabled = flags != 0;
}
static inline void cpu_relax(void) { host_cpu_relax(); }

#endif
