/* SPDX-License-Identifier: MIT */
/*
 * The fake world's store: a sorted array of paths, transactions that work on a copy, watches with a
 * queue for each domain (so their order is kept, as a connection keeps it). A guest may write its own
 * home only; transactions fail when anything changed meanwhile, more often than a real store's.
 */
#include <stdio.h>
#include <stdlib.h>
#include "private.h"

#define HOME_MAX	64

/* --- Trees --- */

/* Where the path is, or would be put. */
static unsigned int position(const struct tree *t, const char *path)
{
	unsigned int low = 0, high = t->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (strcmp(t->nodes[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct node *find(const struct tree *t, const char *path)
{
	unsigned int i = position(t, path);

	return i < t->count && !strcmp(t->nodes[i].path, path) ? &t->nodes[i] : NULL;
}

static char *copy_bytes(const void *bytes, size_t length)
{
	char *p = malloc(length + 1);

	memcpy(p, bytes, length);
	p[length] = 0;
	return p;
}

static void set(struct tree *t, const char *path, const void *value, size_t length)
{
	unsigned int i = position(t, path);
	struct node *n = find(t, path);

	if (n) {
		free(n->value);
	} else {
		if (t->count == t->room) {
			t->room = t->room ? 2 * t->room : 32;
			t->nodes = realloc(t->nodes, t->room * sizeof(*t->nodes));
		}
		n = &t->nodes[i];
		memmove(n + 1, n, (t->count++ - i) * sizeof(*n));
		n->path = copy_bytes(path, strlen(path));
	}
	n->value = copy_bytes(value, length);
	n->length = length;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n] || !strcmp(dir, "/"));
}

static void set_with_parents(struct tree *t, const char *path, const void *value, size_t length)
{
	char parent[PV_PATH_MAX * 2];

	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		memcpy(parent, path, i);
		parent[i] = 0;
		if (!find(t, parent))
			set(t, parent, "", 0);
	}
	set(t, path, value, length);
}

static void cut(struct tree *t, const char *path)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < t->count; i++) {
		if (is_below(t->nodes[i].path, path)) {
			free(t->nodes[i].path);
			free(t->nodes[i].value);
		} else {
			t->nodes[kept++] = t->nodes[i];
		}
	}
	t->count = kept;
}

static void tree_free(struct tree *t)
{
	for (unsigned int i = 0; i < t->count; i++) {
		free(t->nodes[i].path);
		free(t->nodes[i].value);
	}
	free(t->nodes);
	*t = (struct tree){ 0 };
}

/* --- Watches --- */

static void queue(struct pv_domain *d, const struct pv_watch *watch, const char *path)
{
	struct watch_event *e = malloc(sizeof(*e) + strlen(path) + 1);

	e->next = NULL;
	e->id = watch->id;
	memcpy(e->path, path, strlen(path) + 1);
	*d->events_end = e;
	d->events_end = &e->next;
}

/* @removed: those who watch something below hear of it too. */
static void fire(struct world *w, const char *path, bool removed)
{
	for (struct pv_domain *d = w->domains; d; d = d->next)
		for (struct pv_watch *p = d->watches; p; p = p->next)
			if (is_below(path, p->path) || (removed && is_below(p->path, path)))
				queue(d, p, removed && !is_below(path, p->path) ? p->path : path);
}

int pv_store_watch(struct pv_domain *d, struct pv_watch *watch, const char *path, pv_watch_fn fn,
		   void *arg)
{
	int n;

	if (world_fails(d))
		return -XEN_EIO;
	if (path[0] == '/')
		n = snprintf(watch->path, sizeof(watch->path), "%s", path);
	else
		n = snprintf(watch->path, sizeof(watch->path), "/local/domain/%u/%s", d->domid, path);
	if (n >= (int)sizeof(watch->path))
		return -XEN_E2BIG;
	watch->fn = fn;
	watch->arg = arg;
	watch->id = d->world->next_id++;
	watch->next = d->watches;
	d->watches = watch;
	queue(d, watch, watch->path);
	return 0;
}

static void unqueue(struct pv_domain *d, uint32_t id)
{
	struct watch_event **e = &d->events;

	while (*e) {
		struct watch_event *next = (*e)->next;

		if ((*e)->id == id) {
			free(*e);
			*e = next;
		} else {
			e = &(*e)->next;
		}
	}
	d->events_end = e;
}

void pv_store_unwatch(struct pv_domain *d, struct pv_watch *watch)
{
	struct pv_watch **p = &d->watches;

	while (*p && *p != watch)
		p = &(*p)->next;
	if (!*p)
		abort();		/* ours to know */
	*p = watch->next;
	unqueue(d, watch->id);
}

void store_deliver(struct pv_domain *d)
{
	struct watch_event *e = d->events;
	struct pv_watch *p = d->watches;
	char path[PV_PATH_MAX * 2];

	d->events = e->next;
	if (!d->events)
		d->events_end = &d->events;
	while (p && p->id != e->id)
		p = p->next;
	snprintf(path, sizeof(path), "%s", e->path);
	free(e);			/* before the handler: a test's kill may not return from it */
	if (p)
		p->fn(p->arg, path);
}

/* --- Requests --- */

/* A change of the live tree, or of a transaction's copy. */
static void change(struct world *w, struct transaction *tx, const char *path, const char *value,
		   size_t length, bool removed)
{
	struct tree *t = tx ? &tx->tree : &w->tree;

	if (removed)
		cut(t, path);
	else
		set_with_parents(t, path, value, length);
	if (tx) {
		set(&tx->changed, path, "r", removed);
	} else {
		w->generation++;
		fire(w, path, removed);
	}
}

static int begin(struct pv_domain *d, char *reply, size_t room)
{
	struct transaction *tx = calloc(1, sizeof(*tx));
	struct tree *live = &d->world->tree;

	tx->id = d->world->next_id++;
	tx->generation = d->world->generation;
	for (unsigned int i = 0; i < live->count; i++)
		set(&tx->tree, live->nodes[i].path, live->nodes[i].value, live->nodes[i].length);
	tx->next = d->transactions;
	d->transactions = tx;
	return snprintf(reply, room, "%u", tx->id);
}

static struct transaction **find_tx(struct pv_domain *d, uint32_t id)
{
	struct transaction **tx = &d->transactions;

	while (*tx && (*tx)->id != id)
		tx = &(*tx)->next;
	return tx;
}

static int end(struct pv_domain *d, uint32_t id, bool commit, bool fails)
{
	struct transaction **link = find_tx(d, id), *tx = *link;
	struct world *w = d->world;
	int rc = 0;

	if (!tx)
		return -XEN_ENOENT;
	if (commit && (fails || (tx->changed.count && tx->generation != w->generation)))
		rc = -XEN_EAGAIN;
	if (commit && !rc && tx->changed.count) {
		struct tree old = w->tree;

		w->tree = tx->tree;
		tx->tree = old;
		w->generation++;
		for (unsigned int i = 0; i < tx->changed.count; i++)
			fire(w, tx->changed.nodes[i].path, tx->changed.nodes[i].length);
	}
	*link = tx->next;
	tree_free(&tx->tree);
	tree_free(&tx->changed);
	free(tx);
	return rc;
}

/* Names of the children, each with its NUL. */
static int list(const struct tree *t, const char *path, char *reply, size_t room)
{
	size_t skip = strlen(path) + 1, used = 0;

	if (!find(t, path))
		return -XEN_ENOENT;
	for (unsigned int i = 0; i < t->count; i++) {
		const char *child = t->nodes[i].path;
		size_t length;

		if (!is_below(child, path) || strlen(child) <= skip)
			continue;
		child += skip;
		length = strlen(child) + 1;
		for (const char *p = child; *p; p++)
			if (*p == '/')
				length = 0;
		if (!length)
			continue;
		if (used + length >= room)
			return -XEN_E2BIG;
		memcpy(reply + used, child, length);
		used += length;
	}
	reply[used] = 0;
	return used;
}

/* From byte @from on, as much as an answer has room for; the number of nodes stands for the generation. */
static int list_part(const struct tree *t, const char *path, size_t from, char *reply, size_t room)
{
	static char all[1 << 18];
	int n = list(t, path, all, sizeof(all)), head = snprintf(reply, room, "%u", t->count) + 1, most;

	if (n < 0 || from > (size_t)n)
		return n < 0 ? n : -XEN_EINVAL;
	most = XENSTORE_PAYLOAD_MAX - head - 1;
	if ((size_t)most + head >= room)
		return -XEN_E2BIG;
	n -= from;
	if (n > most) {
		for (n = most; all[from + n - 1]; n--)
			;
		memcpy(reply + head, all + from, n);
	} else {
		memcpy(reply + head, all + from, n);
		reply[head + n++] = 0;
	}
	reply[head + n] = 0;
	return head + n;
}

static int read_node(const struct tree *t, const char *path, char *reply, size_t room)
{
	const struct node *n = find(t, path);

	if (!n)
		return -XEN_ENOENT;
	if (n->length >= room)
		return -XEN_E2BIG;
	memcpy(reply, n->value, n->length + 1);
	return n->length;
}

int pv_store_request(struct pv_domain *d, enum xsd_sockmsg_type type, uint32_t id,
		     const void *payload, size_t length, char *reply, size_t room)
{
	struct transaction *tx = id ? *find_tx(d, id) : NULL;
	struct tree *t = tx ? &tx->tree : &d->world->tree;
	char path[PV_PATH_MAX * 2], home[HOME_MAX];
	const char *text = payload;
	size_t skip = strlen(text) + 1;
	bool fails = world_fails(d);

	if (room)
		reply[0] = 0;
	if (type == XS_TRANSACTION_END)
		return end(d, id, text[0] == 'T', fails);
	if (fails)
		return -XEN_EIO;
	if (type == XS_TRANSACTION_START)
		return begin(d, reply, room);
	if (id && !tx)
		return -XEN_ENOENT;
	snprintf(home, sizeof(home), "/local/domain/%u", d->domid);
	if (text[0] == '/')
		snprintf(path, sizeof(path), "%s", text);
	else
		snprintf(path, sizeof(path), "%s/%s", home, text);
	if (type == XS_READ)
		return read_node(t, path, reply, room);
	if (type == XS_DIRECTORY) {
		int n = list(t, path, reply, room);

		return n > XENSTORE_PAYLOAD_MAX ? -XEN_E2BIG : n;
	}
	if (type == XS_DIRECTORY_PART)
		return list_part(t, path, strtoul(text + skip, NULL, 10), reply, room);
	if (d->domid && !is_below(path, home))
		return -XEN_EACCES;
	if (type == XS_RM && !find(t, path))
		return -XEN_ENOENT;
	if (type == XS_WRITE || type == XS_RM || (type == XS_MKDIR && !find(t, path)))
		change(d->world, tx, path, text + skip, type == XS_WRITE ? length - skip : 0,
		       type == XS_RM);
	return 0;
}

void store_drop(struct pv_domain *d)
{
	while (d->transactions)
		end(d, d->transactions->id, false, false);
	while (d->watches)
		pv_store_unwatch(d, d->watches);
}

void store_free(struct world *world)
{
	tree_free(&world->tree);
}

/* --- The toolstack's side --- */

void world_store_write(struct world *w, const char *path, const char *value)
{
	if (value)
		change(w, NULL, path, value, strlen(value), false);
	else if (find(&w->tree, path))
		change(w, NULL, path, "", 0, true);
}

const char *world_store_read(struct world *w, const char *path)
{
	const struct node *n = find(&w->tree, path);

	return n ? n->value : NULL;
}

static void write_key(struct world *w, const char *dir, const char *key, const char *value)
{
	char path[PV_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	world_store_write(w, path, value);
}

void world_device(struct world *w, domid_t back, const char *back_type, domid_t front,
		  const char *type, unsigned int devid)
{
	char front_dir[PV_PATH_MAX / 2], back_dir[PV_PATH_MAX / 2], number[16];

	snprintf(front_dir, sizeof(front_dir), "/local/domain/%u/device/%s/%u", front, type, devid);
	snprintf(back_dir, sizeof(back_dir), "/local/domain/%u/backend/%s/%u/%u", back, back_type,
		 front, devid);
	write_key(w, front_dir, "backend", back_dir);
	snprintf(number, sizeof(number), "%u", back);
	write_key(w, front_dir, "backend-id", number);
	write_key(w, front_dir, "state", "1");
	write_key(w, back_dir, "frontend", front_dir);
	snprintf(number, sizeof(number), "%u", front);
	write_key(w, back_dir, "frontend-id", number);
	write_key(w, back_dir, "state", "1");
}
