/* SPDX-License-Identifier: MIT */
/*
 * Hash tables of the store daemon: chained, doubling, so that lookups stay short with any number of
 * nodes and watches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "table.h"

void *xalloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p) {
		static const char text[] = "xenstored: out of memory\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			_exit(3);
		_exit(3);
	}
	return p;
}

void *xcopy(const void *bytes, size_t length)
{
	void *p = xalloc(length);

	if (length)
		memcpy(p, bytes, length);
	return p;
}

void table_init(struct table *t)
{
	t->bits = 6;
	t->count = 0;
	t->bucket = xalloc(sizeof(*t->bucket) << t->bits);
}

void table_free(struct table *t)
{
	free(t->bucket);
	t->bucket = NULL;
}

static void table_resize(struct table *t, unsigned int bits)
{
	struct table wider = { .bits = bits, .count = t->count };

	wider.bucket = xalloc(sizeof(*wider.bucket) << bits);
	for (size_t i = 0; i < (size_t)1 << t->bits; i++) {
		struct link *l, *next;

		for (l = t->bucket[i]; l; l = next) {
			struct link **to = &wider.bucket[table_index(&wider, l->hash)];

			next = l->next;
			l->next = *to;
			*to = l;
		}
	}
	free(t->bucket);
	*t = wider;
}

void table_add(struct table *t, struct link *l, uint32_t hash)
{
	struct link **to;

	if (t->count >= 1u << t->bits && t->bits < 28)
		table_resize(t, t->bits + 1);
	to = &t->bucket[table_index(t, hash)];
	l->hash = hash;
	l->next = *to;
	*to = l;
	t->count++;
}

void table_del(struct table *t, struct link *l)
{
	struct link **at = &t->bucket[table_index(t, l->hash)];

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	t->count--;
	if (t->bits > 6 && t->count < 1u << (t->bits - 3))
		table_resize(t, t->bits - 1);
}
