/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor in this process, behind tools/call.h and tools/foreignmemory.h: link
 * dom0-tools/libs/call/fake.c, dom0-tools/libs/call/fake_ops.c,
 * dom0-tools/libs/foreignmemory/fake.c and the real files of dom0-tools/libs/ctl. It runs nothing,
 * but it has domains with real memory, counts everything that can leak, and checks page tables when
 * they are pinned as a hypervisor would.
 *
 * Fresh pages hold junk, as on real Xen. A destroyed domain stays as a zombie while pages of it are
 * mapped. Unknown operations answer -ENOSYS.
 */
#ifndef TESTS_TOOLS_FAKE_HYPERVISOR_H
#define TESTS_TOOLS_FAKE_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/memory.h>

#define FAKE_HV_VCPUS 128
#define FAKE_HV_PORTS 1024
#define FAKE_HV_XSAVE 64
#define FAKE_HV_DIRTY 65536

struct fake_domain {
	struct fake_domain *next;
	domid_t id;
	struct xen_domctl_createdomain config;
	unsigned int pause_count;
	bool dying, shut_down;
	unsigned int reason;			/* SHUTDOWN_* */
	uint64_t pages, max_pages, claimed;
	unsigned int vcpus;			/* made by max_vcpus */
	struct {
		bool online;
		uint8_t hard[16], soft[16];
		struct vcpu_guest_context context;
	} vcpu[FAKE_HV_VCPUS];
	struct { bool used; domid_t remote; } port[FAKE_HV_PORTS];	/* from 1 on */
	xen_pfn_t shared_info, grant_table;	/* frames of the hypervisor's */
	xen_pfn_t pinned;			/* L4, 0: none */
	xen_pfn_t hypercall_page;
	uint16_t weight, cap;
	uint32_t cpupool;
	unsigned int policies, triggers;	/* set_cpu_policy, sendtrigger: how often */
	struct xen_domctl_tsc_info tsc;
	uint8_t xsave[FAKE_HV_VCPUS][FAKE_HV_XSAVE];	/* all zero: the vcpu used none */
	bool log_dirty;
	uint64_t dirty[FAKE_HV_DIRTY / 64];	/* by pfn, while log_dirty */
};

/* An empty host with dom0. Handles and mappings must be gone. Pages of 4 KiB, CPUs. */
void fake_hv_reset(unsigned long pages, unsigned int cpus);

/* ---- looking ---- */
struct fake_domain *fake_hv_domain(domid_t id);	/* NULL: none; zombies are found */
unsigned int fake_hv_domains(void);		/* without dom0 */
unsigned long fake_hv_free_pages(void);
unsigned long fake_hv_claimed(void);		/* of all domains */
unsigned int fake_hv_ports(domid_t id);		/* in use */
unsigned int fake_hv_mapped_pages(void);	/* foreign mappings and resources */
unsigned int fake_hv_handles(void);		/* call and foreignmemory */
unsigned int fake_hv_buffers(void);		/* call_alloc() without call_free() */
unsigned int fake_hv_calls(void);		/* hypercalls and maps since reset */
/* A frame's content, its owner (DOMID_INVALID: free) and its pfn. */
void *fake_hv_frame(xen_pfn_t mfn);
domid_t fake_hv_owner(xen_pfn_t mfn);
unsigned long fake_hv_m2p(xen_pfn_t mfn);

/* ---- acting ---- */
void fake_hv_shutdown(domid_t id, unsigned int reason);
/* The guest writes its page @pfn at @mfn: log-dirty sees it. */
void fake_hv_dirty(domid_t id, unsigned long pfn);
/* The @nth hypercall or map from now (1: the next) fails with @error (negative); 0: none. */
void fake_hv_fail(unsigned int nth, int error);
/* At most @pages can be had in blocks larger than one page (fragmentation); ~0UL: no limit. */
void fake_hv_fragment(unsigned long pages);
/* Whether XENMEM_acquire_resource works (default: yes). */
void fake_hv_resources(bool work);

/* ---- between the fakes ---- */
int fake_hv_step(void);			/* counts a call; its failure or 0 */
int fake_hv_memory_fd(uint64_t *offset, xen_pfn_t mfn);	/* the file behind machine memory */
int fake_hv_get_frame(domid_t domid, xen_pfn_t mfn); /* for a mapping; -EINVAL: not that domain's */
void fake_hv_put_frame(xen_pfn_t mfn);
xen_pfn_t fake_hv_resource(domid_t domid, unsigned int type, unsigned long index, int *error);
void fake_hv_count_handle(int change);
void fake_hv_count_buffer(int change);
int fake_hv_hypercall(unsigned int op, const unsigned long args[5]);

#endif
