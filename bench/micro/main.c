/* SPDX-License-Identifier: MIT */
/*
 * Micro-benchmarks: how many instructions one operation of the hypervisor costs.
 *
 * Meant for QEMU's -icount with one CPU, where the TSC advances by one per instruction, so every
 * figure repeats exactly. Each operation runs LOOPS times; the minimum, less the cost of an empty
 * pair of rdtsc, is printed as "BENCH: <count> <name>". bench/run compares two hypervisors by these
 * lines.
 *
 * With the argument "short" only the time stamp of the kernel's first instruction is printed.
 */
#include "bench.h"

#include <guest/start.h>

unsigned int empty_pair;

__noinline long call(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3,
		     unsigned long a4)
{
	return hypercall(nr, a1, a2, a3, a4, 0);
}

void report(const char *name, unsigned int count)
{
	printk("BENCH: %u %s\n", count, name);
}

void must(long rc, const char *what)
{
	if (rc)
		panic("%s: %ld", what, rc);
}

static void bench_hypercall(void)
{
	static struct multicall_entry calls[32];

	empty_pair = MEASURE(, );
	report("empty rdtsc pair", empty_pair);
	report("null hypercall", MEASURE(, call(__HYPERVISOR_xen_version, 0, 0, 0, 0)));

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
	report("multicall, per entry at 32", MEASURE(, multicall(calls, 32)) / 32);
	report("sched_op yield", MEASURE(, call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0)));
}

int guest_main(void)
{
	printk("BENCH: %lu entry tsc\n", entry_tsc);
	if (arg_present("short"))
		return 0;
	bench_hypercall();
	bench_traps();
	bench_memory();
	bench_events();
	return 0;
}
