/* SPDX-License-Identifier: MIT */
/*
 * A vcpu's whole state in and out: struct vcpu_guest_context of the ABI, as
 * VCPUOP_initialise and the tools' get/setvcpucontext exchange it.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/bitops.h>
#include <arch/domain.h>
#include <arch/time.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/debugreg.h>
#include <x86/entry.h>
#include <x86/mm.h>
#include <x86/pv.h>

#define GDT_ENTRIES_PER_FRAME	512
#define LDT_MAX_ENTRIES		8192

static bool addresses_ok(const struct vcpu_guest_context *c)
{
	const unsigned long a[] = {
		c->user_regs.rip, c->user_regs.rsp, c->kernel_sp, c->fs_base, c->gs_base_kernel,
		c->gs_base_user, c->event_callback_eip, c->syscall_callback_eip,
		c->failsafe_callback_eip, c->ldt_ents ? c->ldt_base : 0,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(a); i++)
		if (!is_canonical(a[i]))
			return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
		if (!is_canonical(c->trap_ctxt[i].address))
			return false;
	return c->ldt_base < HYPERVISOR_VIRT_START || c->ldt_base >= HYPERVISOR_VIRT_END;
}

/* May this vcpu that has run already take c? Only what needs no page references can change. */
static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
	unsigned int nr = DIV_ROUND_UP((unsigned int)c->gdt_ents, GDT_ENTRIES_PER_FRAME);

	if (xen_pfn_to_cr3(mfn_x(v->arch.guest_table)) != c->ctrlreg[3])
		return false;
	if (mfn_eq(v->arch.guest_table_user, INVALID_MFN)) {
		if (c->ctrlreg[1] || !(c->flags & VGCF_in_kernel))
			return false;
	} else if (xen_pfn_to_cr3(mfn_x(v->arch.guest_table_user)) != c->ctrlreg[1]) {
		return false;
	}
	if (v->arch.gdt_ents != c->gdt_ents || v->arch.ldt_ents != c->ldt_ents ||
	    (c->ldt_ents && v->arch.ldt_base != c->ldt_base))
		return false;
	for (unsigned int i = 0; i < nr; i++)
		if (mfn_x(v->arch.gdt_frames[i]) != c->gdt_frames[i])
			return false;
	return true;
}

static int check_context(const struct vcpu *v, const struct vcpu_guest_context *c)
{
	if (!addresses_ok(c) || (c->ldt_base & ~PAGE_MASK) || c->ldt_ents > LDT_MAX_ENTRIES)
		return -EINVAL;
	if (v->vcpu_id == 0 && (c->vm_assist & ~arch_vm_assist_valid()))
		return -EINVAL;
	if (c->gdt_ents > ARRAY_SIZE(v->arch.gdt_frames) * GDT_ENTRIES_PER_FRAME)
		return -EINVAL;
	if (!v->is_initialised)
		return !(c->flags & VGCF_in_kernel) && !c->ctrlreg[1] ? -EINVAL : 0;
	return same_tables(v, c) ? 0 : -EOPNOTSUPP;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
	struct cpu_user_regs *r = &v->arch.regs;

	if (c->flags & VGCF_in_kernel)
		v->arch.flags |= TF_kernel_mode;
	else
		v->arch.flags &= ~TF_kernel_mode;
	*r = c->user_regs;
	r->entry_vector = 0;
	r->cs |= 3;
	r->ss |= 3;
	v->arch.iopl = r->rflags & X86_EFLAGS_IOPL;
	r->rflags = guest_rflags(r->rflags);
	for (unsigned int i = 0; i < 256; i++) {
		v->arch.trap_table[i] = c->trap_ctxt[i];
		v->arch.trap_table[i].cs |= 3;
	}
	if (c->flags & VGCF_i387_valid)
		fpu_set_fxsave(v, &c->fpu_ctxt);
	else
		fpu_reset(v);
}

static void set_control(struct vcpu *v, const struct vcpu_guest_context *c)
{
	v->arch.vgc_flags = c->flags;
	v->arch.kernel_ss = c->kernel_ss | 3;
	v->arch.kernel_sp = c->kernel_sp;
	v->arch.event_callback_eip = c->event_callback_eip;
	v->arch.failsafe_callback_eip = c->failsafe_callback_eip;
	v->arch.syscall_callback_eip = c->syscall_callback_eip;
	v->arch.fs_base = c->fs_base;
	v->arch.gs_base_kernel = c->gs_base_kernel;
	v->arch.gs_base_user = c->gs_base_user;
	memcpy(v->arch.ctrlreg, c->ctrlreg, sizeof(v->arch.ctrlreg));
	/* TS alone of CR0 is the guest's. */
	v->arch.ctrlreg[0] = (c->ctrlreg[0] & CR0_TS) | (read_cr0() & ~CR0_TS);
	v->arch.ctrlreg[4] = pv_fixup_guest_cr4(v->domain, c->ctrlreg[4]);

	memset(v->arch.dr, 0, sizeof(v->arch.dr));
	v->arch.dr[6] = DR6_DEFAULT;
	v->arch.dr[7] = DR7_DEFAULT;
	v->arch.dr7_emul = 0;
	for (unsigned int i = 0; i < 4; i++)
		set_debugreg(v, i, c->debugreg[i]);
	set_debugreg(v, 6, c->debugreg[6]);
	set_debugreg(v, 7, c->debugreg[7]);
}

/*
 * A new vcpu's descriptor tables and page tables. 0, -EINVAL, -ERESTART, with
 * nothing held on failure.
 */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
	mfn_t user = c->ctrlreg[1] ? _mfn(xen_cr3_to_pfn(c->ctrlreg[1])) : INVALID_MFN;
	int rc = pv_set_gdt(v, c->gdt_frames, (unsigned int)c->gdt_ents);

	if (rc)
		return rc;
	rc = vcpu_set_base_tables(v, _mfn(xen_cr3_to_pfn(c->ctrlreg[3])), user);
	if (rc)
		pv_destroy_gdt(v);
	return rc;
}

int arch_set_info_guest(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int rc = check_context(v, c);

	if (rc)
		return rc;
	sync_vcpu_execstate(v);
	set_registers(v, c);
	set_control(v, c);
	if (!v->is_initialised) {
		v->arch.ldt_ents = (unsigned int)c->ldt_ents;
		v->arch.ldt_base = c->ldt_ents ? c->ldt_base : 0;
		if (v->vcpu_id == 0)
			v->domain->vm_assist = c->vm_assist;
		rc = set_tables(v, c);
		if (rc)
			return rc;
		if (v->vcpu_id == 0)
			update_domain_wallclock_time(v->domain);
		v->is_initialised = true;
	}
	if (c->flags & VGCF_online)
		clear_bit(VPF_down, &v->pause_flags);
	else
		set_bit(VPF_down, &v->pause_flags);
	return 0;
}

void arch_get_info_guest(struct vcpu *v, struct vcpu_guest_context *c)
{
	unsigned int nr = DIV_ROUND_UP(v->arch.gdt_ents, GDT_ENTRIES_PER_FRAME);

	memset(c, 0, sizeof(*c));
	c->flags = (v->arch.vgc_flags & ~(unsigned long)VGCF_in_kernel) | VGCF_i387_valid;
	if (v->arch.flags & TF_kernel_mode)
		c->flags |= VGCF_in_kernel;
	if (!test_bit(VPF_down, &v->pause_flags))
		c->flags |= VGCF_online;
	else
		c->flags &= ~(unsigned long)VGCF_online;
	fpu_get_fxsave(v, &c->fpu_ctxt);
	c->user_regs = v->arch.regs;
	c->user_regs.error_code = c->user_regs.entry_vector = 0;
	c->user_regs.rflags |= v->arch.iopl;
	memcpy(c->trap_ctxt, v->arch.trap_table, sizeof(c->trap_ctxt));
	c->ldt_base = v->arch.ldt_ents ? v->arch.ldt_base : 0;
	c->ldt_ents = v->arch.ldt_ents;
	for (unsigned int i = 0; i < nr; i++)
		c->gdt_frames[i] = mfn_x(v->arch.gdt_frames[i]);
	c->gdt_ents = v->arch.gdt_ents;
	c->kernel_ss = v->arch.kernel_ss;
	c->kernel_sp = v->arch.kernel_sp;
	memcpy(c->ctrlreg, v->arch.ctrlreg, sizeof(c->ctrlreg));
	c->ctrlreg[3] = mfn_eq(v->arch.guest_table, INVALID_MFN) ? 0 :
		xen_pfn_to_cr3(mfn_x(v->arch.guest_table));
	c->ctrlreg[1] = mfn_eq(v->arch.guest_table_user, INVALID_MFN) ? 0 :
		xen_pfn_to_cr3(mfn_x(v->arch.guest_table_user));
	memcpy(c->debugreg, v->arch.dr, sizeof(c->debugreg));
	c->debugreg[7] |= v->arch.dr7_emul;
	c->event_callback_eip = v->arch.event_callback_eip;
	c->failsafe_callback_eip = v->arch.failsafe_callback_eip;
	c->syscall_callback_eip = v->arch.syscall_callback_eip;
	c->vm_assist = v->domain->vm_assist;
	c->fs_base = v->arch.fs_base;
	c->gs_base_kernel = v->arch.gs_base_kernel;
	c->gs_base_user = v->arch.gs_base_user;
}
