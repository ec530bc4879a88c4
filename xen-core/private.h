/* SPDX-License-Identifier: MIT */
/* Shared by files of xen-core only. */
#ifndef XEN_CORE_PRIVATE_H
#define XEN_CORE_PRIVATE_H

#include <core/types.h>
#include <arch/percpu.h>
#include <xen/xen.h>

/* The multicall that this CPU executes, so that a call in it can be continued. */
struct multicall_state {
	bool active;
	bool preempted;			/* the call goes on with op and args */
	unsigned int op, nr_args;
	unsigned long args[6];
};
DECLARE_PER_CPU(struct multicall_state, multicall_state);

#endif
