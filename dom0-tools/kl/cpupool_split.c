/* SPDX-License-Identifier: MIT */
/*
 * kl cpupool-numa-split: one CPU pool per NUMA node. Pool 0 keeps the node of CPU 0; domain 0 gives
 * up vcpus first if that node has fewer CPUs.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include "cpupool_ops.h"

#define OFFLINE_MS 10000

/* Asks domain 0 to keep @count vcpus, and waits until it has. */
static int shrink_dom0(struct kl *kl, unsigned int count)
{
	struct xen_domctl_getdomaininfo info;
	uint64_t deadline = tools_now_ms() + OFFLINE_MS;
	char path[64];
	unsigned int v;
	int err = ctl_getdomaininfo(kl->ctl, 0, &info);

	for (v = count; !err && v <= info.max_vcpu_id; v++) {
		snprintf(path, sizeof(path), "/local/domain/0/cpu/%u/availability", v);
		err = store_write(kl->store, 0, path, "offline", 7);
	}
	while (!err && info.nr_online_vcpus > count) {
		if (tools_now_ms() > deadline)
			err = -ETIMEDOUT;
		else if (kl_interrupted())
			err = -EINTR;
		kl_progress(kl, "domain 0 has %u vcpus, waiting for %u", info.nr_online_vcpus,
			    count);
		/* The hypervisor sends nothing when a vcpu goes down. */
		poll(NULL, 0, 100);
		if (!err)
			err = ctl_getdomaininfo(kl->ctl, 0, &info);
	}
	kl_progress(kl, NULL);
	return err;
}

/* A pool of the CPUs of @node, which pool 0 gives up. */
static int split_node(struct kl *kl, const struct kl_host *host, uint32_t node, uint32_t sched)
{
	uint8_t cpus[KL_CPU_BYTES] = { 0 };
	char name[32];
	uint32_t id;
	unsigned int c;
	int err = 0;

	for (c = 0; c < host->cpus && !err; c++) {
		if (host->node_of[c] != node)
			continue;
		err = kl_pool_cpu(kl, 0, XEN_SYSCTL_CPUPOOL_OP_RMCPU, c);
		if (!err)
			cpus[c / 8] |= 1 << c % 8;
	}
	snprintf(name, sizeof(name), "Pool-node%u", node);
	if (!err)
		err = kl_pool_create(kl, name, sched, cpus, &id);
	/* What was taken and not given to a new pool goes back. */
	for (c = 0; err && c < host->cpus; c++)
		if (cpus[c / 8] & 1 << c % 8)
			kl_pool_cpu(kl, 0, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, c);
	return kl_check(kl, err, "cannot make %s", name);
}

static int split(struct kl *kl, uint32_t sched)
{
	struct kl_host host;
	unsigned int c, d, own = 0;
	char name[32];
	int err;

	if (kl_host_read(kl, &host))
		return KL_FAILED;
	for (c = 0; c < host.cpus; c++)
		own += host.node_of[c] == host.node_of[0];
	err = shrink_dom0(kl, own);
	if (err)
		return kl_check(kl, err, "domain 0 does not give up vcpus");
	snprintf(name, sizeof(name), "Pool-node%u", host.node_of[0]);
	err = kl_pool_name_write(kl, 0, name);
	if (err)
		return kl_check(kl, err, "error on renaming Pool 0");
	for (c = 1; c < host.cpus; c++) {
		if (host.node_of[c] == XEN_INVALID_NODE_ID)
			continue;
		for (d = 0; d < c && host.node_of[d] != host.node_of[c]; d++)
			;
		if (d == c && split_node(kl, &host, host.node_of[c], sched))
			return KL_FAILED;
	}
	return KL_OK;
}

int cmd_cpupool_numa_split(struct kl *kl, int argc, char **argv)
{
	struct kl_pools pools;
	uint32_t sched;
	unsigned int count;

	if (!kl_arguments(kl, argc, argv, 0))
		return kl->status;
	if (kl_pools_read(kl, &pools))
		return KL_FAILED;
	count = pools.count;
	sched = count ? pools.list[0].sched : 0;
	kl_pools_free(&pools);
	if (count > 1)
		return kl_error(kl, "busy", "splitting not possible, already cpupools in use");
	kl_catch_interrupts(kl);
	return split(kl, sched);
}
