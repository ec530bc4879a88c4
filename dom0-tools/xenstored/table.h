/* SPDX-License-Identifier: MIT */
/*
 * Containers of the store daemon: intrusive lists and hash tables that grow.
 *
 * An object that sits in a table has a struct link as its first member; the caller computes hashes
 * and compares keys: walk table_first() / table_next(), which visit the objects of one hash only.
 */
#ifndef XENSTORED_TABLE_H
#define XENSTORED_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list {
	struct list *next, *prev;
};

#define list_object(item, type, member) ((type *)((char *)(item) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *l, struct list *item)
{
	item->next = l;
	item->prev = l->prev;
	l->prev->next = item;
	l->prev = item;
}

/* Leaves @item an empty list, so that it may be taken out again. */
static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define list_for_each(pos, l) for (struct list *pos = (l)->next; pos != (l); pos = pos->next)
/* @pos may be taken out, no other. */
#define list_for_each_safe(pos, l) \
	for (struct list *pos = (l)->next, *pos##_next = pos->next; pos != (l); \
	     pos = pos##_next, pos##_next = pos->next)

struct link {
	struct link *next;
	uint32_t hash;
};

struct table {
	struct link **bucket;
	unsigned int bits;
	unsigned int count;
};

void table_init(struct table *t);
void table_free(struct table *t);	/* the buckets, not the objects */
void table_add(struct table *t, struct link *l, uint32_t hash);
void table_del(struct table *t, struct link *l);

static inline unsigned int table_index(const struct table *t, uint32_t hash)
{
	return (hash * 0x9e3779b1u) >> (32 - t->bits);
}

static inline struct link *table_next(const struct link *l, uint32_t hash)
{
	struct link *i = l->next;

	while (i && i->hash != hash)
		i = i->next;
	return i;
}

static inline struct link *table_first(const struct table *t, uint32_t hash)
{
	struct link *i = t->bucket[table_index(t, hash)];

	while (i && i->hash != hash)
		i = i->next;
	return i;
}

/*
 * Memory or the end of the process: the daemon is crash-only, so what cannot be completed is taken
 * up again from the journal by the next one.
 */
void *xalloc(size_t bytes);	/* zeroed */
void *xcopy(const void *bytes, size_t length);

#endif
