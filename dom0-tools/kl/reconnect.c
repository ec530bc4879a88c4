/* SPDX-License-Identifier: MIT */
/*
 * kl block-reconnect, network-reconnect, block-resize: devices of running domains that change.
 */
#include <tools/light.h>
#include "kl.h"

/* The verbs have the same arguments: a domain and one of its devices. */
static int on_device(struct kl *kl, int argc, char **argv, const char *doing,
		     int (*change)(struct light *light, uint32_t domid, const char *which,
				   struct tools_error *error))
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
	kl_progress(kl, "%s %s", doing, argv[optind + 1]);
	err = change(kl->light, domid, argv[optind + 1], &e);
	kl_progress(kl, NULL);
	return err ? kl_fail(kl, &e) : KL_OK;
}

int cmd_block_reconnect(struct kl *kl, int argc, char **argv)
{
	return on_device(kl, argc, argv, "reconnecting", light_reconnect_disk);
}

int cmd_network_reconnect(struct kl *kl, int argc, char **argv)
{
	return on_device(kl, argc, argv, "reconnecting", light_reconnect_nic);
}

int cmd_block_resize(struct kl *kl, int argc, char **argv)
{
	return on_device(kl, argc, argv, "resizing", light_resize_disk);
}
