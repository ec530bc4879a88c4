/* SPDX-License-Identifier: MIT */
/*
 * kl gc: removes what interrupted creates and ended domains left: domains half made, nodes and
 * files of domains that are gone.
 */
#include <tools/json.h>
#include <tools/light.h>
#include "kl.h"

int cmd_gc(struct kl *kl, int argc, char **argv)
{
	struct tools_error e = { 0 };
	struct json_writer w = { 0 };
	int opt, count;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, 0)) >= 0)
		;
	if (opt == KL_STOP)
		return kl->status;
	kl_catch_interrupts(kl);
	if (!kl_light(kl))
		return KL_FAILED;
	count = light_gc(kl->light, &e);
	if (count < 0)
		return kl_fail(kl, &e);
	if (!kl->json) {
		if (count)
			printf("removed %d unfinished domain%s\n", count, count == 1 ? "" : "s");
		return KL_OK;
	}
	json_open_object(&w, NULL);
	json_int(&w, "removed_domains", count);
	json_close_object(&w);
	return kl_print_json(kl, &w);
}
