/* SPDX-License-Identifier: MIT */
/*
 * kl gc: removes what interrupted creates and ended domains left: domains half made, nodes and
 * files of domains that are gone; a guest whose migration died is left in peace. Domains that stand
 * suspended it tells of only: whether a guest may go on is not to be seen from here, as a save may
 * be at work, or a copy of it run elsewhere.
 */
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include <tools/light.h>
#include <tools/move.h>
#include <xen/sched.h>
#include "kl.h"

#define AT_ONCE 64
#define AWAY	"--migratedaway" /* what a sender calls the domain once the target may start it */

static void tell(struct kl *kl, const struct xen_domctl_getdomaininfo *info, struct json_writer *w)
{
	char *name = kl_domain_name(kl, info->domain);
	size_t length = name ? strlen(name) : 0, tail = strlen(AWAY);
	bool away = length > tail && !strcmp(name + length - tail, AWAY);

	if (kl->json) {
		json_open_object(w, NULL);
		json_uint(w, "domid", info->domain);
		json_string(w, "name", name ? name : "");
		json_bool(w, "may_run_elsewhere", away);
		json_close_object(w);
	} else if (away) {
		printf("domain %u (%s) stands suspended: its migration did not end. Look at the target: if it "
		       "runs there, `kl destroy %u'; if not, `kl resume %u' and `kl rename %u %.*s'\n",
		       info->domain, name, info->domain, info->domain, info->domain,
		       (int)(length - tail), name);
	} else {
		printf("domain %u (%s) stands suspended: unless a save or migration of it is under way, "
		       "`kl resume %u' lets it go on\n",
		       info->domain, name ? name : "", info->domain);
	}
	free(name);
}

static int tell_suspended(struct kl *kl, struct json_writer *w)
{
	struct xen_domctl_getdomaininfo list[AT_ONCE];
	domid_t first = 1;
	int n;

	do {
		n = ctl_getdomaininfolist(kl->ctl, first, AT_ONCE, list);
		for (int i = 0; i < n; i++) {
			unsigned int reason = list[i].flags >> XEN_DOMINF_shutdownshift &
					      XEN_DOMINF_shutdownmask;

			first = list[i].domain + 1;
			if (list[i].flags & XEN_DOMINF_shutdown && reason == SHUTDOWN_suspend &&
			    !(list[i].flags & XEN_DOMINF_dying))
				tell(kl, &list[i], w);
		}
	} while (n == AT_ONCE);
	return n < 0 ? n : 0;
}

int cmd_gc(struct kl *kl, int argc, char **argv)
{
	struct tools_error e = { 0 };
	struct json_writer w = { 0 };
	int count, rc;

	if (!kl_arguments(kl, argc, argv, 0))
		return kl->status;
	kl_catch_interrupts(kl);
	if (!kl_light(kl))
		return KL_FAILED;
	count = light_gc(kl->light, &e);
	if (count < 0)
		return kl_fail(kl, &e);
	move_gc(kl->light);
	if (!kl->json) {
		if (count)
			printf("removed %d unfinished domain%s\n", count, count == 1 ? "" : "s");
		return kl_check(kl, tell_suspended(kl, NULL), "cannot list the domains");
	}
	json_open_object(&w, NULL);
	json_int(&w, "removed_domains", count);
	json_open_array(&w, "suspended");
	rc = tell_suspended(kl, &w);
	json_close_array(&w);
	json_close_object(&w);
	if (rc) {
		strbuf_free(&w.out);
		return kl_check(kl, rc, "cannot list the domains");
	}
	return kl_print_json(kl, &w);
}
