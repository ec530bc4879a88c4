/* SPDX-License-Identifier: MIT */
/*
 * Whole files at once: read with a limit, replaced atomically.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tools/util.h>

void tools_keep_standard_files(void)
{
	/* The lowest free number is taken; the wrong way round: nobody takes it for a success. */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			return;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t done = write(fd, bytes, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		bytes += done;
		length -= done;
	}
	return 0;
}

int tools_write_file(const char *path, const void *bytes, size_t length, unsigned int mode)
{
	char *temporary = tools_asprintf("%s.XXXXXX", path);
	int fd, rc;

	if (!temporary)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		goto free_name;
	}
	rc = write_all(fd, bytes, length);
	if (!rc && (fchmod(fd, mode) || fsync(fd)))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc)
		unlink(temporary);
free_name:
	free(temporary);
	return rc;
}

int tools_read_file(const char *path, size_t limit, char **bytes, size_t *length)
{
	size_t used = 0, room = 4096;
	char *text = NULL;
	struct stat info;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &info) && info.st_size > 0 && (uint64_t)info.st_size < SIZE_MAX / 2)
		room = (size_t)info.st_size + 1;
	for (;;) {
		/* One byte more than allowed shows that the file is too long. */
		size_t want = room <= limit ? room : limit + 1;
		char *bigger = realloc(text, want + 1);
		ssize_t done;

		if (!bigger) {
			rc = -ENOMEM;
			break;
		}
		text = bigger;
		while ((done = read(fd, text + used, want - used)) < 0 && errno == EINTR)
			;
		if (done <= 0) {
			rc = done ? -errno : 0;
			break;
		}
		used += done;
		if (used > limit) {
			rc = -EFBIG;
			break;
		}
		if (used == want)
			room *= 2;
	}
	close(fd);
	if (rc) {
		free(text);
		return rc;
	}
	text[used] = '\0';
	*bytes = text;
	if (length)
		*length = used;
	return 0;
}
