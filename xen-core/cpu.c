/* SPDX-License-Identifier: MIT */
/* The sets of CPUs that everything refers to; the port fills them. */
#include <core/cpumask.h>

cpumask_t cpu_online_map;
cpumask_t cpu_possible_map;
unsigned int nr_cpu_ids = 1;
