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

/*
 * Is device @number another guest's, in a way that excludes ours? -EBUSY with the cause; 0.
 * Three batches whatever the number of guests: guests, their disks, the disks' numbers and modes.
 */
static int check_sharing(struct light *light, const struct light_disk *disk, const char *number,
			 struct tools_error *error)
{
	struct batch guests = { 0 }, disks = { 0 }, numbers = { 0 };
	const char *p, *q, *end;
	unsigned int i;
	int rc;

	batch_list(&guests, "/local/domain/0/backend/vbd");
	rc = batch_run(&guests, light->store, 0);
	p = rc || !guests.count ? NULL : guests.list[0].reply;
	end = p ? p + guests.list[0].reply_length : NULL;
	for (; p && p < end && *p; p += strlen(p) + 1)
		batch_list(&disks, "/local/domain/0/backend/vbd/%s", p);
	rc = rc ? rc : batch_run(&disks, light->store, 0);
	for (i = 0; i < disks.count && !rc; i++) {
		q = disks.list[i].reply;
		end = q ? q + disks.list[i].reply_length : NULL;
		for (; q && q < end && *q; q += strlen(q) + 1) {
			batch_read(&numbers, "%s/%s/physical-device", disks.list[i].path, q);
			batch_read(&numbers, "%s/%s/mode", disks.list[i].path, q);
		}
	}
	rc = rc ? rc : batch_run(&numbers, light->store, 0);
	for (i = 0; i + 1 < numbers.count && !rc; i += 2) {
		p = numbers.list[i].reply;
		q = numbers.list[i + 1].reply;
		if (!p || strcmp(p, number) || disk->shared || (!disk->readwrite && q && *q == 'r'))
			continue;
		rc = tools_fail(error, -EBUSY, "device", "disk %s: %s is in use by domain %d (%s)",
				disk->vdev, disk->pdev_path,
				atoi(numbers.list[i].path + strlen("/local/domain/0/backend/vbd/")),
				q && *q == 'r' ? "read-only, this one wants to write" :
						 "which may write to it");
	}
	batch_free(&guests);
	batch_free(&disks);
	batch_free(&numbers);
	return rc;
}

static int fail(const struct light_disk *disk, int rc, const char *what, struct tools_error *error)
{
	return tools_fail(error, rc, "device", "disk %s: %s %s: %s", disk->vdev, what,
			  disk->pdev_path, strerror(-rc));
}

/* A file that a loop device of another guest already stands on is caught by its inode. */
static int check_file(struct light *light, const struct light_disk *disk, const struct stat *file,
		      struct tools_error *error)
{
	char number[24];
	struct loop_info64 info;
	struct stat loop;
	char path[64];
	int i, fd, rc = 0;

	for (i = 0; i < 4096 && !rc; i++) {
		snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", i);
		if (access(path, F_OK)) {
			snprintf(path, sizeof(path), "/sys/block/loop%d", i);
			if (access(path, F_OK))
				break;
			continue;
		}
		snprintf(path, sizeof(path), "/dev/loop%d", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, LOOP_GET_STATUS64, &info) && info.lo_inode == file->st_ino &&
		    info.lo_device == file->st_dev && !fstat(fd, &loop)) {
			snprintf(number, sizeof(number), "%x:%x", major(loop.st_rdev),
				 minor(loop.st_rdev));
			rc = check_sharing(light, disk, number, error);
		}
		close(fd);
	}
	return rc;
}

int disk_backing_open(struct light *light, const struct light_disk *disk,
		      struct disk_backing *backing, struct tools_error *error)
{
	struct stat st;
	int fd, rc;

	memset(backing, 0, sizeof(*backing));
	backing->loop_fd = -1;
	if (disk->script || disk->backend_domid || disk->backend != LIGHT_BACKEND_PHY ||
	    disk->format == LIGHT_FORMAT_EMPTY)
		return 0;
	fd = open(disk->pdev_path, (disk->readwrite ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return fail(disk, rc, "cannot open", error);
	}
	if (S_ISREG(st.st_mode)) {
		rc = check_file(light, disk, &st, error);
		if (!rc) {
			backing->loop_fd = loop_attach(fd, disk->pdev_path, disk->readwrite,
						       backing->loop);
			rc = backing->loop_fd < 0 ?
				     fail(disk, backing->loop_fd, "no loop device for", error) :
			     fstat(backing->loop_fd, &st) ? -errno :
							    0;
		}
	} else {
		rc = S_ISBLK(st.st_mode) ?
			     0 :
			     fail(disk, -ENOTBLK, "neither file nor block device:", error);
	}
	close(fd);
	snprintf(backing->device_number, sizeof(backing->device_number), "%x:%x", major(st.st_rdev),
		 minor(st.st_rdev));
	if (!rc && backing->loop_fd < 0)
		rc = check_sharing(light, disk, backing->device_number, error);
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
