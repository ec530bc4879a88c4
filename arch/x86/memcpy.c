/* SPDX-License-Identifier: MIT */
/*
 * Filling and copying memory, which the compiler also calls on its own account.
 * By `rep` on words: CPUs move whole cache lines then, and it is one
 * instruction per word where instructions are counted. What is left over goes
 * by bytes. Whole pages: clear_page.c. The rest of the string functions is plain C in the core.
 */
#include <core/lib.h>

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;
	size_t words = n / 8;

	__asm__ __volatile__("rep movsq\n\tmov %k3, %k2\n\trep movsb"
			     : "+D"(d), "+S"(src), "+c"(words) : "r"(n % 8) : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;
	size_t words = n / 8;

	__asm__ __volatile__("rep stosq\n\tmov %k2, %k1\n\trep stosb"
			     : "+D"(d), "+c"(words)
			     : "r"(n % 8), "a"(0x0101010101010101UL * (unsigned char)c) : "memory");
	return dst;
}
