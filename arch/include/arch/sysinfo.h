/* SPDX-License-Identifier: MIT */
/* What a machine tells a toolstack about itself. */
#ifndef ARCH_SYSINFO_H
#define ARCH_SYSINFO_H

#include <core/types.h>

struct xen_sysctl_physinfo;
struct xen_sysctl_cputopo;

/* Adds total_pages, cpu_khz, threads_per_core, cores_per_socket, hw_cap and capabilities. */
void arch_physinfo(struct xen_sysctl_physinfo *pi);
/* Core, socket and node of a CPU, or the ABI's "invalid" for one that is not there. */
void arch_cpu_topology(unsigned int cpu, struct xen_sysctl_cputopo *topo);
/* Pages of RAM in the machine. */
unsigned long host_total_pages(void);

#endif
