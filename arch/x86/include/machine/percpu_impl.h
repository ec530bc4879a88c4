/* SPDX-License-Identifier: MIT */
/* Per-CPU data on x86: copies of the .bss.percpu template in the heap, found by an offset. */
#ifndef MACHINE_PERCPU_IMPL_H
#define MACHINE_PERCPU_IMPL_H

#include <x86/cpu_info.h>

extern unsigned long percpu_offsets[];		/* [NR_CPUS] */

#define percpu_offset(cpu)	(percpu_offsets[cpu])
#define this_percpu_offset()	(get_cpu_info()->percpu_offset)

#endif
