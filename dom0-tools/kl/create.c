/* SPDX-License-Identifier: MIT */
/*
 * kl create: a domain from a configuration file and key=value words.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tools/json.h>
#include <tools/light.h>
#include "config_file.h"
#include "starting.h"

struct options {
	struct starting start;
	bool quiet, timings, ignore_masks, dry_run;
	const char *file;
};

enum { OPT_TIMINGS = 256 };

static const struct option long_options[] = {
	{ "defconfig", 1, NULL, 'f' },
	{ "dryrun", 0, NULL, 'n' },
	{ "ignore-global-affinity-masks", 0, NULL, 'i' },
	{ "quiet", 0, NULL, 'q' },
	{ "timings", 0, NULL, OPT_TIMINGS },
	{ "vncviewer", 0, NULL, 'V' },
	{ "vncviewer-autopass", 0, NULL, 'A' },
	{ NULL, 0, NULL, 0 },
};

/* KL_OK, KL_STOP. */
static int read_options(struct kl *kl, int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "AFVcdef:inpq", long_options, 0)) >= 0) {
		if (starting_option(&o->start, opt))
			continue;
		switch (opt) {
		case 'f':
			o->file = optarg;
			break;
		case 'i':
			o->ignore_masks = true;
			break;
		case 'n':
			o->dry_run = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case OPT_TIMINGS:
			o->timings = true;
			break;
		}
	}
	return opt == KL_STOP ? KL_STOP : KL_OK;
}

static int print_config(struct kl *kl, const struct light_config *config, FILE *out)
{
	char *text = kl->light->defaults.output_sxp && !kl->json ? light_config_to_sxp(config, -1) :
								   light_config_to_json(config, -1);

	if (!text)
		return kl_error(kl, "no-memory", "out of memory");
	fputs(text, out);
	free(text);
	return KL_OK;
}

static void print_timings(const struct light_create *create)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < create->n_timing; i++) {
		fprintf(stderr, "%-12s %8.3f ms\n", create->timing[i].step,
			(double)create->timing[i].ns / 1e6);
		sum += create->timing[i].ns;
	}
	fprintf(stderr, "%-12s %8.3f ms\n", "all", (double)sum / 1e6);
}

static int print_result(struct kl *kl, const struct light_create *create, const char *name,
			bool timings)
{
	struct json_writer w = { 0 };
	unsigned int i;

	json_open_object(&w, NULL);
	json_uint(&w, "domid", create->domid);
	json_string(&w, "name", name);
	if (timings) {
		json_open_object(&w, "timings_ms");
		for (i = 0; i < create->n_timing; i++)
			json_double(&w, create->timing[i].step, (double)create->timing[i].ns / 1e6);
		json_close_object(&w);
	}
	json_close_object(&w);
	return kl_print_json(kl, &w);
}

static int create(struct kl *kl, const struct options *o, struct light_config *config)
{
	struct light_create request = { .config = config,
					.keep_paused = o->start.paused,
					.ignore_global_affinity = o->ignore_masks,
					.no_monitor = o->start.no_monitor,
					.interactive = o->start.console && isatty(STDIN_FILENO) };
	struct tools_error e = { 0 };
	int status = KL_OK, err;

	kl_catch_interrupts(kl);
	kl->light->cancel_fd = kl->cancel_fd;
	kl_progress(kl, "creating %s", config->name);
	err = light_create(kl->light, &request, &e);
	kl_progress(kl, NULL);
	if (o->timings && !kl->json)
		print_timings(&request);
	if (err)
		return kl_fail(kl, &e);
	if (kl->json)
		status = print_result(kl, &request, config->name, o->timings);
	return status ? status : starting_stay(kl, &o->start, request.domid);
}

int cmd_create(struct kl *kl, int argc, char **argv)
{
	struct config_words words = { 0 };
	struct light_config config;
	struct options o = { 0 };
	int status;

	if (read_options(kl, argc, argv, &o) == KL_STOP)
		return kl->status;
	words.path = o.file;
	light_config_init(&config);
	status = config_words_take(kl, &words, argc - optind, argv + optind);
	if (!status && words.path && !o.quiet && !kl->json)
		kl_warn(kl, "Parsing config from %s", words.path);
	if (!status)
		status = config_load(kl, &words, &config, NULL);
	if (!status)
		starting_warn(kl, &o.start);
	if (!status && (kl->dry_run || o.dry_run))
		status = print_config(kl, &config, stdout);
	else if (!status) {
		if (o.start.debug)
			print_config(kl, &config, stderr);
		status = create(kl, &o, &config);
	}
	light_config_free(&config);
	config_words_free(&words);
	return status;
}
