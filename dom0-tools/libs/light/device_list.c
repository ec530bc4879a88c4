/* SPDX-License-Identifier: MIT */
/*
 * The devices a domain has, by the tools' own record (/libxl/N/device): for listing, and as a group
 * for removal. Scripts, loop devices and backends are taken from there, never from nodes that a
 * guest or a backend could have written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

#define MAX_DEVICES 4096

/* One request per child of each of @lists' answers, with @tail: the paths "LIST/CHILD/tail". */
static void expand(struct batch *to, const struct batch *lists, bool list, const char *tail)
{
	const struct store_request *r;
	const char *name, *end;
	unsigned int i;

	for (i = 0; i < lists->count; i++) {
		r = &lists->list[i];
		name = r->reply;
		end = name ? name + r->reply_length : NULL;
		for (; name && name < end && *name && to->count < MAX_DEVICES;
		     name += strlen(name) + 1) {
			if (list)
				batch_list(to, "%s/%s", r->path, name);
			else
				batch_read(to, "%s/%s/%s", r->path, name, tail);
		}
	}
}

/* "/libxl/5/device/vbd/51712/backend": kind and number. */
static int parse_record(const char *path, char kind[16], unsigned int *devid)
{
	unsigned int domid;

	return sscanf(path, "/libxl/%u/device/%15[^/]/%u/", &domid, kind, devid) == 3 ? 0 : -EINVAL;
}

/* A new device is asked for its script, loop device and so on by this many reads. */
static const char *const record_keys[] = { "script", "type", "node" };
#define RECORD_KEYS 3

static int fill_member(struct member *m, const char *script, const char *type, const char *node)
{
	const char *base = script ? strrchr(script, '/') : NULL;

	if (!strcmp(m->device.kind, "vbd")) {
		if (type && !strcmp(type, "file") && node && !strncmp(node, "/dev/loop", 9)) {
			m->loop = strdup(node);
			return m->loop ? 0 : -ENOMEM;
		}
		/* The common script has nothing to undo for a block device. */
		if (base && !strcmp(base, "/block"))
			return 0;
	}
	if (script && *script == '/') {
		m->script = strdup(script);
		return m->script ? 0 : -ENOMEM;
	}
	return 0;
}

static int add_members(struct group *group, uint32_t domid, const struct batch *backends)
{
	struct batch records = { 0 };
	struct device device;
	char kind[16];
	const struct store_request *r;
	unsigned int i, k, devid, first = group->count;
	int rc = 0;

	for (i = 0; i < backends->count && !rc; i++) {
		r = &backends->list[i];
		if (!r->reply || parse_record(r->path, kind, &devid) || !strcmp(kind, "console") ||
		    device_parse(&device, domid, kind, devid, r->reply))
			continue;
		rc = group_add(group, &device) ? 0 : -ENOMEM;
		for (k = 0; k < RECORD_KEYS; k++)
			batch_read(&records, "/libxl/%u/device/%s/%u/%s", domid, kind, devid,
				   record_keys[k]);
	}
	rc = rc ? rc : batch_run(&records, group->light->store, 0);
	for (i = first; i < group->count && !rc; i++) {
		k = (i - first) * RECORD_KEYS;
		rc = fill_member(&group->members[i], records.list[k].reply,
				 records.list[k + 1].reply, records.list[k + 2].reply);
	}
	batch_free(&records);
	return rc;
}

/* The "backend" nodes of all of a domain's devices, or of those of one kind. */
static int read_backends(struct light *light, uint32_t domid, const char *only,
			 struct batch *backends)
{
	struct batch kinds = { 0 }, ids = { 0 };
	int rc = 0;

	if (only) {
		batch_list(&ids, "/libxl/%u/device/%s", domid, only);
	} else {
		batch_list(&kinds, "/libxl/%u/device", domid);
		rc = batch_run(&kinds, light->store, 0);
		if (!rc)
			expand(&ids, &kinds, true, NULL);
	}
	rc = rc ? rc : batch_run(&ids, light->store, 0);
	if (!rc)
		expand(backends, &ids, false, "backend");
	rc = rc ? rc : batch_run(backends, light->store, 0);
	batch_free(&kinds);
	batch_free(&ids);
	return rc;
}

int group_of_domain(struct group *group, uint32_t domid)
{
	struct batch backends = { 0 };
	int rc = read_backends(group->light, domid, NULL, &backends);

	if (!rc)
		rc = add_members(group, domid, &backends);
	batch_free(&backends);
	return rc;
}

/* --- Lists --- */
#define LIST_KEYS 7

static void queue_details(struct batch *batch, const struct device *device)
{
	char front[DEVICE_PATH_MAX], back[DEVICE_PATH_MAX];
	bool vif = !strcmp(device->kind, "vif");

	device_frontend_path(device, front);
	device_backend_path(device, back);
	batch_read(batch, "%s/state", front);
	batch_read(batch, "%s/state", back);
	batch_read(batch, "%s/event-channel", front);
	batch_read(batch, "%s/%s", front, vif ? "tx-ring-ref" : "ring-ref");
	batch_read(batch, "%s/%s", front, vif ? "rx-ring-ref" : "ring-ref0");
	batch_read(batch, "/libxl/%u/device/%s/%u/mac", device->domid, device->kind, device->devid);
	batch_read(batch, "/libxl/%u/device/%s/%u/params", device->domid, device->kind,
		   device->devid);
}

static int number(const char *text, int none)
{
	return text ? atoi(text) : none;
}

static int take_details(struct light_device *out, const struct device *device,
			struct store_request *r)
{
	char path[DEVICE_PATH_MAX];

	*out = (struct light_device){ .devid = device->devid,
				      .frontend_domid = device->domid,
				      .backend_domid = device->backend_domid };
	snprintf(out->kind, sizeof(out->kind), "%s", device->kind);
	device_frontend_path(device, path);
	out->frontend = strdup(path);
	device_backend_path(device, path);
	out->backend = strdup(path);
	out->frontend_state = number(r[0].reply, 0);
	out->backend_state = number(r[1].reply, 0);
	out->event_channel = number(r[2].reply, -1);
	out->ring_ref[0] = number(r[3].reply, -1);
	out->ring_ref[1] = number(r[4].reply, -1);
	if (r[5].reply)
		light_mac_parse(r[5].reply, out->mac);
	out->params = r[6].reply;
	r[6].reply = NULL;
	return out->frontend && out->backend ? 0 : -ENOMEM;
}

int light_devices(struct light *light, uint32_t domid, const char *kind, struct light_device **list)
{
	struct group group = { .light = light };
	struct batch backends = { 0 }, details = { 0 };
	unsigned int i;
	int rc = read_backends(light, domid, kind, &backends);

	*list = NULL;
	rc = rc ? rc : add_members(&group, domid, &backends);
	for (i = 0; i < group.count && !rc; i++)
		queue_details(&details, &group.members[i].device);
	rc = rc ? rc : batch_run(&details, light->store, 0);
	if (!rc && group.count) {
		*list = calloc(group.count, sizeof(**list));
		rc = *list ? 0 : -ENOMEM;
	}
	for (i = 0; i < group.count && !rc; i++)
		rc = take_details(&(*list)[i], &group.members[i].device,
				  &details.list[i * LIST_KEYS]);
	if (rc && *list) {
		light_devices_free(*list, group.count);
		*list = NULL;
	}
	rc = rc ? rc : (int)group.count;
	for (i = 0; i < group.count; i++) {
		free(group.members[i].script);
		free(group.members[i].loop);
	}
	free(group.members);
	batch_free(&backends);
	batch_free(&details);
	return rc;
}

void light_devices_free(struct light_device *list, unsigned int count)
{
	unsigned int i;

	for (i = 0; list && i < count; i++) {
		free(list[i].frontend);
		free(list[i].backend);
		free(list[i].params);
	}
	free(list);
}
