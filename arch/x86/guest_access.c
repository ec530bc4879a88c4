/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from the current guest's memory, by the page tables that are
 * loaded. The range is checked against the hypervisor's part of the address
 * space first; what is not mapped, read-only or non-canonical faults, and the
 * exception table says how much was left. SMAP is lifted just for the copy.
 */
#include <arch/guest_access.h>
#include <x86/alternative.h>
#include <x86/extable.h>
#include <xen/xen.h>

static inline bool range_ok(const void *p, unsigned long n)
{
	unsigned long start = (unsigned long)p, end;

	if (unlikely(__builtin_add_overflow(start, n, &end)))
		return false;
	return end <= HYPERVISOR_VIRT_START || start >= HYPERVISOR_VIRT_END;
}

bool guest_range_okay(const void *p, unsigned long nr, size_t size)
{
	unsigned long bytes;

	return !__builtin_mul_overflow(nr, size, &bytes) && range_ok(p, bytes);
}

/* One load and one store, of which one touches the guest; n = 0 or bytes not copied. */
#define MOVE_ONE(type, suffix, dst, src, left) do { \
	type mv_tmp_; \
	__asm__ __volatile__(ALT_STAC \
		"1: mov" suffix " %3, %1\n" \
		"2: mov" suffix " %1, %2\n" \
		"xor %k0, %k0\n" \
		"3:\n" ALT_CLAC \
		".pushsection .fixup, \"ax\"\n" \
		"4: mov %4, %k0\n\tjmp 3b\n" \
		".popsection\n" \
		_ASM_EXTABLE(1b, 4b) _ASM_EXTABLE(2b, 4b) \
		: "=&r"(left), "=&q"(mv_tmp_), "=m"(*(type *)(dst)) \
		: "m"(*(const type *)(src)), "i"(sizeof(type))); \
} while (0)

static inline unsigned long copy_words(void *dst, const void *src, unsigned long n)
{
	unsigned long left = n / 8;

	__asm__ __volatile__(ALT_STAC
		"1: rep movsq\n\t"
		"mov %3, %0\n"
		"2: rep movsb\n"
		"3:\n" ALT_CLAC
		".pushsection .fixup, \"ax\"\n"
		"4: lea (%3, %0, 8), %0\n\t"
		"jmp 3b\n"
		".popsection\n"
		_ASM_EXTABLE(1b, 4b) _ASM_EXTABLE(2b, 3b)
		: "+&c"(left), "+&D"(dst), "+&S"(src) : "r"(n % 8) : "memory");
	return left;
}

/* Part of both copies: half of all hypercalls make one or two of a few bytes. */
static inline __attribute__((always_inline))
unsigned long move(void *dst, const void *src, unsigned long n)
{
	unsigned long left;

	switch (n) {
	case 8:
		MOVE_ONE(uint64_t, "q", dst, src, left);
		return left;
	case 4:
		MOVE_ONE(uint32_t, "l", dst, src, left);
		return left;
	case 2:
		MOVE_ONE(uint16_t, "w", dst, src, left);
		return left;
	case 1:
		MOVE_ONE(uint8_t, "b", dst, src, left);
		return left;
	}
	return copy_words(dst, src, n);
}

unsigned long raw_copy_from_guest(void *dst, const void *guest, size_t n)
{
	return likely(range_ok(guest, n)) ? move(dst, guest, n) : n;
}

unsigned long raw_copy_to_guest(void *guest, const void *src, size_t n)
{
	return likely(range_ok(guest, n)) ? move(guest, src, n) : n;
}

unsigned long raw_clear_guest(void *guest, size_t n)
{
	unsigned long left = n / 8;

	if (!range_ok(guest, n))
		return n;
	__asm__ __volatile__(ALT_STAC
		"1: rep stosq\n\t"
		"mov %2, %0\n"
		"2: rep stosb\n"
		"3:\n" ALT_CLAC
		".pushsection .fixup, \"ax\"\n"
		"4: lea (%2, %0, 8), %0\n\t"
		"jmp 3b\n"
		".popsection\n"
		_ASM_EXTABLE(1b, 4b) _ASM_EXTABLE(2b, 3b)
		: "+&c"(left), "+&D"(guest) : "r"(n % 8), "a"(0UL) : "memory");
	return left;
}
