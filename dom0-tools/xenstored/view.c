/* SPDX-License-Identifier: MIT */
/*
 * Nodes as a request sees and changes them: the committed tree, or with the entries of its
 * transaction laid over it.
 */
#include <errno.h>
#include <string.h>
#include "xsd.h"

static void from_node(struct view *v, struct node *n)
{
	*v = (struct view){ .exists = n != NULL, .node = n };
	if (n) {
		v->value = node_value(n);
		v->length = n->length;
		v->perms = n->perms;
		v->gen = n->gen;
	}
}

static void lay_over(struct view *v, struct entry *e)
{
	v->entry = e;
	v->exists = !(e->flags & TX_GONE) && (v->node || e->flags & (TX_CREATED | TX_KEPT));
	if (e->flags & TX_VALUE) {
		v->value = e->value;
		v->length = e->length;
	}
	if (e->flags & TX_PERMS)
		v->perms = e->perms;
	if (!v->perms)
		v->perms = e->old_perms;
	if (v->exists && !v->perms)
		v->exists = false;
}

/* Without becoming dependent on what it finds. */
static void peek(struct request *r, const struct path *p, unsigned int level, struct view *v)
{
	struct entry *e = NULL;

	from_node(v, node_find(r->x, p, level));
	if (r->tx)
		e = tx_entry(r->x, r->tx, p->text, p->end[level], p->hash[level]);
	if (e)
		lay_over(v, e);
}

int view_get(struct request *r, const struct path *p, unsigned int level, unsigned int deps,
	     struct view *v)
{
	from_node(v, node_find(r->x, p, level));
	if (!r->tx)
		return 0;
	if (!tx_room(r->x, r->tx, 1) &&
	    !tx_entry(r->x, r->tx, p->text, p->end[level], p->hash[level]))
		return -ENOSPC;
	lay_over(v, tx_touch(r->x, r->tx, p->text, p->end[level], p->hash[level], v->node, deps));
	return 0;
}

/* The nearest parent that exists in the view; *found its level. */
static void nearest(struct request *r, const struct path *p, unsigned int *found, struct view *v)
{
	unsigned int level = p->levels;

	do {
		peek(r, p, --level, v);
	} while (!v->exists && level);
	*found = level;
}

int view_access(struct request *r, const struct path *p, unsigned int deps, unsigned int access,
		struct view *v)
{
	int err = view_get(r, p, p->levels, deps | DEP_EXIST | DEP_PERMS, v);
	struct view parent;
	unsigned int level;

	if (err)
		return err;
	if (v->exists)
		return (perms_for(r->conn, v->perms) & access) == access ? 0 : -EACCES;
	if (!p->levels)
		return -ENOENT;
	/* Who may not see the parent is not told whether there is a child. */
	nearest(r, p, &level, &parent);
	return perms_for(r->conn, parent.perms) & access ? -ENOENT : -EACCES;
}

/* The hash of @name below a path with hash @hash. */
static uint32_t child_hash(struct xsd *x, uint32_t hash, unsigned int level, const char *name,
			   unsigned int length)
{
	if (level)
		hash = (hash ^ '/') * 16777619u;
	else
		hash = x->seed;
	for (unsigned int i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash;
}

void view_children(struct request *r, const struct path *p, const struct view *v,
		   void (*each)(void *data, const char *name, unsigned int length), void *data)
{
	char text[2 * XENSTORE_ABS_PATH_MAX];
	unsigned int at = p->levels ? p->length : 0;

	memcpy(text, p->text, at);
	text[at++] = '/';
	if (v->node)
		list_for_each(i, &v->node->children) {
			struct node *n = list_object(i, struct node, sibling);
			struct entry *e = NULL;

			if (r->tx) {
				memcpy(text + at, n->name, n->name_length);
				e = tx_entry(r->x, r->tx, text, at + n->name_length, n->link.hash);
			}
			if (!e || !(e->flags & (TX_GONE | TX_CREATED)))
				each(data, n->name, n->name_length);
		}
	if (v->entry)
		list_for_each(i, &v->entry->created) {
			struct entry *e = list_object(i, struct entry, sibling);

			each(data, e->path + at, e->path_length - at);
		}
}

/* --- Changes --- */

static bool too_big(struct request *r, unsigned int length, const struct node *n,
		    unsigned int perms)
{
	unsigned int bytes = length + (n ? n->children_bytes : 0) + perms * sizeof(struct perm);

	return !privileged(r->conn) && bytes >= r->x->quota[QUOTA_NODE_SIZE];
}

int view_write(struct request *r, const struct path *p, struct view *v, const void *value,
	       unsigned int length)
{
	struct xsd *x = r->x;

	if (too_big(r, length, v->node, v->perms->count))
		return -ENOSPC;
	if (r->tx && !quota_fits(x, r->conn->domain, QUOTA_MEMORY, length))
		return -ENOSPC;
	if (r->tx) {
		bool first = !(v->entry->flags & TX_MODIFIED);

		entry_set_value(x, v->entry, value, length);
		v->entry->flags &= ~TX_QUIET;
		if (first)
			entry_move(v->entry);
		tx_journal(x, v->entry, first);
		return 0;
	}
	if (tx_must_wait(x, r->conn, p, p->levels, DEP_VALUE))
		return STALL;
	node_set_value(x, p, v->node, value, length);
	watch_fire(x, p, p->levels, v->node, false, NULL);
	return 0;
}

static int create_in_tx(struct request *r, const struct path *p, unsigned int level,
			struct perms *perms, const void *value, unsigned int length)
{
	struct xsd *x = r->x;
	struct entry *parent;

	if (!tx_room(x, r->tx, p->levels - level + 1))
		return -ENOSPC;
	parent = tx_touch(x, r->tx, p->text, p->end[level], p->hash[level],
			  node_find(x, p, level), DEP_EXIST | DEP_PERMS);
	while (level++ < p->levels) {
		struct entry *e = tx_touch(x, r->tx, p->text, p->end[level], p->hash[level],
					   node_find(x, p, level), DEP_EXIST);
		bool last = level == p->levels;

		e->flags = (e->flags & ~(TX_GONE | TX_EXACT | TX_QUIET)) | TX_CREATED;
		if (!last)
			e->flags |= TX_QUIET;
		entry_set_value(x, e, value, last ? length : 0);
		entry_set_perms(x, e, perms);
		entry_move(e);
		list_del(&e->sibling);
		list_add_tail(&parent->created, &e->sibling);
		r->tx->nodes_made++;
		tx_journal(x, e, true);
		parent = e;
	}
	return 0;
}

static bool create_must_wait(struct request *r, const struct path *p, unsigned int level)
{
	if (tx_must_wait(r->x, r->conn, p, level, DEP_CHILDREN))
		return true;
	while (level++ < p->levels)
		if (tx_must_wait(r->x, r->conn, p, level, DEP_ALL))
			return true;
	return false;
}

int view_create(struct request *r, const struct path *p, const void *value, unsigned int length)
{
	struct xsd *x = r->x;
	struct domain *d = r->conn->domain;
	unsigned int level, more;
	struct perms *perms;
	struct view parent;
	struct node *n = NULL;
	int err = 0;

	nearest(r, p, &level, &parent);
	more = p->levels - level + (r->tx ? r->tx->nodes_made : 0);
	if (!quota_fits(x, d, QUOTA_NODES, more))
		return -ENOSPC;
	if (too_big(r, length, NULL, parent.perms->count))
		return -ENOSPC;
	if (!r->tx && create_must_wait(r, p, level))
		return STALL;
	perms = privileged(r->conn) ? perms_ref(parent.perms) :
		perms_with_owner(x, parent.perms, d);
	if (r->tx) {
		err = create_in_tx(r, p, level, perms, value, length);
	} else {
		while (level++ < p->levels)
			n = node_create(x, p, level, perms, value,
					level == p->levels ? length : 0);
		watch_fire(x, p, p->levels, n, false, NULL);
	}
	perms_put(x, perms);
	return err;
}

static void entry_gone(struct request *r, struct entry *e, bool top)
{
	if (e->flags & TX_CREATED) {
		list_del(&e->sibling);
		r->tx->nodes_made--;
	}
	if (e->old_perms)
		e->flags |= TX_REMOVED;
	e->flags = (e->flags & ~(TX_CREATED | TX_KEPT | TX_EXACT)) | TX_GONE;
	if (!top)
		e->flags |= TX_EXACT;
	entry_move(e);
	tx_journal(r->x, e, true);
}

/* Takes all below out of the transaction's view; children before parents. */
static int remove_below(struct request *r, char *text, unsigned int length, unsigned int level,
			uint32_t hash, struct node *n, struct entry *e)
{
	unsigned int at = level ? length + 1 : 1;
	int err = 0;

	text[at - 1] = '/';
	if (n)
		list_for_each(i, &n->children) {
			struct node *child = list_object(i, struct node, sibling);
			unsigned int end = at + child->name_length;
			struct entry *ce;

			memcpy(text + at, child->name, child->name_length);
			ce = tx_entry(r->x, r->tx, text, end, child->link.hash);
			if (ce && ce->flags & (TX_GONE | TX_CREATED))
				continue;
			if (!tx_room(r->x, r->tx, 1))
				return -ENOSPC;
			ce = tx_touch(r->x, r->tx, text, end, child->link.hash, child,
				      DEP_EXIST | DEP_CHILDREN);
			err = remove_below(r, text, end, level + 1, child->link.hash, child, ce);
			if (err)
				return err;
			entry_gone(r, ce, false);
		}
	list_for_each_safe(i, &e->created) {
		struct entry *ce = list_object(i, struct entry, sibling);

		memcpy(text + at, ce->path + at, ce->path_length - at);
		err = remove_below(r, text, ce->path_length, level + 1,
				   child_hash(r->x, hash, level, ce->path + at,
					      ce->path_length - at),
				   NULL, ce);
		if (err)
			return err;
		entry_gone(r, ce, false);
	}
	return 0;
}

int view_remove(struct request *r, const struct path *p, struct view *v)
{
	struct xsd *x = r->x;
	char text[2 * XENSTORE_ABS_PATH_MAX];
	int err;

	if (!r->tx) {
		if (x->priority && (tx_must_wait_tree(x, r->conn, v->node) ||
		    tx_must_wait(x, r->conn, p, p->levels - 1, DEP_CHILDREN)))
			return STALL;
		watch_fire_tree(x, p, v->node);
		node_remove(x, p, v->node);
		return 0;
	}
	memcpy(text, p->text, p->length);
	err = remove_below(r, text, p->length, p->levels, p->hash[p->levels], v->node, v->entry);
	if (!err)
		entry_gone(r, v->entry, true);
	return err;
}

int view_set_perms(struct request *r, const struct path *p, struct view *v, struct perms *perms)
{
	struct xsd *x = r->x;
	struct perms *old;

	if (too_big(r, v->length, v->node, perms->count))
		return -ENOSPC;
	if (r->tx) {
		bool first = !(v->entry->flags & TX_MODIFIED);

		entry_set_perms(x, v->entry, perms);
		v->entry->flags &= ~TX_QUIET;
		if (first)
			entry_move(v->entry);
		tx_journal(x, v->entry, first);
		return 0;
	}
	if (tx_must_wait(x, r->conn, p, p->levels, DEP_PERMS))
		return STALL;
	old = perms_ref(v->node->perms);
	node_set_perms(x, p, v->node, perms);
	watch_fire(x, p, p->levels, v->node, false, old);
	perms_put(x, old);
	return 0;
}
