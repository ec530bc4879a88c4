/* SPDX-License-Identifier: MIT */
#ifndef MACHINE_CPU_IMPL_H
#define MACHINE_CPU_IMPL_H

#include <x86/cpu_info.h>

#define X86_EFLAGS_IF	0x200UL

static inline unsigned int smp_processor_id(void) { return get_cpu_info()->processor_id; }
static inline struct vcpu *current_vcpu(void) { return get_cpu_info()->current_vcpu; }
static inline void local_irq_disable(void) { __asm__ __volatile__("cli" ::: "memory"); }
static inline void local_irq_enable(void) { __asm__ __volatile__("sti" ::: "memory"); }
static inline unsigned long local_save_flags(void)
{
	unsigned long f;

	__asm__ __volatile__("pushfq; popq %0" : "=g"(f) :: "memory");
	return f;
}
static inline unsigned long local_irq_save(void)
{
	unsigned long f = local_save_flags();

	local_irq_disable();
	return f;
}
static inline void local_irq_restore(unsigned long f)
{
	if (f & X86_EFLAGS_IF)
		local_irq_enable();
	else
		local_irq_disable();
}
static inline bool local_irq_is_enabled(void) { return local_save_flags() & X86_EFLAGS_IF; }
static inline void cpu_relax(void) { __asm__ __volatile__("pause" ::: "memory"); }

#endif
