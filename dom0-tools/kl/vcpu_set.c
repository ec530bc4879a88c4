/* SPDX-License-Identifier: MIT */
/*
 * kl vcpu-set DOMAIN COUNT: how many vcpus a guest is asked to have online. The guest does it,
 * seeing its availability nodes change.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <tools/light.h>
#include "kl.h"

#define LOCK_MS 10000

static int write_in_transaction(struct kl *kl, struct store_request *requests, unsigned int count)
{
	unsigned int i;
	store_tx tx;
	int err = store_begin(kl->store, &tx);

	if (err)
		return err;
	err = store_pipeline(kl->store, tx, requests, count);
	for (i = 0; i < count; i++)
		free(requests[i].reply);
	if (!err)
		return store_commit(kl->store, tx);
	store_abort(kl->store, tx);
	return err;
}

/* All nodes change together, so that the guest never sees a mixture. */
static int write_nodes(struct kl *kl, domid_t domid, unsigned int vcpus, unsigned int online)
{
	struct store_request *requests = calloc(vcpus, sizeof(*requests));
	char (*paths)[64] = calloc(vcpus, sizeof(*paths));
	unsigned int i;
	int err = requests && paths ? 0 : -ENOMEM;

	for (i = 0; !err && i < vcpus; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/local/domain/%u/cpu/%u/availability", domid,
			 i);
		requests[i].type = XS_WRITE;
		requests[i].path = paths[i];
		requests[i].value = i < online ? "online" : "offline";
		requests[i].length = i < online ? 6 : 7;
	}
	while (!err) {
		err = write_in_transaction(kl, requests, vcpus);
		if (err != -EAGAIN)
			break;
		err = kl_interrupted() ? -EINTR : 0;
	}
	free(requests);
	free(paths);
	return err;
}

/* The number is remembered for the domain's next start. */
static int keep(struct kl *kl, domid_t domid, unsigned int online)
{
	struct light_config config;
	unsigned int i;
	int err;

	light_config_init(&config);
	err = light_domain_config(kl->light, domid, &config, NULL);
	for (i = 0; !err && (int)i < config.max_vcpus; i++)
		err = light_bitmap_set(&config.avail_vcpus, i, i < online);
	if (!err)
		err = light_domain_config_save(kl->light, domid, &config);
	light_config_free(&config);
	return err == -ENOENT ? 0 : err;
}

static int set_online(struct kl *kl, domid_t domid, unsigned long count, bool check_host)
{
	struct xen_domctl_getdomaininfo info;
	struct xen_sysctl_physinfo host;
	int err = ctl_getdomaininfo(kl->ctl, domid, &info);
	int lock;

	if (!err)
		err = ctl_physinfo(kl->ctl, &host);
	if (err)
		return kl_check(kl, err, "cannot look at domain %u", domid);
	if (check_host && count > info.nr_online_vcpus && count > host.max_cpu_id + 1)
		return kl_error(kl, "overcommit", "%lu vcpus are more than the host's %u CPUs; use "
				"--ignore-host if that is meant", count, host.max_cpu_id + 1);
	if (count == 0)
		return kl_error(kl, "bad-argument", "a domain needs a vcpu");
	if (count > info.max_vcpu_id + 1)
		return kl_error(kl, "bad-argument",
				"%lu vcpus asked for, but the domain was created "
				"with at most %u (maxvcpus)",
				count, info.max_vcpu_id + 1);
	lock = light_lock_domain(kl->light, domid, LOCK_MS);
	if (lock < 0)
		return kl_check(kl, lock, "cannot lock domain %u", domid);
	err = write_nodes(kl, domid, info.max_vcpu_id + 1, count);
	if (!err)
		err = keep(kl, domid, count);
	light_unlock_domain(kl->light, domid, lock);
	return kl_check(kl, err, "cannot set the vcpus of domain %u", domid);
}

int cmd_vcpu_set(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "ignore-host", 0, NULL, 'i' }, { 0 } };
	bool check_host = true;
	unsigned long count;
	domid_t domid;
	char *rest;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "i", longs, 2)) >= 0)
		check_host = false;
	if (opt == KL_STOP)
		return kl->status;
	count = strtoul(argv[optind + 1], &rest, 10);
	if (rest == argv[optind + 1] || *rest || count > INT_MAX)
		return kl_error(kl, "bad-argument", "Error: Invalid argument.");
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	return set_online(kl, domid, count, check_host);
}
