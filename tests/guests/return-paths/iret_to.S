/* SPDX-License-Identifier: MIT */
/*
 * void iret_to(const struct iret_context *frame): the iret hypercall on a frame of the caller's
 * making.
 */
#include <xen/xen.h>

	.text
	.globl	iret_to
iret_to:
	movq	%rdi, %rsp
	movl	$__HYPERVISOR_iret, %eax
	syscall
	ud2

	/* Somewhere to return to: raises #UD. */
	.globl	landing
landing:
	ud2

	/* The same with an instruction to step over. */
	.globl	stepping
stepping:
	nop
	ud2

	.section .note.GNU-stack, "", @progbits
