/* SPDX-License-Identifier: MIT */
/*
 * Permissions: sets of entries that nodes share, what they let a connection do, and their wire
 * form.
 *
 * The first entry names the owner and what all others may; dom0 may everything. An entry counts
 * only for the very domain it was made for: domain ids are used again, instances are not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "xsd.h"

static uint32_t perms_hash(const struct perm *entries, unsigned int count)
{
	uint32_t hash = count;

	for (unsigned int i = 0; i < count; i++) {
		hash = (hash ^ (entries[i].domid | (uint32_t)entries[i].access << 16)) * 16777619u;
		hash = (hash ^ entries[i].instance) * 16777619u;
	}
	return hash;
}

struct perms *perms_get(struct xsd *x, const struct perm *entries, unsigned int count)
{
	uint32_t hash = perms_hash(entries, count);
	struct perms *p;

	for (struct link *l = table_first(&x->perms, hash); l; l = table_next(l, hash)) {
		p = (struct perms *)l;
		if (p->count == count && !memcmp(p->entry, entries, count * sizeof(*entries)))
			return perms_ref(p);
	}
	p = xalloc(sizeof(*p) + count * sizeof(*entries));
	p->refs = 1;
	p->count = count;
	memcpy(p->entry, entries, count * sizeof(*entries));
	table_add(&x->perms, &p->link, hash);
	return p;
}

struct perms *perms_ref(struct perms *p)
{
	p->refs++;
	return p;
}

void perms_put(struct xsd *x, struct perms *p)
{
	if (!p || --p->refs)
		return;
	table_del(&x->perms, &p->link);
	free(p);
}

struct perms *perms_with_owner(struct xsd *x, struct perms *p, struct domain *owner)
{
	struct perm entries[p->count];

	if (p->entry[0].domid == owner->domid && p->entry[0].instance == owner->instance)
		return perms_ref(p);
	memcpy(entries, p->entry, sizeof(entries));
	entries[0].domid = owner->domid;
	entries[0].instance = owner->instance;
	return perms_get(x, entries, p->count);
}

/* Whether the entry is about this connection's domain or the domain it serves (SET_TARGET). */
static bool is_about(const struct conn *conn, const struct perm *e)
{
	const struct domain *d = conn->domain;

	if (e->domid == d->domid)
		return e->instance == d->instance;
	return d->target != DOMID_INVALID && e->domid == d->target &&
	       e->instance == d->target_instance;
}

unsigned int perms_for(const struct conn *conn, const struct perms *p)
{
	if (privileged(conn) || is_about(conn, &p->entry[0]))
		return PERM_READ | PERM_WRITE | PERM_OWNER;
	for (unsigned int i = 1; i < p->count; i++)
		if (is_about(conn, &p->entry[i]))
			return p->entry[i].access;
	return p->entry[0].access;
}

static const char letters[4] = { 'n', 'r', 'w', 'b' };

/* One "r5": 0 or -EINVAL. */
static int perm_parse(struct xsd *x, const char *text, struct perm *e)
{
	const char *letter = *text ? memchr(letters, *text, sizeof(letters)) : NULL;
	struct domain *d;
	char *end;
	long domid;

	if (!letter || !text[1])
		return -EINVAL;
	domid = strtol(text + 1, &end, 0);
	if (*end || domid < 0 || domid > 0xffff)
		return -EINVAL;
	d = domain_get(x, domid);
	*e = (struct perm){ .domid = domid, .access = letter - letters,
			    .instance = d ? d->instance : UINT32_MAX };
	return 0;
}

int perms_parse(struct xsd *x, const char *strings, unsigned int length, unsigned int limit,
		struct perms **out)
{
	unsigned int count = 0;

	if (!length || strings[length - 1])
		return -EINVAL;
	for (unsigned int i = 0; i < length; i++)
		count += !strings[i];
	if (count > limit)
		return -ENOSPC;

	struct perm entries[count];

	memset(entries, 0, sizeof(entries));
	for (unsigned int i = 0; i < count; i++) {
		int err = perm_parse(x, strings, &entries[i]);

		if (err)
			return err;
		strings += strlen(strings) + 1;
	}
	if (entries[0].instance == UINT32_MAX)
		return -ENOENT;
	*out = perms_get(x, entries, count);
	return 0;
}

unsigned int perms_print(const struct perms *p, char *text)
{
	unsigned int length = 0;

	for (unsigned int i = 0; i < p->count; i++)
		length += sprintf(text + length, "%c%u", letters[p->entry[i].access & 3],
				  p->entry[i].domid) + 1;
	return length;
}
