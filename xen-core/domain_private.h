/* SPDX-License-Identifier: MIT */
/* What domain.c, domain_destroy.c and vcpu.c share. */
#ifndef XEN_CORE_DOMAIN_PRIVATE_H
#define XEN_CORE_DOMAIN_PRIVATE_H

#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/atomic.h>
#include <arch/domain.h>

/* Takes d out of the list and the hash: no new lookup finds it. */
void domain_list_remove(struct domain *d);
/* Frees a vcpu that is on no CPU and that nobody can find any more. */
void vcpu_destroy(struct vcpu *v);

#endif
