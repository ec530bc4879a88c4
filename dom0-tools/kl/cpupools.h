/* SPDX-License-Identifier: MIT */
/*
 * CPU pools as the hypervisor has them, with the names that the store keeps for them.
 */
#ifndef KL_CPUPOOLS_H
#define KL_CPUPOOLS_H

#include "kl.h"

#define KL_CPU_BYTES 128	/* CPU maps: 1024 CPUs */

struct kl_pool {
	uint32_t id;
	uint32_t sched;
	uint32_t domains;
	uint8_t cpus[KL_CPU_BYTES];
	char *name;		/* NULL: it has none */
};

struct kl_pools {
	unsigned int count;
	struct kl_pool *list;
};

/* All pools. KL_OK, or KL_FAILED and the user was told. */
int kl_pools_read(struct kl *kl, struct kl_pools *pools);
void kl_pools_free(struct kl_pools *pools);
/* Never NULL. */
const char *kl_pool_name(const struct kl_pools *pools, uint32_t id);
/* A pool by number or name; NULL: the user was told. */
const struct kl_pool *kl_pool_find(struct kl *kl, const struct kl_pools *pools, const char *name);
/* XEN_SCHEDULER_* as text: "credit2". */
const char *kl_scheduler_name(uint32_t id);
/* The other way; 0: no such scheduler. */
uint32_t kl_scheduler_id(const char *name);

#endif
