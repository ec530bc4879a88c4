/* SPDX-License-Identifier: MIT */
/* Time: the paravirtual clock, the wall clock, and the singleshot timer. */
#ifndef GUEST_TIME_H
#define GUEST_TIME_H

#include <guest/types.h>

#define MS	1000000UL
#define SECOND	1000000000UL

/* Nanoseconds since the hypervisor's boot, by the calling vcpu's time record. */
uint64_t time_now(void);

/* Wall clock: nanoseconds since 1970 at this moment. */
uint64_t time_wall(void);

/* VCPUOP_set_singleshot_timer for the calling vcpu, absolute system time. */
long time_set_singleshot(uint64_t deadline, unsigned int flags);

/* Busy-wait (yielding). */
void time_delay(uint64_t ns);

#endif
