/* SPDX-License-Identifier: MIT */
/*
 * Reading a domain's configuration for create and config-update: file, overrides, remarks to the
 * user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/light.h>
#include "config_file.h"
#include "cpus.h"

#define FILE_LIMIT (4 << 20)

int config_words_take(struct kl *kl, struct config_words *words, int argc, char **argv)
{
	int i;

	words->overrides = calloc((size_t)argc + 1, sizeof(*words->overrides));
	if (!words->overrides)
		return kl_check(kl, -ENOMEM, "cannot read the command line");
	for (i = 0; i < argc; i++) {
		if (strchr(argv[i], '='))
			words->overrides[words->count++] = argv[i];
		else if (!words->path)
			words->path = argv[i];
		else
			return kl_error(kl, "usage", "found a second file, `%s', wanted key=value",
					argv[i]),
			       KL_USAGE;
	}
	return KL_OK;
}

void config_words_free(struct config_words *words)
{
	free(words->overrides);
	words->overrides = NULL;
}

static void remark(void *cookie, const char *line)
{
	kl_warn(cookie, "%s", line);
}

static bool mentions(const struct config_words *words, const char *text, const char *what)
{
	unsigned int i;

	for (i = 0; i < words->count; i++)
		if (strstr(words->overrides[i], what))
			return true;
	return strstr(text, what);
}

/* File and overrides as one text, to the byte as xl stores it. */
static char *joined(const struct config_words *words, const char *text, size_t length)
{
	struct strbuf all = { 0 };
	unsigned int i;

	strbuf_add(&all, text, length);
	for (i = 0; i < words->count; i++)
		strbuf_printf(&all, "%s%s\n", i ? "" : "\n", words->overrides[i]);
	if (words->count)
		strbuf_printf(&all, "\n");
	return strbuf_take(&all);
}

int config_load(struct kl *kl, const struct config_words *words, struct light_config *config,
		char **text)
{
	struct light_parse how = { .source = words->path, .warn = remark, .cookie = kl };
	struct tools_error e = { 0 };
	struct light_host host = { 0 };
	struct kl_host known;
	char *file = NULL;
	size_t length = 0;
	int err;

	if (!words->path)
		return kl_error(kl, "usage", "no configuration file given");
	err = strcmp(words->path, "/dev/null") ?
		      tools_read_file(words->path, FILE_LIMIT, &file, &length) :
		      0;
	if (err)
		return kl_check(kl, err, "cannot read the configuration %s", words->path);
	if (!kl_light(kl)) {
		free(file);
		return KL_FAILED;
	}
	how.defaults = &kl->light->defaults;
	/* The host's CPUs matter only to those who name some. */
	if (mentions(words, file ? file : "", "cpus") && kl_host_read(kl, &known) == KL_OK) {
		host = (struct light_host){ .cpus = known.cpus,
					    .nodes = known.nodes,
					    .cpu_node = known.node_of };
		how.host = &host;
	}
	err = light_config_parse(config, file ? file : "", length, words->overrides, words->count,
				 &how, &e);
	if (!err && text) {
		*text = joined(words, file ? file : "", length);
		if (!*text)
			err = tools_fail(&e, -ENOMEM, "no-memory", "out of memory");
	}
	free(file);
	return err ? kl_fail(kl, &e) : KL_OK;
}
