/* SPDX-License-Identifier: MIT */
/* What the core asks of the trap code. */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include <core/types.h>

struct vcpu;

/* Registers, code, stack and backtrace with symbols of where we are (regs may be NULL). */
struct cpu_user_regs;
void show_execution_state(const struct cpu_user_regs *regs);
void dump_stack(void);
/* What the loaded page tables say about va. */
void show_page_walk(unsigned long va);
/* Queues an NMI for a PV vcpu. False if one is already pending. */
bool vcpu_raise_nmi(struct vcpu *v);

#endif
