/* SPDX-License-Identifier: MIT */
/*
 * kl destroy: a domain ends now, whatever it does; what keeps it from going for good is named.
 */
#include <stdlib.h>
#include <tools/light.h>
#include "kl.h"

static void tell_zombie(struct kl *kl, const char *name, const struct light_destroy *report)
{
	if (!report->zombie)
		return;
	kl_warn(kl, "domain %s is dead but %llu of its pages are still held%s%s", name,
		(unsigned long long)report->pages_held, report->holder[0] ? ": " : "",
		report->holder);
	kl_warn(kl, "  hint: it goes when they are let go; list shows its name until then");
}

int cmd_destroy(struct kl *kl, int argc, char **argv)
{
	struct light_destroy report = { 0 };
	struct tools_error e = { 0 };
	bool force = false;
	domid_t domid;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "f", NULL, 1)) >= 0)
		if (opt == 'f')
			force = true;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	if (!domid)
		return kl_error(kl, "not-allowed", "Not destroying domain 0%s",
				force ? ": it is this domain" : "");
	kl_progress(kl, "destroying %s", argv[optind]);
	if (light_destroy(kl->light, domid, &report, &e)) {
		kl_progress(kl, NULL);
		return kl_fail(kl, &e);
	}
	kl_progress(kl, NULL);
	tell_zombie(kl, argv[optind], &report);
	return KL_OK;
}
