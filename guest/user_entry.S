/* SPDX-License-Identifier: MIT */
/*
 * long user_switch(unsigned long *saved_rsp, const struct trap_frame *frame)
 *
 * Save what C keeps over calls, remember %rsp for user_leave(), make this stack position the one
 * where traps from user mode begin, copy the frame below it and resume it.
 */
#include <guest/layout.h>
#include <xen/xen.h>

#define FRAME_WORDS	21	/* sizeof(struct trap_frame) / 8 */

	.text
	.globl	user_switch
user_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rbx

	movl	$GUEST_KERNEL_SS, %edi
	movq	%rsp, %rsi
	andq	$-16, %rsi
	movl	$__HYPERVISOR_stack_switch, %eax
	syscall

	movl	$FRAME_WORDS, %ecx
1:	pushq	-8(%rbx, %rcx, 8)
	loop	1b
	jmp	trap_return

	.globl	user_resume
user_resume:
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

	.section .note.GNU-stack, "", @progbits
