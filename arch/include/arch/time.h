/* SPDX-License-Identifier: MIT */
/* System time, wall clock, the deadline timer. */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include <core/types.h>

struct vcpu;
struct domain;

#define SECONDS(n)	((s_time_t)(n) * 1000000000L)
#define MILLISECS(n)	((s_time_t)(n) * 1000000L)
#define MICROSECS(n)	((s_time_t)(n) * 1000L)

s_time_t get_s_time(void);		/* ns since boot; monotonic across CPUs */
#define NOW()	get_s_time()
/*
 * Arms this CPU's timer interrupt for `deadline` (0 = off); false if it has
 * passed. Interrupts off.
 */
bool reprogram_timer(s_time_t deadline);
/*
 * Publishes time to the guest: vcpu_time_info, and its extra area. v is current
 * or being switched to.
 */
void update_vcpu_system_time(struct vcpu *v);
void force_update_vcpu_system_time(struct vcpu *v);
void update_domain_wallclock_time(struct domain *d);
/* XENPF_settime64. */
void do_settime(uint64_t secs, uint64_t nsecs, uint64_t system_time_base);
void udelay(unsigned long usec);
void domain_set_time_offset(struct domain *d, int64_t seconds);

#endif
