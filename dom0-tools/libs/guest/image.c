/* SPDX-License-Identifier: MIT */
/*
 * Kernel and ramdisk files. Files are mapped, not read: of most, only the headers are looked at
 * here, and the builder reads the rest from the descriptor straight into the guest's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "private.h"

/* What a file of this role may be at most; also keeps lengths far from overflow. */
#define KERNEL_MAX	GIB(1)
#define RAMDISK_MAX	GIB(64)

static int load(const char *path, const char *role, uint64_t limit, struct guest_image *out,
		struct tools_error *error)
{
	struct stat info;
	int rc;

	memset(out, 0, sizeof(*out));
	out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (out->fd < 0 || fstat(out->fd, &info)) {
		rc = -errno;
		tools_fail(error, rc, "no-image", "%s %s: %s", role, path, strerror(-rc));
		goto close_fd;
	}
	if (!S_ISREG(info.st_mode)) {
		rc = tools_fail(error, -EINVAL, "bad-image", "%s %s is not a file", role, path);
		goto close_fd;
	}
	if (info.st_size <= 0 || (uint64_t)info.st_size > limit) {
		rc = tools_fail(error, -EINVAL, "bad-image", "%s %s: it is %s", role, path,
				info.st_size ? "too large" : "empty");
		goto close_fd;
	}
	out->length = info.st_size;
	out->bytes = mmap(NULL, out->length, PROT_READ, MAP_PRIVATE, out->fd, 0);
	if (out->bytes == MAP_FAILED) {
		rc = -errno;
		tools_fail(error, rc, "no-memory", "%s %s: %s", role, path, strerror(-rc));
		goto close_fd;
	}
	return 0;

close_fd:
	if (out->fd >= 0)
		close(out->fd);
	out->bytes = NULL;
	out->fd = -1;
	return rc;
}

int guest_image_load_kernel(const char *path, struct guest_image *out, struct tools_error *error)
{
	size_t part_length, length;
	const uint8_t *part;
	uint8_t *unpacked;
	const char *why = "it is a damaged or too old bzImage";
	int rc = load(path, "kernel", KERNEL_MAX, out, error);

	if (rc)
		return rc;
	rc = guest_packed_part(out->bytes, out->length, &part, &part_length);
	if (rc == -ENOEXEC)
		return 0;
	if (!rc) {
		madvise(out->bytes, out->length, MADV_WILLNEED);
		rc = guest_unpack(part, part_length, &unpacked, &length, &why);
	}
	guest_image_free(out);
	if (rc)
		return tools_fail(error, rc, rc == -ENOMEM ? "no-memory" : "bad-image",
				  "kernel %s cannot be unpacked: %s", path, why);
	out->bytes = unpacked;
	out->length = length;
	return 0;
}

int guest_image_load_ramdisk(const char *path, struct guest_image *out, struct tools_error *error)
{
	return load(path, "ramdisk", RAMDISK_MAX, out, error);
}

void guest_image_free(struct guest_image *image)
{
	if (image->fd >= 0) {
		if (image->bytes)
			munmap(image->bytes, image->length);
		close(image->fd);
	} else {
		free(image->bytes);
	}
	memset(image, 0, sizeof(*image));
	image->fd = -1;
}
