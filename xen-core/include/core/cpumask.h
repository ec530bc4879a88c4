/* SPDX-License-Identifier: MIT */
/* Sets of physical CPUs. */
#ifndef CORE_CPUMASK_H
#define CORE_CPUMASK_H

#include <core/types.h>
#include <arch/bitops.h>

#define NR_CPUS	128U

typedef struct cpumask {
	unsigned long bits[BITS_TO_LONGS(NR_CPUS)];
} cpumask_t;

extern unsigned int nr_cpu_ids;		/* one more than the highest possible CPU id */
extern cpumask_t cpu_online_map;
extern cpumask_t cpu_possible_map;

/* Index of the first set bit at or after `from`, NR_CPUS if none. */
static inline unsigned int cpumask_next_from(const cpumask_t *m, unsigned int from)
{
	while (from < NR_CPUS) {
		unsigned long w = m->bits[from / 64] >> (from % 64);

		if (w)
			return from + (unsigned int)__builtin_ctzl(w);
		from = (from / 64 + 1) * 64;
	}
	return NR_CPUS;
}

#define cpumask_first(m)	cpumask_next_from(m, 0)
#define cpumask_next(cpu, m)	cpumask_next_from(m, (cpu) + 1)
#define for_each_cpu(cpu, m) \
	for ((cpu) = cpumask_first(m); (cpu) < NR_CPUS; (cpu) = cpumask_next(cpu, m))
#define for_each_online_cpu(cpu)	for_each_cpu(cpu, &cpu_online_map)

/* cpumask_set_cpu and _clear_cpu are atomic. */
static inline void cpumask_set_cpu(unsigned int cpu, cpumask_t *m) { set_bit(cpu, m->bits); }
static inline void cpumask_clear_cpu(unsigned int cpu, cpumask_t *m) { clear_bit(cpu, m->bits); }
static inline bool cpumask_test_cpu(unsigned int cpu, const cpumask_t *m)
{
	return cpu < NR_CPUS && test_bit(cpu, m->bits);
}
static inline bool cpumask_test_and_set_cpu(unsigned int cpu, cpumask_t *m)
{
	return test_and_set_bit(cpu, m->bits);
}
static inline bool cpumask_test_and_clear_cpu(unsigned int cpu, cpumask_t *m)
{
	return test_and_clear_bit(cpu, m->bits);
}

static inline void cpumask_clear(cpumask_t *m) { *m = (cpumask_t){ { 0 } }; }
static inline void cpumask_setall(cpumask_t *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(m->bits); i++)
		m->bits[i] = ~0UL;
}
static inline void cpumask_copy(cpumask_t *d, const cpumask_t *s) { *d = *s; }
static inline void cpumask_and(cpumask_t *d, const cpumask_t *a, const cpumask_t *b)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(d->bits); i++)
		d->bits[i] = a->bits[i] & b->bits[i];
}
static inline void cpumask_or(cpumask_t *d, const cpumask_t *a, const cpumask_t *b)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(d->bits); i++)
		d->bits[i] = a->bits[i] | b->bits[i];
}
static inline void cpumask_andnot(cpumask_t *d, const cpumask_t *a, const cpumask_t *b)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(d->bits); i++)
		d->bits[i] = a->bits[i] & ~b->bits[i];
}
static inline bool cpumask_empty(const cpumask_t *m) { return cpumask_first(m) >= NR_CPUS; }
static inline bool cpumask_intersects(const cpumask_t *a, const cpumask_t *b)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(a->bits); i++)
		if (a->bits[i] & b->bits[i])
			return true;
	return false;
}
static inline bool cpumask_subset(const cpumask_t *a, const cpumask_t *of)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(a->bits); i++)
		if (a->bits[i] & ~of->bits[i])
			return false;
	return true;
}
static inline bool cpumask_equal(const cpumask_t *a, const cpumask_t *b)
{
	return cpumask_subset(a, b) && cpumask_subset(b, a);
}
static inline unsigned int cpumask_weight(const cpumask_t *m)
{
	unsigned int w = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(m->bits); i++)
		w += (unsigned int)__builtin_popcountl(m->bits[i]);
	return w;
}
static inline cpumask_t cpumask_of(unsigned int cpu)
{
	cpumask_t m = { { 0 } };

	m.bits[cpu / 64] = 1UL << (cpu % 64);
	return m;
}

#endif
