/* SPDX-License-Identifier: MIT */
/*
 * Devices of running domains that change: a disk whose file has grown, and a device whose two ends
 * must negotiate anew (other features, another backend, a backend that lost its memory): it is
 * unplugged as soon as the guest lets go, and plugged in again with the domain's configuration as
 * it is now. Also disks whose backends let go of their images because the guest may go on
 * elsewhere.
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
 * Between out and in: Linux looks whether the nodes are there when it comes to handle their
 * removal, and keeps its closed device if they are back by then. No sign in the store says that it
 * has looked.
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
 * The first letter of the backend that the device has now, 0: none. What a configuration leaves
 * open stays as it is: one of real xl's means the kernel's backends, whatever our default.
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
 * Out and in again. What an earlier attempt could not plug in again is in the configuration still:
 * then that is all there is to do.
 */
static int reconnect(struct light *light, uint32_t domid, const char *which,
		     struct light_disk *disk, struct light_nic *nic, struct tools_error *error)
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

/* The kernel's backend sees its device's size by itself; a loop device must look at its file's. */
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
	return rc ? tools_fail(error, rc, "device", "disk %s: cannot make its backend look: %s",
			       which, strerror(-rc)) :
		    0;
}

/* --- Images that another host is to open --- */

#define TOKEN_HOLD "light-hold"

/* Is the disk served by our daemon here? */
static bool is_ours(const struct light_device *disk)
{
	return !disk->backend_domid && strstr(disk->backend, "/backend/qblk/");
}

/* Asks those that know the question, by @holding; others are none of ours to wait for. */
static int ask_to_hold(struct light *light, const struct light_device *disks, int count,
		       struct batch *holding)
{
	struct batch ask = { 0 };
	int rc, i;

	for (i = 0; i < count; i++)
		if (is_ours(&disks[i]))
			batch_read(holding, "%s/holding", disks[i].backend);
	rc = batch_run(holding, light->store, 0);
	for (i = 0; !rc && i < (int)holding->count; i++) {
		if (!holding->list[i].reply)
			continue;
		rc = store_watch(light->store, holding->list[i].path, TOKEN_HOLD);
		batch_write(&ask, "0", "%s", holding->list[i].path);
		batch_write(&ask, "1", "%.*s", (int)(strlen(holding->list[i].path) - strlen("ing")),
			    holding->list[i].path);
	}
	rc = rc ? rc : batch_run(&ask, light->store, 0);
	batch_free(&ask);
	return rc;
}

/* 1: all have let go; 0: not yet; -EIO: one cannot. */
static int have_let_go(struct light *light, const struct batch *asked)
{
	struct batch now = { 0 };
	unsigned int i;
	int rc, all = 1;

	for (i = 0; i < asked->count; i++)
		if (asked->list[i].reply)
			batch_read(&now, "%s", asked->list[i].path);
	rc = batch_run(&now, light->store, 0);
	for (i = 0; !rc && i < now.count; i++) {
		if (now.list[i].reply && !strcmp(now.list[i].reply, "failed"))
			rc = -EIO;
		else if (now.list[i].reply && strcmp(now.list[i].reply, "1"))
			all = 0;	/* one whose nodes went meanwhile holds nothing */
	}
	batch_free(&now);
	return rc ? rc : all;
}

static int let_go(struct light *light, const struct light_device *disks, int count)
{
	uint64_t deadline = tools_now_ms() + light->device_wait_ms;
	struct batch asked = { 0 };
	int rc = ask_to_hold(light, disks, count, &asked), done = 0;

	while (!rc && !done) {
		done = have_let_go(light, &asked);
		rc = done < 0 ? done : done ? 0 : light_wait(light, NULL, 0, deadline);
	}
	for (unsigned int i = 0; i < asked.count; i++)
		if (asked.list[i].reply)
			store_unwatch(light->store, asked.list[i].path, TOKEN_HOLD);
	light_drain_events(light);
	batch_free(&asked);
	return rc;
}

/* Their guest goes on: what it asks waits until they have it open, so nobody need wait here. */
static int take_back(struct light *light, const struct light_device *disks, int count)
{
	struct batch held = { 0 }, ask = { 0 };
	int rc, i;

	for (i = 0; i < count; i++)
		if (is_ours(&disks[i]))
			batch_read(&held, "%s/hold", disks[i].backend);
	rc = batch_run(&held, light->store, 0);
	for (i = 0; !rc && i < (int)held.count; i++)
		if (held.list[i].reply && strcmp(held.list[i].reply, "0"))
			batch_write(&ask, "0", "%s", held.list[i].path);
	rc = rc ? rc : batch_run(&ask, light->store, 0);
	batch_free(&held);
	batch_free(&ask);
	return rc;
}

int light_hold_disks(struct light *light, uint32_t domid, bool hold, struct tools_error *error)
{
	struct light_device *disks;
	int count = light_devices(light, domid, "vbd", &disks), rc;

	rc = count < 0 ? count :
	     hold      ? let_go(light, disks, count) :
			 take_back(light, disks, count);
	if (count >= 0)
		light_devices_free(disks, (unsigned int)count);
	if (!rc)
		return 0;
	return tools_hint(error,
			  tools_fail(error, rc, rc == -ECANCELED ? "canceled" : "device",
				     hold ? "the disks of domain %u are not let go of: %s" :
					    "the disks of domain %u cannot be taken back: %s",
				     domid, rc == -ECANCELED ? "given up" : strerror(-rc)),
			  "the log of blkback says more");
}
