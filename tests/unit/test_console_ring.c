/* SPDX-License-Identifier: MIT */
/*
 * The ring of console output as XEN_SYSCTL_readconsole shows it: pieces from where the last one ended,
 * clearing of what was read and of nothing else, positions that no reader was given.
 *
 * LINK: xen-core/console_ring.c
 */
#include "harness.h"
#include <core/console.h>
#include <xen/sysctl.h>

static char text[64];

/* Reads up to @count bytes; what came is in text[]. The index behind it. */
static uint32_t read_ring(bool clear, bool incremental, uint32_t index, uint32_t count)
{
	struct xen_sysctl_readconsole op = {
		.clear = clear, .incremental = incremental, .index = index, .count = count,
	};

	memset(text, 0, sizeof(text));
	host_guest_map(text, sizeof(text), true);
	set_xen_guest_handle(op.buffer, text);
	assert_int_equal(console_ring_read(&op), 0);
	assert_int_equal(op.count, strlen(text));
	return op.index;
}

static void put(const char *s)
{
	console_ring_put(s, strlen(s));
}

/* Runs first: the ring is empty. */
static void test_clear(void **state)
{
	uint32_t at;

	(void)state;
	put("one two three");
	at = read_ring(false, true, 0, 3);
	assert_string_equal(text, "one");
	read_ring(true, true, at, 4);
	assert_string_equal(text, " two");
	read_ring(false, false, 0, 60);
	assert_string_equal(text, " three");

	/* Read all; more comes; clearing from there keeps what came. */
	at = read_ring(false, true, 0, 60);
	put("late");
	read_ring(true, true, at, 0);
	read_ring(false, false, 0, 60);
	assert_string_equal(text, "late");
	read_ring(true, false, 0, 60);
	read_ring(false, false, 0, 60);
	assert_string_equal(text, "");
}

static void test_wrong_position(void **state)
{
	(void)state;
	put("abc");
	read_ring(true, true, 1u << 20, 0);
	read_ring(false, true, 1u << 20, 60);
	assert_string_equal(text, "abc");
	read_ring(true, true, 0xfffffff0u, 60);
	put("d");
	read_ring(false, false, 0, 60);
	assert_string_equal(text, "d");
}

/* More than it holds: the oldest goes, a reader that was slower gets what there is. */
static void test_overflow(void **state)
{
	uint32_t end;

	(void)state;
	end = read_ring(true, false, 0, 60);
	for (int i = 0; i < 20000; i++)
		put("x");
	put("END");
	assert_true(read_ring(false, true, end, 10) - end > 3000);
	assert_string_equal(text, "xxxxxxxxxx");
	read_ring(false, true, end + 20000, 60);
	assert_string_equal(text, "END");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_wrong_position),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
