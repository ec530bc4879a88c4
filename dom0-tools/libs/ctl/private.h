/* SPDX-License-Identifier: MIT */
/*
 * Inside ctl: one area of hypercall-safe memory per handle, its first OP_ROOM bytes for the
 * operation's structure, the rest for what its guest handles point to. It grows and is reused.
 */
#ifndef TOOLS_LIBS_CTL_PRIVATE_H
#define TOOLS_LIBS_CTL_PRIVATE_H

#include <tools/ctl.h>

#define OP_ROOM		256UL

struct ctl {
	struct call *call;
	char *area;
	size_t area_bytes;
};

/* @bytes of the area behind the operation, contents undefined; NULL: out of memory. */
void *ctl_payload(struct ctl *ctl, size_t bytes);

/* A hypercall of two words: command and the area's first bytes, a copy of @op (in, out). */
int ctl_small_op(struct ctl *ctl, unsigned int hypercall, unsigned int cmd, void *op, size_t bytes);

/* A domctl of the given kind for @domid, the rest zero. */
static inline struct xen_domctl ctl_domctl_for(uint32_t cmd, domid_t domid)
{
	return (struct xen_domctl){ .cmd = cmd, .domain = domid };
}

#endif
