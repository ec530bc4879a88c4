/* SPDX-License-Identifier: MIT */
/*
 * Files that outlive a backend's process: memory for what is to be mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <pv/linux.h>

int pv_file_reserve(int fd, uint64_t bytes)
{
	int rc = posix_fallocate(fd, 0, (off_t)bytes);

	return rc == EOPNOTSUPP || rc == EINVAL ? ftruncate(fd, (off_t)bytes) : rc;
}
