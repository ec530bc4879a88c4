/* SPDX-License-Identifier: MIT */
/* Variables with one instance per CPU, zeroed when the CPU's area is set up. */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <core/types.h>

#define DEFINE_PER_CPU(type, name)	__section(".bss.percpu") __typeof__(type) per_cpu__##name
#define DECLARE_PER_CPU(type, name)	extern __typeof__(type) per_cpu__##name

/* The port: percpu_offset(cpu), this_percpu_offset() - bytes to add to the template's address. */
#include <machine/percpu_impl.h>

#define per_cpu(name, cpu) \
	(*(__typeof__(per_cpu__##name) *)((unsigned long)&per_cpu__##name + percpu_offset(cpu)))
#define this_cpu(name) \
	(*(__typeof__(per_cpu__##name) *)((unsigned long)&per_cpu__##name + this_percpu_offset()))

#endif
