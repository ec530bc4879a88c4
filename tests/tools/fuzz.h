/* SPDX-License-Identifier: MIT */
/*
 * What fuzz programs share: how many cases, chance, and a list of what broke. Each of them is one file, which
 * has these for its own.
 */
#ifndef TESTS_TOOLS_FUZZ_H
#define TESTS_TOOLS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed = 0x9e3779b97f4a7c15ULL;
static unsigned long failed;

/* FUZZ_CASES of the environment, or 100,000. */
static inline unsigned long fuzz_cases(void)
{
	const char *given = getenv("FUZZ_CASES");

	return given ? strtoul(given, NULL, 0) : 100000;
}

/* xorshift64* */
static inline uint64_t dice(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

/* Counts what does not hold, and names the first. */
static inline void check(int holds, const char *what)
{
	if (holds)
		return;
	if (!failed)
		fprintf(stderr, "broken: %s\n", what);
	failed++;
}

#endif
