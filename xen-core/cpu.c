/* SPDX-License-Identifier: MIT */
/* The sets of CPUs that everything refers to; the port fills them. */
#include <core/cpumask.h>

cpumask_t cpu_online_map = { { 1 } };	/* the boot CPU */
cpumask_t cpu_possible_map = { { 1 } };
unsigned int nr_cpu_ids = 1;
