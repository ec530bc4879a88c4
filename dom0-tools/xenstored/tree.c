/* SPDX-License-Identifier: MIT */
/*
 * The tree of nodes: found by one probe of a hash table under their whole path, whatever the depth
 * and the number of nodes.
 *
 * Every change goes through four functions here, live and when the journal is replayed; they keep
 * the owners' counts, the generation and the transactions that relied on the old state right.
 */
#include <stdlib.h>
#include <string.h>
#include "xsd.h"

/* Characters that names may have. */
static const bool name_char[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,
	['-'] = true, ['_'] = true, ['@'] = true,
};

void path_hash(struct xsd *x, const char *text, unsigned int length, struct path *p)
{
	uint32_t hash = x->seed;
	unsigned int level = 0;

	p->text = text;
	p->length = length;
	p->hash[0] = hash;
	p->end[0] = 1;
	for (unsigned int i = 1; i < length; i++) {
		if (text[i] == '/') {
			level++;
			p->hash[level] = hash;
			p->end[level] = i;
		}
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	}
	if (length > 1) {
		level++;
		p->hash[level] = hash;
		p->end[level] = length;
	}
	p->levels = level;
}

/* Bytes of a path that "/local/domain/N/" takes: they do not count against the limit. */
static unsigned int domain_prefix(const char *text, unsigned int length)
{
	static const char prefix[] = "/local/domain/";
	unsigned int i = sizeof(prefix) - 1;

	if (length <= i || memcmp(text, prefix, i))
		return 0;
	while (i < length && text[i] >= '0' && text[i] <= '9')
		i++;
	return i < length && i > sizeof(prefix) - 1 && i <= sizeof(prefix) + 4 && text[i] == '/' ?
		       i + 1 :
		       0;
}

bool path_parse(struct xsd *x, const char *text, unsigned int length, struct path *p)
{
	uint32_t hash = x->seed;
	unsigned int level = 0, name = 1;	/* where the name at hand begins */

	if (!length || text[0] != '/' || length > XENSTORE_ABS_PATH_MAX)
		return false;
	p->text = text;
	p->length = length;
	p->hash[0] = hash;
	p->end[0] = 1;
	for (unsigned int i = 1; i < length; i++) {
		unsigned char c = text[i];

		if (!name_char[c]) {
			if (c != '/' || i == name)
				return false;
			level++;
			p->hash[level] = hash;
			p->end[level] = i;
			name = i + 1;
		}
		hash = (hash ^ c) * 16777619u;
	}
	if (length > 1) {
		if (name == length)
			return false;
		level++;
		p->hash[level] = hash;
		p->end[level] = length;
	}
	p->levels = level;
	return length <= x->quota[QUOTA_PATH] ||
	       length <= x->quota[QUOTA_PATH] + domain_prefix(text, length);
}

/* Whether @n's path is @text: compared from its end, up through the parents. */
static bool node_is(const struct node *n, const char *text, unsigned int length)
{
	while (n->parent) {
		if (length < n->name_length + 1u || text[length - n->name_length - 1] != '/' ||
		    memcmp(text + length - n->name_length, n->name, n->name_length))
			return false;
		length -= n->name_length + 1;
		n = n->parent;
	}
	return length == 0;
}

struct node *node_find(struct xsd *x, const struct path *p, unsigned int level)
{
	uint32_t hash = p->hash[level];

	if (!level)
		return x->root;
	for (struct link *l = table_first(&x->nodes, hash); l; l = table_next(l, hash)) {
		struct node *n = (struct node *)l;

		if (node_is(n, p->text, p->end[level]))
			return n;
	}
	return NULL;
}

struct node *node_nearest(struct xsd *x, const struct path *p, unsigned int level,
			  unsigned int *found)
{
	struct node *n = x->root;

	while (level && !(n = node_find(x, p, --level)))
		;
	*found = level;
	return n ? n : x->root;
}

unsigned int node_path(const struct node *n, char *text)
{
	unsigned int length = 0, at;

	if (!n->parent) {
		memcpy(text, "/", 2);
		return 1;
	}
	for (const struct node *i = n; i->parent; i = i->parent)
		length += i->name_length + 1;
	text[length] = 0;
	at = length;
	for (const struct node *i = n; i->parent; i = i->parent) {
		at -= i->name_length;
		memcpy(text + at, i->name, i->name_length);
		text[--at] = '/';
	}
	return length;
}

struct node *node_after(const struct node *n)
{
	if (!list_empty(&n->children))
		return list_object(n->children.next, struct node, sibling);
	while (n->parent && n->sibling.next == &n->parent->children)
		n = n->parent;
	return n->parent ? list_object(n->sibling.next, struct node, sibling) : NULL;
}

/* --- Accounting --- */

static void own(struct xsd *x, struct node *n)
{
	struct domain *d = domain_find(x, n->perms->entry[0].domid);

	list_init(&n->owned);
	if (!d || d->instance != n->perms->entry[0].instance)
		return;
	quota_add(x, d, QUOTA_NODES, 1);
	if (d->domid)
		list_add_tail(&d->nodes, &n->owned);
}

static void disown(struct xsd *x, struct node *n)
{
	struct domain *d = domain_find(x, n->perms->entry[0].domid);

	list_del(&n->owned);
	if (d && d->instance == n->perms->entry[0].instance)
		quota_add(x, d, QUOTA_NODES, -1);
}

static void value_free(struct node *n)
{
	if (n->length > VALUE_INLINE)
		free(n->value.heap);
	n->length = 0;
}

static void value_put(struct node *n, const void *value, unsigned int length)
{
	char *heap = length > VALUE_INLINE ? xcopy(value, length) : NULL;

	value_free(n);
	if (heap)
		n->value.heap = heap;
	else if (length)
		memcpy(n->value.bytes, value, length);
	n->length = length;
}

/* --- Changes --- */

static void journal_node(struct xsd *x, enum item_type type, const struct path *p,
			 unsigned int level, const struct perms *perms, const void *value,
			 unsigned int length)
{
	unsigned int path = p->end[level];
	unsigned int entries = perms ? perms->count * sizeof(perms->entry[0]) : 0;
	uint16_t head[4] = { path, perms ? perms->count : 0, length, 0 };
	char *to;

	if (x->restoring)
		return;
	to = rec_item(&x->journal, type, sizeof(head) + entries + path + length);
	memcpy(to, head, sizeof(head));
	to += sizeof(head);
	if (entries)
		memcpy(to, perms->entry, entries);
	memcpy(to + entries, p->text, path);
	if (length)
		memcpy(to + entries + path, value, length);
}

struct node *node_create(struct xsd *x, const struct path *p, unsigned int level,
			 struct perms *perms, const void *value, unsigned int length)
{
	unsigned int parent_end = level > 1 ? p->end[level - 1] : 0;
	unsigned int name = level ? p->end[level] - parent_end - 1 : 0;
	struct node *parent = level ? node_find(x, p, level - 1) : NULL;
	struct node *n = xalloc(sizeof(*n) + name + 1);

	n->parent = parent;
	n->perms = perms_ref(perms);
	n->name_length = name;
	memcpy(n->name, p->text + parent_end + 1, name);
	list_init(&n->children);
	list_init(&n->sibling);
	value_put(n, value, length);
	n->gen = ++x->gen;
	if (parent) {
		if (x->open_tx) {
			tx_conflict(x, p, level, NULL, DEP_ALL);
			tx_conflict(x, p, level - 1, parent, DEP_CHILDREN);
		}
		list_add_tail(&parent->children, &n->sibling);
		parent->children_bytes += name + 1;
		parent->gen = n->gen;
		table_add(&x->nodes, &n->link, p->hash[level]);
	} else {
		x->root = n;
	}
	own(x, n);
	journal_node(x, ITEM_NODE, p, level, perms, value, length);
	return n;
}

void node_set_value(struct xsd *x, const struct path *p, struct node *n, const void *value,
		    unsigned int length)
{
	if (x->open_tx)
		tx_conflict(x, p, p->levels, n, DEP_VALUE);
	value_put(n, value, length);
	n->gen = ++x->gen;
	journal_node(x, ITEM_VALUE, p, p->levels, NULL, value, length);
}

void node_set_perms(struct xsd *x, const struct path *p, struct node *n, struct perms *perms)
{
	if (x->open_tx)
		tx_conflict(x, p, p->levels, n, DEP_PERMS);
	disown(x, n);
	perms_put(x, n->perms);
	n->perms = perms_ref(perms);
	own(x, n);
	n->gen = ++x->gen;
	journal_node(x, ITEM_PERMS, p, p->levels, perms, NULL, 0);
}

static void node_free(struct xsd *x, struct node *n)
{
	if (n->parent) {
		list_del(&n->sibling);
		n->parent->children_bytes -= n->name_length + 1;
		table_del(&x->nodes, &n->link);
	}
	disown(x, n);
	perms_put(x, n->perms);
	value_free(n);
	free(n);
}

/* Tells the transactions of a node that is about to go. */
static void conflict_at(struct xsd *x, struct node *n)
{
	path_hash(x, x->gone_text, node_path(n, x->gone_text), &x->gone);
	tx_conflict(x, &x->gone, x->gone.levels, n, DEP_ALL);
}

/* The deepest first child at or below @n. */
static struct node *first_leaf(struct node *n)
{
	while (!list_empty(&n->children))
		n = list_object(n->children.next, struct node, sibling);
	return n;
}

void node_remove(struct xsd *x, const struct path *p, struct node *n)
{
	struct node *parent = n->parent, *i, *up;

	if (x->open_tx)
		tx_conflict(x, p, p->levels - 1, parent, DEP_CHILDREN);
	do {
		i = first_leaf(n);
		up = i->parent;
		if (x->open_tx)
			conflict_at(x, i);
		node_free(x, i);
	} while (up != parent);
	parent->gen = ++x->gen;
	journal_node(x, ITEM_REMOVE, p, p->levels, NULL, NULL, 0);
}

void tree_free(struct xsd *x)
{
	while (x->root) {
		struct node *i = first_leaf(x->root);

		if (i == x->root)
			x->root = NULL;
		node_free(x, i);
	}
}
