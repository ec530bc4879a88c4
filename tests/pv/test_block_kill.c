/* SPDX-License-Identifier: MIT */
/*
 * The block backend killed at any instant: between two deliveries, or between two stores to a ring's
 * record. The next instance takes over, nothing is lost or answered twice, data is right, and the
 * frontend sees nothing but a pause. Also the n-th call of a port failing, at either end.
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

#define KILLED_SEEDS	40
#define KILLS		5
#define CALLS		150

static jmp_buf death;
static unsigned long points_left;	/* until the kill; 0: none planned */

void record_point(void)
{
	if (points_left && !--points_left)
		longjmp(death, 1);
}

static struct block_setup random_setup(uint64_t seed)
{
	return (struct block_setup){
		.seed = seed,
		.offer_persistent = seed % 3 == 0,
		.front = {
			.max_queues = seed % 4 + 1, .max_ring_order = seed / 4 % 3,
			.persistent = seed % 2, .no_indirect = seed % 5 == 0,
		},
	};
}

/* Runs until the kill; the traffic's own state is in @b and goes on. */
static void run_to_death(struct block *b, unsigned int how)
{
	unsigned int steps = world_random(b->world, 3000);

	b->left = 100000;
	if (setjmp(death))
		return;
	points_left = how % 2 ? 1 + world_random(b->world, 400) : 0;
	while (steps-- || points_left) {
		if (b->usable && b->busy < BLOCK_MAX_IO / 2)
			block_start(b, 100000);
		world_step(b->world);
	}
}

static void killed(void **state)
{
	unsigned long taken_over = 0;
	struct blkback_stats stats;
	struct block b;

	(void)state;
	for (unsigned int seed = 1; seed <= KILLED_SEEDS; seed++) {
		struct block_setup s = random_setup(seed);

		block_new(&b, &s);
		assert_int_equal(block_open_front(&b, &s), 0);
		assert_int_equal(block_open_back(&b), 0);
		if (seed % 7)
			assert_true(block_connect(&b));	/* else it dies while connecting, maybe */
		for (unsigned int kill = 0; kill < KILLS; kill++) {
			run_to_death(&b, seed + kill);
			points_left = 0;
			block_kill_back(&b);
			assert_int_equal(block_open_back(&b), 0);
		}
		if (!block_connect(&b) || !block_traffic(&b, 50, 1000000))
			fail_msg("seed %u: stuck; %s", seed, world_log_last(b.world));
		blkback_stats(b.back, &stats);
		taken_over += stats.taken_over;
		assert_int_equal(b.errors, 0);
		assert_int_equal(b.readies, 1);
		assert_int_equal(world_log_count(b.world), 0);
		if (block_end(&b))
			fail_msg("seed %u", seed);
	}
	assert_true(taken_over > 100);
}

/* A pair at work whose backend has just been killed. */
static void lose_back(struct block *b, struct block_setup *s)
{
	block_new(b, s);
	assert_int_equal(block_open_back(b), 0);
	assert_int_equal(block_open_front(b, s), 0);
	assert_true(block_connect(b));
	run_to_death(b, 0);
	block_kill_back(b);
}

static void must_go_on(struct block *b, unsigned int seed)
{
	if (!block_connect(b) || !block_traffic(b, 100, 1000000))
		fail_msg("seed %u: stuck; %s", seed, world_log_last(b->world));
	assert_int_equal(b->errors, 0);
	assert_int_equal(block_end(b), 0);
}

/*
 * The guest goes on elsewhere, as after a migration: another backend that knows nothing, rings and grants
 * void; what was under way is sent again.
 */
static void resumed(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 10; seed++) {
		struct block_setup s = random_setup(seed);
		struct block b;

		lose_back(&b, &s);
		block_move(&b);
		assert_int_equal(block_open_back(&b), 0);
		b.usable = false;
		blkfront_resume(b.front);
		must_go_on(&b, seed);
	}
}

/* A frontend that has gone by force and started anew while nobody was there: the record is of its last life. */
static void anew_meanwhile(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct block_setup s = random_setup(seed);
		struct block b;

		lose_back(&b, &s);
		assert_int_equal(blkfront_close(b.front, true), 0);
		world_store_write(b.world, "/local/domain/1/device/vbd/51712/state", "1");
		b.usable = false;
		b.errors = 0;
		assert_int_equal(block_open_front(&b, &s), 0);
		assert_int_equal(block_open_back(&b), 0);
		must_go_on(&b, seed);
	}
}

static void one_failing_call(unsigned int seed, bool front, unsigned long nth)
{
	struct block_setup s = random_setup(seed);
	struct block b;

	block_new(&b, &s);
	world_fail_call(front ? b.guest : b.dom0, nth);
	if (block_open_back(&b))
		b.back = NULL;
	if (block_open_front(&b, &s))
		b.front = NULL;
	if (block_connect(&b))
		block_traffic(&b, 60, 100000);
	if (block_end(&b))
		fail_msg("seed %u, call %lu of the %s", seed, nth, front ? "frontend" : "backend");
}

static bool has_queues(void *arg)
{
	struct blkback_stats stats;

	blkback_stats(((struct block *)arg)->back, &stats);
	return stats.queues;
}

/* What fails once while a connection is taken over is tried again: a guest waits for it. */
static void failing_takeover(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth <= 60; nth++) {
		struct block_setup s = random_setup(nth % 12);
		struct block b;

		block_new(&b, &s);
		assert_int_equal(block_open_back(&b), 0);
		assert_int_equal(block_open_front(&b, &s), 0);
		assert_true(block_connect(&b));
		run_to_death(&b, 0);
		block_kill_back(&b);
		world_fail_call(b.dom0, nth);
		if (block_open_back(&b))
			assert_int_equal(block_open_back(&b), 0);
		assert_true(world_run(b.world, has_queues, &b, 100000));
		world_fail_call(b.dom0, 0);
		if (!block_traffic(&b, 50, 1000000))
			fail_msg("call %lu: stuck; %s", nth, world_log_last(b.world));
		assert_int_equal(b.errors + b.wrong, 0);
		assert_int_equal(block_end(&b), 0);
	}
}

static void failing_backend_calls(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth <= CALLS; nth++)
		one_failing_call(nth % 12, false, nth);
}

static void failing_frontend_calls(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth <= CALLS; nth++)
		one_failing_call(nth % 12, true, nth);
}

static void failing_medium(void **state)
{
	struct block_setup s;
	struct block b;

	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		s = random_setup(seed);
		block_new(&b, &s);
		assert_int_equal(block_open_back(&b), 0);
		assert_int_equal(block_open_front(&b, &s), 0);
		assert_true(block_connect(&b));
		fake_disk_fail(b.host, "/disk", 20, -5);
		assert_true(block_traffic(&b, 200, 1000000));
		assert_true(b.errors > 0 && b.errors <= 20);
		assert_int_equal(block_end(&b), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed),
		cmocka_unit_test(resumed),
		cmocka_unit_test(anew_meanwhile),
		cmocka_unit_test(failing_takeover),
		cmocka_unit_test(failing_backend_calls),
		cmocka_unit_test(failing_frontend_calls),
		cmocka_unit_test(failing_medium),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
