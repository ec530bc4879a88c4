/* SPDX-License-Identifier: MIT */
/* What the files of the micro-benchmark share: the measuring loop and its report. */
#ifndef BENCH_H
#define BENCH_H

#include <guest/console.h>
#include <guest/hypercall.h>

#define LOOPS	200

/* The cost of measuring nothing, subtracted from every figure. */
extern unsigned int empty_pair;

static inline uint32_t tsc_low(void)
{
	uint32_t lo;

	__asm__ volatile("rdtsc" : "=a"(lo) :: "rdx", "memory");
	return lo;
}

/*
 * The minimum over LOOPS runs of `op`, after `prepare`, less the empty pair. The start is kept in a
 * register; beside the operation only the loading of its arguments is counted. i_ is the loop's
 * counter.
 */
#define MEASURE(prepare, op)						\
	({								\
		uint32_t best_ = ~0U, t_;				\
		for (unsigned int i_ = 0; i_ < LOOPS; i_++) {		\
			prepare;					\
			t_ = tsc_low();					\
			op;						\
			t_ = tsc_low() - t_;				\
			if (t_ < best_)					\
				best_ = t_;				\
		}							\
		best_ - empty_pair;					\
	})

/*
 * A hypercall through a function, as kernels with a hypercall page do: the figures include the
 * call.
 */
long call(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4);

void report(const char *name, unsigned int count);

/* Panic unless rc is 0: a benchmark of failing calls is worthless. */
void must(long rc, const char *what);

void bench_traps(void);		/* traps.c */
void bench_memory(void);	/* memory.c */
void bench_events(void);	/* events.c */

#endif
