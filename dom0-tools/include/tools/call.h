/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls from a dom0 program, through /dev/xen/privcmd.
 *
 * Buffers whose address a hypercall gets must not move or be copied on write meanwhile: take them
 * from call_alloc(). Everything else in dom0-tools reaches the hypervisor through this header.
 *
 * All functions of dom0-tools return 0 or a count on success and a negative errno on failure,
 * unless their comment says otherwise. No library prints: the caller knows the user.
 */
#ifndef TOOLS_CALL_H
#define TOOLS_CALL_H

#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/memory.h>

struct call;

/*
 * Opens the hypercall device. -ENOENT or -ENXIO: no hypervisor under this Linux; -EACCES: not root.
 * Handles are not inherited by exec. Not to be shared by threads without a lock of the caller's.
 */
int call_open(struct call **out);
void call_close(struct call *call);

/* The hypercall's return value as an int, which is -errno where it failed (privcmd's ioctl). */
int call_hypercall(struct call *call, unsigned int op, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4, unsigned long a5);

/*
 * A memory_op whose result may exceed an int (and that may continue inside the hypervisor), issued
 * as a multicall of one entry. @arg is from call_alloc(), or NULL.
 */
long call_memory_op(struct call *call, unsigned int cmd, void *arg);

/* @bytes of zeroed, page-aligned, resident memory for hypercall arguments; NULL: out of memory. */
void *call_alloc(struct call *call, size_t bytes);
void call_free(struct call *call, void *buffer, size_t bytes);

#endif
