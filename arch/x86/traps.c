/* SPDX-License-Identifier: MIT */
/*
 * Exceptions: which are the guest's, which are ours. entry.S calls the do_
 * functions with interrupts off. One from a guest is dealt with here (page
 * tables, privileged instructions, descriptor windows) or reflected to the
 * guest's own handler; one from the hypervisor is fixed up through the
 * exception table or ends the machine. Tables that the CPU reads are set up in
 * traps_init.c.
 */
#include <core/console.h>
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/percpu.h>
#include <arch/trap.h>
#include <x86/asm.h>
#include <x86/debugreg.h>
#include <x86/entry.h>
#include <x86/extable.h>
#include <x86/layout.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <x86/pv.h>
#include <x86/shadow.h>

/* Vectors that push an error code. */
#define HAVE_EC	((1u << TRAP_df) | (1u << TRAP_ts) | (1u << TRAP_np) | (1u << TRAP_ss) | \
		 (1u << TRAP_gp) | (1u << TRAP_pf) | (1u << TRAP_ac) | (1u << TRAP_cp))

static const char *trap_name(unsigned int vector)
{
	static const char names[][4] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS",
		"#NP", "#SS", "#GP", "#PF", "SPV", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "???";
}

static __noreturn void fatal_trap(const struct cpu_user_regs *regs, unsigned long cr2)
{
	unsigned int vector = regs->entry_vector & 0xff;

	console_force_unlock();
	show_execution_state(regs);
	if (vector == TRAP_pf) {
		printk("Faulting linear address: %016lx\n", cr2);
		show_page_walk(cr2);
	}
	panic("FATAL TRAP: vector = %u (%s) [error_code=%04x]", vector, trap_name(vector),
	      regs->error_code);
}

/* Offset of cr2 in this CPU's window, or ~0: the CPU itself read a descriptor there. */
static unsigned long window_offset(unsigned long cr2, unsigned int error_code)
{
	unsigned long off = cr2 - (CPU_WINDOW_START + smp_processor_id() * CPU_WINDOW_SIZE);

	return off < CPU_WINDOW_SIZE && !(error_code & PFEC_user) ? off : ~0UL;
}

/* The LDT's page is mapped when first touched. */
static bool fixup_ldt_fault(struct vcpu *v, unsigned long off)
{
	unsigned long ldt_off = off - CPU_WINDOW_LDT_PAGE * PAGE_SIZE;

	return off != ~0UL && ldt_off < 16 * PAGE_SIZE && !is_idle_vcpu(v) &&
		pv_map_ldt_page(v, ldt_off);
}

/*
 * The guest loaded a selector whose descriptor is in the window, but not
 * mapped. False: not that.
 */
static bool guest_descriptor_fault(struct vcpu *v, unsigned long cr2, unsigned int ec)
{
	unsigned long off = window_offset(cr2, ec), ldt = CPU_WINDOW_LDT_PAGE * PAGE_SIZE;

	if (off == ~0UL)
		return false;
	if (fixup_ldt_fault(v, off))
		return true;
	if (off < ldt)
		pv_bounce_exception(v, TRAP_gp, true, off & 0xfff8);
	else
		pv_bounce_page_fault(v, ec, v->arch.ldt_base + off - ldt);
	return true;
}

/* A fault inside the hypervisor. */
void do_hyp_exception(struct cpu_user_regs *regs)
{
	unsigned long fixup, cr2 = 0;

	if (regs->entry_vector == TRAP_pf) {
		cr2 = read_cr2();
		if (unlikely(current->arch.shadow) && shadow_fault(current, cr2, &regs->error_code))
			return;
		/* Taking a page's type may need other CPUs: not where interrupts are off. */
		if ((regs->rflags & X86_EFLAGS_IF) &&
		    unlikely(window_offset(cr2, regs->error_code) != ~0UL)) {
			local_irq_enable();
			if (fixup_ldt_fault(current, window_offset(cr2, regs->error_code)))
				return;
		}
	}
	fixup = search_exception_table(regs->rip);
	if (likely(fixup)) {
		regs->rip = fixup;
		return;
	}
	fatal_trap(regs, cr2);
}

/*
 * The iret to the guest faulted: on the selectors or the address that the guest
 * chose. entry.S left the registers in the room below the frame.
 */
void do_iret_fault(struct cpu_user_regs *regs, uint64_t vector_and_code)
{
	memmove(regs, (char *)regs - 48, offsetof(struct cpu_user_regs, error_code));
	regs->error_code = (uint32_t)vector_and_code;
	regs->entry_vector = (uint32_t)(vector_and_code >> 32);
	if (regs->entry_vector == TRAP_pf)
		do_guest_page_fault(regs);
	else
		do_guest_exception(regs);
}

static inline void guest_page_fault(struct vcpu *v, unsigned long cr2, unsigned int ec,
				    struct cpu_user_regs *regs)
{
	local_irq_enable();
	if ((ec & (PFEC_present | PFEC_write)) == (PFEC_present | PFEC_write)) {
		if (mm_fixup_guest_fault(v, cr2, ec, regs))
			return;
	} else if (unlikely(!(ec & PFEC_user)) && guest_descriptor_fault(v, cr2, ec)) {
		return;
	}
	if (unlikely(ec & PFEC_reserved)) {
		show_page_walk(cr2);
		domain_crash(v->domain, "reserved bit set in a page-table entry for %016lx", cr2);
		return;
	}
	pv_bounce_page_fault(v, ec, cr2);
}

/* The vcpu runs on a shadow, which may just not have the page yet. */
static __attribute__((noinline)) void shadow_page_fault(struct vcpu *v, unsigned long cr2,
							struct cpu_user_regs *regs)
{
	if (!shadow_fault(v, cr2, &regs->error_code))
		guest_page_fault(v, cr2, regs->error_code, regs);
}

/* #PF from a guest. */
void do_guest_page_fault(struct cpu_user_regs *regs)
{
	unsigned long cr2 = read_cr2();
	struct vcpu *v = current;

	if (unlikely(v->arch.shadow))
		shadow_page_fault(v, cr2, regs);
	else
		guest_page_fault(v, cr2, regs->error_code, regs);
}

/* `int n` without a gate for the guest's ring arrives as #GP with the vector in the error code. */
static bool forward_software_interrupt(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint8_t vector = (uint8_t)(regs->error_code >> 3);
	unsigned int dpl = TI_GET_DPL(&v->arch.trap_table[vector]);

	if (dpl < (guest_kernel_mode(v, regs) ? 1u : 3u))
		return false;
	regs->rip += 2;
	pv_bounce_exception(v, vector, false, 0);
	return true;
}

static void guest_general_protection(struct vcpu *v, struct cpu_user_regs *regs)
{
	unsigned int ec = regs->error_code;

	if (ec) {
		if ((ec & 3) == 2 && forward_software_interrupt(v, regs))
			return;
	} else if (pv_emulate_privileged_op(regs)) {
		return;
	}
	pv_bounce_exception(v, TRAP_gp, true, ec);
}

/* Every exception of a guest but #PF, and int 0x80. */
void do_guest_exception(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	unsigned int vector = regs->entry_vector;

	local_irq_enable();
	switch (vector) {
	case TRAP_gp:
		guest_general_protection(v, regs);
		return;
	case TRAP_ud:
		if (!pv_emulate_forced_invalid_op(regs))
			pv_bounce_exception(v, TRAP_ud, false, 0);
		return;
	case TRAP_nm:
		/* The state is loaded already; only the guest's TS stood in the way. */
		clts();
		if (v->arch.ctrlreg[0] & CR0_TS) {
			v->arch.ctrlreg[0] &= ~CR0_TS;
			pv_bounce_exception(v, TRAP_nm, false, 0);
		}
		return;
	case 0x80:
		if (v->arch.trap_table[0x80].address) {
			pv_bounce_exception(v, 0x80, false, 0);
			return;
		}
		regs->rip -= 2;
		pv_bounce_exception(v, TRAP_gp, true, (0x80 << 3) | 2);
		return;
	case TRAP_de: case TRAP_bp: case TRAP_of: case TRAP_br: case TRAP_ts: case TRAP_np:
	case TRAP_ss: case TRAP_mf: case TRAP_ac: case TRAP_xm:
		pv_bounce_exception(v, vector, HAVE_EC & (1u << vector), regs->error_code);
		return;
	default:
		domain_crash(v->domain, "unexpected exception %u [%04x]", vector, regs->error_code);
	}
}

/*
 * #DB. In the hypervisor it is a leftover of the guest's: a single step over
 * SYSENTER, a watchpoint on memory that we read for it, or one held back by
 * a load of SS: nothing to report, as on real hardware with the handler below.
 */
void do_debug(struct cpu_user_regs *regs)
{
	unsigned long dr6 = read_dr6();
	struct vcpu *v = current;

	write_dr6(DR6_DEFAULT);
	if (!(regs->cs & 3)) {
		regs->rflags &= ~X86_EFLAGS_TF;
		return;
	}
	local_irq_enable();
	/* Sticky bits add up, the inverted ones go down. */
	v->arch.dr[6] |= dr6 & ~DR6_DEFAULT;
	v->arch.dr[6] &= dr6 | ~DR6_DEFAULT;
	pv_bounce_exception(v, TRAP_db, false, 0);
}

void do_double_fault(struct cpu_user_regs *regs)
{
	console_force_unlock();
	printk("*** DOUBLE FAULT ***\n");
	show_execution_state(regs);
	panic("DOUBLE FAULT -- system shutdown");
}
