/* SPDX-License-Identifier: MIT */
/*
 * Every crossing between guests and the hypervisor.
 *
 * From a guest, whatever the reason, the frame is pushed straight into the
 * vcpu's own registers (struct cpu_user_regs in v->arch), then the CPU's stack
 * is taken, which is empty then:
 *
 *   v->arch + ...                                the CPU's stack
 *     +200 host_sp  ---------------------------->  struct cpu_info (its top)
 *     +168 es ds fs gs (not in use here)             ^ %rsp for the C code
 *     +160 ss          <- pushed by the CPU, or by the SYSCALL stub
 *     +152 rsp
 *     +144 rflags
 *     +136 cs
 *     +128 rip
 *     +120 error_code, entry_vector (4 bytes each)
 *     +112 rdi rsi rdx rcx rax r8 r9 r10 r11 rbx rbp r12 r13 r14 r15 at +0
 *      -48 room for a frame pushed by a fault of the final iret
 *
 * The end of that frame (&regs.es) is in the TSS as rsp0 and in
 * cpu_info.guest_frame_end; E() and V() below are offsets from it. A frame of
 * interrupted hypervisor code has the same form on the stack in use.
 *
 * Places for page-table isolation (PTI) and for barriers against speculation
 * (SPEC) are marked so.
 */
#include <asm_offsets.h>
#include <x86/alternative.h>
#include <x86/entry.h>
#include <x86/layout.h>
#include <xen/errno.h>
#include <xen/arch-x86/xen-x86_64.h>

#define E(reg)		(UREGS_##reg - UREGS_frame_end)
#define V(field)	(VCPU_##field - VCPU_arch_regs - UREGS_frame_end)
#define TF_KERNEL_MODE	1
#define NR_HYPERCALLS	64
#define ERESTART	85
#define ENOSYS		38

#define ENTRY(name)	.globl name; .hidden name; .balign 16; name:

/* ---- The stub page: mapped once a CPU, next to the page that holds the CPU's cpu_info ---- */
#define INFO(field) \
	(syscall_stub_page + SYSCALL_STUB_SIZE - CPUINFO_sizeof + CPUINFO_##field)(%rip)

	.section .text.entry, "ax"
	.balign 4096
	.globl syscall_stub_page; .hidden syscall_stub_page
syscall_stub_page:
/* 64-bit SYSCALL, interrupts off; rcx = rip, r11 = rflags. */
ENTRY(syscall_entry_stub)
	mov	%rsp, INFO(scratch)
	mov	INFO(guest_frame_end), %rsp	/* PTI: load the hypervisor's tables before this */
	pushq	$FLAT_RING3_SS64
	pushq	INFO(scratch)
	push	%r11
	pushq	$FLAT_RING3_CS64
	push	%rcx
	pushq	$-1				/* entry_vector: FRAME_SYSRET and more */
	jmp	*1f(%rip)
	.balign 8
1:	.quad	guest_syscall
/* SYSCALL from 32-bit code (AMD only). */
ENTRY(compat_syscall_stub)
	mov	%rsp, INFO(scratch)
	mov	INFO(guest_frame_end), %rsp
	pushq	$FLAT_RING3_SS32
	pushq	INFO(scratch)
	push	%r11
	pushq	$FLAT_RING3_CS32
	push	%rcx
	pushq	$0
	jmp	*1f(%rip)
	.balign 8
1:	.quad	guest_compat_syscall

.macro PUSH_CALLER_SAVED
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
.endm
.macro PUSH_CALLEE_SAVED
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm
.macro POP_ALL
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
.endm

/*
 * A hypercall, or a system call of the guest's user space; the frame is
 * complete down to the error code. A C function keeps rbx, rbp and r12 to r15,
 * so these are stored only when the vcpu does not return at once.
 */
ENTRY(guest_syscall)
	PUSH_CALLER_SAVED
	/* SPEC: entry barriers */
	testb	$TF_KERNEL_MODE, (VCPU_arch_flags - VCPU_arch_regs - UREGS_r11)(%rsp)
	jz	guest_user_syscall
	mov	(VCPU_host_sp - VCPU_arch_regs - UREGS_r11)(%rsp), %rsp
	cmp	$NR_HYPERCALLS, %rax
	jae	.Lno_such_hypercall
	lea	hypercall_table(%rip), %rcx
	mov	(%rcx, %rax, 8), %rax
	test	%rax, %rax
	jz	.Lno_such_hypercall
	mov	%r10, %rcx
	sti
	call	*%rax
.Lhypercall_done:
	mov	CPUINFO_guest_frame_end(%rsp), %rdx
	cli
	cmp	$-ERESTART, %rax
	je	.Lhypercall_restart
	mov	CPUINFO_percpu_offset(%rsp), %rsi
	lea	per_cpu__softirq_bits(%rip), %rdi
	cmpq	$0, (%rsi, %rdi)
	jne	.Lhypercall_slow
	mov	V(vcpu_info)(%rdx), %rsi
	cmpl	$0, V(exit_work)(%rdx)
	jne	.Lhypercall_slow
	movzwl	(%rsi), %esi		/* pending, and the mask in the second byte */
	dec	%esi
	cmp	$0xfe, %esi
	jbe	.Lhypercall_slow
	/*
	 * Nothing else to do: rip is as SYSCALL left it, non-canonical only if
	 * bit 47 is set but not 63.
	 */
	mov	E(rip)(%rdx), %rcx
	test	%rcx, %rcx
	jns	.Lhypercall_slow
	/* SPEC, PTI: exit */
	mov	E(rflags)(%rdx), %r11
	mov	E(rdi)(%rdx), %rdi
	mov	E(rsi)(%rdx), %rsi
	mov	E(r8)(%rdx), %r8
	mov	E(r9)(%rdx), %r9
	mov	E(r10)(%rdx), %r10
	mov	E(rsp)(%rdx), %rsp
	mov	E(rdx)(%rdx), %rdx
	sysretq

.Lno_such_hypercall:
	mov	$-ENOSYS, %rax
	jmp	.Lhypercall_done
.Lhypercall_slow:
	mov	%rax, E(rax)(%rdx)
.Lhypercall_restart:		/* the registers were rewritten to issue it again */
	mov	%rbx, E(rbx)(%rdx)
	mov	%rbp, E(rbp)(%rdx)
	mov	%r12, E(r12)(%rdx)
	mov	%r13, E(r13)(%rdx)
	mov	%r14, E(r14)(%rdx)
	mov	%r15, E(r15)(%rdx)
	jmp	ret_to_guest

/* HYPERVISOR_iret, called through the table: leaves with other registers than it came with. */
ENTRY(do_iret)
	lea	8(%rsp), %rsp
	mov	CPUINFO_guest_frame_end(%rsp), %rdx
	mov	%rbx, E(rbx)(%rdx)
	mov	%rbp, E(rbp)(%rdx)
	mov	%r12, E(r12)(%rdx)
	mov	%r13, E(r13)(%rdx)
	mov	%r14, E(r14)(%rdx)
	mov	%r15, E(r15)(%rdx)
	lea	-UREGS_frame_end(%rdx), %rdi
	call	pv_iret
	jmp	ret_to_guest

guest_user_syscall:
	PUSH_CALLEE_SAVED
	mov	%rsp, %rdi
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rsp), %rsp
	call	pv_syscall
	jmp	ret_to_guest

guest_compat_syscall:
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	mov	%rsp, %rdi
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rsp), %rsp
	call	pv_compat_syscall
	jmp	ret_to_guest

/* SYSENTER (Intel): SYSENTER_ESP is the CPU's cpu_info; neither rip nor rsp are told. */
ENTRY(sysenter_entry)
	mov	CPUINFO_guest_frame_end(%rsp), %rsp
	pushq	$FLAT_RING3_SS64
	pushq	$0
	pushfq
	orl	$0x200, (%rsp)
	pushq	$3
	pushq	$0
	pushq	$0
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	mov	%rsp, %rdi
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rsp), %rsp
	/* SPEC, PTI: entry */
	pushq	$2			/* NT, TF, AC, DF are still the guest's */
	popfq
	call	pv_sysenter
	jmp	ret_to_guest

/*
 * The way out, on the empty stack, with all of the vcpu's registers in its
 * frame: work of this CPU first, then what is due to the guest.
 */
.Lexit_softirq:
	sti
	call	do_softirq
ENTRY(ret_to_guest)
	cli
	mov	CPUINFO_percpu_offset(%rsp), %rax
	lea	per_cpu__softirq_bits(%rip), %rcx
	cmpq	$0, (%rax, %rcx)
	jne	.Lexit_softirq
	mov	CPUINFO_guest_frame_end(%rsp), %rbx
	cmpl	$0, V(exit_work)(%rbx)
	jne	.Lexit_work
.Ltest_upcall:
	mov	V(vcpu_info)(%rbx), %rax
	movzwl	(%rax), %eax
	dec	%eax
	cmp	$0xfe, %eax
	jbe	.Lexit_upcall

/* rbx = end of the frame, interrupts off. */
restore_guest:
	/* SPEC, PTI: exit. A page-table switch comes after the last use of v. */
	mov	%rbx, %rsp
	mov	E(r15)(%rsp), %r15
	mov	E(r14)(%rsp), %r14
	mov	E(r13)(%rsp), %r13
	mov	E(r12)(%rsp), %r12
	mov	E(rbp)(%rsp), %rbp
	mov	E(rbx)(%rsp), %rbx
	mov	E(r10)(%rsp), %r10
	mov	E(r9)(%rsp), %r9
	mov	E(r8)(%rsp), %r8
	mov	E(rax)(%rsp), %rax
	mov	E(rdx)(%rsp), %rdx
	mov	E(rsi)(%rsp), %rsi
	mov	E(rdi)(%rsp), %rdi
	testl	$FRAME_SYSRET, E(entry_vector)(%rsp)
	jz	.Lexit_iret
	/* SYSRET to a non-canonical rip would fault in ring 0 on the guest's stack. */
	mov	E(rip)(%rsp), %rcx
	mov	%rcx, %r11
	sar	$47, %r11
	inc	%r11
	cmp	$1, %r11
	ja	.Lexit_iret
	mov	E(rflags)(%rsp), %r11
	mov	E(rsp)(%rsp), %rsp
	sysretq
.Lexit_iret:
	mov	E(rcx)(%rsp), %rcx
	mov	E(r11)(%rsp), %r11
	lea	E(rip)(%rsp), %rsp
guest_iret:
	iretq

.Lexit_work:
	lea	-(UREGS_frame_end + VCPU_arch_regs)(%rbx), %rdi
	sti
	call	pv_exit_work
	cli
	/* NMIs that are held back until the guest is done with one are no work now. */
	mov	CPUINFO_percpu_offset(%rsp), %rax
	lea	per_cpu__softirq_bits(%rip), %rcx
	cmpq	$0, (%rax, %rcx)
	jne	.Lexit_softirq
	jmp	.Ltest_upcall
.Lexit_upcall:
	lea	-(UREGS_frame_end + VCPU_arch_regs)(%rbx), %rdi
	sti
	call	pv_deliver_upcall
	jmp	ret_to_guest

/* ---- Exceptions. The stubs push an error code where the CPU does not ---- */
.macro EXCEPTION vector, has_code=0
	.if \has_code == 0
	pushq	$0
	.endif
	movl	$\vector, 4(%rsp)
	jmp	exception_common
	.balign 16
.endm

ENTRY(entry_exceptions)		/* 16 bytes a vector, 0 to 31; then 0x80 */
	EXCEPTION 0
	EXCEPTION 1
	EXCEPTION 2
	EXCEPTION 3
	EXCEPTION 4
	EXCEPTION 5
	EXCEPTION 6
	EXCEPTION 7
	EXCEPTION 8, 1
	EXCEPTION 9
	EXCEPTION 10, 1
	EXCEPTION 11, 1
	EXCEPTION 12, 1
	EXCEPTION 13, 1
	EXCEPTION 14, 1
	EXCEPTION 15
	EXCEPTION 16
	EXCEPTION 17, 1
	EXCEPTION 18
	EXCEPTION 19
	EXCEPTION 20
	EXCEPTION 21, 1
	EXCEPTION 22
	EXCEPTION 23
	EXCEPTION 24
	EXCEPTION 25
	EXCEPTION 26
	EXCEPTION 27
	EXCEPTION 28
	EXCEPTION 29, 1
	EXCEPTION 30, 1
	EXCEPTION 31
	EXCEPTION 0x80

ENTRY(entry_page_fault)
	movl	$TRAP_pf, 4(%rsp)
	testb	$3, 16(%rsp)
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	jz	exception_in_hypervisor
	/* SPEC, PTI: entry */
	ALT_CLAC
	cld
	mov	%rsp, %rdi
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rsp), %rsp
	call	do_guest_page_fault
	jmp	ret_to_guest

exception_common:
	testb	$3, 16(%rsp)
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	jz	exception_in_hypervisor
	/* SPEC, PTI: entry */
	ALT_CLAC
	cld
	mov	%rsp, %rdi
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rsp), %rsp
	call	do_guest_exception
	jmp	ret_to_guest

/*
 * A fault of ours, on the stack in use; either fixed up or fatal. AC stays as
 * it is, the interrupted code may be inside a guest access.
 */
exception_in_hypervisor:
	cld
	lea	guest_iret(%rip), %rax
	cmp	%rax, UREGS_rip(%rsp)
	je	.Liret_fault
	mov	%rsp, %rdi
	sub	$8, %rsp
	call	do_hyp_exception
	add	$8, %rsp
	POP_ALL
	add	$8, %rsp
	iretq

/*
 * The iret to the guest faulted: the frame lies across the vcpu's registers
 * (rsp is 48 below them). What it holds in the registers' places is the
 * guest's; rip, cs, rflags, rsp and ss are still in the vcpu's frame.
 */
.Liret_fault:
	mov	UREGS_error_code(%rsp), %rsi
	lea	48(%rsp), %rdi			/* &v->arch.regs */
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rdi), %rsp
	call	do_iret_fault
	jmp	ret_to_guest

/* ---- Interrupts: 8 bytes a stub, vectors 0x20 to 0xff ---- */
ENTRY(irq_stubs)
	vec = 0x20
	.rept	0xe0
	.balign 8
	pushq	$(vec - 128)
	jmp	irq_common
	vec = vec + 1
	.endr

	.balign 16
irq_common:
	addq	$128, (%rsp)
	shlq	$32, (%rsp)			/* error_code 0, entry_vector */
	testb	$3, 16(%rsp)
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	jz	1f
	/* SPEC, PTI: entry */
	ALT_CLAC
	cld
	mov	%rsp, %rdi
	mov	(VCPU_host_sp - VCPU_arch_regs)(%rsp), %rsp
	call	do_IRQ
	jmp	ret_to_guest
1:	ALT_CLAC
	cld
	mov	%rsp, %rdi
	sub	$8, %rsp
	call	do_IRQ
	add	$8, %rsp
	POP_ALL
	add	$8, %rsp
	iretq

/*
 * ---- NMI, #MC, #DB, #DF: on stacks of their own in the CPU's stack area ----
 * They may hit between a guest's entry and the switch of stacks. If they hit
 * the guest itself, the frame is moved to the vcpu, as if pushed there.
 */
.macro IST_ENTRY name, vector, handler, has_code=0
ENTRY(\name)
	.if \has_code == 0
	pushq	$0
	.endif
	movl	$\vector, 4(%rsp)
	testb	$3, 16(%rsp)
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	lea	\handler(%rip), %rbx
	jmp	ist_common
.endm
	IST_ENTRY entry_nmi, TRAP_nmi, do_nmi
	IST_ENTRY entry_mce, TRAP_mc, do_machine_check
	IST_ENTRY entry_debug, TRAP_db, do_debug
	IST_ENTRY entry_double_fault, TRAP_df, do_double_fault, 1

ist_common:
	jnz	1f
	ALT_CLAC
	cld
	mov	%rsp, %rdi
	sub	$8, %rsp
	call	*%rbx
	add	$8, %rsp
	POP_ALL
	add	$8, %rsp
	iretq
	/* SPEC, PTI: entry */
1:	ALT_CLAC
	cld
	mov	%rsp, %rsi
	mov	%rsp, %rdx
	or	$(STACK_SIZE - 1), %rdx
	lea	1 - CPUINFO_sizeof(%rdx), %rdx
	mov	CPUINFO_guest_frame_end(%rdx), %rdi
	sub	$UREGS_frame_end, %rdi
	mov	$(UREGS_frame_end / 8), %ecx
	rep movsq
	lea	-UREGS_frame_end(%rdi), %rdi
	mov	%rdx, %rsp
	cmpl	$TRAP_nmi, UREGS_entry_vector(%rdi)
	je	2f
	call	*%rbx
	jmp	ret_to_guest
	/* After an NMI straight to iret, which unblocks the next one: no softirqs, no events. */
2:	call	*%rbx
	mov	CPUINFO_guest_frame_end(%rsp), %rbx
	jmp	restore_guest

	.section .note.GNU-stack, "", @progbits
