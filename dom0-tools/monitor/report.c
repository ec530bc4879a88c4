/* SPDX-License-Identifier: MIT */
/*
 * Why a domain ended, for who asks later: its reason, what was done about it, and the last lines
 * that the hypervisor wrote about it (a crash of a guest is told nowhere else). One file for a
 * name; the latest death counts.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tools/json.h>
#include "monitor.h"

#define CONSOLE_BYTES	(64 * 1024)
#define LINES_MAX	20

/* The last LINES_MAX of @text about the domain, oldest first. */
static void write_lines(struct json_writer *json, const char *text, size_t length,
			unsigned int domid)
{
	const char *start[LINES_MAX];
	size_t bytes[LINES_MAX];
	unsigned int count = 0;

	for (const char *p = text, *end = text + length; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);

		if (line_concerns(p, n, domid)) {
			start[count % LINES_MAX] = p;
			bytes[count++ % LINES_MAX] = n;
		}
		p += n + 1;
	}
	for (unsigned int i = count > LINES_MAX ? count - LINES_MAX : 0; i < count; i++) {
		char line[512];

		snprintf(line, sizeof(line), "%.*s", (int)bytes[i % LINES_MAX],
			 start[i % LINES_MAX]);
		json_string(json, NULL, line);
	}
}

static void write_all(struct json_writer *json, const struct death *death, const char *console,
		      size_t length)
{
	char uuid[37], when[32];
	time_t now = time(NULL);
	struct tm utc;

	light_uuid_format(death->uuid, uuid);
	gmtime_r(&now, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_open_object(json, NULL);
	json_string(json, "name", death->name);
	json_string(json, "uuid", uuid);
	json_uint(json, "domid", death->domid);
	json_string(json, "time", when);
	json_string(json, "reason", reason_name(death->reason));
	json_uint(json, "reason_code", death->reason);
	json_string(json, "action", death->action);
	json_uint(json, "cpu_time_ms", death->ran_ms);
	json_open_array(json, "hypervisor");
	write_lines(json, console, length, death->domid);
	json_close_array(json);
	json_close_object(json);
}

void path_for_name(char *path, size_t room, const char *folder, const char *name,
		   const char *ending)
{
	size_t at = (size_t)snprintf(path, room, "%s/", folder), end = strlen(ending);

	for (const char *p = name; *p && at + end + 1 < room; p++)
		path[at++] = *p == '/' || !isprint((unsigned char)*p) ? '_' : *p;
	snprintf(path + at, room - at, "%s", ending);
}

int report_write(const struct monitor_options *options, struct ctl *ctl, const struct death *death)
{
	struct json_writer json = { 0 };
	char path[512], *console = malloc(CONSOLE_BYTES);
	uint32_t index = 0;
	int n, error;

	if (!console)
		return -ENOMEM;
	n = ctl_readconsole(ctl, console, CONSOLE_BYTES, false, false, &index);
	write_all(&json, death, console, n > 0 ? (size_t)n : 0);
	free(console);
	path_for_name(path, sizeof(path), options->death_dir, death->name, ".json");
	error = json.out.failed ? -ENOMEM :
		tools_write_file(path, json.out.text, json.out.length, 0644);
	strbuf_free(&json.out);
	return error;
}
