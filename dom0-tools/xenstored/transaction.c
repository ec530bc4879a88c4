/* SPDX-License-Identifier: MIT */
/*
 * Transactions: each keeps entries for the paths it read or changed, and nothing of the rest.
 *
 * A change by others at a path that a transaction relies on dooms it there and then (its commit
 * will be -EAGAIN); what it saw is kept for it, so that it goes on seeing the same. A commit
 * therefore has nothing to compare. Only reading makes transactions depend: two that create
 * different children of one node do not disturb each other.
 *
 * Nobody starves: a connection that was refused REFUSALS times in a row by others gets priority for
 * its next transaction. While that is open (for a bounded time), requests that would doom it wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

#define REFUSALS 3
#define ENTRY_BYTES 1024		/* what one more entry is taken to need */
#define PRIORITY_MS 1000		/* for dom0 */
#define PRIORITY_GUEST_MS 200
#define PRIORITY_PAUSE_MS 10000		/* after one that did not end in time */

struct transaction *tx_find(struct conn *c, uint32_t id)
{
	list_for_each(i, &c->transactions) {
		struct transaction *tx = list_object(i, struct transaction, of_conn);

		if (tx->id == id)
			return tx;
	}
	return NULL;
}

struct transaction *tx_start(struct xsd *x, struct conn *c, uint32_t id)
{
	struct transaction *tx = xalloc(sizeof(*tx));

	tx->id = id;
	tx->conn = c;
	list_init(&tx->all);
	list_init(&tx->modified);
	list_add_tail(&c->transactions, &tx->of_conn);
	quota_add(x, c->domain, QUOTA_TRANSACTIONS, 1);
	x->open_tx++;
	if (x->restoring || x->priority || c->refused < REFUSALS)
		return tx;
	if (port_now_ms(x->port) < c->no_priority_until)
		return tx;
	x->priority = tx;
	x->priority_until = port_now_ms(x->port) +
			    (privileged(c) ? PRIORITY_MS : PRIORITY_GUEST_MS);
	return tx;
}

void tx_end_priority(struct xsd *x, bool timed_out)
{
	if (timed_out)
		x->priority->conn->no_priority_until = port_now_ms(x->port) + PRIORITY_PAUSE_MS;
	x->priority = NULL;
	conns_unstall(x);
}

bool tx_grows(const struct transaction *tx)
{
	list_for_each(i, &tx->modified)
		if (!(list_object(i, struct entry, modified)->flags & TX_GONE))
			return true;
	return false;
}

/* Memory of entries counts as the domain's: a guest may hold ten transactions. */
static void charge(struct xsd *x, struct entry *e, int bytes)
{
	quota_add(x, e->tx->conn->domain, QUOTA_MEMORY, bytes);
}

static void entry_free(struct xsd *x, struct entry *e)
{
	charge(x, e, -(int)(sizeof(*e) + e->path_length + e->length));
	perms_put(x, e->perms);
	perms_put(x, e->old_perms);
	free(e->value);
	free(e);
}

/* Nobody's change concerns it any more. */
static void forget_entries(struct xsd *x, struct transaction *tx)
{
	list_for_each(i, &tx->all)
		table_del(&x->entries, &list_object(i, struct entry, all)->link);
}

static void free_forgotten(struct xsd *x, struct transaction *tx)
{
	if (x->priority == tx)
		tx_end_priority(x, false);
	while (!list_empty(&tx->all)) {
		struct entry *e = list_object(tx->all.next, struct entry, all);

		list_del(&e->all);
		entry_free(x, e);
	}
	list_del(&tx->of_conn);
	quota_add(x, tx->conn->domain, QUOTA_TRANSACTIONS, -1);
	x->open_tx--;
	free(tx);
}

void tx_free(struct xsd *x, struct transaction *tx)
{
	forget_entries(x, tx);
	free_forgotten(x, tx);
}

void txs_drop(struct xsd *x, struct conn *c)
{
	while (!list_empty(&c->transactions))
		tx_free(x, list_object(c->transactions.next, struct transaction, of_conn));
}

/* --- Entries --- */

struct entry *tx_entry(struct xsd *x, struct transaction *tx, const char *path,
		       unsigned int length, uint32_t hash)
{
	for (struct link *l = table_first(&x->entries, hash); l; l = table_next(l, hash)) {
		struct entry *e = (struct entry *)l;

		if (e->tx == tx && e->path_length == length && !memcmp(e->path, path, length))
			return e;
	}
	return NULL;
}

bool tx_room(struct xsd *x, struct transaction *tx, unsigned int more)
{
	if (privileged(tx->conn))
		return true;
	return tx->entries + more <= x->quota[QUOTA_TX_NODES] &&
	       quota_fits(x, tx->conn->domain, QUOTA_MEMORY, more * ENTRY_BYTES);
}

static struct entry *entry_make(struct xsd *x, struct transaction *tx, const char *path,
				unsigned int length, uint32_t hash)
{
	struct entry *e = xalloc(sizeof(*e) + length + 1);

	e->tx = tx;
	e->path_length = length;
	memcpy(e->path, path, length);
	list_init(&e->modified);
	list_init(&e->created);
	list_init(&e->sibling);
	list_add_tail(&tx->all, &e->all);
	table_add(&x->entries, &e->link, hash);
	tx->entries++;
	charge(x, e, sizeof(*e) + length);
	return e;
}

struct entry *tx_touch(struct xsd *x, struct transaction *tx, const char *path, unsigned int length,
		       uint32_t hash, struct node *n, unsigned int deps)
{
	struct entry *e = tx_entry(x, tx, path, length, hash);

	if (!e) {
		e = entry_make(x, tx, path, length, hash);
		if (n)
			e->old_perms = perms_ref(n->perms);
	} else if (!(deps & ~e->deps)) {
		return e;
	}
	e->deps |= deps;
	tx_journal(x, e, false);
	return e;
}

void entry_set_value(struct xsd *x, struct entry *e, const void *value, unsigned int length)
{
	char *copy = xcopy(value, length);

	charge(x, e, (int)length - e->length);
	free(e->value);
	e->value = copy;
	e->length = length;
	e->flags |= TX_VALUE;
}

void entry_set_perms(struct xsd *x, struct entry *e, struct perms *perms)
{
	perms_ref(perms);
	perms_put(x, e->perms);
	e->perms = perms;
	e->flags |= TX_PERMS;
}

void entry_move(struct entry *e)
{
	e->flags |= TX_MODIFIED;
	list_del(&e->modified);
	list_add_tail(&e->tx->modified, &e->modified);
}

void tx_journal(struct xsd *x, struct entry *e, bool moved)
{
	unsigned int perms = e->perms ? e->perms->count : 0;
	unsigned int old = e->old_perms ? e->old_perms->count : 0;
	unsigned int value = e->flags & TX_VALUE ? e->length : 0;
	struct item_tx_entry *item;
	char *to;

	item = rec_item(&x->journal, ITEM_TX_ENTRY, sizeof(*item) + e->path_length + value +
			(perms + old) * sizeof(struct perm));
	*item = (struct item_tx_entry){
		.slot = e->tx->conn->slot, .id = e->tx->id, .deps = e->deps, .flags = e->flags,
		.moved = moved, .path = e->path_length, .value = value, .perms = perms,
		.old_perms = old,
	};
	to = (char *)(item + 1);
	if (perms)
		memcpy(to, e->perms->entry, perms * sizeof(struct perm));
	to += perms * sizeof(struct perm);
	if (old)
		memcpy(to, e->old_perms->entry, old * sizeof(struct perm));
	to += old * sizeof(struct perm);
	memcpy(to, e->path, e->path_length);
	if (value)
		memcpy(to + e->path_length, e->value, value);
}

/* The entry of @e's parent, where created children hang; made if its own turn comes later. */
static struct entry *parent_entry(struct xsd *x, struct entry *e)
{
	unsigned int length = e->path_length;
	struct entry *parent;
	uint32_t hash;

	while (length > 1 && e->path[length - 1] != '/')
		length--;
	length = length > 1 ? length - 1 : 1;
	path_hash(x, e->path, length, &x->aux);
	hash = x->aux.hash[x->aux.levels];
	parent = tx_entry(x, e->tx, e->path, length, hash);
	return parent ? parent : entry_make(x, e->tx, e->path, length, hash);
}

void tx_restore(struct xsd *x, struct transaction *tx, const struct item_tx_entry *item)
{
	const char *from = (const char *)(item + 1);
	const struct perm *perms = (const void *)from;
	const struct perm *old = perms + item->perms;
	const char *path = (const char *)(old + item->old_perms);
	struct entry *e;
	uint32_t hash;

	path_hash(x, path, item->path, &x->aux);
	hash = x->aux.hash[x->aux.levels];
	e = tx_entry(x, tx, path, item->path, hash);
	if (!e)
		e = entry_make(x, tx, path, item->path, hash);
	perms_put(x, e->perms);
	perms_put(x, e->old_perms);
	e->perms = item->perms ? perms_get(x, perms, item->perms) : NULL;
	e->old_perms = item->old_perms ? perms_get(x, old, item->old_perms) : NULL;
	if (item->flags & TX_VALUE)
		entry_set_value(x, e, path + item->path, item->value);
	tx->nodes_made += !!(item->flags & TX_CREATED);
	tx->nodes_made -= !!(e->flags & TX_CREATED);
	e->deps = item->deps;
	e->flags = item->flags;
	if (item->moved)
		entry_move(e);
	list_del(&e->sibling);
	if (e->flags & TX_CREATED)
		list_add_tail(&parent_entry(x, e)->created, &e->sibling);
}

/* --- Conflicts --- */

/* The transaction will be refused; until then it sees what it saw. */
static void doom(struct xsd *x, struct entry *e, struct node *n, unsigned int kind)
{
	e->tx->doomed = true;
	if (e->tx->conn != x->serving)
		e->tx->by_others = true;
	if (e->flags & (TX_CREATED | TX_GONE))
		return;
	if (!n) {
		e->flags |= TX_GONE;
		return;
	}
	if (kind & DEP_EXIST)
		e->flags |= TX_KEPT;
	if (kind & DEP_VALUE && !(e->flags & TX_VALUE))
		entry_set_value(x, e, node_value(n), n->length);
	if (kind & DEP_PERMS && !(e->flags & TX_PERMS))
		entry_set_perms(x, e, n->perms);
}

void tx_conflict(struct xsd *x, const struct path *p, unsigned int level, struct node *n,
		 unsigned int kind)
{
	uint32_t hash = p->hash[level];

	for (struct link *l = table_first(&x->entries, hash); l; l = table_next(l, hash)) {
		struct entry *e = (struct entry *)l;

		if (e->deps & kind && e->path_length == p->end[level] &&
		    !memcmp(e->path, p->text, p->end[level]))
			doom(x, e, n, kind);
	}
}

bool tx_must_wait(struct xsd *x, const struct conn *by, const struct path *p, unsigned int level,
		  unsigned int kind)
{
	struct entry *e;

	if (!x->priority || x->priority->conn == by)
		return false;
	e = tx_entry(x, x->priority, p->text, p->end[level], p->hash[level]);
	return e && e->deps & kind;
}

bool tx_must_wait_tree(struct xsd *x, const struct conn *by, struct node *n)
{
	if (!x->priority || x->priority->conn == by)
		return false;
	list_for_each(i, &x->priority->all) {
		struct entry *e = list_object(i, struct entry, all);
		unsigned int length = node_path(n, x->path_text);

		if (e->path_length >= length && !memcmp(e->path, x->path_text, length) &&
		    (e->path_length == length || e->path[length] == '/'))
			return true;
	}
	return false;
}

/* --- Commit --- */

static void commit_removal(struct xsd *x, struct entry *e)
{
	struct node *n;

	path_hash(x, e->path, e->path_length, &x->aux);
	n = node_find(x, &x->aux, x->aux.levels);
	if (!n)
		return;
	if (!(e->flags & TX_CREATED))
		watch_fire(x, &x->aux, x->aux.levels, n, e->flags & TX_EXACT, e->old_perms);
	node_remove(x, &x->aux, n);
}

static void commit_change(struct xsd *x, struct entry *e)
{
	struct path *p = &x->aux;
	struct node *n;

	path_hash(x, e->path, e->path_length, p);
	if (e->flags & TX_CREATED) {
		n = node_create(x, p, p->levels, e->perms, e->value, e->length);
	} else {
		n = node_find(x, p, p->levels);
		if (e->flags & TX_VALUE)
			node_set_value(x, p, n, e->value, e->length);
		if (e->flags & TX_PERMS)
			node_set_perms(x, p, n, e->perms);
	}
	if (!(e->flags & TX_QUIET))
		watch_fire(x, p, p->levels, n, false, e->old_perms);
}

/* Whether the transaction's changes would doom the one with priority. */
static bool commit_must_wait(struct xsd *x, struct transaction *tx)
{
	if (!x->priority || x->priority == tx)
		return false;
	list_for_each(i, &tx->modified) {
		struct entry *e = list_object(i, struct entry, modified);
		unsigned int kind = e->flags & (TX_CREATED | TX_REMOVED) ? DEP_ALL :
				    DEP_VALUE | DEP_PERMS;

		path_hash(x, e->path, e->path_length, &x->aux);
		if (tx_must_wait(x, tx->conn, &x->aux, x->aux.levels, kind))
			return true;
		if (kind == DEP_ALL && x->aux.levels &&
		    tx_must_wait(x, tx->conn, &x->aux, x->aux.levels - 1, DEP_CHILDREN))
			return true;
	}
	return false;
}

static int commit_check(struct xsd *x, struct transaction *tx)
{
	struct conn *c = tx->conn;

	if (tx->doomed) {
		x->count_eagain++;
		c->refused += tx->by_others;
		return -EAGAIN;
	}
	if (tx->nodes_made && !quota_fits(x, c->domain, QUOTA_NODES, tx->nodes_made))
		return -ENOSPC;
	return 0;
}

int tx_commit(struct xsd *x, struct transaction *tx)
{
	int err = commit_check(x, tx);

	if (!err && commit_must_wait(x, tx))
		return STALL;
	forget_entries(x, tx);
	if (!err) {
		tx->conn->refused = 0;
		list_for_each(i, &tx->modified) {
			struct entry *e = list_object(i, struct entry, modified);

			if (e->flags & TX_REMOVED)
				commit_removal(x, e);
		}
		list_for_each(i, &tx->modified) {
			struct entry *e = list_object(i, struct entry, modified);

			if (!(e->flags & TX_GONE))
				commit_change(x, e);
		}
	}
	free_forgotten(x, tx);
	return err;
}
