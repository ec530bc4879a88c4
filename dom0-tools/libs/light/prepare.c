/* SPDX-License-Identifier: MIT */
/*
 * Before a domain is made: what the user left open is filled in as 4.17's tools do, and whatever
 * can be found wrong is found now, when there is nothing to undo.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "create.h"

#define MEMORY_MOST_KIB (1ULL << 34) /* 16 TiB: no sum of sizes wraps */
#define MEMORY_DEFAULT_KIB     (32 * 1024)
#define EVENT_CHANNELS_DEFAULT 1023
#define DEVID_MAX	       0xffff

static int check_file(struct creation *c, const char *path, const char *what)
{
	int rc;

	if (!path || !access(path, R_OK))
		return 0;
	rc = -errno;
	return tools_fail(c->error, rc, "image", "%s %s: %s", what, path, strerror(-rc));
}

/* By number, or by the name in /local/pool/N/name. */
static int find_pool(struct creation *c)
{
	const char *name = c->run.pool_name;
	struct batch batch = { 0 };
	char **pools = NULL, *end;
	int count, i, rc = -ENOENT;
	unsigned long number;

	c->poolid = c->run.poolid;
	if (!name)
		return 0;
	number = strtoul(name, &end, 10);
	if ((*name && !*end && number <= INT32_MAX) || !strcmp(name, "Pool-0")) {
		c->poolid = (uint32_t)number;
		return 0;
	}
	count = store_list(c->light->store, 0, "/local/pool", &pools);
	for (i = 0; i < count; i++)
		batch_read(&batch, "/local/pool/%s/name", pools[i]);
	if (count > 0 && !batch_run(&batch, c->light->store, 0))
		for (i = 0; i < count && rc; i++)
			if (batch.list[i].reply && !strcmp(batch.list[i].reply, name)) {
				c->poolid = (uint32_t)atoi(pools[i]);
				rc = 0;
			}
	batch_free(&batch);
	free(pools);
	return rc ? tools_hint(
			    c->error,
			    tools_fail(c->error, -EINVAL, "bad-config", "no CPU pool `%s'", name),
			    "cpupool-list shows them") :
		    0;
}

static void fill_in(struct light_config *run)
{
	if (run->max_vcpus < 1)
		run->max_vcpus = 1;
	if (run->max_memkb == LIGHT_MEMKB_DEFAULT)
		run->max_memkb = run->target_memkb == LIGHT_MEMKB_DEFAULT ? MEMORY_DEFAULT_KIB :
									    run->target_memkb;
	if (run->target_memkb == LIGHT_MEMKB_DEFAULT)
		run->target_memkb = run->max_memkb;
	if (run->video_memkb == LIGHT_MEMKB_DEFAULT)
		run->video_memkb = 0;
	if (!run->event_channels)
		run->event_channels = EVENT_CHANNELS_DEFAULT;
}

/*
 * Interfaces: numbers for those without, addresses, scripts; the saved configuration learns them.
 */
static int prepare_nics(struct creation *c)
{
	struct light_config *saved = c->create->config;
	int next = 0, rc = 0;
	unsigned int i, j;

	for (i = 0; i < c->run.n_nics; i++)
		if (c->run.nics[i].devid >= next)
			next = c->run.nics[i].devid + 1;
	for (i = 0; i < c->run.n_nics && !rc; i++) {
		if (c->run.nics[i].devid < 0)
			c->run.nics[i].devid = next++;
		for (j = 0; j < i; j++)
			if (c->run.nics[j].devid == c->run.nics[i].devid)
				return tools_fail(c->error, -EINVAL, "bad-config",
						  "two interfaces have devid %d",
						  c->run.nics[i].devid);
		rc = nic_defaults(c->light, &c->run.nics[i], c->error);
		saved->nics[i].devid = c->run.nics[i].devid;
		saved->nics[i].type = c->run.nics[i].type;
		memcpy(saved->nics[i].mac, c->run.nics[i].mac, 6);
	}
	return rc;
}

static int prepare_disks(struct creation *c)
{
	unsigned int i, j;
	int number, rc = 0;

	for (i = 0; i < c->run.n_disks && !rc; i++) {
		rc = disk_defaults(c->light, &c->run.disks[i], c->error);
		if (rc)
			return rc;
		number = light_vdev_number(c->run.disks[i].vdev, NULL, NULL);
		for (j = 0; j < i; j++)
			if (light_vdev_number(c->run.disks[j].vdev, NULL, NULL) == number)
				rc = tools_fail(c->error, -EINVAL, "bad-config",
						"two disks are called %s", c->run.disks[i].vdev);
	}
	return rc;
}

/* The hypervisor's opinion on what is asked for. */
static int check_host(struct creation *c)
{
	struct xen_sysctl_physinfo info;
	int rc = ctl_physinfo(c->light->ctl, &info);

	if (rc)
		return tools_fail(c->error, rc, "hypervisor", "the hypervisor does not answer: %s",
				  strerror(-rc));
	if (!(info.capabilities & XEN_SYSCTL_PHYSCAP_pv))
		return tools_fail(c->error, -EOPNOTSUPP, "hypervisor",
				  "this hypervisor has no PV guests");
	c->grant_version = c->run.max_grant_version >= 0 ? (uint8_t)c->run.max_grant_version :
			   info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2 ? 2 :
			   info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v1 ? 1 :
									      0;
	return 0;
}

/* What our own parser bounds; a configuration that came as JSON has not seen it. */
static int check_numbers(struct creation *c)
{
	const struct light_config *run = &c->run;
	const struct {
		const char *what;
		int64_t value, high;
	} table[] = {
		{ "max_grant_frames", run->max_grant_frames, INT32_MAX },
		{ "max_maptrack_frames", run->max_maptrack_frames, INT32_MAX },
		{ "max_grant_version", run->max_grant_version, 2 },
	};
	unsigned int i;

	if (run->max_vcpus > LIGHT_MAX_VCPUS)
		return tools_fail(c->error, -EINVAL, "bad-config",
				  "%d vcpus: at most %d are offered", run->max_vcpus,
				  LIGHT_MAX_VCPUS);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].value != LIGHT_GRANT_DEFAULT &&
		    (table[i].value < 0 || table[i].value > table[i].high))
			return tools_fail(c->error, -EINVAL, "bad-config",
					  "%s is %lld: wanted a number from 0 to %lld",
					  table[i].what, (long long)table[i].value,
					  (long long)table[i].high);
	for (i = 0; i < run->n_nics; i++)
		if (run->nics[i].devid > DEVID_MAX)
			return tools_fail(c->error, -EINVAL, "bad-config",
					  "an interface has devid %d: at most %d is offered",
					  run->nics[i].devid, DEVID_MAX);
	return 0;
}

static int check_disks(struct creation *c)
{
	const struct light_disk *disk = c->run.disks;
	unsigned int i;

	for (i = 0; i < c->run.n_disks; i++, disk++) {
		if (!disk->vdev || light_vdev_number(disk->vdev, NULL, NULL) < 0)
			return tools_fail(c->error, -EINVAL, "bad-config",
					  "disk %u has vdev `%.40s': wanted xvda, hda, sda or d0p1",
					  i, disk->vdev ? disk->vdev : "");
		if (!disk->pdev_path && disk->format != LIGHT_FORMAT_EMPTY)
			return tools_fail(c->error, -EINVAL, "bad-config", "disk %s has no target",
					  disk->vdev);
	}
	return 0;
}

static int check_config(struct creation *c)
{
	const struct light_config *run = &c->run;
	int rc;

	if (run->type != LIGHT_TYPE_PV)
		return tools_fail(c->error, -EOPNOTSUPP, "bad-config", "only PV guests are built");
	if (!run->name || !*run->name)
		return tools_fail(c->error, -EINVAL, "bad-config", "the domain has no name");
	if (!light_name_valid(run->name))
		return tools_hint(c->error,
				  tools_fail(c->error, -EINVAL, "bad-config",
					     "`%.60s' is no name for a domain", run->name),
				  "1 to %d characters without slash", LIGHT_NAME_MAX);
	if (run->tsc_mode == 3)
		return tools_fail(c->error, -EINVAL, "bad-config",
				  "tsc_mode=native_paravirt is gone");
	if (run->max_memkb < run->target_memkb)
		return tools_fail(c->error, -EINVAL, "bad-config", "maxmem is less than memory");
	if (run->max_memkb > MEMORY_MOST_KIB)
		return tools_fail(c->error, -EINVAL, "bad-config",
				  "%llu KiB of memory: at most %llu are offered",
				  (unsigned long long)run->max_memkb,
				  (unsigned long long)MEMORY_MOST_KIB);
	if (run->video_memkb > run->target_memkb)
		return tools_fail(c->error, -EINVAL, "bad-config",
				  "more video memory than memory: %llu KiB",
				  (unsigned long long)run->video_memkb);
	rc = check_numbers(c);
	return rc ? rc : check_disks(c);
}

int creation_prepare(struct creation *c)
{
	struct light_config *saved = c->create->config;
	int rc;

	light_config_init(&c->run);
	if (!saved->uuid_set) {
		rc = light_uuid_generate(saved->uuid);
		if (rc)
			return tools_fail(c->error, rc, "hypervisor",
					  "no random numbers for a uuid");
		saved->uuid_set = true;
	}
	rc = light_config_copy(&c->run, saved);
	if (rc)
		return tools_fail(c->error, rc, "no-memory", "out of memory");
	fill_in(&c->run);
	saved->video_memkb = c->run.video_memkb;
	rc = check_config(c);
	rc = rc ? rc : check_host(c);
	rc = rc ? rc : find_pool(c);
	rc = rc ? rc : prepare_disks(c);
	rc = rc ? rc : prepare_nics(c);
	c->kernel = c->run.kernel;
	c->ramdisk = c->run.ramdisk;
	c->cmdline = c->run.cmdline ? c->run.cmdline : "";
	if (!rc && !c->create->build && !c->run.bootloader) {
		if (!c->kernel)
			return tools_fail(c->error, -EINVAL, "bad-config",
					  "neither a kernel nor a boot loader");
		rc = check_file(c, c->kernel, "kernel");
		rc = rc ? rc : check_file(c, c->ramdisk, "ramdisk");
	}
	return rc;
}
