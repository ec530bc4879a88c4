/* SPDX-License-Identifier: MIT */
/*
 * The store daemon's core: protocol, permissions, transactions, watches, quotas, domains, control.
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

#define MANY	1001

#define RING(domid, type, tx, text) ring_ask(domid, type, tx, text, sizeof(text))
#define ASK(type, tx, text) ask_as(tool, type, tx, text, sizeof(text))
/* WRITE's value has no NUL. */
#define WRITE(tx, text) ask_as(tool, XS_WRITE, tx, text, sizeof(text) - 1)

static void test_read_write(void **state)
{
	(void)state;
	assert_string_equal(WRITE(0, "/a/b/c\0hello"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/a/b/c"), "hello");
	assert_int_equal(got.len, 5);
	assert_int_equal(got.req_id, 7);
	assert_string_equal(ASK(XS_READ, 0, "/a/b"), "");
	assert_int_equal(got.type, XS_READ);
	assert_string_equal(ASK(XS_READ, 0, "/a/x"), "ENOENT");
	assert_int_equal(got.type, XS_ERROR);
	assert_string_equal(ASK(XS_MKDIR, 0, "/a/d"), "OK");
	assert_string_equal(ASK(XS_MKDIR, 0, "/a/b/c"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/a/b/c"), "hello");
	ASK(XS_DIRECTORY, 0, "/a");
	assert_int_equal(got.len, 4);
	assert_memory_equal(body, "b\0d", 4);
	assert_string_equal(ASK(XS_RM, 0, "/a/b"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/a/b/c"), "ENOENT");
	assert_string_equal(ASK(XS_RM, 0, "/a/b"), "OK");
	assert_string_equal(ASK(XS_RM, 0, "/x/y"), "ENOENT");
	assert_string_equal(ASK(XS_RM, 0, "/"), "EINVAL");
	/* Relative to the caller's home. */
	assert_string_equal(WRITE(0, "rel\0v"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/local/domain/0/rel"), "v");
	/* A value of all bytes. */
	assert_string_equal(WRITE(0, "/bin\0a\0b"), "OK");
	ASK(XS_READ, 0, "/bin");
	assert_int_equal(got.len, 3);
	assert_memory_equal(body, "a\0b", 3);
	restart();
	ASK(XS_READ, 0, "/bin");
	assert_memory_equal(body, "a\0b", 3);
	assert_string_equal(ASK(XS_READ, 0, "/local/domain/0/rel"), "v");
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = { "",	   "a//b",	"/a/",	"//",
					   "/a b", "/\xc3\xa4", "/a.b", "@x" };

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(ask(XS_READ, 0, bad[i]), "EINVAL");
	assert_string_equal(ask_as(tool, XS_READ, 0, "/tool", 5), "EINVAL");
	assert_string_equal(ask_as(tool, XS_READ, 0, "", 0), "EINVAL");
	assert_string_equal(ask_as(tool, XS_WRITE, 0, "/x", 2), "EINVAL");
	assert_string_equal(ASK(99, 0, ""), "ENOSYS");
	assert_string_equal(ASK(XS_WATCH_EVENT, 0, ""), "ENOSYS");
	assert_string_equal(ASK(XS_READ, 77, "/tool"), "ENOENT");
	assert_string_equal(ASK(XS_TRANSACTION_END, 0, "T"), "ENOENT");
	assert_string_equal(ASK(XS_TRANSACTION_END, 0, "X"), "EINVAL");
	assert_string_equal(ASK(XS_INTRODUCE, 0, "1"), "EINVAL");
	assert_string_equal(ASK(XS_INTRODUCE, 0, "0\0001\0002"), "EINVAL");
	assert_string_equal(ASK(XS_RELEASE, 0, "9"), "ENOENT");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "/tool"), "EINVAL");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "/tool\0x0"), "EINVAL");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "/tool\0n9"), "ENOENT");
	assert_string_equal(ASK(XS_GET_DOMAIN_PATH, 0, "5"), "/local/domain/5");
	assert_string_equal(ASK(XS_IS_DOMAIN_INTRODUCED, 0, "0"), "T");
	assert_string_equal(ASK(XS_IS_DOMAIN_INTRODUCED, 0, "5"), "F");
	/* A message that is too long ends the connection. */
	struct xsd_sockmsg msg = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };
	assert_int_equal(send(w->socket[tool].client, &msg, sizeof(msg), 0), sizeof(msg));
	world_run(p);
	assert_true(w->socket[tool].closed);
}

static void test_long_listing(void **state)
{
	char text[64], all[32768];
	unsigned int length = 0, offset = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		sprintf(text, "/big/child-%04d", i);
		assert_string_equal(ask(XS_MKDIR, 0, text), "OK");
	}
	assert_string_equal(ASK(XS_DIRECTORY, 0, "/big"), "E2BIG");
	for (;;) {
		int n = sprintf(text, "/big") + 1;
		unsigned int head;

		n += sprintf(text + n, "%u", offset) + 1;
		ask_as(tool, XS_DIRECTORY_PART, 0, text, n);
		assert_int_equal(got.type, XS_DIRECTORY_PART);
		head = strlen(body) + 1;
		assert_true(got.len <= XENSTORE_PAYLOAD_MAX);
		memcpy(all + length, body + head, got.len - head);
		length += got.len - head;
		offset = length;
		if (!all[length - 1] && (length == 1 || !all[length - 2]))
			break;
	}
	assert_int_equal(length, 1000 * 11 + 1);
	assert_string_equal(all + 11 * 999, "child-0999");
}

static void test_transactions(void **state)
{
	(void)state;
	WRITE(0, "/t/a\0a");
	assert_string_equal(ASK(XS_TRANSACTION_START, 0, ""), "1");
	assert_string_equal(ASK(XS_READ, 1, "/t/a"), "a");
	assert_string_equal(WRITE(1, "/t/a\0b"), "OK");
	assert_string_equal(ASK(XS_READ, 1, "/t/a"), "b");
	assert_string_equal(ASK(XS_READ, 0, "/t/a"), "a");
	assert_string_equal(WRITE(1, "/t/n/m\0new"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/t/n"), "ENOENT");
	ASK(XS_DIRECTORY, 1, "/t");
	assert_memory_equal(body, "a\0n", 4);
	restart();
	assert_string_equal(ASK(XS_READ, 1, "/t/n/m"), "new");
	ASK(XS_DIRECTORY, 1, "/t");
	assert_memory_equal(body, "a\0n", 4);
	assert_string_equal(ASK(XS_TRANSACTION_END, 1, "T"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/t/n/m"), "new");
	assert_string_equal(ASK(XS_READ, 0, "/t/a"), "b");
	/* Removed and made again within one. */
	assert_string_equal(ASK(XS_TRANSACTION_START, 0, ""), "2");
	assert_string_equal(ASK(XS_RM, 2, "/t"), "OK");
	assert_string_equal(ASK(XS_READ, 2, "/t/n/m"), "ENOENT");
	assert_string_equal(WRITE(2, "/t/n/x\0y"), "OK");
	ASK(XS_DIRECTORY, 2, "/t/n");
	assert_memory_equal(body, "x", 2);
	assert_int_equal(got.len, 2);
	restart();
	ASK(XS_DIRECTORY, 2, "/t/n");
	assert_int_equal(got.len, 2);
	assert_string_equal(ASK(XS_TRANSACTION_END, 2, "T"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/t/a"), "ENOENT");
	assert_string_equal(ASK(XS_READ, 0, "/t/n/x"), "y");
	assert_string_equal(ASK(XS_TRANSACTION_START, 0, ""), "3");
	assert_string_equal(WRITE(3, "/gone\0y"), "OK");
	assert_string_equal(ASK(XS_TRANSACTION_END, 3, "F"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/gone"), "ENOENT");
	assert_string_equal(ASK(XS_TRANSACTION_START, 3, ""), "ENOENT");
}

static void test_conflicts(void **state)
{
	int other = world_connect(w);

	(void)state;
#define OTHER(type, tx, text) ask_as(other, type, tx, text, sizeof(text))
	WRITE(0, "/c/a\0a");
	/* What was read changed: EAGAIN, but until then the same is seen. */
	ASK(XS_TRANSACTION_START, 0, "");
	assert_string_equal(ASK(XS_READ, 1, "/c/a"), "a");
	assert_string_equal(ask_as(other, XS_WRITE, 0, "/c/a\0b", 6), "OK");
	assert_string_equal(ASK(XS_READ, 1, "/c/a"), "a");
	restart();
	assert_string_equal(ASK(XS_READ, 1, "/c/a"), "a");
	assert_string_equal(ASK(XS_TRANSACTION_END, 1, "T"), "EAGAIN");
	/* Two that make different children do not disturb each other. */
	ASK(XS_TRANSACTION_START, 0, "");
	OTHER(XS_TRANSACTION_START, 0, "");
	assert_string_equal(ASK(XS_MKDIR, 2, "/c/x"), "OK");
	assert_string_equal(OTHER(XS_MKDIR, 1, "/c/y"), "OK");
	assert_string_equal(ASK(XS_TRANSACTION_END, 2, "T"), "OK");
	assert_string_equal(OTHER(XS_TRANSACTION_END, 1, "T"), "OK");
	/* Listing does depend on the children. */
	ASK(XS_TRANSACTION_START, 0, "");
	ASK(XS_DIRECTORY, 3, "/c");
	OTHER(XS_MKDIR, 0, "/c/z");
	assert_string_equal(ASK(XS_TRANSACTION_END, 3, "T"), "EAGAIN");
	/* So does the absence of a node, and what is removed with a parent. */
	ASK(XS_TRANSACTION_START, 0, "");
	assert_string_equal(ASK(XS_READ, 4, "/c/q"), "ENOENT");
	OTHER(XS_MKDIR, 0, "/c/q");
	assert_string_equal(ASK(XS_READ, 4, "/c/q"), "ENOENT");
	assert_string_equal(ASK(XS_TRANSACTION_END, 4, "T"), "EAGAIN");
	ASK(XS_TRANSACTION_START, 0, "");
	assert_string_equal(ASK(XS_READ, 5, "/c/a"), "b");
	OTHER(XS_RM, 0, "/c");
	assert_string_equal(ASK(XS_READ, 5, "/c/a"), "b");
	assert_string_equal(ASK(XS_TRANSACTION_END, 5, "T"), "EAGAIN");
}

/* A big reader against a writer that never rests. */
static void test_starvation(void **state)
{
	int writer = world_connect(w), tries = 0;
	char text[32], tx[2] = "0";
	bool won = false;

	(void)state;
	for (int i = 0; i < 50; i++) {
		sprintf(text, "/s/%d", i);
		ask(XS_MKDIR, 0, text);
	}
	while (!won && tries++ < 10) {
		uint32_t id = strtoul(ASK(XS_TRANSACTION_START, 0, ""), NULL, 10);

		for (int i = 0; i < 50; i++) {
			sprintf(text, "/s/%d", i);
			ask(XS_READ, id, text);
			world_send(w, writer, XS_WRITE, 0, "/s/0\0x", 6);
			world_run(p);
		}
		tx[0]++;
		won = !strcmp(ASK(XS_TRANSACTION_END, id, "T"), "OK");
	}
	assert_true(won);
	assert_in_range(tries, 2, 5);
	/* The writer waited; all its requests are answered now. */
	world_run(p);
	for (int i = 0; i < tries * 50; i++)
		assert_int_equal(world_receive(w, writer, &got, body), 1);
	assert_int_equal(world_receive(w, writer, &got, body), 0);
	/* Who sits on its priority loses it. */
	for (int i = 0; i < 3; i++) {
		uint32_t id = strtoul(ASK(XS_TRANSACTION_START, 0, ""), NULL, 10);

		ask(XS_READ, id, "/s/0");
		ask_as(writer, XS_WRITE, 0, "/s/0\0x", 6);
		assert_string_equal(ASK(XS_TRANSACTION_END, id, "T"), "EAGAIN");
	}
	uint32_t id = strtoul(ASK(XS_TRANSACTION_START, 0, ""), NULL, 10);
	ask(XS_READ, id, "/s/0");
	assert_string_equal(ask_as(writer, XS_WRITE, 0, "/s/0\0x", 6), "(none)");
	assert_int_equal(xsd_timeout(&p->x), 1000);
	w->now += 1001;
	world_run(p);
	assert_int_equal(world_receive(w, writer, &got, body), 1);
	assert_string_equal(ASK(XS_TRANSACTION_END, id, "T"), "EAGAIN");
}

static void test_watches(void **state)
{
	(void)state;
	assert_string_equal(ASK(XS_WATCH, 0, "/w\0tok"), "OK");
	assert_string_equal(take_events(), "/w tok;");
	assert_string_equal(ASK(XS_WATCH, 0, "/w\0tok"), "EEXIST");
	assert_string_equal(ASK(XS_WATCH, 0, "/w\0one\0001"), "OK");
	assert_string_equal(ASK(XS_WATCH, 0, "/w/a/b\0deep"), "OK");
	assert_string_equal(ASK(XS_WATCH, 0, "rel/x\0r"), "OK");
	assert_string_equal(take_events(), "/w one;/w/a/b deep;rel/x r;");
	WRITE(0, "/w/a/b\0v");
	assert_string_equal(take_events(), "/w/a/b deep;/w/a/b tok;");
	restart();
	WRITE(0, "/w/a\0v");
	assert_string_equal(take_events(), "/w/a tok;/w/a one;");
	WRITE(0, "/local/domain/0/rel/x/y\0v");
	assert_string_equal(take_events(), "rel/x/y r;");
	/* Removal of a parent: exactly the watched node, and all above. */
	ASK(XS_RM, 0, "/w/a");
	assert_string_equal(take_events(), "/w/a/b deep;/w/a tok;/w/a one;");
	/* In a transaction: at commit, once each. */
	ASK(XS_TRANSACTION_START, 0, "");
	WRITE(1, "/w/k\0" "1");
	WRITE(1, "/w/k\0" "2");
	WRITE(1, "/w/a/b\0" "2");
	assert_string_equal(take_events(), "");
	ASK(XS_TRANSACTION_END, 1, "T");
	assert_string_equal(take_events(), "/w/k tok;/w/k one;/w/a/b deep;/w/a/b tok;");
	ASK(XS_TRANSACTION_START, 0, "");
	ASK(XS_RM, 2, "/w/a");
	ASK(XS_TRANSACTION_END, 2, "T");
	assert_string_equal(take_events(), "/w/a/b deep;/w/a tok;/w/a one;");
	assert_string_equal(ASK(XS_UNWATCH, 0, "/w\0tok"), "OK");
	assert_string_equal(ASK(XS_UNWATCH, 0, "/w\0tok"), "ENOENT");
	WRITE(0, "/w/k\0v");
	assert_string_equal(take_events(), "/w/k one;");
	assert_string_equal(ASK(XS_RESET_WATCHES, 0, ""), "OK");
	WRITE(0, "/w/k\0v");
	assert_string_equal(take_events(), "");
	assert_string_equal(ASK(XS_WATCH, 0, "/\0root"), "OK");
	take_events();
	WRITE(0, "/w/k\0v");
	assert_string_equal(take_events(), "/w/k root;");
}

static void test_guests(void **state)
{
	(void)state;
	introduce(1);
	introduce(2);
	assert_string_equal(RING(1, XS_READ, 0, "/tool"), "EACCES");
	assert_string_equal(RING(1, XS_READ, 0, "/nothing"), "EACCES");
	assert_string_equal(ring_ask(1, XS_WRITE, 0, "data/x\0v", 8), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/local/domain/1/data/x"), "v");
	assert_string_equal(RING(2, XS_READ, 0, "/local/domain/1/data/x"), "EACCES");
	ASK(XS_GET_PERMS, 0, "/local/domain/1/data/x");
	assert_string_equal(body, "n1");
	assert_string_equal(RING(1, XS_SET_PERMS, 0, "data/x\0n1\0r2"), "OK");
	assert_string_equal(RING(2, XS_READ, 0, "/local/domain/1/data/x"), "v");
	assert_string_equal(RING(1, XS_SET_PERMS, 0, "data/x\0n2"), "EPERM");
	assert_string_equal(RING(2, XS_SET_PERMS, 0, "/local/domain/1/data/x\0n2"), "EACCES");
	/* Watches see what may be read. */
	RING(2, XS_WATCH, 0, "/local/domain/1\0t");
	assert_string_equal(ring_events(2), "/local/domain/1 t;");
	ring_ask(1, XS_WRITE, 0, "data/x\0v", 8);
	ring_ask(1, XS_WRITE, 0, "data/y\0v", 8);
	assert_string_equal(ring_events(2), "/local/domain/1/data/x t;");
	/* Only dom0. */
	assert_string_equal(RING(1, XS_INTRODUCE, 0, "3\0001\0002"), "EACCES");
	assert_string_equal(RING(1, XS_RELEASE, 0, "2"), "EACCES");
	assert_string_equal(RING(1, XS_CONTROL, 0, "check"), "EACCES");
	assert_string_equal(RING(1, XS_SET_TARGET, 0, "1\0002"), "EACCES");
	/* A device model has its target's rights. */
	assert_string_equal(ASK(XS_SET_TARGET, 0, "2\0001"), "OK");
	assert_string_equal(RING(2, XS_READ, 0, "/local/domain/1/data/y"), "v");
	restart();
	assert_string_equal(RING(2, XS_READ, 0, "/local/domain/1/data/y"), "v");
	/* Its rights do not pass to the next domain with its number. */
	WRITE(0, "/shared\0v");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "/shared\0n0\0r2"), "OK");
	assert_string_equal(RING(2, XS_READ, 0, "/shared"), "v");
	assert_string_equal(ASK(XS_RELEASE, 0, "2"), "OK");
	introduce(2);
	assert_string_equal(RING(2, XS_READ, 0, "/shared"), "EACCES");
}

static void test_domain_ends(void **state)
{
	(void)state;
	ASK(XS_WATCH, 0, "@releaseDomain\0rel");
	ASK(XS_WATCH, 0, "@introduceDomain\0int\0001");
	ASK(XS_WATCH, 0, "@releaseDomain/2\0two");
	take_events();
	introduce(1);
	introduce(2);
	assert_string_equal(take_events(), "@introduceDomain/1 int;@introduceDomain/2 int;");
	ring_ask(1, XS_WRITE, 0, "data/x\0v", 8);
	assert_string_equal(ASK(XS_IS_DOMAIN_INTRODUCED, 0, "1"), "T");
	w->domain[1].state = DOMAIN_EXISTS | DOMAIN_SHUTDOWN;
	domains_check(&p->x);
	domains_check(&p->x);
	assert_string_equal(take_events(), "@releaseDomain rel;");
	assert_string_equal(ASK(XS_RESUME, 0, "1"), "OK");
	domains_check(&p->x);
	assert_string_equal(take_events(), "@releaseDomain rel;");
	/* Dying: the map goes, and all it owned. */
	w->domain[1].state = DOMAIN_EXISTS | DOMAIN_SHUTDOWN | DOMAIN_DYING;
	assert_int_equal(w->domain[1].mapped, 1);
	domains_check(&p->x);
	assert_int_equal(w->domain[1].mapped, 0);
	assert_int_equal(w->domain[1].bound, 0);
	assert_string_equal(take_events(), "@releaseDomain rel;");
	assert_string_equal(ASK(XS_READ, 0, "/local/domain/1"), "ENOENT");
	/* Noticed also by who starts after it. */
	w->domain[2].state = 0;
	restart();
	assert_string_equal(take_events(), "@releaseDomain rel;@releaseDomain/2 two;");
	assert_string_equal(ASK(XS_IS_DOMAIN_INTRODUCED, 0, "2"), "F");
}

static void test_ring_faults(void **state)
{
	struct xenstore_domain_interface *ring;
	struct xsd_sockmsg msg = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };

	(void)state;
	introduce(1);
	ring = (void *)w->ring[1];
	assert_int_equal(ring->server_features, 7);
	assert_string_equal(RING(1, XS_WATCH, 0, "data\0t"), "OK");
	ring_events(1);
	/* Too long a message. */
	world_ring_put(w, 1, &msg, sizeof(msg));
	world_run(p);
	assert_int_equal(ring->error, XENSTORE_ERROR_PROTO);
	restart();
	assert_string_equal(RING(1, XS_READ, 0, "data"), "(none)");
	/* A reconnection heals it. */
	ring->connection = XENSTORE_RECONNECT;
	world_run(p);
	assert_int_equal(ring->connection, XENSTORE_CONNECTED);
	assert_int_equal(ring->error, 0);
	assert_int_equal(ring->req_cons, 0);
	assert_string_equal(RING(1, XS_GET_DOMAIN_PATH, 0, "1"), "/local/domain/1");
	assert_string_equal(ring_ask(1, XS_WRITE, 0, "data/x\0v", 8), "OK");
	assert_string_equal(ring_events(1), "");
	/* Wrong indexes. */
	ring->req_prod = ring->req_cons + XENSTORE_RING_SIZE + 1;
	world_run(p);
	assert_int_equal(ring->error, XENSTORE_ERROR_RINGIDX);
	assert_string_equal(ASK(XS_READ, 0, "/local/domain/1/data/x"), "v");
	/* As does the toolstack's second introduction. */
	introduce(1);
	assert_string_equal(RING(1, XS_GET_DOMAIN_PATH, 0, "1"), "/local/domain/1");
	ring->rsp_cons = ring->rsp_prod + 5;
	world_ring_send(w, 1, XS_GET_DOMAIN_PATH, 0, "1", 2);
	world_run(p);
	assert_int_equal(ring->error, XENSTORE_ERROR_RINGIDX);
}

static void test_quotas(void **state)
{
	char text[4096];
	int i;

	(void)state;
	introduce(1);
	assert_string_equal(ASK(XS_CONTROL, 0, "quota\0set\0nodes\00020"), "OK");
	for (i = 0; i < 50; i++) {
		int n = sprintf(text, "d/%d", i) + 1;

		if (strcmp(ring_ask(1, XS_MKDIR, 0, text, n), "OK"))
			break;
	}
	assert_string_equal(body, "ENOSPC");
	assert_int_equal(i, 18);	/* its home and d count */
	assert_non_null(strstr(w->log, "domain 1: 16 of 20 nodes in use (80 %)"));
	assert_non_null(strstr(w->log, "domain 1: at its limit of 20 nodes"));
	assert_int_equal(w->log_lines, 2);
	assert_string_equal(RING(1, XS_TRANSACTION_START, 0, ""), "1");
	assert_string_equal(RING(1, XS_MKDIR, 1, "d/x"), "ENOSPC");
	assert_string_equal(RING(1, XS_RM, 0, "d"), "OK");
	assert_string_equal(RING(1, XS_MKDIR, 0, "d/x"), "OK");
	restart();
	for (i = 2; !strcmp(RING(1, XS_TRANSACTION_START, 0, ""), (sprintf(text, "%d", i), text));
	     i++)
		;
	assert_string_equal(body, "ENOSPC");
	assert_int_equal(i, 11);
	for (i = 0; i < 200; i++) {
		int n = sprintf(text, "d") + 1;

		n += sprintf(text + n, "t%d", i) + 1;
		if (strcmp(ring_ask(1, XS_WATCH, 0, text, n), "OK"))
			break;
	}
	assert_string_equal(body, "E2BIG");
	assert_int_equal(i, 128);
	assert_string_equal(RING(1, XS_SET_PERMS, 0, "d\0n1\0r0\0r0\0r0\0r0\0r0"), "ENOSPC");
	memset(text, 'x', sizeof(text));
	memcpy(text, "d/v", 4);
	world_ring_put(w, 1, &(struct xsd_sockmsg){ .type = XS_WRITE, .len = 2100 }, 16);
	for (i = 0; i < 2100; ) {
		i += world_ring_put(w, 1, text + i, 2100 - i);
		world_run(p);
		ring_events(1);
		if (i < 2100)
			continue;
	}
	assert_non_null(strstr(events, "")); /* answers were taken by ring_events() */
	assert_string_equal(RING(1, XS_READ, 0, "d/v"), "ENOENT");
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "quota\0001"),
			       "Domain 1:\nnodes           :        3\nwatches         :      128\n"
			       "transactions    :       10\noutstanding     :        0\nmemory "));
	/* What its transactions hold counts. */
	assert_in_range(domain_find(&p->x, 1)->used[QUOTA_MEMORY], 100, 2000);
	ASK(XS_CONTROL, 0, "quota\0set\0memory\0003000");
	assert_string_equal(ring_ask(1, XS_WRITE, 1, "d/x\0v", 5), "OK");
	assert_string_equal(RING(1, XS_READ, 1, "d/q1"), "ENOENT");
	assert_string_equal(RING(1, XS_READ, 1, "d/q2"), "ENOENT");
	for (i = 0; i < 30 && strcmp(body, "ENOSPC"); i++) {
		int n = sprintf(text, "d/q%d", i) + 1;

		ring_ask(1, XS_READ, 1, text, n);
	}
	assert_string_equal(body, "ENOSPC");
	assert_string_equal(RING(1, XS_RESET_WATCHES, 0, ""), "OK");
	assert_int_equal(domain_find(&p->x, 1)->used[QUOTA_MEMORY], 0);
}

/* A guest that does not read: its queue is bounded, its requests wait, others do not notice. */
static void test_slow_guest(void **state)
{
	char text[64];
	int answers = 0;

	(void)state;
	introduce(1);
	ASK(XS_CONTROL, 0, "quota\0set\0memory\00020000");
	RING(1, XS_WATCH, 0, "data\0t");
	for (int i = 0; i < 2000; i++) {
		int n = sprintf(text, "/local/domain/1/data/%d", i) + 1;

		assert_string_equal(ask_as(tool, XS_WRITE, 0, text, n), "OK");
	}
	assert_true(p->x.count_dropped > 0);
	assert_true(p->x.domains.count && domain_find(&p->x, 1)->used[QUOTA_MEMORY] <= 20000);
	restart();
	/* The same event is not queued twice. */
	domain_find(&p->x, 1)->conn->queued_bytes = domain_find(&p->x, 1)->conn->queued_bytes;
	for (int i = 0; i < 100; i++) {
		uint64_t before = domain_find(&p->x, 1)->conn->queued;

		WRITE(0, "/local/domain/1/data/500\0v");
		if (i > 1)
			assert_int_equal(domain_find(&p->x, 1)->conn->queued, before);
	}
	while (world_ring_receive(w, 1, &got, body)) {
		answers++;
		world_run(p);
	}
	assert_true(answers > 200);
	assert_string_equal(RING(1, XS_GET_DOMAIN_PATH, 0, "1"), "/local/domain/1");
	/* A flood of requests without reading: served up to a bound, then they wait in the ring. */
	for (int i = 0; i < 500; i++) {
		world_ring_send(w, 1, XS_GET_DOMAIN_PATH, 0, "1", 2);
		world_run(p);
	}
	assert_true(domain_find(&p->x, 1)->conn->queued_replies <= p->x.quota[QUOTA_OUTSTANDING]);
}

static void test_control(void **state)
{
	(void)state;
	assert_string_equal(ASK(XS_CONTROL, 0, "check"), "OK");
	assert_string_equal(ASK(XS_CONTROL, 0, "log\0on"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/tool"), "");
	assert_non_null(strstr(w->log, "trace: "));
	assert_string_equal(ASK(XS_CONTROL, 0, "log\0off"), "OK");
	assert_string_equal(ASK(XS_CONTROL, 0, "memreport"), "OK");
	assert_string_equal(ASK(XS_CONTROL, 0, "print\0hello"), "OK");
	assert_non_null(strstr(w->log, "control: hello"));
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "help"), "memreport"));
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "quota"), "nodes            :     1000"));
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "quota-soft"), "memory"));
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "stats"), "requests "));
	assert_string_equal(ASK(XS_CONTROL, 0, "nonsense"), "EINVAL");
	assert_string_equal(ASK(XS_CONTROL, 0, ""), "EINVAL");
	assert_string_equal(ASK(XS_CONTROL, 0, "quota\0set\0x\0001"), "EINVAL");
	assert_string_equal(ASK(XS_CONTROL, 0, "live-update\0-f\0/bin/true"), "OK");
	assert_string_equal(ASK(XS_CONTROL, 0, "live-update\0-s"), "OK");
	assert_true(p->x.live_update);
	assert_string_equal(p->x.live_path, "/bin/true");
}

/* @introduceDomain for a domain that may. */
static void test_special_perms(void **state)
{
	(void)state;
	introduce(1);
	RING(1, XS_WATCH, 0, "@releaseDomain\0t");
	ring_events(1);
	introduce(2);
	ASK(XS_RELEASE, 0, "2");
	assert_string_equal(ring_events(1), "");
	assert_string_equal(RING(1, XS_SET_PERMS, 0, "@releaseDomain\0n0\0r1"), "EACCES");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "@releaseDomain\0n0\0r1"), "OK");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "@other\0n0\0r1"), "EINVAL");
	restart();
	introduce(2);
	ASK(XS_RELEASE, 0, "2");
	assert_string_equal(ring_events(1), "@releaseDomain t;");
}

static void test_poison(void **state)
{
	struct xsd_sockmsg msg = { .type = XS_READ, .len = 6 };

	(void)state;
	introduce(1);
	/* The daemon died thrice of the same request: it is not tried a fourth time. */
	world_ring_put(w, 1, &msg, sizeof(msg));
	world_ring_put(w, 1, "/tool", 6);
	for (int i = 0; i < 3; i++) {
		struct conn *c = domain_find(&p->x, 1)->conn;
		struct shared *s = p->x.journal.shared;

		s->serving_slot = c->slot;
		s->serving_epoch = c->epoch;
		s->serving_done = slot_of(&p->x, c)->in_done + sizeof(msg) + 6;
		world_stop(p);
		p = world_start(w, true);
	}
	world_run(p);
	assert_non_null(strstr(w->log, "crashed the daemon 3 times"));
	assert_true(domain_find(&p->x, 1)->conn->ignored);
}

/* What a thousand domains with their devices have in the store; as many rings as the world has. */
static void test_many_domains(void **state)
{
	char text[128], name[64];

	(void)state;
	for (int d = 1; d < MANY; d++) {
		if (d < WORLD_DOMAINS)
			introduce(d);
		for (int i = 0; i < 60; i++) {
			int n = sprintf(text, "/local/domain/%d/device/vbd/%d/state", d, i) + 1;

			n += sprintf(text + n, "4");
			assert_string_equal(ask_as(tool, XS_WRITE, 0, text, n), "OK");
		}
	}
	restart();
	xsd_idle(&p->x);
	for (int d = 1; d < MANY; d++) {
		sprintf(name, "/local/domain/%d/device/vbd/59/state", d);
		assert_string_equal(ask(XS_READ, 0, name), "4");
		sprintf(name, d < WORLD_DOMAINS ? "%d" : "/local/domain/%d", d);
		assert_string_equal(ask(d < WORLD_DOMAINS ? XS_RELEASE : XS_RM, 0, name), "OK");
	}
	assert_int_equal(p->x.nodes.count, 4);	/* tool, tool/xenstored, local, local/domain */
	xsd_idle(&p->x);
	assert_true(p->x.journal.tail < 65536);
}

/* A restart that cannot have a guest's ring at first: it is served as soon as that is to be had. */
static void test_late_reconnection(void **state)
{
	(void)state;
	introduce(1);
	introduce(2);
	w->domain[1].fail_map = true;
	w->domain[2].fail_bind = true;
	restart();
	assert_string_equal(RING(1, XS_GET_DOMAIN_PATH, 0, "1"), "(none)");
	assert_in_range(xsd_timeout(&p->x), 1, 1000);
	w->now += 1000;
	world_run(p);
	assert_int_equal(w->domain[1].mapped + w->domain[2].mapped, 0);
	w->domain[1].fail_map = w->domain[2].fail_bind = false;
	w->now += 1000;
	assert_int_equal(xsd_timeout(&p->x), 0);
	world_run(p);
	assert_true(world_ring_receive(w, 1, &got, body));
	assert_string_equal(body, "/local/domain/1");
	assert_string_equal(RING(2, XS_GET_DOMAIN_PATH, 0, "2"), "/local/domain/2");
	assert_int_equal(w->domain[1].mapped, 1);
	assert_int_equal(w->domain[2].bound, 1);
	assert_true(xsd_timeout(&p->x) != 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_read_write), TEST(test_bad_requests), TEST(test_long_listing),
		TEST(test_transactions), TEST(test_conflicts), TEST(test_starvation),
		TEST(test_watches), TEST(test_guests), TEST(test_domain_ends),
		TEST(test_ring_faults), TEST(test_late_reconnection), TEST(test_quotas),
		TEST(test_slow_guest),
		TEST(test_control), TEST(test_special_perms), TEST(test_poison),
		TEST(test_many_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
