/* SPDX-License-Identifier: MIT */
/*
 * What a worker has begun, on disk, so that it is finished whoever dies meanwhile: one file for a
 * domain's uuid, written atomically, removed when the new domain lives. And how often each was
 * restarted lately.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "monitor.h"

#define PATH_ROOM	512
#define LIMIT		(1 << 20)

static void path_of(const struct monitor_options *options, const uint8_t uuid[16],
		    const char *suffix, char path[PATH_ROOM])
{
	char text[37];

	light_uuid_format(uuid, text);
	snprintf(path, PATH_ROOM, "%s/%s.%s", options->state_dir, text, suffix);
}

int intent_write(const struct monitor_options *options, const struct intent *intent)
{
	struct strbuf text = { 0 };
	char path[PATH_ROOM];
	int error;

	path_of(options, intent->uuid, "intent", path);
	strbuf_printf(&text, "krypton-intent 1\n%u %d %u\n%s", intent->domid, intent->action,
		      intent->failures, intent->config);
	error = text.failed ? -ENOMEM : tools_write_file(path, text.text, text.length, 0600);
	strbuf_free(&text);
	return error;
}

int intent_read(const struct monitor_options *options, const uint8_t uuid[16],
		struct intent *intent)
{
	char path[PATH_ROOM], *text;
	int error, at = -1;

	path_of(options, uuid, "intent", path);
	error = tools_read_file(path, LIMIT, &text, NULL);
	if (error != 0)
		return error;
	memset(intent, 0, sizeof(*intent));
	memcpy(intent->uuid, uuid, sizeof(intent->uuid));
	if (sscanf(text, "krypton-intent 1\n%u %d %u\n%n", &intent->domid, &intent->action,
		   &intent->failures, &at) != 3 || at < 0 || !action_restarts(intent->action)) {
		monitor_log("%s: not an intent; removed", path);
		unlink(path);
		free(text);
		return -EINVAL;
	}
	memmove(text, text + at, strlen(text + at) + 1);
	intent->config = text;
	return 0;
}

bool intent_exists(const struct monitor_options *options, const uint8_t uuid[16])
{
	char path[PATH_ROOM];

	path_of(options, uuid, "intent", path);
	return access(path, F_OK) == 0;
}

int intent_remove(const struct monitor_options *options, const uint8_t uuid[16])
{
	char path[PATH_ROOM];

	path_of(options, uuid, "intent", path);
	return unlink(path) != 0 && errno != ENOENT ? -errno : 0;
}

int intent_list(const struct monitor_options *options, uint8_t (*uuids)[16], unsigned int max)
{
	DIR *folder = opendir(options->state_dir);
	const struct dirent *entry;
	unsigned int count = 0;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (count < max && (entry = readdir(folder))) {
		char text[37];

		if (strlen(entry->d_name) != 36 + sizeof(".intent") - 1 ||
		    strcmp(entry->d_name + 36, ".intent") != 0)
			continue;
		memcpy(text, entry->d_name, 36);
		text[36] = 0;
		if (light_uuid_parse(text, uuids[count]) == 0)
			count++;
	}
	closedir(folder);
	return (int)count;
}

int restarts_read(const struct monitor_options *options, const uint8_t uuid[16],
		  struct restarts *restarts)
{
	char path[PATH_ROOM], *text;
	unsigned long long last = 0;

	memset(restarts, 0, sizeof(*restarts));
	path_of(options, uuid, "restarts", path);
	if (tools_read_file(path, 4096, &text, NULL) != 0)
		return 0;
	if (sscanf(text, "%u %llu", &restarts->count, &last) == 2)
		restarts->last = last;
	else
		restarts->count = 0;
	free(text);
	return 0;
}

int restarts_write(const struct monitor_options *options, const uint8_t uuid[16],
		   const struct restarts *restarts)
{
	char path[PATH_ROOM], text[48];
	int length = snprintf(text, sizeof(text), "%u %llu\n", restarts->count,
			      (unsigned long long)restarts->last);

	path_of(options, uuid, "restarts", path);
	return tools_write_file(path, text, (size_t)length, 0600);
}

void restarts_forget(const struct monitor_options *options, const uint8_t uuid[16])
{
	char path[PATH_ROOM];

	path_of(options, uuid, "restarts", path);
	unlink(path);
}
