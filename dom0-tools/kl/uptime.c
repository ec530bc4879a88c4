/* SPDX-License-Identifier: MIT */
/*
 * kl uptime: how long domains have run. Domain 0's comes from Linux, the others' from the start
 * time that create wrote; a domain without one (made by hand) is left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tools/json.h>
#include "snapshot.h"

struct uptime {
	bool short_form;
	time_t now;
	struct json_writer *w;	/* with --json */
};

static void duration(unsigned long s, bool short_form, char *text, size_t room)
{
	unsigned long days = s / 86400;
	size_t at = 0;

	s %= 86400;
	text[0] = '\0';
	if (days)
		at = snprintf(text, room, "%lu day%s, ", days, days > 1 ? "s" : "");
	if (short_form)
		snprintf(text + at, room - at, "%2lu:%02lu", s / 3600, s / 60 % 60);
	else
		snprintf(text + at, room - at, "%2lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

static void print_one(const struct uptime *u, const char *name, domid_t domid, unsigned long s)
{
	char text[64], now[16] = "";
	struct tm tm;

	if (u->w) {
		json_open_object(u->w, NULL);
		json_string(u->w, "name", name);
		json_int(u->w, "domid", domid);
		json_uint(u->w, "uptime_seconds", s);
		json_close_object(u->w);
		return;
	}
	duration(s, u->short_form, text, sizeof(text));
	if (!u->short_form) {
		printf("%-33s %4d %s\n", name, domid, text);
		return;
	}
	if (localtime_r(&u->now, &tm))
		strftime(now, sizeof(now), "%H:%M:%S", &tm);
	printf(" %s up %s, %s (%d)\n", now, text, name, domid);
}

/* Seconds since this Linux started, -1: not to be had. */
static long own_uptime(void)
{
	unsigned long s;
	FILE *f = fopen("/proc/uptime", "re");
	bool ok = f && fscanf(f, "%lu", &s) == 1;

	if (f)
		fclose(f);
	return ok ? (long)s : -1;
}

/* The start times of all of @snap in one batch (free() each); NULL where there is none. */
static int read_starts(struct kl *kl, const struct kl_snapshot *snap, char **starts)
{
	char **paths = calloc(snap->count + 1, sizeof(*paths));
	unsigned int i;
	int err = paths ? 0 : -ENOMEM;

	for (i = 0; !err && i < snap->count; i++) {
		char uuid[37];

		kl_uuid_text(snap->info[i].handle, uuid);
		paths[i] = tools_asprintf("/vm/%s/start_time", uuid);
		if (!paths[i])
			err = -ENOMEM;
	}
	if (!err)
		err = kl_read_many(kl, snap->count, paths, starts);
	for (i = 0; paths && i < snap->count; i++)
		free(paths[i]);
	free(paths);
	return err;
}

static int print_all(struct kl *kl, const struct kl_snapshot *snap, const struct uptime *u)
{
	char **starts = calloc(snap->count + 1, sizeof(*starts));
	unsigned int i;
	int err = starts ? read_starts(kl, snap, starts) : -ENOMEM;

	if (!u->short_form && !u->w)
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
	for (i = 0; !err && i < snap->count; i++) {
		domid_t domid = snap->info[i].domain;

		if (domid == 0 && own_uptime() >= 0)
			print_one(u, kl_shown_name(snap, i), domid, own_uptime());
		else if (starts[i])
			print_one(u, kl_shown_name(snap, i), domid,
				  u->now - strtoul(starts[i], NULL, 10));
	}
	for (i = 0; starts && i < snap->count; i++)
		free(starts[i]);
	free(starts);
	return kl_check(kl, err, "cannot read start times");
}

int cmd_uptime(struct kl *kl, int argc, char **argv)
{
	struct json_writer w = { 0 };
	struct uptime u = { .now = time(NULL), .w = kl->json ? &w : NULL };
	struct kl_snapshot snap;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "s", NULL, 0)) >= 0)
		u.short_form = true;
	if (opt == KL_STOP)
		return kl->status;
	status = optind < argc ? kl_snapshot_of(kl, argv + optind, argc - optind, &snap) :
		 kl_snapshot(kl, &snap);
	if (status)
		return status;
	status = kl_snapshot_names(kl, &snap);
	if (!status) {
		json_open_array(&w, NULL);
		status = print_all(kl, &snap, &u);
		json_close_array(&w);
	}
	kl_snapshot_free(&snap);
	if (!status && u.w)
		return kl_print_json(kl, &w);
	strbuf_free(&w.out);
	return status;
}
