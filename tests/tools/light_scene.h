/* SPDX-License-Identifier: MIT */
/*
 * What tests of libs/light have around them: a folder with files, and backends in the fake store
 * that answer. Include it once, after <tools/kill_point.h> and <fake_store.h>.
 */
#ifndef TESTS_TOOLS_LIGHT_SCENE_H
#define TESTS_TOOLS_LIGHT_SCENE_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64], path[256];
static bool backend_answers = true;
static const char *backend_holds = "1"; /* NULL: it does not answer; "failed" */

void kill_point(void)
{
}

/*
 * For fake_store_on_write(). Backends: state 1 is answered by 2 (if they answer), 5 by 6, what hold
 * says by holding.
 */
static void backends(void *arg, const char *node, const char *value)
{
	size_t n = strlen(node);
	char copy[256], was = value ? *value : 0;

	(void)arg;
	if (!value || n < 6 || strncmp(node, "/local/domain/0/backend/", 24))
		return;
	snprintf(copy, sizeof(copy), "%s", node);
	if (!strcmp(node + n - 5, "/hold") && backend_holds) {
		strcat(copy, "ing");
		fake_store_set(copy, was == '1' ? backend_holds : "0");
		fake_store_fire(copy);
	}
	if (strcmp(node + n - 6, "/state"))
		return;
	if (was == '1' && backend_answers && strstr(node, "/qblk/")) {
		snprintf(copy + n - 6, sizeof(copy) - n + 6, "/holding");
		fake_store_set(copy, "0");
		snprintf(copy, sizeof(copy), "%s", node);
	}
	if (was == '1' && backend_answers)
		fake_store_set(copy, "2");
	if (was == '5')
		fake_store_set(copy, "6");
}

/* FOLDER/@name holds @text. Returns its path, in a buffer that the next call overwrites. */
static const char *write_file(const char *name, const char *text)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0700);
	return path;
}

#endif
