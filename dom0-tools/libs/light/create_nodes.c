/* SPDX-License-Identifier: MIT */
/*
 * A new domain's nodes in the store: in two transactions, one when the domain exists (its name is
 * then seen, its backends begin), one when it is built (rings and memory are known).
 *
 * Paths and permissions are those of 4.17's tools. A node's children take its permissions, so only
 * what differs from its parent's gets its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include "create.h"

/* Nodes that the guest may write. */
static const char *const guest_owned[] = {
	"device/suspend/event-channel",
	"control/shutdown",
	"control/feature-poweroff",
	"control/feature-reboot",
	"control/feature-suspend",
	"control/sysrq",
	"data",
	"drivers",
	"feature",
	"attr",
	"error",
};

static void add_domain(struct creation *c, struct batch *b, const char *uuid)
{
	uint32_t d = c->domid;
	unsigned int i;

	batch_rm(b, "/local/domain/%u", d);
	batch_rm(b, "/libxl/%u", d);
	batch_rm(b, "/vm/%s", uuid);
	batch_mkdir(b, "/local/domain/%u", d);
	batch_perms(b, 0, (int)d, "/local/domain/%u", d);
	batch_mkdir(b, "/vm/%s", uuid);
	batch_perms(b, 0, (int)d, "/vm/%s", uuid);
	batch_mkdir(b, "/libxl/%u", d);
	batch_perms(b, 0, -1, "/libxl/%u", d);
	batch_mkdir(b, "/libxl/%u/device", d);
	batch_write(b, "pv", "/libxl/%u/type", d);
	batch_write(b, "qemu_xen", "/libxl/%u/dm-version", d);
	/*
	 * Its end is the monitor's business; a domain without this node has a watcher of its own.
	 */
	if (!c->create->no_monitor)
		batch_write(b, "1", "/libxl/%u/kl/monitor", d);
	batch_write(b, c->run.name, "/local/domain/%u/name", d);
	batch_mkdir(b, "/local/domain/%u/cpu", d);
	batch_mkdir(b, "/local/domain/%u/memory", d);
	batch_mkdir(b, "/local/domain/%u/device", d);
	for (i = 0; i < sizeof(guest_owned) / sizeof(guest_owned[0]); i++) {
		batch_write(b, "", "/local/domain/%u/%s", d, guest_owned[i]);
		batch_perms(b, d, -1, "/local/domain/%u/%s", d, guest_owned[i]);
	}
	if (c->run.driver_domain == LIGHT_YES) {
		batch_write(b, "", "/local/domain/%u/libxl", d);
		batch_perms(b, d, -1, "/local/domain/%u/libxl", d);
		batch_write(b, "", "/local/domain/%u/device-model", d);
		batch_perms(b, d, -1, "/local/domain/%u/device-model", d);
	}
	batch_write(b, "1", "/local/domain/%u/control/platform-feature-multiprocessor-suspend", d);
	batch_write(b, "1", "/local/domain/%u/control/platform-feature-xs_reset_watches", d);
}

static void add_vm(struct creation *c, struct batch *b, const char *uuid)
{
	char path[80];
	struct timeval now;

	gettimeofday(&now, NULL);
	snprintf(path, sizeof(path), "/local/domain/%u/vm", c->domid);
	batch_printf(b, path, "/vm/%s", uuid);
	batch_write(b, uuid, "/vm/%s/uuid", uuid);
	batch_write(b, c->run.name, "/vm/%s/name", uuid);
	batch_write(b, "linux", "/vm/%s/image/ostype", uuid);
	if (c->kernel)
		batch_write(b, c->kernel, "/vm/%s/image/kernel", uuid);
	if (c->ramdisk)
		batch_write(b, c->ramdisk, "/vm/%s/image/ramdisk", uuid);
	if (*c->cmdline) {
		/* As much as the guest sees; a value in the store cannot be much longer. */
		snprintf(path, sizeof(path), "/vm/%s/image/cmdline", uuid);
		batch_printf(b, path, "%.*s", MAX_GUEST_CMDLINE - 1, c->cmdline);
	}
	snprintf(path, sizeof(path), "/vm/%s/start_time", uuid);
	batch_printf(b, path, "%lld.%02d", (long long)now.tv_sec, (int)(now.tv_usec / 10000));
}

static int add_disk(struct creation *c, struct batch *b, unsigned int i)
{
	const struct light_disk *disk = &c->run.disks[i];
	char back[DEVICE_PATH_MAX];
	struct device device;
	struct member *m;

	disk_device(disk, c->domid, &device);
	device_backend_path(&device, back);
	batch_rm(b, "%s", back);
	disk_nodes(b, c->light, disk, &c->backings[i], c->domid);
	m = group_add(&c->devices, &device);
	if (!m)
		return -ENOMEM;
	if (c->backings[i].native || !disk->script)
		return 0;
	m->script = disk->script[0] == '/' ?
			    strdup(disk->script) :
			    tools_asprintf("%s/%s", c->light->script_dir, disk->script);
	return m->script ? 0 : -ENOMEM;
}

static int add_disks(struct creation *c, struct batch *b, bool late)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < c->run.n_disks && !rc; i++)
		if (c->late[i] == late)
			rc = add_disk(c, b, i);
	return rc;
}

static int add_nics(struct creation *c, struct batch *b)
{
	char back[DEVICE_PATH_MAX];
	struct device device;
	struct member *m;
	unsigned int i;

	for (i = 0; i < c->run.n_nics; i++) {
		nic_device(&c->run.nics[i], c->domid, &device);
		device_backend_path(&device, back);
		batch_rm(b, "%s", back);
		nic_nodes(b, c->light, &c->run.nics[i], c->domid);
		m = group_add(&c->devices, &device);
		if (!m)
			return -ENOMEM;
		if (c->run.run_hotplug_scripts == LIGHT_NO)
			continue;
		m->script = c->run.nics[i].script[0] == '/' ?
				    strdup(c->run.nics[i].script) :
				    tools_asprintf("%s/%s", c->light->script_dir,
						   c->run.nics[i].script);
		if (!m->script)
			return -ENOMEM;
	}
	return 0;
}

int creation_first_nodes(struct creation *c)
{
	struct batch batch = { 0 };
	char uuid[37];
	int rc;

	light_uuid_format(c->run.uuid, uuid);
	add_domain(c, &batch, uuid);
	add_vm(c, &batch, uuid);
	rc = add_disks(c, &batch, false);
	rc = rc ? rc : add_nics(c, &batch);
	rc = rc ? rc : batch_commit(&batch, c->light->store);
	batch_free(&batch);
	return rc ? tools_fail(c->error, rc, "store", "cannot write the domain's nodes: %s",
			       strerror(-rc)) :
		    0;
}

int creation_last_nodes(struct creation *c)
{
	struct batch batch = { 0 };
	struct batch *b = &batch;
	uint32_t d = c->domid;
	char path[80];
	int i, rc;

	snprintf(path, sizeof(path), "/local/domain/%u/memory/static-max", d);
	batch_printf(b, path, "%llu", (unsigned long long)c->run.max_memkb);
	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", d);
	batch_printf(b, path, "%llu",
		     (unsigned long long)(c->run.target_memkb - c->run.video_memkb));
	snprintf(path, sizeof(path), "/local/domain/%u/memory/videoram", d);
	batch_printf(b, path, "%llu", (unsigned long long)c->run.video_memkb);
	snprintf(path, sizeof(path), "/local/domain/%u/domid", d);
	batch_printf(b, path, "%u", d);
	snprintf(path, sizeof(path), "/local/domain/%u/store/port", d);
	batch_printf(b, path, "%u", c->store_port);
	snprintf(path, sizeof(path), "/local/domain/%u/store/ring-ref", d);
	batch_printf(b, path, "%lu", (unsigned long)c->store_mfn);
	for (i = 0; i < c->run.max_vcpus; i++)
		batch_write(b,
			    light_bitmap_test(&c->run.avail_vcpus, (unsigned int)i) ||
					    (!i && !c->run.avail_vcpus.bytes) ?
				    "online" :
				    "offline",
			    "/local/domain/%u/cpu/%d/availability", d, i);
	console_nodes(b, d, c->console_domid, c->console_port, c->console_mfn);
	rc = add_disks(c, b, true);
	rc = rc ? rc : batch_commit(b, c->light->store);
	batch_free(b);
	rc = rc ? rc : store_introduce(c->light->store, (domid_t)d, c->store_mfn, c->store_port);
	return rc ? tools_fail(c->error, rc, "store",
			       "cannot introduce the domain to the store: %s", strerror(-rc)) :
		    0;
}
