/* SPDX-License-Identifier: MIT */
/*
 * Basic types. Frame numbers are types of their own, so that the compiler
 * tells a machine frame (what the MMU sees) from a guest frame (what a guest
 * calls its memory) and from a plain count.
 */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;	/* a machine (host-physical) address */
typedef int64_t s_time_t;	/* system time, nanoseconds since boot */

typedef struct { unsigned long m; } mfn_t;	/* machine frame number */
typedef struct { unsigned long g; } gfn_t;	/* guest (pseudo-physical) frame number */

static inline mfn_t _mfn(unsigned long m) { return (mfn_t){ m }; }
static inline unsigned long mfn_x(mfn_t m) { return m.m; }
static inline mfn_t mfn_add(mfn_t m, unsigned long i) { return (mfn_t){ m.m + i }; }
static inline bool mfn_eq(mfn_t a, mfn_t b) { return a.m == b.m; }
static inline gfn_t _gfn(unsigned long g) { return (gfn_t){ g }; }
static inline unsigned long gfn_x(gfn_t g) { return g.g; }

#define INVALID_MFN	_mfn(~0UL)
#define INVALID_GFN	_gfn(~0UL)

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PFN_UP(x)	(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x)	((x) >> PAGE_SHIFT)

static inline paddr_t mfn_to_paddr(mfn_t m) { return (paddr_t)m.m << PAGE_SHIFT; }
static inline mfn_t paddr_to_mfn(paddr_t p) { return _mfn(p >> PAGE_SHIFT); }

#define BITS_PER_LONG	64
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ROUNDUP(x, a)	(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define min(a, b)	({ __typeof__(a) min_a_ = (a); __typeof__(b) min_b_ = (b); \
			   min_a_ < min_b_ ? min_a_ : min_b_; })
#define max(a, b)	({ __typeof__(a) max_a_ = (a); __typeof__(b) max_b_ = (b); \
			   max_a_ > max_b_ ? max_a_ : max_b_; })
#define KB(n)	((unsigned long)(n) << 10)
#define MB(n)	((unsigned long)(n) << 20)
#define GB(n)	((unsigned long)(n) << 30)

#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __maybe_unused	__attribute__((unused))
#define __used		__attribute__((used))
#define __noinline	__attribute__((noinline))
#define __noreturn	__attribute__((noreturn))
#define __must_check	__attribute__((warn_unused_result))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define __section(s)	__attribute__((section(s)))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define barrier()	__asm__ __volatile__("" ::: "memory")
#define ACCESS_ONCE(x)	(*(volatile __typeof__(x) *)&(x))
#define read_once(x)	ACCESS_ONCE(x)
#define write_once(x, v)	(ACCESS_ONCE(x) = (v))

/*
 * Code and data that is needed only while booting: its memory is given to the
 * heap when dom0 starts. The host port keeps it.
 */
#define __init		__attribute__((section(".init.text"), cold))
#define __initdata	__attribute__((section(".init.data")))
#define __initconst	__attribute__((section(".init.rodata")))
/* Written while booting, read-only afterwards. */
#define __ro_after_init	__attribute__((section(".data.ro_after_init")))

#endif
