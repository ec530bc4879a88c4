/* SPDX-License-Identifier: MIT */
/*
 * Domids that were in use a minute ago are not given out again, so that nobody who still speaks of
 * the old domain means the new one. libxl keeps them in /run/xen/domid-history, lines of "<second
 * of CLOCK_MONOTONIC> <domid>", rewritten under a lock file beside it; so do we.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

#define KEEP_SECONDS	60
#define LOCK_MS		2000
#define LIMIT		(1u << 20)	/* bytes of history: 80,000 domains in a minute */

static void path_of(struct light *light, const char *suffix, char path[300])
{
	snprintf(path, 300, "%.250s/domid-history%s", light->run_dir, suffix);
}

/* The next line of @*text that is not too old, moving on; false at the end. */
static bool next_line(const char **text, unsigned long long now, unsigned long long *second,
		      unsigned int *domid)
{
	while (**text) {
		const char *line = *text, *end = strchr(line, '\n');

		*text = end ? end + 1 : line + strlen(line);
		if (sscanf(line, "%llu %u", second, domid) == 2 && now - *second <= KEEP_SECONDS)
			return true;
	}
	return false;
}

bool history_has(struct light *light, uint32_t domid)
{
	unsigned long long second, now = tools_now_ms() / 1000;
	bool found = false;
	const char *rest;
	unsigned int id;
	size_t length;
	char path[300], *text;

	path_of(light, "", path);
	if (tools_read_file(path, LIMIT, &text, &length))
		return false;
	for (rest = text; !found && next_line(&rest, now, &second, &id);)
		found = id == domid;
	free(text);
	return found;
}

int history_add(struct light *light, uint32_t domid)
{
	unsigned long long second, now = tools_now_ms() / 1000;
	struct strbuf all = { 0 };
	char path[300], *text = NULL;
	const char *rest;
	unsigned int id;
	size_t length;
	int lock, rc;

	path_of(light, ".lock", path);
	lock = light_lock_path(light, path, LOCK_MS);
	if (lock < 0)
		return lock;
	path_of(light, "", path);
	rc = tools_read_file(path, LIMIT, &text, &length);
	for (rest = rc ? "" : text; next_line(&rest, now, &second, &id);)
		strbuf_printf(&all, "%llu %u\n", second, id);
	strbuf_printf(&all, "%llu %u\n", now, domid);
	free(text);
	rc = all.failed ? -ENOMEM : tools_write_file(path, all.text, all.length, 0644);
	strbuf_free(&all);
	light_unlock_domain(light, domid, lock);
	return rc;
}
