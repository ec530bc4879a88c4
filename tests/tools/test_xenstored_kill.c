/* SPDX-License-Identifier: MIT */
/*
 * The store daemon killed 1,000 times: at every kind of instant, under load, nothing is lost or doubled.
 *
 * Clients (rings and sockets) send long scripts of requests, cut anywhere; each knows every byte that
 * it must be told, in order, events and answers, whatever happens to the daemon. The daemon runs in a
 * forked child that SIGKILLs itself at a chosen point between two stores to shared memory (or between a
 * system call and noting its result); the next child takes over. KILLS and SEED in the environment.
 * LINK: dom0-tools/xenstored/table.c dom0-tools/xenstored/journal.c dom0-tools/xenstored/perms.c dom0-tools/xenstored/tree.c dom0-tools/xenstored/watch.c dom0-tools/xenstored/domain.c dom0-tools/xenstored/transaction.c dom0-tools/xenstored/view.c dom0-tools/xenstored/output.c dom0-tools/xenstored/connection.c dom0-tools/xenstored/request.c dom0-tools/xenstored/control.c dom0-tools/xenstored/restore.c dom0-tools/xenstored/room.c dom0-tools/xenstored/core.c tests/tools/xenstored_world.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dice.h>
#include "xenstored_world.h"

#define RINGS 4			/* domains 1 to 4 */
#define SOCKETS 4
#define CLIENTS (RINGS + SOCKETS)
#define KEYS 12
#define STREAM (512 * 1024)

/* Bytes to send and bytes to be received, in order, as far as they are not yet. */
struct stream {
	char bytes[STREAM];
	unsigned int length, at;
};

struct client {
	bool ring;
	unsigned int number;		/* domid or the world's socket */
	char home[40];
	struct stream in, out;
	struct {
		bool exists;
		unsigned int length;
		char value[1500];
	} key[KEYS], tx_key[KEYS];
	unsigned int watched[KEYS];	/* token, 0: not */
	bool in_tx;
	uint32_t next_tx;
	unsigned int serial;		/* of unique names */
	unsigned int shared_sent;
	unsigned int shared_seen[CLIENTS];	/* of each other's events: the next serial */
	unsigned int released;		/* @releaseDomain events */
};

static struct world *w;
static struct client clients[CLIENTS];
static unsigned int releases;		/* that happened */

/* --- The model --- */

static void append(struct stream *s, const void *bytes, unsigned int length)
{
	if (s->length + length > STREAM) {
		memmove(s->bytes, s->bytes + s->at, s->length - s->at);
		s->length -= s->at;
		s->at = 0;
	}
	assert_true(s->length + length <= STREAM);
	memcpy(s->bytes + s->length, bytes, length);
	s->length += length;
}

static void message(struct stream *s, uint32_t type, uint32_t id, uint32_t tx, const void *body,
		    unsigned int length)
{
	struct xsd_sockmsg msg = { .type = type, .req_id = id, .tx_id = tx, .len = length };

	append(s, &msg, sizeof(msg));
	append(s, body, length);
}

static void request(struct client *c, uint32_t type, uint32_t tx, const void *body,
		    unsigned int length)
{
	message(&c->out, type, ++c->serial, tx, body, length);
}

static void expect(struct client *c, uint32_t type, uint32_t tx, const void *body,
		   unsigned int length)
{
	message(&c->in, type, c->serial, tx, body, length);
}

static void expect_event(struct client *c, const char *path, const char *token)
{
	char body[256];
	int n = sprintf(body, "%s", path) + 1;

	n += sprintf(body + n, "%s", token) + 1;
	message(&c->in, XS_WATCH_EVENT, 0, 0, body, n);
}

static void key_path(struct client *c, unsigned int key, char *path)
{
	sprintf(path, "%s/k/%u", c->home, key);
}

static void do_write(struct client *c, unsigned int key, uint32_t tx)
{
	char body[2000], path[64];
	int n, length = dice(8) ? dice(60) : dice(1500);

	key_path(c, key, path);
	n = sprintf(body, "%s", path) + 1;
	for (int i = 0; i < length; i++)
		body[n + i] = dice(256);
	request(c, XS_WRITE, tx, body, n + length);
	c->tx_key[key].exists = true;
	c->tx_key[key].length = length;
	memcpy(c->tx_key[key].value, body + n, length);
	if (!tx)
		c->key[key] = c->tx_key[key];
	expect(c, XS_WRITE, tx, "OK", 3);
}

static void do_read(struct client *c, unsigned int key, uint32_t tx)
{
	char path[64];

	key_path(c, key, path);
	request(c, XS_READ, tx, path, strlen(path) + 1);
	if (c->tx_key[key].exists)
		expect(c, XS_READ, tx, c->tx_key[key].value, c->tx_key[key].length);
	else
		expect(c, XS_ERROR, tx, "ENOENT", 7);
}

static void do_rm(struct client *c, unsigned int key, uint32_t tx)
{
	char path[64];

	key_path(c, key, path);
	request(c, XS_RM, tx, path, strlen(path) + 1);
	c->tx_key[key].exists = false;
	if (!tx)
		c->key[key].exists = false;
	expect(c, XS_RM, tx, "OK", 3);
}

/* A node that nobody made before, below a watch on it: exactly one event, before the answer. */
static void do_unique(struct client *c)
{
	char path[80];
	int n = sprintf(path, "%s/u/%u", c->home, c->serial) + 1;

	request(c, XS_MKDIR, 0, path, n);
	expect_event(c, path, "unique");
	expect(c, XS_MKDIR, 0, "OK", 3);
}

static void do_watch(struct client *c, unsigned int key)
{
	char body[128];
	int n = sprintf(body, "%s/q/%u", c->home, key) + 1;

	/* A new token each time: an event that still waits may swallow its equal. */
	n += sprintf(body + n, "q%u", c->watched[key] ? c->watched[key] : c->serial + 1) + 1;
	if (c->watched[key]) {
		request(c, XS_UNWATCH, 0, body, n);
		expect(c, XS_UNWATCH, 0, "OK", 3);
	} else {
		request(c, XS_WATCH, 0, body, n);
		expect(c, XS_WATCH, 0, "OK", 3);
		message(&c->in, XS_WATCH_EVENT, 0, 0, body, n);
	}
	c->watched[key] = c->watched[key] ? 0 : c->serial;
}

/* What all watch: each gets each event once, each sender's in order. */
static void do_shared(struct client *c)
{
	char path[64];
	int n = sprintf(path, "/shared/%u/%u", (unsigned int)(c - clients), c->shared_sent++) + 1;

	request(c, XS_WRITE, 0, path, n);
	expect(c, XS_WRITE, 0, "OK", 3);
}

static void do_tx(struct client *c)
{
	if (c->in_tx) {
		bool commit = dice(4);

		request(c, XS_TRANSACTION_END, c->next_tx, commit ? "T" : "F", 2);
		expect(c, XS_TRANSACTION_END, c->next_tx, "OK", 3);
		if (commit)
			memcpy(c->key, c->tx_key, sizeof(c->key));
		else
			memcpy(c->tx_key, c->key, sizeof(c->key));
		c->in_tx = false;
	} else {
		char text[16];

		request(c, XS_TRANSACTION_START, 0, "", 1);
		expect(c, XS_TRANSACTION_START, 0, text, sprintf(text, "%u", ++c->next_tx) + 1);
		c->in_tx = true;
	}
}

static void one_request(struct client *c)
{
	uint32_t tx = c->in_tx ? c->next_tx : 0;
	unsigned int key = dice(KEYS);

	switch (dice(12)) {
	case 0 ... 2:
		do_write(c, key, tx);
		break;
	case 3 ... 5:
		do_read(c, key, tx);
		break;
	case 6:
		do_rm(c, key, tx);
		break;
	case 7:
		do_unique(c);
		break;
	case 8:
		do_watch(c, key);
		break;
	case 9:
		do_shared(c);
		break;
	default:
		do_tx(c);
	}
}

/* --- Clients at work --- */

static void send_some(struct client *c)
{
	unsigned int left = c->out.length - c->out.at;
	unsigned int n = dice(4) ? left : dice(left + 1);
	ssize_t sent;

	if (!n)
		return;
	if (c->ring)
		sent = world_ring_put(w, c->number, c->out.bytes + c->out.at, n);
	else
		sent = send(w->socket[c->number].client, c->out.bytes + c->out.at, n, MSG_NOSIGNAL);
	assert_true(sent >= 0 || errno == EAGAIN);
	if (sent > 0)
		c->out.at += sent;
}

/* An event that others caused: not at a known place in the stream, but once and in order. */
static bool foreign_event(struct client *c, const struct xsd_sockmsg *msg, const char *body)
{
	unsigned int from, serial;

	if (msg->type != XS_WATCH_EVENT)
		return false;
	if (!strcmp(body, "@releaseDomain")) {
		c->released++;
		return true;
	}
	if (!strcmp(body, "/shared"))	/* at registration */
		return true;
	if (sscanf(body, "/shared/%u/%u", &from, &serial) != 2)
		return false;
	assert_true(from < CLIENTS);
	assert_int_equal(serial, c->shared_seen[from]);
	c->shared_seen[from]++;
	return true;
}

static char partial[CLIENTS][MESSAGE_MAX];
static unsigned int partial_length[CLIENTS];

static void receive_some(struct client *c)
{
	char *bytes = partial[c - clients];
	unsigned int *have = &partial_length[c - clients];
	bool slow = !dice(3);

	for (;;) {
		struct xsd_sockmsg msg = { 0 };
		unsigned int need = sizeof(msg);
		ssize_t n;

		if (*have >= sizeof(msg)) {
			memcpy(&msg, bytes, sizeof(msg));
			assert_true(msg.len <= XENSTORE_PAYLOAD_MAX);
			need += msg.len;
		}
		if (*have >= sizeof(msg) && *have == need) {
			if (!foreign_event(c, &msg, bytes + sizeof(msg))) {
				assert_true(c->in.length - c->in.at >= need);
				assert_memory_equal(bytes, c->in.bytes + c->in.at, need);
				c->in.at += need;
			}
			*have = 0;
			if (slow && !dice(4))
				return;
			continue;
		}
		if (c->ring)
			n = world_ring_get(w, c->number, bytes + *have, need - *have);
		else
			n = recv(w->socket[c->number].client, bytes + *have, need - *have, 0);
		if (n <= 0)
			return;
		*have += n;
	}
}

/* --- The daemon --- */

/* Runs one to its end (nothing left to do) or its death; whether it was killed. */
static bool run_daemon(long kill_at)
{
	pid_t pid;
	int status;

	w->points = 0;
	w->kill_at = kill_at;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct port *p = world_start(w, false);

		world_run(p);
		if (!dice(3))
			xsd_idle(&p->x);
		if (xsd_check(&p->x)) {
			fprintf(stderr, "%s", w->log);
			_exit(9);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void ask_dom0(int tool, uint32_t type, const char *body, unsigned int length)
{
	struct xsd_sockmsg msg;
	char text[XENSTORE_PAYLOAD_MAX + 1];

	world_send(w, tool, type, 0, body, length);
	run_daemon(0);
	assert_int_equal(world_receive(w, tool, &msg, text), 1);
	if (msg.type == XS_ERROR)
		fail_msg("%u: %s", type, text);
}

static void set_up_client(int tool, unsigned int i)
{
	struct client *c = &clients[i];
	char text[128];
	int n;

	memset(c, 0, sizeof(*c));
	c->ring = i < RINGS;
	if (c->ring) {
		c->number = i + 1;
		w->domain[c->number].state = DOMAIN_EXISTS;
		n = sprintf(text, "%u", c->number) + 1;
		n += sprintf(text + n, "77") + 1;
		n += sprintf(text + n, "5") + 1;
		ask_dom0(tool, XS_INTRODUCE, text, n);
		sprintf(c->home, "/local/domain/%u", c->number);
	} else {
		c->number = world_connect(w);
		sprintf(c->home, "/socket/%u", i);
	}
	n = sprintf(text, "%s/k", c->home) + 1;
	ask_dom0(tool, XS_MKDIR, text, n);
	if (c->ring) {
		n = sprintf(text, "%s", c->home) + 1;
		n += sprintf(text + n, "n%u", c->number) + 1;
		ask_dom0(tool, XS_SET_PERMS, text, n);
		n = sprintf(text, "%s/k", c->home) + 1;
		n += sprintf(text + n, "n%u", c->number) + 1;
		ask_dom0(tool, XS_SET_PERMS, text, n);
	}
	n = sprintf(text, "/shared/%u", i) + 1;
	ask_dom0(tool, XS_MKDIR, text, n);
	n += sprintf(text + n, "b0") + 1;
	ask_dom0(tool, XS_SET_PERMS, text, n);
	n = sprintf(text, "%s/u", c->home) + 1;
	n += sprintf(text + n, "unique") + 1;
	n += sprintf(text + n, "1") + 1;
	request(c, XS_WATCH, 0, text, n);
	expect(c, XS_WATCH, 0, "OK", 3);
	message(&c->in, XS_WATCH_EVENT, 0, 0, text, n - 2);
	request(c, XS_WATCH, 0, "/shared\0t", 10);
	expect(c, XS_WATCH, 0, "OK", 3);
	if (!c->ring) {
		request(c, XS_WATCH, 0, "@releaseDomain\0r", 17);
		expect(c, XS_WATCH, 0, "OK", 3);
		c->released = -1;
	}
}

/* Another domain comes and goes: by the toolstack, or by itself, noticed by whoever lives then. */
static void passing_domain(int tool, unsigned int domid)
{
	char text[64];
	int n = sprintf(text, "%u", domid) + 1;

	if (w->domain[domid].state == DOMAIN_EXISTS) {
		w->domain[domid].state = dice(2) ? 0 :
						   DOMAIN_EXISTS | DOMAIN_DYING | DOMAIN_SHUTDOWN;
		releases++;
		return;
	}
	run_daemon(0);	/* ids are not used again as long as the dead one is not noticed */
	w->domain[domid].state = DOMAIN_EXISTS;
	n += sprintf(text + n, "77") + 1;
	n += sprintf(text + n, "5") + 1;
	ask_dom0(tool, XS_INTRODUCE, text, n);
}

static void drain(void)
{
	bool left = true;

	for (int i = 0; i < 4000 && left; i++) {
		left = false;
		for (unsigned int j = 0; j < CLIENTS; j++) {
			struct client *c = &clients[j];

			send_some(c);
			left |= c->out.at < c->out.length || c->in.at < c->in.length;
		}
		run_daemon(0);
		for (unsigned int j = 0; j < CLIENTS; j++)
			receive_some(&clients[j]);
	}
	for (unsigned int j = 0; j < CLIENTS; j++) {
		struct client *c = &clients[j];

		assert_int_equal(c->out.at, c->out.length);
		assert_int_equal(c->in.at, c->in.length);
		assert_int_equal(partial_length[j], 0);
		for (unsigned int k = 0; k < CLIENTS; k++)
			assert_int_equal(c->shared_seen[k], clients[k].shared_sent);
		if (!c->ring)
			assert_int_equal(c->released, releases);
	}
}

static void test_kills(void **state)
{
	const char *kills_text = getenv("KILLS"), *seed = getenv("SEED");
	static const unsigned int spans[] = { 60, 250, 1000 };
	unsigned int kills = 0, wanted = kills_text ? atoi(kills_text) : 1000, rounds = 0;
	int tool;

	(void)state;
	dice_state = seed ? strtoull(seed, NULL, 10) * 0x9e3779b97f4a7c15ull + 1 :
			    88172645463325252ull;
	w = world_new("test_xenstored_kill");
	tool = world_connect(w);
	for (unsigned int i = 0; i < CLIENTS; i++)
		set_up_client(tool, i);
	drain();
	while (kills < wanted) {
		for (unsigned int i = 0; i < CLIENTS; i++) {
			for (unsigned int n = dice(6); n; n--)
				one_request(&clients[i]);
			send_some(&clients[i]);
		}
		if (!dice(16))
			passing_domain(tool, RINGS + 1 + dice(2));
		kills += run_daemon(1 + dice(spans[dice(3)]));
		for (unsigned int i = 0; i < CLIENTS; i++)
			receive_some(&clients[i]);
		if (++rounds % 200 == 0)
			drain();
	}
	drain();
	printf("%u kills in %u lives of the daemon\n", kills, rounds);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kills) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
