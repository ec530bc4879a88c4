/* SPDX-License-Identifier: MIT */
/*
 * The host's CPUs and nodes for the verbs that take CPU lists; the syntax is libs/light's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/light_config.h>
#include "cpus.h"

int kl_host_read(struct kl *kl, struct kl_host *host)
{
	struct xen_sysctl_physinfo info;
	struct xen_sysctl_cputopo *topo;
	int i, count, err;

	memset(host, 0, sizeof(*host));
	if (!kl_ctl(kl))
		return KL_FAILED;
	err = ctl_physinfo(kl->ctl, &info);
	if (err)
		return kl_check(kl, err, "cannot ask for the host");
	host->nodes = info.nr_nodes;
	host->cpus = info.max_cpu_id + 1;
	if (host->cpus > 8 * KL_CPU_BYTES)
		host->cpus = 8 * KL_CPU_BYTES;
	topo = calloc(host->cpus, sizeof(*topo));
	count = topo ? ctl_cputopoinfo(kl->ctl, topo, host->cpus) : -ENOMEM;
	for (i = 0; i < (int)host->cpus; i++)
		host->node_of[i] = i < count ? topo[i].node : XEN_INVALID_NODE_ID;
	free(topo);
	return kl_check(kl, count, "cannot ask for the CPUs' topology");
}

int kl_cpus_parse(struct kl *kl, const struct kl_host *host, const char *text, uint8_t *map)
{
	struct light_host known = {
		.cpus = host->cpus, .nodes = host->nodes, .cpu_node = host->node_of
	};
	struct light_bitmap cpus = { 0 };
	struct tools_error e = { 0 };
	int err = light_cpus_parse(&cpus, text, &known, &e);

	memset(map, 0, KL_CPU_BYTES);
	if (!err && cpus.bytes)
		memcpy(map, cpus.bits, cpus.bytes < KL_CPU_BYTES ? cpus.bytes : KL_CPU_BYTES);
	light_bitmap_free(&cpus);
	return err ? kl_fail(kl, &e) : KL_OK;
}
