/* SPDX-License-Identifier: MIT */
/*
 * The hypercall table, who may call what, and continuations.
 * entry.S dispatches through the table; docs/hypercalls.md lists every
 * operation with its state, and tools/check-hypercalls keeps the two equal.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/softirq.h>
#include <arch/domain.h>
#include "private.h"
#include <xen/xen.h>

DEFINE_PER_CPU(struct multicall_state, multicall_state);

int op_permitted(enum op_priv priv, const struct domain *caller)
{
	switch (priv) {
	case PRIV_ANY:
		return 0;
	case PRIV_TOOLS:
		return caller->is_privileged ? 0 : -EPERM;
	case PRIV_HARDWARE:
		return caller->is_hardware ? 0 : -EPERM;
	}
	return -EPERM;
}

bool hypercall_preempt_check(void)
{
	return unlikely(this_softirq_pending()) || local_events_need_delivery();
}

long hypercall_continue(unsigned int op, unsigned int nr, ...)
{
	struct multicall_state *mc = &this_cpu(multicall_state);
	unsigned long args[6] = { 0 };
	va_list ap;

	va_start(ap, nr);
	for (unsigned int i = 0; i < nr; i++)
		args[i] = va_arg(ap, unsigned long);
	va_end(ap);

	if (mc->active) {
		mc->op = op;
		mc->nr_args = nr;
		memcpy(mc->args, args, sizeof(args));
		mc->preempted = true;
	} else {
		arch_hypercall_rewind(current, op, nr, args);
	}
	return -ERESTART;
}

/* No policy module: the tools probe for one in nearly every operation. */
DEFINE_HYPERCALL(xsm_op)
{
	return -ENOSYS;
}

/* No crash kernel can be loaded yet. */
DEFINE_HYPERCALL(kexec_op)
{
	int rc = op_permitted(PRIV_TOOLS, current->domain);

	return rc ? rc : -ENOSYS;
}

/* Device models serve HVM guests only: the version probe of libxendevicemodel gets this too. */
DEFINE_HYPERCALL(dm_op)
{
	return -ENOSYS;
}

#define ROW(name) [__HYPERVISOR_##name] = do_##name

/* NULL rows answer -ENOSYS: xenoprof, tmem, argo, hypfs, and numbers without a meaning. */
const hypercall_fn_t hypercall_table[NR_HYPERCALLS] = {
	ROW(set_trap_table),
	ROW(mmu_update),
	ROW(set_gdt),
	ROW(stack_switch),
	ROW(set_callbacks),
	ROW(fpu_taskswitch),
	ROW(sched_op_compat),
	ROW(platform_op),
	ROW(set_debugreg),
	ROW(get_debugreg),
	ROW(update_descriptor),
	ROW(memory_op),
	ROW(multicall),
	ROW(update_va_mapping),
	ROW(set_timer_op),
	ROW(event_channel_op_compat),
	ROW(xen_version),
	[__HYPERVISOR_console_io] = do_console_io_op,
	ROW(physdev_op_compat),
	ROW(grant_table_op),
	ROW(vm_assist),
	ROW(update_va_mapping_otherdomain),
	ROW(iret),
	ROW(vcpu_op),
	ROW(set_segment_base),
	ROW(mmuext_op),
	ROW(xsm_op),
	ROW(nmi_op),
	ROW(sched_op),
	ROW(callback_op),
	ROW(event_channel_op),
	ROW(physdev_op),
	ROW(hvm_op),
	ROW(sysctl),
	ROW(domctl),
	ROW(kexec_op),
	ROW(xenpmu_op),
	ROW(dm_op),
	[__HYPERVISOR_arch_0] = do_mca,
};
