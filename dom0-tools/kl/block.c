/* SPDX-License-Identifier: MIT */
/*
 * kl block-attach, block-list, block-detach, block-reconnect, block-resize: disks of running
 * domains.
 */
#include <errno.h>
#include <stdlib.h>
#include "devices.h"

static int attach(struct device_call *call, struct tools_error *e)
{
	struct kl *kl = call->kl;
	struct light_disk disk;
	char *json;
	int err;

	light_disk_init(&disk);
	err = light_disk_parse(&disk, call->words, call->count, &call->how, e);
	if (!err && kl->dry_run) {
		json = light_disk_to_json(&disk);
		printf(kl->json ? "%s\n" : "disk: %s\n", json ? json : "");
		free(json);
	} else if (!err) {
		kl_progress(kl, "attaching %s", disk.vdev);
		err = light_attach_disk(kl->light, call->domid, &disk, e);
	}
	light_disk_free(&disk);
	return err;
}

int cmd_block_attach(struct kl *kl, int argc, char **argv)
{
	return change_device(kl, argc, argv, "", NULL, 2, attach);
}

static void print_line(const struct light_device *d)
{
	printf("%-5u %-3u %-6u %-5d %-6d %-8d %-30s\n", d->devid, d->backend_domid,
	       d->frontend_domid, d->frontend_state, d->event_channel, d->ring_ref[0], d->backend);
}

static void print_members(const struct light_device *d, struct json_writer *w)
{
	json_uint(w, "domid", d->frontend_domid);
	json_uint(w, "vdev", d->devid);
	json_uint(w, "backend_domid", d->backend_domid);
	json_int(w, "state", d->frontend_state);
	json_int(w, "backend_state", d->backend_state);
	json_int(w, "event_channel", d->event_channel);
	json_int(w, "ring_ref", d->ring_ref[0]);
	json_string(w, "backend_path", d->backend);
	json_string(w, "params", d->params);
}

int cmd_block_list(struct kl *kl, int argc, char **argv)
{
	static const struct device_listing disks = {
		.kind = "vbd",
		.what = "disks",
		.heading = "Vdev  BE  handle state evt-ch ring-ref BE-path                       ",
		.line = print_line,
		.members = print_members,
	};

	return list_devices(kl, argc, argv, &disks);
}

static int detach(struct device_call *call, struct tools_error *e)
{
	kl_progress(call->kl, "detaching %s", call->words[0]);
	return light_detach_disk(call->kl->light, call->domid, call->words[0], call->kl->force, e);
}

int cmd_block_detach(struct kl *kl, int argc, char **argv)
{
	static const struct option options[] = { { "force", 0, NULL, 'f' }, { NULL, 0, NULL, 0 } };

	return change_device(kl, argc, argv, "f", options, 2, detach);
}

static int reconnect(struct device_call *call, struct tools_error *e)
{
	kl_progress(call->kl, "reconnecting %s", call->words[0]);
	return light_reconnect_disk(call->kl->light, call->domid, call->words[0], e);
}

int cmd_block_reconnect(struct kl *kl, int argc, char **argv)
{
	return change_device(kl, argc, argv, "", NULL, 2, reconnect);
}

static int resize(struct device_call *call, struct tools_error *e)
{
	uint64_t kib = 0;

	kl_progress(call->kl, "resizing %s", call->words[0]);
	if (call->count > 2)
		return tools_fail(e, -EINVAL, "usage", "one disk, and one size at most");
	if (call->count == 2 && (light_size_parse(call->words[1], &kib) || !kib))
		return tools_fail(e, -EINVAL, "config", "`%.40s' is no size", call->words[1]);
	return light_resize_disk(call->kl->light, call->domid, call->words[0], kib, e);
}

int cmd_block_resize(struct kl *kl, int argc, char **argv)
{
	return change_device(kl, argc, argv, "", NULL, 2, resize);
}
