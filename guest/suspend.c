/* SPDX-License-Identifier: MIT */
/* Standing still for a save or migration, and waking up again: see suspend.h. */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/suspend.h>

/* The toolstack finds the table of frames by this. */
void suspend_init(void)
{
	shared_info->arch.max_pfn = start_info->nr_pages;
	shared_info->arch.p2m_vaddr = start_info->mfn_list;
	shared_info->arch.p2m_cr3 = virt_to_mfn(kernel_l4) << PAGE_SHIFT;
}

enum suspend_end suspend(void)
{
	struct sched_shutdown how = { .reason = SHUTDOWN_suspend };
	struct start_info *si = start_info;
	long rc;

	console_drain();
	/* Numbers of frames change: while they travel they are numbers of the guest's own. */
	si->store_mfn = mfn_to_pfn(si->store_mfn);
	si->console.domU.mfn = mfn_to_pfn(si->console.domU.mfn);
	/* Not ours, so no table may name it. */
	rc = update_va_mapping(PTR(shared_info), 0, UVMF_INVLPG | UVMF_ALL);
	if (!rc)
		/* The toolstack takes the frame of start_info from the third argument. */
		rc = hypercall3(__HYPERVISOR_sched_op, SCHEDOP_shutdown, PTR(&how), virt_to_mfn(si));
	if (rc < 0)
		panic("cannot suspend: %ld", rc);
	map_shared_info();
	if (rc == SUSPEND_CANCELLED) {
		si->store_mfn = pfn_to_mfn(si->store_mfn);
		si->console.domU.mfn = pfn_to_mfn(si->console.domU.mfn);
		return SUSPEND_CANCELLED;
	}
	event_init();
	suspend_init();
	console_init();
	return SUSPEND_MOVED;
}
