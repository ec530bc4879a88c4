/* SPDX-License-Identifier: MIT */
/*
 * Control operations of the hypervisor: domctl, sysctl and the memory operations of a toolstack,
 * one function each, arguments checked by the hypervisor. Structures are those of <xen/domctl.h>
 * and <xen/sysctl.h>: interface versions of Xen 4.17, verified by ctl_open().
 */
#ifndef TOOLS_CTL_H
#define TOOLS_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/version.h>
#include <tools/call.h>

struct ctl;

/* -EPROTO: the hypervisor speaks another version of the control interface than 4.17's. */
int ctl_open(struct ctl **out);
void ctl_close(struct ctl *ctl);
/* The hypercall handle underneath, for callers with operations of their own. */
struct call *ctl_call(struct ctl *ctl);

/* Raw operations: the version fields are filled in here; @op is copied in and out. */
int ctl_domctl(struct ctl *ctl, struct xen_domctl *op);
int ctl_sysctl(struct ctl *ctl, struct xen_sysctl *op);

/* --- Domains --- */
/* @config's flags, limits etc.: <xen/domctl.h>; *domid 0 chooses one. Returns 0, *domid set. */
int ctl_createdomain(struct ctl *ctl, domid_t *domid, const struct xen_domctl_createdomain *config);
int ctl_destroydomain(struct ctl *ctl, domid_t domid);
int ctl_pausedomain(struct ctl *ctl, domid_t domid);
int ctl_unpausedomain(struct ctl *ctl, domid_t domid);
int ctl_resumedomain(struct ctl *ctl, domid_t domid);
int ctl_max_vcpus(struct ctl *ctl, domid_t domid, unsigned int vcpus);
int ctl_max_mem(struct ctl *ctl, domid_t domid, uint64_t kib);
/* The domain with this id exactly; -ESRCH. */
int ctl_getdomaininfo(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info);
/* Up to @max domains with ids from @first on; the count. */
int ctl_getdomaininfolist(struct ctl *ctl, domid_t first, unsigned int max,
			  struct xen_domctl_getdomaininfo *list);
int ctl_sendtrigger(struct ctl *ctl, domid_t domid, uint32_t trigger, uint32_t vcpu);
int ctl_remote_shutdown(struct ctl *ctl, domid_t domid, unsigned int reason);
int ctl_settscinfo(struct ctl *ctl, domid_t domid, uint32_t mode, uint64_t elapsed_ns,
		   uint32_t khz, uint32_t incarnation);
int ctl_gettscinfo(struct ctl *ctl, domid_t domid, struct xen_domctl_tsc_info *info);
int ctl_set_address_size(struct ctl *ctl, domid_t domid, unsigned int bits);
/* 64 or 32, or -errno. */
int ctl_get_address_size(struct ctl *ctl, domid_t domid);
int ctl_setdomainhandle(struct ctl *ctl, domid_t domid, const uint8_t handle[16]);
/* Fills @frame of the domain with its hypercall page. */
int ctl_hypercall_init(struct ctl *ctl, domid_t domid, xen_pfn_t frame);
int ctl_settimeoffset(struct ctl *ctl, domid_t domid, int64_t seconds);
int ctl_irq_permission(struct ctl *ctl, domid_t domid, uint32_t pirq, bool allow);
int ctl_iomem_permission(struct ctl *ctl, domid_t domid, uint64_t first_mfn, uint64_t count,
			 bool allow);
int ctl_ioport_permission(struct ctl *ctl, domid_t domid, uint32_t first, uint32_t count,
			  bool allow);

/* --- vcpus: cpu maps are bit arrays of @bytes bytes, CPU 0 the lowest bit of the first --- */
int ctl_getvcpuinfo(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		    struct xen_domctl_getvcpuinfo *info);
int ctl_setvcpuaffinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t *hard,
			uint8_t *soft, unsigned int bytes);
int ctl_getvcpuaffinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t *hard,
			uint8_t *soft, unsigned int bytes);
int ctl_setnodeaffinity(struct ctl *ctl, domid_t domid, const uint8_t *nodes, unsigned int bytes);
/* The union member for PV 64-bit guests in, or out; @context from call_alloc() is not needed. */
int ctl_setvcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		       struct vcpu_guest_context *context);
int ctl_getvcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		       struct vcpu_guest_context *context);

/* Old-style callbacks and machine-check state. */
int ctl_get_ext_vcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
			    struct xen_domctl_ext_vcpucontext *context);
int ctl_set_ext_vcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
			    struct xen_domctl_ext_vcpucontext *context);
/*
 * FPU and vector state as the hypervisor words it. @buffer NULL asks for *bytes and *features; the
 * second call takes both back. 0 bytes: the domain never used any.
 */
int ctl_getvcpuextstate(struct ctl *ctl, domid_t domid, unsigned int vcpu, void *buffer,
			uint64_t *bytes, uint64_t *features);
int ctl_setvcpuextstate(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *buffer,
			uint64_t bytes);
/* MSRs worth migrating. @msrs NULL asks for the count; -ENOBUFS: *count was too small. */
int ctl_get_vcpu_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		      struct xen_domctl_vcpu_msr *msrs, uint32_t *count);
int ctl_set_vcpu_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		      const struct xen_domctl_vcpu_msr *msrs, uint32_t count);

/* --- Scheduling: credit2 and its kin; @op's scheduler id says whose member of the union --- */
int ctl_sched_get(struct ctl *ctl, domid_t domid, struct xen_domctl_scheduler_op *op);
int ctl_sched_put(struct ctl *ctl, domid_t domid, struct xen_domctl_scheduler_op *op);

/* Parameters of a pool's scheduler: @op's cpupool_id and sched_id are in. */
int ctl_sched_params_get(struct ctl *ctl, struct xen_sysctl_scheduler_op *op);
int ctl_sched_params_put(struct ctl *ctl, struct xen_sysctl_scheduler_op *op);

/* --- The host --- */
int ctl_physinfo(struct ctl *ctl, struct xen_sysctl_physinfo *info);
/* Per-CPU idle nanoseconds: count of CPUs filled in, at most @max. */
int ctl_getcpuinfo(struct ctl *ctl, uint64_t *idle, unsigned int max);
/* Counts of entries filled in; with @topo, or both @mem and @distance, NULL: how many there are. */
int ctl_cputopoinfo(struct ctl *ctl, struct xen_sysctl_cputopo *topo, unsigned int max);
/* distance[i * count + j], with the count that is returned. */
int ctl_numainfo(struct ctl *ctl, struct xen_sysctl_meminfo *mem, uint32_t *distance,
		 unsigned int max);
/* The node of each device; XEN_INVALID_DEV, XEN_INVALID_NODE_ID. The count answered for. */
int ctl_pcitopoinfo(struct ctl *ctl, const struct physdev_pci_device *devices, uint32_t *nodes,
		    unsigned int count);
/* Free bytes on @node, or on all with -1. */
int ctl_availheap(struct ctl *ctl, int node, uint64_t *bytes);
int ctl_sched_id(struct ctl *ctl, uint32_t *id);
/* One of XEN_SYSCTL_CPUPOOL_OP_*; @cpumap (@bytes) in or out where the operation has one. */
int ctl_cpupool(struct ctl *ctl, struct xen_sysctl_cpupool_op *op, uint8_t *cpumap,
		unsigned int bytes);
/* Console ring: as XEN_SYSCTL_readconsole; *index in and out when @incremental. Bytes read. */
int ctl_readconsole(struct ctl *ctl, char *buffer, uint32_t bytes, bool clear, bool incremental,
		    uint32_t *index);
int ctl_debug_keys(struct ctl *ctl, const char *keys);

/* --- CPU policies --- */
/* In: room (nr_*), or the lists to set. Out: what is filled in. */
struct ctl_cpu_policy {
	uint32_t nr_leaves, nr_msrs;
	xen_cpuid_leaf_t *leaves;
	xen_msr_entry_t *msrs;
};
/* The most leaves and MSRs that any policy has. */
int ctl_cpu_policy_size(struct ctl *ctl, uint32_t *nr_leaves, uint32_t *nr_msrs);
/* XEN_SYSCTL_cpu_policy_*. -ENOBUFS: no room. */
int ctl_system_cpu_policy(struct ctl *ctl, uint32_t index, struct ctl_cpu_policy *policy);
int ctl_get_cpu_policy(struct ctl *ctl, domid_t domid, struct ctl_cpu_policy *policy);
/* All or nothing. @refused (may be NULL): leaf, subleaf and MSR that were objected to, or ~0. */
int ctl_set_cpu_policy(struct ctl *ctl, domid_t domid, const struct ctl_cpu_policy *policy,
		       uint32_t refused[3]);
/* XEN_SYSCTL_cpu_featureset_*: the count of words. */
int ctl_cpu_featureset(struct ctl *ctl, uint32_t index, uint32_t *features, unsigned int max);

/* --- xen_version: @buffer for the XENVER_* answer, in and out; the result is the call's --- */
int ctl_version(struct ctl *ctl, unsigned int what, void *buffer, size_t bytes);

/* --- Memory --- */
/* 2^@order pages each; frames[] in (pfns, for PV) and out (machine frames). The count populated. */
long ctl_populate_physmap(struct ctl *ctl, domid_t domid, unsigned int order, unsigned int flags,
			  unsigned long count, xen_pfn_t *frames);
long ctl_decrease_reservation(struct ctl *ctl, domid_t domid, unsigned long count,
			      xen_pfn_t *frames);
int ctl_claim_pages(struct ctl *ctl, domid_t domid, unsigned long pages);
long ctl_maximum_ram_page(struct ctl *ctl);
/* domctl getpageframeinfo3: frames in, types and state out (XEN_DOMCTL_PFINFO_*). */
int ctl_getpageframeinfo(struct ctl *ctl, domid_t domid, unsigned int count, xen_pfn_t *frames);
/* The highest pfn the domain has; for PV as its shared info says. */
long ctl_maximum_gpfn(struct ctl *ctl, domid_t domid);
/* The first frame of each 2 MiB of the machine-to-physical table, mapped from DOMID_XEN. Count. */
int ctl_machphys_mfn_list(struct ctl *ctl, unsigned int max, xen_pfn_t *frames);
/* The E820 map that @domid is told: entries of @entry_bytes (20). */
int ctl_set_memory_map(struct ctl *ctl, domid_t domid, const void *entries, unsigned int count,
		       size_t entry_bytes);
/*
 * XEN_DOMCTL_SHADOW_OP_*: log-dirty mode. @bitmap of *pages bits (CLEAN, PEEK) or NULL; *pages out
 * is how many the domain has. -EOPNOTSUPP: this hypervisor cannot for such a domain.
 */
int ctl_shadow_op(struct ctl *ctl, domid_t domid, uint32_t what, uint32_t mode, void *bitmap,
		  uint64_t *pages, struct xen_domctl_shadow_op_stats *stats);

/* --- Another domain's page tables --- */
int ctl_mmuext(struct ctl *ctl, domid_t domid, struct mmuext_op *ops, unsigned int count);
/* MMU_MACHPHYS_UPDATE etc. with @domid the owner of the frames. */
int ctl_mmu_update(struct ctl *ctl, domid_t domid, struct mmu_update *updates, unsigned int count);

/* --- Another domain's event channels and grants --- */
/* A port of @domid that @remote may bind; the port. */
int ctl_alloc_unbound(struct ctl *ctl, domid_t domid, domid_t remote);
/* Closes all of the domain's ports. */
int ctl_evtchn_reset(struct ctl *ctl, domid_t domid);
/* Grows the domain's grant table to @count frames, which are returned. */
int ctl_gnttab_setup_table(struct ctl *ctl, domid_t domid, unsigned int count, xen_pfn_t *frames);
int ctl_evtchn_status(struct ctl *ctl, domid_t domid, evtchn_port_t port,
		      struct evtchn_status *status);

#endif
