/* SPDX-License-Identifier: MIT */
/* Bits in arrays of long, atomic unless named with two underscores. */
#ifndef ARCH_BITOPS_H
#define ARCH_BITOPS_H

#include <core/types.h>

#define BIT_WORD_(nr)	((nr) / 64)
#define BIT_MASK_(nr)	(1UL << ((nr) % 64))

static inline bool test_bit(unsigned long nr, const volatile void *p)
{
	return ((const volatile unsigned long *)p)[BIT_WORD_(nr)] & BIT_MASK_(nr);
}
static inline void set_bit(unsigned long nr, volatile void *p)
{
	__atomic_fetch_or((volatile unsigned long *)p + BIT_WORD_(nr), BIT_MASK_(nr),
			  __ATOMIC_SEQ_CST);
}
static inline void clear_bit(unsigned long nr, volatile void *p)
{
	__atomic_fetch_and((volatile unsigned long *)p + BIT_WORD_(nr), ~BIT_MASK_(nr),
			   __ATOMIC_SEQ_CST);
}
static inline bool test_and_set_bit(unsigned long nr, volatile void *p)
{
	return __atomic_fetch_or((volatile unsigned long *)p + BIT_WORD_(nr), BIT_MASK_(nr),
				 __ATOMIC_SEQ_CST) & BIT_MASK_(nr);
}
static inline bool test_and_clear_bit(unsigned long nr, volatile void *p)
{
	return __atomic_fetch_and((volatile unsigned long *)p + BIT_WORD_(nr), ~BIT_MASK_(nr),
				  __ATOMIC_SEQ_CST) & BIT_MASK_(nr);
}
static inline void __set_bit(unsigned long nr, void *p)
{
	((unsigned long *)p)[BIT_WORD_(nr)] |= BIT_MASK_(nr);
}
static inline void __clear_bit(unsigned long nr, void *p)
{
	((unsigned long *)p)[BIT_WORD_(nr)] &= ~BIT_MASK_(nr);
}

/* First set / clear bit at or after `from` in a map of `size` bits; size if none. */
static inline unsigned long find_next_bit(const unsigned long *p, unsigned long size,
					  unsigned long from)
{
	while (from < size) {
		unsigned long w = p[from / 64] >> (from % 64);

		if (w) {
			from += (unsigned long)__builtin_ctzl(w);
			return from < size ? from : size;
		}
		from = (from / 64 + 1) * 64;
	}
	return size;
}
static inline unsigned long find_next_zero_bit(const unsigned long *p, unsigned long size,
					       unsigned long from)
{
	while (from < size) {
		unsigned long w = ~p[from / 64] >> (from % 64);

		if (w) {
			from += (unsigned long)__builtin_ctzl(w);
			return from < size ? from : size;
		}
		from = (from / 64 + 1) * 64;
	}
	return size;
}
#define find_first_bit(p, size)		find_next_bit(p, size, 0)
#define find_first_zero_bit(p, size)	find_next_zero_bit(p, size, 0)

#endif
