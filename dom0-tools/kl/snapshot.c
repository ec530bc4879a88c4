/* SPDX-License-Identifier: MIT */
/*
 * Taking a snapshot of all domains. The cost matters: with hundreds of domains a listing must not
 * ask the hypervisor or the store once per domain. Domains that are destroyed but still held by
 * someone have lost their place in the store; their names come from what destroy left
 * (LIGHT_DEAD_PATH).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/light.h>
#include "snapshot.h"

#define BATCH 256	/* domains asked for per hypercall */

int kl_snapshot(struct kl *kl, struct kl_snapshot *snap)
{
	domid_t first = 0;
	int got;

	memset(snap, 0, sizeof(*snap));
	if (!kl_ctl(kl))
		return KL_FAILED;
	do {
		void *more = realloc(snap->info, (snap->count + BATCH) * sizeof(*snap->info));

		if (!more) {
			kl_snapshot_free(snap);
			return kl_check(kl, -ENOMEM, "cannot list domains");
		}
		snap->info = more;
		got = ctl_getdomaininfolist(kl->ctl, first, BATCH, snap->info + snap->count);
		if (got < 0) {
			kl_snapshot_free(snap);
			return kl_check(kl, got, "cannot list domains");
		}
		snap->count += got;
		if (got > 0)
			first = snap->info[snap->count - 1].domain + 1;
	} while (got == BATCH);
	return KL_OK;
}

int kl_snapshot_of(struct kl *kl, char **names, unsigned int count, struct kl_snapshot *snap)
{
	unsigned int i;

	memset(snap, 0, sizeof(*snap));
	if (!kl_ctl(kl))
		return KL_FAILED;
	snap->info = calloc(count ? count : 1, sizeof(*snap->info));
	if (!snap->info)
		return kl_check(kl, -ENOMEM, "cannot list domains");
	for (i = 0; i < count; i++) {
		domid_t domid;
		int err;

		if (kl_find_domain(kl, names[i], &domid)) {
			kl_snapshot_free(snap);
			return KL_FAILED;
		}
		err = ctl_getdomaininfo(kl->ctl, domid, &snap->info[i]);
		if (err) {
			kl_snapshot_free(snap);
			if (err != -ESRCH)
				return kl_check(kl, err, "cannot look at domain %s", names[i]);
			return kl_error(kl, "no-such-domain", "Error: Domain '%s' does not exist.",
					names[i]);
		}
		snap->count++;
	}
	return KL_OK;
}

static void free_array(char **array, unsigned int count)
{
	unsigned int i;

	for (i = 0; array && i < count; i++)
		free(array[i]);
	free(array);
}

void kl_snapshot_free(struct kl_snapshot *snap)
{
	free_array(snap->names, snap->count);
	free_array(snap->causes, snap->count);
	free(snap->info);
	memset(snap, 0, sizeof(*snap));
}

int kl_read_many(struct kl *kl, unsigned int count, char *const *paths, char **values)
{
	struct store_request *requests = calloc(count ? count : 1, sizeof(*requests));
	unsigned int i;
	int err;

	for (i = 0; i < count; i++)
		values[i] = NULL;
	if (!requests)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		requests[i].type = XS_READ;
		requests[i].path = paths[i];
	}
	store_pipeline(kl->store, 0, requests, count);
	for (i = 0, err = 0; i < count; i++) {
		if (requests[i].result == 0)
			values[i] = requests[i].reply;
		else
			free(requests[i].reply);
		/* "There is no such node" and "not for you" are answers; others are failures. */
		if (requests[i].result && requests[i].result != -ENOENT &&
		    requests[i].result != -EACCES)
			err = requests[i].result;
	}
	free(requests);
	return err;
}

/* Two paths for each domain of @index: the name kept for a dead one, and why it ended. */
static int read_dead(struct kl *kl, struct kl_snapshot *snap, const unsigned int *index,
		     unsigned int count)
{
	char **paths = calloc(2 * count, sizeof(*paths));
	char **values = calloc(2 * count, sizeof(*values));
	unsigned int i;
	int err = -ENOMEM;

	if (!paths || !values)
		goto out;
	for (i = 0; i < count; i++) {
		unsigned int domid = snap->info[index[i]].domain;

		paths[2 * i] = tools_asprintf(LIGHT_DEAD_PATH "/%u", domid);
		paths[2 * i + 1] = tools_asprintf(LIGHT_DEAD_PATH "/%u/cause", domid);
		if (!paths[2 * i] || !paths[2 * i + 1])
			goto out;
	}
	err = kl_read_many(kl, 2 * count, paths, values);
	for (i = 0; i < count; i++) {
		struct xen_domctl_getdomaininfo *info = &snap->info[index[i]];

		if (!snap->names[index[i]] && values[2 * i] && values[2 * i][0]) {
			snap->names[index[i]] = values[2 * i];
			values[2 * i] = NULL;
		}
		if (info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)) {
			snap->causes[index[i]] = values[2 * i + 1];
			values[2 * i + 1] = NULL;
		}
	}
out:
	free_array(paths, paths ? 2 * count : 0);
	free_array(values, values ? 2 * count : 0);
	return err;
}

/* The names that the living have in the store. */
static int read_living(struct kl *kl, struct kl_snapshot *snap)
{
	char **paths = calloc(snap->count, sizeof(*paths));
	/* One block for all paths: "/local/domain/65535/name" is 24 bytes. */
	char (*text)[32] = calloc(snap->count, sizeof(*text));
	unsigned int i;
	int err = -ENOMEM;

	if (paths && text) {
		for (i = 0; i < snap->count; i++) {
			snprintf(text[i], sizeof(text[i]), "/local/domain/%u/name",
				 snap->info[i].domain);
			paths[i] = text[i];
		}
		err = kl_read_many(kl, snap->count, paths, snap->names);
	}
	free(paths);
	free(text);
	return err;
}

int kl_snapshot_names(struct kl *kl, struct kl_snapshot *snap)
{
	unsigned int i, missing = 0, *index;
	int err;

	snap->names = calloc(snap->count + 1, sizeof(*snap->names));
	snap->causes = calloc(snap->count + 1, sizeof(*snap->causes));
	index = calloc(snap->count + 1, sizeof(*index));
	if (!snap->names || !snap->causes || !index) {
		free(index);
		return kl_check(kl, -ENOMEM, "cannot list domains");
	}
	if (!snap->count || !kl_store(kl)) {
		free(index);
		return snap->count ? KL_FAILED : KL_OK;
	}
	err = read_living(kl, snap);
	for (i = 0; i < snap->count; i++)
		if ((!snap->names[i] && snap->info[i].domain) ||
		    snap->info[i].flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown))
			index[missing++] = i;
	if (!err && missing)
		err = read_dead(kl, snap, index, missing);
	free(index);
	return kl_check(kl, err, "cannot read the names of domains");
}

const char *kl_shown_name(const struct kl_snapshot *snap, unsigned int i)
{
	if (snap->names && snap->names[i])
		return snap->names[i];
	return snap->info[i].domain ? "(null)" : "Domain-0";
}

void kl_uuid_text(const uint8_t uuid[16], char *text)
{
	unsigned int i, at = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		at += sprintf(text + at, "%02x", uuid[i]);
	}
}

void kl_bitmap_text(const uint8_t *map, unsigned int bits, char *text, size_t room)
{
	unsigned int i, first;
	size_t at = 0;

	text[0] = '\0';
	for (i = 0; i < bits && at < room; i++) {
		if (!(map[i / 8] & 1 << i % 8))
			continue;
		for (first = i; i + 1 < bits && map[(i + 1) / 8] & 1 << (i + 1) % 8; i++)
			;
		if (first == 0 && i + 1 == bits) {
			snprintf(text, room, "all");
			return;
		}
		at += snprintf(text + at, room - at, at ? ",%u" : "%u", first);
		if (i > first && at < room)
			at += snprintf(text + at, room - at, "-%u", i);
	}
	if (!at)
		snprintf(text, room, "none");
}
