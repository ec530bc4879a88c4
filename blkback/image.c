/* SPDX-License-Identifier: MIT */
/*
 * A qemu-nbd for each image, connected to a free /dev/nbdN.
 *
 * The file DIRECTORY/FENCE names the N before the server is started, so a later instance of the
 * daemon finds it, running or not. Whether it serves is what /sys/block/nbdN/pid says.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image.h"

#define MAX_DEVICES	1024

extern char **environ;

/* A server that we have started, until it serves or has failed. */
struct child {
	struct child *next;
	uint32_t fence;
	pid_t pid;
	bool cached;		/* second attempt: the file system knows no direct I/O */
};

struct image_server {
	const char *directory, *sysfs;
	struct child *children;
};

/* Claims (claim() below) that a killed instance had not made an association of: nobody would free them. */
static void drop_stale_claims(const char *directory)
{
	bool kept[MAX_DEVICES] = { false };
	struct dirent *entry;
	unsigned int n;
	char path[300];
	int end;
	DIR *d = opendir(directory);
	FILE *f;

	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%s/%.20s", directory, entry->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%u", &n) == 1 && n < MAX_DEVICES)
			kept[n] = true;
		if (f)
			fclose(f);
	}
	if (d)
		rewinddir(d);
	while (d && (entry = readdir(d))) {
		if (sscanf(entry->d_name, "nbd%u%n", &n, &end) != 1 || entry->d_name[end] ||
		    n >= MAX_DEVICES || kept[n])
			continue;
		snprintf(path, sizeof(path), "%s/nbd%u", directory, n);
		unlink(path);
	}
	if (d)
		closedir(d);
}

int image_server_open(struct image_server **server, const char *directory)
{
	struct image_server *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (mkdir(directory, 0700) && errno != EEXIST) {
		free(s);
		return -errno;
	}
	drop_stale_claims(directory);
	s->directory = directory;
	s->sysfs = "/sys";
	*server = s;
	return 0;
}

void image_server_set_sysfs(struct image_server *s, const char *sysfs)
{
	s->sysfs = sysfs;
}

void image_server_close(struct image_server *s)
{
	struct child *c;

	while (s && (c = s->children)) {
		s->children = c->next;
		free(c);
	}
	free(s);
}

/* --- Devices --- */

static bool serves(const struct image_server *s, unsigned int n)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/block/nbd%u/pid", s->sysfs, n);
	return !access(path, F_OK);
}

static bool exists(const struct image_server *s, unsigned int n)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/block/nbd%u", s->sysfs, n);
	return !access(path, F_OK);
}

static void file_of(const struct image_server *s, uint32_t fence, char *path, size_t room)
{
	snprintf(path, room, "%s/%u", s->directory, fence);
}

/* The number kept for the disk; -ENOENT. */
static int kept_number(const struct image_server *s, uint32_t fence)
{
	char path[300];
	unsigned int n;
	int found;
	FILE *f;

	file_of(s, fence, path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return -ENOENT;
	found = fscanf(f, "%u", &n);
	fclose(f);
	return found == 1 && n < MAX_DEVICES ? (int)n : -ENOENT;
}

/* A lock file beside the associations: a number taken and not serving yet is not given twice. */
static bool claim(const struct image_server *s, unsigned int n)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/nbd%u", s->directory, n);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void unclaim(const struct image_server *s, uint32_t fence)
{
	int n = kept_number(s, fence);
	char path[300];

	snprintf(path, sizeof(path), "%s/nbd%d", s->directory, n);
	if (n >= 0)
		unlink(path);
	file_of(s, fence, path, sizeof(path));
	unlink(path);
}

static int take_number(const struct image_server *s, uint32_t fence)
{
	unsigned int n = 0;
	char path[300];
	FILE *f;

	while (n < MAX_DEVICES && exists(s, n) && (serves(s, n) || !claim(s, n)))
		n++;
	if (n == MAX_DEVICES || !exists(s, n))
		return -ENODEV;
	file_of(s, fence, path, sizeof(path));
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, "%u\n", n);
	return fclose(f) ? -EIO : (int)n;
}

/* --- Servers --- */

static int start(struct child *c, unsigned int n, const char *path, const char *format,
		 bool read_only)
{
	char device[32], connect[48], kind[48];
	char *arguments[12], **a = arguments;
	posix_spawnattr_t attributes;
	sigset_t none, pipe;
	int rc;

	snprintf(device, sizeof(device), "/dev/nbd%u", n);
	snprintf(connect, sizeof(connect), "--connect=%s", device);
	snprintf(kind, sizeof(kind), "--format=%.32s", format);
	*a++ = "qemu-nbd";
	*a++ = connect;
	*a++ = kind;
	*a++ = c->cached ? "--cache=writeback" : "--cache=none";
	*a++ = "--discard=unmap";
	if (read_only)
		*a++ = "--read-only";
	*a++ = "--";
	*a++ = (char *)path;
	*a = NULL;
	posix_spawnattr_init(&attributes);
	/* It inherits neither what the loop blocks nor what the daemon ignores. */
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &pipe);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawnp(&c->pid, arguments[0], NULL, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	return -rc;
}

static struct child **find_child(struct image_server *s, uint32_t fence)
{
	struct child **link = &s->children;

	while (*link && (*link)->fence != fence)
		link = &(*link)->next;
	return link;
}

static void forget_child(struct child **link)
{
	struct child *c = *link;

	*link = c->next;
	free(c);
}

/* One that runs is waited for; one that failed is tried once more through the page cache. */
static int look_after(struct image_server *s, struct child **link, unsigned int n, const char *path,
		      const char *format, bool read_only)
{
	struct child *c = *link;
	int status, rc;

	if (waitpid(c->pid, &status, WNOHANG) == 0)
		return -EAGAIN;
	rc = -EIO;
	if (!c->cached) {
		c->cached = true;
		rc = start(c, n, path, format, read_only);
		if (!rc)
			return -EAGAIN;
	}
	unclaim(s, c->fence);
	forget_child(link);
	return rc;
}

static int start_new(struct image_server *s, uint32_t fence, unsigned int n, const char *path,
		     const char *format, bool read_only)
{
	struct child *c = calloc(1, sizeof(*c));
	int rc = c ? start(c, n, path, format, read_only) : -ENOMEM;

	if (rc) {
		free(c);
		unclaim(s, fence);
		return rc;
	}
	c->fence = fence;
	c->next = s->children;
	s->children = c;
	return -EAGAIN;
}

int image_open(struct image_server *s, uint32_t fence, const char *path, const char *format,
	       bool read_only, char *device, size_t room)
{
	struct child **link = find_child(s, fence);
	int n = kept_number(s, fence);

	if (n < 0)
		n = take_number(s, fence);
	if (n < 0)
		return n;
	if (!serves(s, n))
		return *link ? look_after(s, link, n, path, format, read_only) :
			       start_new(s, fence, n, path, format, read_only);
	if (*link)
		forget_child(link);
	snprintf(device, room, "/dev/nbd%d", n);
	return 0;
}

void image_close(struct image_server *s, uint32_t fence)
{
	int n = kept_number(s, fence), fd;
	char device[32];

	if (n < 0)
		return;
	snprintf(device, sizeof(device), "/dev/nbd%d", n);
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		ioctl(fd, NBD_DISCONNECT);	/* qemu-nbd writes back and ends */
		close(fd);
	}
	unclaim(s, fence);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
