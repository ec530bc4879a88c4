/* SPDX-License-Identifier: MIT */
/*
 * xl.conf: what the tool itself is told, in the language of xl.cfg.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "cfg.h"
#include "private.h"

#define XL_CONF "/etc/xen/xl.conf"
#define XL_LOCK "/var/lock/xl"

void light_defaults_init(struct light_defaults *defaults)
{
	*defaults = (struct light_defaults){
		.autoballoon = -1,
		.run_hotplug_scripts = true,
		.claim_mode = 1,
		.max_grant_frames = LIGHT_GRANT_DEFAULT,
		.max_maptrack_frames = LIGHT_GRANT_DEFAULT,
		.max_grant_version = LIGHT_GRANT_DEFAULT,
		.lockfile = strdup(XL_LOCK),
	};
}

void light_defaults_free(struct light_defaults *defaults)
{
	free(defaults->lockfile);
	free(defaults->blkdev_start);
	free(defaults->vif_script);
	free(defaults->vif_bridge);
	free(defaults->vif_backend);
	free(defaults->vif_gatewaydev);
	light_bitmap_free(&defaults->vm_cpumask);
	light_bitmap_free(&defaults->pv_cpumask);
	memset(defaults, 0, sizeof(*defaults));
}

static int wrong(const struct cfg_setting *set, const char *wanted, struct tools_error *error)
{
	return tools_fail(error, -EINVAL, "bad-config", "%s:%u: key `%s': found %s, wanted %s",
			  set->source, set->line, set->key,
			  set->value.is_list ? "a list" : set->value.text, wanted);
}

static int get_number(const struct cfg *cfg, const char *key, int64_t *value,
		      struct tools_error *error)
{
	const struct cfg_setting *set = cfg_find(cfg, key);
	char *end;
	long n;

	if (!set)
		return 0;
	errno = 0;
	n = set->value.is_list ? -1 : strtol(set->value.text, &end, 0);
	if (n < 0 || n > INT_MAX || errno || *end)
		return wrong(set, "a whole number", error);
	*value = n;
	return 0;
}

static int get_string(const struct cfg *cfg, const char *key, char **field,
		      struct tools_error *error)
{
	const struct cfg_setting *set = cfg_find(cfg, key);

	if (!set)
		return 0;
	if (set->value.is_list)
		return wrong(set, "one string", error);
	free(*field);
	*field = strdup(set->value.text);
	return *field ? 0 : -ENOMEM;
}

/* One of the words in @words, which say 0, 1, ... in *value. */
static int get_word(const struct cfg *cfg, const char *key, const char *const *words, int *value,
		    const char *wanted, struct tools_error *error)
{
	const struct cfg_setting *set = cfg_find(cfg, key);
	int i;

	if (!set)
		return 0;
	for (i = 0; words[i] && !set->value.is_list; i++) {
		if (!strcmp(set->value.text, words[i])) {
			*value = i;
			return 0;
		}
	}
	return wrong(set, wanted, error);
}

static int get_cpus(const struct cfg *cfg, const char *key, struct light_bitmap *map,
		    struct tools_error *error)
{
	const struct cfg_setting *set = cfg_find(cfg, key);

	if (!set || (!set->value.is_list && !strcmp(set->value.text, "all")))
		return 0;
	return set->value.is_list ? wrong(set, "one string", error) :
				    light_cpus_parse(map, set->value.text, NULL, error);
}

static int apply(struct light_defaults *d, const struct cfg *cfg, struct tools_error *error)
{
	static const char *const balloon[] = { "off", "on", "auto", "0", "1", NULL };
	static const char *const formats[] = { "json", "sxp", NULL };
	static const char *const policies[] = { "xen", "random", NULL };
	static const char *const backends[] = { "user", "kernel", NULL };
	static const int balloon_means[] = { 0, 1, -1, 0, 1 };
	int64_t number = d->run_hotplug_scripts;
	int word = 2, rc = get_word(cfg, "autoballoon", balloon, &word, "on, off or auto", error);

	d->autoballoon = balloon_means[word];
	rc = rc ? rc : get_number(cfg, "run_hotplug_scripts", &number, error);
	d->run_hotplug_scripts = number != 0;
	number = d->claim_mode;
	rc = rc ? rc : get_number(cfg, "claim_mode", &number, error);
	d->claim_mode = number != 0;
	word = 0;
	rc = rc ? rc : get_word(cfg, "output_format", formats, &word, "json or sxp", error);
	d->output_sxp = word;
	word = 0;
	rc = rc ? rc : get_word(cfg, "domid_policy", policies, &word, "xen or random", error);
	d->domid_random = word;
	word = 0;
	rc = rc ? rc :
		  get_word(cfg, "disk.default.backendtype", backends, &word, "user or kernel",
			   error);
	d->disk_kernel = word;
	word = 0;
	rc = rc ? rc :
		  get_word(cfg, "vif.default.backendtype", backends, &word, "user or kernel",
			   error);
	d->vif_kernel = word;
	rc = rc ? rc : get_string(cfg, "lockfile", &d->lockfile, error);
	rc = rc ? rc : get_string(cfg, "blkdev_start", &d->blkdev_start, error);
	rc = rc ? rc : get_string(cfg, "vifscript", &d->vif_script, error);
	rc = rc ? rc : get_string(cfg, "vif.default.script", &d->vif_script, error);
	rc = rc ? rc : get_string(cfg, "defaultbridge", &d->vif_bridge, error);
	rc = rc ? rc : get_string(cfg, "vif.default.bridge", &d->vif_bridge, error);
	rc = rc ? rc : get_string(cfg, "vif.default.backend", &d->vif_backend, error);
	rc = rc ? rc : get_string(cfg, "vif.default.gatewaydev", &d->vif_gatewaydev, error);
	rc = rc ? rc : get_number(cfg, "max_grant_frames", &d->max_grant_frames, error);
	rc = rc ? rc : get_number(cfg, "max_maptrack_frames", &d->max_maptrack_frames, error);
	rc = rc ? rc : get_number(cfg, "max_grant_version", &d->max_grant_version, error);
	rc = rc ? rc : get_cpus(cfg, "vm.cpumask", &d->vm_cpumask, error);
	return rc ? rc : get_cpus(cfg, "vm.pv.cpumask", &d->pv_cpumask, error);
}

int light_defaults_parse(struct light_defaults *defaults, const char *text, size_t length,
			 const char *source, struct tools_error *error)
{
	struct cfg cfg = { 0 };
	int rc = cfg_parse(&cfg, text, length, source, false, error);

	if (!rc)
		rc = apply(defaults, &cfg, error);
	cfg_free(&cfg);
	return rc;
}

int light_defaults_load(struct light_defaults *defaults, const char *path,
			struct tools_error *error)
{
	size_t length;
	char *text;
	int rc;

	if (!path)
		path = XL_CONF;
	rc = tools_read_file(path, 1 << 20, &text, &length);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return tools_fail(error, rc, "bad-config", "cannot read %s: %s", path,
				  strerror(-rc));
	rc = light_defaults_parse(defaults, text, length, path, error);
	free(text);
	return rc;
}
