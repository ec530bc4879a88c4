/* SPDX-License-Identifier: MIT */
/*
 * The block drivers' hot path alone, for callgrind: reads of 4 KiB at depth 32 (and then of 64 KiB) between
 * blkfront and blkback in the fake world. bench/rings/run counts what the drivers' own files execute.
 *
 *	block REQUESTS BYTES PERSISTENT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "block.h"
#include "../../blkback/record.h"

void record_point(void)
{
}

static unsigned long left;

static void again(struct blkfront_io *io)
{
	struct block_io *t = PV_CONTAINER(io, struct block_io, io);

	t->busy = false;
	t->block->busy--;
}

static void start(struct block *b, struct block_io *t, uint64_t bytes)
{
	if (!t->pages)
		t->pages = pv_pages_alloc(b->guest, 17);
	t->block = b;
	t->io = (struct blkfront_io){
		.op = BLKFRONT_READ, .bytes = bytes, .data = t->pages, .done = again,
		.offset = (uint64_t)world_random(b->world, (b->bytes - bytes) / 4096) * 4096,
	};
	if (blkfront_submit(b->front, &t->io))
		abort();
	t->busy = true;
	b->busy++;
	left--;
}

int main(int argc, char **argv)
{
	uint64_t bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 4096;
	bool persistent = argc > 3 && argv[3][0] == '1';
	struct block_setup s = {
		.seed = 1, .offer_persistent = persistent, .front.persistent = persistent,
	};
	struct block b;

	left = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	block_new(&b, &s);
	if (block_open_back(&b) || block_open_front(&b, &s) || !block_connect(&b))
		return 1;
	while (left || b.busy) {
		for (unsigned int i = 0; i < BLOCK_MAX_IO && left; i++)
			if (!b.ios[i].busy)
				start(&b, &b.ios[i], bytes);
		blkfront_kick(b.front);
		if (!world_step(b.world))
			return 1;
	}
	return 0;
}
