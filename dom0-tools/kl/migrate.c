/* SPDX-License-Identifier: MIT */
/*
 * kl migrate, kl migrate-receive: under way.
 */
#include "kl.h"

int cmd_migrate(struct kl *kl, int argc __attribute__((unused)), char **argv)
{
	return kl_error(kl, "unsupported", "%s is not built yet", argv[0]);
}

int cmd_migrate_receive(struct kl *kl, int argc __attribute__((unused)), char **argv)
{
	return kl_error(kl, "unsupported", "%s is not built yet", argv[0]);
}
