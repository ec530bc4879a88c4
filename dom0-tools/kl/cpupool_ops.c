/* SPDX-License-Identifier: MIT */
/*
 * Changing CPU pools: destroy, rename, CPUs in and out, domains between pools. Creating is in
 * cpupool_create.c.
 */
#include <errno.h>
#include <string.h>
#include "cpupool_ops.h"

int kl_pool_cpu(struct kl *kl, uint32_t pool, uint32_t what, unsigned int cpu)
{
	struct xen_sysctl_cpupool_op op = { .op = what, .cpupool_id = pool, .cpu = cpu };

	return ctl_cpupool(kl->ctl, &op, NULL, 0);
}

int kl_pool_name_write(struct kl *kl, uint32_t pool, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/pool/%u/name", pool);
	return store_write(kl->store, 0, path, name, strlen(name));
}

/* Options of a verb with @required arguments, and the pool named by the argument at @which. */
static int start(struct kl *kl, int argc, char **argv, int required, int which,
		 struct kl_pools *pools, const struct kl_pool **pool)
{
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, required)) >= 0)
		;
	if (opt == KL_STOP)
		return opt;
	kl->status = KL_FAILED;
	if (kl_pools_read(kl, pools))
		return KL_STOP;
	*pool = kl_pool_find(kl, pools, argv[optind + which]);
	if (*pool)
		return 0;
	kl_pools_free(pools);
	return KL_STOP;
}

int kl_pool_destroy(struct kl *kl, const struct kl_pool *pool)
{
	struct xen_sysctl_cpupool_op op = {
		.op = XEN_SYSCTL_CPUPOOL_OP_DESTROY, .cpupool_id = pool->id
	};
	char path[64];
	unsigned int cpu;
	int err = 0;

	if (pool->domains)
		return -EBUSY;
	for (cpu = 0; cpu < KL_CPU_BYTES * 8 && !err; cpu++)
		if (pool->cpus[cpu / 8] & 1 << cpu % 8)
			err = kl_pool_cpu(kl, pool->id, XEN_SYSCTL_CPUPOOL_OP_RMCPU, cpu);
	if (!err)
		err = ctl_cpupool(kl->ctl, &op, NULL, 0);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/local/pool/%u", pool->id);
	err = store_rm(kl->store, 0, path);
	return err == -ENOENT ? 0 : err;
}

int cmd_cpupool_destroy(struct kl *kl, int argc, char **argv)
{
	const struct kl_pool *pool;
	struct kl_pools pools;
	int err;

	if (start(kl, argc, argv, 1, 0, &pools, &pool))
		return kl->status;
	err = kl_pool_destroy(kl, pool);
	kl_pools_free(&pools);
	return kl_check(kl, err, "Can't destroy cpupool '%s'", argv[optind]);
}

int cmd_cpupool_rename(struct kl *kl, int argc, char **argv)
{
	const struct kl_pool *pool;
	struct kl_pools pools;
	int err;

	if (start(kl, argc, argv, 2, 0, &pools, &pool))
		return kl->status;
	err = kl_pool_name_write(kl, pool->id, argv[optind + 1]);
	kl_pools_free(&pools);
	return kl_check(kl, err, "Can't rename cpupool '%s'", argv[optind]);
}

/* Each CPU of the list by itself: the number that failed, or KL_STOP. */
static int each_cpu(struct kl *kl, int argc, char **argv, uint32_t what)
{
	const struct kl_pool *pool;
	uint8_t cpus[KL_CPU_BYTES];
	struct kl_pools pools;
	struct kl_host host;
	unsigned int cpu;
	int err, failed = 0;

	if (start(kl, argc, argv, 2, 0, &pools, &pool))
		return KL_STOP;
	kl->status = KL_FAILED;
	if (kl_host_read(kl, &host) || kl_cpus_parse(kl, &host, argv[optind + 1], cpus)) {
		kl_pools_free(&pools);
		return KL_STOP;
	}
	for (cpu = 0; cpu < KL_CPU_BYTES * 8; cpu++) {
		if (!(cpus[cpu / 8] & 1 << cpu % 8))
			continue;
		err = kl_pool_cpu(kl, pool->id, what, cpu);
		if (err) {
			kl_check(kl, err, "CPU %u", cpu);
			failed++;
		}
	}
	kl_pools_free(&pools);
	return failed;
}

int cmd_cpupool_cpu_add(struct kl *kl, int argc, char **argv)
{
	int failed = each_cpu(kl, argc, argv, XEN_SYSCTL_CPUPOOL_OP_ADDCPU);

	if (failed == KL_STOP)
		return kl->status;
	/* xl warns and succeeds; scripts know it so. */
	if (failed)
		kl_warn(kl, "some cpus may not have been added to %s", argv[optind]);
	return KL_OK;
}

int cmd_cpupool_cpu_remove(struct kl *kl, int argc, char **argv)
{
	int failed = each_cpu(kl, argc, argv, XEN_SYSCTL_CPUPOOL_OP_RMCPU);

	if (failed == KL_STOP)
		return kl->status;
	if (failed)
		kl_warn(kl, "Some cpus may not have or only partially been removed from '%s'. If a "
			"cpu can't be added to another cpupool, add it to '%s' again and retry.",
			argv[optind], argv[optind]);
	return KL_OK;
}

int cmd_cpupool_migrate(struct kl *kl, int argc, char **argv)
{
	struct xen_sysctl_cpupool_op op = { .op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN };
	const struct kl_pool *pool;
	struct kl_pools pools;
	domid_t domid;
	int status;

	if (start(kl, argc, argv, 2, 1, &pools, &pool))
		return kl->status;
	op.cpupool_id = pool->id;
	kl_pools_free(&pools);
	status = kl_find_domain(kl, argv[optind], &domid) ? KL_FAILED : KL_OK;
	op.domid = domid;
	if (status)
		return status;
	return kl_check(kl, ctl_cpupool(kl->ctl, &op, NULL, 0), "cannot move domain %s to %s",
			argv[optind], argv[optind + 1]);
}
