/* SPDX-License-Identifier: MIT */
/*
 * Rubbish and near-rubbish into the store daemon, through rings and sockets, with restarts in between.
 *
 * After each batch the daemon's own check must find nothing; after each restart nodes, watches and
 * transactions must be what they were. FUZZ_CASES messages (100,000), FUZZ_SEED.
 * LINK: dom0-tools/xenstored/table.c dom0-tools/xenstored/journal.c dom0-tools/xenstored/perms.c dom0-tools/xenstored/tree.c dom0-tools/xenstored/watch.c dom0-tools/xenstored/domain.c dom0-tools/xenstored/transaction.c dom0-tools/xenstored/view.c dom0-tools/xenstored/output.c dom0-tools/xenstored/connection.c dom0-tools/xenstored/request.c dom0-tools/xenstored/control.c dom0-tools/xenstored/restore.c dom0-tools/xenstored/room.c dom0-tools/xenstored/core.c tests/tools/xenstored_world.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dice.h>
#include "xenstored_world.h"

#define RINGS 3
#define SOCKETS 2

static struct world *w;
static struct port *p;
static int sockets[SOCKETS];

/* --- Messages --- */

static unsigned int some_path(char *to)
{
	static const char *const names[] = { "a",    "b",      "c",
					     "data", "device", "0",
					     "1",    "@x",     "long-name-0123456789" };
	static const char *const starts[] = {
		"/", "/local/domain/1/", "/local/domain/2/", "/tool/",
		"",  "/local/domain/",	 "@introduceDomain", "@releaseDomain"
	};
	unsigned int n = sprintf(to, "%s", starts[dice(8)]), depth = dice(30) ? dice(4) : dice(300);

	if (to[0] == '@')
		return n;
	for (unsigned int i = 0; i <= depth && n < 2500; i++)
		n += sprintf(to + n, "%s%s", i ? "/" : "", names[dice(9)]);
	if (!dice(20))
		to[dice(n)] = dice(256);
	if (!dice(40))
		n = dice(n + 1);
	return n;
}

static unsigned int some_body(uint32_t type, char *to)
{
	static const char *const words[] = { "T",     "F",   "1",     "2",	     "0",
					     "n0",    "r1",  "b2",    "w3",	     "n1",
					     "x",     "-1",  "65535", "99999999999", "check",
					     "quota", "set", "nodes", "memreport",   "help",
					     "stats", "log", "on" };
	unsigned int n = 0, more;

	if (!dice(25)) {
		n = dice(64);
		for (unsigned int i = 0; i < n; i++)
			to[i] = dice(256);
		return n;
	}
	if (type != XS_TRANSACTION_START && type != XS_TRANSACTION_END && type != XS_CONTROL) {
		n = some_path(to);
		to[n++] = 0;
	}
	if (type == XS_TRANSACTION_END)
		return sprintf(to, "%s", dice(3) ? "T" : "F") + 1;
	if (type == XS_WRITE) {
		more = dice(10) ? dice(40) : dice(1500);
		for (unsigned int i = 0; i < more && n < XENSTORE_PAYLOAD_MAX; i++)
			to[n++] = dice(256);
		return n;
	}
	more = type == XS_WATCH || type == XS_UNWATCH	  ? 1 + !dice(4) :
	       type == XS_SET_PERMS			  ? 1 + dice(4) :
	       type == XS_CONTROL || type == XS_INTRODUCE ? 1 + dice(4) :
							    !dice(8);
	while (more--)
		n += sprintf(to + n, "%s", words[dice(23)]) + 1;
	return n;
}

static const uint32_t types[] = {
	XS_WRITE, XS_WRITE, XS_WRITE, XS_READ, XS_READ, XS_MKDIR, XS_MKDIR, XS_RM, XS_DIRECTORY,
	XS_DIRECTORY_PART,
	XS_SET_PERMS, XS_GET_PERMS, XS_WATCH, XS_WATCH, XS_UNWATCH, XS_TRANSACTION_START,
	XS_TRANSACTION_START,
	XS_TRANSACTION_END, XS_TRANSACTION_END, XS_INTRODUCE, XS_RELEASE, XS_GET_DOMAIN_PATH,
	XS_IS_DOMAIN_INTRODUCED,
	XS_RESUME, XS_SET_TARGET, XS_RESET_WATCHES, XS_CONTROL,
};

static unsigned int some_message(char *to)
{
	struct xsd_sockmsg msg = { .type = types[dice(sizeof(types) / sizeof(types[0]))],
				   .req_id = dice(9) };

	if (!dice(3))
		msg.tx_id = dice(12);
	msg.len = some_body(msg.type, to + sizeof(msg));
	if (!dice(100))
		msg.type = dice(40);
	memcpy(to, &msg, sizeof(msg));
	if (!dice(2000)) {	/* with the header's, it wraps */
		uint32_t huge = UINT32_MAX - dice(20);

		memcpy(to + offsetof(struct xsd_sockmsg, len), &huge, sizeof(huge));
	}
	if (!dice(400))
		to[dice(sizeof(msg))] = dice(256);
	return sizeof(msg) + msg.len;
}

/* --- What must be the same after a restart --- */

static char *dump(size_t *length)
{
	struct xsd *x = &p->x;
	char *text = NULL, path[2 * XENSTORE_ABS_PATH_MAX], perms[64 * 12];
	FILE *f = open_memstream(&text, length);
	struct node *n = x->root;

	for (; n; n = node_after(n)) {
		unsigned int bytes = perms_print(n->perms, perms);

		node_path(n, path);
		fprintf(f, "%s %u:", path, n->length);
		fwrite(node_value(n), 1, n->length, f);
		fwrite(perms, 1, bytes, f);
		fputc('\n', f);
	}
	for (unsigned int i = 0; i < x->conn_room; i++) {
		struct conn *c = x->conns[i];

		if (!c)
			continue;
		fprintf(f, "conn %u domain %u ignored %u queued %u\n", i, c->domain->domid,
			c->ignored, c->queued);
		list_for_each(j, &c->watches) {
			struct watch *a = list_object(j, struct watch, in_conn);

			fprintf(f, "watch %s %s %d %u\n", a->group->path, a->token, a->depth,
				a->base);
		}
		list_for_each(j, &c->transactions) {
			struct transaction *tx = list_object(j, struct transaction, of_conn);

			fprintf(f, "tx %u doomed %u made %u\n", tx->id, tx->doomed, tx->nodes_made);
			list_for_each(k, &tx->modified) {
				struct entry *e = list_object(k, struct entry, modified);

				fprintf(f, "entry %s %x %u\n", e->path, e->flags, e->length);
			}
		}
	}
	for (unsigned int i = 1; i < WORLD_DOMAINS; i++) {
		struct domain *d = domain_find(x, i);

		if (d)
			fprintf(f, "domain %u %u %u nodes %u\n", i, d->introduced, d->shutdown,
				d->used[QUOTA_NODES]);
	}
	fclose(f);
	return text;
}

static void fail(const char *what)
{
	fprintf(stderr, "%s\n%s", what, w->log);
	exit(1);
}

static void restart(void)
{
	size_t before_length, after_length;
	char *before, *after;

	domains_check(&p->x);	/* as a start does */
	before = dump(&before_length);
	world_stop(p);
	p = world_start(w, false);
	after = dump(&after_length);
	if (before_length != after_length || memcmp(before, after, after_length)) {
		size_t at = 0, line = 0;

		while (at < before_length && at < after_length && before[at] == after[at])
			if (before[at++] == '\n')
				line = at;
		fprintf(stderr, "--- before\n%.300s\n--- after\n%.300s\n", before + line,
			after + line);
		fail("a restart changed the state");
	}
	free(before);
	free(after);
}

/* --- The run --- */

static void open_world(void)
{
	w = world_new("fuzz_xenstored");
	p = world_start(w, false);
	for (int i = 0; i < SOCKETS; i++)
		sockets[i] = world_connect(w);
	for (unsigned int i = 1; i <= RINGS; i++) {
		char text[32];
		int n = sprintf(text, "%u", i) + 1;

		w->domain[i].state = DOMAIN_EXISTS;
		n += sprintf(text + n, "9") + 1;
		n += sprintf(text + n, "4") + 1;
		world_send(w, sockets[0], XS_INTRODUCE, 0, text, n);
		world_run(p);
		n = sprintf(text, "/local/domain/%u", i) + 1;
		world_send(w, sockets[0], XS_MKDIR, 0, text, n);
		n += sprintf(text + n, "n%u", i) + 1;
		world_send(w, sockets[0], XS_SET_PERMS, 0, text, n);
		world_run(p);
	}
}

static void drain(void)
{
	char bytes[4096];

	for (int i = 0; i < SOCKETS; i++)
		while (recv(w->socket[sockets[i]].client, bytes, sizeof(bytes), 0) > 0)
			;
	for (unsigned int i = 1; i <= RINGS; i++)
		world_ring_get(w, i, bytes, sizeof(bytes));
}

static void one_case(void)
{
	char bytes[2 * MESSAGE_MAX];
	unsigned int n = some_message(bytes), who = dice(RINGS + SOCKETS);

	if (who < SOCKETS) {
		int fd = w->socket[sockets[who]].client;

		if (send(fd, bytes, n, MSG_NOSIGNAL) < 0 && w->socket[sockets[who]].closed) {
			world_hang_up(w, sockets[who]);
			world_run(p);
			world_reap(w);
			sockets[who] = world_connect(w);
		}
	} else {
		struct xenstore_domain_interface *ring = (void *)w->ring[who - SOCKETS + 1];

		if (ring->error && !dice(4))
			ring->connection = XENSTORE_RECONNECT;
		world_ring_put(w, who - SOCKETS + 1, bytes, n);
		if (!dice(5000))
			ring->rsp_cons = dice(3000);
		if (!dice(5000))
			ring->req_prod = ring->req_cons + dice(3000);
	}
	if (!dice(3))
		world_run(p);
	if (dice(4))
		drain();
}

int main(void)
{
	const char *seed = getenv("FUZZ_SEED");
	unsigned long n = dice_cases();

	dice_state = (seed ? strtoull(seed, NULL, 10) : 1) * 0x9e3779b97f4a7c15ull;
	open_world();
	for (unsigned long i = 1; i <= n; i++) {
		one_case();
		if (!dice(3000))
			w->domain[1 + dice(RINGS)].state ^= DOMAIN_SHUTDOWN;
		w->now += dice(20);
		if (i % 128)
			continue;
		world_run(p);
		if (xsd_check(&p->x))
			fail("the check found something");
		if (!dice(4))
			restart();
		if (!dice(60)) {
			world_stop(p);
			world_free(w);
			open_world();
		}
	}
	world_stop(p);
	world_free(w);
	printf("%lu passed, 0 failed\n", n);
	return 0;
}
