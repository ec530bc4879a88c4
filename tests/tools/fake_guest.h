/* SPDX-License-Identifier: MIT */
/*
 * A guest of the fake hypervisor that was just built behaves as one that runs: it publishes its
 * table of frames, has ballooned a page out, suspends when it is asked. For tests of what moves.
 */
#ifndef TESTS_TOOLS_FAKE_GUEST_H
#define TESTS_TOOLS_FAKE_GUEST_H

#include <string.h>
#include <xen/sched.h>
#include <tools/ctl.h>
#include <fake_hypervisor.h>
#include <fake_store.h>
#include <guest_kernel.h>

#define FAKE_GUEST_BASE 0xffffffff80000000UL
#define FAKE_GUEST_HOLE 2000U /* a pfn it gave back */
#define FAKE_GUEST_PAGE 4096UL

static const struct kernel_wish fake_guest_wish = {
	.virt_base = FAKE_GUEST_BASE, .paddr = 0x100000, .entry = FAKE_GUEST_BASE + 0x100010,
	.memory_bytes = 0x8000, .p2m_base = 0x8000000000UL, .mod_start_pfn = 1,
};

/* The entry of level 1 that maps @va, NULL: no table there. */
static inline uint64_t *fake_guest_entry(const struct fake_domain *domain, uint64_t va)
{
	xen_pfn_t frame = xen_cr3_to_pfn(domain->vcpu[0].context.ctrlreg[3]);
	uint64_t *entry = NULL;

	for (int shift = 39; shift >= 12; shift -= 9) {
		if (!frame)
			return NULL;
		entry = &((uint64_t *)fake_hv_frame(frame))[(va >> shift) & 511];
		frame = (*entry & 0x000ffffffffff000UL) >> 12;
	}
	return entry;
}

static inline void *fake_guest_at(const struct fake_domain *domain, uint64_t va)
{
	uint64_t entry = *fake_guest_entry(domain, va);

	return (uint8_t *)fake_hv_frame((entry & 0x000ffffffffff000UL) >> 12) +
	       (va & (FAKE_GUEST_PAGE - 1));
}

static inline struct start_info *fake_guest_start_info(const struct fake_domain *domain)
{
	return fake_guest_at(domain, domain->vcpu[0].context.user_regs.rsi);
}

/* As the guest's own table has it, once it lives. */
static inline xen_pfn_t fake_guest_mfn(const struct fake_domain *domain, uint64_t pfn)
{
	struct shared_info *shared = fake_hv_frame(domain->shared_info);

	return *(xen_pfn_t *)fake_guest_at(domain, shared->arch.p2m_vaddr + pfn * 8);
}

static inline int fake_guest_live(struct ctl *ctl, struct fake_domain *domain)
{
	struct vcpu_guest_context *context = &domain->vcpu[0].context;
	struct start_info *info = fake_guest_start_info(domain);
	struct shared_info *shared = fake_hv_frame(domain->shared_info);
	xen_pfn_t *p2m = fake_guest_at(domain, info->mfn_list + FAKE_GUEST_HOLE * 8), frame = *p2m;
	uint64_t *entry = fake_guest_entry(domain,
					   FAKE_GUEST_BASE + FAKE_GUEST_HOLE * FAKE_GUEST_PAGE);

	shared->arch.max_pfn = info->nr_pages;
	shared->arch.p2m_cr3 = context->ctrlreg[3];
	shared->arch.p2m_vaddr = info->mfn_list;
	shared->wc_sec = 77;
	shared->evtchn_pending[0] = 5;
	shared->vcpu_info[0].evtchn_upcall_mask = 0;
	domain->tsc = (struct xen_domctl_tsc_info){ .tsc_mode = 0, .gtsc_khz = 1000,
						    .elapsed_nsec = 123456, .incarnation = 3 };
	memset(domain->xsave[0], 0x77, FAKE_HV_XSAVE);
	if (entry)
		*entry = 0;
	*p2m = ~0UL;
	return ctl_decrease_reservation(ctl, domain->id, 1, &frame) == 1 ? 0 : -1;
}

/* It lets go of its pages and stops. */
static inline void fake_guest_suspend(struct fake_domain *domain)
{
	struct vcpu_guest_context *context = &domain->vcpu[0].context;
	struct start_info *info = fake_guest_start_info(domain);
	uint64_t pfn = (context->user_regs.rsi - FAKE_GUEST_BASE) / FAKE_GUEST_PAGE;

	info->store_mfn = fake_hv_m2p(info->store_mfn);
	info->console.domU.mfn = fake_hv_m2p(info->console.domU.mfn);
	context->user_regs.rdx = fake_guest_mfn(domain, pfn);
	fake_hv_dirty(domain->id, pfn);
	fake_hv_shutdown(domain->id, SHUTDOWN_suspend);
}

/* What it does when its suspend was cancelled. */
static inline void fake_guest_resumed(struct fake_domain *domain)
{
	struct start_info *info = fake_guest_start_info(domain);

	info->store_mfn = fake_guest_mfn(domain, info->store_mfn);
	info->console.domU.mfn = fake_guest_mfn(domain, info->console.domU.mfn);
}

#endif
