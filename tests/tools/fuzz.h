/* SPDX-License-Identifier: MIT */
/*
 * What fuzz programs share that keep going when something broke: a count of it. How many cases, and
 * chance: dice.h.
 */
#ifndef TESTS_TOOLS_FUZZ_H
#define TESTS_TOOLS_FUZZ_H

#include <stdio.h>
#include <dice.h>

static unsigned long failed;

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
