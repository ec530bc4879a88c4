/* SPDX-License-Identifier: MIT */
/* Printing, assertions, strings and small arithmetic that everything uses. */
#ifndef CORE_LIB_H
#define CORE_LIB_H

#include <core/types.h>
#include <stdarg.h>

/*
 * Log levels, spelled as Xen's: a message begins with one of these; without
 * one it is a warning. Guest-triggered messages use the XENLOG_G_ ones: they
 * are rate-limited and filtered by guest_loglvl=.
 */
#define XENLOG_ERR	"<0>"
#define XENLOG_WARNING	"<1>"
#define XENLOG_INFO	"<2>"
#define XENLOG_DEBUG	"<3>"
#define XENLOG_GUEST	"<G>"
#define XENLOG_G_ERR	XENLOG_GUEST XENLOG_ERR
#define XENLOG_G_WARNING XENLOG_GUEST XENLOG_WARNING
#define XENLOG_G_INFO	XENLOG_GUEST XENLOG_INFO
#define XENLOG_G_DEBUG	XENLOG_GUEST XENLOG_DEBUG

/*
 * printf to the console and its ring. Understands d i u x X c s p l ll z h,
 * width, precision, flags, and: %pd a struct domain ("d3"), %pv a struct vcpu
 * ("d3v1"), %ps a code address (symbol+offset), %pM an mfn_t by pointer.
 */
void printk(const char *fmt, ...) __printf(1, 2);
void vprintk(const char *fmt, va_list ap) __printf(1, 0);
/* As printk, prefixed with the current vcpu ("d1v0 "), guest-level filtering. */
void gprintk(const char *level, const char *fmt, ...) __printf(2, 3);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
/* As snprintf, but returns what was stored (less than size). */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* Stops the machine: says why on every console, prints state, reboots or halts as configured. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;
void bug_at(const char *file, int line, const char *what) __noreturn;

#define BUG()		bug_at(__FILE__, __LINE__, "BUG")
#define BUG_ON(c)	do { if (unlikely(c)) bug_at(__FILE__, __LINE__, #c); } while (0)

/* ASSERT: checked in debug builds (make DEBUG=1) and always in the host port. */
#ifdef KRYPTON_DEBUG
#define ASSERT(c)	do { if (unlikely(!(c))) bug_at(__FILE__, __LINE__, #c); } while (0)
#else
#define ASSERT(c)	do { if (0) (void)(c); } while (0)
#endif

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);
/* Copies at most size - 1 bytes and terminates; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);
/* C's strtoull, base 0/8/10/16; *end is set to the first byte not consumed (end may be NULL). */
unsigned long long strtoull(const char *s, char **end, int base);
/* A size with suffix B K M G T (default unit: KiB, as Xen's options); *end as above. */
unsigned long long parse_size(const char *s, const char **end);

/* Whole pages; these, memcpy and memset are the machine's. */
void clear_page(void *page);
/* The same for count (not 0) adjacent ones, past the caches: nobody needs them soon. */
void scrub_pages(void *page, unsigned long count);
void copy_page(void *dst, const void *src);

/* 32x32.. muldiv with a 128-bit intermediate: a * b / c. c must not be 0. */
uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c);

static inline unsigned int get_order_from_pages(unsigned long nr)
{
	return nr <= 1 ? 0 : 64 - (unsigned int)__builtin_clzl(nr - 1);
}

static inline unsigned int get_order_from_bytes(unsigned long n)
{
	return get_order_from_pages(PFN_UP(n));
}

#endif
