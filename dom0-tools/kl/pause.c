/* SPDX-License-Identifier: MIT */
/*
 * kl pause, kl unpause: the hypervisor stops or runs a domain's vcpus; the domain does not notice.
 */
#include "kl.h"

/* Both verbs: look up, then one operation. */
static int on_domain(struct kl *kl, int argc, char **argv, const char *what,
		     int (*operation)(struct ctl *ctl, domid_t domid))
{
	domid_t domid;

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_ctl(kl))
		return KL_FAILED;
	return kl_check(kl, operation(kl->ctl, domid), "cannot %s domain %s", what, argv[optind]);
}

int cmd_pause(struct kl *kl, int argc, char **argv)
{
	return on_domain(kl, argc, argv, "pause", ctl_pausedomain);
}

int cmd_unpause(struct kl *kl, int argc, char **argv)
{
	return on_domain(kl, argc, argv, "unpause", ctl_unpausedomain);
}
