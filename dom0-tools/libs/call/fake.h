/* SPDX-License-Identifier: MIT */
/*
 * Inside the fake hypervisor: its state, shared by fake.c and fake_ops.c.
 */
#ifndef TOOLS_LIBS_CALL_FAKE_H
#define TOOLS_LIBS_CALL_FAKE_H

#include <fake_hypervisor.h>

#define FAKE_PAGE 4096UL

struct fake_frame {
	domid_t owner;			/* DOMID_INVALID: free */
	unsigned int maps;
	unsigned long pfn;		/* what machine_to_phys says */
};

struct fake_hv {
	struct fake_domain *domains;	/* by id */
	int memory_fd;
	uint8_t *memory;
	struct fake_frame *frames;
	unsigned long nr_frames, free_frames;
	unsigned long unfragmented;	/* pages that larger blocks may still take */
	unsigned int cpus;
	unsigned int handles, buffers, mapped, calls;
	unsigned int fail_in;
	int fail_with;
	bool resources;
	domid_t last_id;
};
extern struct fake_hv fake_hv;

xen_pfn_t fake_hv_alloc(domid_t owner, unsigned int order);
void fake_hv_free(xen_pfn_t mfn);
unsigned int fake_hv_frame_maps(xen_pfn_t mfn);
bool fake_hv_set_m2p(xen_pfn_t mfn, unsigned long pfn);
struct fake_domain *fake_hv_new_domain(domid_t id);
void fake_hv_reap(struct fake_domain *domain);


/* Domctls that only saving and restoring a domain needs. */
struct xen_domctl;
int fake_op_ext_vcpucontext(struct fake_domain *domain, struct xen_domctl *op);
int fake_op_vcpuextstate(struct fake_domain *domain, struct xen_domctl *op);
int fake_op_vcpu_msrs(struct fake_domain *domain, struct xen_domctl *op);
int fake_op_get_cpu_policy(struct fake_domain *domain, struct xen_domctl *op);
int fake_op_tscinfo(struct fake_domain *domain, struct xen_domctl *op);
int fake_op_shadow(struct fake_domain *domain, struct xen_domctl *op);

#endif
