/* SPDX-License-Identifier: MIT */
/* xmalloc: no two objects overlap, alignment, overflow, every page comes back. */
/* LINK: xen-core/heap.c */
#include "harness.h"
#include <core/xmalloc.h>

#define N	3000

static void check_fill(unsigned char *p, size_t n, unsigned char c)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], c);
}

static void test_sizes(void **state __maybe_unused)
{
	static unsigned char *p[N];
	static size_t size[N];
	struct host_counts before = host_count();
	unsigned int seed = 12345;

	for (unsigned int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			size_t align;

			seed = seed * 1103515245 + 12345;
			size[i] = (seed >> 16) % (i % 50 == 0 ? 20000 : 700);
			align = 1UL << ((seed >> 8) % 8);
			p[i] = xmalloc_bytes(size[i], align);
			assert_non_null(p[i]);
			assert_int_equal((unsigned long)p[i] & (align - 1), 0);
			memset(p[i], i & 0xff, size[i]);
		}
		for (int i = 0; i < N; i += 2) {
			check_fill(p[i], size[i], i & 0xff);
			xfree(p[i]);
		}
		for (int i = 1; i < N; i += 2) {
			check_fill(p[i], size[i], i & 0xff);
			xfree(p[i]);
		}
		assert_counts_equal(&before);
	}
}

static void test_large_alignment(void **state __maybe_unused)
{
	void *p = xmalloc_bytes(100, 4096), *q = xmalloc_bytes(3000, 64);

	assert_int_equal((unsigned long)p & 4095, 0);
	assert_int_equal((unsigned long)q & 63, 0);
	xfree(p);
	xfree(q);
}

static void test_overflow(void **state __maybe_unused)
{
	assert_null(xmalloc_array_bytes(1UL << 33, 1UL << 33, 8));
	assert_null(xzalloc_array_bytes(~0UL, 2, 8));
	assert_null(xmalloc_bytes(~0UL, 8));
	assert_null(xmalloc_bytes(~0UL - 4095, 8));
	xfree(NULL);
}

static void test_zeroed_and_failure(void **state __maybe_unused)
{
	struct host_counts before = host_count();

	for_each_fault(n, host_fail_alloc) {
		unsigned char *a = xzalloc_bytes(2000, 8), *b = xzalloc_bytes(9000, 8);

		if (a)
			check_fill(a, 2000, 0);
		if (b)
			check_fill(b, 9000, 0);
		xfree(a);
		xfree(b);
		assert_counts_equal(&before);
	}
}

static void free_twice(void *p)
{
	xfree(p);
	xfree(p);
}
static void free_inside(void *p) { xfree((char *)p + 16); }

static void test_bad_frees(void **state __maybe_unused)
{
	assert_true(host_expect_bug(free_twice, xmalloc_bytes(64, 8)));
	assert_true(host_expect_bug(free_inside, xmalloc_bytes(64, 8)));
	assert_true(host_expect_bug(free_inside, xmalloc_bytes(64000, 8)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_sizes), host_test(test_large_alignment), host_test(test_overflow),
		host_test(test_zeroed_and_failure), host_test(test_bad_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
