/* SPDX-License-Identifier: MIT */
/*
 * Where a guest wants to be entered: trap table, callbacks, kernel stack; and
 * the small calls that set registers which a PV kernel cannot load itself.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <arch/bitops.h>
#include <arch/domain.h>
#include <x86/asm.h>
#include <x86/context.h>
#include <x86/debugreg.h>
#include <x86/entry.h>
#include <x86/extable.h>
#include <x86/page.h>
#include <x86/pv.h>
#include <xen/callback.h>
#include <xen/nmi.h>

/* A code selector that enters no ring but 3; 0 becomes the flat one where it is used. */
static uint16_t fix_code_selector(uint16_t sel)
{
	return sel | 3;
}

static long register_nmi(struct vcpu *v, unsigned long address)
{
	v->arch.trap_table[TRAP_nmi] = (struct trap_info){
		.vector = TRAP_nmi, .flags = 4, .cs = FLAT_KERNEL_CS64, .address = address,
	};
	/* An NMI that came before there was a handler must not be lost. */
	if (v->vcpu_id == 0 && read_once(v->domain->shared_info->arch.nmi_reason))
		v->arch.nmi_pending = true;
	return 0;
}

static void set_vgc_flag(struct vcpu *v, unsigned long flag, bool on)
{
	if (on)
		v->arch.vgc_flags |= flag;
	else
		v->arch.vgc_flags &= ~flag;
}

static long register_callback(struct vcpu *v, unsigned int type, unsigned int flags,
			      unsigned long address)
{
	bool mask = flags & CALLBACKF_mask_events;

	if (!is_canonical(address))
		return -EINVAL;
	switch (type) {
	case CALLBACKTYPE_event:
		v->arch.event_callback_eip = address;
		return 0;
	case CALLBACKTYPE_failsafe:
		v->arch.failsafe_callback_eip = address;
		set_vgc_flag(v, VGCF_failsafe_disables_events, mask);
		return 0;
	case CALLBACKTYPE_syscall:
		v->arch.syscall_callback_eip = address;
		set_vgc_flag(v, VGCF_syscall_disables_events, mask);
		return 0;
	case CALLBACKTYPE_syscall32:
		v->arch.syscall32_callback_eip = address;
		v->arch.syscall32_disables_events = mask;
		return 0;
	case CALLBACKTYPE_sysenter:
		v->arch.sysenter_callback_eip = address;
		v->arch.sysenter_disables_events = mask;
		return 0;
	case CALLBACKTYPE_nmi:
		return register_nmi(v, address);
	}
	return -ENOSYS;
}

static void unregister_nmi(struct vcpu *v)
{
	v->arch.trap_table[TRAP_nmi] = (struct trap_info){ 0 };
}

static long unregister_callback(struct vcpu *v, unsigned int type)
{
	switch (type) {
	case CALLBACKTYPE_event:
	case CALLBACKTYPE_failsafe:
	case CALLBACKTYPE_syscall:
	case CALLBACKTYPE_syscall32:
	case CALLBACKTYPE_sysenter:
		return -EINVAL;
	case CALLBACKTYPE_nmi:
		unregister_nmi(v);
		return 0;
	}
	return -ENOSYS;
}

DEFINE_HYPERCALL(callback_op)
{
	struct callback_register reg;
	struct callback_unregister unreg;

	switch ((int)a1) {
	case CALLBACKOP_register:
		if (raw_copy_from_guest(&reg, (void *)a2, sizeof(reg)))
			return -EFAULT;
		return register_callback(current, reg.type, reg.flags, reg.address);
	case CALLBACKOP_unregister:
		if (raw_copy_from_guest(&unreg, (void *)a2, sizeof(unreg)))
			return -EFAULT;
		return unregister_callback(current, unreg.type);
	}
	return -ENOSYS;
}

/* The call from before callback_op: it reports no errors. */
DEFINE_HYPERCALL(set_callbacks)
{
	struct vcpu *v = current;

	register_callback(v, CALLBACKTYPE_event, 0, a1);
	register_callback(v, CALLBACKTYPE_failsafe, 0, a2);
	register_callback(v, CALLBACKTYPE_syscall, 0, a3);
	return 0;
}

DEFINE_HYPERCALL(nmi_op)
{
	struct xennmi_callback cb;

	switch ((unsigned int)a1) {
	case XENNMI_register_callback:
		if (raw_copy_from_guest(&cb, (void *)a2, sizeof(cb)))
			return -EFAULT;
		if (!is_canonical(cb.handler_address))
			return -EINVAL;
		return register_nmi(current, cb.handler_address);
	case XENNMI_unregister_callback:
		unregister_nmi(current);
		return 0;
	}
	return -ENOSYS;
}

/* A list that ends with address 0; a null handle clears the whole table. */
DEFINE_HYPERCALL(set_trap_table)
{
	struct trap_info *table = current->arch.trap_table, t;
	const struct trap_info *guest = (const struct trap_info *)a1;

	if (!guest) {
		memset(table, 0, 256 * sizeof(*table));
		return 0;
	}
	for (unsigned int n = 1; ; n++) {
		if (raw_copy_from_guest(&t, guest, sizeof(t)))
			return -EFAULT;
		if (!t.address)
			return 0;
		if (!is_canonical(t.address))
			return -EINVAL;
		t.cs = fix_code_selector(t.cs);
		table[t.vector] = t;
		guest++;
		if (n % 32 == 0 && hypercall_preempt_check())
			return hypercall_continue(__HYPERVISOR_set_trap_table, 1, guest);
	}
}

DEFINE_HYPERCALL(stack_switch)
{
	current->arch.kernel_ss = (a1 & 0xffff) | 3;
	current->arch.kernel_sp = a2;
	return 0;
}

DEFINE_HYPERCALL(fpu_taskswitch)
{
	struct vcpu *v = current;

	if ((int)a1) {
		v->arch.ctrlreg[0] |= CR0_TS;
		stts();
	} else {
		v->arch.ctrlreg[0] &= ~CR0_TS;
		clts();
	}
	return 0;
}

/*
 * The user's GS selector is loaded where its base will be: behind SWAPGS. A bad
 * one becomes null.
 */
static void load_user_gs_selector(unsigned int sel)
{
	if (sel > 3)
		sel |= 3;
	__asm__ __volatile__(
		"swapgs\n"
		"1: mov %k0, %%gs\n"
		"2: mfence\n\t"
		"swapgs\n"
		".pushsection .fixup, \"ax\"\n"
		"3: xor %k0, %k0\n\t"
		"jmp 1b\n"
		".popsection\n"
		_ASM_EXTABLE(1b, 3b)
		: "+r"(sel));
}

DEFINE_HYPERCALL(set_segment_base)
{
	struct vcpu *v = current;
	unsigned int which = (unsigned int)a1;

	if (which <= SEGBASE_GS_KERNEL && !is_canonical(a2))
		return -EINVAL;
	switch (which) {
	case SEGBASE_FS:
		v->arch.fs_base = a2;
		write_fs_base(a2);
		return 0;
	case SEGBASE_GS_USER:
		v->arch.gs_base_user = a2;
		wrmsr(MSR_KERNEL_GS_BASE, a2);
		return 0;
	case SEGBASE_GS_KERNEL:
		v->arch.gs_base_kernel = a2;
		write_gs_base(a2);
		return 0;
	case SEGBASE_GS_USER_SEL:
		load_user_gs_selector((uint16_t)a2);
		return 0;
	}
	return -EINVAL;
}

DEFINE_HYPERCALL(vm_assist)
{
	struct domain *d = current->domain;
	unsigned int type = (unsigned int)a2;

	if (type >= 64 || !(arch_vm_assist_valid() & (1UL << type)))
		return -EINVAL;
	switch ((unsigned int)a1) {
	case VMASST_CMD_enable:
		set_bit(type, &d->vm_assist);
		return 0;
	case VMASST_CMD_disable:
		clear_bit(type, &d->vm_assist);
		return 0;
	}
	return -ENOSYS;
}
