/* SPDX-License-Identifier: MIT */
/*
 * Per-vcpu data: struct cpu lies at the bottom of each vcpu's kernel stack, so this_cpu() is a mask
 * of %rsp and needs no segment base (which the tests change at will).
 */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <guest/layout.h>
#include <guest/types.h>

struct trap_catch;

struct cpu {
	unsigned int id;
	struct trap_catch *catch;	/* innermost trap_catch() in progress */
	unsigned long user_rsp;		/* where user_call() waits, see user.c */
	long user_result;
	void (*entry)(void *);		/* what a further vcpu runs */
	void *arg;
	volatile int state;		/* see smp.h */
};

static inline struct cpu *this_cpu(void)
{
	unsigned long rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (struct cpu *)(rsp & ~(GUEST_STACK_SIZE - 1UL));
}

/* Set up this vcpu's struct cpu. */
void cpu_init(unsigned int id);

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return (uint64_t)hi << 32 | lo;
}

#endif
