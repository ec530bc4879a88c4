/* SPDX-License-Identifier: MIT */
/*
 * The memory through which data goes between a device's medium and its guest: a fixed number of pages,
 * which bounds what a frontend can make us use, given out in adjacent runs, the lowest first: the beginning
 * is warm, and the medium may be faster with it. No page below the hint is free.
 */
#include "private.h"

static bool is_used(const struct blkback *b, uint32_t page)
{
	return b->buffer_used[page / 64] >> (page % 64) & 1;
}

static void flip(struct blkback *b, uint32_t first, unsigned int pages)
{
	for (unsigned int i = first; i < first + pages; i++)
		b->buffer_used[i / 64] ^= 1UL << (i % 64);
}

/* The first run of free pages that lies in [from, to). */
static uint32_t search(const struct blkback *b, uint32_t from, uint32_t to, unsigned int pages)
{
	unsigned int run = 0;

	for (uint32_t i = from; i < to; i++) {
		if (!(i % 64) && b->buffer_used[i / 64] == ~0UL) {
			run = 0;
			i += 63;
			continue;
		}
		run = is_used(b, i) ? 0 : run + 1;
		if (run == pages)
			return i + 1 - pages;
	}
	return NO_BUFFER;
}

uint32_t buffer_take(struct blkback *b, unsigned int pages)
{
	uint32_t first;

	if (b->buffer_free < pages)
		return NO_BUFFER;
	first = search(b, b->buffer_hint, BUFFER_PAGES, pages);
	if (first == NO_BUFFER)
		return first;
	flip(b, first, pages);
	b->buffer_free -= pages;
	if (first == b->buffer_hint)
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
