/* SPDX-License-Identifier: MIT */
/* HYPERVISOR_memory_op: what the core does itself, and what it asks of the machine. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <core/domain.h>
#include <xen/memory.h>

/* continuation: start extent is encoded above the op number */
#define MEMOP_EXTENT_SHIFT	6
#define MEMOP_CMD_MASK		((1u << MEMOP_EXTENT_SHIFT) - 1)

/* Operations only a machine can answer (memory maps, m2p lists, ...): -ENOSYS if it cannot. */
long arch_memory_op(unsigned long cmd, unsigned long arg);

#endif
