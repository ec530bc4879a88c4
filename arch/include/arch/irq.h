/* SPDX-License-Identifier: MIT */
/* Physical interrupts that a domain owns: pirqs. */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <core/types.h>

struct domain;
struct vcpu;

/*
 * Connects d's pirq to its hardware interrupt, events going to v's domain.
 * -errno as EVTCHNOP_bind_pirq's.
 */
int pirq_guest_bind(struct vcpu *v, unsigned int pirq, bool will_share);
void pirq_guest_unbind(struct domain *d, unsigned int pirq);
/* The guest has dealt with it (PHYSDEVOP_eoi, or unmask with auto-EOI). */
void pirq_guest_eoi(struct domain *d, unsigned int pirq);
/* 0 if d may bind that pirq, -EINVAL / -EPERM otherwise. */
int pirq_check(struct domain *d, unsigned int pirq);
/* The event channel bound to a pirq of d, 0 = none; kept by the port. */
unsigned int pirq_evtchn(const struct domain *d, unsigned int pirq);
void pirq_set_evtchn(struct domain *d, unsigned int pirq, unsigned int port);
/* Interrupt follows the vcpu that handles its events. */
void pirq_set_affinity(struct domain *d, unsigned int pirq, const struct vcpu *v);
void pirqs_release(struct domain *d);	/* all of a dying domain's */

#endif
