/* SPDX-License-Identifier: MIT */
/*
 * The first instructions: what the boot loaders look for, and the way from
 * each of their entry states to 64-bit C code at the linked address.
 *
 *   multiboot 1 and 2 (BIOS)  start32      32-bit, paging off, eax magic, ebx information
 *   multiboot 2 (UEFI)        start_efi64  64-bit in the firmware's tables, boot services on
 *
 * The image may be loaded at any 2 MiB boundary below 4 GiB, so everything here
 * is addressed relative to `ref`, whose run-time address is kept in %ebp. Low
 * memory is mapped twice by the early tables: at 0 (until paging_init) and at
 * DIRECTMAP_START, 4 GiB in 2 MiB pages.
 */
#include <asm_offsets.h>
#include <x86/layout.h>
#include "multiboot.h"

#define REL(expr)	(expr - ref)(%ebp)
#define LINK_PHYS(sym)	((sym) - _start + IMAGE_PHYS)

#define CS32		0x08
#define CS64		0x10
#define DS		0x18

#define EARLY_PT	0x003		/* present, writable */
#define EARLY_LARGE	0x083		/* and a 2 MiB page */
#define IMAGE_LARGE_PAGES 8

	.macro HDR_TAG type, args:vararg
	.balign 8, 0
.Ltag\@:
	.short \type, MB2_HDR_OPTIONAL
	.long .Ltag_end\@ - .Ltag\@
	.ifnb \args
	.long \args
	.endif
.Ltag_end\@:
	.endm

	.section .text.head, "ax", @progbits
	.code32
	.globl _start
_start:
	jmp start32

	.balign 4, 0
	.long MB1_HEADER_MAGIC
	.long MB1_HEADER_ALIGN_MODULES | MB1_HEADER_MEMORY_INFO
	.long -(MB1_HEADER_MAGIC + (MB1_HEADER_ALIGN_MODULES | MB1_HEADER_MEMORY_INFO))

	.balign 8, 0
mb2_header:
	.long MB2_HEADER_MAGIC, MB2_ARCH_I386
	.long mb2_header_end - mb2_header
	.long -(MB2_HEADER_MAGIC + MB2_ARCH_I386 + (mb2_header_end - mb2_header))
	HDR_TAG MB2_HDR_MODULE_ALIGN
	/* Lowest possible address from 1 MiB on, on a 2 MiB boundary. */
	HDR_TAG MB2_HDR_RELOCATABLE, 0x100000, 0xffffffff, 0x200000, 1
	HDR_TAG MB2_HDR_CONSOLE, 2		/* text mode is fine too */
	HDR_TAG MB2_HDR_FRAMEBUFFER, 0, 0, 0	/* any size and depth */
	HDR_TAG MB2_HDR_EFI_BS
	HDR_TAG MB2_HDR_ENTRY_EFI64, LINK_PHYS(start_efi64)
	.balign 8, 0
	.short MB2_HDR_END, 0
	.long 8
mb2_header_end:

/* ---- 32-bit entry ---- */
start32:
	cli
	cld
	/*
	 * Where are we? The only memory known to be ours to write is the
	 * information: borrow a word.
	 */
	movl (%ebx), %edx
	leal 4(%ebx), %esp
	call ref
ref:	popl %ebp
	movl %edx, (%ebx)

	leal REL(boot_gdt), %ecx
	movl %ecx, REL(boot_gdt_base)
	lgdt REL(boot_gdtr)
	movl $DS, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	leal REL(bsp_stack + STACK_SIZE), %esp
	pushl %eax			/* magic */
	pushl %ebx			/* information */
	movl %ebp, REL(boot_ref)

	cmpl $MB1_BOOT_MAGIC, %eax
	je 1f
	leal REL(msg_no_loader), %esi
	cmpl $MB2_BOOT_MAGIC, %eax
	jne early_die
1:
	call check_long_mode
	call build_tables
enter_long_mode:			/* EFI joins here, with paging off */
	movl $0x20, %eax		/* CR4.PAE alone */
	movl %eax, %cr4
	leal REL(idle_l4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl $0x80010011, %eax		/* PG, WP, ET, PE */
	movl %eax, %cr0
	leal REL(start64), %eax
	pushl $CS64
	pushl %eax
	lret

/* Dies with a message unless CPUID says long mode. */
check_long_mode:
	leal REL(msg_no_lm), %esi
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb early_die
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc early_die
	ret

/*
 * L4 slot 0 and the direct map's share one L3: 4 GiB of 2 MiB pages in four L2
 * tables. The image's slot has an L3 and an L2 of its own.
 */
build_tables:
	leal REL(boot_l2_low), %edi
	movl $EARLY_LARGE, %eax
	movl $4 * 512, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b

	leal REL(boot_l3_low), %edi
	leal REL(boot_l2_low + EARLY_PT), %eax
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b

	leal REL(boot_l2_image + EARLY_PT), %eax
	movl %eax, REL(boot_l3_image + ((IMAGE_START >> 30) & 511) * 8)
	leal REL(boot_l2_image + (IMAGE_PHYS >> 21) * 8), %edi
	leal REL(_start + EARLY_LARGE), %eax
	movl $IMAGE_LARGE_PAGES, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b

	leal REL(boot_l3_low + EARLY_PT), %eax
	movl %eax, REL(idle_l4)
	movl %eax, REL(idle_l4 + ((DIRECTMAP_START >> 39) & 511) * 8)
	leal REL(boot_l3_image + EARLY_PT), %eax
	movl %eax, REL(idle_l4 + ((IMAGE_START >> 39) & 511) * 8)
	ret

/* Message in %esi to COM1 and to the text screen, then halt: nothing else works yet. */
early_die:
	movl $0xb8000, %edi
1:	lodsb
	testb %al, %al
	jz 3f
	movb %al, (%edi)
	movb $7, 1(%edi)
	addl $2, %edi
	movb %al, %bl
	movl $100000, %ecx		/* an absent port must not stop the message */
	movl $0x3fd, %edx
2:	inb (%dx), %al
	testb $0x20, %al
	loopz 2b
	movb %bl, %al
	movl $0x3f8, %edx
	outb %al, (%dx)
	jmp 1b
3:	hlt
	jmp 3b

/* ---- UEFI entry ---- */
	.code64
start_efi64:
	cld
	movl %ebx, %ebx
	andq $~15, %rsp
	pushq %rax
	pushq %rbx
	movl %eax, %edi
	movq %rbx, %rsi
	call efi_leave_boot_services	/* C, runs where it was loaded */
	popq %rbx
	popq %rax
	cli
	/* To 32-bit code with paging off, so that the rest is common. */
	leaq ref(%rip), %rbp
	leaq boot_gdt(%rip), %rcx
	movl %ecx, boot_gdt_base(%rip)
	movl $0, boot_gdt_base + 4(%rip)
	lgdt boot_gdtr(%rip)
	movl $DS, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	leaq bsp_stack + STACK_SIZE(%rip), %rsp
	subq $8, %rsp
	movl %eax, 4(%rsp)
	movl %ebx, (%rsp)
	movl %ebp, boot_ref(%rip)
	leaq efi32(%rip), %rcx
	pushq $CS32
	pushq %rcx
	lretq
	.code32
efi32:
	movl $0x11, %eax		/* paging off */
	movl %eax, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	andl $~0x100, %eax		/* EFER.LME off */
	wrmsr
	call build_tables
	jmp enter_long_mode

/* ---- 64-bit, still at the physical address ---- */
	.code64
start64:
	movl $DS, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	xorl %ecx, %ecx
	movl %ecx, %fs
	movl %ecx, %gs
	movl (%rsp), %esi		/* information */
	movl 4(%rsp), %edi		/* magic */
	movabsq $start_high, %rax
	jmp *%rax
start_high:
	leaq bsp_stack + STACK_SIZE - CPUINFO_sizeof(%rip), %rsp
	lgdt boot_gdtr_high(%rip)
	movl boot_ref(%rip), %eax
	leaq ref(%rip), %rcx
	subq %rcx, %rax
	movq %rax, image_phys_offset(%rip)
	xorl %ebp, %ebp
	call start_hypervisor
	ud2

	.section .init.data, "aw", @progbits
	.balign 16
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* CS32 */
	.quad 0x00af9b000000ffff	/* CS64 */
	.quad 0x00cf93000000ffff	/* DS */
boot_gdt_end:
	.balign 8
	.short 0, 0, 0
boot_gdtr:
	.short boot_gdt_end - boot_gdt - 1
boot_gdt_base:
	.long 0, 0
	.balign 8
	.short 0, 0, 0
boot_gdtr_high:
	.short boot_gdt_end - boot_gdt - 1
	.quad boot_gdt
boot_ref:
	.long 0				/* run-time address of ref */
msg_no_lm:
	.asciz "Krypton: this CPU has no 64-bit mode; Krypton cannot run here."
msg_no_loader:
	.asciz "Krypton: not started by a Multiboot loader; use GRUB's multiboot2 command."

	/* Freed with the other init memory: paging_init makes the real tables. */
	.section .bss.init, "aw", @nobits
	.balign 4096
boot_l2_low:	.skip 4 * 4096
boot_l3_low:	.skip 4096
boot_l3_image:	.skip 4096
boot_l2_image:	.skip 4096

	.section .bss.stack, "aw", @nobits
	.balign STACK_SIZE
	.globl bsp_stack
	.hidden bsp_stack
bsp_stack:	.skip STACK_SIZE

	.section .note.GNU-stack, "", @progbits
