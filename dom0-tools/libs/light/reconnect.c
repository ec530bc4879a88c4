/* SPDX-License-Identifier: MIT */
/*
 * Devices of running domains that change: a disk whose file has grown, and a device whose two ends must
 * negotiate anew (other features, another backend, a backend that lost its memory): it is unplugged as soon
 * as the guest lets go, and plugged in again with the domain's configuration as it is now.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "domain.h"

/*
 * Between out and in: Linux looks whether the nodes are there when it comes to handle their removal, and keeps its
 * closed device if they are back by then. No sign in the store says that it has looked.
 */
#define GONE_MS 1000

/* The disk's entry in @config, as written by a person: "xvdb", a number. NULL: none. */
static struct light_disk *find_disk(struct light_config *config, const char *which)
{
	int number = light_vdev_number(which, NULL, NULL);

	for (unsigned int i = 0; i < config->n_disks && number >= 0; i++)
		if (config->disks[i].vdev &&
		    light_vdev_number(config->disks[i].vdev, NULL, NULL) == number)
			return &config->disks[i];
	return NULL;
}

static struct light_nic *find_nic(struct light_config *config, const char *which)
{
	uint8_t mac[6];
	bool by_mac = !light_mac_parse(which, mac);
	char *end;
	long devid = strtol(which, &end, 10);

	for (unsigned int i = 0; i < config->n_nics; i++)
		if (by_mac ? !memcmp(config->nics[i].mac, mac, 6) :
			     *which && !*end && config->nics[i].devid == devid)
			return &config->nics[i];
	return NULL;
}

/*
 * The first letter of the backend that the device has now, 0: none. What a configuration leaves open stays as it
 * is: one of real xl's means the kernel's backends, whatever our default.
 */
static char backend_now(struct light *light, uint32_t domid, const char *kind, int devid)
{
	struct batch batch = { 0 };
	struct device device;
	char now = 0;

	batch_read(&batch, "/libxl/%u/device/%s/%d/backend", domid, kind, devid);
	if (!batch_run(&batch, light->store, 0) && batch.list[0].reply &&
	    !device_parse(&device, domid, kind, (unsigned int)devid, batch.list[0].reply))
		now = device.backend_kind[0];
	batch_free(&batch);
	return now;
}

static int no_device(uint32_t domid, const char *kind, const char *which, struct tools_error *error)
{
	return tools_fail(error, -ENODEV, "no-device",
			  "domain %u's configuration has no %s `%.40s'", domid, kind, which);
}

/*
 * Out and in again. What an earlier attempt could not plug in again is in the configuration still: then that is
 * all there is to do.
 */
static int reconnect(struct light *light, uint32_t domid, const char *which, struct light_disk *disk,
		     struct light_nic *nic, struct tools_error *error)
{
	struct pollfd cancel = { .fd = light->cancel_fd, .events = POLLIN };
	int rc = device_unplug(light, domid, disk ? "vbd" : "vif", which, false, error);
	size_t length;

	if (rc && rc != -ENODEV)
		return rc;
	/* An interrupt ends the wait only: the device must come back. */
	if (!rc)
		poll(&cancel, 1, GONE_MS);
	else if (error)
		memset(error, 0, sizeof(*error));
	rc = device_replug(light, domid, disk, nic, error);
	if (rc && error) {
		length = strlen(error->text);
		snprintf(error->text + length, sizeof(error->text) - length,
			 "; it is unplugged now, but in the domain's configuration: reconnect it again");
	}
	return rc;
}

int light_reconnect_disk(struct light *light, uint32_t domid, const char *which,
			 struct tools_error *error)
{
	struct light_config config;
	struct light_disk *disk;
	char now;
	int rc;

	light_config_init(&config);
	rc = light_domain_config(light, domid, &config, error);
	disk = rc ? NULL : find_disk(&config, which);
	if (!rc && !disk)
		rc = no_device(domid, "disk", which, error);
	if (!rc && !disk->backend) {
		now = backend_now(light, domid, "vbd", light_vdev_number(which, NULL, NULL));
		if (now)
			disk->backend = now == 'q' ? LIGHT_BACKEND_QDISK : LIGHT_BACKEND_PHY;
	}
	rc = rc ? rc : reconnect(light, domid, which, disk, NULL, error);
	light_config_free(&config);
	return rc;
}

int light_reconnect_nic(struct light *light, uint32_t domid, const char *which,
			struct tools_error *error)
{
	struct light_config config;
	struct light_nic *nic;
	char now;
	int rc;

	light_config_init(&config);
	rc = light_domain_config(light, domid, &config, error);
	nic = rc ? NULL : find_nic(&config, which);
	if (!rc && !nic)
		rc = no_device(domid, "interface", which, error);
	if (!rc && !nic->user_backend) {
		now = backend_now(light, domid, "vif", nic->devid);
		if (now)
			nic->user_backend = now == 'q' ? LIGHT_YES : LIGHT_NO;
	}
	rc = rc ? rc : reconnect(light, domid, which, NULL, nic, error);
	light_config_free(&config);
	return rc;
}

/* The kernel's backend looks at its device's size by itself; a loop device must look at its file's. */
static int resize_loop(const char *loop)
{
	int fd = open(loop, O_RDWR | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = ioctl(fd, LOOP_SET_CAPACITY, 0) ? -errno : 0;
	close(fd);
	return rc;
}

/* Has the disk a format that its backend can make larger? */
static bool is_image(struct light *light, const char *backend)
{
	struct batch batch = { 0 };
	bool is;

	batch_read(&batch, "%s/format", backend);
	is = !batch_run(&batch, light->store, 0) && batch.list[0].reply &&
	     strcmp(batch.list[0].reply, "raw");
	batch_free(&batch);
	return is;
}

int light_resize_disk(struct light *light, uint32_t domid, const char *which, uint64_t kib,
		      struct tools_error *error)
{
	struct batch batch = { 0 };
	int number = light_vdev_number(which, NULL, NULL), rc = -ENODEV;
	struct device device;
	char path[DEVICE_PATH_MAX], size[24];

	batch_read(&batch, "/libxl/%u/device/vbd/%d/backend", domid, number);
	batch_read(&batch, "/libxl/%u/device/vbd/%d/node", domid, number);
	if (number >= 0)
		rc = batch_run(&batch, light->store, 0);
	if (!rc && (!batch.list[0].reply ||
		    device_parse(&device, domid, "vbd", (unsigned int)number, batch.list[0].reply)))
		rc = -ENODEV;
	if (rc) {
		batch_free(&batch);
		return tools_fail(error, rc, "no-device", "domain %u has no disk `%.40s'", domid,
				  which);
	}
	if (batch.list[1].reply && !strncmp(batch.list[1].reply, "/dev/loop", 9))
		rc = resize_loop(batch.list[1].reply);
	batch_free(&batch);
	device_backend_path(&device, path);
	if (kib && !rc && (device.backend_kind[0] != 'q' || !is_image(light, path)))
		return tools_fail(error, -EINVAL, "device",
				  "disk %s: only images in other formats than raw are made larger here: "
				  "enlarge its file or device, then leave the size away", which);
	if (!rc && device.backend_kind[0] == 'q') {
		snprintf(size, sizeof(size), "%llu", (unsigned long long)kib << 10);
		batch_write(&batch, kib ? size : "1", "%s/resize", path);
		rc = batch_run(&batch, light->store, 0);
		batch_free(&batch);
	}
	return rc ? tools_fail(error, rc, "device", "disk %s: cannot make its backend look: %s", which,
			       strerror(-rc)) :
		    0;
}
