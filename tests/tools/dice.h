/* SPDX-License-Identifier: MIT */
/*
 * Chance by seed, for fuzz programs and tests that kill daemons: the same cases on every machine. A
 * case of its own begins with dice_begin(); else the run is one sequence.
 */
#ifndef TESTS_TOOLS_DICE_H
#define TESTS_TOOLS_DICE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t dice_state = 0x9e3779b97f4a7c15ULL;

static inline void dice_begin(unsigned long number)
{
	dice_state = 0x9e3779b97f4a7c15ULL * (number + 1);
}

/* xorshift64* */
static inline uint64_t dice64(void)
{
	dice_state ^= dice_state >> 12;
	dice_state ^= dice_state << 25;
	dice_state ^= dice_state >> 27;
	return dice_state * 0x2545f4914f6cdd1dULL;
}

/* 0 to @sides - 1. */
static inline unsigned int dice(unsigned int sides)
{
	return (unsigned int)(dice64() >> 33) % sides;
}

#define DICE_PICK(list) ((list)[dice(sizeof(list) / sizeof((list)[0]))])

/* How many cases a fuzz program is to do. */
static inline unsigned long dice_cases(void)
{
	const char *env = getenv("FUZZ_CASES");

	return env ? strtoul(env, NULL, 0) : 100000;
}

/*
 * Text that was right, up to five times spoiled: other bytes, cuts, @word of the language in
 * between. Its new length.
 */
static inline size_t dice_spoil(char *text, size_t length, size_t room, const char *const *words,
				unsigned int n_words)
{
	for (unsigned int changes = dice(6); changes; changes--) {
		size_t at = dice((unsigned int)length + 1), n = dice(8);
		const char *word = words[dice(n_words)];

		switch (dice(4)) {
		case 0:
			if (at < length)
				text[at] = (char)dice(256);
			break;
		case 1:
			if (at + n <= length) {
				memmove(text + at, text + at + n, length - at - n);
				length -= n;
			}
			break;
		case 2:
			n = strlen(word);
			if (length + n < room) {
				memmove(text + at + n, text + at, length - at);
				memcpy(text + at, word, n);
				length += n;
			}
			break;
		default: /* the end is missing */
			if (!dice(4))
				length = at;
		}
	}
	return length;
}

#endif
