/* SPDX-License-Identifier: MIT */
/*
 * From records to state and back: replaying the journal at start, and writing all state as the
 * first record of a fresh journal.
 *
 * Items change state through the same functions as requests do, so that a replayed store is the
 * store that was; only what reaches outside (rings, sockets, watch events) is left to others. The
 * journal is our own, but a damaged one must not do harm: lengths are checked, what makes no sense
 * ends the replay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xsd.h"

struct item_meta {
	uint64_t gen;
	uint32_t next_epoch, next_instance;
	uint32_t quota[QUOTA_KINDS + 1];
};

struct item_node {
	uint16_t path, perms, value, reserved;
};

/* --- Replay: one function per type of item --- */

static int on_meta(struct xsd *x, const void *payload)
{
	const struct item_meta *m = payload;

	x->gen = m->gen;
	x->next_epoch = m->next_epoch;
	x->next_instance = m->next_instance;
	memcpy(x->quota, m->quota, sizeof(x->quota));
	return 0;
}

static int on_domain(struct xsd *x, const void *payload)
{
	const struct item_domain *i = payload;
	struct domain *d = domain_find(x, i->domid);

	if (!d)
		d = domain_add(x, i->domid, i->instance);
	if (d->instance != i->instance)
		return -EPROTO;
	d->target = i->target;
	d->target_instance = i->target_instance;
	d->introduced = i->introduced;
	d->shutdown = i->shutdown;
	d->remote_port = i->remote_port;
	d->frame = i->frame;
	if (x->next_instance < i->instance)
		x->next_instance = i->instance;
	return 0;
}

static int on_domain_gone(struct xsd *x, const void *payload)
{
	const struct item_domain *i = payload;
	struct domain *d = domain_find(x, i->domid);

	if (!d || !i->domid)
		return -EPROTO;
	if (d->conn)
		conn_free(x, d->conn);
	domain_free(x, d);
	return 0;
}

/* An item about a node, taken apart; its path in x->path. */
static const char *open_item(struct xsd *x, const struct item_node *i, struct perms **perms,
			     struct node **n)
{
	const struct perm *entries = (const void *)(i + 1);
	const char *path = (const char *)(entries + i->perms);

	path_hash(x, path, i->path, &x->path);
	*n = node_find(x, &x->path, x->path.levels);
	*perms = i->perms ? perms_get(x, entries, i->perms) : NULL;
	return path + i->path;
}

static int on_node(struct xsd *x, const void *payload)
{
	const struct item_node *i = payload;
	struct perms *perms;
	struct node *n;
	const char *value = open_item(x, i, &perms, &n);
	bool ok = perms && (!n || !x->path.levels) && !(n && x->root == n);

	if (ok && x->path.levels)
		ok = node_find(x, &x->path, x->path.levels - 1) != NULL;
	if (ok)
		node_create(x, &x->path, x->path.levels, perms, value, i->value);
	perms_put(x, perms);
	return ok ? 0 : -EPROTO;
}

static int on_value(struct xsd *x, const void *payload)
{
	const struct item_node *i = payload;
	struct perms *perms;
	struct node *n;
	const char *value = open_item(x, i, &perms, &n);

	perms_put(x, perms);
	if (!n)
		return -EPROTO;
	node_set_value(x, &x->path, n, value, i->value);
	return 0;
}

static int on_perms(struct xsd *x, const void *payload)
{
	struct perms *perms;
	struct node *n;

	open_item(x, payload, &perms, &n);
	if (n && perms)
		node_set_perms(x, &x->path, n, perms);
	perms_put(x, perms);
	return n && perms ? 0 : -EPROTO;
}

static int on_remove(struct xsd *x, const void *payload)
{
	struct perms *perms;
	struct node *n;

	open_item(x, payload, &perms, &n);
	perms_put(x, perms);
	if (!n || !n->parent)
		return -EPROTO;
	node_remove(x, &x->path, n);
	return 0;
}

static int on_special(struct xsd *x, const void *payload)
{
	const struct item_special *i = payload;

	if (i->which > 1 || !i->perms)
		return -EPROTO;
	perms_put(x, x->special[i->which]);
	x->special[i->which] = perms_get(x, (const struct perm *)(i + 1), i->perms);
	return 0;
}

static struct conn *conn_at(struct xsd *x, uint32_t slot)
{
	return slot < x->conn_room ? x->conns[slot] : NULL;
}

static int on_open(struct xsd *x, const void *payload)
{
	const struct item_conn *i = payload;
	struct domain *d = domain_find(x, i->domid);
	struct conn *c;

	if (!d || !i->slot || conn_at(x, i->slot) || (i->kind == CONN_RING && d->conn))
		return -EPROTO;
	c = conn_make(x, i->kind, i->slot, i->epoch);
	if (!c)
		return -EPROTO;
	c->domain = d;
	c->fd = i->fd;
	c->cookie = i->cookie;
	c->next_tx = i->next_tx;
	c->ignored = i->ignored;
	if (i->kind == CONN_RING)
		d->conn = c;
	if (x->next_epoch < i->epoch)
		x->next_epoch = i->epoch;
	return 0;
}

static int on_close(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;
	struct conn *c = conn_at(x, i[0]);

	if (!c)
		return -EPROTO;
	if (c->kind == CONN_RING)
		c->domain->conn = NULL;
	conn_free(x, c);
	return 0;
}

static int on_reset(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;
	struct conn *c = conn_at(x, i[0]);

	if (!c)
		return -EPROTO;
	conn_clear(x, c);
	c->epoch = i[1];
	c->ignored = false;
	c->out_made = 0;
	c->next_tx = 1;
	if (x->next_epoch < i[1])
		x->next_epoch = i[1];
	return 0;
}

static int on_ignore(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;
	struct conn *c = conn_at(x, i[0]);

	if (!c)
		return -EPROTO;
	conn_clear(x, c);
	c->ignored = true;
	return 0;
}

static int on_forget(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;
	struct conn *c = conn_at(x, i[0]);

	if (!c)
		return -EPROTO;
	watches_drop(x, c);
	txs_drop(x, c);
	return 0;
}

static int on_watch(struct xsd *x, const void *payload)
{
	const struct item_watch *i = payload;
	const char *path = (const char *)(i + 1);
	struct conn *c = conn_at(x, i->slot);

	return c && !watch_add(x, c, path, path + strlen(path) + 1, i->depth, i->base) ? 0 :
											 -EPROTO;
}

static int on_unwatch(struct xsd *x, const void *payload)
{
	const struct item_watch *i = payload;
	const char *path = (const char *)(i + 1);
	struct conn *c = conn_at(x, i->slot);

	return c && !watch_remove(x, c, path, path + strlen(path) + 1) ? 0 : -EPROTO;
}

static int on_tx_start(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;
	struct conn *c = conn_at(x, i[0]);
	struct transaction *tx;

	if (!c || tx_find(c, i[1]))
		return -EPROTO;
	tx = tx_start(x, c, i[1]);
	tx->doomed = i[2];
	if (c->next_tx <= i[1])
		c->next_tx = i[1] + 1;
	return 0;
}

static int on_tx_entry(struct xsd *x, const void *payload)
{
	const struct item_tx_entry *i = payload;
	struct conn *c = conn_at(x, i->slot);
	struct transaction *tx = c ? tx_find(c, i->id) : NULL;

	if (!tx)
		return -EPROTO;
	tx_restore(x, tx, i);
	return 0;
}

static int on_tx_end(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;
	struct conn *c = conn_at(x, i[0]);
	struct transaction *tx = c ? tx_find(c, i[1]) : NULL;

	if (!tx)
		return -EPROTO;
	tx_free(x, tx);
	return 0;
}

static int on_quota(struct xsd *x, const void *payload)
{
	const uint32_t *i = payload;

	if (i[0] >= QUOTA_KINDS)
		return -EPROTO;
	x->quota[i[0]] = i[1];
	return 0;
}

/* A message: queued again as far as it was not delivered. */
static int on_out(struct xsd *x, const struct item_out *i, uint32_t length)
{
	struct conn *c = conn_at(x, i->slot);
	struct slot *slot;
	uint64_t delivered;

	if (!c || c->epoch != i->epoch)
		return 0;
	slot = slot_of(x, c);
	delivered = slot->epoch == c->epoch ? slot->delivered : 0;
	c->out_made = i->offset + length;
	if (c->out_made > delivered && !c->ignored)
		conn_queue(x, c, i + 1, length, delivered > i->offset ? delivered - i->offset : 0);
	return 0;
}

static const struct {
	int (*replay)(struct xsd *x, const void *payload);
	uint32_t least;			/* bytes of payload */
} items[ITEM_TYPES] = {
	[ITEM_META] = { on_meta, sizeof(struct item_meta) },
	[ITEM_DOMAIN] = { on_domain, sizeof(struct item_domain) },
	[ITEM_DOMAIN_GONE] = { on_domain_gone, sizeof(struct item_domain) },
	[ITEM_NODE] = { on_node, sizeof(struct item_node) },
	[ITEM_VALUE] = { on_value, sizeof(struct item_node) },
	[ITEM_PERMS] = { on_perms, sizeof(struct item_node) },
	[ITEM_REMOVE] = { on_remove, sizeof(struct item_node) },
	[ITEM_SPECIAL] = { on_special, sizeof(struct item_special) },
	[ITEM_OPEN] = { on_open, sizeof(struct item_conn) },
	[ITEM_CLOSE] = { on_close, 8 },
	[ITEM_RESET] = { on_reset, 8 },
	[ITEM_IGNORE] = { on_ignore, 8 },
	[ITEM_FORGET] = { on_forget, 8 },
	[ITEM_WATCH] = { on_watch, sizeof(struct item_watch) + 2 },
	[ITEM_UNWATCH] = { on_unwatch, sizeof(struct item_watch) + 2 },
	[ITEM_TX_START] = { on_tx_start, 16 },
	[ITEM_TX_ENTRY] = { on_tx_entry, sizeof(struct item_tx_entry) },
	[ITEM_TX_END] = { on_tx_end, 16 },
	[ITEM_QUOTA] = { on_quota, 8 },
};

static int replay_item(struct xsd *x, const struct item *item)
{
	if (item->type == ITEM_OUT && item->length >= sizeof(struct item_out))
		return on_out(x, (const void *)(item + 1), item->length - sizeof(struct item_out));
	if (item->type >= ITEM_TYPES || !items[item->type].replay ||
	    item->length < items[item->type].least)
		return -EPROTO;
	return items[item->type].replay(x, item + 1);
}

/* The slots know all that earlier records say of served input; the last may not have got there. */
static void replay_done(struct xsd *x, const struct rec *rec)
{
	struct conn *c = conn_at(x, rec->slot);
	struct slot *slot = c ? slot_of(x, c) : NULL;

	if (slot && slot->epoch == rec->epoch && slot->in_done < rec->in_done)
		publish(slot->in_done, rec->in_done);
}

int restore_replay(struct xsd *x)
{
	struct journal *j = &x->journal;
	const struct rec *rec = NULL;
	size_t at = 0;
	int count = 0, err = 0;

	x->restoring = true;
	while (!err && at < j->tail) {
		size_t i = at + sizeof(*rec), end;

		rec = (const struct rec *)(j->log + at);
		end = at + rec->length;
		if (rec->length < sizeof(*rec) || end > j->tail)
			err = -EPROTO;
		while (!err && i < end) {
			const struct item *item = (const struct item *)(j->log + i);
			size_t length = sizeof(*item) + ((item->length + 7ul) & ~7ul);

			err = length > end - i ? -EPROTO : replay_item(x, item);
			i += length;
		}
		at = end;
		count++;
	}
	if (!err && rec)
		replay_done(x, rec);
	x->restoring = false;
	return err ? err : count;
}

/* --- The snapshot --- */

static void save_nodes(struct xsd *x)
{
	char *text = xalloc(2 * XENSTORE_ABS_PATH_MAX);

	for (const struct node *n = x->root; n; n = node_after(n)) {
		unsigned int path = node_path(n, text), entries = n->perms->count;
		struct item_node *i =
			rec_item(&x->journal, ITEM_NODE,
				 sizeof(*i) + path + n->length + entries * sizeof(struct perm));
		char *to = (char *)(i + 1);

		*i = (struct item_node){ .path = path, .perms = entries, .value = n->length };
		memcpy(to, n->perms->entry, entries * sizeof(struct perm));
		to += entries * sizeof(struct perm);
		memcpy(to, text, path);
		memcpy(to + path, node_value(n), n->length);
	}
	free(text);
}

static void save_transactions(struct xsd *x, struct conn *c)
{
	list_for_each(i, &c->transactions) {
		struct transaction *tx = list_object(i, struct transaction, of_conn);
		uint32_t *item = rec_item(&x->journal, ITEM_TX_START, 16);

		item[0] = c->slot;
		item[1] = tx->id;
		item[2] = tx->doomed;
		item[3] = 0;
		list_for_each(j, &tx->all) {
			struct entry *e = list_object(j, struct entry, all);

			if (!(e->flags & TX_MODIFIED))
				tx_journal(x, e, false);
		}
		list_for_each(j, &tx->modified)
			tx_journal(x, list_object(j, struct entry, modified), true);
	}
}

static void save_conn(struct xsd *x, struct conn *c)
{
	conn_journal(x, c);
	list_for_each(i, &c->watches) {
		struct watch *w = list_object(i, struct watch, in_conn);
		unsigned int path = w->group->length + 1, token = strlen(w->token) + 1;
		struct item_watch *item = rec_item(&x->journal, ITEM_WATCH,
						   sizeof(*item) + path + token);

		*item = (struct item_watch){ .slot = c->slot, .depth = w->depth, .base = w->base };
		memcpy(item + 1, w->group->path, path);
		memcpy((char *)(item + 1) + path, w->token, token);
	}
	save_transactions(x, c);
}

/* What is not delivered yet. */
static void save_queue(struct xsd *x, struct conn *c)
{
	uint64_t offset = c->out_made;

	list_for_each(i, &c->queue)
		offset -= list_object(i, struct outmsg, queue)->length;
	list_for_each(i, &c->queue) {
		struct outmsg *m = list_object(i, struct outmsg, queue);
		struct item_out *out = rec_item(&x->journal, ITEM_OUT, sizeof(*out) + m->length);

		*out = (struct item_out){ .slot = c->slot, .epoch = c->epoch, .offset = offset };
		memcpy(out + 1, m->bytes, m->length);
		offset += m->length;
	}
}

void restore_snapshot(struct xsd *x)
{
	struct item_meta *meta = rec_item(&x->journal, ITEM_META, sizeof(*meta));

	*meta = (struct item_meta){ .gen = x->gen, .next_epoch = x->next_epoch,
				    .next_instance = x->next_instance };
	memcpy(meta->quota, x->quota, sizeof(x->quota));
	for (size_t i = 0; i < (size_t)1 << x->domains.bits; i++)
		for (struct link *l = x->domains.bucket[i]; l; l = l->next)
			domain_journal(x, (struct domain *)l);
	save_nodes(x);
	for (unsigned int i = 0; i < 2; i++) {
		struct perms *p = x->special[i];
		struct item_special *item = rec_item(&x->journal, ITEM_SPECIAL, sizeof(*item) +
						     p->count * sizeof(struct perm));

		*item = (struct item_special){ .which = i, .perms = p->count };
		memcpy(item + 1, p->entry, p->count * sizeof(struct perm));
	}
	for (unsigned int i = 0; i < x->conn_room; i++)
		if (x->conns[i])
			save_conn(x, x->conns[i]);
	for (unsigned int i = 0; i < x->conn_room; i++)
		if (x->conns[i])
			save_queue(x, x->conns[i]);
}
