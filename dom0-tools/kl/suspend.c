/* SPDX-License-Identifier: MIT */
/*
 * kl suspend: the guest is asked to stand still and stays in memory, until kl resume. A verb of
 * later xls.
 */
#include <errno.h>
#include <tools/light.h>
#include "moving.h"

int cmd_suspend(struct kl *kl, int argc, char **argv)
{
	static const struct move_suspend usual;
	struct tools_error e = { 0 };
	struct move_lock lock;
	domid_t domid;
	int err;

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	if (!domid)
		return kl_error(kl, "not-allowed", "domain 0 cannot be suspended");
	if (move_lock_take(kl->light, domid, &lock, &e))
		return kl_fail(kl, &e);
	kl_catch_interrupts(kl);
	kl_progress(kl, "waiting for %s to suspend", argv[optind]);
	err = move_suspend(kl->light, domid, &usual, &e);
	kl_progress(kl, NULL);
	if (err == -ECANCELED && move_is_suspended(kl->ctl, domid)) {
		kl->light->cancel_fd = -1;
		move_resume(kl->light, domid, &e);
	}
	move_lock_drop(&lock);
	return err ? kl_fail(kl, &e) : KL_OK;
}
