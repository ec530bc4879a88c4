/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault, and where to go on then. In assembly:
 *   1: insn ...   .section .fixup ... 2: ... jmp 3b ... ; _ASM_EXTABLE(1b, 2b)
 */
#ifndef X86_EXTABLE_H
#define X86_EXTABLE_H

#ifdef __ASSEMBLY__
#define _ASM_EXTABLE(from, to) \
	.pushsection .ex_table, "a"; .balign 4; .long (from) - ., (to) - .; .popsection
#else
#define _ASM_EXTABLE(from, to) \
	".pushsection .ex_table, \"a\"\n.balign 4\n.long (" #from ") - ., (" #to ") - .\n" \
	".popsection\n"

#include <core/types.h>

struct ex_entry {
	int32_t from, to;		/* relative to the fields themselves */
};
extern const struct ex_entry __start_ex_table[], __stop_ex_table[];
/* Where to resume after a fault at rip, 0 = nowhere. */
unsigned long search_exception_table(unsigned long rip);
#endif

#endif
