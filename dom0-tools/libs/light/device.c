/* SPDX-License-Identifier: MIT */
/*
 * Devices as nodes of the store: what disks, interfaces and the console look like at both ends, and
 * in the tools' own record below /libxl (which guests and backends cannot write).
 *
 * Nodes, values and permissions are those of 4.17's tools: Linux's drivers and the other toolstack
 * read them. Children take their parent's permissions, so these are set on directories only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "domain.h"

#define MTU_DEFAULT 1492

void device_frontend_path(const struct device *device, char path[DEVICE_PATH_MAX])
{
	if (!strcmp(device->kind, "console") && !device->devid)
		snprintf(path, DEVICE_PATH_MAX, "/local/domain/%u/console", device->domid);
	else
		snprintf(path, DEVICE_PATH_MAX, "/local/domain/%u/device/%s/%u", device->domid,
			 device->kind, device->devid);
}

void device_backend_path(const struct device *device, char path[DEVICE_PATH_MAX])
{
	snprintf(path, DEVICE_PATH_MAX, "/local/domain/%u/backend/%s/%u/%u", device->backend_domid,
		 device->backend_kind, device->domid, device->devid);
}

void device_libxl_path(const struct device *device, char path[DEVICE_PATH_MAX])
{
	snprintf(path, DEVICE_PATH_MAX, "/libxl/%u/device/%s/%u", device->domid, device->kind,
		 device->devid);
}

int device_parse(struct device *device, uint32_t domid, const char *kind, unsigned int devid,
		 const char *backend_path)
{
	unsigned int frontend, id;
	char rest;

	*device = (struct device){ .domid = domid, .devid = devid };
	snprintf(device->kind, sizeof(device->kind), "%s", kind);
	return sscanf(backend_path, "/local/domain/%u/backend/%15[^/]/%u/%u%c",
		      &device->backend_domid, device->backend_kind, &frontend, &id, &rest) == 4 ?
		       0 :
		       -EINVAL;
}

/* --- What is left open --- */
static int resolve_backend(struct light *light, const char *name, uint32_t *domid,
			   struct tools_error *error)
{
	int rc;

	if (!name || !*name)
		return 0;
	rc = light_find(light, name, error);
	if (rc < 0)
		return rc;
	*domid = (uint32_t)rc;
	return 0;
}

int disk_defaults(struct light *light, struct light_disk *disk, struct tools_error *error)
{
	struct stat st;
	int rc = resolve_backend(light, disk->backend_domname, &disk->backend_domid, error);

	if (rc)
		return rc;
	if (!disk->discard)
		disk->discard = disk->readwrite ? LIGHT_YES : LIGHT_NO;
	if (!disk->trusted)
		disk->trusted = LIGHT_YES;
	if (disk->specification == 2)
		return tools_fail(error, -EOPNOTSUPP, "device", "disk %s: virtio is not offered",
				  disk->vdev);
	disk->specification = 1;
	if (disk->backend == LIGHT_BACKEND_TAP || disk->backend == LIGHT_BACKEND_STANDALONE)
		return tools_hint(
			error,
			tools_fail(error, -EOPNOTSUPP, "device",
				   "disk %s: backendtype %s is not "
				   "offered",
				   disk->vdev,
				   disk->backend == LIGHT_BACKEND_TAP ? "tap" : "standalone"),
			"leave backendtype out");
	if (!disk->backend)
		disk->backend = disk->script || disk->backend_domid || light->defaults.disk_kernel ?
					LIGHT_BACKEND_PHY :
					LIGHT_BACKEND_QDISK;
	if (disk->backend == LIGHT_BACKEND_QDISK && disk->script)
		return tools_fail(error, -EINVAL, "bad-config",
				  "disk %s: script= and backendtype=qdisk exclude "
				  "each other",
				  disk->vdev);
	if (disk->patience &&
	    (disk->backend != LIGHT_BACKEND_QDISK || disk->format == LIGHT_FORMAT_RAW))
		return tools_fail(error, -EINVAL, "bad-config",
				  "disk %s: patience= is for images that another program reads "
				  "(format=qcow2 and the like), not for raw disks or the kernel's backend",
				  disk->vdev);
	if (disk->format == LIGHT_FORMAT_EMPTY)
		return tools_fail(error, -EOPNOTSUPP, "device",
				  "disk %s: an empty drive needs a device model", disk->vdev);
	if (disk->format != LIGHT_FORMAT_RAW && disk->backend != LIGHT_BACKEND_QDISK)
		return tools_hint(error,
				  tools_fail(error, -EOPNOTSUPP, "device",
					     "disk %s: the kernel's backend takes raw "
					     "images and block devices only",
					     disk->vdev),
				  "leave backendtype=phy out, or convert it: qemu-img convert "
				  "-O raw OLD NEW");
	if (!disk->backend_domid && !disk->script && stat(disk->pdev_path, &st)) {
		rc = -errno;
		return tools_fail(error, rc, "device", "disk %s: %s: %s", disk->vdev,
				  disk->pdev_path, strerror(-rc));
	}
	return 0;
}

/* Xen's own prefix and 23 random bits. */
static int random_mac(uint8_t mac[6])
{
	uint8_t bytes[3];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	mac[0] = 0x00;
	mac[1] = 0x16;
	mac[2] = 0x3e;
	mac[3] = bytes[0] & 0x7f;
	mac[4] = bytes[1];
	mac[5] = bytes[2];
	return 0;
}

int nic_defaults(struct light *light, struct light_nic *nic, struct tools_error *error)
{
	static const uint8_t none[6];
	int rc = resolve_backend(light, nic->backend_domname, &nic->backend_domid, error);

	if (!rc && nic->type == LIGHT_NIC_IOEMU)
		rc = tools_fail(error, -EINVAL, "bad-config",
				"vif %d: a PV guest has no emulated interface "
				"(type=ioemu)",
				nic->devid);
	if (!rc && !memcmp(nic->mac, none, 6))
		rc = random_mac(nic->mac);
	if (rc)
		return rc;
	nic->type = LIGHT_NIC_VIF;
	if (!nic->user_backend)
		nic->user_backend = nic->backend_domid || light->defaults.vif_kernel ? LIGHT_NO :
										       LIGHT_YES;
	if (!nic->mtu)
		nic->mtu = MTU_DEFAULT;
	if (!nic->trusted)
		nic->trusted = LIGHT_YES;
	if (!nic->bridge)
		nic->bridge = strdup("xenbr0");
	if (!nic->script)
		nic->script = strdup("vif-bridge");
	if (!nic->model)
		nic->model = strdup("rtl8139");
	return nic->bridge && nic->script && nic->model ? 0 : -ENOMEM;
}

void disk_device(const struct light_disk *disk, uint32_t domid, struct device *device)
{
	*device =
		(struct device){ .kind = "vbd",
				 .domid = domid,
				 .backend_domid = disk->backend_domid,
				 .devid = (unsigned int)light_vdev_number(disk->vdev, NULL, NULL) };
	/* A kind that dom0's kernel has no driver for is left to our daemon. */
	strcpy(device->backend_kind, disk->backend == LIGHT_BACKEND_QDISK ? "qblk" : "vbd");
}

void nic_device(const struct light_nic *nic, uint32_t domid, struct device *device)
{
	*device = (struct device){ .kind = "vif",
				   .domid = domid,
				   .backend_domid = nic->backend_domid,
				   .devid = (unsigned int)nic->devid };
	strcpy(device->backend_kind, nic->user_backend == LIGHT_YES ? "qnic" : "vif");
}

/* --- Nodes --- */
struct ends {
	struct batch *batch;
	char front[DEVICE_PATH_MAX], back[DEVICE_PATH_MAX], record[DEVICE_PATH_MAX];
};

/* The directories of a device and who may do what in them. */
static void begin(struct ends *e, struct batch *batch, const struct device *device,
		  bool guest_owns_frontend)
{
	e->batch = batch;
	device_frontend_path(device, e->front);
	device_backend_path(device, e->back);
	device_libxl_path(device, e->record);
	batch_write(batch, e->front, "%s/frontend", e->record);
	batch_write(batch, e->back, "%s/backend", e->record);
	batch_mkdir(batch, "%s", e->front);
	if (guest_owns_frontend)
		batch_perms(batch, device->domid, (int)device->backend_domid, "%s", e->front);
	else
		batch_perms(batch, device->backend_domid, (int)device->domid, "%s", e->front);
	batch_write(batch, e->back, "%s/backend", e->front);
	batch_mkdir(batch, "%s", e->back);
	batch_perms(batch, device->backend_domid, (int)device->domid, "%s", e->back);
	batch_write(batch, e->front, "%s/frontend", e->back);
}

/* A node of the backend, which is also put on record. */
static void back(struct ends *e, const char *key, const char *value)
{
	batch_write(e->batch, value, "%s/%s", e->back, key);
	batch_write(e->batch, value, "%s/%s", e->record, key);
}

static void back_number(struct ends *e, const char *key, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	back(e, key, text);
}

static void front(struct ends *e, const char *key, const char *value)
{
	batch_write(e->batch, value, "%s/%s", e->front, key);
}

static void front_number(struct ends *e, const char *key, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	front(e, key, text);
}

/* A script's full path; what has no slash lives in the folder of scripts. */
static void back_script(struct ends *e, struct light *light, const char *script)
{
	char path[512];

	if (*script == '/')
		snprintf(path, sizeof(path), "%s", script);
	else
		snprintf(path, sizeof(path), "%s/%s", light->script_dir, script);
	back(e, "script", path);
}

void disk_nodes(struct batch *batch, struct light *light, const struct light_disk *disk,
		const struct disk_backing *backing, uint32_t domid)
{
	/* As QEMU calls them. */
	static const char *const formats[] = { "raw", "qcow", "qcow2", "vpc", "raw", "raw", "qed" };
	struct device device;
	struct ends e;

	disk_device(disk, domid, &device);
	begin(&e, batch, &device, true);
	back(&e, "params", disk->pdev_path ? disk->pdev_path : "");
	if (disk->backend == LIGHT_BACKEND_QDISK)
		back(&e, "format", formats[disk->format]);
	else
		back_script(&e, light, disk->script ? disk->script : "block");
	back_number(&e, "frontend-id", domid);
	back(&e, "online", "1");
	back_number(&e, "removable", disk->removable ? 1 : 0);
	back(&e, "bootable", "1");
	back(&e, "dev", disk->vdev);
	back(&e, "type",
	     backing->loop[0]			  ? "file" :
	     disk->backend == LIGHT_BACKEND_QDISK ? "qdisk" :
						    "phy");
	back(&e, "mode", !disk->readwrite ? "r" : disk->shared ? "w!" : "w");
	back(&e, "device-type", disk->is_cdrom ? "cdrom" : "disk");
	if (disk->direct_io_safe)
		back(&e, "direct-io-safe", "1");
	if (disk->patience)
		back_number(&e, "patience", disk->patience);
	back(&e, "discard-enable", disk->discard == LIGHT_YES ? "1" : "0");
	back(&e, "specification", "xen");
	if (backing->loop[0])
		back(&e, "node", backing->loop);
	if (backing->native) {
		batch_write(batch, backing->device_number, "%s/physical-device", e.back);
		batch_write(batch, backing->loop[0] ? backing->loop : disk->pdev_path,
			    "%s/physical-device-path", e.back);
		batch_write(batch, "connected", "%s/hotplug-status", e.back);
	}
	/* Last: the backend begins when it sees its state. */
	back(&e, "state", "1");
	front_number(&e, "backend-id", device.backend_domid);
	front_number(&e, "virtual-device", device.devid);
	front(&e, "device-type", disk->is_cdrom ? "cdrom" : "disk");
	front(&e, "trusted", disk->trusted == LIGHT_NO ? "0" : "1");
	front(&e, "protocol", "x86_64-abi");
	front(&e, "state", "1");
}

void nic_nodes(struct batch *batch, struct light *light, const struct light_nic *nic,
	       uint32_t domid)
{
	const uint8_t *m = nic->mac;
	struct device device;
	char text[64];
	struct ends e;

	nic_device(nic, domid, &device);
	begin(&e, batch, &device, true);
	back_number(&e, "frontend-id", domid);
	back(&e, "online", "1");
	back_script(&e, light, nic->script);
	if (nic->ifname)
		back(&e, "vifname", nic->ifname);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	back(&e, "mac", text);
	front(&e, "mac", text);
	if (nic->ip)
		back(&e, "ip", nic->ip);
	if (nic->gatewaydev)
		back(&e, "gatewaydev", nic->gatewaydev);
	if (nic->rate_interval_us) {
		snprintf(text, sizeof(text), "%llu,%u", (unsigned long long)nic->rate_bytes,
			 nic->rate_interval_us);
		back(&e, "rate", text);
	}
	if (nic->mtu != MTU_DEFAULT)
		back_number(&e, "mtu", nic->mtu);
	back(&e, "bridge", nic->bridge);
	back_number(&e, "handle", nic->devid);
	back(&e, "type", "vif");
	/* Empty, not absent: the backend then waits for the script before it connects. */
	back(&e, "hotplug-status", "");
	back(&e, "state", "1");
	front_number(&e, "backend-id", device.backend_domid);
	front_number(&e, "handle", nic->devid);
	front(&e, "trusted", nic->trusted == LIGHT_NO ? "0" : "1");
	front_number(&e, "mtu", nic->mtu);
	batch_perms(batch, device.backend_domid, (int)domid, "%s/mtu", e.front);
	front(&e, "state", "1");
}

void console_nodes(struct batch *batch, uint32_t domid, uint32_t console_domid, evtchn_port_t port,
		   xen_pfn_t mfn)
{
	struct device device = { .kind = "console",
				 .backend_kind = "console",
				 .domid = domid,
				 .backend_domid = console_domid };
	struct ends e;

	begin(&e, batch, &device, false);
	back_number(&e, "frontend-id", domid);
	back(&e, "online", "1");
	back(&e, "state", "1");
	back(&e, "protocol", "vt100");
	front_number(&e, "backend-id", console_domid);
	batch_perms(batch, domid, (int)console_domid, "%s/backend-id", e.front);
	front(&e, "limit", "1048576");
	front(&e, "type", "xenconsoled");
	front(&e, "output", "pty");
	front(&e, "tty", "");
	front_number(&e, "port", (long)port);
	front_number(&e, "ring-ref", (long)mfn);
}
