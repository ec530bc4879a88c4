/* SPDX-License-Identifier: MIT */
/*
 * Requests: a table of what each message type does, each handler checking everything before it
 * changes anything. The protocol is docs/misc/xenstore.txt of Xen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

void reply(struct request *r, const void *bytes, unsigned int length)
{
	conn_out(r->x, r->conn, &r->msg, bytes, length, NULL, 0);
}

static void reply_error(struct request *r, int err)
{
	struct xsd_sockmsg msg = r->msg;
	const char *text = "EINVAL";

	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (xsd_errors[i].errnum == -err)
			text = xsd_errors[i].errstring;
	msg.type = XS_ERROR;
	conn_out(r->x, r->conn, &msg, text, strlen(text) + 1, NULL, 0);
}

static int done(struct request *r)
{
	reply(r, "OK", 3);
	return 0;
}

/* --- Arguments --- */

/* The @n-th string of the body, or NULL; *rest, if not NULL, is where the next begins. */
static const char *string(struct request *r, unsigned int n, unsigned int *rest)
{
	unsigned int at = 0;

	for (;;) {
		const char *nul = at < r->msg.len ? memchr(r->body + at, 0, r->msg.len - at) : NULL;

		if (!nul)
			return NULL;
		if (!n--) {
			if (rest)
				*rest = nul + 1 - r->body;
			return r->body + at;
		}
		at = nul + 1 - r->body;
	}
}

/* The body, if it is exactly one string. */
static const char *only_string(struct request *r)
{
	unsigned int rest;
	const char *s = string(r, 0, &rest);

	return s && rest == r->msg.len ? s : NULL;
}

static unsigned int count_strings(struct request *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->msg.len; i++)
		n += !r->body[i];
	return n;
}

static int number(const char *s, unsigned long *value)
{
	char *end;

	if (!s || *s < '0' || *s > '9')
		return -EINVAL;
	*value = strtoul(s, &end, 10);
	return *end ? -EINVAL : 0;
}

/* Bytes of "/local/domain/N/" written to @to. */
static unsigned int base_path(struct request *r, char *to)
{
	return sprintf(to, "/local/domain/%u/", r->conn->domain->domid);
}

/* @name, made absolute, taken apart into x->path; its base's length if relative, or -EINVAL. */
static int parse(struct request *r, const char *name)
{
	struct xsd *x = r->x;
	unsigned int base = 0, length;

	if (!name)
		return -EINVAL;
	length = strlen(name);
	if (length > XENSTORE_ABS_PATH_MAX)
		return -EINVAL;
	if (name[0] != '/' && name[0] != '@')
		base = base_path(r, x->path_text);
	memcpy(x->path_text + base, name, length + 1);
	if (!path_parse(x, x->path_text, base + length, &x->path))
		return -EINVAL;
	return base;
}

/* The node that the request names, with rights; @v filled also for -ENOENT. */
static int open_node(struct request *r, const char *name, unsigned int deps, unsigned int access,
		     struct view *v)
{
	int err = parse(r, name);

	return err < 0 ? err : view_access(r, &r->x->path, deps, access, v);
}

/* --- Reading --- */

struct listing {
	char bytes[XENSTORE_PAYLOAD_MAX + 1];
	unsigned int length;
	unsigned int skip, skipped;	/* for parts */
	unsigned int room;
	bool full;
};

static void list_name(void *data, const char *name, unsigned int length)
{
	struct listing *l = data;

	if (l->skipped < l->skip) {
		l->skipped += length + 1;
	} else if (l->full || l->length + length + 1 > l->room) {
		l->full = true;
	} else {
		memcpy(l->bytes + l->length, name, length);
		l->bytes[l->length + length] = 0;
		l->length += length + 1;
	}
}

static int do_directory(struct request *r)
{
	struct listing l = { .room = XENSTORE_PAYLOAD_MAX };
	struct view v;
	int err = open_node(r, only_string(r), DEP_CHILDREN, PERM_READ, &v);

	if (err)
		return err;
	view_children(r, &r->x->path, &v, list_name, &l);
	if (l.full)
		return -E2BIG;
	reply(r, l.bytes, l.length);
	return 0;
}

static int do_directory_part(struct request *r)
{
	struct listing l = { 0 };
	unsigned long offset;
	struct view v;
	char gen[24];
	int err, head;

	if (count_strings(r) != 2)
		return -EINVAL;
	err = open_node(r, string(r, 0, NULL), DEP_CHILDREN, PERM_READ, &v);
	if (!err)
		err = number(string(r, 1, NULL), &offset);
	if (err)
		return err;
	head = snprintf(gen, sizeof(gen), "%llu", (unsigned long long)v.gen) + 1;
	l.room = XENSTORE_PAYLOAD_MAX - head - 1;
	l.skip = offset > UINT32_MAX ? UINT32_MAX : offset;
	view_children(r, &r->x->path, &v, list_name, &l);
	if (!l.full)
		l.bytes[l.length++] = 0;	/* an empty name ends the whole list */
	conn_out(r->x, r->conn, &r->msg, gen, head, l.bytes, l.length);
	return 0;
}

static int do_read(struct request *r)
{
	struct view v;
	int err = open_node(r, only_string(r), DEP_VALUE, PERM_READ, &v);

	if (!err)
		reply(r, v.value, v.length);
	return err;
}

static int do_get_perms(struct request *r)
{
	struct view v;
	char text[XENSTORE_PAYLOAD_MAX];
	int err = open_node(r, only_string(r), 0, PERM_READ, &v);

	if (err)
		return err;
	if (v.perms->count * 7 > sizeof(text))
		return -E2BIG;
	reply(r, text, perms_print(v.perms, text));
	return 0;
}

/* --- Writing --- */

static int do_write(struct request *r)
{
	unsigned int rest = 0;
	const char *name = string(r, 0, &rest);
	struct view v;
	int err;

	err = open_node(r, name, 0, PERM_WRITE, &v);
	if (!err)
		err = view_write(r, &r->x->path, &v, r->body + rest, r->msg.len - rest);
	else if (err == -ENOENT)
		err = view_create(r, &r->x->path, r->body + rest, r->msg.len - rest);
	return err ? err : done(r);
}

static int do_mkdir(struct request *r)
{
	struct view v;
	int err = open_node(r, only_string(r), 0, PERM_WRITE, &v);

	if (err == -ENOENT)
		err = view_create(r, &r->x->path, NULL, 0);
	return err ? err : done(r);
}

static int do_rm(struct request *r)
{
	struct view v;
	int err = open_node(r, only_string(r), DEP_CHILDREN, PERM_WRITE, &v);

	if (err == -ENOENT) {
		/* Nothing to do, if at least the parent is there. */
		err = view_get(r, &r->x->path, r->x->path.levels - 1, DEP_EXIST, &v);
		if (!err && !v.exists)
			err = -ENOENT;
		return err ? err : done(r);
	}
	if (!err && !r->x->path.levels)
		err = -EINVAL;
	if (!err)
		err = view_remove(r, &r->x->path, &v);
	return err ? err : done(r);
}

static int set_special(struct request *r, const char *name, struct perms *perms)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct item_special *item;
		struct perms **p = &r->x->special[i];

		if (strcmp(name, special_names[i]))
			continue;
		if (~perms_for(r->conn, *p) & (PERM_WRITE | PERM_OWNER))
			return -EACCES;
		perms_put(r->x, *p);
		*p = perms_ref(perms);
		item = rec_item(&r->x->journal, ITEM_SPECIAL, sizeof(*item) +
				perms->count * sizeof(struct perm));
		*item = (struct item_special){ .which = i, .perms = perms->count };
		memcpy(item + 1, perms->entry, perms->count * sizeof(struct perm));
		return 0;
	}
	return -EINVAL;
}

static int set_perms(struct request *r, const char *name, struct perms *perms)
{
	struct view v;
	int err;

	if (name[0] == '@')
		return set_special(r, name, perms);
	err = open_node(r, name, 0, PERM_WRITE | PERM_OWNER, &v);
	if (err)
		return err;
	if (!privileged(r->conn) && perms->entry[0].domid != v.perms->entry[0].domid)
		return -EPERM;
	return view_set_perms(r, &r->x->path, &v, perms);
}

static int do_set_perms(struct request *r)
{
	unsigned int rest = 0, limit = r->x->quota[QUOTA_PERMS];
	const char *name = string(r, 0, &rest);
	struct perms *perms;
	int err;

	if (!name || count_strings(r) < 2)
		return -EINVAL;
	if (privileged(r->conn))
		limit = XENSTORE_PAYLOAD_MAX / 8;
	err = perms_parse(r->x, r->body + rest, r->msg.len - rest, limit, &perms);
	if (err)
		return err;
	err = set_perms(r, name, perms);
	perms_put(r->x, perms);
	return err ? err : done(r);
}

/* --- Watches --- */

/* The path of WATCH and UNWATCH in x->path_text; special names as is. The base, or -EINVAL. */
static int watch_path(struct request *r, const char *name)
{
	if (!name || name[0] != '@')
		return parse(r, name);
	if (strlen(name) > XENSTORE_REL_PATH_MAX)
		return -EINVAL;
	strcpy(r->x->path_text, name);
	return 0;
}

static void journal_watch(struct request *r, enum item_type type, const char *token, int depth,
			  unsigned int base)
{
	unsigned int path = strlen(r->x->path_text) + 1, length = strlen(token) + 1;
	struct item_watch *item = rec_item(&r->x->journal, type, sizeof(*item) + path + length);

	*item = (struct item_watch){ .slot = r->conn->slot, .depth = depth, .base = base };
	memcpy(item + 1, r->x->path_text, path);
	memcpy((char *)(item + 1) + path, token, length);
}

static int do_watch(struct request *r)
{
	struct xsd *x = r->x;
	const char *token = string(r, 1, NULL), *third = string(r, 2, NULL);
	unsigned long depth = 0;
	int base, err;

	if (!token || count_strings(r) > 3 || (third && number(third, &depth)))
		return -EINVAL;
	base = watch_path(r, string(r, 0, NULL));
	if (base < 0)
		return base;
	if (depth > XENSTORE_ABS_PATH_MAX)
		depth = XENSTORE_ABS_PATH_MAX;
	if (!quota_fits(x, r->conn->domain, QUOTA_WATCHES, 1))
		return -E2BIG;
	err = watch_add(x, r->conn, x->path_text, token, third ? (int)depth : -1, base);
	if (err)
		return err;
	journal_watch(r, ITEM_WATCH, token, third ? (int)depth : -1, base);
	done(r);
	conn_event(x, r->conn, x->path_text + base, strlen(x->path_text) - base, token);
	return 0;
}

static int do_unwatch(struct request *r)
{
	const char *token = string(r, 1, NULL);
	int err;

	if (!token)
		return -EINVAL;
	err = watch_path(r, string(r, 0, NULL));
	if (err < 0)
		return err;
	err = watch_remove(r->x, r->conn, r->x->path_text, token);
	if (err)
		return err;
	journal_watch(r, ITEM_UNWATCH, token, 0, 0);
	return done(r);
}

static int do_reset_watches(struct request *r)
{
	uint32_t *item = rec_item(&r->x->journal, ITEM_FORGET, 2 * sizeof(*item));

	item[0] = r->conn->slot;
	item[1] = r->conn->epoch;
	watches_drop(r->x, r->conn);
	txs_drop(r->x, r->conn);
	return done(r);
}

/* --- Transactions --- */

static void journal_tx(struct request *r, enum item_type type, uint32_t id)
{
	uint32_t *item = rec_item(&r->x->journal, type, 4 * sizeof(*item));

	item[0] = r->conn->slot;
	item[1] = id;
	item[2] = item[3] = 0;
}

static int do_transaction_start(struct request *r)
{
	struct conn *c = r->conn;
	char text[16];

	if (r->tx)
		return -EBUSY;
	if (!quota_fits(r->x, c->domain, QUOTA_TRANSACTIONS, 1))
		return -ENOSPC;
	while (!c->next_tx || tx_find(c, c->next_tx))
		c->next_tx++;
	tx_start(r->x, c, c->next_tx);
	journal_tx(r, ITEM_TX_START, c->next_tx);
	reply(r, text, sprintf(text, "%u", c->next_tx++) + 1);
	return 0;
}

static int do_transaction_end(struct request *r)
{
	const char *how = only_string(r);
	uint32_t id = r->msg.tx_id;
	int err = 0;

	if (!how || (strcmp(how, "T") && strcmp(how, "F")))
		return -EINVAL;
	if (!r->tx)
		return -ENOENT;
	if (*how == 'T' && (r->no_room || (r->x->room != ROOM_AMPLE && tx_grows(r->tx))))
		err = -ENOSPC;
	if (*how == 'T' && !err)
		err = tx_commit(r->x, r->tx);
	else
		tx_free(r->x, r->tx);
	if (err == STALL)
		return err;
	journal_tx(r, ITEM_TX_END, id);
	return err ? err : done(r);
}

/* --- Domains --- */

/* As atoi() of the established daemons for a domain's number, but nothing beyond 16 bits. */
static int domid_arg(const char *s, unsigned int *domid)
{
	unsigned long n;

	if (number(s, &n) || n > 0xffff)
		return -EINVAL;
	*domid = n;
	return 0;
}

static int do_introduce(struct request *r)
{
	const char *frame = string(r, 1, NULL), *port = string(r, 2, NULL);
	unsigned int domid;
	unsigned long n;
	int err;

	if (domid_arg(string(r, 0, NULL), &domid) || !domid || !frame || number(port, &n) || !n)
		return -EINVAL;
	err = domain_introduce(r->x, domid, strtoull(frame, NULL, 10), n);
	return err ? err : done(r);
}

static int introduced_arg(struct request *r, const char *s, struct domain **d)
{
	unsigned int domid;

	if (domid_arg(s, &domid))
		return -EINVAL;
	*d = domain_find(r->x, domid);
	return *d && (*d)->introduced ? 0 : -ENOENT;
}

/* The only argument: an introduced domain other than dom0. */
static int guest_arg(struct request *r, struct domain **d)
{
	int err = introduced_arg(r, only_string(r), d);

	return !err && !(*d)->domid ? -EINVAL : err;
}

static int do_release(struct request *r)
{
	struct domain *d;
	int err = guest_arg(r, &d);

	if (err)
		return err;
	domain_release(r->x, d);
	return done(r);
}

static int do_resume(struct request *r)
{
	struct domain *d;
	int err = guest_arg(r, &d);

	if (err)
		return err;
	d->shutdown = false;
	domain_journal(r->x, d);
	return done(r);
}

static int do_set_target(struct request *r)
{
	struct domain *d, *target;
	int err = introduced_arg(r, string(r, 0, NULL), &d);

	if (!err)
		err = introduced_arg(r, string(r, 1, NULL), &target);
	if (err)
		return err;
	d->target = target->domid;
	d->target_instance = target->instance;
	domain_journal(r->x, d);
	return done(r);
}

static int do_get_domain_path(struct request *r)
{
	unsigned int domid;
	char text[32];

	if (domid_arg(only_string(r), &domid))
		return -EINVAL;
	reply(r, text, sprintf(text, "/local/domain/%u", domid) + 1);
	return 0;
}

static int do_is_introduced(struct request *r)
{
	struct domain *d;
	unsigned int domid;

	if (domid_arg(only_string(r), &domid))
		return -EINVAL;
	d = domain_find(r->x, domid);
	reply(r, domid == DOMID_SELF || (d && d->introduced) ? "T" : "F", 2);
	return 0;
}

/* --- Dispatch --- */

#define NO_TX	1	/* the transaction id is ignored */
#define DOM0	2
#define GROWS	4	/* adds to the store: not without room */
#define READS	8	/* outside a transaction it leaves nothing in the journal */

static const struct {
	int (*serve)(struct request *r);
	unsigned int flags;
} types[XS_TYPE_COUNT] = {
	[XS_CONTROL] = { request_control, DOM0 | READS },
	[XS_DIRECTORY] = { do_directory, READS },
	[XS_READ] = { do_read, READS },
	[XS_GET_PERMS] = { do_get_perms, READS },
	[XS_WATCH] = { do_watch, NO_TX | GROWS },
	[XS_UNWATCH] = { do_unwatch, NO_TX },
	[XS_TRANSACTION_START] = { do_transaction_start, 0 },
	[XS_TRANSACTION_END] = { do_transaction_end, 0 },
	[XS_INTRODUCE] = { do_introduce, DOM0 | GROWS },
	[XS_RELEASE] = { do_release, DOM0 },
	[XS_GET_DOMAIN_PATH] = { do_get_domain_path, READS },
	[XS_WRITE] = { do_write, GROWS },
	[XS_MKDIR] = { do_mkdir, GROWS },
	[XS_RM] = { do_rm, 0 },
	[XS_SET_PERMS] = { do_set_perms, GROWS },
	[XS_IS_DOMAIN_INTRODUCED] = { do_is_introduced, DOM0 | READS },
	[XS_RESUME] = { do_resume, DOM0 },
	[XS_SET_TARGET] = { do_set_target, DOM0 | GROWS },
	[XS_RESET_WATCHES] = { do_reset_watches, 0 },
	[XS_DIRECTORY_PART] = { do_directory_part, READS },
};

/* Whether the request cannot be recorded, or could not by the process before. */
static bool no_room_for(struct request *r, uint64_t in_done)
{
	struct shared *s = r->x->journal.shared;
	unsigned int flags = r->msg.type < XS_TYPE_COUNT ? types[r->msg.type].flags : READS;

	if (s->refuse_slot && s->refuse_slot == r->conn->slot &&
	    s->refuse_epoch == r->conn->epoch && s->refuse_done == in_done) {
		xsd_log(r->x, "a request of domain %u is refused: /run has no room for its record",
			r->conn->domain->domid);
		return true;
	}
	switch (room_left(r->x)) {
	case ROOM_AMPLE:
		return false;
	case ROOM_TIGHT:
		return flags & GROWS;
	case ROOM_NONE:
		break;
	}
	return !(flags & READS) || r->msg.tx_id;
}

static int dispatch(struct request *r)
{
	uint32_t type = r->msg.type;

	if (type >= XS_TYPE_COUNT || !types[type].serve)
		return -ENOSYS;
	if (types[type].flags & DOM0 && !privileged(r->conn))
		return -EACCES;
	/* A transaction ends, with success or without: its client will not ask again. */
	if (r->no_room && type != XS_TRANSACTION_END)
		return -ENOSPC;
	if (r->msg.tx_id && !(types[type].flags & NO_TX)) {
		r->tx = tx_find(r->conn, r->msg.tx_id);
		if (!r->tx)
			return -ENOENT;
	}
	return types[type].serve(r);
}

static void trace(struct xsd *x, const struct conn *c, const struct xsd_sockmsg *msg,
		  const char *body, int err)
{
	char text[161];
	unsigned int n = msg->len < sizeof(text) - 1 ? msg->len : sizeof(text) - 1;

	for (unsigned int i = 0; i < n; i++)
		text[i] = body[i] >= ' ' && body[i] < 127 ? body[i] : ' ';
	text[n] = 0;
	xsd_log(x, "trace: slot %u domain %u type %u tx %u: %s = %d", c->slot, c->domain->domid,
		msg->type, msg->tx_id, text, err);
}

bool request_serve(struct xsd *x, struct conn *c, const struct xsd_sockmsg *msg, const char *body,
		   uint64_t in_done)
{
	struct request r = { .x = x, .conn = c, .msg = *msg, .body = body };
	struct shared *s = x->journal.shared;
	int err;

	s->serving_slot = c->slot;
	s->serving_epoch = c->epoch;
	s->serving_done = in_done;
	x->serving = c;
	x->count_requests++;
	r.no_room = no_room_for(&r, in_done);
	rec_begin(&x->journal, c->slot, c->epoch, in_done);
	err = dispatch(&r);
	if (err == STALL) {
		x->count_stalls++;
		rec_abandon(&x->journal);
		x->serving = NULL;
		return false;
	}
	if (err)
		reply_error(&r, err);
	if (x->tracing)
		trace(x, c, msg, body, err);
	if (record_commit(x) && x->journal.pure)
		rec_rewind(&x->journal);
	x->serving = NULL;
	return true;
}
