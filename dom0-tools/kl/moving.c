/* SPDX-License-Identifier: MIT */
/*
 * What save, restore, migrate and migrate-receive have in common.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include <tools/light.h>
#include "config_file.h"
#include "moving.h"

#define FLAGS_WITH_JSON 3U /* of xl's file header */
#define FLAGS_BARE	2U

int moving_config(struct kl *kl, domid_t domid, const char *file, bool keep_domid,
		  struct light_config *config, char **text)
{
	struct config_words words = { .path = file };
	struct xen_domctl_getdomaininfo info;
	struct tools_error e = { 0 };
	uint64_t has;
	int rc, status;

	if (file) {
		status = config_load(kl, &words, config, NULL);
		if (status)
			return status;
	} else {
		rc = light_domain_config(kl->light, domid, config, &e);
		if (rc == -ENOENT)
			return kl_error(kl, "no-config",
					"No config file stored for running domain and none "
					"supplied");
		if (rc)
			return kl_fail(kl, &e);
		config->domid = keep_domid ? domid : 0;
		/* On its way to another size: it needs room for what it has now. */
		has = ctl_getdomaininfo(kl->ctl, domid, &info) ? 0 : info.tot_pages * 4;
		if (config->target_memkb < has)
			config->target_memkb = has;
		if (config->max_memkb < config->target_memkb)
			config->max_memkb = config->target_memkb;
	}
	*text = light_config_to_json(config, -1);
	return *text ? KL_OK : kl_error(kl, "no-memory", "out of memory");
}

int moving_source_config(struct kl *kl, const struct move_source *source, const char *file,
			 struct light_config *config)
{
	struct light_parse how = { .source = "<saved>", .defaults = &kl->light->defaults };
	struct config_words words = { .path = file };
	struct tools_error e = { 0 };
	struct light_config saved;
	const char *text;
	size_t length;
	bool json;
	int rc;

	text = move_source_config(source, &length, &json);
	if (!text && !file)
		return kl_error(kl, "no-config",
				"no configuration in the saved domain, and none given");
	light_config_init(&saved);
	rc = !text ? 0 :
	     json  ? light_config_from_json(file ? &saved : config, text, length, &e) :
		     light_config_parse(file ? &saved : config, text, length, NULL, 0, &how, &e);
	if (!rc && file) {
		if (config_load(kl, &words, config, NULL)) {
			light_config_free(&saved);
			return KL_FAILED;
		}
		/* Still the same domain. */
		if (text && saved.uuid_set) {
			memcpy(config->uuid, saved.uuid, sizeof(config->uuid));
			config->uuid_set = true;
		}
	}
	light_config_free(&saved);
	return rc ? kl_fail(kl, &e) : KL_OK;
}

void moving_progress_init(struct moving_progress *progress, struct kl *kl, const char *what)
{
	memset(progress, 0, sizeof(*progress));
	progress->kl = kl;
	progress->what = what;
	progress->began_ms = tools_now_ms();
}

static void print_phase(struct moving_progress *p, const struct move_progress *now, uint64_t at)
{
	struct json_writer w = { .compact = true };
	char *text;

	json_open_object(&w, NULL);
	json_string(&w, "phase", move_phase_name(now->phase));
	json_uint(&w, "round", now->round);
	json_uint(&w, "ms", at);
	json_uint(&w, "pages", now->pages_all);
	json_uint(&w, "bytes", now->bytes);
	json_uint(&w, "dirty_pages_per_s", now->dirty_rate);
	if (now->brake)
		json_uint(&w, "braked_to_percent", now->brake);
	json_close_object(&w);
	text = strbuf_take(&w.out);
	if (text) {
		fputs(text, stdout);
		fflush(stdout);
	}
	free(text);
	(void)p;
}

int moving_progress(void *cookie, const struct move_progress *now)
{
	struct moving_progress *p = cookie;
	uint64_t at = tools_now_ms() - p->began_ms, rate = at ? now->bytes / at * 1000 : 0;
	uint64_t left;

	if (p->json_lines && (now->phase != p->phase || !now->pages_done))
		print_phase(p, now, at);
	p->phase = now->phase;
	p->dirty_rate = now->dirty_rate;
	if (!p->phase_ms[now->phase])
		p->phase_ms[now->phase] = at ? at : 1;
	left = now->pages_all > now->pages_done ? now->pages_all - now->pages_done : 0;
	if (now->pages_all)
		kl_progress(p->kl,
			    "%s: %s, round %u, %" PRIu64 " of %" PRIu64 " MiB, %" PRIu64
			    " MiB/s, dirty %" PRIu64 " MiB/s, %" PRIu64 " s left",
			    p->what, move_phase_name(now->phase), now->round, now->pages_done >> 8,
			    now->pages_all >> 8, rate >> 20, now->dirty_rate >> 8,
			    rate >> 12 ? left / (rate >> 12) : 0);
	else
		kl_progress(p->kl, "%s: %s, %" PRIu64 " MiB, %" PRIu64 " MiB/s", p->what,
			    move_phase_name(now->phase), now->bytes >> 20, rate >> 20);
	return kl_interrupted() ? -ECANCELED : 0;
}

int moving_build(struct light *light, struct light_build *build, void *cookie,
		 struct tools_error *error)
{
	struct move_restore *restore = cookie;

	restore->ctl = light->ctl;
	restore->fm = light->fm;
	restore->build = build;
	return move_restore(restore, error);
}

void moving_announce(struct kl *kl, const char *where, const char *config)
{
	if (!kl->json)
		kl_warn(kl, "Saving to %s new xl format (info 0x%x/0x0/%zu)", where,
			config ? FLAGS_WITH_JSON : FLAGS_BARE, config ? strlen(config) + 5 : 4);
}
