/* SPDX-License-Identifier: MIT */
/* Per-CPU data: CPU 0 uses the template itself, the others have copies (arch/host/cpu.c). */
#ifndef MACHINE_PERCPU_IMPL_H
#define MACHINE_PERCPU_IMPL_H

#include <arch/cpu.h>

/* A section whose bounds the linker names by itself: __start_percpu_area. */
#undef DEFINE_PER_CPU
#define DEFINE_PER_CPU(type, name)	__section("percpu_area") __typeof__(type) per_cpu__##name

unsigned long host_percpu_offset(unsigned int cpu);

#define percpu_offset(cpu)	host_percpu_offset(cpu)
#define this_percpu_offset()	host_percpu_offset(smp_processor_id())

#endif
