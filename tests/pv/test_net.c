/* SPDX-License-Identifier: MIT */
/*
 * netfront against netback in the fake world: frames of every form both ways, negotiation, rate limit, slow
 * guests, link state, parting and coming back; each resource counted at the end.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c tests/fake/net.c pvlib/store.c pvlib/xenbus.c pvlib/packet.c netfront/netfront.c netfront/queue.c netfront/data.c netback/device.c netback/connect.c netback/tx.c netback/rx.c netback/filter.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "net.h"

static void start(struct net *n, const struct net_setup *setup)
{
	net_new(n, setup);
	assert_int_equal(net_open_back(n), 0);
	assert_int_equal(net_open_front(n, setup), 0);
	assert_true(net_connect(n));
}

static void finish(struct net *n)
{
	net_settle(n);
	assert_int_equal(net_check(n), 0);
	assert_int_equal(n->out.lost, 0);
	assert_int_equal(n->in.lost, 0);
	assert_int_equal(net_end(n), 0);
}

/* Random traffic; what could not be sent for lack of room was not sent. */
static void run(const struct net_setup *setup, unsigned int frames)
{
	struct net n;

	start(&n, setup);
	for (unsigned int i = 0; i < frames; i++) {
		net_random(&n);
		if (world_random(n.world, 8) == 0)
			net_settle(&n);
	}
	/* `more` frames need one that is not. */
	net_settle(&n);
	for (unsigned int q = 0; q < n.front.queues * 2; q++)
		net_guest_send(&n, NET_RAW, 64, false, false);
	assert_int_equal(world_log_count(n.world), 0);
	finish(&n);
}

static void plain(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 8; seed++)
		run(&(struct net_setup){ .seed = seed }, 600);
}

static void queues(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 8; seed++)
		run(&(struct net_setup){
			.seed = seed, .front.queues = 1 + seed % 4, .front.no_split = seed % 3 == 0,
			.front.buffers = 64 << seed % 3 }, 500);
}

static void no_offloads(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 8; seed++)
		run(&(struct net_setup){
			.seed = seed, .front.no_gso = true, .front.no_partial = seed % 2 }, 300);
}

/* All sizes around the edges of pages, one by one. */
static void sizes(void **state)
{
	static const uint32_t edges[] = { 14, 60, 1514, 4096, 8192, 16384, 32768, 65535 };
	struct net n;

	(void)state;
	start(&n, &(struct net_setup){ .seed = 1 });
	for (unsigned int e = 0; e < PV_ARRAY_SIZE(edges); e++) {
		for (int d = -3; d <= 3; d++) {
			for (enum net_kind k = 0; k < NET_KINDS; k++) {
				if (edges[e] + d <= 65535)
					assert_int_equal(net_guest_send(&n, k, edges[e] + d, true, false), 0);
				net_wire_send(&n, 0, k, edges[e] + d, true);
				net_settle(&n);
			}
		}
	}
	finish(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(queues),
		cmocka_unit_test(no_offloads),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
