/* SPDX-License-Identifier: MIT */
/*
 * kl block-attach, block-list, block-detach: disks of running domains.
 */
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include <tools/light.h>
#include "kl.h"

static void remark(void *cookie, const char *line)
{
	kl_warn(cookie, "%s", line);
}

int cmd_block_attach(struct kl *kl, int argc, char **argv)
{
	struct light_parse how = { .source = "command line", .warn = remark, .cookie = kl };
	struct tools_error e = { 0 };
	struct light_disk disk;
	char *json;
	domid_t domid;
	int opt, err;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, 2)) >= 0)
		;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	kl_catch_interrupts(kl);
	kl->light->cancel_fd = kl->cancel_fd;
	light_disk_init(&disk);
	err = light_disk_parse(&disk, (const char *const *)argv + optind + 1,
			       (unsigned int)(argc - optind - 1), &how, &e);
	if (!err && kl->dry_run) {
		json = light_disk_to_json(&disk);
		printf("disk: %s", json ? json : "");
		free(json);
	} else if (!err) {
		kl_progress(kl, "attaching %s", disk.vdev);
		err = light_attach_disk(kl->light, domid, &disk, &e);
		kl_progress(kl, NULL);
	}
	light_disk_free(&disk);
	return err ? kl_fail(kl, &e) : KL_OK;
}

static void print_disks(const struct light_device *list, int count, struct json_writer *w)
{
	const struct light_device *d;

	for (d = list; d < list + count; d++) {
		if (!w) {
			printf("%-5u %-3u %-6u %-5d %-6d %-8d %-30s\n", d->devid, d->backend_domid,
			       d->frontend_domid, d->frontend_state, d->event_channel,
			       d->ring_ref[0], d->backend);
			continue;
		}
		json_open_object(w, NULL);
		json_uint(w, "domid", d->frontend_domid);
		json_uint(w, "vdev", d->devid);
		json_uint(w, "backend_domid", d->backend_domid);
		json_int(w, "state", d->frontend_state);
		json_int(w, "backend_state", d->backend_state);
		json_int(w, "event_channel", d->event_channel);
		json_int(w, "ring_ref", d->ring_ref[0]);
		json_string(w, "backend_path", d->backend);
		json_string(w, "params", d->params);
		json_close_object(w);
	}
}

int cmd_block_list(struct kl *kl, int argc, char **argv)
{
	struct json_writer w = { 0 };
	struct light_device *list;
	int opt, count, status = KL_OK;
	domid_t domid;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, 1)) >= 0)
		;
	if (opt == KL_STOP)
		return kl->status;
	if (!kl_light(kl))
		return KL_FAILED;
	if (kl->json)
		json_open_array(&w, NULL);
	else
		printf("%-5s %-3s %-6s %-5s %-6s %-8s %-30s\n", "Vdev", "BE", "handle", "state",
		       "evt-ch", "ring-ref", "BE-path");
	for (; optind < argc; optind++) {
		if (kl_find_domain(kl, argv[optind], &domid)) {
			status = KL_FAILED;
			continue;
		}
		count = light_devices(kl->light, domid, "vbd", &list);
		if (count < 0) {
			status = kl_check(kl, count, "cannot list the disks of %s", argv[optind]);
			continue;
		}
		print_disks(list, count, kl->json ? &w : NULL);
		light_devices_free(list, (unsigned int)count);
	}
	if (kl->json) {
		json_close_array(&w);
		return kl_print_json(kl, &w) ? KL_FAILED : status;
	}
	return status;
}

int cmd_block_detach(struct kl *kl, int argc, char **argv)
{
	static const struct option options[] = { { "force", 0, NULL, 'f' }, { NULL, 0, NULL, 0 } };
	struct tools_error e = { 0 };
	bool force = false;
	domid_t domid;
	int opt, err;

	while ((opt = kl_getopt(kl, argc, argv, "f", options, 2)) >= 0)
		if (opt == 'f')
			force = true;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	kl_catch_interrupts(kl);
	kl->light->cancel_fd = kl->cancel_fd;
	kl_progress(kl, "detaching %s", argv[optind + 1]);
	err = light_detach_disk(kl->light, domid, argv[optind + 1], force || kl->force, &e);
	kl_progress(kl, NULL);
	return err ? kl_fail(kl, &e) : KL_OK;
}
