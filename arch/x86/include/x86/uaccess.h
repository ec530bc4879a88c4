/* SPDX-License-Identifier: MIT */
/*
 * Single words to and from guest memory, without a call. The caller has
 * checked the range (guest_range_okay()) and brackets the accesses with
 * stac() and clac(); a fault jumps to the label.
 */
#ifndef X86_UACCESS_H
#define X86_UACCESS_H

#include <x86/alternative.h>
#include <x86/extable.h>

#define put_guest_word(value, ptr, fault) \
	__asm__ goto("1: movq %0, %1\n" _ASM_EXTABLE(1b, %l[fault]) \
		     :: "r"((unsigned long)(value)), "m"(*(unsigned long *)(ptr)) : "memory" : fault)

#endif
