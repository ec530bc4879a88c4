/* SPDX-License-Identifier: MIT */
/*
 * Further vcpus. smp_boot() initialises and starts one that runs entry(arg) on its own stack and
 * then stays in a wait loop, where smp_run() can give it further functions.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include <guest/types.h>

#include <xen/vcpu.h>

#define SMP_MAX_VCPUS	8

/* Does the domain have this vcpu (up or down)? */
bool smp_exists(unsigned int vcpu);

/*
 * Fill a context that starts vcpu at smp_entry; for tests that call VCPUOP_initialise themselves.
 */
void smp_fill_context(struct vcpu_guest_context *ctxt, unsigned int vcpu);

/* Initialise and start the vcpu; waits until it runs. 0 or the hypercall's error. */
long smp_boot(unsigned int vcpu);

/* Start fn(arg) on a booted vcpu; smp_wait() waits for its end (yielding). */
void smp_run(unsigned int vcpu, void (*fn)(void *), void *arg);
void smp_wait(unsigned int vcpu);

#endif
