/* SPDX-License-Identifier: MIT */
/* TSC scaling, and the TSC that guests see. */
#ifndef X86_TIME_H
#define X86_TIME_H

#include <core/types.h>

struct cpu_user_regs;
struct domain;
struct vcpu;

/*
 * Counter ticks to nanoseconds: ((ticks << shift) * mul) >> 32, a negative
 * shift going right (ABI of vcpu_time_info).
 */
struct time_scale {
	uint32_t mul;
	int8_t shift;
};

static inline uint64_t scale_delta(uint64_t delta, const struct time_scale *s)
{
	if (s->shift < 0)
		delta >>= -s->shift;
	else
		delta <<= s->shift;
	return (uint64_t)(((unsigned __int128)delta * s->mul) >> 32);
}
void set_time_scale(struct time_scale *s, uint64_t hz);
/* The scale that turns nanoseconds back into ticks. */
struct time_scale scale_reciprocal(struct time_scale s);

/* What get_s_time() computes with on one CPU; only that CPU changes it, interrupts off. */
struct time_record {
	uint64_t tsc;			/* at this TSC ... */
	s_time_t stime;			/* ... it was this system time */
	struct time_scale scale;
	struct time_scale to_ticks;	/* the reciprocal, for TSC deadlines */
	unsigned long generation;	/* changes when anything above does; 0 never */
};
const struct time_record *this_time_record(void);
s_time_t stime_at_tsc(uint64_t tsc);	/* this CPU's TSC */

bool tsc_is_invariant(void);
bool tsc_is_stable(void);		/* vcpu_time_info may say TSC_STABLE */
bool host_tsc_is_safe(void);		/* guests may read the TSC natively */

/* domctl gettscinfo, settscinfo: 0 or -EINVAL for an unknown mode. */
void tsc_get_info(struct domain *d, uint32_t *mode, uint64_t *elapsed_nsec, uint32_t *khz,
		  uint32_t *incarnation);
int tsc_set_info(struct domain *d, uint32_t mode, uint64_t elapsed_nsec, uint32_t khz,
		 uint32_t incarnation);
/* RDTSC of a domain with d->arch.vtsc. */
uint64_t vtsc_read(const struct domain *d);
/* CPUID leaf 0x40000003, sub-leaves 0 to 2. */
void tsc_cpuid_leaf(const struct domain *d, unsigned int subleaf, uint32_t out[4]);
/* VCPUOP_register_vcpu_time_memory_area: v is current. 0 or -EFAULT. */
int register_time_area(struct vcpu *v, unsigned long guest_va);

/* ---- platform_timer.c: a slow but steady counter ---- */
void platform_timer_init(void);
const char *platform_timer_name(void);
/*
 * Nanoseconds since platform_timer_init(), and the TSC at that moment. Must be
 * called every 2 s by someone.
 */
s_time_t platform_time(uint64_t *tsc);
uint64_t platform_measure_tsc_hz(unsigned int usec);	/* waits that long */

/* ---- wallclock.c ---- */
void wallclock_init(void);

#endif
