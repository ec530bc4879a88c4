/* SPDX-License-Identifier: MIT */
/*
 * Sets of ranges against a model of one bool a number: random additions and
 * removals, every question asked; the ends of the number space; failing
 * allocations that must change nothing.
 *
 * LINK: arch/x86/rangeset.c
 */
#include "harness.h"
#include <x86/rangeset.h>

#define SPACE	64U

static uint64_t model;		/* bit n: n is in the set */
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static uint64_t bits(unsigned int s, unsigned int e)
{
	return (e - s == 63 ? ~0ULL : (1ULL << (e - s + 1)) - 1) << s;
}

static void compare(struct rangeset *r)
{
	for (unsigned int s = 0; s < SPACE; s++)
		for (unsigned int e = s; e < SPACE; e++) {
			uint64_t b = bits(s, e);

			assert_int_equal(rangeset_contains(r, s, e), (model & b) == b);
			assert_int_equal(rangeset_overlaps(r, s, e), (model & b) != 0);
		}
}

static void random_against_model(void **state __maybe_unused)
{
	for (seed = 1; seed < 20; seed++) {
		struct rangeset *r = rangeset_new();

		model = 0;
		assert_non_null(r);
		for (unsigned int i = 0; i < 60; i++) {
			unsigned int s = rnd(SPACE), e = s + rnd(SPACE - s);

			if (rnd(3)) {
				assert_int_equal(rangeset_add(r, s, e), 0);
				model |= bits(s, e);
			} else {
				assert_int_equal(rangeset_remove(r, s, e), 0);
				model &= ~bits(s, e);
			}
			compare(r);
		}
		rangeset_destroy(r);
	}
}

static void ends_of_the_space(void **state __maybe_unused)
{
	struct rangeset *r = rangeset_new();

	assert_int_equal(rangeset_add(r, 0, ~0UL), 0);
	assert_true(rangeset_contains(r, 0, ~0UL));
	assert_int_equal(rangeset_remove(r, ~0UL, ~0UL), 0);
	assert_int_equal(rangeset_remove(r, 0, 0), 0);
	assert_true(rangeset_contains(r, 1, ~0UL - 1));
	assert_false(rangeset_overlaps(r, 0, 0));
	assert_false(rangeset_overlaps(r, ~0UL, ~0UL));
	assert_int_equal(rangeset_add(r, ~0UL, ~0UL), 0);
	assert_true(rangeset_contains(r, 1, ~0UL));
	assert_int_equal(rangeset_add(r, 5, 4), -EINVAL);
	assert_int_equal(rangeset_remove(r, 5, 4), -EINVAL);
	rangeset_destroy(r);
}

static void nothing_is_in_no_set(void **state __maybe_unused)
{
	assert_false(rangeset_contains(NULL, 0, 1));
	assert_false(rangeset_overlaps(NULL, 0, ~0UL));
	rangeset_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(random_against_model),
		host_test(ends_of_the_space),
		host_test(nothing_is_in_no_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
