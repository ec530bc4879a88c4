/* SPDX-License-Identifier: MIT */
/*
 * The JSON form of a configuration, libxl_domain_config of 4.17: the same members in the same
 * order, those at their default left out, enumerations by lower-case name.
 *
 * One table for each structure drives both directions. What stands in a file and in no table is
 * kept as a tree and written back at the end of its object.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "private.h"

enum kind {
	J_STRING,
	J_INT,
	J_U32,
	J_I64,
	J_U64,
	J_LONG,
	J_MEMKB,
	J_BOOL,
	J_TRI,
	J_ENUM,
	J_UUID,
	J_MAC,
	J_BITMAP,
	J_STRINGS,
	J_EMPTY,
	J_SCHED,
	J_HARD,
	J_SOFT,
	J_TYPE,
};

struct field {
	const char *name;
	enum kind kind;
	size_t offset;
	long initial; /* left out when equal */
	const char *const *names; /* J_ENUM: by number; "" where there is none */
};

#define C(member) offsetof(struct light_config, member)
#define D(member) offsetof(struct light_disk, member)
#define N(member) offsetof(struct light_nic, member)
#define P(member) offsetof(struct light_sched, member)

static const char *const type_names[] = { "", "hvm", "pv", "pvh", NULL };
static const char *const tsc_names[] = { "default", "always_emulate", "native", "native_paravirt",
					 NULL };
static const char *const dm_names[] = { "unknown", "qemu_xen_traditional", "qemu_xen", NULL };
static const char *const pt_names[] = { "default", "disabled", "enabled",
					"sync_pt", "share_pt", NULL };
static const char *const backend_names[] = { "unknown", "phy", "tap", "qdisk", "standalone", NULL };
static const char *const format_names[] = { "unknown", "qcow",	"qcow2", "vhd",
					    "raw",     "empty", "qed",	 NULL };
static const char *const spec_names[] = { "unknown", "xen", "virtio", NULL };
static const char *const transport_names[] = { "unknown", "mmio", NULL };
static const char *const nic_names[] = { "unknown", "vif_ioemu", "vif", NULL };
static const char *const scheduler_names[] = {
	"unknown", "", "", "", "sedf", "credit", "credit2", "arinc653", "rtds", "null", NULL,
};
static const char *const action_names[] = {
	"",	    "destroy",		"restart",	    "restart_rename",
	"preserve", "coredump_destroy", "coredump_restart", "soft_reset",
	NULL,
};

static const struct field create_fields[] = {
	{ "type", J_ENUM, C(type), LIGHT_TYPE_NONE, type_names },
	{ "ssidref", J_U32, C(ssidref), 0, NULL },
	{ "ssid_label", J_STRING, C(ssid_label), 0, NULL },
	{ "name", J_STRING, C(name), 0, NULL },
	{ "domid", J_U32, C(domid), 0, NULL },
	{ "uuid", J_UUID, C(uuid), 0, NULL },
	{ "poolid", J_U32, C(poolid), 0, NULL },
	{ "pool_name", J_STRING, C(pool_name), 0, NULL },
	{ "run_hotplug_scripts", J_TRI, C(run_hotplug_scripts), 0, NULL },
	{ "driver_domain", J_TRI, C(driver_domain), 0, NULL },
	{ "passthrough", J_ENUM, C(passthrough), 0, pt_names },
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field build_fields[] = {
	{ "max_vcpus", J_INT, C(max_vcpus), 0, NULL },
	{ "avail_vcpus", J_BITMAP, C(avail_vcpus), 0, NULL },
	{ "nodemap", J_BITMAP, C(nodemap), 0, NULL },
	{ "vcpu_hard_affinity", J_HARD, 0, 0, NULL },
	{ "vcpu_soft_affinity", J_SOFT, 0, 0, NULL },
	{ "numa_placement", J_TRI, C(numa_placement), 0, NULL },
	{ "tsc_mode", J_ENUM, C(tsc_mode), 0, tsc_names },
	{ "max_memkb", J_MEMKB, C(max_memkb), 0, NULL },
	{ "target_memkb", J_MEMKB, C(target_memkb), 0, NULL },
	{ "video_memkb", J_MEMKB, C(video_memkb), 0, NULL },
	{ "shadow_memkb", J_MEMKB, C(shadow_memkb), 0, NULL },
	{ "iommu_memkb", J_MEMKB, C(iommu_memkb), 0, NULL },
	{ "rtc_timeoffset", J_U32, C(rtc_timeoffset), 0, NULL },
	{ "exec_ssidref", J_U32, C(exec_ssidref), 0, NULL },
	{ "exec_ssid_label", J_STRING, C(exec_ssid_label), 0, NULL },
	{ "localtime", J_TRI, C(localtime), 0, NULL },
	{ "disable_migrate", J_TRI, C(disable_migrate), 0, NULL },
	{ "blkdev_start", J_STRING, C(blkdev_start), 0, NULL },
	{ "max_grant_frames", J_I64, C(max_grant_frames), LIGHT_GRANT_DEFAULT, NULL },
	{ "max_maptrack_frames", J_I64, C(max_maptrack_frames), LIGHT_GRANT_DEFAULT, NULL },
	{ "max_grant_version", J_I64, C(max_grant_version), LIGHT_GRANT_DEFAULT, NULL },
	{ "device_model_version", J_ENUM, C(device_model_version), 0, dm_names },
	{ "extra_pv", J_STRINGS, C(extra_pv), 0, NULL },
	{ "sched_params", J_SCHED, 0, 0, NULL },
	{ "claim_mode", J_TRI, C(claim_mode), 0, NULL },
	{ "event_channels", J_U32, C(event_channels), 0, NULL },
	{ "kernel", J_STRING, C(kernel), 0, NULL },
	{ "cmdline", J_STRING, C(cmdline), 0, NULL },
	{ "ramdisk", J_STRING, C(ramdisk), 0, NULL },
	{ "bootloader", J_STRING, C(bootloader), 0, NULL },
	{ "bootloader_args", J_STRINGS, C(bootloader_args), 0, NULL },
	{ "type.pv", J_TYPE, 0, 0, NULL },
	{ "arch_arm", J_EMPTY, C(kept_arm), 0, NULL },
	{ "arch_x86", J_EMPTY, C(kept_x86), 0, NULL },
	{ "vpmu", J_TRI, C(vpmu), 0, NULL },
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field pv_fields[] = {
	{ "e820_host", J_TRI, C(e820_host), 0, NULL },
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field no_fields[] = {
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field sched_fields[] = {
	{ "sched", J_ENUM, P(scheduler), 0, scheduler_names },
	{ "weight", J_LONG, P(weight), LIGHT_SCHED_DEFAULT, NULL },
	{ "cap", J_LONG, P(cap), LIGHT_SCHED_DEFAULT, NULL },
	{ "period", J_LONG, P(period), LIGHT_SCHED_DEFAULT, NULL },
	{ "budget", J_LONG, P(budget), LIGHT_SCHED_DEFAULT, NULL },
	{ "extratime", J_LONG, P(extratime), LIGHT_SCHED_DEFAULT, NULL },
	{ "slice", J_LONG, P(slice), LIGHT_SCHED_DEFAULT, NULL },
	{ "latency", J_LONG, P(latency), LIGHT_SCHED_DEFAULT, NULL },
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field disk_fields[] = {
	{ "backend_domid", J_U32, D(backend_domid), 0, NULL },
	{ "backend_domname", J_STRING, D(backend_domname), 0, NULL },
	{ "pdev_path", J_STRING, D(pdev_path), 0, NULL },
	{ "vdev", J_STRING, D(vdev), 0, NULL },
	{ "backend", J_ENUM, D(backend), 0, backend_names },
	{ "format", J_ENUM, D(format), 0, format_names },
	{ "script", J_STRING, D(script), 0, NULL },
	{ "removable", J_INT, D(removable), 0, NULL },
	{ "readwrite", J_INT, D(readwrite), 0, NULL },
	{ "is_cdrom", J_INT, D(is_cdrom), 0, NULL },
	{ "direct_io_safe", J_BOOL, D(direct_io_safe), 0, NULL },
	{ "discard_enable", J_TRI, D(discard), 0, NULL },
	{ "specification", J_ENUM, D(specification), 0, spec_names },
	{ "transport", J_ENUM, D(transport), 0, transport_names },
	{ "trusted", J_TRI, D(trusted), 0, NULL },
	{ "shared", J_BOOL, D(shared), 0, NULL }, /* this and the next are ours alone */
	{ "patience", J_INT, D(patience), 0, NULL },
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field nic_fields[] = {
	{ "backend_domid", J_U32, N(backend_domid), 0, NULL },
	{ "backend_domname", J_STRING, N(backend_domname), 0, NULL },
	{ "devid", J_INT, N(devid), -1, NULL },
	{ "mtu", J_INT, N(mtu), 0, NULL },
	{ "model", J_STRING, N(model), 0, NULL },
	{ "mac", J_MAC, N(mac), 0, NULL },
	{ "ip", J_STRING, N(ip), 0, NULL },
	{ "bridge", J_STRING, N(bridge), 0, NULL },
	{ "ifname", J_STRING, N(ifname), 0, NULL },
	{ "script", J_STRING, N(script), 0, NULL },
	{ "nictype", J_ENUM, N(type), 0, nic_names },
	{ "rate_bytes_per_interval", J_U64, N(rate_bytes), 0, NULL },
	{ "rate_interval_usecs", J_U32, N(rate_interval_us), 0, NULL },
	{ "gatewaydev", J_STRING, N(gatewaydev), 0, NULL },
	{ "trusted", J_TRI, N(trusted), 0, NULL },
	{ "user_backend", J_TRI, N(user_backend), 0, NULL }, /* ours alone */
	{ NULL, J_EMPTY, 0, 0, NULL },
};

static const struct field action_fields[] = {
	{ "on_poweroff", J_ENUM, C(on_poweroff), LIGHT_ACTION_DESTROY, action_names },
	{ "on_reboot", J_ENUM, C(on_reboot), LIGHT_ACTION_DESTROY, action_names },
	{ "on_watchdog", J_ENUM, C(on_watchdog), LIGHT_ACTION_DESTROY, action_names },
	{ "on_crash", J_ENUM, C(on_crash), LIGHT_ACTION_DESTROY, action_names },
	{ "on_soft_reset", J_ENUM, C(on_soft_reset), LIGHT_ACTION_DESTROY, action_names },
	{ NULL, J_EMPTY, 0, 0, NULL },
};

/* --- Writing --- */
static void write_fields(struct json_writer *w, const struct field *table, const void *object,
			 const struct json_value *kept);

static void write_bitmap(struct json_writer *w, const char *key, const struct light_bitmap *map)
{
	unsigned int bit;

	json_open_array(w, key);
	for (bit = 0; bit < map->bytes * 8; bit++)
		if (light_bitmap_test(map, bit))
			json_int(w, NULL, bit);
	json_close_array(w);
}

static void write_bitmaps(struct json_writer *w, const char *key, const struct light_bitmap *maps,
			  unsigned int count)
{
	unsigned int i;

	if (!count)
		return;
	json_open_array(w, key);
	for (i = 0; i < count; i++)
		write_bitmap(w, NULL, &maps[i]);
	json_close_array(w);
}

static void write_strings(struct json_writer *w, const char *key,
			  const struct light_strings *strings)
{
	unsigned int i;

	if (!strings->count)
		return;
	json_open_array(w, key);
	for (i = 0; i < strings->count; i++)
		json_string(w, NULL, strings->list[i]);
	json_close_array(w);
}

/* Bytes that mean something only if one of them is not zero. */
static void write_bytes(struct json_writer *w, const struct field *f, const uint8_t *bytes)
{
	static const uint8_t none[16];
	char text[40];

	if (!memcmp(bytes, none, f->kind == J_UUID ? 16 : 6))
		return;
	if (f->kind == J_UUID)
		light_uuid_format(bytes, text);
	else
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
			 bytes[2], bytes[3], bytes[4], bytes[5]);
	json_string(w, f->name, text);
}

static void write_number(struct json_writer *w, const struct field *f, const void *at)
{
	long value = f->kind == J_INT ? *(const int *)at :
		     f->kind == J_U32 ? (long)*(const uint32_t *)at :
					*(const int64_t *)at;

	if (value != f->initial)
		json_int(w, f->name, value);
}

static void write_composite(struct json_writer *w, const struct field *f,
			    const struct light_config *config)
{
	if (f->kind == J_HARD)
		write_bitmaps(w, f->name, config->hard_affinity, config->n_hard);
	if (f->kind == J_SOFT)
		write_bitmaps(w, f->name, config->soft_affinity, config->n_soft);
	if (f->kind == J_HARD || f->kind == J_SOFT ||
	    (f->kind == J_TYPE && config->type != LIGHT_TYPE_PV))
		return;
	json_open_object(w, f->name);
	if (f->kind == J_SCHED)
		write_fields(w, sched_fields, &config->sched, config->kept_sched);
	if (f->kind == J_TYPE)
		write_fields(w, pv_fields, config, config->kept_type);
	if (f->kind == J_EMPTY)
		write_fields(w, no_fields, config,
			     *(struct json_value *const *)((const char *)config + f->offset));
	json_close_object(w);
}

static void write_field(struct json_writer *w, const struct field *f, const void *object)
{
	const void *at = (const char *)object + f->offset;
	int number;

	switch (f->kind) {
	case J_STRING:
		if (*(char *const *)at)
			json_string(w, f->name, *(char *const *)at);
		break;
	case J_INT:
	case J_U32:
	case J_I64:
	case J_LONG:
		write_number(w, f, at);
		break;
	case J_U64:
		if (*(const uint64_t *)at)
			json_uint(w, f->name, *(const uint64_t *)at);
		break;
	case J_MEMKB:
		if (*(const uint64_t *)at != LIGHT_MEMKB_DEFAULT)
			json_uint(w, f->name, *(const uint64_t *)at);
		break;
	case J_BOOL:
		if (*(const bool *)at)
			json_bool(w, f->name, true);
		break;
	case J_TRI:
		number = *(const int *)at;
		if (number)
			json_string(w, f->name, number > 0 ? "True" : "False");
		break;
	case J_ENUM:
		number = *(const int *)at;
		if (number != f->initial)
			json_string(w, f->name, f->names[number]);
		break;
	case J_UUID:
	case J_MAC:
		write_bytes(w, f, at);
		break;
	case J_BITMAP:
		if (light_bitmap_weight(at))
			write_bitmap(w, f->name, at);
		break;
	case J_STRINGS:
		write_strings(w, f->name, at);
		break;
	default:
		write_composite(w, f, object);
	}
}

static void write_fields(struct json_writer *w, const struct field *table, const void *object,
			 const struct json_value *kept)
{
	const struct json_value *member;

	for (; table->name; table++)
		write_field(w, table, object);
	for (member = kept ? kept->child : NULL; member; member = member->next)
		json_write(w, member->name, member);
}

static void write_config(struct json_writer *w, const char *key, const struct light_config *config)
{
	const struct json_value *member;
	unsigned int i;

	json_open_object(w, key);
	json_open_object(w, "c_info");
	write_fields(w, create_fields, config, config->kept_c);
	json_close_object(w);
	json_open_object(w, "b_info");
	write_fields(w, build_fields, config, config->kept_b);
	json_close_object(w);
	if (config->n_disks)
		json_open_array(w, "disks");
	for (i = 0; i < config->n_disks; i++) {
		json_open_object(w, NULL);
		write_fields(w, disk_fields, &config->disks[i], config->disks[i].kept);
		json_close_object(w);
	}
	if (config->n_disks)
		json_close_array(w);
	if (config->n_nics)
		json_open_array(w, "nics");
	for (i = 0; i < config->n_nics; i++) {
		json_open_object(w, NULL);
		write_fields(w, nic_fields, &config->nics[i], config->nics[i].kept);
		json_close_object(w);
	}
	if (config->n_nics)
		json_close_array(w);
	for (member = config->kept_top ? config->kept_top->child : NULL; member;
	     member = member->next)
		json_write(w, member->name, member);
	write_fields(w, action_fields, config, NULL);
	json_close_object(w);
}

void light_config_write_wrapped(struct json_writer *writer, const char *key,
				const struct light_config *config, int domid)
{
	json_open_object(writer, key);
	if (domid >= 0)
		json_int(writer, "domid", domid);
	else
		json_null(writer, "domid");
	write_config(writer, "config", config);
	json_close_object(writer);
}

char *light_config_to_json(const struct light_config *config, int domid)
{
	struct json_writer w = { 0 };

	if (domid >= 0)
		light_config_write_wrapped(&w, NULL, config, domid);
	else
		write_config(&w, NULL, config);
	return strbuf_take(&w.out);
}

char *light_disk_to_json(const struct light_disk *disk)
{
	struct json_writer w = { 0 };

	json_open_object(&w, NULL);
	write_fields(&w, disk_fields, disk, disk->kept);
	json_close_object(&w);
	return strbuf_take(&w.out);
}

char *light_nic_to_json(const struct light_nic *nic)
{
	struct json_writer w = { 0 };

	json_open_object(&w, NULL);
	write_fields(&w, nic_fields, nic, nic->kept);
	json_close_object(&w);
	return strbuf_take(&w.out);
}

/* --- Reading --- */
static int bad(struct tools_error *error, const char *name, const char *wanted)
{
	return tools_fail(error, -EINVAL, "bad-config",
			  "JSON configuration: member `%.40s': wanted %s", name, wanted);
}

static int read_bitmap(struct light_bitmap *map, const struct json_value *value)
{
	const struct json_value *bit;
	int rc = value->type == JSON_ARRAY ? 0 : -EINVAL;

	for (bit = value->child; bit && !rc; bit = bit->next)
		rc = bit->type != JSON_INT || bit->integer < 0 || bit->integer >= LIGHT_MAX_CPUS ?
			     -EINVAL :
			     light_bitmap_set(map, (unsigned int)bit->integer, true);
	return rc;
}

static int read_bitmaps(struct light_bitmap **maps, unsigned int *count,
			const struct json_value *value)
{
	const struct json_value *item;
	unsigned int n = 0;
	int rc = 0;

	if (value->type != JSON_ARRAY || *maps)
		return -EINVAL;
	for (item = value->child; item; item = item->next)
		n++;
	if (n > LIGHT_MAX_VCPUS)
		return -EINVAL;
	*maps = calloc(n ? n : 1, sizeof(**maps));
	if (!*maps)
		return -ENOMEM;
	for (item = value->child; item && !rc; item = item->next)
		rc = read_bitmap(&(*maps)[(*count)++], item);
	return rc;
}

static int read_strings(struct light_strings *strings, const struct json_value *value)
{
	const struct json_value *item;
	char **list;

	if (value->type != JSON_ARRAY)
		return -EINVAL;
	for (item = value->child; item; item = item->next) {
		if (item->type != JSON_STRING)
			return -EINVAL;
		list = reallocarray(strings->list, strings->count + 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		strings->list = list;
		list[strings->count] = strdup(item->text);
		if (!list[strings->count++])
			return -ENOMEM;
	}
	return 0;
}

static int read_fields(const struct field *table, void *object, struct json_value *from,
		       struct json_value **kept, struct tools_error *error);

static int read_composite(const struct field *f, struct light_config *config,
			  struct json_value *value, struct tools_error *error)
{
	switch (f->kind) {
	case J_HARD:
		return read_bitmaps(&config->hard_affinity, &config->n_hard, value);
	case J_SOFT:
		return read_bitmaps(&config->soft_affinity, &config->n_soft, value);
	case J_SCHED:
		return read_fields(sched_fields, &config->sched, value, &config->kept_sched, error);
	case J_TYPE:
		return read_fields(pv_fields, config, value, &config->kept_type, error);
	default: /* J_EMPTY: of it we only keep */
		return read_fields(no_fields, config, value,
				   (struct json_value **)((char *)config + f->offset), error);
	}
}

static int read_number(const struct field *f, void *at, const struct json_value *value)
{
	int64_t n = value->integer;

	if (value->type != JSON_INT)
		return -EINVAL;
	switch (f->kind) {
	case J_INT:
		if (n != (int)n)
			return -EINVAL;
		*(int *)at = (int)n;
		return 0;
	case J_U32:
		if (n != (int64_t)(uint32_t)n)
			return -EINVAL;
		*(uint32_t *)at = (uint32_t)n;
		return 0;
	default:
		/* uint32_t of the other side: its "not given" is all ones. */
		if (f->kind == J_I64 && n == UINT32_MAX)
			n = LIGHT_GRANT_DEFAULT;
		if ((f->kind == J_MEMKB || f->kind == J_U64) && n < 0)
			return -EINVAL;
		*(int64_t *)at = n;
		return 0;
	}
}

static int read_text(const struct field *f, void *at, const char *text)
{
	int i;

	switch (f->kind) {
	case J_STRING:
		free(*(char **)at);
		*(char **)at = strdup(text);
		return *(char **)at ? 0 : -ENOMEM;
	case J_TRI:
		if (strcmp(text, "True") && strcmp(text, "False") && strcmp(text, "<default>"))
			return -EINVAL;
		*(int *)at = *text == 'T' ? LIGHT_YES : *text == 'F' ? LIGHT_NO : LIGHT_UNSET;
		return 0;
	case J_ENUM:
		for (i = 0; f->names[i]; i++)
			if (*text && !strcmp(f->names[i], text))
				break;
		if (!f->names[i])
			return -EINVAL;
		*(int *)at = i;
		return 0;
	case J_UUID:
		return light_uuid_parse(text, at);
	case J_MAC:
		return light_mac_parse(text, at);
	default:
		return -EINVAL;
	}
}

static int read_field(const struct field *f, void *object, struct json_value *value,
		      struct tools_error *error)
{
	void *at = (char *)object + f->offset;

	switch (f->kind) {
	case J_INT:
	case J_U32:
	case J_I64:
	case J_LONG:
	case J_U64:
	case J_MEMKB:
		return read_number(f, at, value);
	case J_BOOL:
		*(bool *)at = value->integer != 0;
		return value->type == JSON_BOOL ? 0 : -EINVAL;
	case J_BITMAP:
		return read_bitmap(at, value);
	case J_STRINGS:
		return read_strings(at, value);
	case J_STRING:
	case J_TRI:
	case J_ENUM:
	case J_UUID:
	case J_MAC:
		return value->type == JSON_STRING ? read_text(f, at, value->text) : -EINVAL;
	default:
		return read_composite(f, object, value, error);
	}
}

/* Moves @member, already taken out of its object, into *kept. */
static int keep(struct json_value **kept, struct json_value *member)
{
	struct json_value **end;

	if (!*kept) {
		*kept = calloc(1, sizeof(**kept));
		if (!*kept) {
			json_free(member);
			return -ENOMEM;
		}
		(*kept)->type = JSON_OBJECT;
	}
	for (end = &(*kept)->child; *end; end = &(*end)->next)
		;
	*end = member;
	return 0;
}

/* Consumes the members of @from. */
static int read_fields(const struct field *table, void *object, struct json_value *from,
		       struct json_value **kept, struct tools_error *error)
{
	struct json_value *member;
	const struct field *f;
	int rc = from->type == JSON_OBJECT ? 0 : -EINVAL;

	while (!rc && (member = from->child)) {
		from->child = member->next;
		member->next = NULL;
		for (f = table; f->name && strcmp(f->name, member->name); f++)
			;
		if (!f->name) {
			rc = keep(kept, member);
			continue;
		}
		rc = read_field(f, object, member, error);
		if (rc == -EINVAL && error && !error->code)
			bad(error, member->name, "a value of its kind");
		json_free(member);
	}
	return rc;
}

static int read_devices(struct light_config *config, struct json_value *list, bool disks,
			struct tools_error *error)
{
	struct light_disk *disk;
	struct light_nic *nic;
	struct json_value *item;
	int rc = list->type == JSON_ARRAY ? 0 : bad(error, list->name, "an array");

	for (item = list->child; item && !rc; item = item->next) {
		disk = disks ? light_config_add_disk(config) : NULL;
		nic = disks ? NULL : light_config_add_nic(config);
		if (!disk && !nic)
			return -ENOMEM;
		rc = disks ? read_fields(disk_fields, disk, item, &disk->kept, error) :
			     read_fields(nic_fields, nic, item, &nic->kept, error);
	}
	return rc;
}

static int read_top(struct light_config *config, struct json_value *member,
		    struct tools_error *error, bool *used)
{
	const struct field *f;

	*used = true;
	if (!strcmp(member->name, "c_info"))
		return read_fields(create_fields, config, member, &config->kept_c, error);
	if (!strcmp(member->name, "b_info"))
		return read_fields(build_fields, config, member, &config->kept_b, error);
	if (!strcmp(member->name, "disks"))
		return read_devices(config, member, true, error);
	if (!strcmp(member->name, "nics"))
		return read_devices(config, member, false, error);
	for (f = action_fields; f->name; f++)
		if (!strcmp(member->name, f->name))
			return read_field(f, config, member, error);
	*used = false;
	return keep(&config->kept_top, member);
}

int light_config_from_json(struct light_config *config, const char *text, size_t length,
			   struct tools_error *error)
{
	struct tools_error local = { 0 };
	struct json_value *tree, *member;
	bool used;
	int rc = 0;

	if (!error)
		error = &local;
	error->code = NULL;
	tree = json_parse(text, length, error);
	if (!tree)
		return -EINVAL;
	if (tree->type != JSON_OBJECT)
		rc = bad(error, "(top)", "an object");
	while (!rc && (member = tree->child)) {
		tree->child = member->next;
		member->next = NULL;
		rc = read_top(config, member, error, &used);
		if (used)
			json_free(member);
	}
	config->uuid_set = true;
	json_free(tree);
	if (rc == -EINVAL && !error->code)
		bad(error, "(some)", "a value of its kind");
	return rc;
}

int light_config_copy(struct light_config *to, const struct light_config *from)
{
	char *text = light_config_to_json(from, -1);
	int rc;

	if (!text)
		return -ENOMEM;
	rc = light_config_from_json(to, text, strlen(text), NULL);
	free(text);
	return rc;
}
