/* SPDX-License-Identifier: MIT */
/*
 * blkfront against blkback in the fake world: data through every form of request, negotiation, errors,
 * removal; each resource counted at the end.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c tests/fake/medium.c tests/fake/block.c pvlib/store.c pvlib/xenbus.c blkfront/ring.c blkfront/device.c blkback/buffer.c blkback/connect.c blkback/copy.c blkback/device.c blkback/move.c blkback/persist.c blkback/queue.c blkback/record.c blkback/request.c
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
