/* SPDX-License-Identifier: MIT */
/* Debug registers (SDM 3B 17.2) and CR0.TS. */
#ifndef X86_DEBUGREG_H
#define X86_DEBUGREG_H

#include <x86/asm.h>

#define DR6_DEFAULT	0xffff0ff0UL
#define DR7_DEFAULT	0x400UL
#define DR7_ACTIVE_MASK	0xffUL		/* any of the local and global enable bits */
#define DR_NUM		8

#define DEFINE_DR(n) \
static inline unsigned long read_dr##n(void) \
{ unsigned long v; __asm__ __volatile__("mov %%db" #n ", %0" : "=r"(v)); return v; } \
static inline void write_dr##n(unsigned long v) \
{ __asm__ __volatile__("mov %0, %%db" #n :: "r"(v)); }
DEFINE_DR(0)
DEFINE_DR(1)
DEFINE_DR(2)
DEFINE_DR(3)
DEFINE_DR(6)
DEFINE_DR(7)

static inline void clts(void) { __asm__ __volatile__("clts"); }
static inline void stts(void) { write_cr0(read_cr0() | CR0_TS); }

struct vcpu;
/*
 * Checks and stores one debug register of v, and loads it if v is current.
 * 0; -ENODEV no such register; -EPERM an address or a bit that a guest may not have.
 */
long set_debugreg(struct vcpu *v, unsigned int reg, unsigned long value);
/* Loads v's breakpoints into the CPU; DR7 has some of them enabled. */
void debugreg_load(const struct vcpu *v);

#endif
