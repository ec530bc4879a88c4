/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault: the exception table, MSR access that survives a
 * refusal, and the boot-time patching of instructions (alternative.h).
 */
#include <core/errno.h>
#include <core/lib.h>
#include <arch/frame.h>
#include <x86/alternative.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>
#include <x86/extable.h>

/*
 * The table is in link order, which is not address order, and short: a linear
 * search of a rare event.
 */
unsigned long search_exception_table(unsigned long rip)
{
	for (const struct ex_entry *e = __start_ex_table; e < __stop_ex_table; e++)
		if ((unsigned long)&e->from + (unsigned long)(long)e->from == rip)
			return (unsigned long)&e->to + (unsigned long)(long)e->to;
	return 0;
}

int rdmsr_safe(uint32_t msr, uint64_t *v)
{
	uint32_t lo, hi;
	int err;

	__asm__ __volatile__(
		"1: rdmsr\n\t"
		"xor %k0, %k0\n"
		"2:\n"
		".pushsection .fixup, \"ax\"\n"
		"3: mov %4, %k0\n\t"
		"xor %%eax, %%eax\n\t"
		"xor %%edx, %%edx\n\t"
		"jmp 2b\n"
		".popsection\n"
		_ASM_EXTABLE(1b, 3b)
		: "=&r"(err), "=&a"(lo), "=&d"(hi) : "c"(msr), "i"(-EFAULT));
	*v = (uint64_t)hi << 32 | lo;
	return err;
}

int wrmsr_safe(uint32_t msr, uint64_t v)
{
	int err;

	__asm__ __volatile__(
		"1: wrmsr\n\t"
		"xor %k0, %k0\n"
		"2:\n"
		".pushsection .fixup, \"ax\"\n"
		"3: mov %4, %k0\n\t"
		"jmp 2b\n"
		".popsection\n"
		_ASM_EXTABLE(1b, 3b)
		: "=&r"(err)
		: "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "i"(-EFAULT) : "memory");
	return err;
}

struct alternative {
	uint64_t addr, kind;
};
extern const struct alternative __start_alternatives[], __stop_alternatives[];

void __init alternatives_apply(void)
{
	static const uint8_t insn[][3] __initconst = {
		[ALT_KIND_CLAC] = { 0x0f, 0x01, 0xca },
		[ALT_KIND_STAC] = { 0x0f, 0x01, 0xcb },
	};

	if (!cpu_has(X86_FEATURE_SMAP))
		return;
	for (const struct alternative *a = __start_alternatives; a < __stop_alternatives; a++) {
		/*
		 * The text is mapped read-only: write through the direct map,
		 * byte by byte (it may cross a page).
		 */
		for (unsigned int i = 0; i < 3; i++) {
			const char *p = (const char *)a->addr + i;
			char *w = mfn_to_virt(image_virt_to_mfn(p));

			w[(unsigned long)p & (PAGE_SIZE - 1)] = (char)insn[a->kind][i];
		}
	}
}
