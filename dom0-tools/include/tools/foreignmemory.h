/* SPDX-License-Identifier: MIT */
/*
 * Other domains' memory by frame number (a privileged domain's right), through /dev/xen/privcmd.
 */
#ifndef TOOLS_FOREIGNMEMORY_H
#define TOOLS_FOREIGNMEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <xen/xen.h>

struct foreignmemory;

int foreignmemory_open(struct foreignmemory **out);
void foreignmemory_close(struct foreignmemory *fm);

/*
 * Maps @count frames (machine frames for PV) of @domid contiguously; @prot as for mmap.
 * With @errors, errors[i] is 0 or -errno of frame i and the call succeeds if the range was set up;
 * without, any frame's failure fails the call and nothing stays mapped.
 */
int foreignmemory_map(struct foreignmemory *fm, domid_t domid, int prot, size_t count,
		      const xen_pfn_t *frames, int *errors, void **address);
int foreignmemory_unmap(struct foreignmemory *fm, void *address, size_t count);

/*
 * Maps @count frames from index @first of a resource (XENMEM_resource_grant_table,
 * XENMEM_resource_grant_table_id_shared; <xen/memory.h>) of @domid. -EOPNOTSUPP: the kernel or
 * hypervisor lacks it. Unmap with foreignmemory_unmap().
 */
int foreignmemory_map_resource(struct foreignmemory *fm, domid_t domid, unsigned int type,
			       unsigned int id, unsigned long first, unsigned long count, int prot,
			       void **address);

#endif
