/* SPDX-License-Identifier: MIT */
/*
 * kl cpupool-create: a CPU pool from a small configuration (name, sched, cpus or nodes), given as a
 * file, as words key=value, or both. kl cpupool-numa-split: one pool per NUMA node.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/light_config.h>
#include <tools/json.h>
#include "cpupool_ops.h"

#define CONFIG_LIMIT 65536

struct pool_config {
	const char *source;
	char *name, *sched, *cpus, *nodes;	/* values as written; lists without brackets */
};

int kl_pool_create(struct kl *kl, const char *name, uint32_t sched, const uint8_t *cpus,
		   uint32_t *id)
{
	struct xen_sysctl_cpupool_op op = {
		.op = XEN_SYSCTL_CPUPOOL_OP_CREATE, .sched_id = sched,
		.cpupool_id = XEN_SYSCTL_CPUPOOL_PAR_ANY
	};
	struct kl_pool made = { 0 };
	uint8_t uuid[16];
	char text[37], path[64];
	unsigned int cpu;
	int err = ctl_cpupool(kl->ctl, &op, NULL, 0);

	if (err)
		return err;
	*id = made.id = op.cpupool_id;
	for (cpu = 0; cpu < KL_CPU_BYTES * 8 && !err; cpu++) {
		if (!(cpus[cpu / 8] & 1 << cpu % 8))
			continue;
		err = kl_pool_cpu(kl, made.id, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, cpu);
		if (!err)
			made.cpus[cpu / 8] |= 1 << cpu % 8;
	}
	if (!err)
		err = light_uuid_generate(uuid);
	if (!err) {
		light_uuid_format(uuid, text);
		snprintf(path, sizeof(path), "/local/pool/%u/uuid", made.id);
		err = store_write(kl->store, 0, path, text, strlen(text));
	}
	if (!err)
		err = kl_pool_name_write(kl, made.id, name);
	if (err)
		kl_pool_destroy(kl, &made);
	return err;
}

static char **slot(struct pool_config *c, const char *key, size_t length)
{
	const struct { const char *key; char **value; } keys[] = {
		{ "name", &c->name }, { "sched", &c->sched }, { "cpus", &c->cpus },
		{ "nodes", &c->nodes },
	};
	unsigned int i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].key) == length && !strncmp(keys[i].key, key, length))
			return keys[i].value;
	return NULL;
}

/* One "key = value": quotes and brackets go, what stands in a list is joined by commas. */
static int set_key(struct kl *kl, struct pool_config *c, const char *at, unsigned int line)
{
	const char *equals = strchr(at, '=');
	const char *end = equals;
	char *to, **value;

	while (isspace((unsigned char)*at))
		at++;
	if (!*at || *at == '#')
		return KL_OK;
	if (!equals)
		return kl_error(kl, "bad-config", "%s:%u: \"%s\" is not KEY = VALUE", c->source,
				line, at);
	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	value = slot(c, at, end - at);
	if (!value) {
		kl_warn(kl, "%s:%u: unknown key %.*s (known: name, sched, cpus, nodes)", c->source,
			line, (int)(end - at), at);
		return KL_OK;
	}
	free(*value);
	*value = to = strdup(equals + 1);
	if (!to)
		return kl_check(kl, -ENOMEM, "%s", c->source);
	for (at = equals + 1; *at && *at != '#'; at++)
		if (!strchr("\"'[] \t\r;", *at))
			*to++ = *at;
	*to = '\0';
	return KL_OK;
}

/* A list may go over several lines: they are read as one. @text is changed. */
static int read_text(struct kl *kl, struct pool_config *c, char *text)
{
	unsigned int line = 1, open = 0;
	char *start = text, *p;

	for (p = text; *p; p++) {
		open += *p == '[';
		open -= *p == ']' && open;
		if (*p == '\n' && open) {
			*p = ' ';
		} else if (*p == '\n' || *p == ';') {
			bool newline = *p == '\n';

			*p = '\0';
			if (set_key(kl, c, start, line))
				return KL_FAILED;
			line += newline;
			start = p + 1;
		}
	}
	return set_key(kl, c, start, line);
}

static int read_file(struct kl *kl, struct pool_config *c, const char *path)
{
	char *text;
	int status, err = tools_read_file(path, CONFIG_LIMIT, &text, NULL);

	if (err)
		return kl_error(kl, kl_errno_code(err), "Failed to read config file: %s: %s", path,
				strerror(-err));
	status = read_text(kl, c, text);
	free(text);
	return status;
}

/* The free CPUs of the nodes that @config names, "0,1", into @cpus. */
static int add_nodes(struct kl *kl, const struct pool_config *config, const struct kl_host *host,
		     const uint8_t *free_cpus, uint8_t *cpus)
{
	char *list = strdup(config->nodes), *word, *place, *rest;
	unsigned int cpu;
	unsigned long node;

	if (!list)
		return kl_check(kl, -ENOMEM, "%s", config->source);
	for (word = strtok_r(list, ",", &place); word; word = strtok_r(NULL, ",", &place)) {
		node = strtoul(word, &rest, 10);
		if (!isdigit((unsigned char)*word) || *rest) {
			kl_error(kl, "bad-config", "%s: \"%s\" is not the number of a node",
				 config->source, word);
			free(list);
			return KL_FAILED;
		}
		for (cpu = 0; cpu < host->cpus; cpu++)
			if (host->node_of[cpu] == node)
				cpus[cpu / 8] |= free_cpus[cpu / 8] & 1 << cpu % 8;
	}
	free(list);
	return KL_OK;
}

/* The CPUs that @config asks for, all of them free; the count, or -1: the user was told. */
static int choose_cpus(struct kl *kl, const struct pool_config *config, uint8_t *cpus)
{
	struct xen_sysctl_cpupool_op op = { .op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO };
	uint8_t free_cpus[KL_CPU_BYTES] = { 0 };
	struct kl_host host;
	int cpu, count = 0, err;

	memset(cpus, 0, KL_CPU_BYTES);
	if (!config->cpus && !config->nodes)
		return 0;
	if (kl_host_read(kl, &host))
		return -1;
	err = ctl_cpupool(kl->ctl, &op, free_cpus, sizeof(free_cpus));
	if (err) {
		kl_check(kl, err, "cannot ask for free CPUs");
		return -1;
	}
	if (!config->nodes && kl_cpus_parse(kl, &host, config->cpus, cpus))
		return -1;
	if (config->nodes && add_nodes(kl, config, &host, free_cpus, cpus))
		return -1;
	for (cpu = 0; cpu < KL_CPU_BYTES * 8; cpu++) {
		if (!(cpus[cpu / 8] & 1 << cpu % 8))
			continue;
		count++;
		if (!(free_cpus[cpu / 8] & 1 << cpu % 8)) {
			kl_error(kl, "busy", "cpu %d illegal or not free", cpu);
			return -1;
		}
	}
	if (config->nodes && !count) {
		kl_error(kl, "busy", "no free cpu found");
		return -1;
	}
	return count;
}

/* Checks everything, says what will be, then does it. */
static int create(struct kl *kl, struct pool_config *c)
{
	uint8_t cpus[KL_CPU_BYTES];
	struct kl_pools pools;
	uint32_t sched, id;
	unsigned int i;
	bool taken = false;
	int count, err;

	if (!c->name || !*c->name)
		return kl_error(kl, "bad-config", "Missing cpupool name!");
	if (kl_pools_read(kl, &pools))
		return KL_FAILED;
	for (i = 0; i < pools.count; i++)
		taken |= pools.list[i].name && !strcmp(pools.list[i].name, c->name);
	kl_pools_free(&pools);
	if (taken)
		return kl_error(kl, "name-taken", "Pool name \"%s\" already exists", c->name);
	if (c->sched) {
		sched = kl_scheduler_id(c->sched);
		if (!sched)
			return kl_error(kl, "bad-config", "Unknown scheduler \"%s\"", c->sched);
	} else {
		err = ctl_sched_id(kl->ctl, &sched);
		if (err)
			return kl_check(kl, err, "cannot ask for the scheduler");
	}
	count = choose_cpus(kl, c, cpus);
	if (count < 0)
		return KL_FAILED;
	if (kl->json) {
		struct json_writer w = { 0 };

		json_open_object(&w, NULL);
		json_string(&w, "source", c->source);
		json_string(&w, "name", c->name);
		json_string(&w, "scheduler", kl_scheduler_name(sched));
		json_int(&w, "cpus", count);
		json_close_object(&w);
		if (kl_print_json(kl, &w))
			return KL_FAILED;
	} else {
		printf("Using config file \"%s\"\ncpupool name:   %s\nscheduler:      %s\n"
		       "number of cpus: %d\n", c->source, c->name, kl_scheduler_name(sched), count);
	}
	if (kl->dry_run)
		return KL_OK;
	return kl_check(kl, kl_pool_create(kl, c->name, sched, cpus, &id),
			"error on creating cpupool %s", c->name);
}

int cmd_cpupool_create(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "defconfig", 1, NULL, 'f' }, { "dryrun", 0, NULL, 'n' }, { 0 }
	};
	struct pool_config c = { .source = "command line" };
	const char *file = NULL;
	int opt, i, status = KL_OK;

	while ((opt = kl_getopt(kl, argc, argv, "nf:", longs, 0)) >= 0) {
		if (opt == 'f')
			file = optarg;
		else
			kl->dry_run = true;
	}
	if (opt == KL_STOP)
		return kl->status;
	for (i = optind; i < argc; i++) {
		if (strchr(argv[i], '='))
			continue;
		if (file)
			return kl_misuse(kl, KL_FAILED, "'%s %s' takes one file.", kl->program,
					 kl->command->name);
		file = argv[i];
	}
	if (file) {
		c.source = file;
		c.name = strdup(strrchr(file, '/') ? strrchr(file, '/') + 1 : file);
		status = read_file(kl, &c, file);
	}
	for (i = optind; i < argc && !status; i++)
		if (strchr(argv[i], '='))
			status = set_key(kl, &c, argv[i], 0);
	if (!status)
		status = create(kl, &c);
	free(c.name);
	free(c.sched);
	free(c.cpus);
	free(c.nodes);
	return status;
}
