/* SPDX-License-Identifier: MIT */
/*
 * Reading CPU pools: one hypercall per pool (there are few), their names in one batch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cpupools.h"
#include "snapshot.h"

static const struct { uint32_t id; const char *name; } schedulers[] = {
	{ XEN_SCHEDULER_CREDIT, "credit" },
	{ XEN_SCHEDULER_CREDIT2, "credit2" }, { XEN_SCHEDULER_ARINC653, "arinc653" },
	{ XEN_SCHEDULER_RTDS, "rtds" }, { XEN_SCHEDULER_NULL, "null" },
};

const char *kl_scheduler_name(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++)
		if (schedulers[i].id == id)
			return schedulers[i].name;
	return "unknown";
}

uint32_t kl_scheduler_id(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++)
		if (!strcmp(schedulers[i].name, name))
			return schedulers[i].id;
	return 0;
}

static int add_pool(struct kl_pools *pools, const struct xen_sysctl_cpupool_op *op,
		    const uint8_t *cpus)
{
	struct kl_pool *more = realloc(pools->list, (pools->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	pools->list = more;
	more += pools->count++;
	memset(more, 0, sizeof(*more));
	more->id = op->cpupool_id;
	more->sched = op->sched_id;
	more->domains = op->n_dom;
	memcpy(more->cpus, cpus, sizeof(more->cpus));
	return 0;
}

static int read_names(struct kl *kl, struct kl_pools *pools)
{
	char **paths = calloc(pools->count + 1, sizeof(*paths));
	char **values = calloc(pools->count + 1, sizeof(*values));
	unsigned int i;
	int err = -ENOMEM;

	for (i = 0; paths && i < pools->count; i++)
		paths[i] = tools_asprintf("/local/pool/%u/name", pools->list[i].id);
	if (paths && values)
		err = kl_read_many(kl, pools->count, paths, values);
	for (i = 0; paths && i < pools->count; i++) {
		pools->list[i].name = values ? values[i] : NULL;
		free(paths[i]);
	}
	free(paths);
	free(values);
	return err;
}

int kl_pools_read(struct kl *kl, struct kl_pools *pools)
{
	struct xen_sysctl_cpupool_op op;
	uint8_t cpus[KL_CPU_BYTES];
	uint32_t next = 0;
	int err;

	memset(pools, 0, sizeof(*pools));
	if (!kl_ctl(kl) || !kl_store(kl))
		return KL_FAILED;
	for (;;) {
		memset(&op, 0, sizeof(op));
		memset(cpus, 0, sizeof(cpus));
		op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
		op.cpupool_id = next;
		err = ctl_cpupool(kl->ctl, &op, cpus, sizeof(cpus));
		if (err)
			break;
		err = add_pool(pools, &op, cpus);
		if (err)
			break;
		next = op.cpupool_id + 1;
	}
	if (err == -ENOENT)
		err = pools->count ? read_names(kl, pools) : 0;
	if (err) {
		kl_pools_free(pools);
		return kl_check(kl, err, "error getting cpupool info");
	}
	return KL_OK;
}

void kl_pools_free(struct kl_pools *pools)
{
	unsigned int i;

	for (i = 0; i < pools->count; i++)
		free(pools->list[i].name);
	free(pools->list);
	memset(pools, 0, sizeof(*pools));
}

const char *kl_pool_name(const struct kl_pools *pools, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < pools->count; i++)
		if (pools->list[i].id == id && pools->list[i].name)
			return pools->list[i].name;
	return "(null)";
}

const struct kl_pool *kl_pool_find(struct kl *kl, const struct kl_pools *pools, const char *name)
{
	char *rest;
	unsigned long id = strtoul(name, &rest, 10);
	bool number = *name && !*rest;
	unsigned int i;

	for (i = 0; i < pools->count; i++) {
		const struct kl_pool *p = &pools->list[i];

		if (number ? p->id == id : p->name && !strcmp(p->name, name))
			return p;
	}
	kl_error(kl, "no-such-cpupool", "unknown cpupool '%s'", name);
	return NULL;
}
