/* SPDX-License-Identifier: MIT */
/*
 * netback killed at any instant, and calls that fail: nothing but frames may be lost, and no resource.
 *
 * A death comes at a point drawn from the seed, also between two writes to the record or the rings; a
 * new process then takes over. Failing calls are tried one after the other, from the first to the last.
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

/* How many pages the frontend believes the backend to have. */
static unsigned int under_way(const struct net *n)
{
	unsigned int pages = 0;

	for (unsigned int q = 0; q < n->front.queues; q++)
		pages += n->front.buffers - n->front.queue[q]->tx_free_count;
	return pages;
}

static void kills(void **state)
{
	unsigned int deaths = 0, sent = 0, lost = 0;
	struct net n;

	(void)state;
	for (unsigned int seed = 1; seed <= 100; seed++) {
		struct net_setup setup = { .seed = seed, .front.queues = 1 + seed % 3 };

		start(&n, &setup);
		for (unsigned int i = 0; i < 300; i++) {
			net_random(&n);
			if (world_random(n.world, 8) == 0) {
				if (world_random(n.world, 4) == 0)
					net_die(&n, 1 + world_random(n.world, 200));
				net_settle(&n);
			}
		}
		net_die(&n, 0);
		net_settle(&n);
		for (unsigned int q = 0; q < 2 * n.front.queues; q++)
			assert_int_equal(net_guest_send(&n, NET_RAW, 64, false, false), 0);
		net_settle(&n);
		assert_int_equal(world_log_count(n.world), 0);
		assert_true(netfront_ready(&n.front));
		assert_int_equal(net_check(&n), 0);
		/* What the guest sends is never lost, and every request is answered. */
		assert_int_equal(n.out.lost, 0);
		for (unsigned int q = 0; q < n.front.queues; q++)
			netfront_reclaim(n.front.queue[q]);
		assert_int_equal(under_way(&n), 0);
		deaths += n.deaths;
		sent += n.in.count;
		lost += n.in.lost;
		assert_int_equal(net_end(&n), 0);
	}
	printf("# %u deaths; of %u frames into guests %u were lost\n", deaths, sent, lost);
	assert_true(deaths >= 100);
	assert_true(lost * 10 < sent);
}

static void serves_and_ends(struct net *n)
{
	assert_int_equal(net_guest_send(n, NET_GSO4, 20000, true, false), 0);
	net_wire_send(n, 0, NET_GSO6, 20000, true);
	net_settle(n);
	assert_int_equal(net_check(n), 0);
	assert_int_equal(n->out.lost + n->in.lost, 0);
	assert_int_equal(net_end(n), 0);
}

/* A frontend that parts while nobody is there, and one that starts anew. */
static void parting(void **state)
{
	struct net_setup setup = { .seed = 3 };
	struct net n;

	(void)state;
	start(&n, &setup);
	net_kill_back(&n);
	assert_int_equal(netfront_close(&n.front), 0);
	net_settle(&n);
	assert_int_equal(net_open_back(&n), 0);
	net_settle(&n);
	assert_string_equal(world_store_read(n.world, NET_BACK "/state"), "6");
	assert_int_equal(net_open_front(&n, &setup), 0);
	assert_true(net_connect(&n));
	serves_and_ends(&n);
}

/* A frontend that has parted and started anew while nobody was there: the record is of its last life. */
static void anew_meanwhile(void **state)
{
	(void)state;
	for (unsigned int connected = 0; connected < 2; connected++) {
		struct net_setup setup = { .seed = 4 };
		struct net n;

		start(&n, &setup);
		net_kill_back(&n);
		/* Killed with the record written and the state not. */
		if (!connected)
			world_store_write(n.world, NET_BACK "/state", "2");
		assert_int_equal(netfront_close(&n.front), 0);
		assert_int_equal(net_open_front(&n, &setup), 0);
		if (connected)
			net_settle(&n);
		assert_int_equal(net_open_back(&n), 0);
		assert_true(net_connect(&n));
		serves_and_ends(&n);
	}
}

static bool is_connected(void *arg)
{
	return ((struct net *)arg)->back->connected;
}

/* What fails once while a connection is taken over is tried again. */
static void failing_takeover(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth <= 40; nth++) {
		struct net_setup setup = { .seed = nth, .front.queues = 2 };
		struct net n;

		start(&n, &setup);
		for (unsigned int i = 0; i < 20; i++)
			net_random(&n);
		net_settle(&n);
		net_kill_back(&n);
		world_fail_call(n.dom0, nth);
		if (net_open_back(&n))
			assert_int_equal(net_open_back(&n), 0);
		if (!world_run(n.world, is_connected, &n, 100000))
			fail_msg("call %lu: %s", nth, world_log_last(n.world));
		world_fail_call(n.dom0, 0);
		assert_true(netfront_ready(&n.front));
		assert_int_equal(net_guest_send(&n, NET_GSO4, 20000, true, false), 0);
		net_wire_send(&n, 0, NET_GSO6, 20000, true);
		net_settle(&n);
		assert_int_equal(net_check(&n), 0);
		assert_int_equal(net_end(&n), 0);
	}
}

/* One whole life with the @nth call of a domain failing. */
static unsigned long life(unsigned long nth, bool backend)
{
	struct net_setup setup = { .seed = 5, .front.queues = 2, .front.buffers = 32 };
	struct pv_domain *domain;
	unsigned long calls;
	struct net n;

	net_new(&n, &setup);
	domain = backend ? n.dom0 : n.guest;
	world_fail_call(domain, nth);
	if (net_open_back(&n))
		net_open_back(&n);
	if (net_open_front(&n, &setup))
		net_open_front(&n, &setup);
	net_connect(&n);
	for (unsigned int i = 0; i < 40; i++) {
		net_random(&n);
		net_settle(&n);
	}
	netfront_close(&n.front);
	net_settle(&n);
	calls = world_calls(domain);
	world_fail_call(domain, 0);
	assert_int_equal(net_check(&n), 0);
	if (net_end(&n))
		fail_msg("call %lu of the %s", nth, backend ? "backend" : "frontend");
	return calls;
}

static void failing_calls(void **state)
{
	(void)state;
	for (int backend = 0; backend < 2; backend++) {
		unsigned long calls = life(0, backend);

		assert_true(calls > 50);
		for (unsigned long nth = 1; nth <= calls; nth++)
			life(nth, backend);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kills),
		cmocka_unit_test(parting),
		cmocka_unit_test(anew_meanwhile),
		cmocka_unit_test(failing_takeover),
		cmocka_unit_test(failing_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
