/* SPDX-License-Identifier: MIT */
/*
 * The hypercall table, and how a long operation is preempted.
 *
 * A handler gets the five register arguments as unsigned long, and returns
 * what the guest finds in rax. Who may call is a column of the table, for
 * operations and for sub-operations alike, checked in one place.
 *
 * Preemption: a handler that has much to do polls hypercall_preempt_check().
 * When it is true it returns hypercall_continue(op, n, args...): the guest's
 * registers (or its multicall entry) then hold those arguments, and the
 * instruction is executed again when the vcpu next runs. A handler that uses
 * continuations must make progress at each call.
 */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include <core/types.h>
#include <xen/xen.h>

struct domain;

typedef long (*hypercall_fn_t)(unsigned long a1, unsigned long a2, unsigned long a3,
			       unsigned long a4, unsigned long a5);

#define NR_HYPERCALLS	64
extern const hypercall_fn_t hypercall_table[NR_HYPERCALLS];	/* NULL = -ENOSYS */

/* Who may issue an operation. */
enum op_priv {
	PRIV_ANY,	/* any guest, on itself */
	PRIV_TOOLS,	/* a control domain (d->is_privileged) */
	PRIV_HARDWARE,	/* the domain that owns the hardware */
};

/* 0, or -EPERM. The one place that decides. */
int op_permitted(enum op_priv priv, const struct domain *caller);

bool hypercall_preempt_check(void);
/* Always -ERESTART. nr is 1 to 5. */
long hypercall_continue(unsigned int op, unsigned int nr, ...);

/*
 * Every handler in the table is declared here, once, so that all have the
 * same form; unused arguments are just not named by the implementation (use
 * HYPERCALL_UNUSED to silence).
 */
#define DECLARE_HYPERCALL(name) \
	long do_##name(unsigned long a1, unsigned long a2, unsigned long a3, \
		       unsigned long a4, unsigned long a5)
#define DEFINE_HYPERCALL(name) \
	long do_##name(unsigned long a1 __maybe_unused, unsigned long a2 __maybe_unused, \
		       unsigned long a3 __maybe_unused, unsigned long a4 __maybe_unused, \
		       unsigned long a5 __maybe_unused)

DECLARE_HYPERCALL(set_trap_table);
DECLARE_HYPERCALL(mmu_update);
DECLARE_HYPERCALL(set_gdt);
DECLARE_HYPERCALL(stack_switch);
DECLARE_HYPERCALL(set_callbacks);
DECLARE_HYPERCALL(fpu_taskswitch);
DECLARE_HYPERCALL(sched_op_compat);
DECLARE_HYPERCALL(platform_op);
DECLARE_HYPERCALL(set_debugreg);
DECLARE_HYPERCALL(get_debugreg);
DECLARE_HYPERCALL(update_descriptor);
DECLARE_HYPERCALL(memory_op);
DECLARE_HYPERCALL(multicall);
DECLARE_HYPERCALL(update_va_mapping);
DECLARE_HYPERCALL(set_timer_op);
DECLARE_HYPERCALL(event_channel_op_compat);
DECLARE_HYPERCALL(xen_version);
DECLARE_HYPERCALL(console_io_op);
DECLARE_HYPERCALL(physdev_op_compat);
DECLARE_HYPERCALL(grant_table_op);
DECLARE_HYPERCALL(vm_assist);
DECLARE_HYPERCALL(update_va_mapping_otherdomain);
DECLARE_HYPERCALL(iret);
DECLARE_HYPERCALL(vcpu_op);
DECLARE_HYPERCALL(set_segment_base);
DECLARE_HYPERCALL(mmuext_op);
DECLARE_HYPERCALL(xsm_op);
DECLARE_HYPERCALL(nmi_op);
DECLARE_HYPERCALL(sched_op);
DECLARE_HYPERCALL(callback_op);
DECLARE_HYPERCALL(event_channel_op);
DECLARE_HYPERCALL(physdev_op);
DECLARE_HYPERCALL(hvm_op);
DECLARE_HYPERCALL(sysctl);
DECLARE_HYPERCALL(domctl);
DECLARE_HYPERCALL(kexec_op);
DECLARE_HYPERCALL(mca);
DECLARE_HYPERCALL(xenpmu_op);
DECLARE_HYPERCALL(dm_op);

#endif
