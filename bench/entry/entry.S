/* SPDX-License-Identifier: MIT */
/*
 * The instruction count at which a boot loader enters a hypervisor: a multiboot 1 kernel whose
 * first instruction is rdtsc. It prints the value on COM1 as a benchmark line and ends as a test
 * guest does.
 */
	.code32
	.section .text, "ax"

	.balign	4
multiboot_header:
	.long	0x1badb002, 0, -0x1badb002

	.globl	_start
_start:
	rdtsc
	movl	$0x200000, %esp
	pushl	%eax
	pushl	%edx

	movl	$prefix, %esi
	call	print
	popl	%eax
	call	print_hex
	popl	%eax
	call	print_hex
	movl	$suffix, %esi
	call	print
1:	hlt
	jmp	1b

	/* The text at %esi. */
print:	lodsb
	testb	%al, %al
	jz	2f
	call	put
	jmp	print
2:	ret

	/* %eax as eight hexadecimal digits. */
print_hex:
	movl	$8, %ecx
	movl	%eax, %ebx
3:	roll	$4, %ebx
	movl	%ebx, %eax
	andl	$15, %eax
	movb	digits(%eax), %al
	call	put
	loop	3b
	ret

	/* The character in %al. */
put:	movb	%al, %ah
	movw	$0x3fd, %dx
4:	inb	%dx, %al
	testb	$0x20, %al
	jz	4b
	movw	$0x3f8, %dx
	movb	%ah, %al
	outb	%al, %dx
	ret

/* The first line is one that tells tests/system/boot that the guest begins. */
prefix:	.asciz	"(XEN) *** Serial input\r\nBENCH: 0x"
suffix:	.asciz	" start tsc\r\nKTEST-EXIT: 0\r\n"
digits:	.ascii	"0123456789abcdef"

	.section .note.GNU-stack, "", @progbits
