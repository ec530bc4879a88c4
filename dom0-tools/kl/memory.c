/* SPDX-License-Identifier: MIT */
/*
 * kl mem-set, mem-max: the balloon target and the most a domain may have. Sizes are MiB without a
 * suffix, as with xl.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <tools/light.h>
#include "kl.h"

#define LOCK_MS 10000

static int arguments(struct kl *kl, int argc, char **argv, domid_t *domid, uint64_t *kib)
{
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, 2)) >= 0)
		;
	if (opt == KL_STOP)
		return opt;
	kl->status = KL_FAILED;
	if (kl_find_domain(kl, argv[optind], domid))
		return KL_STOP;
	if (light_size_parse(argv[optind + 1], kib)) {
		kl_error(kl, "bad-argument", "invalid memory size: %s", argv[optind + 1]);
		return KL_STOP;
	}
	return kl_light(kl) ? 0 : KL_STOP;
}

int cmd_mem_set(struct kl *kl, int argc, char **argv)
{
	struct tools_error e = { 0 };
	domid_t domid;
	uint64_t kib;

	if (arguments(kl, argc, argv, &domid, &kib))
		return kl->status;
	if (!light_set_memory_target(kl->light, domid, kib, true, &e))
		return KL_OK;
	kl_warn(kl, "cannot set domid %u dynamic max memory to : %s", domid, argv[optind + 1]);
	return kl_fail(kl, &e);
}

/* Under the domain's lock: the limit in the hypervisor, then in the store. */
static int set_max(struct kl *kl, domid_t domid, uint64_t kib)
{
	struct tools_error e = { 0 };
	struct light_config config;
	unsigned long target;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", domid);
	err = store_read_ulong(kl->store, 0, path, &target);
	if (err)
		return kl_check(kl, err, "cannot read %s", path);
	if (kib < target)
		return kl_error(kl, "bad-argument",
				"the maximum (%" PRIu64 " KiB) must not be below "
				"the target (%lu KiB); lower that first with mem-set",
				kib, target);
	err = ctl_max_mem(kl->ctl, domid, kib + LIGHT_MAXMEM_SLACK_KIB);
	if (err)
		return kl_check(kl, err, "the hypervisor refuses %" PRIu64 " KiB", kib);
	snprintf(path, sizeof(path), "/local/domain/%u/memory/static-max", domid);
	err = store_printf(kl->store, 0, path, "%" PRIu64, kib);
	if (err)
		return kl_check(kl, err, "cannot write %s", path);
	/* Domain 0 was not made from a configuration: nothing to keep there. */
	light_config_init(&config);
	err = light_domain_config(kl->light, domid, &config, &e);
	if (!err) {
		config.max_memkb = kib;
		err = light_domain_config_save(kl->light, domid, &config);
	}
	light_config_free(&config);
	return err == -ENOENT ? KL_OK : kl_check(kl, err, "cannot keep the new maximum");
}

int cmd_mem_max(struct kl *kl, int argc, char **argv)
{
	domid_t domid;
	uint64_t kib;
	int lock, status;

	if (arguments(kl, argc, argv, &domid, &kib))
		return kl->status;
	lock = light_lock_domain(kl->light, domid, LOCK_MS);
	status = lock < 0 ? kl_check(kl, lock, "cannot lock domain %s", argv[optind]) :
		 set_max(kl, domid, kib);
	if (lock >= 0)
		light_unlock_domain(kl->light, domid, lock);
	if (status)
		kl_warn(kl, "cannot set domid %u static max memory to : %s", domid,
			argv[optind + 1]);
	return status;
}
