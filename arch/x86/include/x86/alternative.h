/* SPDX-License-Identifier: MIT */
/*
 * Instructions that depend on what the CPU has, patched once at boot: three
 * bytes of NOP that become CLAC or STAC where SMAP is in use. Each place
 * leaves an entry in a table that alternatives_apply() walks.
 */
#ifndef X86_ALTERNATIVE_H
#define X86_ALTERNATIVE_H

#define ALT_KIND_CLAC	0
#define ALT_KIND_STAC	1

#ifdef __ASSEMBLY__
#define ALT_NOP3(kind) \
	661: .byte 0x0f, 0x1f, 0x00; \
	.pushsection .init.alternatives, "a"; .balign 8; .quad 661b; .quad kind; .popsection
#define ALT_CLAC	ALT_NOP3(ALT_KIND_CLAC)
#define ALT_STAC	ALT_NOP3(ALT_KIND_STAC)
#else
#define ALT_STR__(x)	#x
#define ALT_STR_(x)	ALT_STR__(x)
#define ALT_NOP3(kind) \
	"661: .byte 0x0f, 0x1f, 0x00\n" \
	".pushsection .init.alternatives, \"a\"\n.balign 8\n.quad 661b\n.quad " ALT_STR_(kind) \
	"\n.popsection\n"
#define ALT_CLAC	ALT_NOP3(ALT_KIND_CLAC)
#define ALT_STAC	ALT_NOP3(ALT_KIND_STAC)

#include <core/types.h>

static inline void stac(void) { __asm__ __volatile__(ALT_STAC ::: "memory"); }
static inline void clac(void) { __asm__ __volatile__(ALT_CLAC ::: "memory"); }
/* Boot CPU, once, before CR4.SMAP is set and before any guest access. */
void alternatives_apply(void);
#endif

#endif
