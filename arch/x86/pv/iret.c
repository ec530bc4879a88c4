/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_iret: the guest's kernel returns, to itself or to its user space,
 * by a frame on its stack (struct iret_context of the ABI). entry.S:do_iret
 * calls pv_iret() and leaves with the registers that it set.
 */
#include <core/domain.h>
#include <core/lib.h>
#include <arch/domain.h>
#include <arch/guest_access.h>
#include <x86/entry.h>
#include <x86/mm.h>
#include <x86/pv.h>

/* Which of NMI and #MC did this end? The last one taken: its own bit is all that it added. */
static void end_async_exception(struct vcpu *v)
{
	uint8_t mask = v->arch.async_mask;

	for (unsigned int nr = 0; nr < 2; nr++) {
		if ((mask ^ v->arch.async_old_mask[nr]) == 1u << nr && (mask & (1u << nr))) {
			v->arch.async_mask = v->arch.async_old_mask[nr];
			return;
		}
	}
}

void pv_iret(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	struct iret_context c;

	if (unlikely(raw_copy_from_guest(&c, (void *)regs->rsp, sizeof(c)))) {
		domain_crash(v->domain, "iret frame at %016lx cannot be read", regs->rsp);
		return;
	}
	if ((c.cs & 3) == 3) {
		if (unlikely(mfn_eq(v->arch.guest_table_user, INVALID_MFN))) {
			domain_crash(v->domain, "return to user mode without user page tables");
			return;
		}
		toggle_guest_mode(v);
	}
	if (v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl))
		v->arch.iopl = c.rflags & X86_EFLAGS_IOPL;

	regs->rax = c.rax;
	regs->rip = c.rip;
	regs->rflags = guest_rflags(c.rflags);
	regs->rsp = c.rsp;
	if (likely((c.flags & VGCF_in_syscall) && (c.cs | 3) != FLAT_RING3_CS32)) {
		/* SYSRET is allowed: rcx and r11 are free, the segments the flat ones. */
		regs->cs = FLAT_RING3_CS64;
		regs->ss = FLAT_RING3_SS64;
	} else {
		regs->cs = (uint16_t)c.cs | 3;
		regs->ss = (uint16_t)c.ss | 3;
		regs->r11 = c.r11;
		regs->rcx = c.rcx;
		regs->entry_vector = 0;
	}
	v->vcpu_info->evtchn_upcall_mask = !(c.rflags & 0x200);
	if (unlikely(v->arch.async_mask))
		end_async_exception(v);
}

long arch_hypercall_iret(void)
{
	struct vcpu *v = current;

	pv_iret(&v->arch.regs);
	/* The short way out of a hypercall relies on rip being what SYSCALL left. */
	v->arch.frame_replaced = true;
	return (long)v->arch.regs.rax;
}
