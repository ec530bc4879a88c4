/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations on plain integers, for every port: the compiler's builtins,
 * sequentially consistent.
 */
#ifndef ARCH_ATOMIC_H
#define ARCH_ATOMIC_H

#include <core/types.h>

#define atomic_load(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_add_return(p, v)	__atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#define atomic_sub_return(p, v)	__atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, v)	__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define atomic_inc(p)		((void)__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST))
#define atomic_dec(p)		((void)__atomic_fetch_sub(p, 1, __ATOMIC_SEQ_CST))
#define atomic_dec_and_test(p)	(__atomic_sub_fetch(p, 1, __ATOMIC_SEQ_CST) == 0)
#define atomic_xchg(p, v)	__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_or(p, v)		((void)__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define atomic_and(p, v)	((void)__atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))
/* Returns the value found; equal to `old` means that the exchange was made. */
#define atomic_cmpxchg(p, old, new) ({ \
	__typeof__(*(p)) cx_old_ = (old); \
	__atomic_compare_exchange_n(p, &cx_old_, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	cx_old_; })

#endif
