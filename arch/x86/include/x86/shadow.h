/* SPDX-License-Identifier: MIT */
/*
 * Shadows: page tables of our own that a vcpu runs on while its domain's writes
 * are logged. See shadow.c and docs/log-dirty.md.
 */
#ifndef X86_SHADOW_H
#define X86_SHADOW_H

#include <core/types.h>

struct domain;
struct vcpu;

/* Tables below the roots: what one instruction may need many times over, and what is plenty. */
#define SHADOW_TABLES_MIN	64U
#define SHADOW_TABLES_MAX	4096U

/*
 * Gives v a shadow with that many tables; 0 or -ENOMEM. It is not used before
 * shadow_use(), which is also how it is left again. v is paused and loaded on no
 * CPU (sync_vcpu_execstate) for each of the three.
 */
int shadow_create(struct vcpu *v, unsigned int tables);
void shadow_use(struct vcpu *v, bool on);
void shadow_destroy(struct vcpu *v);

/* The guest's base tables of v have changed: which address CR3 shall have, by TF_kernel_mode. */
void shadow_set_roots(struct vcpu *v);
/* This CPU's TLB is about to be flushed: so is the shadow of the vcpu that is loaded here. */
void shadow_flush_here(void);
void shadow_flush_one_here(unsigned long va);
/*
 * A page fault of current, which has a shadow in use, or of the hypervisor
 * on one of its addresses. True: the shadow has what was missing, try again. False: the
 * guest's own tables do not allow it, and *ec says so as its own TLB would have.
 */
bool shadow_fault(struct vcpu *v, unsigned long va, unsigned int *ec);

/* XEN_DOMCTL_shadow_op on d, which is not the caller: see the ABI for *op. 0 or -errno. */
struct xen_domctl_shadow_op;
long log_dirty_op(struct domain *d, struct xen_domctl_shadow_op *op);
/* d is dying, its vcpus are off the CPUs. */
void log_dirty_teardown(struct domain *d);

#endif
