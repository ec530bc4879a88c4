/* SPDX-License-Identifier: MIT */
/*
 * Set-up, verifying traffic and end of a block device in the fake world.
 */
#include <stdio.h>
#include <stdlib.h>
#include "block.h"

#define DEVID		51712
#define FRONT_PATH	"device/vbd/51712"
#define BACK_PATH	"/local/domain/0/backend/qblk/1/51712"
#define DISK		"/disk"
#define TRIES		50	/* to find a range that nothing else uses */

void block_new(struct block *b, const struct block_setup *s)
{
	memset(b, 0, sizeof(*b));
	b->bytes = s->bytes ? s->bytes : BLOCK_DISK_BYTES;
	b->world = world_new(s->seed);
	b->dom0 = world_domain(b->world, 0);
	b->guest = world_domain(b->world, 1);
	b->host = fake_host_new(b->dom0);
	b->disk = fake_disk(b->host, DISK, b->bytes, s->sector ? s->sector : 512);
	b->before = s->before;
	fake_disk_move(b->host, DISK, b->before);
	b->model = calloc(1, b->bytes);
	for (uint64_t i = 0; i < b->bytes; i++)
		b->disk[i] = b->model[i] = i * 7 + i / 512;
	world_device(b->world, 0, BLKBACK_TYPE, 1, "vbd", DEVID);
	world_store_write(b->world, BACK_PATH "/params", "aio:" DISK);
	world_store_write(b->world, BACK_PATH "/mode", s->mode ? s->mode : "w");
	world_store_write(b->world, BACK_PATH "/online", "1");
	world_store_write(b->world, BACK_PATH "/persistent-grants", s->offer_persistent ? "1" : "0");
}

int block_open_back(struct block *b)
{
	return blkback_open(&b->back, b->dom0, b->host, BACK_PATH);
}

static void ready(void *arg, bool usable)
{
	struct block *b = arg;

	b->usable = usable;
	b->readies += usable;
}

int block_open_front(struct block *b, const struct block_setup *s)
{
	return blkfront_open(&b->front, b->guest, FRONT_PATH, &s->front, ready, b);
}

static bool is_usable(void *arg)
{
	return ((struct block *)arg)->usable;
}

bool block_connect(struct block *b)
{
	return world_run(b->world, is_usable, b, 100000);
}

/* --- Traffic --- */

static bool overlaps(const struct block *b, uint64_t offset, uint64_t bytes)
{
	for (unsigned int i = 0; i < BLOCK_MAX_IO; i++) {
		const struct blkfront_io *io = &b->ios[i].io;

		if (b->ios[i].busy && offset < io->offset + io->bytes && io->offset < offset + bytes)
			return true;
	}
	return false;
}

static void fill(unsigned char *at, uint64_t offset, uint64_t bytes, uint8_t salt)
{
	for (uint64_t i = 0; i < bytes; i++)
		at[i] = (offset + i) * 13 + (offset + i) / 512 + salt;
}

static void settle_model(struct block *b, struct block_io *t)
{
	struct blkfront_io *io = &t->io;
	uint64_t at = io->offset - b->before;

	if (io->op == BLKFRONT_WRITE)
		fill(b->model + at, io->offset, io->bytes, t->fill);
	else if (io->op == BLKFRONT_DISCARD)
		memset(b->model + at, 0, io->bytes);
	else if (io->op == BLKFRONT_READ && memcmp(io->data, b->model + at, io->bytes))
		b->wrong++;
}

static void io_done(struct blkfront_io *io)
{
	struct block_io *t = PV_CONTAINER(io, struct block_io, io);
	struct block *b = t->block;

	t->busy = false;
	b->busy--;
	b->done++;
	if (!io->result)
		settle_model(b, t);
	else
		b->errors++;
	if (io->result && io->op != BLKFRONT_READ && io->op != BLKFRONT_FLUSH)
		memcpy(b->model + io->offset - b->before, b->disk + io->offset - b->before,
		       io->bytes);	/* either is right */
	if (io->stuck)
		t->pages = NULL;
}

/* An operation that conflicts with none under way; false: none was found. */
static bool plan(struct block *b, struct block_io *t, const struct blkfront_info *info)
{
	struct blkfront_io *io = &t->io;
	uint32_t unit = info->sector, most = (BLOCK_IO_PAGES - 1) * PV_PAGE_SIZE;
	uint32_t kind = world_random(b->world, 20);

	if (info->max_bytes < most)
		most = info->max_bytes;
	io->op = kind < 9 || info->read_only ? BLKFRONT_READ : kind < 18 ? BLKFRONT_WRITE :
		 kind == 18 || !info->discard ? BLKFRONT_FLUSH : BLKFRONT_DISCARD;
	io->queue = world_random(b->world, 8);
	io->offset = io->bytes = 0;
	if (io->op == BLKFRONT_FLUSH)
		return true;
	for (unsigned int i = 0; i < TRIES; i++) {
		io->bytes = (1 + world_random(b->world, most / unit)) * unit;
		io->offset = b->before +
			     (uint64_t)world_random(b->world, (b->bytes - io->bytes) / unit + 1) * unit;
		if (!overlaps(b, io->offset, io->bytes))
			return true;
	}
	return false;
}

static void start_one(struct block *b, struct block_io *t, const struct blkfront_info *info)
{
	struct blkfront_io *io = &t->io;

	if (!plan(b, t, info))
		return;
	if (!t->pages)
		t->pages = pv_pages_alloc(b->guest, BLOCK_IO_PAGES);
	if (!t->pages)
		return;			/* a call that was made to fail */
	io->data = (char *)t->pages + world_random(b->world, PV_PAGE_SIZE / info->sector) * info->sector;
	t->fill = world_random(b->world, 256);
	if (io->op == BLKFRONT_WRITE)
		fill(io->data, io->offset, io->bytes, t->fill);
	io->done = io_done;
	t->block = b;
	if (blkfront_submit(b->front, io))
		return;
	t->busy = true;
	b->busy++;
	b->left--;
}

static void fill_up(struct block *b)
{
	struct blkfront_info info;

	if (!b->front || !blkfront_info(b->front, &info))
		return;
	for (unsigned int i = 0; i < BLOCK_MAX_IO && b->left; i++)
		if (!b->ios[i].busy && world_random(b->world, 2))
			start_one(b, &b->ios[i], &info);
	blkfront_kick(b->front);
}

void block_start(struct block *b, unsigned int count)
{
	b->left = count;
	fill_up(b);
}

bool block_traffic(struct block *b, unsigned int count, unsigned long steps)
{
	b->left = count;
	while (b->left || b->busy) {
		if (b->left && b->usable && b->busy < BLOCK_MAX_IO / 2)
			fill_up(b);
		if (!steps-- || (!world_step(b->world) && !b->usable))
			return false;
		if (!b->usable && !b->busy)
			return false;
	}
	return true;
}

/* --- The end --- */

static bool back_finished(void *arg)
{
	struct block *b = arg;

	return blkback_finished(b->back);
}

static unsigned int close_back(struct block *b)
{
	unsigned int bad = 0;

	if (!b->back)
		return 0;
	world_store_write(b->world, BACK_PATH "/online", "0");
	world_store_write(b->world, BACK_PATH "/state", "5");
	blkback_poke(b->back, "state");
	if (!world_run(b->world, back_finished, b, 100000)) {
		printf("the backend does not end\n");
		bad++;
	}
	for (unsigned int i = 0; i < 100000 && blkback_close(b->back); i++)
		world_step(b->world);
	return bad;
}

unsigned int block_end(struct block *b)
{
	unsigned int bad = 0;

	world_fail_call(b->dom0, 0);
	world_fail_call(b->guest, 0);
	bad += close_back(b);
	for (unsigned int i = 0; b->front && blkfront_close(b->front, i == 10000); i++)
		world_step(b->world);
	world_settle(b->world);
	for (unsigned int i = 0; i < BLOCK_MAX_IO; i++)
		if (b->ios[i].pages)
			pv_pages_free(b->guest, b->ios[i].pages, BLOCK_IO_PAGES);
	if (b->wrong)
		printf("%lu reads had wrong data\n", b->wrong);
	if (memcmp(b->disk, b->model, b->bytes)) {
		printf("the disk is not what was written\n");
		bad++;
	}
	bad += b->wrong + fake_host_free(b->host) + world_end(b->world);
	free(b->model);
	return bad;
}

void block_move(struct block *b)
{
	static const char *const of_the_front[] = {
		"ring-ref", "event-channel", "ring-page-order", "multi-queue-num-queues",
	};
	char path[PV_PATH_MAX];

	for (unsigned int i = 0; i < PV_ARRAY_SIZE(of_the_front); i++) {
		snprintf(path, sizeof(path), "/local/domain/1/" FRONT_PATH "/%s", of_the_front[i]);
		world_store_write(b->world, path, NULL);
	}
	for (unsigned int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "1-%u-%u", DEVID, i);
		blkback_record_remove(b->host, path);
	}
	world_device(b->world, 0, BLKBACK_TYPE, 1, "vbd", DEVID);
}

void block_kill_back(struct block *b)
{
	fake_host_killed(b->host);	/* while the memory of what is under way is still there */
	world_kill(b->dom0);
	b->back = NULL;
}
