/* SPDX-License-Identifier: MIT */
/*
 * CPU lists as users write them ("0-3,^2,node:1,all"), against this host.
 */
#ifndef KL_CPUS_H
#define KL_CPUS_H

#include "cpupools.h"

struct kl_host {
	unsigned int cpus;			/* max id + 1 */
	unsigned int nodes;
	uint32_t node_of[8 * KL_CPU_BYTES];	/* per CPU; XEN_INVALID_NODE_ID: none */
};

/* KL_OK, or KL_FAILED and the user was told. */
int kl_host_read(struct kl *kl, struct kl_host *host);
/* @text into @map (KL_CPU_BYTES bytes). KL_OK, or KL_FAILED and the user was told. */
int kl_cpus_parse(struct kl *kl, const struct kl_host *host, const char *text, uint8_t *map);

#endif
