/* SPDX-License-Identifier: MIT */
/*
 * Entering a guest's kernel: exceptions, system calls, event upcalls, NMIs. A
 * frame is written on the guest's kernel stack and the vcpu's registers are
 * set to the handler. The frame, from the new stack pointer up:
 *
 *	rcx  r11  [ds es fs gs: failsafe]  [error code]  rip  cs  rflags  rsp  ss
 *
 * cs has RPL 0 if the kernel was interrupted and the upcall mask in bits 32 to
 * 39; rflags.IF is the mask inverted. As rcx and r11 are on the stack, the
 * exit can be by SYSRET.
 */
#include <core/domain.h>
#include <core/event.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/softirq.h>
#include <arch/atomic.h>
#include <arch/domain.h>
#include <arch/guest_access.h>
#include <arch/percpu.h>
#include <arch/trap.h>
#include <x86/entry.h>
#include <x86/mm.h>
#include <x86/pv.h>
#include <x86/uaccess.h>

struct bounce {
	unsigned long eip;
	bool mask_events, has_code;
	uint32_t code;
	const uint16_t *selectors;	/* ds es fs gs, failsafe only */
};

bool guest_kernel_mode(const struct vcpu *v, const struct cpu_user_regs *regs __maybe_unused)
{
	return v->arch.flags & TF_kernel_mode;
}

void toggle_guest_mode(struct vcpu *v)
{
	v->arch.flags ^= TF_kernel_mode;
	/* The base that is not in use waits in KERNEL_GS_BASE. */
	__asm__ __volatile__("swapgs");
	switch_cr3(v->arch.load_cr3[v->arch.flags & TF_kernel_mode]);
}

bool kernel_addresses_begin(struct vcpu *v)
{
	if (v->arch.flags & TF_kernel_mode)
		return false;
	toggle_guest_mode(v);
	return true;
}

void kernel_addresses_end(struct vcpu *v, bool changed)
{
	if (changed)
		toggle_guest_mode(v);
}

/* Frame, then registers. A stack that cannot be written costs the guest its life. */
static inline void enter_handler(struct vcpu *v, const struct bounce b)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	struct vcpu_info *vi = v->vcpu_info;
	uint8_t mask = read_once(vi->evtchn_upcall_mask);
	unsigned long cs = regs->cs | (unsigned long)mask << 32;
	unsigned long flags = (regs->rflags & ~0x200UL) | (mask ? 0 : 0x200) | v->arch.iopl;
	unsigned long *sp;

	if (unlikely(!b.eip)) {
		domain_crash(v->domain, "no handler for what happened at rip %016lx", regs->rip);
		return;
	}
	if (v->arch.flags & TF_kernel_mode) {
		cs &= ~3UL;
		sp = (unsigned long *)(regs->rsp & ~15UL);
	} else {
		toggle_guest_mode(v);
		sp = (unsigned long *)(v->arch.kernel_sp & ~15UL);
	}
	sp -= 7 + b.has_code + (b.selectors ? 4 : 0);
	if (unlikely(!guest_range_okay(sp, 12, sizeof(*sp))))
		goto bad_stack;

	unsigned long *p = sp;

	stac();
	put_guest_word(regs->rcx, p++, fault);
	put_guest_word(regs->r11, p++, fault);
	if (unlikely(b.selectors != NULL))
		for (unsigned int i = 0; i < 4; i++)
			put_guest_word(b.selectors[i], p++, fault);
	if (b.has_code)
		put_guest_word(b.code, p++, fault);
	put_guest_word(regs->rip, p, fault);
	put_guest_word(cs, p + 1, fault);
	put_guest_word(flags, p + 2, fault);
	put_guest_word(regs->rsp, p + 3, fault);
	put_guest_word(regs->ss, p + 4, fault);
	clac();

	if (b.mask_events)
		write_once(vi->evtchn_upcall_mask, 1);
	regs->rip = b.eip;
	regs->cs = FLAT_KERNEL_CS64;
	regs->rflags &= ~(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT |
			  X86_EFLAGS_TF);
	regs->rsp = (unsigned long)sp;
	regs->ss = FLAT_KERNEL_SS64;
	regs->entry_vector = FRAME_SYSRET;
	return;
fault:
	clac();
bad_stack:
	domain_crash(v->domain, "kernel stack at %016lx cannot take a frame (rip %016lx)",
		     (unsigned long)sp, regs->rip);
}

void pv_bounce_exception(struct vcpu *v, unsigned int vector, bool has_code, uint32_t error_code)
{
	const struct trap_info *ti = &v->arch.trap_table[vector];

	if (unlikely(!ti->address)) {
		gprintk(XENLOG_G_ERR, "unhandled exception %u [%04x] at %016lx, cr2 %016lx\n",
			vector, has_code ? error_code : 0, v->arch.regs.rip, v->arch.ctrlreg[2]);
		arch_dump_vcpu(v);
	}
	enter_handler(v, (struct bounce){ .eip = ti->address, .mask_events = TI_GET_IF(ti),
					  .has_code = has_code, .code = error_code });
}

/* The user bit is what the guest would see if its kernel ran in ring 0. */
static inline uint32_t guest_pf_code(const struct vcpu *v, unsigned int error_code)
{
	return v->arch.flags & TF_kernel_mode ? error_code & ~PFEC_user : error_code | PFEC_user;
}

void pv_bounce_page_fault(struct vcpu *v, unsigned int error_code, unsigned long cr2)
{
	v->arch.ctrlreg[2] = cr2;
	v->vcpu_info->arch.cr2 = cr2;
	pv_bounce_exception(v, TRAP_pf, true, guest_pf_code(v, error_code));
}

static void queue_exception(struct vcpu *v, unsigned int vector, bool has_code, uint32_t code)
{
	v->arch.exc_vector = (uint8_t)vector;
	v->arch.exc_has_code = has_code;
	v->arch.exc_error_code = code;
	v->arch.exception_pending = true;
}

void pv_inject_hw_exception(unsigned int vector, int error_code)
{
	queue_exception(current, vector, error_code >= 0, (uint32_t)error_code);
}

void pv_inject_page_fault(unsigned int error_code, unsigned long cr2)
{
	struct vcpu *v = current;

	v->arch.ctrlreg[2] = cr2;
	v->vcpu_info->arch.cr2 = cr2;
	queue_exception(v, TRAP_pf, true, guest_pf_code(v, error_code));
}

/* ---- System calls ---- */

void pv_syscall(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (unlikely(!v->arch.syscall_callback_eip)) {
		regs->rip -= 2;
		pv_bounce_exception(v, TRAP_ud, false, 0);
		return;
	}
	enter_handler(v, (struct bounce){
		.eip = v->arch.syscall_callback_eip,
		.mask_events = v->arch.vgc_flags & VGCF_syscall_disables_events });
	regs->rflags &= ~X86_EFLAGS_DF;
}

void pv_compat_syscall(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (!v->arch.syscall32_callback_eip) {
		regs->rip -= 2;
		pv_bounce_exception(v, TRAP_ud, false, 0);
		return;
	}
	enter_handler(v, (struct bounce){ .eip = v->arch.syscall32_callback_eip,
					  .mask_events = v->arch.syscall32_disables_events });
	regs->rflags &= ~X86_EFLAGS_DF;
}

void pv_sysenter(struct cpu_user_regs *regs __maybe_unused)
{
	struct vcpu *v = current;

	local_irq_enable();
	if (!v->arch.sysenter_callback_eip)
		pv_bounce_exception(v, TRAP_gp, true, 0);
	else
		enter_handler(v,
			      (struct bounce){ .eip = v->arch.sysenter_callback_eip,
					       .mask_events = v->arch.sysenter_disables_events });
}

/* ---- What the exit path finds to deliver ---- */

void pv_deliver_upcall(struct vcpu *v)
{
	enter_handler(v, (struct bounce){ .eip = v->arch.event_callback_eip, .mask_events = true });
}

void pv_failsafe(struct vcpu *v, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs)
{
	const uint16_t selectors[4] = { ds, es, fs, gs };

	enter_handler(v, (struct bounce){
		.eip = v->arch.failsafe_callback_eip, .selectors = selectors,
		.mask_events = v->arch.vgc_flags & VGCF_failsafe_disables_events });
}

/* NMI or #MC, unless the guest is still busy with one (HYPERVISOR_iret ends that). */
static void deliver_async(struct vcpu *v, bool *pending, unsigned int nr, unsigned int vector)
{
	if (!*pending || (v->arch.async_mask & (1u << nr)))
		return;
	*pending = false;
	if (!v->arch.trap_table[vector].address)
		return;
	v->arch.async_old_mask[nr] = v->arch.async_mask;
	v->arch.async_mask |= (uint8_t)(1u << nr);
	pv_bounce_exception(v, vector, false, 0);
}

void pv_exit_work(struct vcpu *v)
{
	v->arch.frame_replaced = false;
	if (v->arch.exception_pending) {
		v->arch.exception_pending = false;
		pv_bounce_exception(v, v->arch.exc_vector, v->arch.exc_has_code,
				    v->arch.exc_error_code);
	}
	deliver_async(v, &v->arch.mce_pending, 1, TRAP_mc);
	deliver_async(v, &v->arch.nmi_pending, 0, TRAP_nmi);
}

/* ---- NMIs to guests: raised in NMI context, where nothing can be woken ---- */

static DEFINE_PER_CPU(struct vcpu *, nmi_target);

static void nmi_softirq(void)
{
	struct vcpu *v = atomic_xchg(&this_cpu(nmi_target), NULL);

	if (v) {
		vcpu_unblock(v);
		vcpu_kick(v);
	}
}

bool vcpu_raise_nmi(struct vcpu *v)
{
	struct vcpu *none = NULL;

	if (atomic_xchg(&v->arch.nmi_pending, true))
		return false;
	if (atomic_cmpxchg(&this_cpu(nmi_target), none, v) == NULL)
		raise_softirq(NMI_SOFTIRQ);
	return true;
}

void __init pv_traps_init(void)
{
	open_softirq(NMI_SOFTIRQ, nmi_softirq);
}
