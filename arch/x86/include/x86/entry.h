/* SPDX-License-Identifier: MIT */
/* What entry.S and the C side of the traps share. */
#ifndef X86_ENTRY_H
#define X86_ENTRY_H

/*
 * In regs.entry_vector: the frame may leave by SYSRET, that is cs and ss are
 * the flat 64-bit ones and rcx, r11 may be lost. Vectors are below it.
 */
#define FRAME_SYSRET		0x100

#define TRAP_de		0
#define TRAP_db		1
#define TRAP_nmi	2
#define TRAP_bp		3
#define TRAP_of		4
#define TRAP_br		5
#define TRAP_ud		6
#define TRAP_nm		7
#define TRAP_df		8
#define TRAP_ts		10
#define TRAP_np		11
#define TRAP_ss		12
#define TRAP_gp		13
#define TRAP_pf		14
#define TRAP_mf		16
#define TRAP_ac		17
#define TRAP_mc		18
#define TRAP_xm		19
#define TRAP_cp		21

#ifndef __ASSEMBLY__
#include <core/types.h>

struct cpu_user_regs;
struct vcpu;

/* Error codes of #PF. */
#define PFEC_present	1u
#define PFEC_write	2u
#define PFEC_user	4u
#define PFEC_reserved	8u
#define PFEC_fetch	16u

#define X86_EFLAGS_TF	0x00000100UL
#define X86_EFLAGS_DF	0x00000400UL
#define X86_EFLAGS_IOPL	0x00003000UL
#define X86_EFLAGS_NT	0x00004000UL
#define X86_EFLAGS_RF	0x00010000UL
#define X86_EFLAGS_VM	0x00020000UL
#define X86_EFLAGS_AC	0x00040000UL
#define X86_EFLAGS_VIF	0x00080000UL
#define X86_EFLAGS_VIP	0x00100000UL

/*
 * Flags as a guest may have them in the CPU: interrupts on, no I/O privilege.
 * regs.rflags always obeys this, so that the exit need not look.
 */
static inline unsigned long guest_rflags(unsigned long f)
{
	return (f & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_VIF | X86_EFLAGS_VIP |
		      0xffffffffffc08028UL)) | 0x202;
}

/* ---- entry.S ---- */
extern const char syscall_stub_page[], syscall_entry_stub[], compat_syscall_stub[];
extern const uint32_t irq_stubs[];		/* 8 bytes a vector, from 0x20 on */
void sysenter_entry(void);
void ret_to_guest(void) __noreturn;		/* on the CPU's empty stack only */
void entry_exceptions(void);

/* ---- traps_init.c ---- */
/* v's frame is where this CPU's entries push from now on. Interrupts off. */
void set_guest_frame(struct vcpu *v);
/* LDT descriptor and LDTR of this CPU; 0 entries: none. */
void load_ldt(unsigned int entries);

/* ---- traps.c: what entry.S calls. Interrupts are off at each call. ---- */
void do_guest_exception(struct cpu_user_regs *regs);
void do_guest_page_fault(struct cpu_user_regs *regs);
void do_hyp_exception(struct cpu_user_regs *regs);
void do_iret_fault(struct cpu_user_regs *regs, uint64_t vector_and_code);
void do_debug(struct cpu_user_regs *regs);
void do_double_fault(struct cpu_user_regs *regs) __noreturn;
/* ---- pv/trap_bounce.c ---- */
void pv_syscall(struct cpu_user_regs *regs);	/* from the guest's user mode */
void pv_compat_syscall(struct cpu_user_regs *regs);
void pv_sysenter(struct cpu_user_regs *regs);
void pv_exit_work(struct vcpu *v);
void pv_deliver_upcall(struct vcpu *v);
/* Enters the guest's handler of a trap now, with regs as the state that it interrupted. */
void pv_bounce_exception(struct vcpu *v, unsigned int vector, bool has_code, uint32_t error_code);
/* The failsafe callback: a selector of v could not be loaded. */
void pv_failsafe(struct vcpu *v, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs);
/* ---- pv/iret.c ---- */
void pv_iret(struct cpu_user_regs *regs);
#endif

#endif
