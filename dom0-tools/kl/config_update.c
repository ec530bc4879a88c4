/* SPDX-License-Identifier: MIT */
/*
 * kl config-update: a new configuration file for a running domain, in use from its next reboot on.
 */
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include <tools/light.h>
#include "config_file.h"

static const struct option long_options[] = {
	{ "defconfig", 1, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static int store_text(struct kl *kl, domid_t domid, const char *text)
{
	int lock = light_lock_domain(kl->light, domid, 20000), err;

	if (lock < 0)
		return kl_check(kl, lock, "cannot lock the domain's configuration");
	err = light_userdata_write(kl->light, domid, "xl", text, strlen(text));
	light_unlock_domain(kl->light, domid, lock);
	return kl_check(kl, err, "cannot store the configuration");
}

int cmd_config_update(struct kl *kl, int argc, char **argv)
{
	struct config_words words = { 0 };
	struct light_config config;
	bool debug = false;
	const char *domain;
	char *text = NULL;
	domid_t domid;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "dqf:", long_options, 1)) >= 0) {
		if (opt == 'd')
			debug = true;
		else if (opt == 'f')
			words.path = optarg;
	}
	if (opt == KL_STOP)
		return kl->status;
	domain = argv[optind];
	if (kl_find_domain(kl, domain, &domid))
		return KL_FAILED;
	light_config_init(&config);
	status = config_words_take(kl, &words, argc - optind - 1, argv + optind + 1);
	if (!status)
		status = config_load(kl, &words, &config, &text);
	if (!status && (debug || kl->dry_run)) {
		struct json_writer w = { 0 };

		light_config_write_wrapped(&w, NULL, &config, -1);
		status = kl_print_json(kl, &w);
	}
	if (!status && !kl->dry_run) {
		kl_note(kl, "setting dom%u configuration", domid);
		status = store_text(kl, domid, text);
	}
	free(text);
	light_config_free(&config);
	config_words_free(&words);
	return status;
}
