/* SPDX-License-Identifier: MIT */
/* core/lib.h for a process: libc does most; BUG() can be caught by a test. */
#include <core/lib.h>
#include <host/host.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#define WEAK	__attribute__((weak))

bool host_verbose;
static jmp_buf *bug_target;

/* The %p extensions of core/lib.h print as plain pointers here. */
WEAK void vprintk(const char *fmt, va_list ap)
{
	if (host_verbose)
		vfprintf(stderr, fmt, ap);
}
WEAK void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}
WEAK void gprintk(const char *level __maybe_unused, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}
WEAK int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n >= (int)size ? (int)size - 1 : n;
}

WEAK void bug_at(const char *file, int line, const char *what)
{
	if (bug_target)
		longjmp(*bug_target, 1);
	fprintf(stderr, "BUG at %s:%d: %s\n", file, line, what);
	abort();
}
WEAK void panic(const char *fmt, ...)
{
	va_list ap;

	if (bug_target)
		longjmp(*bug_target, 1);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

bool host_expect_bug(void (*fn)(void *), void *arg)
{
	jmp_buf here;

	bug_target = &here;
	if (setjmp(here)) {
		bug_target = NULL;
		host_locks_reset();
		return true;
	}
	fn(arg);
	bug_target = NULL;
	return false;
}

WEAK size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t c = min(n, size - 1);

		memcpy(dst, src, c);
		dst[c] = 0;
	}
	return n;
}
WEAK void scrub_pages(void *page, unsigned long n) { memset(page, 0, n * PAGE_SIZE); }
WEAK void clear_page(void *page) { memset(page, 0, PAGE_SIZE); }
WEAK void copy_page(void *dst, const void *src) { memcpy(dst, src, PAGE_SIZE); }
WEAK uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

/* Tests end without tidying up; resources are counted instead (host_count). */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:detect_stack_use_after_return=0";
}
