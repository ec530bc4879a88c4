/* SPDX-License-Identifier: MIT */
/*
 * blkfront against blkback in the fake world: data through every form of request, negotiation, errors,
 * removal, letting go of the medium for a while; each resource counted at the end.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c tests/fake/medium.c tests/fake/block.c pvlib/store.c pvlib/xenbus.c blkfront/ring.c blkfront/device.c blkback/buffer.c blkback/connect.c blkback/copy.c blkback/device.c blkback/hold.c blkback/move.c blkback/persist.c blkback/queue.c blkback/record.c blkback/request.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "block.h"
#include "../../blkback/record.h"

void record_point(void)
{
}

static void run(const struct block_setup *s, unsigned int operations)
{
	struct block b;

	block_new(&b, s);
	assert_int_equal(block_open_back(&b), 0);
	assert_int_equal(block_open_front(&b, s), 0);
	assert_true(block_connect(&b));
	assert_true(block_traffic(&b, operations, 10000000));
	assert_int_equal(b.errors, 0);
	assert_int_equal(block_end(&b), 0);
}

static void plain(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 10; seed++)
		run(&(struct block_setup){ .seed = seed, .front.no_indirect = true }, 500);
}

static void indirect(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 10; seed++)
		run(&(struct block_setup){ .seed = seed }, 500);
}

static void persistent(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 10; seed++)
		run(&(struct block_setup){
			.seed = seed, .offer_persistent = true, .front.persistent = true }, 500);
}

static void queues_and_pages(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 12; seed++)
		run(&(struct block_setup){
			.seed = seed, .offer_persistent = seed % 2,
			.front = { seed % 4 + 1, seed % 5, seed % 3 == 0, false } }, 500);
}

static void large_sectors(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 4; seed++)
		run(&(struct block_setup){
			.seed = seed, .sector = 4096, .front.large_units = seed % 2 }, 300);
}

/* Sector numbers that 32 bits do not hold, in both units; the end of the disk is where it should be. */
static void beyond_two_tebibytes(void **state)
{
	struct block_setup s = { .before = 5ULL << 40 };
	struct blkfront_info info;
	struct block b;

	(void)state;
	for (s.seed = 1; s.seed <= 6; s.seed++) {
		s.sector = s.seed % 2 ? 512 : 4096;
		s.front.large_units = s.seed % 3 == 0;
		s.front.no_indirect = s.seed > 3;
		block_new(&b, &s);
		assert_int_equal(block_open_back(&b), 0);
		assert_int_equal(block_open_front(&b, &s), 0);
		assert_true(block_connect(&b));
		assert_true(blkfront_info(b.front, &info));
		assert_int_equal(info.bytes, (5ULL << 40) + BLOCK_DISK_BYTES);
		assert_true(block_traffic(&b, 300, 10000000));
		assert_int_equal(b.errors, 0);
		assert_int_equal(block_end(&b), 0);
	}
}

static void read_only(void **state)
{
	(void)state;
	run(&(struct block_setup){ .seed = 3, .mode = "r" }, 300);
}

static bool none_is_busy(void *arg)
{
	return !((struct block *)arg)->busy;
}

/*
 * Linux's frontend goes to Closed with requests in its ring, and waits for each of them. The backend may
 * be killed in that very moment.
 */
static void closed_under_load(void **state)
{
	static const struct block_setup setup = { .front.max_queues = 2 };

	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct block_setup s = setup;
		struct block b;

		s.seed = seed;
		block_new(&b, &s);
		assert_int_equal(block_open_back(&b), 0);
		assert_int_equal(block_open_front(&b, &s), 0);
		assert_true(block_connect(&b));
		block_start(&b, 30);
		for (unsigned int i = 0; i < seed; i++)
			world_step(b.world);
		world_store_write(b.world, "/local/domain/1/device/vbd/51712/state", "6");
		if (seed % 2) {
			block_kill_back(&b);
			assert_int_equal(block_open_back(&b), 0);
		}
		assert_true(world_run(b.world, none_is_busy, &b, 100000));
		assert_int_equal(b.errors + b.wrong, 0);
		block_end(&b);
	}
}

#define BACK	"/local/domain/0/backend/qblk/1/51712"

static void ask(struct block *b, const char *hold)
{
	if (*hold == '1')
		world_store_write(b->world, BACK "/holding", "0");
	world_store_write(b->world, BACK "/hold", hold);
	blkback_poke(b->back, "hold");
}

static bool is_held(void *arg)
{
	return !strcmp(world_store_read(((struct block *)arg)->world, BACK "/holding"), "1");
}

static bool is_not_held(void *arg)
{
	return !strcmp(world_store_read(((struct block *)arg)->world, BACK "/holding"), "0");
}

static void restart(struct block *b)
{
	block_kill_back(b);
	assert_int_equal(block_open_back(b), 0);
}

/* Nothing is under way and nobody has it open: another host may work on it. */
static void assert_let_go(struct block *b)
{
	unsigned long done;

	assert_true(world_run(b->world, is_held, b, 100000));
	assert_int_equal(fake_disk_opens(b->host, "/disk"), 0);
	for (int i = 0; i < 50; i++)
		world_step(b->world);	/* answers on their way */
	done = b->done;
	for (int i = 0; i < 200; i++)
		world_step(b->world);
	assert_int_equal(b->done, done);
	assert_int_equal(fake_disk_opens(b->host, "/disk"), 0);
}

static void begin_load(struct block *b, const struct block_setup *s)
{
	block_new(b, s);
	assert_int_equal(block_open_back(b), 0);
	assert_int_equal(block_open_front(b, s), 0);
	assert_true(block_connect(b));
	block_start(b, 30);
	for (unsigned int i = 0; i < s->seed; i++)
		world_step(b->world);
}

/* Under load, with the backend killed before, while and after it lets go, and with a medium that does not open at once. */
static void held(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 60; seed++) {
		struct block_setup s = {
			.seed = seed, .offer_persistent = seed % 2,
			.front = { .max_queues = seed % 3 + 1, .persistent = seed % 4 < 2 },
		};
		unsigned int flushes;
		struct block b;

		begin_load(&b, &s);
		flushes = fake_disk_flushes(b.host, "/disk");
		ask(&b, "1");
		for (unsigned int i = 0; i < seed % 11; i++)
			world_step(b.world);
		if (seed % 5 == 0)
			restart(&b);
		if (seed % 7 == 0) {
			ask(&b, "0");
			ask(&b, "1");
		}
		assert_let_go(&b);
		assert_true(fake_disk_flushes(b.host, "/disk") > flushes);
		if (seed % 5 == 1)
			restart(&b);
		assert_let_go(&b);
		fake_disk_refuse(b.host, "/disk", seed % 3 ? 0 : -5);
		ask(&b, "0");
		for (unsigned int i = 0; i < 100; i++)
			world_step(b.world);
		if (seed % 5 == 2)
			restart(&b);
		assert_true(seed % 3 || !fake_disk_opens(b.host, "/disk"));
		fake_disk_refuse(b.host, "/disk", 0);
		assert_true(world_run(b.world, is_not_held, &b, 100000));
		if (!block_traffic(&b, 50, 1000000))
			fail_msg("seed %u: stuck; %s", seed, world_log_last(b.world));
		assert_int_equal(b.errors + b.wrong, 0);
		assert_int_equal(b.readies, 1);
		assert_int_equal(block_end(&b), 0);
	}
}

static bool has_some_under_way(void *arg)
{
	struct blkback_stats s;

	blkback_stats(((struct block *)arg)->back, &s);
	return s.in_flight >= 2;
}

/* Killed while operations under way were waited for: they are done in its next life, and then it lets go. */
static void killed_while_draining(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct block_setup s = { .seed = seed, .front.max_queues = seed % 3 + 1 };
		struct block b;

		begin_load(&b, &s);
		block_start(&b, 30);
		assert_true(world_run(b.world, has_some_under_way, &b, 100000));
		ask(&b, "1");
		restart(&b);
		assert_let_go(&b);
		ask(&b, "0");
		assert_true(block_traffic(&b, 50, 1000000));
		assert_int_equal(b.errors + b.wrong, 0);
		assert_int_equal(block_end(&b), 0);
	}
}

static void ends_while_held(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct block_setup s = { .seed = seed, .offer_persistent = seed % 2, .front.persistent = true };
		struct block b;

		begin_load(&b, &s);
		assert_true(block_traffic(&b, 10, 1000000));
		ask(&b, "1");
		if (seed % 3)
			assert_true(world_run(b.world, is_held, &b, 100000));
		if (seed % 4 == 0)
			restart(&b);
		assert_int_equal(block_end(&b), 0);
	}
}

static bool is_refused(void *arg)
{
	return !strcmp(world_store_read(((struct block *)arg)->world, BACK "/holding"), "failed");
}

/* What cannot be flushed is not let go of, and the guest hears of it before that is tried again. */
static void not_flushed(void **state)
{
	struct block_setup s = { .seed = 4 };
	struct block b;

	(void)state;
	begin_load(&b, &s);
	assert_true(block_traffic(&b, 10, 1000000));
	fake_disk_fail(b.host, "/disk", 1, -5);
	ask(&b, "1");
	assert_true(world_run(b.world, is_refused, &b, 100000));
	assert_int_equal(fake_disk_opens(b.host, "/disk"), 1);
	ask(&b, "0");
	assert_true(is_not_held(&b));
	ask(&b, "1");
	assert_true(world_run(b.world, is_refused, &b, 100000));
	ask(&b, "0");
	assert_true(block_traffic(&b, 200, 1000000));
	assert_int_equal(b.errors, 1);
	ask(&b, "1");
	assert_let_go(&b);
	ask(&b, "0");
	assert_true(block_traffic(&b, 200, 1000000));
	assert_int_equal(b.errors, 1);
	assert_int_equal(block_end(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(indirect),
		cmocka_unit_test(persistent),
		cmocka_unit_test(queues_and_pages),
		cmocka_unit_test(large_sectors),
		cmocka_unit_test(beyond_two_tebibytes),
		cmocka_unit_test(read_only),
		cmocka_unit_test(closed_under_load),
		cmocka_unit_test(held),
		cmocka_unit_test(killed_while_draining),
		cmocka_unit_test(ends_while_held),
		cmocka_unit_test(not_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
