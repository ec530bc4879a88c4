/* SPDX-License-Identifier: MIT */
/*
 * From settings to a configuration: every key of xl.cfg that means something for the guests we
 * build.
 *
 * Each mistake names source, line, key, what was found and what would be right. What 4.17's parser
 * accepts is accepted; what it silently ignores is remarked upon.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cfg.h"
#include "private.h"

struct parse {
	const struct cfg *cfg;
	struct light_config *config;
	const struct light_parse *how;
	struct tools_error *error;
};

void light_remark(const struct light_parse *how, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!how || !how->warn)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	how->warn(how->cookie, line);
}

static int wrong(const struct parse *p, const struct cfg_setting *set, const char *wanted)
{
	return tools_fail(
		p->error, -EINVAL, "bad-config", "%s:%u: key `%s': found %s%.80s%s, wanted %s",
		set->source, set->line, set->key, set->value.is_list ? "a list" : "`",
		set->value.is_list ? "" : set->value.text, set->value.is_list ? "" : "'", wanted);
}

/* Puts "source:line: key" before what a sub-parser said. */
static int located(const struct parse *p, const struct cfg_setting *set, unsigned int line, int rc)
{
	char text[sizeof(p->error->text)];

	if (rc != -EINVAL || !p->error)
		return rc;
	memcpy(text, p->error->text, sizeof(text));
	snprintf(p->error->text, sizeof(p->error->text), "%s:%u: key `%s': %.400s", set->source,
		 line ? line : set->line, set->key, text);
	return rc;
}

/* 1: set, *value given; 0: not there; -EINVAL. */
static int get_number(const struct parse *p, const char *key, long low, long high, long *value)
{
	const struct cfg_setting *set = cfg_find(p->cfg, key);
	char wanted[80], *end;
	long n;

	if (!set)
		return 0;
	snprintf(wanted, sizeof(wanted), "a whole number from %ld to %ld", low, high);
	if (set->value.is_list)
		return wrong(p, set, wanted);
	errno = 0;
	n = strtol(set->value.text, &end, 0);
	if (errno || end == set->value.text || *end || n < low || n > high)
		return wrong(p, set, wanted);
	*value = n;
	return 1;
}

static int get_bool(const struct parse *p, const char *key, int *tri)
{
	long value;
	int rc = get_number(p, key, INT_MIN, INT_MAX, &value);

	if (rc > 0)
		*tri = value ? LIGHT_YES : LIGHT_NO;
	return rc < 0 ? rc : 0;
}

/* The text or NULL in *text, -EINVAL if it is a list. */
static int get_text(const struct parse *p, const char *key, const char **text)
{
	const struct cfg_setting *set = cfg_find(p->cfg, key);

	*text = NULL;
	if (!set)
		return 0;
	if (set->value.is_list)
		return wrong(p, set, "one string, not a list");
	*text = set->value.text;
	return 0;
}

static int get_string(const struct parse *p, const char *key, char **field)
{
	const char *text;
	int rc = get_text(p, key, &text);

	if (rc || !text)
		return rc;
	free(*field);
	*field = strdup(text);
	return *field ? 0 : -ENOMEM;
}

static int parse_type(const struct parse *p)
{
	const char *type, *builder;
	int rc = get_text(p, "type", &type);

	if (!rc)
		rc = get_text(p, "builder", &builder);
	if (rc)
		return rc;
	if (type && !strcmp(type, "hvm"))
		p->config->type = LIGHT_TYPE_HVM;
	else if (type && !strcmp(type, "pvh"))
		p->config->type = LIGHT_TYPE_PVH;
	else if (type && strcmp(type, "pv"))
		return wrong(p, cfg_find(p->cfg, "type"), "pv");
	else
		p->config->type = LIGHT_TYPE_PV;
	if (builder && strcmp(builder, "hvm") && strcmp(builder, "generic") &&
	    strcmp(builder, "linux"))
		return wrong(p, cfg_find(p->cfg, "builder"), "generic (better: type=\"pv\")");
	if (builder && type && !strcmp(builder, "hvm") != (p->config->type == LIGHT_TYPE_HVM))
		return wrong(p, cfg_find(p->cfg, "builder"), "what key `type' says, or no builder");
	if (builder && !strcmp(builder, "hvm"))
		p->config->type = LIGHT_TYPE_HVM;
	if (p->config->type == LIGHT_TYPE_PV)
		return 0;
	rc = wrong(p, cfg_find(p->cfg, type ? "type" : "builder"),
		   "pv: guests of this type are not built");
	return tools_hint(p->error, rc,
			  "a PV kernel can be started with type=\"pv\" and kernel= or bootloader=");
}

static int parse_name(const struct parse *p)
{
	const struct cfg_setting *set = cfg_find(p->cfg, "name");
	const char *c;
	int rc;

	if (!set)
		return tools_fail(p->error, -EINVAL, "bad-config",
				  "%s: key `name' is missing: a domain "
				  "must have one",
				  p->how->source);
	rc = get_string(p, "name", &p->config->name);
	if (rc)
		return rc;
	for (c = p->config->name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == '/' || *c == 127)
			break;
	if (*c || !*p->config->name || c - p->config->name > LIGHT_NAME_MAX)
		return wrong(p, set, "1 to 127 characters without space or slash");
	if (!p->config->name[strspn(p->config->name, "0123456789")])
		light_remark(
			p->how,
			"%s:%u: key `name': a name of digits can be taken for a domain's number",
			set->source, set->line);
	return 0;
}

static int parse_uuid(const struct parse *p)
{
	const char *text;
	int rc = get_text(p, "uuid", &text);

	if (rc)
		return rc;
	p->config->uuid_set = true;
	if (!text)
		return light_uuid_generate(p->config->uuid);
	if (light_uuid_parse(text, p->config->uuid))
		return wrong(p, cfg_find(p->cfg, "uuid"), "32 hexadecimal digits: 8-4-4-4-12");
	return 0;
}

/* root= and extra= are older spellings of cmdline=. */
static int parse_cmdline(const struct parse *p)
{
	const char *cmdline, *root, *extra;
	int rc = get_text(p, "cmdline", &cmdline);

	if (!rc)
		rc = get_text(p, "root", &root);
	if (!rc)
		rc = get_text(p, "extra", &extra);
	if (rc)
		return rc;
	if (cmdline && (root || extra))
		light_remark(p->how, "%s: root= and extra= are ignored in favour of cmdline=",
			     p->how->source);
	if (cmdline)
		p->config->cmdline = strdup(cmdline);
	else if (root && extra)
		p->config->cmdline = tools_asprintf("root=%s %s", root, extra);
	else if (root)
		p->config->cmdline = tools_asprintf("root=%s", root);
	else if (extra)
		p->config->cmdline = strdup(extra);
	return (cmdline || root || extra) && !p->config->cmdline ? -ENOMEM : 0;
}

static int parse_memory(const struct parse *p)
{
	struct light_config *config = p->config;
	long value;
	int rc = get_number(p, "memory", 1, LONG_MAX >> 20, &value);

	if (rc > 0)
		config->target_memkb = (uint64_t)value * 1024;
	if (rc >= 0)
		rc = get_number(p, "maxmem", 1, LONG_MAX >> 20, &value);
	if (rc > 0)
		config->max_memkb = (uint64_t)value * 1024;
	if (rc < 0)
		return rc;
	if (config->max_memkb == LIGHT_MEMKB_DEFAULT)
		config->max_memkb = config->target_memkb;
	if (config->target_memkb != LIGHT_MEMKB_DEFAULT && config->max_memkb < config->target_memkb)
		return wrong(p, cfg_find(p->cfg, "maxmem"), "at least what key `memory' says");
	rc = get_number(p, "videoram", 0, 1 << 20, &value);
	if (rc > 0)
		config->video_memkb = (uint64_t)value * 1024;
	if (rc >= 0)
		rc = get_number(p, "shadow_memory", 0, LONG_MAX >> 20, &value);
	if (rc > 0)
		config->shadow_memkb = (uint64_t)value * 1024;
	return rc < 0 ? rc : 0;
}

/* What "cpus" and "cpus_soft" say: one text for all vcpus, or a list with one for each. */
static int parse_affinity(const struct parse *p, const char *key, struct light_bitmap **maps,
			  unsigned int *count)
{
	const struct cfg_setting *set = cfg_find(p->cfg, key);
	unsigned int i, n = p->config->max_vcpus > 0 ? (unsigned int)p->config->max_vcpus : 1;
	const struct cfg_value *value;
	int rc = 0;

	if (!set)
		return 0;
	if (set->value.is_list && set->value.n_items < n)
		n = set->value.n_items;
	*maps = calloc(n ? n : 1, sizeof(**maps));
	if (!*maps)
		return -ENOMEM;
	*count = n;
	for (i = 0; i < n && !rc; i++) {
		value = set->value.is_list ? &set->value.items[i] : &set->value;
		if (value->is_list)
			return wrong(p, set, "a list of strings, one for each vcpu");
		if (i && !set->value.is_list)
			rc = light_bitmap_copy(&(*maps)[i], &(*maps)[0]);
		else
			rc = located(
				p, set, value->line,
				light_cpus_parse(&(*maps)[i], value->text, p->how->host, p->error));
	}
	if (set->value.is_list || maps == &p->config->soft_affinity)
		p->config->numa_placement = LIGHT_NO;
	return rc;
}

static int parse_vcpus(const struct parse *p)
{
	struct light_config *config = p->config;
	long vcpus = 0, max = 0, i;
	int rc = get_number(p, "vcpus", 1, LIGHT_MAX_VCPUS, &vcpus);

	if (rc >= 0)
		rc = get_number(p, "maxvcpus", 1, LIGHT_MAX_VCPUS, &max);
	if (rc < 0)
		return rc;
	for (i = 0; i < vcpus; i++) {
		rc = light_bitmap_set(&config->avail_vcpus, (unsigned int)i, true);
		if (rc < 0)
			return rc;
	}
	config->max_vcpus = (int)(max ? max : vcpus);
	if (max && max < vcpus)
		return wrong(p, cfg_find(p->cfg, "maxvcpus"), "at least what key `vcpus' says");
	rc = parse_affinity(p, "cpus", &config->hard_affinity, &config->n_hard);
	return rc ? rc : parse_affinity(p, "cpus_soft", &config->soft_affinity, &config->n_soft);
}

static int parse_scheduling(const struct parse *p)
{
	struct light_sched *sched = &p->config->sched;
	static const struct {
		const char *key;
		size_t offset;
		long high;
	} table[] = {
		{ "cpu_weight", offsetof(struct light_sched, weight), 65535 },
		{ "cap", offsetof(struct light_sched, cap), 100 * LIGHT_MAX_CPUS },
		{ "period", offsetof(struct light_sched, period), INT_MAX },
		{ "slice", offsetof(struct light_sched, slice), INT_MAX },
		{ "latency", offsetof(struct light_sched, latency), INT_MAX },
		{ "extratime", offsetof(struct light_sched, extratime), INT_MAX },
	};
	unsigned int i;
	int rc;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		rc = get_number(p, table[i].key, 0, table[i].high,
				(long *)((char *)sched + table[i].offset));
		if (rc < 0)
			return rc;
	}
	return get_string(p, "pool", &p->config->pool_name);
}

static int parse_limits(const struct parse *p)
{
	struct light_config *config = p->config;
	const struct light_defaults *defaults = p->how->defaults;
	struct {
		const char *key;
		int64_t *field, fallback;
	} table[] = {
		{ "max_grant_frames", &config->max_grant_frames,
		  defaults ? defaults->max_grant_frames : LIGHT_GRANT_DEFAULT },
		{ "max_maptrack_frames", &config->max_maptrack_frames,
		  defaults ? defaults->max_maptrack_frames : LIGHT_GRANT_DEFAULT },
		{ "max_grant_version", &config->max_grant_version,
		  defaults ? defaults->max_grant_version : LIGHT_GRANT_DEFAULT },
	};
	unsigned int i;
	long value;
	int rc;

	for (i = 0; i < 3; i++) {
		rc = get_number(p, table[i].key, 0, INT_MAX, &value);
		if (rc < 0)
			return rc;
		*table[i].field = rc ? value : table[i].fallback;
	}
	rc = get_number(p, "max_event_channels", 0, INT_MAX, &value);
	if (rc > 0)
		config->event_channels = (uint32_t)value;
	return rc < 0 ? rc : 0;
}

static int parse_actions(const struct parse *p)
{
	struct light_config *config = p->config;
	struct {
		const char *key;
		int *field, fallback;
	} table[] = {
		{ "on_poweroff", &config->on_poweroff, LIGHT_ACTION_DESTROY },
		{ "on_reboot", &config->on_reboot, LIGHT_ACTION_RESTART },
		{ "on_watchdog", &config->on_watchdog, LIGHT_ACTION_DESTROY },
		{ "on_crash", &config->on_crash, LIGHT_ACTION_DESTROY },
		{ "on_soft_reset", &config->on_soft_reset, LIGHT_ACTION_SOFT_RESET },
	};
	const char *text;
	unsigned int i;
	int rc;

	for (i = 0; i < 5; i++) {
		*table[i].field = table[i].fallback;
		rc = get_text(p, table[i].key, &text);
		if (rc)
			return rc;
		if (!text)
			continue;
		*table[i].field = light_action_parse(text);
		if (*table[i].field < 0)
			return wrong(p, cfg_find(p->cfg, table[i].key),
				     "destroy, restart, rename-restart, "
				     "preserve, coredump-destroy, coredump-restart or soft-reset");
	}
	return 0;
}

static int parse_tsc_mode(const struct parse *p)
{
	static const char *const names[] = { "default", "always_emulate", "native",
					     "native_paravirt" };
	const struct cfg_setting *set = cfg_find(p->cfg, "tsc_mode");
	int i;

	if (!set)
		return 0;
	for (i = 0; i < 4 && !set->value.is_list; i++) {
		if (!strcmp(set->value.text, names[i]) ||
		    (set->value.text[0] == '0' + i && !set->value.text[1])) {
			p->config->tsc_mode = i;
			return 0;
		}
	}
	return wrong(p, set, "default, always_emulate, native or native_paravirt");
}

static int add_string(struct light_strings *strings, const char *text, size_t length)
{
	char **list = reallocarray(strings->list, strings->count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	strings->list = list;
	list[strings->count] = strndup(text, length);
	return list[strings->count++] ? 0 : -ENOMEM;
}

static int parse_bootloader(const struct parse *p)
{
	const struct cfg_setting *set = cfg_find(p->cfg, "bootloader_args");
	const char *text;
	unsigned int i;
	size_t n;
	int rc = get_string(p, "bootloader", &p->config->bootloader);

	if (rc || !set)
		return rc;
	for (i = 0; set->value.is_list && i < set->value.n_items && !rc; i++) {
		if (set->value.items[i].is_list)
			return wrong(p, set, "a list of strings");
		rc = add_string(&p->config->bootloader_args, set->value.items[i].text,
				SIZE_MAX / 2);
	}
	if (set->value.is_list)
		return rc;
	for (text = set->value.text; *(text += strspn(text, " \t\n")) && !rc; text += n) {
		n = strcspn(text, " \t\n");
		rc = add_string(&p->config->bootloader_args, text, n);
	}
	return rc;
}

static int parse_devices(const struct parse *p)
{
	const struct cfg_setting *set;
	struct light_disk *disk;
	struct light_nic *nic;
	const char *word;
	unsigned int i;
	int rc;

	set = cfg_find(p->cfg, "disk");
	for (i = 0; set && i < set->value.n_items; i++) {
		word = set->value.items[i].text;
		disk = light_config_add_disk(p->config);
		if (!word || !disk)
			return disk ? wrong(p, set, "a list of strings") : -ENOMEM;
		rc = light_disk_parse(disk, &word, 1, p->how, p->error);
		if (rc)
			return located(p, set, set->value.items[i].line, rc);
	}
	if (set && !set->value.is_list)
		return wrong(p, set, "a list: [ 'target,format,vdev,access' ]");
	set = cfg_find(p->cfg, "vif");
	for (i = 0; set && i < set->value.n_items; i++) {
		word = set->value.items[i].text;
		nic = light_config_add_nic(p->config);
		if (!word || !nic)
			return nic ? wrong(p, set, "a list of strings") : -ENOMEM;
		nic->devid = (int)i;
		rc = light_nic_parse(nic, &word, 1, p->how, p->error);
		if (rc)
			return located(p, set, set->value.items[i].line, rc);
	}
	if (set && !set->value.is_list)
		return wrong(p, set, "a list: [ 'mac=00:16:3e:...,bridge=xenbr0' ]");
	return 0;
}

static int parse_rest(const struct parse *p)
{
	static const char *const modes[] = { "default", "disabled", "enabled", "sync_pt",
					     "share_pt" };
	struct light_config *config = p->config;
	const struct cfg_setting *set;
	long value = 0;
	int rc = get_bool(p, "localtime", &config->localtime);

	rc = rc ? rc : get_bool(p, "nomigrate", &config->disable_migrate);
	rc = rc ? rc : get_bool(p, "driver_domain", &config->driver_domain);
	rc = rc ? rc : get_bool(p, "e820_host", &config->e820_host);
	rc = rc ? rc : get_bool(p, "vpmu", &config->vpmu);
	rc = rc ? rc : get_number(p, "rtc_timeoffset", INT_MIN, INT_MAX, &value);
	config->rtc_timeoffset = (uint32_t)value;
	rc = rc < 0 ? rc : get_string(p, "init_seclabel", &config->ssid_label);
	rc = rc ? rc :
		  get_string(p, "seclabel",
			     config->ssid_label ? &config->exec_ssid_label : &config->ssid_label);
	if (rc)
		return rc;
	set = cfg_find(p->cfg, "passthrough");
	for (; set && !set->value.is_list && config->passthrough < 5; config->passthrough++)
		if (!strcmp(set->value.text, modes[config->passthrough]))
			break;
	if (set && (set->value.is_list || config->passthrough > 1))
		return wrong(p, set, "default or disabled: hardware is not given to guests");
	set = cfg_find(p->cfg, "cpuid");
	if (set &&
	    (set->value.is_list ? set->value.n_items != 0 : strcmp(set->value.text, "host") != 0))
		return wrong(p, set, "\"host\": CPU features of PV guests are not masked");
	return 0;
}

static int refuse(const struct parse *p, const struct cfg_setting *set, const struct light_key *key)
{
	tools_fail(p->error, -EINVAL, "bad-config",
		   "%s:%u: key `%s' asks for what guests cannot have here: %s", set->source,
		   set->line, set->key, key->note);
	return tools_hint(p->error, -EINVAL, "take the key out, or leave its list empty");
}

/* Every key once: unknown, of the wrong kind, refused, without effect. */
static int check_keys(const struct parse *p)
{
	const struct cfg_setting *set;
	const struct light_key *key;
	const char *nearest;
	unsigned int i;

	for (i = 0; i < p->cfg->n_settings; i++) {
		set = &p->cfg->settings[i];
		key = light_key_find(set->key);
		if (!key) {
			nearest = light_key_nearest(set->key);
			light_remark(p->how, "%s:%u: key `%.40s' is unknown and ignored%s%s%s",
				     set->source, set->line, set->key,
				     nearest ? ": did you mean `" : "", nearest ? nearest : "",
				     nearest ? "'?" : "");
			continue;
		}
		if (key->status == KEY_STRANGE)
			light_remark(p->how, "%s:%u: key `%s' is ignored: %s", set->source,
				     set->line, set->key, key->note);
		else if (key->status == KEY_ARM || key->status == KEY_NOTED)
			light_remark(p->how, "%s:%u: key `%s' has no effect: %s", set->source,
				     set->line, set->key, key->note);
		else if (key->status == KEY_REFUSED && (!set->value.is_list || set->value.n_items))
			return refuse(p, set, key);
		else if (set->value.is_list && !(key->kind & KEY_LIST))
			return wrong(p, set, "a single value, not a list");
	}
	return 0;
}

static int parse_all(const struct parse *p)
{
	const struct light_defaults *defaults = p->how->defaults;
	struct light_config *config = p->config;
	int rc = check_keys(p);

	config->run_hotplug_scripts = !defaults || defaults->run_hotplug_scripts ? LIGHT_YES :
										   LIGHT_NO;
	config->claim_mode = !defaults || defaults->claim_mode ? LIGHT_YES : LIGHT_NO;
	rc = rc ? rc : parse_type(p);
	rc = rc ? rc : parse_name(p);
	rc = rc ? rc : parse_uuid(p);
	rc = rc ? rc : parse_scheduling(p);
	rc = rc ? rc : parse_memory(p);
	rc = rc ? rc : parse_vcpus(p);
	rc = rc ? rc : parse_limits(p);
	rc = rc ? rc : parse_actions(p);
	rc = rc ? rc : parse_tsc_mode(p);
	rc = rc ? rc : get_string(p, "kernel", &config->kernel);
	rc = rc ? rc : get_string(p, "ramdisk", &config->ramdisk);
	rc = rc ? rc : parse_cmdline(p);
	rc = rc ? rc : parse_bootloader(p);
	if (!rc && !config->kernel && !config->bootloader)
		rc = tools_hint(
			p->error,
			tools_fail(p->error, -EINVAL, "bad-config",
				   "%s: neither key `kernel' nor "
				   "key `bootloader' is there",
				   p->how->source),
			"a guest that keeps its kernel on its disk is started with bootloader=\"pygrub\"");
	rc = rc ? rc : parse_rest(p);
	rc = rc ? rc : parse_devices(p);
	if (!rc && defaults && defaults->blkdev_start) {
		config->blkdev_start = strdup(defaults->blkdev_start);
		rc = config->blkdev_start ? 0 : -ENOMEM;
	}
	return rc;
}

int light_config_parse(struct light_config *config, const char *text, size_t length,
		       char *const *overrides, unsigned int n_overrides,
		       const struct light_parse *how, struct tools_error *error)
{
	struct cfg cfg = { 0 };
	struct parse p = { &cfg, config, how, error };
	unsigned int i;
	int rc = cfg_parse(&cfg, text, length, how->source, false, error);

	for (i = 0; i < n_overrides && !rc; i++)
		rc = cfg_parse(&cfg, overrides[i], strlen(overrides[i]), "command line", true,
			       error);
	if (!rc)
		rc = parse_all(&p);
	if (rc == -ENOMEM)
		tools_fail(error, rc, "no-memory", "out of memory while reading %s", how->source);
	cfg_free(&cfg);
	return rc;
}
