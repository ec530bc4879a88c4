/* SPDX-License-Identifier: MIT */
/*
 * Crossings between hypervisor, kernel and user mode.
 *
 * A PV64 kernel receives every exception, event upcall and user `syscall` as a stack frame, from
 * the top:
 *
 *	ss rsp rflags cs rip [error code] r11 rcx	<- %rsp
 *
 * The stubs rearrange it into struct trap_frame (trap.h), whose upper part is what the iret
 * hypercall wants:
 *
 *	ss rsp rflags cs rip error rcx r11 rax, then the other registers
 *
 * %rax carries the vector from the stub to the common part. Nothing here touches memory outside the
 * stack, so an event delivered between two instructions does no harm.
 */
#include <xen/xen.h>
#include <guest/layout.h>

	.text

	/* One stub per vector, 32 bytes apart: trap_set_table() computes their addresses. */
	.macro	stub vec, has_error
	.balign	32
	popq	%rcx
	popq	%r11
	.if	!\has_error
	pushq	$0
	.endif
	pushq	%rcx
	pushq	%r11
	pushq	%rax
	movl	$\vec, %eax
	jmp	trap_common
	.endm

	.balign	32
	.globl	trap_stubs
trap_stubs:
	.set	vec, 0
	.rept	258
	.if	vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21
	stub	vec, 1
	.else
	stub	vec, 0
	.endif
	.set	vec, vec + 1
	.endr

	/*
	 * The failsafe callback: rcx r11 ds es fs gs, then an iret frame. The bad selectors are
	 * dropped (flat segments need none), the rest is handled as any other trap.
	 */
	.balign	32
	.globl	failsafe_entry
failsafe_entry:
	popq	%rcx
	popq	%r11
	addq	$32, %rsp
	pushq	$0
	pushq	%rcx
	pushq	%r11
	pushq	%rax
	movl	$VEC_FAILSAFE, %eax
	/* fall through */

trap_common:
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movl	%eax, %esi
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	cld
	call	trap_dispatch
	movq	%rbp, %rsp
	/* fall through */

	/* Resume the struct trap_frame at %rsp. */
	.globl	trap_return
trap_return:
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdx
	popq	%rsi
	popq	%rdi
	movq	$0, 24(%rsp)		/* iret flags: restore all registers */
	movl	$__HYPERVISOR_iret, %eax
	syscall
	ud2

	/*
	 * int trap_catch_call(struct trap_catch *c, void (*fn)(void *), void *arg)
	 * Returns 0 when fn returned, 1 when trap_dispatch() unwound to trap_catch_resume.
	 */
	.globl	trap_catch_call
trap_catch_call:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, (%rdi)		/* c->rsp */
	movq	%rdx, %rdi
	call	*%rsi
	xorl	%eax, %eax
	.globl	trap_catch_resume
trap_catch_resume:
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

	/*
	 * User code starts here with the function in %rax and its argument in %rdi, and leaves for
	 * good by the #UD at user_done with the result in %rax. (A system call would depend on the
	 * callback, which tests and benchmarks replace.)
	 */
	.globl	user_trampoline
user_trampoline:
	call	*%rax
	.globl	user_done
user_done:
	ud2

	.section .note.GNU-stack, "", @progbits
