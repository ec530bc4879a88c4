/* SPDX-License-Identifier: MIT */
/*
 * The memory through which data goes between a device's medium and its guest: a fixed number of pages,
 * which bounds what a frontend can make us use, given out in adjacent runs, the lowest first: the beginning
 * is warm, and the medium may be faster with it. No page below the hint is free.
 */
#include "private.h"

#define WORD	64	/* pages in one of buffer_used[]'s words */

static bool is_used(const struct blkback *b, uint32_t page)
{
	return b->buffer_used[page / WORD] >> (page % WORD) & 1;
}

static void flip(struct blkback *b, uint32_t first, unsigned int pages)
{
	if (pages == 1) {
		b->buffer_used[first / WORD] ^= 1ULL << first % WORD;
		return;
	}
	while (pages) {
		unsigned int at = first % WORD, n = pages < WORD - at ? pages : WORD - at;

		b->buffer_used[first / WORD] ^= ~0ULL >> (WORD - n) << at;
		first += n;
		pages -= n;
	}
}

/* The first run of free pages, wherever. */
static uint32_t search(const struct blkback *b, unsigned int pages)
{
	unsigned int run = 0;

	for (uint32_t i = b->buffer_hint; i < BUFFER_PAGES; i++) {
		run = is_used(b, i) ? 0 : run + 1;
		if (run == pages)
			return i + 1 - pages;
	}
	return NO_BUFFER;
}

/* The first run that does not cross words, which is as good as any for what requests mostly are. */
static uint32_t search_words(const struct blkback *b, unsigned int pages)
{
	for (uint32_t i = b->buffer_hint / WORD; i < BUFFER_PAGES / WORD; i++) {
		uint64_t begins = ~b->buffer_used[i];	/* bit n: a run of so many begins at page n */

		for (unsigned int n = 1, more; n < pages && begins; n += more) {
			more = n < pages - n ? n : pages - n;
			begins &= begins >> more;
		}
		if (begins)
			return i * WORD + __builtin_ctzll(begins);
	}
	return NO_BUFFER;
}

uint32_t buffer_take(struct blkback *b, unsigned int pages)
{
	uint32_t first = b->buffer_hint;

	if (b->buffer_free < pages)
		return NO_BUFFER;
	if (pages != 1 || is_used(b, first)) {
		first = pages < WORD ? search_words(b, pages) : NO_BUFFER;
		if (first == NO_BUFFER)
			first = search(b, pages);
		if (first == NO_BUFFER)
			return first;
	}
	flip(b, first, pages);
	b->buffer_free -= pages;
	if (first == b->buffer_hint && first + pages < BUFFER_PAGES)
		b->buffer_hint += pages;
	return first;
}

void buffer_give(struct blkback *b, uint32_t first, unsigned int pages)
{
	flip(b, first, pages);
	b->buffer_free += pages;
	if (first < b->buffer_hint)
		b->buffer_hint = first;
}
