/* SPDX-License-Identifier: MIT */
/*
 * kl network-attach, network-list, network-detach: interfaces of running domains.
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

int cmd_network_attach(struct kl *kl, int argc, char **argv)
{
	struct light_parse how = { .source = "command line", .warn = remark, .cookie = kl };
	struct tools_error e = { 0 };
	struct light_nic nic;
	char *json;
	domid_t domid;
	int opt, err;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, 1)) >= 0)
		;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	kl_catch_interrupts(kl);
	kl->light->cancel_fd = kl->cancel_fd;
	how.defaults = &kl->light->defaults;
	light_nic_init(&nic);
	err = light_nic_parse(&nic, (const char *const *)argv + optind + 1,
			      (unsigned int)(argc - optind - 1), &how, &e);
	if (!err && kl->dry_run) {
		json = light_nic_to_json(&nic);
		printf("vif: %s", json ? json : "");
		free(json);
	} else if (!err) {
		kl_progress(kl, "attaching an interface");
		err = light_attach_nic(kl->light, domid, &nic, &e);
		kl_progress(kl, NULL);
	}
	light_nic_free(&nic);
	return err ? kl_fail(kl, &e) : KL_OK;
}

static void print_nics(const struct light_device *list, int count, struct json_writer *w)
{
	const struct light_device *d;
	char mac[18];

	for (d = list; d < list + count; d++) {
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0], d->mac[1],
			 d->mac[2], d->mac[3], d->mac[4], d->mac[5]);
		if (!w) {
			printf("%-3u %-2u %s%6u %5d %6d %5d/%-11d %-30s\n", d->devid,
			       d->backend_domid, mac, d->devid, d->frontend_state, d->event_channel,
			       d->ring_ref[0], d->ring_ref[1], d->backend);
			continue;
		}
		json_open_object(w, NULL);
		json_uint(w, "domid", d->frontend_domid);
		json_uint(w, "devid", d->devid);
		json_string(w, "mac", mac);
		json_uint(w, "backend_domid", d->backend_domid);
		json_int(w, "state", d->frontend_state);
		json_int(w, "backend_state", d->backend_state);
		json_int(w, "event_channel", d->event_channel);
		json_int(w, "tx_ring_ref", d->ring_ref[0]);
		json_int(w, "rx_ring_ref", d->ring_ref[1]);
		json_string(w, "backend_path", d->backend);
		json_close_object(w);
	}
}

int cmd_network_list(struct kl *kl, int argc, char **argv)
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
		printf("%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-5s %-30s\n", "Idx", "BE", "Mac Addr.",
		       "handle", "state", "evt-ch", "tx-", "rx-ring-ref", "BE-path");
	for (; optind < argc && !status; optind++) {
		if (kl_find_domain(kl, argv[optind], &domid))
			return KL_FAILED;
		count = light_devices(kl->light, domid, "vif", &list);
		if (count < 0)
			return kl_check(kl, count, "cannot list the interfaces of %s",
					argv[optind]);
		print_nics(list, count, kl->json ? &w : NULL);
		light_devices_free(list, (unsigned int)count);
	}
	if (kl->json) {
		json_close_array(&w);
		status = kl_print_json(kl, &w);
	}
	return status;
}

int cmd_network_detach(struct kl *kl, int argc, char **argv)
{
	struct tools_error e = { 0 };
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
	kl_progress(kl, "detaching interface %s", argv[optind + 1]);
	err = light_detach_nic(kl->light, domid, argv[optind + 1], kl->force, &e);
	kl_progress(kl, NULL);
	return err ? kl_fail(kl, &e) : KL_OK;
}
