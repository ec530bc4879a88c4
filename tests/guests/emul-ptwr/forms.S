/* SPDX-License-Identifier: MIT */
/*
 * One function per instruction form that writes memory: uint64_t form(void *p, uint64_t value,
 * uint64_t old, uint64_t *flags). It runs the instruction with memory operand *p, register operand
 * %rsi (value) and %rax (old); returns %rax with the register operand xored in, and the arithmetic
 * flags. Each starts with 32 bytes of the same length, so that form_table can be walked.
 */
	.text

	.macro	form insn:vararg
	.pushsection .rodata.forms, "a", @progbits
	.quad	1f, 2f
	.popsection
1:	movq	%rdx, %rax
	movq	%rcx, %r9
	xorl	%ecx, %ecx
	cmpl	%ecx, %ecx		/* the same flags before each */
	\insn
	pushfq
	popq	%r8
	andl	$0x8d5, %r8d
	movq	%r8, (%r9)
	xorq	%rsi, %rax
	ret
	.pushsection .rodata.formnames, "a", @progbits
2:	.asciz	"\insn"
	.popsection
	.endm

	.section .rodata.forms, "a", @progbits
	.globl	form_table, form_table_end
form_table:
	.text

	/* What Linux uses: these must be emulated. */
	form	movq %rsi, (%rdi)
	form	movl %esi, (%rdi)
	form	movw %si, (%rdi)
	form	movb %sil, (%rdi)
	form	movl %esi, 4(%rdi)
	form	movw %si, 6(%rdi)
	form	movb %sil, 3(%rdi)
	form	xchgq %rsi, (%rdi)
	form	xchgl %esi, (%rdi)
	form	lock cmpxchgq %rsi, (%rdi)
	form	lock cmpxchgl %esi, (%rdi)
	form	cmpxchgq %rsi, (%rdi)
	form	lock andb $0xfd, (%rdi)
	form	lock andb $0x3f, 1(%rdi)
	form	lock orb $0x40, (%rdi)
	form	lock btrq $5, (%rdi)
	form	lock btrl $6, (%rdi)
	.pushsection .rodata.forms, "a", @progbits
	.globl	form_table_required
form_table_required:
	.popsection

	/* Others: emulated, or refused with #PF and nothing changed. */
	form	movq $0x12345678, (%rdi)
	form	movl $0x12345678, (%rdi)
	form	movb $0x12, 7(%rdi)
	form	xchgb %sil, (%rdi)
	form	xchgw %si, 2(%rdi)
	form	lock cmpxchgb %sil, (%rdi)
	form	lock cmpxchgw %si, 4(%rdi)
	form	lock orq %rsi, (%rdi)
	form	lock andq %rsi, (%rdi)
	form	lock xorl %esi, 4(%rdi)
	form	andq $-3, (%rdi)
	form	orl $0x20, (%rdi)
	form	lock btsq $9, (%rdi)
	form	lock btcq $10, (%rdi)
	form	btrq $33, (%rdi)
	form	lock xaddq %rsi, (%rdi)
	form	xaddl %esi, 4(%rdi)
	form	incb 2(%rdi)
	form	negq (%rdi)
	form	notw 2(%rdi)
	form	shlq $1, (%rdi)
	form	movnti %rsi, (%rdi)
	form	stosq
	form	movq %rsi, %cs:(%rdi)
	form	movq %rsi, (%rdi, %rcx, 8)
	form	setzb 1(%rdi)
	/* Misaligned within the page: never emulated for a wider operand. */
	.section .rodata.forms, "a", @progbits
form_table_end:

	.section .note.GNU-stack, "", @progbits
