/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU areas. The boot CPU uses the template in .bss.percpu itself, so that
 * per-CPU variables work from the first C function on; each further CPU gets
 * zeroed pages of its own, kept when it goes offline.
 */
#include <core/cpumask.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/mm.h>
#include <arch/percpu.h>
#include <x86/platform.h>

extern char __percpu_start[], __percpu_end[];

unsigned long percpu_offsets[NR_CPUS];

void __init percpu_init_bsp(void)
{
	struct cpu_info *info = get_cpu_info();

	percpu_offsets[0] = 0;
	info->processor_id = 0;
	info->percpu_offset = 0;
}

/* 0, or -ENOMEM. Finds an area left by an earlier life of that CPU. */
int percpu_alloc(unsigned int cpu)
{
	size_t size = (size_t)(__percpu_end - __percpu_start);
	unsigned int order = get_order_from_bytes(size);
	char *area;

	if (percpu_offsets[cpu])
		return 0;
	area = alloc_xenheap_pages(order, 0);
	if (!area)
		return -ENOMEM;
	memset(area, 0, size);
	percpu_offsets[cpu] = (unsigned long)area - (unsigned long)__percpu_start;
	return 0;
}
