/* SPDX-License-Identifier: MIT */
/*
 * The daemon as a whole: its start on a journal, the step that its loop takes, its check of itself.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

#define STEP_TURNS 64		/* connections served before the loop looks for events again */
#define IDLE_MS 3000
#define CRASHES_MAX 3		/* on the same request */

static const unsigned int default_quota[QUOTA_KINDS] = {
	[QUOTA_NODES] = 1000, [QUOTA_WATCHES] = 128, [QUOTA_TRANSACTIONS] = 10,
	[QUOTA_OUTSTANDING] = 20, [QUOTA_TX_NODES] = 1024, [QUOTA_MEMORY] = 2560 * 1024,
	[QUOTA_NODE_SIZE] = 2048, [QUOTA_PATH] = XENSTORE_REL_PATH_MAX, [QUOTA_PERMS] = 5,
};

void xsd_log(struct xsd *x, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	port_log(x->port, line);
}

void xsd_init(struct xsd *x, struct port *port, uint32_t seed)
{
	struct perm dom0_only = { 0 };

	memset(x, 0, sizeof(*x));
	x->port = port;
	x->seed = seed | 1;
	table_init(&x->nodes);
	table_init(&x->perms);
	table_init(&x->groups);
	table_init(&x->entries);
	table_init(&x->pending);
	table_init(&x->domains);
	list_init(&x->ready);
	list_init(&x->stalled);
	list_init(&x->dead);
	x->conn_free = 1;
	memcpy(x->quota, default_quota, sizeof(x->quota));
	x->dom0 = domain_add(x, 0, 0);
	for (unsigned int i = 0; i < 2; i++)
		x->special[i] = perms_get(x, &dom0_only, 1);
}

void xsd_free(struct xsd *x)
{
	for (unsigned int i = 0; i < x->conn_room; i++)
		if (x->conns[i])
			conn_free(x, x->conns[i]);
	free(x->conns);
	tree_free(x);
	for (unsigned int i = 0; i < 2; i++)
		perms_put(x, x->special[i]);
	for (size_t i = 0; i < (size_t)1 << x->domains.bits; i++)
		while (x->domains.bucket[i]) {
			struct domain *d = (struct domain *)x->domains.bucket[i];

			x->domains.bucket[i] = d->link.next;
			free(d);
		}
	table_free(&x->nodes);
	table_free(&x->perms);
	table_free(&x->groups);
	table_free(&x->entries);
	table_free(&x->pending);
	table_free(&x->domains);
	journal_close(&x->journal);
}

static void populate(struct xsd *x)
{
	static const char *const paths[] = { "/", "/tool", "/tool/xenstored" };

	rec_begin(&x->journal, 0, 0, 0);
	domain_journal(x, x->dom0);
	for (unsigned int i = 0; i < 3; i++) {
		path_hash(x, paths[i], strlen(paths[i]), &x->path);
		node_create(x, &x->path, x->path.levels, x->special[0], NULL, 0);
	}
	record_commit(x);
}

static void compact(struct xsd *x)
{
	if (!journal_compact_begin(&x->journal)) {
		xsd_log(x, "no room to compact the journal: it goes on growing");
		return;
	}
	restore_snapshot(x);
	journal_compact_end(&x->journal);
	room_left(x);	/* takes the reserve that went with the old file */
	x->compacted_nodes = x->nodes.count;
}

/* Much was appended since the last snapshot, or much of what is in that is gone. */
static bool idle_work(struct xsd *x)
{
	return journal_wants_compaction(&x->journal, true) ||
	       (x->nodes.count < x->compacted_nodes / 2 && x->compacted_nodes > 500);
}

/* A request that ends the process again and again ends its connection instead. */
static void judge_crash(struct xsd *x, bool crashed)
{
	struct shared *s = x->journal.shared;
	struct conn *c = s->serving_slot < x->conn_room ? x->conns[s->serving_slot] : NULL;

	if (!crashed || !c || c->epoch != s->serving_epoch ||
	    slot_of(x, c)->in_done >= s->serving_done) {
		s->crashes = 0;
		return;
	}
	if (++s->crashes < CRASHES_MAX)
		return;
	xsd_log(x, "a request of domain %u crashed the daemon %u times: its connection is dropped",
		c->domain->domid, s->crashes);
	s->crashes = 0;
	conn_kill(x, c, XENSTORE_ERROR_PROTO);
}

int xsd_start(struct xsd *x, const char *dir, bool crashed, bool keep_sockets)
{
	int had = journal_open(&x->journal, dir);

	x->dir = dir;
	if (had < 0)
		return had;
	if (had && x->journal.tail) {
		conn_recover_sent(x);
		had = restore_replay(x);
		if (had < 0 || !x->root)
			return -EPROTO;
		conn_recover_input(x);
		judge_crash(x, crashed);
		for (unsigned int i = 0; i < x->conn_room; i++)
			if (x->conns[i] && x->conns[i]->kind == CONN_SOCKET) {
				if (!keep_sockets) {
					x->conns[i]->fd = -1;
					conn_kill(x, x->conns[i], 0);
				} else if (!x->conns[i]->closing) {
					conn_ready(x, x->conns[i]);
				}
			}
		compact(x);
		room_left(x);
		return 1;
	}
	populate(x);
	room_left(x);
	return 0;
}

bool xsd_step(struct xsd *x)
{
	unsigned int turns = STEP_TURNS;

	if (x->priority && port_now_ms(x->port) >= x->priority_until)
		tx_end_priority(x, true);
	while (!list_empty(&x->ready) && turns--)
		conn_work(x, list_object(x->ready.next, struct conn, turn));
	conns_bury(x);
	if (x->reconnect_at && port_now_ms(x->port) >= x->reconnect_at)
		domains_reconnect(x);
	if (x->check_at && port_now_ms(x->port) >= x->check_at)
		domains_check(x);
	if (x->unstall_at && port_now_ms(x->port) >= x->unstall_at) {
		x->unstall_at = 0;
		conns_unstall(x);
	}
	if (journal_wants_compaction(&x->journal, false))
		compact(x);
	return !list_empty(&x->ready);
}

void xsd_idle(struct xsd *x)
{
	if (idle_work(x))
		compact(x);
}

int xsd_timeout(struct xsd *x)
{
	const uint64_t times[] = { x->reconnect_at, x->check_at, x->unstall_at };
	uint64_t now, until = UINT64_MAX;

	if (!list_empty(&x->ready))
		return 0;
	if (x->priority)
		until = x->priority_until;
	for (unsigned int i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] && times[i] < until)
			until = times[i];
	if (until != UINT64_MAX) {
		now = port_now_ms(x->port);
		return now < until ? (int)(until - now) : 0;
	}
	return idle_work(x) ? IDLE_MS : -1;
}

/* --- The check --- */

static unsigned int check_nodes(struct xsd *x, unsigned int *seen)
{
	char *text = xalloc(2 * XENSTORE_ABS_PATH_MAX);
	unsigned int bad = 0;

	for (const struct node *n = x->root; n; n = node_after(n)) {
		uint32_t bytes = 0;

		path_hash(x, text, node_path(n, text), &x->aux);
		if (node_find(x, &x->aux, x->aux.levels) != n) {
			xsd_log(x, "check: %s is not found by its path", text);
			bad++;
		}
		list_for_each(i, &n->children)
			bytes += list_object(i, struct node, sibling)->name_length + 1;
		if (bytes != n->children_bytes) {
			xsd_log(x, "check: %s has %u bytes of names, not %u", text, bytes,
				n->children_bytes);
			bad++;
		}
		++*seen;
	}
	free(text);
	return bad;
}

static unsigned int check_domain(struct xsd *x, struct domain *d)
{
	unsigned int nodes = 0, bad = 0;

	list_for_each(i, &d->nodes)
		nodes++;
	bad += d->domid && nodes != d->used[QUOTA_NODES];
	bad += d->introduced != (d->conn != NULL);
	if (bad)
		xsd_log(x, "check: domain %u: %u nodes, counted %u", d->domid, nodes,
			d->used[QUOTA_NODES]);
	return bad;
}

/* Input lies within the connection's buffer. */
static unsigned int check_input(struct xsd *x, const struct conn *c)
{
	const struct slot *slot = slot_of(x, c);
	const struct inbuf *b = slot->buf ? journal_buf(&x->journal, slot->buf) : NULL;

	if (!b || b->used <= BUF_ROOM)
		return 0;
	xsd_log(x, "check: slot %u has %u bytes of input in a buffer of %zu", c->slot, b->used,
		(size_t)BUF_ROOM);
	return 1;
}

unsigned int xsd_check(struct xsd *x)
{
	unsigned int seen = 0, bad = check_nodes(x, &seen), entries = 0, txs = 0;

	if (seen != x->nodes.count + 1) {
		xsd_log(x, "check: %u nodes in the tree, %u in the table", seen,
			x->nodes.count + 1);
		bad++;
	}
	for (size_t i = 0; i < (size_t)1 << x->domains.bits; i++)
		for (struct link *l = x->domains.bucket[i]; l; l = l->next)
			bad += check_domain(x, (struct domain *)l);
	for (unsigned int i = 0; i < x->conn_room; i++) {
		struct conn *c = x->conns[i];

		if (!c)
			continue;
		bad += check_input(x, c);
		list_for_each(j, &c->transactions) {
			struct transaction *tx = list_object(j, struct transaction, of_conn);

			txs++;
			list_for_each(k, &tx->all)
				entries++;
		}
	}
	if (entries != x->entries.count || txs != x->open_tx) {
		xsd_log(x, "check: %u transactions with %u entries, counted %u and %u", txs,
			entries, x->open_tx, x->entries.count);
		bad++;
	}
	return bad;
}
