/* SPDX-License-Identifier: MIT */
/* Shared by memory_op.c and memory_exchange.c. */
#ifndef MEMORY_PRIVATE_H
#define MEMORY_PRIVATE_H

#include <core/domain.h>
#include <xen/memory.h>

unsigned int memop_max_order(const struct domain *d);
/* May current change or ask about d's memory? 0 or -EPERM. */
int memop_permitted(const struct domain *d);
/* XENMEMF_* to MEMF_*. 0, or -EINVAL for what cannot be honoured. */
int memop_memflags(unsigned int xen_flags, unsigned int *memflags);
long memory_exchange(unsigned int op, unsigned long start, unsigned long arg);

#endif
