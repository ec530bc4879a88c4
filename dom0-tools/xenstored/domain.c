/* SPDX-License-Identifier: MIT */
/*
 * What the store knows of domains: rings, rights, quotas, and how they end.
 *
 * A domain is known from its introduction or from its first mention in permissions on; its record
 * goes when the hypervisor no longer has it or the toolstack releases it, with all nodes it owns.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

/* Told in server_features: reconnection, the error field, and WATCH with a depth. */
#define FEATURES (XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR | 4)

#define RECONNECT_MS	1000	/* until a ring that could not be had is tried again */
#define LOG_LINES 20			/* about one domain */
#define LOG_PERIOD_MS (10 * 60 * 1000)	/* ... in this time */

struct domain *domain_find(struct xsd *x, unsigned int domid)
{
	for (struct link *l = table_first(&x->domains, domid); l; l = table_next(l, domid))
		return (struct domain *)l;
	return NULL;
}

void domain_journal(struct xsd *x, struct domain *d)
{
	struct item_domain *item;

	if (x->restoring)
		return;
	item = rec_item(&x->journal, ITEM_DOMAIN, sizeof(*item));
	*item = (struct item_domain){
		.domid = d->domid, .target = d->target, .introduced = d->introduced,
		.shutdown = d->shutdown, .instance = d->instance,
		.target_instance = d->target_instance, .remote_port = d->remote_port,
		.frame = d->frame,
	};
}

struct domain *domain_add(struct xsd *x, unsigned int domid, uint32_t instance)
{
	struct domain *d = xalloc(sizeof(*d));

	d->domid = domid;
	d->instance = instance;
	d->target = DOMID_INVALID;
	d->port = -1;
	list_init(&d->nodes);
	table_add(&x->domains, &d->link, domid);
	return d;
}

struct domain *domain_get(struct xsd *x, unsigned int domid)
{
	struct domain *d = domain_find(x, domid);

	if (d || domid >= DOMID_FIRST_RESERVED || !port_domain_state(x->port, domid))
		return d;
	d = domain_add(x, domid, ++x->next_instance);
	domain_journal(x, d);
	return d;
}

void domain_free(struct xsd *x, struct domain *d)
{
	/* Nodes can be left at the end of the process only. */
	while (!list_empty(&d->nodes))
		list_del(d->nodes.next);
	table_del(&x->domains, &d->link);
	free(d);
}

void domain_log(struct xsd *x, struct domain *d, const char *format, ...)
{
	uint64_t now = port_now_ms(x->port);
	char line[512];
	va_list args;

	if (now - d->lines_since >= LOG_PERIOD_MS) {
		d->lines_since = now;
		d->lines = 0;
	}
	if (d->lines >= LOG_LINES)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	xsd_log(x, "domain %u: %s%s", d->domid, line, ++d->lines < LOG_LINES ? "" :
		"; more about this domain is left out for ten minutes");
}

/* --- Quotas --- */

static const struct {
	const char *name, *text;
} quota_names[QUOTA_KINDS] = {
	[QUOTA_NODES] = { "nodes", "Nodes per domain" },
	[QUOTA_WATCHES] = { "watches", "Watches per domain" },
	[QUOTA_TRANSACTIONS] = { "transactions", "Transactions per domain" },
	[QUOTA_OUTSTANDING] = { "outstanding", "Outstanding requests per domain" },
	[QUOTA_TX_NODES] = { "transaction-nodes", "Max. number of accessed nodes per transaction" },
	[QUOTA_MEMORY] = { "memory", "Total Xenstore memory per domain (error level)" },
	[QUOTA_NODE_SIZE] = { "node-size", "Max. size of a node" },
	[QUOTA_PATH] = { "path-max", "Max. length of a node path" },
	[QUOTA_PERMS] = { "permissions", "Max. number of permissions per node" },
};

const char *quota_name(enum quota_kind kind)
{
	return quota_names[kind].name;
}

const char *quota_text(enum quota_kind kind)
{
	return quota_names[kind].text;
}

void quota_add(struct xsd *x, struct domain *d, enum quota_kind kind, int more)
{
	unsigned int limit = x->quota[kind], used = d->used[kind] += more;

	if (!d->domid || kind == QUOTA_OUTSTANDING)
		return;
	if (more > 0 && used >= limit - limit / 5 && !(d->warned & 1u << kind)) {
		d->warned |= 1u << kind;
		if (!x->restoring)
			domain_log(x, d, "%u of %u %s in use (80 %%)", used, limit,
				   quota_name(kind));
	} else if (more < 0 && used < limit / 2) {
		d->warned &= ~(1u << kind);
		d->limited &= ~(1u << kind);
	}
}

bool quota_fits(struct xsd *x, struct domain *d, enum quota_kind kind, unsigned int more)
{
	if (!d->domid || d->used[kind] + more <= x->quota[kind])
		return true;
	if (!(d->limited & 1u << kind)) {
		d->limited |= 1u << kind;
		domain_log(x, d, "at its limit of %u %s, more are refused "
			   "(xenstore-control quota set %s N raises it)", x->quota[kind],
			   quota_name(kind), quota_name(kind));
	}
	return false;
}

void quota_set(struct xsd *x, enum quota_kind kind, unsigned int limit)
{
	bool own = !x->journal.open;
	uint32_t *item;

	if (kind == QUOTA_PATH && limit > XENSTORE_REL_PATH_MAX)
		limit = XENSTORE_REL_PATH_MAX;
	x->quota[kind] = limit;
	if (own)
		rec_begin(&x->journal, 0, 0, 0);
	item = rec_item(&x->journal, ITEM_QUOTA, 2 * sizeof(*item));
	item[0] = kind;
	item[1] = limit;
	if (own)
		record_commit(x);
}

/* --- Introduction and end --- */

static int connect_ring(struct xsd *x, struct domain *d)
{
	int err = port_ring_map(x->port, d->domid, d->frame, &d->ring);

	if (err) {
		d->ring = NULL;
		return err;
	}
	d->port = port_bind(x->port, d->domid, d->remote_port);
	if (d->port < 0) {
		err = d->port;
		port_ring_unmap(x->port, d->domid, d->ring);
		d->ring = NULL;
		return err;
	}
	d->ring->server_features |= FEATURES;
	return 0;
}

static void disconnect_ring(struct xsd *x, struct domain *d)
{
	if (d->port >= 0)
		port_unbind(x->port, d->port);
	if (d->ring)
		port_ring_unmap(x->port, d->domid, d->ring);
	d->port = -1;
	d->ring = NULL;
}

/* The toolstack gives a connected domain a new event channel: after a resume. */
static int introduce_again(struct xsd *x, struct domain *d, uint32_t remote_port)
{
	if (d->port >= 0)
		port_unbind(x->port, d->port);
	d->port = -1;
	d->remote_port = remote_port;
	if (d->ring) {
		d->port = port_bind(x->port, d->domid, remote_port);
	} else {
		int err = connect_ring(x, d);

		if (err)
			return err;
	}
	domain_journal(x, d);
	conn_reset(x, d->conn);
	return 0;
}

int domain_introduce(struct xsd *x, unsigned int domid, uint64_t frame, uint32_t remote_port)
{
	struct domain *d = domain_get(x, domid);
	int err;

	if (!d)
		return -EINVAL;
	if (d->introduced)
		return introduce_again(x, d, remote_port);
	if (!conn_has_room(x))
		return -ENOSPC;
	d->frame = frame;
	d->remote_port = remote_port;
	err = connect_ring(x, d);
	if (err)
		return err;
	d->introduced = true;
	d->shutdown = false;
	domain_journal(x, d);
	conn_open_ring(x, d);
	if (domid)
		watch_fire_special(x, 0, domid);
	return 0;
}

/* Removes a tree of nodes and tells who watches them; children first. */
static void remove_tree(struct xsd *x, struct node *n)
{
	unsigned int length = node_path(n, x->path_text);

	path_hash(x, x->path_text, length, &x->path);
	watch_fire_tree(x, &x->path, n);
	node_remove(x, &x->path, n);
}

/* The root stays when its owner goes. */
static void take_root_back(struct xsd *x)
{
	struct perms *perms = perms_with_owner(x, x->root->perms, x->dom0);

	path_hash(x, "/", 1, &x->path);
	node_set_perms(x, &x->path, x->root, perms);
	perms_put(x, perms);
}

static void remove_owned(struct xsd *x, struct domain *d)
{
	while (!list_empty(&d->nodes)) {
		struct node *n = list_object(d->nodes.next, struct node, owned);

		if (n == x->root) {
			take_root_back(x);
			continue;
		}
		while (n->parent->parent && n->parent->perms->entry[0].domid == d->domid &&
		       n->parent->perms->entry[0].instance == d->instance)
			n = n->parent;
		remove_tree(x, n);
	}
}

void domain_release(struct xsd *x, struct domain *d)
{
	struct item_domain *item;
	bool told = d->introduced;
	unsigned int domid = d->domid;

	if (d->conn) {
		conn_close(x, d->conn);
		d->conn = NULL;
	}
	remove_owned(x, d);
	disconnect_ring(x, d);
	item = rec_item(&x->journal, ITEM_DOMAIN_GONE, sizeof(*item));
	*item = (struct item_domain){ .domid = domid, .instance = d->instance };
	domain_free(x, d);
	if (told)
		watch_fire_special(x, 1, domid);
}

/* What happened to one domain since the last look. */
static void check_one(struct xsd *x, struct domain *d)
{
	unsigned int state = port_domain_state(x->port, d->domid);

	if (!(state & DOMAIN_EXISTS) || (d->introduced && state & DOMAIN_DYING)) {
		domain_release(x, d);
	} else if (d->introduced && state & DOMAIN_SHUTDOWN && !d->shutdown) {
		d->shutdown = true;
		domain_journal(x, d);
		watch_fire_special(x, 1, d->domid);
	}
}

/* The domains but dom0, as an array that stays valid while they go; free() it. */
static struct domain **all_domains(struct xsd *x, unsigned int *count)
{
	struct domain **all = xalloc((x->domains.count + 1) * sizeof(*all));

	*count = 0;
	for (size_t i = 0; i < (size_t)1 << x->domains.bits; i++)
		for (struct link *l = x->domains.bucket[i]; l; l = l->next)
			if (((struct domain *)l)->domid)
				all[(*count)++] = (struct domain *)l;
	return all;
}

void domains_check(struct xsd *x)
{
	unsigned int count;
	struct domain **all;

	x->check_at = 0;
	if (room_left(x) == ROOM_NONE) {
		x->check_at = port_now_ms(x->port) + ROOM_RETRY_MS;
		return;
	}
	all = all_domains(x, &count);
	port_domains_snapshot(x->port, true);
	rec_begin(&x->journal, 0, 0, 0);
	for (unsigned int i = 0; i < count; i++)
		check_one(x, all[i]);
	port_domains_snapshot(x->port, false);
	record_commit(x);
	free(all);
}

/* Once it works, nobody had noticed; until then, it is tried again and again. */
static void reconnect(struct xsd *x, struct domain *d)
{
	int err = connect_ring(x, d);

	if (err) {
		domain_log(x, d, "no connection after the restart: %s", strerror(-err));
		x->reconnect_at = port_now_ms(x->port) + RECONNECT_MS;
		return;
	}
	conn_republish(x, d->conn);
	port_notify(x->port, d->port);
	conn_ready(x, d->conn);
}

void domains_reconnect(struct xsd *x)
{
	unsigned int count;
	struct domain **all = all_domains(x, &count);

	x->reconnect_at = 0;
	all[count++] = x->dom0;
	for (unsigned int i = 0; i < count; i++)
		if (all[i]->introduced && !all[i]->ring &&
		    port_domain_state(x->port, all[i]->domid) & DOMAIN_EXISTS)
			reconnect(x, all[i]);
	free(all);
}
