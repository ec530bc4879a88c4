/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a disk of domain 0: the number of a block device, or a loop device around a
 * file, found without running a script; and the check that two guests do not write to the same one.
 *
 * A loop device is recorded in the backend's nodes as older tools did (type "file", node
 * "/dev/loopN"), so that Debian's block script, run by another tool at removal, detaches it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "domain.h"

#define LOOP_TRIES 16

int loop_detach(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? 0 : -errno;
	/* While the backend still has it open this only marks it: it goes with the last user. */
	if (ioctl(fd, LOOP_CLR_FD, 0) && errno != ENXIO)
		rc = -errno;
	close(fd);
	return rc;
}

/* Binds @file_fd to a free loop device: its descriptor, path in @path; -errno. */
static int loop_attach(int file_fd, const char *file, bool writable, char path[32])
{
	struct loop_config config = { .fd = (uint32_t)file_fd };
	int control, fd, number, tries, rc = -EBUSY;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	config.info.lo_flags = writable ? 0 : LO_FLAGS_READ_ONLY;
	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", file);
	for (tries = 0; tries < LOOP_TRIES; tries++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0) {
			rc = -errno;
			break;
		}
		snprintf(path, 32, "/dev/loop%d", number);
		fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (fd < 0) {
			rc = -errno;
			break;
		}
		if (!ioctl(fd, LOOP_CONFIGURE, &config)) {
			close(control);
			return fd;
		}
		rc = -errno;
		close(fd);
		if (rc != -EBUSY) /* somebody else was faster */
			break;
	}
	close(control);
	return rc;
}

/* What tells a disk's contents: a block device's number, a file, or both (a loop device). */
struct identity {
	dev_t device;		/* 0: none */
	dev_t on;		/* the file's file system and number there; 0: no file */
	ino_t inode;
};

static void identify_loop(struct identity *identity)
{
	struct loop_info64 info;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/loop%u", minor(identity->device));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!ioctl(fd, LOOP_GET_STATUS64, &info)) {
		identity->on = (dev_t)info.lo_device;
		identity->inode = (ino_t)info.lo_inode;
	}
	close(fd);
}

static void identify(struct identity *identity, const struct stat *st)
{
	*identity = (struct identity){ 0 };
	if (S_ISREG(st->st_mode)) {
		identity->on = st->st_dev;
		identity->inode = st->st_ino;
	} else if (S_ISBLK(st->st_mode)) {
		identity->device = st->st_rdev;
		if (major(st->st_rdev) == LOOP_MAJOR)
			identify_loop(identity);
	}
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return (a->device && a->device == b->device) ||
	       (a->inode && a->inode == b->inode && a->on == b->on);
}

/* Another guest's disk by its backend's nodes: the kernel's backend's number, else the path. */
static void identify_nodes(struct identity *identity, const char *number, const char *params)
{
	unsigned int high, low;
	struct stat st;

	*identity = (struct identity){ 0 };
	if (number && sscanf(number, "%x:%x", &high, &low) == 2) {
		identity->device = makedev(high, low);
		if (high == LOOP_MAJOR)
			identify_loop(identity);
		if (high != LOOP_MAJOR || identity->inode)
			return;
	}
	params = params ? strchr(params, '/') : NULL;	/* "aio:/path", too */
	if (params && !stat(params, &st) && S_ISREG(st.st_mode)) {
		identity->on = st.st_dev;
		identity->inode = st.st_ino;
	} else if (params && !stat(params, &st) && !identity->device) {
		identify(identity, &st);
	}
}

/* Guests of the backend @kind, then their disks. */
static int list_disks(struct light *light, const char *kind, struct batch *disks)
{
	struct batch guests = { 0 };
	const char *p, *end;
	int rc;

	batch_list(&guests, "/local/domain/0/backend/%s", kind);
	rc = batch_run(&guests, light->store, 0);
	p = rc ? NULL : guests.list[0].reply;
	end = p ? p + guests.list[0].reply_length : NULL;
	for (; p && p < end && *p; p += strlen(p) + 1)
		batch_list(disks, "/local/domain/0/backend/%s/%s", kind, p);
	batch_free(&guests);
	return rc;
}

/*
 * Is it another guest's, in a way that excludes ours? -EBUSY with the cause; 0. A few batches
 * whatever the number of guests: guests, their disks, what these are. Disks of our own daemon it
 * keeps apart itself, by locks of files, which the kernel's backend does not know.
 */
static int check_sharing(struct light *light, const struct light_disk *disk, const struct stat *st,
			 struct tools_error *error)
{
	struct batch disks = { 0 }, nodes = { 0 };
	struct identity ours, theirs;
	const char *p, *end, *mode;
	unsigned int i;
	int rc = list_disks(light, "vbd", &disks), domid;

	if (!rc && disk->backend != LIGHT_BACKEND_QDISK)
		rc = list_disks(light, "qblk", &disks);
	rc = rc ? rc : batch_run(&disks, light->store, 0);
	for (i = 0; i < disks.count && !rc; i++) {
		p = disks.list[i].reply;
		end = p ? p + disks.list[i].reply_length : NULL;
		for (; p && p < end && *p; p += strlen(p) + 1) {
			batch_read(&nodes, "%s/%s/physical-device", disks.list[i].path, p);
			batch_read(&nodes, "%s/%s/mode", disks.list[i].path, p);
			batch_read(&nodes, "%s/%s/params", disks.list[i].path, p);
		}
	}
	rc = rc ? rc : batch_run(&nodes, light->store, 0);
	identify(&ours, st);
	for (i = 0; i + 2 < nodes.count && !rc; i += 3) {
		mode = nodes.list[i + 1].reply;
		if (disk->shared || (!disk->readwrite && mode && *mode == 'r'))
			continue;
		identify_nodes(&theirs, nodes.list[i].reply, nodes.list[i + 2].reply);
		if (!is_same(&ours, &theirs) ||
		    sscanf(nodes.list[i].path, "/local/domain/0/backend/%*[^/]/%d", &domid) != 1)
			continue;
		rc = tools_fail(error, -EBUSY, "device", "disk %s: %s is in use by domain %d (%s)",
				disk->vdev, disk->pdev_path, domid,
				mode && *mode == 'r' ? "read-only, this one wants to write" :
						       "which may write to it");
	}
	batch_free(&disks);
	batch_free(&nodes);
	return rc;
}

static int fail(const struct light_disk *disk, int rc, const char *what, struct tools_error *error)
{
	return tools_fail(error, rc, "device", "disk %s: %s %s: %s", disk->vdev, what,
			  disk->pdev_path, strerror(-rc));
}

int disk_backing_open(struct light *light, const struct light_disk *disk,
		      struct disk_backing *backing, struct tools_error *error)
{
	struct stat st;
	int fd, rc;

	memset(backing, 0, sizeof(*backing));
	backing->loop_fd = -1;
	if (disk->script || disk->backend_domid || disk->format == LIGHT_FORMAT_EMPTY)
		return 0;
	if (disk->backend == LIGHT_BACKEND_QDISK)
		return stat(disk->pdev_path, &st) ? 0 : check_sharing(light, disk, &st, error);
	if (disk->backend != LIGHT_BACKEND_PHY)
		return 0;
	fd = open(disk->pdev_path, (disk->readwrite ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return fail(disk, rc, "cannot open", error);
	}
	rc = check_sharing(light, disk, &st, error);
	if (S_ISREG(st.st_mode)) {
		if (!rc) {
			backing->loop_fd = loop_attach(fd, disk->pdev_path, disk->readwrite,
						       backing->loop);
			rc = backing->loop_fd < 0 ?
				     fail(disk, backing->loop_fd, "no loop device for", error) :
			     fstat(backing->loop_fd, &st) ? -errno :
							    0;
		}
	} else if (!rc && !S_ISBLK(st.st_mode)) {
		rc = fail(disk, -ENOTBLK, "neither file nor block device:", error);
	}
	close(fd);
	snprintf(backing->device_number, sizeof(backing->device_number), "%x:%x", major(st.st_rdev),
		 minor(st.st_rdev));
	backing->native = !rc;
	if (rc)
		disk_backing_close(backing, true);
	return rc;
}

void disk_backing_close(struct disk_backing *backing, bool undo)
{
	if (backing->loop_fd < 0)
		return;
	if (undo)
		ioctl(backing->loop_fd, LOOP_CLR_FD, 0);
	close(backing->loop_fd);
	backing->loop_fd = -1;
}
