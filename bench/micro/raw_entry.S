/* SPDX-License-Identifier: MIT */
/*
 * What the trap benchmarks run: a system-call handler that does what every kernel's does (save all
 * registers, call C, restore, return by sysret) and nothing else, and the measured instructions
 * themselves.
 */
#include <xen/xen.h>

#define IN_SYSCALL	0x100	/* VGCF_in_syscall: sysret will do */

	.text

	.balign 16
	.globl	raw_syscall
raw_syscall:
	popq	%rcx
	popq	%r11
	pushq	$IN_SYSCALL
	pushq	%rcx
	pushq	%r11
	pushq	%rax
	.irp	reg, rdi, rsi, rdx, r8, r9, r10, rbx, rbp, r12, r13, r14, r15
	pushq	%\reg
	.endr
	call	empty_function
	.irp	reg, r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rdx, rsi, rdi
	popq	%\reg
	.endr
	movl	$__HYPERVISOR_iret, %eax
	syscall

empty_function:
	ret

	/* unsigned int raw_fault_count(void *va): TSC difference over one faulting read. */
	.globl	raw_fault_count
raw_fault_count:
	movq	%rdi, %r9
	rdtsc
	movl	%eax, %r8d
	movq	(%r9), %r9		/* RAW_FAULT_LENGTH = 3 bytes: 4d 8b 09 */
	rdtsc
	subl	%r8d, %eax
	ret

	/* long raw_user_syscall(long): the same over one system call, in user mode. */
	.globl	raw_user_syscall
raw_user_syscall:
	rdtsc
	movl	%eax, %r8d
	syscall
	rdtsc
	subl	%r8d, %eax
	ret

	.section .note.GNU-stack, "", @progbits
