/* SPDX-License-Identifier: MIT */
/* The parts of HYPERVISOR_platform_op, which has more operations than one file can hold. */
#ifndef X86_PLATFORM_OP_H
#define X86_PLATFORM_OP_H

#include <core/types.h>
#include <xen/platform.h>

/*
 * All have this form: *op may be changed; *back says that its union goes back
 * to the caller. Return what the hypercall returns.
 */
#define DECLARE_PLATFORM_OP(name) long platform_##name(struct xen_platform_op *op, bool *back)

/* platform_info.c */
DECLARE_PLATFORM_OP(firmware_info);
DECLARE_PLATFORM_OP(read_memtype);
DECLARE_PLATFORM_OP(set_pminfo);
DECLARE_PLATFORM_OP(get_cpuinfo);
DECLARE_PLATFORM_OP(get_cpu_version);
DECLARE_PLATFORM_OP(getidletime);
DECLARE_PLATFORM_OP(get_symbol);
DECLARE_PLATFORM_OP(resource_op);

#endif
