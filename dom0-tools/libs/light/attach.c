/* SPDX-License-Identifier: MIT */
/*
 * A device more for a domain that exists: its nodes and the domain's configuration change under the
 * domain's lock; the wait for backend and script is outside of it. Who may use a disk is looked up
 * and written under the tool's lock, too, which is taken first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

struct attach {
	struct light *light;
	uint32_t domid;
	struct light_disk *disk; /* one of the two */
	struct light_nic *nic;
	struct device device;
	struct disk_backing backing;
	bool known; /* it is in the configuration and stays there */
	bool written; /* there are nodes to remove if it fails */
	struct tools_error *error;
};

/* An interface without number gets the first free one. */
static int choose_devid(struct attach *a)
{
	char path[64], **names = NULL;
	int count, i, next = 0;

	if (!a->nic || a->nic->devid >= 0)
		return 0;
	snprintf(path, sizeof(path), "/libxl/%u/device/vif", a->domid);
	count = store_list(a->light->store, 0, path, &names);
	for (i = 0; i < count; i++)
		if (atoi(names[i]) >= next)
			next = atoi(names[i]) + 1;
	free(names);
	a->nic->devid = next;
	return count < 0 && count != -ENOENT ? count : 0;
}

static int check_free(struct attach *a)
{
	char path[DEVICE_PATH_MAX], *value = NULL;
	int rc;

	device_libxl_path(&a->device, path);
	strncat(path, "/backend", sizeof(path) - strlen(path) - 1);
	rc = store_read(a->light->store, 0, path, &value, NULL);
	free(value);
	if (!rc)
		return tools_fail(a->error, -EEXIST, "device-exists",
				  "domain %u has %s %s%u already", a->domid,
				  a->disk ? "disk" : "interface", a->disk ? "number " : "",
				  a->device.devid);
	return rc == -ENOENT ?
		       0 :
		       tools_fail(a->error, rc, "store", "cannot read %s: %s", path, strerror(-rc));
}

/* What the configuration has under this number is replaced. */
static void drop_old(struct attach *a, struct light_config *config)
{
	for (unsigned int i = 0; a->disk && i < config->n_disks; i++)
		if (config->disks[i].vdev &&
		    light_vdev_number(config->disks[i].vdev, NULL, NULL) == (int)a->device.devid)
			light_config_remove_disk(config, i--);
	for (unsigned int i = 0; a->nic && i < config->n_nics; i++)
		if (config->nics[i].devid == (int)a->device.devid)
			light_config_remove_nic(config, i--);
}

/* Into the saved configuration; a domain without one does without. */
static int remember(struct attach *a)
{
	struct light_config config;
	struct light_disk *disk;
	struct light_nic *nic;
	size_t length;
	char *text;
	int rc = light_userdata_read(a->light, a->domid, "libxl-json", &text, &length);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	light_config_init(&config);
	rc = light_config_from_json(&config, text, strnlen(text, length), a->error);
	free(text);
	if (!rc)
		drop_old(a, &config);
	/*
	 * Shallow copies for as long as it takes to write them: they are zeroed before the config
	 * goes.
	 */
	if (!rc && a->disk) {
		disk = light_config_add_disk(&config);
		rc = disk ? 0 : -ENOMEM;
		if (disk)
			*disk = *a->disk;
	}
	if (!rc && a->nic) {
		nic = light_config_add_nic(&config);
		rc = nic ? 0 : -ENOMEM;
		if (nic)
			*nic = *a->nic;
	}
	if (!rc) {
		rc = light_domain_config_save(a->light, a->domid, &config);
		if (a->disk)
			light_disk_init(&config.disks[config.n_disks - 1]);
		if (a->nic)
			light_nic_init(&config.nics[config.n_nics - 1]);
	}
	light_config_free(&config);
	return rc;
}

static int write_nodes(struct attach *a)
{
	struct batch batch = { 0 };
	char back[DEVICE_PATH_MAX];
	int rc;

	device_backend_path(&a->device, back);
	batch_rm(&batch, "%s", back);
	if (a->disk)
		disk_nodes(&batch, a->light, a->disk, &a->backing, a->domid);
	else
		nic_nodes(&batch, a->light, a->nic, a->domid);
	rc = batch_commit(&batch, a->light->store);
	batch_free(&batch);
	return rc ? tools_fail(a->error, rc, "store", "cannot write the device's nodes: %s",
			       strerror(-rc)) :
		    0;
}

/* Under the lock: checks, nodes, configuration. */
static int prepare(struct attach *a)
{
	int rc = choose_devid(a);

	if (rc)
		return tools_fail(a->error, rc, "store", "cannot list the domain's devices: %s",
				  strerror(-rc));
	if (a->disk)
		rc = disk_defaults(a->light, a->disk, a->error);
	else
		rc = nic_defaults(a->light, a->nic, a->error);
	if (rc)
		return rc;
	if (a->disk)
		disk_device(a->disk, a->domid, &a->device);
	else
		nic_device(a->nic, a->domid, &a->device);
	rc = check_free(a);
	if (!rc && a->disk)
		rc = disk_backing_open(a->light, a->disk, &a->backing, a->error);
	rc = rc ? rc : write_nodes(a);
	if (rc)
		return rc;
	a->written = true;
	rc = remember(a);
	if (rc && a->error && !a->error->code)
		tools_fail(a->error, rc, "userdata", "cannot save domain %u's configuration: %s",
			   a->domid, strerror(-rc));
	return rc;
}

static int wait_connected(struct attach *a)
{
	struct group group = { .light = a->light, .adding = true, .error = a->error };
	const char *script = a->disk ? a->disk->script : a->nic->script;
	struct member *m = group_add(&group, &a->device);
	int rc = m ? 0 : -ENOMEM;

	if (m && script && !(a->disk && a->backing.native) &&
	    (a->disk || a->light->defaults.run_hotplug_scripts)) {
		m->script = *script == '/' ? strdup(script) :
					     tools_asprintf("%s/%s", a->light->script_dir, script);
		rc = m->script ? 0 : -ENOMEM;
	}
	rc = rc ? rc : group_start(&group);
	rc = rc ? rc : group_finish(&group);
	group_free(&group);
	return rc;
}

/* Not to be given up half-way because attaching was. */
static void undo(struct attach *a)
{
	int cancel = a->light->cancel_fd;
	char which[32];

	a->light->cancel_fd = -1;
	snprintf(which, sizeof(which), "%u", a->device.devid);
	if (a->known)
		device_unplug(a->light, a->domid, a->disk ? "vbd" : "vif", which, true, NULL);
	else if (a->disk)
		light_detach_disk(a->light, a->domid, which, true, NULL);
	else
		light_detach_nic(a->light, a->domid, which, true, NULL);
	a->light->cancel_fd = cancel;
}

static int attach(struct attach *a)
{
	struct xen_domctl_getdomaininfo info;
	int lock, tool = -1, rc = ctl_getdomaininfo(a->light->ctl, (domid_t)a->domid, &info);

	a->backing.loop_fd = -1;
	if (rc)
		return tools_fail(a->error, rc, "no-domain", "no domain %u", a->domid);
	if (a->disk) {
		tool = light_lock_tool(a->light, TOOL_LOCK_MS, a->error);
		if (tool < 0)
			return tool;
	}
	lock = light_lock_domain(a->light, a->domid, DOMAIN_LOCK_MS);
	if (lock < 0) {
		light_unlock_tool(tool);
		return tools_fail(a->error, lock, "timeout",
				  "domain %u is being changed by another tool", a->domid);
	}
	rc = prepare(a);
	light_unlock_domain(a->light, a->domid, lock);
	light_unlock_tool(tool);
	if (!rc)
		rc = wait_connected(a);
	if (rc && a->written)
		undo(a);
	if (a->disk)
		disk_backing_close(&a->backing, rc != 0);
	return rc;
}

int light_attach_disk(struct light *light, uint32_t domid, struct light_disk *disk,
		      struct tools_error *error)
{
	struct attach a = { .light = light, .domid = domid, .disk = disk, .error = error };

	return attach(&a);
}

int light_attach_nic(struct light *light, uint32_t domid, struct light_nic *nic,
		     struct tools_error *error)
{
	struct attach a = { .light = light, .domid = domid, .nic = nic, .error = error };

	return attach(&a);
}

int device_replug(struct light *light, uint32_t domid, struct light_disk *disk,
		  struct light_nic *nic, struct tools_error *error)
{
	struct attach a = {
		.light = light, .domid = domid, .disk = disk, .nic = nic, .known = true,
		.error = error,
	};

	return attach(&a);
}
