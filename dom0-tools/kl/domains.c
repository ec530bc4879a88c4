/* SPDX-License-Identifier: MIT */
/*
 * Domains by name or number, as the user writes them. A number is taken as it is; a name is looked
 * up among all names (one batch), and a mistyped one is answered with the nearest.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "snapshot.h"

#define NEAR_MAX 64	/* longer names are not compared for likeness */

/* How many letters to insert, drop or change to get from @a to @b. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NEAR_MAX + 1], n = strlen(b), i, j;

	if (strlen(a) > NEAR_MAX || n > NEAR_MAX)
		return NEAR_MAX;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		unsigned int diagonal = row[0]++;

		for (j = 0; j < n; j++) {
			unsigned int change = diagonal + (a[i] != b[j]);
			unsigned int least = row[j] < row[j + 1] ? row[j] : row[j + 1];

			diagonal = row[j + 1];
			row[j + 1] = change < least + 1 ? change : least + 1;
		}
	}
	return row[n];
}

/* The name most like @name, or NULL if none is. */
static const char *nearest(const struct kl_snapshot *snap, const char *name)
{
	unsigned int best = strlen(name) / 3 + 1, i;
	const char *found = NULL;

	for (i = 0; i < snap->count; i++) {
		unsigned int d = snap->names[i] ? distance(snap->names[i], name) : NEAR_MAX;

		if (d <= best && (!found || d < best)) {
			best = d;
			found = snap->names[i];
		}
	}
	return found;
}

static bool all_digits(const char *text)
{
	const char *p = text;

	while (isdigit((unsigned char)*p))
		p++;
	return !*p;
}

/* Looks for @name; a living domain is preferred to one that is going. */
static int search(const struct kl_snapshot *snap, const char *name, domid_t *domid)
{
	int found = -ENOENT;
	unsigned int i;

	for (i = 0; i < snap->count; i++) {
		if (!snap->names[i] || strcmp(snap->names[i], name))
			continue;
		if (!found && snap->info[i].flags & XEN_DOMINF_dying)
			continue;
		*domid = snap->info[i].domain;
		found = 0;
		if (!(snap->info[i].flags & XEN_DOMINF_dying))
			break;
	}
	return found;
}

int kl_name_to_domid(struct kl *kl, const char *name, domid_t *domid)
{
	struct kl_snapshot snap;
	int err;

	if (kl_snapshot(kl, &snap))
		return -EIO;
	err = kl_snapshot_names(kl, &snap) ? -EIO : search(&snap, name, domid);
	kl_snapshot_free(&snap);
	return err;
}

int kl_find_domain(struct kl *kl, const char *name, domid_t *domid)
{
	struct tools_error e = { .code = "no-such-domain" };
	struct kl_snapshot snap;
	const char *like;
	int err;

	if (*name && all_digits(name)) {
		unsigned long number = strtoul(name, NULL, 10);

		if (number < DOMID_FIRST_RESERVED) {
			*domid = number;
			return 0;
		}
		kl_error(kl, "no-such-domain", "%s is an invalid domain identifier (ids end at %u)",
			 name, DOMID_FIRST_RESERVED - 1);
		return -EINVAL;
	}
	if (kl_snapshot(kl, &snap))
		return -EIO;
	if (kl_snapshot_names(kl, &snap)) {
		kl_snapshot_free(&snap);
		return -EIO;
	}
	err = search(&snap, name, domid);
	if (err) {
		like = nearest(&snap, name);
		snprintf(e.text, sizeof(e.text), "%s is an invalid domain identifier (rc=-6)",
			 name);
		if (like)
			snprintf(e.hint, sizeof(e.hint), "did you mean %s?", like);
		kl_fail(kl, &e);
	}
	kl_snapshot_free(&snap);
	return err;
}

char *kl_domain_name(struct kl *kl, domid_t domid)
{
	struct xen_domctl_getdomaininfo info = { .domain = domid };
	struct kl_snapshot snap = { .count = 1, .info = &info };
	char *name = NULL;

	if (!kl_snapshot_names(kl, &snap)) {
		name = snap.names[0];
		snap.names[0] = NULL;
	}
	snap.info = NULL;
	kl_snapshot_free(&snap);
	return name;
}
