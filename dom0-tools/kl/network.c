/* SPDX-License-Identifier: MIT */
/*
 * kl network-attach, network-list, network-detach, network-reconnect: interfaces of running
 * domains.
 */
#include <stdlib.h>
#include "devices.h"

static int attach(struct device_call *call, struct tools_error *e)
{
	struct kl *kl = call->kl;
	struct light_nic nic;
	char *json;
	int err;

	light_nic_init(&nic);
	err = light_nic_parse(&nic, call->words, call->count, &call->how, e);
	if (!err && kl->dry_run) {
		json = light_nic_to_json(&nic);
		printf(kl->json ? "%s\n" : "vif: %s\n", json ? json : "");
		free(json);
	} else if (!err) {
		kl_progress(kl, "attaching an interface");
		err = light_attach_nic(kl->light, call->domid, &nic, e);
	}
	light_nic_free(&nic);
	return err;
}

int cmd_network_attach(struct kl *kl, int argc, char **argv)
{
	return change_device(kl, argc, argv, "", NULL, 1, attach);
}

static void format_mac(char text[18], const struct light_device *d)
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0], d->mac[1], d->mac[2],
		 d->mac[3], d->mac[4], d->mac[5]);
}

static void print_line(const struct light_device *d)
{
	char mac[18];

	format_mac(mac, d);
	printf("%-3u %-2u %s%6u %5d %6d %5d/%-11d %-30s\n", d->devid, d->backend_domid, mac,
	       d->devid, d->frontend_state, d->event_channel, d->ring_ref[0], d->ring_ref[1],
	       d->backend);
}

static void print_members(const struct light_device *d, struct json_writer *w)
{
	char mac[18];

	format_mac(mac, d);
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
}

int cmd_network_list(struct kl *kl, int argc, char **argv)
{
	static const struct device_listing interfaces = {
		.kind = "vif",
		.what = "interfaces",
		.heading = "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref "
			   "BE-path                       ",
		.line = print_line,
		.members = print_members,
	};

	return list_devices(kl, argc, argv, &interfaces);
}

static int detach(struct device_call *call, struct tools_error *e)
{
	kl_progress(call->kl, "detaching interface %s", call->words[0]);
	return light_detach_nic(call->kl->light, call->domid, call->words[0], call->kl->force, e);
}

int cmd_network_detach(struct kl *kl, int argc, char **argv)
{
	return change_device(kl, argc, argv, "", NULL, 2, detach);
}

static int reconnect(struct device_call *call, struct tools_error *e)
{
	kl_progress(call->kl, "reconnecting interface %s", call->words[0]);
	return light_reconnect_nic(call->kl->light, call->domid, call->words[0], e);
}

int cmd_network_reconnect(struct kl *kl, int argc, char **argv)
{
	return change_device(kl, argc, argv, "", NULL, 2, reconnect);
}
