/* SPDX-License-Identifier: MIT */
/* domctl and sysctl parts that other files of the core share. */
#ifndef CORE_DOMCTL_H
#define CORE_DOMCTL_H

#include <core/domain.h>
#include <core/hypercall.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/platform.h>

/*
 * One row of the domctl table. d may be NULL only for operations with
 * `no_domain`. fn changes *op in place and sets *copyback if the caller shall
 * see it; -ERESTART calls it again later, with the guest's copy of op.
 */
struct domctl_row {
	long (*fn)(struct xen_domctl *op, struct domain *d, bool *copyback);
	bool no_domain;		/* createdomain and the like */
	bool unlocked;		/* runs without the domctl lock */
};
struct sysctl_row {
	long (*fn)(struct xen_sysctl *op, bool *copyback);
};

/* A machine's own operations; fn NULL = -ENOSYS. */
extern const struct domctl_row arch_domctl_table[];
extern const unsigned int arch_domctl_rows;
extern const struct sysctl_row arch_sysctl_table[];
extern const unsigned int arch_sysctl_rows;

/* A bitmap as the tools give it <-> a cpumask. 0 or -EFAULT/-EINVAL. */
int cpumask_from_xenctl(cpumask_t *mask, const struct xenctl_bitmap *bm);
int cpumask_to_xenctl(const struct xenctl_bitmap *bm, const cpumask_t *mask);
void getdomaininfo(struct domain *d, struct xen_domctl_getdomaininfo *info);

#endif
