/* SPDX-License-Identifier: MIT */
/*
 * The store daemon against a guest that means harm: lengths that wrap, floods of events and of log
 * lines, rights over the root; what is set for guests outlives the process.
 * LINK: dom0-tools/xenstored/table.c dom0-tools/xenstored/journal.c dom0-tools/xenstored/perms.c dom0-tools/xenstored/tree.c dom0-tools/xenstored/watch.c dom0-tools/xenstored/domain.c dom0-tools/xenstored/transaction.c dom0-tools/xenstored/view.c dom0-tools/xenstored/output.c dom0-tools/xenstored/connection.c dom0-tools/xenstored/request.c dom0-tools/xenstored/control.c dom0-tools/xenstored/restore.c dom0-tools/xenstored/room.c dom0-tools/xenstored/core.c tests/tools/xenstored_world.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xenstored_scene.h"

#define ASK(type, text) ask_as(tool, type, 0, text, sizeof(text))
#define RING(type, tx, text) ring_ask(1, type, tx, text, sizeof(text))

static struct conn *guest(void)
{
	return domain_find(&p->x, 1)->conn;
}

/* A length so near to 2^32 that with the header it is a small number again. */
static void long_message(const char *before, unsigned int length, uint32_t claimed)
{
	struct xsd_sockmsg msg = { .type = XS_READ, .len = claimed };
	char flood[XENSTORE_RING_SIZE];

	memset(flood, 'x', sizeof(flood));
	world_ring_put(w, 1, before, length);
	world_ring_put(w, 1, &msg, sizeof(msg));
	for (int i = 0; i < 12; i++) {
		world_ring_put(w, 1, flood, sizeof(flood));
		world_run(p);
	}
	assert_true(guest()->ignored);
	assert_int_equal(((struct xenstore_domain_interface *)w->ring[1])->error,
			 XENSTORE_ERROR_PROTO);
}

static void test_length_wraps(void **state)
{
	(void)state;
	introduce(1);
	long_message(NULL, 0, UINT32_MAX);
}

/* The same behind a good request that lies in the same buffer. */
static void test_length_wraps_behind(void **state)
{
	struct {
		struct xsd_sockmsg msg;
		char path[8];
	} good = { { .type = XS_READ, .len = 8 }, "/tool/x" };

	(void)state;
	introduce(1);
	long_message((const char *)&good, sizeof(good), UINT32_MAX);
	ASK(XS_INTRODUCE, "1\0001000\0003");
	assert_false(guest()->ignored);
	long_message((const char *)&good, sizeof(good), UINT32_MAX - 14);
}

/* One commit that makes a hundred thousand events for its own guest: they are dropped, not kept. */
static void test_event_flood(void **state)
{
	char text[900], tx_text[16];
	size_t before;
	uint32_t tx;

	(void)state;
	introduce(1);
	for (int i = 0; i < 128; i++) {
		int n = sprintf(text, "/local/domain/1") + 1;

		memset(text + n, 't', 800);
		n += 800;
		n += sprintf(text + n, "%d", i) + 1;
		assert_string_equal(ring_ask(1, XS_WATCH, 0, text, n), "OK");
	}
	strcpy(tx_text, RING(XS_TRANSACTION_START, 0, ""));
	tx = atoi(tx_text);
	for (int i = 0; i < 700; i++)
		assert_string_equal(ring_ask(1, XS_WRITE, tx, text,
					     sprintf(text, "/local/domain/1/n%d", i) + 1),
				    "OK");
	before = p->x.journal.room;
	assert_true(world_ring_send(w, 1, XS_TRANSACTION_END, tx, "T", 2));
	world_run(p);
	assert_true(p->x.journal.room < before + 3 * p->x.quota[QUOTA_MEMORY]);
	assert_true(guest()->queued_bytes <= p->x.quota[QUOTA_MEMORY]);
	assert_true(p->x.count_dropped > 0);
	while (world_ring_receive(w, 1, &got, body))
		world_run(p);
	assert_string_equal(RING(XS_READ, 0, "/local/domain/1/n699"), "");
}

/* dom0 once gave the root away; its owner dies. */
static void test_root_of_a_guest(void **state)
{
	(void)state;
	introduce(1);
	assert_string_equal(ASK(XS_SET_PERMS, "/\0n1"), "OK");
	w->domain[1].state = 0;
	domains_check(&p->x);
	assert_string_equal(ASK(XS_GET_PERMS, "/"), "n0");
	assert_string_equal(ASK(XS_READ, "/tool"), "");
	assert_string_equal(ASK(XS_READ, "/local/domain/1"), "ENOENT");
	world_stop(p);
	p = world_start(w, false);
	assert_string_equal(ASK(XS_GET_PERMS, "/"), "n0");
}

/* Breaking the protocol and asking for a new start, again and again, does not fill dom0's disk. */
static void test_log_flood(void **state)
{
	struct xsd_sockmsg msg = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };
	struct xenstore_domain_interface *ring = (void *)w->ring[1];
	unsigned int lines;

	(void)state;
	introduce(1);
	lines = w->log_lines;
	for (int i = 0; i < 1000; i++) {
		world_ring_put(w, 1, &msg, sizeof(msg));
		world_run(p);
		ring->connection = XENSTORE_RECONNECT;
		world_run(p);
	}
	assert_true(w->log_lines > lines);
	assert_true(w->log_lines < lines + 50);
	assert_string_equal(RING(XS_READ, 0, "/tool"), "EACCES");
	/* Later there is room for news of it again. */
	w->now += 3600 * 1000;
	lines = w->log_lines;
	world_ring_put(w, 1, &msg, sizeof(msg));
	world_run(p);
	assert_int_equal(w->log_lines, lines + 1);
}

/* Limits given at the start hold for every later process, too. */
static void test_limits_are_kept(void **state)
{
	(void)state;
	quota_set(&p->x, QUOTA_NODES, 5000);
	world_stop(p);
	p = world_start(w, false);
	assert_int_equal(p->x.quota[QUOTA_NODES], 5000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_length_wraps), TEST(test_length_wraps_behind), TEST(test_event_flood),
		TEST(test_root_of_a_guest), TEST(test_log_flood), TEST(test_limits_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
