/* SPDX-License-Identifier: MIT */
/*
 * Block device of our own making: blkfront on the disk named by vbd=N (51728: xvdb) writes patterns,
 * reads them back, flushes and discards, several operations at a time, for ms=N milliseconds. Any
 * wrong byte or failed operation is a failure; backends may be killed meanwhile.
 *
 * It is told "wait" to report only when dom0 removes the disk at the end. When control/shutdown asks it to
 * suspend it does so with operations under way, and goes on with them wherever it wakes up.
 */
#include <guest/console.h>
#include <guest/ktest.h>
#include <guest/string.h>
#include <guest/time.h>
#include <pv/bare.h>
#include <pv/blkfront.h>
#include <pv/store.h>

#define ARENA_PAGES	3072
#define DEPTH		16
#define IO_PAGES	16
#define SPAN		(4UL << 20)	/* of the disk that is used; a byte of model for each KiB */
#define UNIT		4096UL

struct slot {
	struct blkfront_io io;
	uint8_t *data;
	uint8_t salt;
	bool busy;
};

static struct blkfront *disk;
static struct blkfront_info info;
static struct slot slots[DEPTH];
static uint8_t model[SPAN / UNIT];	/* salt of each unit: 0 never written, 255 discarded */
static uint64_t until;
static unsigned long busy, reads, writes, wrong, errors;
static bool usable, ended, suspends;
static unsigned int moves;
static struct pv_watch shutdown_watch;
static uint64_t state = 88172645463325252;

static uint32_t chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % below;
}

static uint64_t word(uint64_t at, uint8_t salt)
{
	return (at + salt) * 0x9e3779b97f4a7c15;
}

static void fill(uint8_t *data, uint64_t at, uint64_t bytes, uint8_t salt)
{
	uint64_t *p = (void *)data;

	for (uint64_t i = 0; i < bytes / 8; i++)
		p[i] = word(at + i * 8, salt);
}

static bool same(const uint8_t *data, uint64_t at, uint8_t salt)
{
	const uint64_t *p = (const void *)data;

	for (uint64_t i = 0; i < UNIT / 8; i++)
		if (p[i] != (salt == 255 ? 0 : word(at + i * 8, salt)))
			return false;
	return true;
}

static void check(const struct slot *s)
{
	for (uint64_t at = 0; at < s->io.bytes; at += UNIT) {
		uint8_t salt = model[(s->io.offset + at) / UNIT];

		if (salt && !same(s->data + at, s->io.offset + at, salt) && wrong++ < 10)
			printk("# wrong data at %lu (salt %u)\n", (unsigned long)(s->io.offset + at), salt);
	}
}

static void io_done(struct blkfront_io *io)
{
	struct slot *s = io->arg;

	s->busy = false;
	busy--;
	if (io->result) {
		if (errors++ < 10)
			printk("# operation %d at %lu failed: %d\n", io->op, (unsigned long)io->offset, io->result);
		return;
	}
	if (io->op == BLKFRONT_READ)
		check(s);
	else if (io->op != BLKFRONT_FLUSH)
		memset(model + io->offset / UNIT, io->op == BLKFRONT_WRITE ? s->salt : 255,
		       io->bytes / UNIT);
	reads += io->op == BLKFRONT_READ;
	writes += io->op == BLKFRONT_WRITE;
}

static bool overlaps(const struct blkfront_io *io)
{
	for (unsigned int i = 0; i < DEPTH; i++) {
		const struct blkfront_io *o = &slots[i].io;

		if (slots[i].busy && o != io && io->offset < o->offset + o->bytes &&
		    o->offset < io->offset + io->bytes)
			return true;
	}
	return false;
}

static void start(struct slot *s)
{
	struct blkfront_io *io = &s->io;
	uint32_t kind = chance(40), most = IO_PAGES * UNIT;

	if (most > info.max_bytes)
		most = info.max_bytes;
	io->op = kind < 20 ? BLKFRONT_READ : kind < 38 ? BLKFRONT_WRITE :
		 kind == 38 && info.discard ? BLKFRONT_DISCARD : BLKFRONT_FLUSH;
	io->queue = chance(4);
	io->offset = io->bytes = 0;
	if (io->op != BLKFRONT_FLUSH) {
		io->bytes = (1 + chance(most / UNIT)) * UNIT;
		io->offset = chance((SPAN - io->bytes) / UNIT) * UNIT;
		if (overlaps(io))
			return;
	}
	s->salt = 1 + chance(250);
	if (io->op == BLKFRONT_WRITE)
		fill(s->data, io->offset, io->bytes, s->salt);
	io->data = s->data;
	io->done = io_done;
	io->arg = s;
	if (blkfront_submit(disk, io)) {
		errors++;
		return;
	}
	s->busy = true;
	busy++;
}

static bool work(void *arg __unused)
{
	bool over = time_now() >= until;

	if (ended || suspends)
		return true;
	if (!usable)
		return false;
	for (unsigned int i = 0; i < DEPTH && !over; i++)
		if (!slots[i].busy)
			start(&slots[i]);
	blkfront_kick(disk);
	return over && !busy;
}

static void ready(void *arg __unused, bool now)
{
	usable = now;
	ended |= !now;
}

static void on_shutdown(void *arg, const char *path __unused)
{
	struct pv_domain *domain = arg;
	char value[32];

	if (pv_store_read(domain, 0, "control", "shutdown", value, sizeof(value)) <= 0)
		return;
	suspends = !strcmp(value, "suspend");
	pv_store_write(domain, 0, "control", "shutdown", "");
}

/* Works until the time is over, through any number of moves. */
static void work_and_move(struct pv_domain *domain)
{
	ktest_ok(!pv_store_watch(domain, &shutdown_watch, "control/shutdown", on_shutdown, domain),
		 "the toolstack is listened to");
	pv_bare_run(domain, work, NULL);
	while (suspends) {
		unsigned long open = busy;
		bool moved = pv_bare_suspend(domain);

		suspends = false;
		moves += moved;
		if (moved)
			blkfront_resume(disk);
		ktest_note("%s with %lu operations under way", moved ? "moved" : "stayed", open);
		pv_bare_run(domain, work, NULL);
	}
}

static bool is_ready(void *arg __unused)
{
	return usable || ended;
}

static bool is_gone(void *arg __unused)
{
	return ended;
}

static bool is_closed(void *arg __unused)
{
	return !disk || !blkfront_close(disk, false);
}

int guest_main(void)
{
	struct blkfront_options options = {
		.max_queues = arg_number("queues", 4),
		.max_ring_order = arg_number("order", 2),
		.persistent = arg_present("persistent"),
		.no_indirect = arg_present("direct"),
	};
	struct pv_domain *domain;
	uint64_t begun;
	char path[32];

	if (is_dom0()) {
		ktest_note("dom0 has no disk of this kind");
		return 0;
	}
	domain = pv_bare_open(ARENA_PAGES);
	ktest_ok(domain, "memory, grants and store");
	snprintf(path, sizeof(path), "device/vbd/%lu", arg_number("vbd", 51728));
	if (!domain || !ktest_ok(!blkfront_open(&disk, domain, path, &options, ready, NULL), "a disk %s", path))
		return ktest_result();
	pv_bare_run(domain, is_ready, NULL);
	if (!ktest_ok(usable && blkfront_info(disk, &info), "it connects"))
		return ktest_result();
	ktest_note("%lu KiB sector %u queues %u ring pages %u max %u flush %d discard %d persistent %d indirect %d",
		   (unsigned long)(info.bytes >> 10), info.sector, info.queues, info.ring_pages,
		   info.max_bytes, info.flush, info.discard, info.persistent, info.indirect);
	ktest_ok(info.bytes >= SPAN, "it is large enough");
	for (unsigned int i = 0; i < DEPTH; i++)
		slots[i].data = pv_pages_alloc(domain, IO_PAGES);
	begun = time_now();
	until = begun + arg_number("ms", 2000) * MS;
	work_and_move(domain);
	ktest_note("%u moves, %lu reads, %lu writes in %lu ms", moves, reads, writes, (unsigned long)((time_now() - begun) / MS));
	ktest_eq(wrong, 0, "every byte is right");
	ktest_eq(errors, 0, "no operation failed");
	ktest_ok(!ended && reads && writes, "it worked to the end");
	if (arg_present("wait"))
		pv_bare_run(domain, is_gone, NULL);
	pv_bare_run(domain, is_closed, NULL);
	ktest_ok(true, "it closes");
	return ktest_result();
}
