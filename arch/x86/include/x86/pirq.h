/* SPDX-License-Identifier: MIT */
/*
 * A domain's physical interrupts, for the hypercalls that map them (arch/irq.h
 * is for event channels).
 */
#ifndef X86_PIRQ_H
#define X86_PIRQ_H

#include <core/types.h>

struct domain;
struct msi_request;

#define PIRQ_RESERVED	(-1)	/* number handed out (get_free_pirq), nothing behind it yet */

struct pirq_map {
	int irq;			/* e: > 0, 0 = none, PIRQ_RESERVED */
	unsigned int evtchn;		/* e */
	bool bound;			/* e: its domain is among the irq's guests */
	bool masked;			/* irq's desc->lock: waits for this guest's EOI */
};

/* How many pirq numbers d may use. */
unsigned int domain_nr_pirqs(const struct domain *d);
/* The irq behind a pirq: > 0, or 0. */
int domain_pirq_to_irq(const struct domain *d, unsigned int pirq);
bool pirq_shared(const struct domain *d, unsigned int pirq);
/*
 * PHYSDEVOP_map_pirq. *pirq < 0: choose one; it is filled in. 0 or -errno as
 * the oracle's: -EINVAL, -EEXIST, -ENOSPC, -EPERM, -ENODEV, -ENOMEM.
 */
int pirq_map_gsi(struct domain *d, int gsi, int *pirq);
int pirq_map_msi(struct domain *d, const struct msi_request *req, int *pirq);
int pirq_unmap(struct domain *d, int pirq);	/* 0, -EINVAL */
int pirq_get_free(struct domain *d, int type);	/* MAP_PIRQ_TYPE_*: reserves it; -ENOSPC, -ENOMEM */
/* PHYSDEVOP_pirq_eoi_gmfn: 0, -EINVAL, -EBUSY. */
int pirq_set_eoi_page(struct domain *d, unsigned long gmfn, bool auto_unmask);
/* PHYSDEVOP_eoi. 0 or -EINVAL. */
int pirq_eoi(struct domain *d, unsigned int pirq);
/*
 * XEN_DOMCTL_irq_permission: may d use the irq behind the caller's pirq. 0,
 * -EINVAL, -EPERM, -ENOMEM.
 */
int pirq_set_permission(struct domain *d, unsigned int pirq, bool allow);

#endif
