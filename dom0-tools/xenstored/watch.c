/* SPDX-License-Identifier: MIT */
/*
 * Watches, kept by path: a change looks at its own path and its parents' only, however many watches
 * and connections there are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xsd.h"

const char *const special_names[2] = { "@introduceDomain", "@releaseDomain" };

/* Of a watch's path, special or not: for paths the same as path_hash() gives for the last level. */
static uint32_t text_hash(struct xsd *x, const char *text)
{
	uint32_t hash = x->seed;

	if (*text == '/')
		text++;
	while (*text)
		hash = (hash ^ (unsigned char)*text++) * 16777619u;
	return hash;
}

static struct watch_group *group_find(struct xsd *x, const char *path, unsigned int length,
				      uint32_t hash)
{
	for (struct link *l = table_first(&x->groups, hash); l; l = table_next(l, hash)) {
		struct watch_group *g = (struct watch_group *)l;

		if (g->length == length && !memcmp(g->path, path, length))
			return g;
	}
	return NULL;
}

static struct watch *find(struct watch_group *g, const struct conn *c, const char *token)
{
	if (g)
		list_for_each(i, &g->watches) {
			struct watch *w = list_object(i, struct watch, in_group);

			if (w->conn == c && !strcmp(w->token, token))
				return w;
		}
	return NULL;
}

int watch_add(struct xsd *x, struct conn *c, const char *path, const char *token, int depth,
	      unsigned int base)
{
	uint32_t hash = text_hash(x, path);
	unsigned int length = strlen(path);
	struct watch_group *g = group_find(x, path, length, hash);
	struct watch *w;

	if (find(g, c, token))
		return -EEXIST;
	if (!g) {
		g = xalloc(sizeof(*g) + length + 1);
		g->length = length;
		memcpy(g->path, path, length);
		list_init(&g->watches);
		table_add(&x->groups, &g->link, hash);
	}
	w = xalloc(sizeof(*w) + strlen(token) + 1);
	w->group = g;
	w->conn = c;
	w->depth = depth;
	w->base = base;
	memcpy(w->token, token, strlen(token) + 1);
	list_add_tail(&g->watches, &w->in_group);
	list_add_tail(&c->watches, &w->in_conn);
	quota_add(x, c->domain, QUOTA_WATCHES, 1);
	return 0;
}

static void watch_free(struct xsd *x, struct watch *w)
{
	struct watch_group *g = w->group;

	quota_add(x, w->conn->domain, QUOTA_WATCHES, -1);
	list_del(&w->in_group);
	list_del(&w->in_conn);
	free(w);
	if (list_empty(&g->watches)) {
		table_del(&x->groups, &g->link);
		free(g);
	}
}

int watch_remove(struct xsd *x, struct conn *c, const char *path, const char *token)
{
	struct watch *w = find(group_find(x, path, strlen(path), text_hash(x, path)), c, token);

	if (!w)
		return -ENOENT;
	watch_free(x, w);
	return 0;
}

void watches_drop(struct xsd *x, struct conn *c)
{
	while (!list_empty(&c->watches))
		watch_free(x, list_object(c->watches.next, struct watch, in_conn));
}

/* Who may read the node, its parent, or could before, gets to know. */
static bool permitted(const struct conn *c, const struct node *n, const struct node *parent,
		      const struct perms *old)
{
	if (privileged(c))
		return true;
	return (old && perms_for(c, old) & PERM_READ) ||
	       (n && perms_for(c, n->perms) & PERM_READ) ||
	       (n && parent && perms_for(c, parent->perms) & PERM_READ);
}

static void fire_group(struct xsd *x, struct watch_group *g, const struct path *p,
		       unsigned int level, unsigned int below, struct node *n,
		       const struct perms *old)
{
	list_for_each(i, &g->watches) {
		struct watch *w = list_object(i, struct watch, in_group);

		if ((w->depth < 0 || below <= (unsigned int)w->depth) &&
		    permitted(w->conn, n, n ? n->parent : NULL, old))
			conn_event(x, w->conn, p->text + w->base, p->end[level] - w->base,
				   w->token);
	}
}

void watch_fire(struct xsd *x, const struct path *p, unsigned int level, struct node *n, bool exact,
		const struct perms *old)
{
	if (!x->groups.count)
		return;
	for (unsigned int at = level + 1; at-- > 0; ) {
		struct watch_group *g = group_find(x, p->text, p->end[at], p->hash[at]);

		if (g)
			fire_group(x, g, p, level, level - at, n, old);
		if (exact)
			break;
	}
}

/* The subtree below @n: whoever watches exactly these nodes. */
static void fire_below(struct xsd *x, struct node *n, char *text, unsigned int length)
{
	list_for_each(i, &n->children) {
		struct node *child = list_object(i, struct node, sibling);
		unsigned int end = length > 1 ? length : 0;
		struct watch_group *g;

		text[end] = '/';
		memcpy(text + end + 1, child->name, child->name_length);
		end += 1 + child->name_length;
		fire_below(x, child, text, end);
		g = group_find(x, text, end, child->link.hash);
		if (g)
			list_for_each(j, &g->watches) {
				struct watch *w = list_object(j, struct watch, in_group);

				if (permitted(w->conn, child, n, NULL))
					conn_event(x, w->conn, text + w->base, end - w->base,
						   w->token);
			}
	}
}

void watch_fire_tree(struct xsd *x, const struct path *p, struct node *n)
{
	char text[2 * XENSTORE_ABS_PATH_MAX];

	if (!x->groups.count)
		return;
	if (!list_empty(&n->children)) {
		memcpy(text, p->text, p->length);
		fire_below(x, n, text, p->length);
	}
	watch_fire(x, p, p->levels, n, false, NULL);
}

void watch_fire_special(struct xsd *x, unsigned int which, unsigned int domid)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%s/%u", special_names[which], domid);
	unsigned int name = strlen(special_names[which]);
	struct watch_group *all = group_find(x, special_names[which], name,
					     text_hash(x, special_names[which]));
	struct watch_group *one = group_find(x, text, length, text_hash(x, text));

	if (all)
		list_for_each(i, &all->watches) {
			struct watch *w = list_object(i, struct watch, in_group);

			if (perms_for(w->conn, x->special[which]) & PERM_READ)
				conn_event(x, w->conn, text,
					   w->depth == 1 ? (unsigned int)length : name, w->token);
		}
	if (one)
		list_for_each(i, &one->watches) {
			struct watch *w = list_object(i, struct watch, in_group);

			if (perms_for(w->conn, x->special[which]) & PERM_READ)
				conn_event(x, w->conn, text, length, w->token);
		}
}
