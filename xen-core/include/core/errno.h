/* SPDX-License-Identifier: MIT */
/*
 * The errnos that hypercalls return, negated; values are the ABI's (<xen/errno.h>).
 * -ERESTART never reaches a guest: it says "preempted, call me again with the
 * arguments I left", see core/hypercall.h.
 */
#ifndef CORE_ERRNO_H
#define CORE_ERRNO_H

#define XEN_ERRNO(name, value) name = (value),
enum {
#include <xen/errno.h>
	/* What the ABI header keeps for hypervisors. */
	EINTR = 4,
	ERESTART = 85,
};

/* Pointers that carry an errno: the top 4095 values. */
static inline void *ERR_PTR(long err) { return (void *)err; }
static inline long PTR_ERR(const void *p) { return (long)p; }
static inline int IS_ERR(const void *p) { return (unsigned long)p >= (unsigned long)-4095L; }

#endif
