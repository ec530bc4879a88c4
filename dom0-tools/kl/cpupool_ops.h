/* SPDX-License-Identifier: MIT */
/*
 * Operations on CPU pools that several verbs share.
 */
#ifndef KL_CPUPOOL_OPS_H
#define KL_CPUPOOL_OPS_H

#include "cpus.h"

/* XEN_SYSCTL_CPUPOOL_OP_ADDCPU or _RMCPU of one CPU. */
int kl_pool_cpu(struct kl *kl, uint32_t pool, uint32_t what, unsigned int cpu);
int kl_pool_name_write(struct kl *kl, uint32_t pool, const char *name);
/* A new pool with @cpus and its nodes in the store; nothing of it stays on failure. *id out. */
int kl_pool_create(struct kl *kl, const char *name, uint32_t sched, const uint8_t *cpus,
		   uint32_t *id);
/* Its CPUs are free afterwards. -EBUSY: it has domains. */
int kl_pool_destroy(struct kl *kl, const struct kl_pool *pool);

#endif
