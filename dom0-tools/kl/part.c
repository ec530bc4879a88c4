/* SPDX-License-Identifier: MIT */
/*
 * The file that becomes FILE once it is complete, for verbs that write large ones: FILE.part.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kl.h"

int kl_open_part(const char *path)
{
	int tries, fd, old, rc;
	struct stat st;

	for (tries = 0; tries < 10; tries++) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0) {
			/* Unless somebody took it for a leftover before it was locked. */
			if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st) && st.st_nlink)
				return fd;
			close(fd);
			continue;
		}
		if (errno != EEXIST)
			return -errno;
		old = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (old >= 0 && flock(old, LOCK_EX | LOCK_NB)) {
			close(old);
			return -EBUSY;
		}
		rc = unlink(path) && errno != ENOENT ? -errno : 0;
		if (old >= 0)
			close(old);	/* not before: the lock keeps its owner from writing it */
		if (rc)
			return rc;
	}
	return -EBUSY;
}
