/* SPDX-License-Identifier: MIT */
/*
 * A machine of a few CPUs with the real scheduler, timers, softirqs, events and
 * domains on it; the test turns the clock (host_now). Link what LINK of
 * test_sched.c names.
 */
#ifndef UNIT_CPU_WORLD_H
#define UNIT_CPU_WORLD_H

#include "harness.h"
#include "../../xen-core/sched_private.h"

extern unsigned int world_cpus;

void world_boot(unsigned int cpus);
/* A domain whose vcpus want to run: paused as a builder leaves it, or unpaused. */
struct domain *world_make(domid_t id, unsigned int vcpus);
struct domain *world_start(domid_t id, unsigned int vcpus);
/* Each CPU gets its due timer interrupt and runs its softirqs, three times round. */
void world_run_cpus(void);
struct vcpu *world_running(unsigned int cpu);
/* How often arch_domain_relinquish() is preempted. */
extern unsigned int world_preempt_relinquish;
/* Kills all domains. */
void world_end_domains(void);
int world_teardown(void **state);
#define world_test(f)	cmocka_unit_test_setup_teardown(f, unit_setup, world_teardown)

#endif
