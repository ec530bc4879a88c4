/* SPDX-License-Identifier: MIT */
/*
 * Start of day: the ELF notes that the domain builder reads, and the first instructions.
 *
 * At entry %rsi is the start_info page, %rsp the builder's boot stack; interrupts are masked by
 * vcpu 0's upcall mask. The boot stack is left at once for boot_stack, whose bottom holds vcpu 0's
 * struct cpu.
 */
#include <xen/elfnote.h>
#include <guest/layout.h>

#define FEATURE_DOM0	11

.macro elfnote type, desc:vararg
	.pushsection .note.Xen, "a", @note
	.balign 4
	.long	2f - 1f, 4f - 3f, \type
1:	.asciz	"Xen"
2:	.balign 4
3:	\desc
4:	.balign 4
	.popsection
.endm

	elfnote XEN_ELFNOTE_XEN_VERSION,	.asciz "xen-3.0"
	elfnote XEN_ELFNOTE_GUEST_OS,		.asciz "krypton-guest"
	elfnote XEN_ELFNOTE_GUEST_VERSION,	.asciz "1"
	elfnote XEN_ELFNOTE_LOADER,		.asciz "generic"
	elfnote XEN_ELFNOTE_VIRT_BASE,		.quad GUEST_VIRT_BASE
	elfnote XEN_ELFNOTE_PADDR_OFFSET,	.quad 0
	elfnote XEN_ELFNOTE_ENTRY,		.quad _start
	elfnote XEN_ELFNOTE_HV_START_LOW,	.quad 0xffff800000000000
	elfnote XEN_ELFNOTE_FEATURES,		.asciz ""
	elfnote XEN_ELFNOTE_SUPPORTED_FEATURES,	.long 1 << FEATURE_DOM0

	.section .text.start, "ax", @progbits
	.globl	_start
_start:
	rdtsc				/* the clock of "boot to dom0 entry" */
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, entry_tsc
	cld
	movq	%rsp, boot_rsp
	movq	$boot_stack + GUEST_STACK_SIZE, %rsp
	xorl	%ebp, %ebp
	movl	%ebp, %ds		/* null selectors, as kernels have: cheaper to switch */
	movl	%ebp, %es
	movl	%ebp, %fs
	movl	%ebp, %gs
	movq	%rsi, %rdi
	call	guest_start
	ud2

	/*
	 * smp_entry: a further vcpu begins here with %rsp on its own stack and %rdi its struct cpu.
	 */
	.globl	smp_entry
smp_entry:
	cld
	xorl	%ebp, %ebp
	call	smp_start
	ud2

	.bss
	.balign GUEST_STACK_SIZE
	.globl	boot_stack
boot_stack:
	.skip	GUEST_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
