/* SPDX-License-Identifier: MIT */
/*
 * The configuration as data: initial values, ownership, growth of its lists.
 */
#include <stdlib.h>
#include <string.h>
#include <tools/light_config.h>

void light_disk_init(struct light_disk *disk)
{
	memset(disk, 0, sizeof(*disk));
}

void light_disk_free(struct light_disk *disk)
{
	free(disk->backend_domname);
	free(disk->pdev_path);
	free(disk->vdev);
	free(disk->script);
	json_free(disk->kept);
	light_disk_init(disk);
}

void light_nic_init(struct light_nic *nic)
{
	memset(nic, 0, sizeof(*nic));
	nic->devid = -1;
}

void light_nic_free(struct light_nic *nic)
{
	free(nic->backend_domname);
	free(nic->model);
	free(nic->ip);
	free(nic->bridge);
	free(nic->ifname);
	free(nic->script);
	free(nic->gatewaydev);
	json_free(nic->kept);
	light_nic_init(nic);
}

void light_config_init(struct light_config *config)
{
	memset(config, 0, sizeof(*config));
	config->type = LIGHT_TYPE_NONE;
	config->max_memkb = config->target_memkb = LIGHT_MEMKB_DEFAULT;
	config->video_memkb = config->shadow_memkb = config->iommu_memkb = LIGHT_MEMKB_DEFAULT;
	config->max_grant_frames = config->max_maptrack_frames = LIGHT_GRANT_DEFAULT;
	config->max_grant_version = LIGHT_GRANT_DEFAULT;
	config->sched = (struct light_sched){ 0, -1, -1, -1, -1, -1, -1, -1 };
	config->on_poweroff = config->on_reboot = config->on_watchdog = LIGHT_ACTION_DESTROY;
	config->on_crash = config->on_soft_reset = LIGHT_ACTION_DESTROY;
}

static void free_strings(struct light_strings *strings)
{
	unsigned int i;

	for (i = 0; i < strings->count; i++)
		free(strings->list[i]);
	free(strings->list);
}

static void free_bitmaps(struct light_bitmap *maps, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		light_bitmap_free(&maps[i]);
	free(maps);
}

void light_config_free(struct light_config *config)
{
	unsigned int i;

	free(config->name);
	free(config->ssid_label);
	free(config->pool_name);
	light_bitmap_free(&config->avail_vcpus);
	free_bitmaps(config->hard_affinity, config->n_hard);
	free_bitmaps(config->soft_affinity, config->n_soft);
	light_bitmap_free(&config->nodemap);
	free(config->exec_ssid_label);
	free(config->blkdev_start);
	free(config->kernel);
	free(config->cmdline);
	free(config->ramdisk);
	free(config->bootloader);
	free_strings(&config->bootloader_args);
	free_strings(&config->extra_pv);
	for (i = 0; i < config->n_disks; i++)
		light_disk_free(&config->disks[i]);
	free(config->disks);
	for (i = 0; i < config->n_nics; i++)
		light_nic_free(&config->nics[i]);
	free(config->nics);
	json_free(config->kept_c);
	json_free(config->kept_b);
	json_free(config->kept_type);
	json_free(config->kept_sched);
	json_free(config->kept_arm);
	json_free(config->kept_x86);
	json_free(config->kept_top);
	light_config_init(config);
}

struct light_disk *light_config_add_disk(struct light_config *config)
{
	struct light_disk *disks = reallocarray(config->disks, config->n_disks + 1, sizeof(*disks));

	if (!disks)
		return NULL;
	config->disks = disks;
	light_disk_init(&disks[config->n_disks]);
	return &disks[config->n_disks++];
}

struct light_nic *light_config_add_nic(struct light_config *config)
{
	struct light_nic *nics = reallocarray(config->nics, config->n_nics + 1, sizeof(*nics));

	if (!nics)
		return NULL;
	config->nics = nics;
	light_nic_init(&nics[config->n_nics]);
	return &nics[config->n_nics++];
}

void light_config_remove_disk(struct light_config *config, unsigned int index)
{
	light_disk_free(&config->disks[index]);
	config->n_disks--;
	memmove(&config->disks[index], &config->disks[index + 1],
		(config->n_disks - index) * sizeof(*config->disks));
}

void light_config_remove_nic(struct light_config *config, unsigned int index)
{
	light_nic_free(&config->nics[index]);
	config->n_nics--;
	memmove(&config->nics[index], &config->nics[index + 1],
		(config->n_nics - index) * sizeof(*config->nics));
}
