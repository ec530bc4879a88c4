/* SPDX-License-Identifier: MIT */
/*
 * Hostile peers on a network device's rings and in the store: netback and netfront close the device with one
 * log line that names field and value; frames that merely make no sense are dropped.
 *
 * Both ends are real; a case forges what its end would have written, straight into the shared pages.
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

static void start(struct net *n)
{
	struct net_setup setup = { .seed = 1 };

	net_new(n, &setup);
	assert_int_equal(net_open_back(n), 0);
	assert_int_equal(net_open_front(n, &setup), 0);
	assert_true(net_connect(n));
	net_settle(n);
}

/* --- A hostile frontend's transmit requests --- */

union slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
};

#define A_PAGE		0x7ffffffe	/* stands for a good reference */
#define TX(f, s)	{ .request = { .gref = A_PAGE, .offset = 0, .flags = (f), .id = 1, .size = (s) } }
#define AT(o, f, s)	{ .request = { .gref = A_PAGE, .offset = (o), .flags = (f), .id = 1, .size = (s) } }
#define REF(r, f, s)	{ .request = { .gref = (r), .offset = 0, .flags = (f), .id = 1, .size = (s) } }
#define GSO(fl, t, s)	{ .extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = (fl), .u.gso = { .size = (s), .type = (t) } } }
#define EXTRA(t, fl)	{ .extra = { .type = (t), .flags = (fl) } }
#define MORE		NETTXF_more_data
#define INFO		NETTXF_extra_info

static const struct tx_case {
	const char *says;	/* part of the log line; NULL: the device lives */
	unsigned int slots;
	uint32_t jump;		/* added to the producer index beyond the slots */
	unsigned int repeat;	/* the last slot is repeated so often */
	union slot slot[3];
} tx_cases[] = {
	{ "tx req_prod", 0, 257, 0, { TX(0, 0) } },
	{ "tx req_prod", 0, 0x80000000, 0, { TX(0, 0) } },
	{ "tx req_prod", 0, -1, 0, { TX(0, 0) } },
	{ "tx size", 1, 0, 0, { TX(0, 4097) } },
	{ "tx size", 1, 0, 0, { AT(4000, 0, 97) } },
	{ "tx size", 1, 0, 0, { AT(0xffff, 0, 60) } },
	{ "tx offset", 2, 0, 0, { TX(MORE, 200), AT(4000, 0, 97) } },
	{ "tx offset", 2, 0, 0, { TX(MORE, 200), AT(0xffff, 0, 1) } },
	{ "tx size", 2, 0, 0, { TX(MORE, 200), TX(0, 201) } },
	{ "tx size", 3, 0, 0, { TX(MORE, 200), TX(MORE, 150), TX(0, 51) } },
	{ "tx flags", 1, 0, 0, { TX(MORE, 200) } },
	{ "tx flags", 2, 0, 0, { TX(MORE, 200), TX(MORE, 100) } },
	{ "tx slots", 2, 0, 30, { TX(MORE, 200), TX(MORE, 1) } },
	{ "tx extra", 1, 0, 0, { TX(INFO, 200) } },
	{ "tx extra", 2, 0, 0, { TX(INFO, 200), GSO(1, 1, 1448) } },
	{ "tx extra type 0", 2, 0, 0, { TX(INFO, 200), EXTRA(0, 0) } },
	{ "tx extra type 4", 2, 0, 0, { TX(INFO, 200), EXTRA(XEN_NETIF_EXTRA_TYPE_HASH, 0) } },
	{ "tx extra type 255", 2, 0, 0, { TX(INFO, 200), EXTRA(255, 255) } },
	{ "tx gso size", 2, 0, 0, { TX(INFO, 200), GSO(0, 1, 0) } },
	{ "tx gso type 0", 2, 0, 0, { TX(INFO, 200), GSO(0, 0, 1448) } },
	{ "tx gso type 9", 2, 0, 0, { TX(INFO, 200), GSO(0, 9, 1448) } },
	{ "tx extra 5", 2, 0, 40, { TX(INFO, 200), GSO(1, 1, 1448) } },
	{ "tx gref 60000", 1, 0, 0, { REF(60000, 0, 200) } },
	{ "tx gref 4294967295", 1, 0, 0, { REF(0xffffffff, 0, 200) } },
	{ "tx gref 4294967295", 2, 0, 0, { TX(MORE, 200), REF(0xffffffff, 0, 50) } },
	{ NULL, 1, 0, 0, { TX(0, 0) } },
	{ NULL, 1, 0, 0, { TX(0, 13) } },
	{ NULL, 1, 0, 0, { TX(NETTXF_csum_blank, 60) } },
	{ NULL, 1, 0, 0, { TX(0xfff0, 60) } },
	{ NULL, 2, 0, 0, { TX(INFO | NETTXF_csum_blank, 60), GSO(0, 1, 1448) } },
	{ NULL, 2, 0, 0, { TX(MORE, 60), TX(0, 0) } },
	{ NULL, 2, 0, 0, { TX(INFO, 60), EXTRA(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0) } },
	{ NULL, 2, 0, 0, { TX(INFO, 60), EXTRA(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 0) } },
};

static void put_slot(struct net *n, const union slot *slot)
{
	struct netfront_queue *q = n->front.queue[0];
	union slot s = *slot;

	/* The pages' references are the world's choice. */
	if (s.request.gref == A_PAGE)
		s.request.gref = q->tx_refs[1];
	pv_front_ring_put(&q->tx, &s, sizeof(s));
}

static void judge(struct net *n, const char *says)
{
	net_settle(n);
	if (!says) {
		assert_int_equal(world_log_count(n->world), 0);
		assert_true(n->back->connected);
		return;
	}
	if (!strstr(world_log_last(n->world), says))
		fail_msg("'%s' is not in '%s'", says, world_log_last(n->world));
	assert_non_null(strstr(world_log_last(n->world), "domain 1 device " NET_BACK));
	assert_int_equal(world_log_count(n->world), 1);
	assert_string_equal(world_store_read(n->world, NET_BACK "/state"), "6");
	assert_false(n->back->connected);
}

static void hostile_tx(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(tx_cases); i++) {
		const struct tx_case *c = &tx_cases[i];
		struct netfront_queue *q;
		struct net n;

		start(&n);
		q = n.front.queue[0];
		for (unsigned int s = 0; s < c->slots; s++)
			put_slot(&n, &c->slot[s]);
		for (unsigned int s = 0; s < c->repeat; s++)
			put_slot(&n, &c->slot[c->slots - 1]);
		pv_front_ring_push(&q->tx);
		if (c->jump)
			q->tx.shared->req_prod += c->jump;
		pv_event_notify(n.guest, q->tx_port);
		/* What the forged frontend makes of the answers is not the point. */
		q->tx.rsp_cons = q->tx.req_prod;
		q->tx.shared->rsp_event = q->tx.req_prod + 1000;
		judge(&n, c->says);
		assert_int_equal(net_end(&n), 0);
	}
}

/* Frames to be cut into crumbs are refused, the device lives; small segments are none. */
static void crumbs(void **state)
{
	static const struct {
		uint16_t size;
		unsigned int errors;
	} cases[] = { { 1, 1 }, { 7, 1 }, { 8, 0 } };

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		struct netif_extra_info *extra;
		struct netfront_queue *q;
		struct net n;

		start(&n);
		q = n.front.queue[0];
		assert_int_equal(net_guest_send(&n, NET_GSO4, 3000, true, true), 0);
		extra = pv_ring_slot(q->tx.shared, q->tx.size, q->tx.slot_bytes, 1);
		assert_int_equal(extra->u.gso.size, 1448);
		extra->u.gso.size = cases[i].size;
		pv_front_ring_push(&q->tx);
		pv_event_notify(n.guest, q->tx_port);
		judge(&n, NULL);
		assert_int_equal(n.record->queue[0].stats.tx_errors, cases[i].errors);
		assert_int_equal(n.out.arrived, !cases[i].errors);
		assert_int_equal(net_end(&n), 0);
	}
}

/*
 * The place of a receive request that the backend has not taken yet: the first slot, whose request was answered and is
 * posted anew. Frames enough to come to it follow.
 */
static struct netif_rx_request *untaken(struct net *n)
{
	struct netfront_queue *q = n->front.queue[0];

	net_wire_send(n, 0, NET_RAW, 100, false);
	net_settle(n);
	assert_int_equal(n->in.arrived, 1);
	for (unsigned int i = 0; i < 200; i++)
		net_wire_send(n, 0, NET_RAW, 5000, false);
	return pv_ring_slot(q->rx.shared, q->rx.size, q->rx.slot_bytes, 0);
}

static void hostile_rx(void **state)
{
	static const struct {
		const char *says;
		uint32_t jump;
		grant_ref_t ref;
	} cases[] = {
		{ "rx req_prod", 300, 0 },
		{ "rx req_prod", 0x7fffffff, 0 },
		{ "rx gref 77777", 0, 77777 },
		{ "rx gref 4294967295", 0, 0xffffffff },
	};

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		struct netif_rx_request *r;
		struct netfront_queue *q;
		struct net n;

		start(&n);
		q = n.front.queue[0];
		r = untaken(&n);
		q->rx.shared->req_prod += cases[i].jump;
		if (cases[i].ref)
			r->gref = cases[i].ref;
		judge(&n, cases[i].says);
		assert_int_equal(net_end(&n), 0);
	}
}

/* Reading a granted page is one thing, writing to it another. */
static void read_only_buffer(void **state)
{
	struct net n;

	(void)state;
	start(&n);
	untaken(&n)->gref = n.front.queue[0]->tx_refs[0];
	judge(&n, "rx gref");
	assert_int_equal(net_end(&n), 0);
}

/* --- A hostile frontend's keys --- */

static void hostile_keys(void **state)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{ "tx-ring-ref", "", "tx-ring-ref" },
		{ "tx-ring-ref", "-1", "tx-ring-ref" },
		{ "tx-ring-ref", "99999999999999999999", "tx-ring-ref" },
		{ "tx-ring-ref", "4000000000", "tx-ring-ref 4000000000" },
		{ "rx-ring-ref", "0x10", "rx-ring-ref" },
		{ "rx-ring-ref", NULL, "rx-ring-ref is missing" },
		{ "event-channel-tx", "0", "event-channel-tx" },
		{ "event-channel-tx", "999999", "event channel 999999" },
		{ "event-channel-rx", NULL, "event-channel-rx" },
		{ "multi-queue-num-queues", "0", "multi-queue-num-queues" },
		{ "multi-queue-num-queues", "5", "multi-queue-num-queues" },
		{ "multi-queue-num-queues", "2", "queue-0/tx-ring-ref is missing" },
		{ "request-rx-copy", "0", "request-rx-copy" },
		{ "request-rx-copy", NULL, "request-rx-copy" },
		{ "feature-rx-notify", "0", "feature-rx-notify" },
		{ "feature-sg", "2", "feature-sg" },
		{ "feature-gso-tcpv4", "yes", "feature-gso-tcpv4" },
		{ "feature-sg", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "feature-sg" },
	};
	char path[128];

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		struct net n;

		start(&n);
		/* A daemon whose record is new meets what a good frontend wrote, but for one key. */
		net_kill_back(&n);
		memset(n.record, 0, sizeof(*n.record));
		n.record->queues = 4;
		world_store_write(n.world, NET_BACK "/state", "2");
		snprintf(path, sizeof(path), NET_FRONT "/%s", cases[i].key);
		world_store_write(n.world, path, cases[i].value);
		assert_int_equal(net_open_back(&n), 0);
		judge(&n, cases[i].says);
		assert_int_equal(net_end(&n), 0);
	}
}

/* --- A hostile backend --- */

static void expect_front(struct net *n, const char *says)
{
	net_settle(n);
	if (!says) {
		assert_int_equal(world_log_count(n->world), 0);
		assert_true(netfront_ready(&n->front));
	} else {
		if (!strstr(world_log_last(n->world), says))
			fail_msg("'%s' is not in '%s'", says, world_log_last(n->world));
		assert_int_equal(world_log_count(n->world), 1);
		assert_false(netfront_ready(&n->front));
		assert_int_equal(net_guest_send(n, NET_RAW, 60, false, false), -XEN_ENOTCONN);
	}
	assert_int_equal(net_end(n), 0);
}

static void bad_tx_responses(void **state)
{
	static const struct {
		const char *says;
		struct netif_tx_response response;
		uint32_t more;
	} cases[] = {
		{ "tx id 256", { .id = 256 }, 0 },
		{ "tx id 65535", { .id = 65535 }, 0 },
		{ "tx id 200", { .id = 200 }, 0 },
		{ "tx status", { .status = NETIF_RSP_NULL }, 0 },
		{ "tx rsp_prod", { .id = 0 }, 1 },
		{ "tx rsp_prod", { .id = 0 }, 0x80000000 },
		{ NULL, { .id = 0, .status = NETIF_RSP_ERROR }, 0 },
		{ NULL, { .id = 0, .status = -300 }, 0 },
		{ NULL, { .id = 0, .status = 300 }, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		struct netfront_queue *q;
		struct net n;

		start(&n);
		q = n.front.queue[0];
		net_kill_back(&n);
		assert_int_equal(net_guest_send(&n, NET_RAW, 60, false, false), 0);
		memcpy(pv_ring_slot(q->tx.shared, q->tx.size, q->tx.slot_bytes, 0),
		       &cases[i].response, sizeof(cases[i].response));
		q->tx.shared->rsp_prod += 1 + cases[i].more;
		netfront_reclaim(q);
		netfront_end_turn(&n.front);
		expect_front(&n, cases[i].says);
	}
}

union answer {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

#define RX(i, o, f, s)	{ .response = { .id = (i), .offset = (o), .flags = (f), .status = (s) } }

static void bad_rx_responses(void **state)
{
	static const struct {
		const char *says;
		unsigned int slots;
		union answer answer[4];
		uint32_t more;
	} cases[] = {
		{ "rx id 1", 1, { RX(1, 0, 0, 60) }, 0 },
		{ "rx id 65535", 1, { RX(65535, 0, 0, 60) }, 0 },
		{ "rx status 4097", 1, { RX(0, 0, 0, 4097) }, 0 },
		{ "rx status", 1, { RX(0, 4000, 0, 97) }, 0 },
		{ "rx status", 1, { RX(0, 0xffff, 0, 1) }, 0 },
		{ "rx status", 1, { RX(0, 0, 0, 32767) }, 0 },
		{ "rx flags", 1, { RX(0, 0, NETRXF_more_data, 60) }, 0 },
		{ "rx flags", 2, { RX(0, 0, NETRXF_more_data, 60), RX(1, 0, NETRXF_more_data, 60) }, 0 },
		{ "rx flags", 1, { RX(0, 0, NETRXF_gso_prefix, 60) }, 0 },
		{ "rx extra", 1, { RX(0, 0, NETRXF_extra_info, 60) }, 0 },
		{ "rx extra type 2", 2, { RX(0, 0, NETRXF_extra_info, 60), EXTRA(2, 0) }, 0 },
		{ "rx extra type 0", 2, { RX(0, 0, NETRXF_extra_info, 60), EXTRA(0, 0) }, 0 },
		{ "rx gso type", 2, { RX(0, 0, NETRXF_extra_info, 60), GSO(0, 1, 0) }, 0 },
		{ "rx gso type 7", 2, { RX(0, 0, NETRXF_extra_info, 60), GSO(0, 7, 100) }, 0 },
		{ "rx extra", 2, { RX(0, 0, NETRXF_extra_info, 60), GSO(1, 1, 100) }, 0 },
		{ "rx rsp_prod", 0, { RX(0, 0, 0, 0) }, 257 },
		{ "rx rsp_prod", 0, { RX(0, 0, 0, 0) }, 0x80000000 },
		{ NULL, 1, { RX(0, 0, 0, 0) }, 0 },
		{ NULL, 1, { RX(0, 0, 0, -1) }, 0 },
		{ NULL, 1, { RX(0, 0, NETRXF_csum_blank, 60) }, 0 },
		{ NULL, 2, { RX(0, 0, NETRXF_extra_info, 60), GSO(0, 1, 100) }, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		struct netfront_queue *q;
		struct net n;

		start(&n);
		q = n.front.queue[0];
		net_kill_back(&n);
		for (unsigned int s = 0; s < cases[i].slots; s++)
			memcpy(pv_ring_slot(q->rx.shared, q->rx.size, q->rx.slot_bytes, s),
			       &cases[i].answer[s], 8);
		q->rx.shared->rsp_prod += cases[i].slots + cases[i].more;
		netfront_receive(q);
		netfront_end_turn(&n.front);
		expect_front(&n, cases[i].says);
	}
}

/* A chain of slots that makes more than a frame can be. */
static void endless_frame(void **state)
{
	struct netfront_queue *q;
	struct net n;

	(void)state;
	start(&n);
	q = n.front.queue[0];
	net_kill_back(&n);
	for (unsigned int s = 0; s < 200; s++) {
		union answer a = RX(s, 0, NETRXF_more_data, 4096);

		memcpy(pv_ring_slot(q->rx.shared, q->rx.size, q->rx.slot_bytes, s), &a, 8);
	}
	q->rx.shared->rsp_prod += 200;
	netfront_receive(q);
	netfront_end_turn(&n.front);
	expect_front(&n, "rx size");
}

static void send_back(void *arg, uint8_t *frame, uint32_t bytes, const struct pv_offload *offload)
{
	struct net *n = arg;

	assert_int_equal(netfront_send(&n->front, 0, frame, bytes, offload, false), -XEN_ENOTCONN);
}

/* The ring for sending is full, and its backend's index absurd. */
static struct netfront_queue *start_broken(struct net *n)
{
	struct netfront_queue *q;

	start(n);
	q = n->front.queue[0];
	net_kill_back(n);
	while (!net_guest_send(n, NET_RAW, 60, false, false))
		;
	q->tx.shared->rsp_prod = 0x80000000;
	return q;
}

/* Who answers each frame finds out, in the middle of receiving, that the ring for sending is broken. */
static void broken_while_receiving(void **state)
{
	struct netfront_queue *q;
	struct net n;

	(void)state;
	q = start_broken(&n);
	n.front.options.receive = send_back;
	for (unsigned int s = 0; s < 3; s++) {
		union answer a = RX(s, 0, 0, 60);

		memcpy(pv_ring_slot(q->rx.shared, q->rx.size, q->rx.slot_bytes, s), &a, 8);
	}
	q->rx.shared->rsp_prod += 3;
	netfront_receive(q);
	netfront_end_turn(&n.front);
	expect_front(&n, "tx rsp_prod");
}

/* A sender alone finds it, too. */
static void broken_while_sending(void **state)
{
	struct net n;

	(void)state;
	start_broken(&n);
	assert_int_equal(net_guest_send(&n, NET_RAW, 60, false, false), -XEN_ENOTCONN);
	net_settle(&n);
	assert_null(n.front.queue[0]);
	expect_front(&n, "tx rsp_prod");
}

static void hostile_backend_keys(void **state)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{ "feature-rx-copy", "0", "feature-rx-copy" },
		{ "feature-rx-copy", NULL, "feature-rx-copy" },
		{ "multi-queue-max-queues", "0", "multi-queue-max-queues" },
		{ "multi-queue-max-queues", "many", "multi-queue-max-queues" },
		{ "feature-sg", "-1", "feature-sg" },
		{ "feature-split-event-channels", "2", "feature-split-event-channels" },
	};
	struct net_setup setup = { .seed = 1 };
	char path[128];

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		struct net n;

		net_new(&n, &setup);
		assert_int_equal(net_open_back(&n), 0);
		net_settle(&n);
		snprintf(path, sizeof(path), NET_BACK "/%s", cases[i].key);
		world_store_write(n.world, path, cases[i].value);
		assert_int_equal(net_open_front(&n, &setup), 0);
		expect_front(&n, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_tx),
		cmocka_unit_test(crumbs),
		cmocka_unit_test(hostile_rx),
		cmocka_unit_test(read_only_buffer),
		cmocka_unit_test(hostile_keys),
		cmocka_unit_test(bad_tx_responses),
		cmocka_unit_test(bad_rx_responses),
		cmocka_unit_test(endless_frame),
		cmocka_unit_test(broken_while_receiving),
		cmocka_unit_test(broken_while_sending),
		cmocka_unit_test(hostile_backend_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
