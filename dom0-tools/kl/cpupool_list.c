/* SPDX-License-Identifier: MIT */
/*
 * kl cpupool-list: the CPU pools in xl's columns, or the CPUs of each.
 */
#include <string.h>
#include <tools/json.h>
#include "cpupools.h"

static bool has_cpu(const struct kl_pool *p, unsigned int cpu)
{
	return p->cpus[cpu / 8] & 1 << cpu % 8;
}

static unsigned int count_cpus(const struct kl_pool *p)
{
	unsigned int cpu, n = 0;

	for (cpu = 0; cpu < KL_CPU_BYTES * 8; cpu++)
		n += has_cpu(p, cpu);
	return n;
}

static void print_cpus(const struct kl_pool *p)
{
	const char *comma = "";
	unsigned int cpu;

	for (cpu = 0; cpu < KL_CPU_BYTES * 8; cpu++) {
		if (has_cpu(p, cpu)) {
			printf("%s%u", comma, cpu);
			comma = ",";
		}
	}
}

static void json_pool(struct json_writer *w, const struct kl_pool *p)
{
	unsigned int cpu;

	json_open_object(w, NULL);
	json_string(w, "name", p->name);
	json_uint(w, "poolid", p->id);
	json_string(w, "scheduler", kl_scheduler_name(p->sched));
	json_uint(w, "domains", p->domains);
	json_open_array(w, "cpus");
	for (cpu = 0; cpu < KL_CPU_BYTES * 8; cpu++)
		if (has_cpu(p, cpu))
			json_uint(w, NULL, cpu);
	json_close_array(w);
	json_close_object(w);
}

static void print_pool(const struct kl_pool *p, bool cpus)
{
	printf("%-19s", p->name ? p->name : "(null)");
	if (cpus)
		print_cpus(p);
	else
		printf("%3d %9s       y       %4d", count_cpus(p), kl_scheduler_name(p->sched),
		       p->domains);
	putchar('\n');
}

static int print_pools(struct kl *kl, const struct kl_pools *pools, const char *only, bool cpus)
{
	struct json_writer w = { 0 };
	unsigned int i;

	if (kl->json)
		json_open_array(&w, NULL);
	else
		printf("%-19s%s\n", "Name",
		       cpus ? "CPU list" : "CPUs   Sched     Active   Domain count");
	for (i = 0; i < pools->count; i++) {
		const struct kl_pool *p = &pools->list[i];

		if (only && (!p->name || strcmp(p->name, only)))
			continue;
		if (kl->json)
			json_pool(&w, p);
		else
			print_pool(p, cpus);
	}
	if (!kl->json)
		return KL_OK;
	json_close_array(&w);
	return kl_print_json(kl, &w);
}

int cmd_cpupool_list(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "cpus", 0, NULL, 'c' }, { 0 } };
	struct kl_pools pools;
	bool cpus = false;
	const char *only;
	unsigned int i;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "c", longs, 0)) >= 0)
		cpus = true;
	if (opt == KL_STOP)
		return kl->status;
	only = optind < argc ? argv[optind] : NULL;
	if (kl_pools_read(kl, &pools))
		return KL_FAILED;
	for (i = 0; only && i < pools.count; i++)
		if (pools.list[i].name && !strcmp(pools.list[i].name, only))
			break;
	if (only && i == pools.count)
		status = kl_error(kl, "no-such-cpupool", "Pool '%s' does not exist", only);
	else
		status = print_pools(kl, &pools, only, cpus);
	kl_pools_free(&pools);
	return status;
}
