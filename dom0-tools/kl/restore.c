/* SPDX-License-Identifier: MIT */
/*
 * kl restore FILE: a domain out of a file that kl or xl saved.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tools/json.h>
#include <tools/light.h>
#include "moving.h"
#include "starting.h"

struct options {
	struct starting start;
	const char *config, *file;
};

static const struct option long_options[] = {
	{ "vncviewer", 0, NULL, 'V' },
	{ "vncviewer-autopass", 0, NULL, 'A' },
	{ NULL, 0, NULL, 0 },
};

static int read_options(struct kl *kl, int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "FcpdeVA", long_options, 1)) >= 0)
		starting_option(&o->start, opt);
	if (opt == KL_STOP)
		return KL_STOP;
	if (argc - optind > 2) {
		kl->status = kl_error(kl, "usage", "more than a configuration and a file");
		return KL_STOP;
	}
	o->config = argc - optind == 2 ? argv[optind] : NULL;
	o->file = argv[argc - 1];
	return KL_OK;
}

static int print_result(struct kl *kl, const struct light_create *create, const char *name,
			const struct move_restore *restore, uint64_t began)
{
	struct json_writer w = { 0 };

	json_open_object(&w, NULL);
	json_uint(&w, "domid", create->domid);
	json_string(&w, "name", name);
	json_uint(&w, "bytes", restore->bytes);
	json_uint(&w, "pages", restore->pages);
	json_uint(&w, "ms", tools_now_ms() - began);
	json_close_object(&w);
	return kl_print_json(kl, &w);
}

static int restore(struct kl *kl, const struct options *o, struct move_source *source)
{
	struct moving_progress progress;
	struct move_restore restore = { .source = source,
					.progress = moving_progress,
					.progress_cookie = &progress };
	struct light_config config;
	struct light_create create = { .config = &config,
				       .keep_paused = o->start.paused,
				       .no_monitor = o->start.no_monitor,
				       .build = moving_build,
				       .cookie = &restore };
	struct tools_error e = { 0 };
	int status;

	light_config_init(&config);
	status = moving_source_config(kl, source, o->config, &config);
	if (!status) {
		moving_progress_init(&progress, kl, "restoring");
		if (light_create(kl->light, &create, &e))
			status = kl_fail(kl, &e);
		kl_progress(kl, NULL);
	}
	if (!status && kl->json)
		status = print_result(kl, &create, config.name, &restore, progress.began_ms);
	light_config_free(&config);
	return status ? status : starting_stay(kl, &o->start, create.domid);
}

int cmd_restore(struct kl *kl, int argc, char **argv)
{
	struct move_source *source;
	struct move_channel channel;
	struct tools_error e = { 0 };
	struct options o = { 0 };
	int fd, status;

	if (read_options(kl, argc, argv, &o) == KL_STOP)
		return kl->status;
	starting_warn(kl, &o.start);
	fd = open(o.file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return kl_check(kl, -errno, "cannot read %s", o.file);
	if (!kl_light(kl) || !kl_foreignmemory(kl)) {
		close(fd);
		return KL_FAILED;
	}
	if (!kl->json)
		kl_warn(kl, "Loading new save file %s (new xl fmt info)", o.file);
	/* It may be a pipe that nothing comes out of. */
	kl_catch_interrupts(kl);
	move_channel_init(&channel, fd, kl->cancel_fd);
	if (move_source_open(&channel, &source, &e)) {
		close(fd);
		return kl_fail(kl, &e);
	}
	status = restore(kl, &o, source);
	move_source_close(source);
	close(fd);
	return status;
}
