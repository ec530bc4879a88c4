/* SPDX-License-Identifier: MIT */
/*
 * Where a further CPU starts: in real mode, at a page below 1 MiB to which
 * smpboot.c copies this code and fills in the words at its end. Goes straight to
 * long mode on tables that map the page at its own address and the hypervisor's
 * slots, then to start_secondary(cpu) on that CPU's stack.
 */
#include <x86/layout.h>

#define AT(sym)	((sym) - trampoline_start)

	.section .rodata.trampoline, "a", @progbits
	.globl trampoline_start, trampoline_end, trampoline_args
	.hidden trampoline_start, trampoline_end, trampoline_args
	.balign 16
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl AT(tramp_gdtr)
	movl $0x20, %eax		/* CR4.PAE */
	movl %eax, %cr4
	movl AT(tramp_cr3), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER: LME, NX (our tables use it) */
	rdmsr
	orl $0x900, %eax
	wrmsr
	movl $0x80010011, %eax		/* PG, WP, ET, PE at once */
	movl %eax, %cr0
	ljmpl *AT(tramp_far)

	.code64
tramp64:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq tramp_rsp(%rip), %rsp
	movl tramp_cpu(%rip), %edi
	movq tramp_entry(%rip), %rax
	xorl %ebp, %ebp
	call *%rax
	ud2

	.balign 8
tramp_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 0x08: 64-bit code */
	.quad 0x00cf93000000ffff	/* 0x10: data */
tramp_gdt_end:
	/* struct trampoline_args of smpboot.c */
	.balign 8
trampoline_args:
tramp_entry:	.quad 0
tramp_rsp:	.quad 0
tramp_cpu:	.long 0
tramp_cr3:	.long 0
tramp_far:	.long AT(tramp64)	/* the page's address is added */
		.short 0x08, 0
		.short 0
tramp_gdtr:	.short tramp_gdt_end - tramp_gdt - 1
tramp_gdt_base:	.long AT(tramp_gdt)	/* the same */
trampoline_end:

	.section .note.GNU-stack, "", @progbits
