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
#include <stdlib.h>
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

/* Who gets a frame may send another one before he has read it, also where its checksum is left to us. */
static void send_first(void *arg, uint8_t *frame, uint32_t bytes, const struct pv_offload *offload)
{
	struct net *n = arg;
	uint8_t copy[200];

	(void)offload;
	assert_int_equal(bytes, sizeof(copy));
	memcpy(copy, frame, bytes);
	assert_int_equal(net_guest_send(n, NET_TCP4, 300, true, false), 0);
	assert_memory_equal(frame, copy, bytes);
	n->in.sent[0].seen++;
}

static void sent_while_receiving(void **state)
{
	struct net_setup setup = { .seed = 2 };
	struct net n;

	(void)state;
	net_new(&n, &setup);
	world_store_write(n.world, NET_BACK "/feature-no-csum-offload", "1");
	assert_int_equal(net_open_back(&n), 0);
	assert_int_equal(net_open_front(&n, &setup), 0);
	assert_true(net_connect(&n));
	assert_false(n.front.csum4);
	n.front.options.receive = send_first;
	net_wire_send(&n, 0, NET_RAW, 200, false);
	net_settle(&n);
	assert_int_equal(n.out.arrived, 1);
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

/* The script puts the tap on its bridge before the guest is told that it is connected. */
static void hotplug(void **state)
{
	struct net_setup setup = { .seed = 1 };
	struct net n;

	(void)state;
	net_new(&n, &setup);
	world_store_write(n.world, NET_BACK "/script", "vif-bridge");
	assert_int_equal(net_open_back(&n), 0);
	assert_int_equal(net_open_front(&n, &setup), 0);
	net_settle(&n);
	assert_string_equal(world_store_read(n.world, NET_BACK "/state"), "2");
	assert_false(netfront_ready(&n.front));
	world_store_write(n.world, NET_BACK "/hotplug-status", "connected");
	assert_true(net_connect(&n));
	finish(&n);
}

/* A guest that posts no buffers holds up one staging area and no more; then all of it arrives. */
static void slow_guest(void **state)
{
	struct netback_queue *q;
	struct net n;

	(void)state;
	start(&n, &(struct net_setup){ .seed = 2, .front.buffers = 32 });
	net_settle(&n);
	q = n.back->queue[0];
	for (unsigned int i = 0; i < 300; i++)
		net_wire_send(&n, 0, NET_TCP4, 1514, true);
	/* The wire is served, the guest does not run. */
	for (unsigned int i = 0; i < 10; i++)
		netback_wire_ready(n.back, 0);
	assert_int_equal(n.in.arrived, 0);
	assert_int_equal(q->record->stats.rx_frames, 32);
	assert_true(q->record->stats.rx_stalls > 0);
	assert_true(q->rx_count - q->rx_first <= NETBACK_BATCH);
	finish(&n);
}

/* How long it takes until @frames frames of 1000 bytes came out of the guest, in ms. */
static unsigned int send_timed(struct net *n, unsigned int frames)
{
	uint64_t begun = pv_now(n->dom0);
	unsigned int before = n->out.arrived;

	for (unsigned int sent = 0; sent < frames; ) {
		if (net_guest_send(n, NET_UDP4, 1000, true, false))
			world_step(n->world);
		else
			sent++;
	}
	while (n->out.arrived - before < frames && world_step(n->world))
		;
	return (pv_now(n->dom0) - begun) / 1000000;
}

static void rate(void **state)
{
	unsigned int took;
	struct net n;

	(void)state;
	/* 1 MB/s in steps of 50 ms; the first burst may be 128 KiB. */
	start(&n, &(struct net_setup){ .seed = 3, .rate = "50000,50000" });
	took = send_timed(&n, 1000);
	assert_true(took > 850 && took < 1200);
	assert_true(n.back->queue[0]->record->stats.tx_throttled > 10);
	finish(&n);
}

/* A limit set, changed, spoilt and taken away while the card works. */
static void rate_change(void **state)
{
	unsigned int took;
	struct net n;

	(void)state;
	start(&n, &(struct net_setup){ .seed = 3 });
	assert_true(send_timed(&n, 1000) < 300);
	world_store_write(n.world, NET_BACK "/rate", "50000,50000");
	net_settle(&n);
	took = send_timed(&n, 1000);
	assert_true(took > 850 && took < 1200);
	world_store_write(n.world, NET_BACK "/rate", "100000,50000");
	net_settle(&n);
	took = send_timed(&n, 1000);
	assert_true(took > 350 && took < 600);
	/* What waits goes at once when the limit goes: this one lets a frame pass in a thousand seconds. */
	world_store_write(n.world, NET_BACK "/rate", "1000,1000000000");
	net_settle(&n);
	for (unsigned int i = 0; i < 100; i++)
		net_guest_send(&n, NET_UDP4, 1000, true, false);
	while (!n.back->rate.timer.when)
		world_step(n.world);
	assert_true(n.out.arrived < 3100);
	world_store_write(n.world, NET_BACK "/rate", "none");
	assert_true(send_timed(&n, 1000) < 300);
	finish(&n);
}

static void link_state(void **state)
{
	struct net n;

	(void)state;
	start(&n, &(struct net_setup){ .seed = 4 });
	assert_true(netfront_link(&n.front));
	netback_carrier(n.back, false);
	net_settle(&n);
	assert_false(netfront_link(&n.front));
	assert_true(netfront_ready(&n.front));
	netback_carrier(n.back, true);
	net_settle(&n);
	assert_true(netfront_link(&n.front));
	finish(&n);
}

/* The toolstack asks for the end of a device, connected or not. */
static void removal(void **state)
{
	struct net n;

	(void)state;
	start(&n, &(struct net_setup){ .seed = 5 });
	world_store_write(n.world, NET_BACK "/state", "5");
	netback_poke(n.back);
	net_settle(&n);
	assert_string_equal(world_store_read(n.world, NET_BACK "/state"), "6");
	assert_string_equal(world_store_read(n.world, NET_FRONT "/state"), "6");
	assert_int_equal(net_end(&n), 0);

	net_new(&n, &(struct net_setup){ .seed = 6 });
	assert_int_equal(net_open_back(&n), 0);
	net_settle(&n);
	world_store_write(n.world, NET_BACK "/state", "5");
	netback_poke(n.back);
	net_settle(&n);
	assert_string_equal(world_store_read(n.world, NET_BACK "/state"), "6");
	assert_int_equal(net_end(&n), 0);
}

static void mtu(void **state)
{
	static const struct {
		const char *text;
		unsigned int mtu;
	} cases[] = {
		{ NULL, 1500 }, { "1000", 1000 }, { "9000", 9000 }, { "67", 1500 }, { "65522", 1500 },
		{ "-1", 1500 }, { "1e3", 1500 },
	};
	struct net_setup setup = { .seed = 7 };
	struct net n;

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		net_new(&n, &setup);
		world_store_write(n.world, NET_FRONT "/mtu", cases[i].text);
		assert_int_equal(net_open_back(&n), 0);
		assert_int_equal(net_open_front(&n, &setup), 0);
		assert_true(net_connect(&n));
		assert_int_equal(n.front.mtu, cases[i].mtu);
		finish(&n);
	}
}

/* Frames that this guest cannot take are dropped, but not for ever while others wait. */
static void useless_frames(void **state)
{
	struct netback_stats *stats;
	struct net n;

	(void)state;
	start(&n, &(struct net_setup){ .seed = 8 });
	stats = &n.record->queue[0].stats;
	n.record->features &= ~NETBACK_TSO4;
	for (unsigned int i = 0; i < 1000; i++)
		net_wire_send(&n, 0, NET_GSO4, 2000, true);
	netback_wire_ready(n.back, 0);
	assert_in_range(stats->rx_dropped, 1, NETBACK_BUDGET);
	net_settle(&n);
	assert_int_equal(stats->rx_dropped, 1000);
	assert_int_equal(net_end(&n), 0);
}

/* After a reconnect: a large frame each way arrives once, and all ends well. */
static void works_anew(struct net *n)
{
	assert_true(net_connect(n));
	net_guest_send(n, NET_GSO6, 30000, true, false);
	net_wire_send(n, 0, NET_GSO4, 30000, true);
	net_settle(n);
	assert_int_equal(net_check(n), 0);
	assert_int_equal(n->out.sent[n->out.count - 1].seen, 1);
	assert_int_equal(n->in.sent[n->in.count - 1].seen, 1);
	assert_int_equal(net_end(n), 0);
}

/* Unplugged with frames under way both ways, and plugged in again: nothing is left over, all works anew. */
static void replug(void **state)
{
	struct net_setup setup = { .front.queues = 2 };
	struct net n;

	(void)state;
	for (setup.seed = 1; setup.seed <= 20; setup.seed++) {
		start(&n, &setup);
		for (unsigned int i = 0; i < 50; i++)
			net_random(&n);
		world_store_write(n.world, NET_BACK "/state", "5");
		netback_poke(n.back);
		for (unsigned int i = 0; i < 50; i++) {
			net_random(&n);
			world_step(n.world);
		}
		net_settle(&n);
		assert_string_equal(world_store_read(n.world, NET_BACK "/state"), "6");
		assert_int_equal(netfront_close(&n.front), 0);
		net_settle(&n);
		world_store_write(n.world, NET_BACK "/state", "1");
		world_store_write(n.world, NET_FRONT "/state", "1");
		netback_close(n.back);
		netback_shared_close(&n.shared, n.dom0);
		free(n.back);
		memset(n.record, 0, sizeof(*n.record));
		n.record->queues = 4;
		assert_int_equal(net_open_back(&n), 0);
		assert_int_equal(net_open_front(&n, &setup), 0);
		works_anew(&n);
	}
}

/*
 * The guest goes on elsewhere, as after a migration: a backend that knows nothing, its own directory as a toolstack
 * writes it, rings and grants void.
 */
static void moved(void **state)
{
	struct net_setup setup = { 0 };
	unsigned int changes;
	struct net n;

	(void)state;
	for (setup.seed = 1; setup.seed <= 20; setup.seed++) {
		setup.front.queues = 1 + setup.seed % 2;
		start(&n, &setup);
		for (unsigned int i = 0; i < 50; i++) {
			net_random(&n);
			world_step(n.world);
		}
		net_kill_back(&n);
		memset(n.record, 0, sizeof(*n.record));
		n.record->queues = 4;
		world_device(n.world, 0, "qnic", 1, "vif", 0);
		world_store_write(n.world, NET_FRONT "/mac", "00:16:3e:00:00:02");
		changes = n.changes;
		netfront_resume(&n.front);
		assert_false(netfront_ready(&n.front));
		assert_int_equal(n.changes, changes + 1);
		assert_int_equal(n.front.mac[5], 2);
		assert_int_equal(netfront_send(&n.front, 0, n.front.mac, 6, NULL, false), -XEN_ENOTCONN);
		assert_int_equal(net_open_back(&n), 0);
		works_anew(&n);
	}
}

static void multicast(void **state)
{
	static const uint8_t address[6] = { 1, 0, 0x5e, 0, 0, 1 }, other[6] = { 1, 0, 0x5e, 0, 0, 2 };
	struct netback_multicast list = { .wanted = true };

	(void)state;
	assert_int_equal(netback_multicast_add(&list, address), 0);
	assert_int_equal(netback_multicast_add(&list, address), 0);
	assert_int_equal(list.count, 1);
	assert_true(netback_multicast_wants(&list, address));
	assert_false(netback_multicast_wants(&list, other));
	netback_multicast_remove(&list, other);
	netback_multicast_remove(&list, address);
	assert_false(netback_multicast_wants(&list, address));
	list.wanted = false;
	assert_true(netback_multicast_wants(&list, other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(sent_while_receiving),
		cmocka_unit_test(queues),
		cmocka_unit_test(no_offloads),
		cmocka_unit_test(sizes),
		cmocka_unit_test(hotplug),
		cmocka_unit_test(slow_guest),
		cmocka_unit_test(rate),
		cmocka_unit_test(rate_change),
		cmocka_unit_test(link_state),
		cmocka_unit_test(removal),
		cmocka_unit_test(multicast),
		cmocka_unit_test(mtu),
		cmocka_unit_test(useless_frames),
		cmocka_unit_test(replug),
		cmocka_unit_test(moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
