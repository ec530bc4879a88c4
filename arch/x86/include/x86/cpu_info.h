/* SPDX-License-Identifier: MIT */
/*
 * struct cpu_info sits at the top of each CPU's stack, so it is found from the
 * stack pointer alone, on the exception stacks too, whatever GS holds. The
 * stack of a CPU is STACK_SIZE-aligned, see x86/layout.h.
 */
#ifndef X86_CPU_INFO_H
#define X86_CPU_INFO_H

#include <core/types.h>
#include <x86/layout.h>

struct vcpu;

struct cpu_info {
	struct vcpu *current_vcpu;
	unsigned long percpu_offset;
	unsigned int processor_id;
	unsigned int irq_depth;
	unsigned int nmi_depth;		/* in_nmi() while not 0 */
	/*
	 * End (address just above ss) of the frame that an entry from the guest
	 * pushes: &current->arch.regs.es. Also in the TSS's rsp0.
	 */
	unsigned long guest_frame_end;
	unsigned long scratch[3];	/* for the first instructions of an entry */
	/* Room for page-table isolation and speculation control. */
	unsigned long hyp_cr3, exit_cr3, spec_ctrl;
} __aligned(16);

static inline struct cpu_info *get_cpu_info(void)
{
	unsigned long sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return (struct cpu_info *)((sp & ~(unsigned long)(STACK_SIZE - 1)) + STACK_SIZE) - 1;
}

/* Around the handlers of NMI and #MC; in_guest: that is what they hit. */
static inline void nmi_enter(bool in_guest)
{
	get_cpu_info()->nmi_depth += !in_guest;
}
static inline void nmi_exit(bool in_guest)
{
	get_cpu_info()->nmi_depth -= !in_guest;
}

#endif
