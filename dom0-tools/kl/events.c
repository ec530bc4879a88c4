/* SPDX-License-Identifier: MIT */
/*
 * Verbs that send something: trigger and sysrq to a domain, debug-keys to the hypervisor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kl.h"

static const struct { const char *name; uint32_t trigger; } triggers[] = {
	{ "nmi", XEN_DOMCTL_SENDTRIGGER_NMI }, { "reset", XEN_DOMCTL_SENDTRIGGER_RESET },
	{ "init", XEN_DOMCTL_SENDTRIGGER_INIT }, { "power", XEN_DOMCTL_SENDTRIGGER_POWER },
	{ "sleep", XEN_DOMCTL_SENDTRIGGER_SLEEP },
};

/* Waking from S3 is a parameter of an HVM domain, which we do not have. */
static int find_trigger(struct kl *kl, const char *name, uint32_t *trigger)
{
	unsigned int i;

	for (i = 0; i < sizeof(triggers) / sizeof(triggers[0]); i++) {
		if (!strcasecmp(triggers[i].name, name)) {
			*trigger = triggers[i].trigger;
			return KL_OK;
		}
	}
	if (!strcasecmp(name, "s3resume"))
		return kl_error(kl, "unsupported", "s3resume is for guests with a device model");
	return kl_error(kl, "bad-argument", "Invalid trigger \"%s\"", name);
}

int cmd_trigger(struct kl *kl, int argc, char **argv)
{
	unsigned long vcpu = 0;
	uint32_t trigger = 0;
	domid_t domid;
	char *rest;

	if (!kl_arguments(kl, argc, argv, 2))
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_ctl(kl) ||
	    find_trigger(kl, argv[optind + 1], &trigger))
		return KL_FAILED;
	if (argc > optind + 2) {
		vcpu = strtoul(argv[optind + 2], &rest, 10);
		if (rest == argv[optind + 2])
			kl_warn(kl, "Invalid vcpuid, using default vcpuid=0.\n");
		if (vcpu > INT32_MAX)
			return kl_error(kl, "bad-argument", "no domain has a vcpu %s",
					argv[optind + 2]);
	}
	return kl_check(kl, ctl_sendtrigger(kl->ctl, domid, trigger, vcpu),
			"cannot send %s to domain %s", argv[optind + 1], argv[optind]);
}

int cmd_sysrq(struct kl *kl, int argc, char **argv)
{
	struct xen_domctl_getdomaininfo info;
	domid_t domid;
	char path[64];
	int err;

	if (!kl_arguments(kl, argc, argv, 2))
		return kl->status;
	if (strlen(argv[optind + 1]) != 1)
		return kl_misuse(kl, KL_FAILED, "Invalid sysrq.");
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_ctl(kl) || !kl_store(kl))
		return KL_FAILED;
	/* Writing would make nodes for a domain that is not there. */
	err = ctl_getdomaininfo(kl->ctl, domid, &info);
	snprintf(path, sizeof(path), "/local/domain/%u/control/sysrq", domid);
	if (!err)
		err = store_write(kl->store, 0, path, argv[optind + 1], 1);
	return kl_check(kl, err, "cannot send a sysrq to domain %s", argv[optind]);
}

int cmd_debug_keys(struct kl *kl, int argc, char **argv)
{

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	if (!kl_ctl(kl))
		return KL_FAILED;
	return kl_check(kl, ctl_debug_keys(kl->ctl, argv[optind]), "cannot send debug keys: %s",
			argv[optind]);
}
