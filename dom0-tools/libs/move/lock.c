/* SPDX-License-Identifier: MIT */
/*
 * One save or migration of a domain at a time: two would take each other's dirty bits. A file per
 * domain beside light's markers, locked by the process that moves it, says who that is, so that it
 * can be told to give up; if it died, move_gc() puts right what it left in a guest that runs on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "private.h"

#define PREFIX	"moving-"
#define LOOK_NS 50000000L
#define LOOKERS_MS 1000U

static void lock_path(struct light *light, domid_t domid, char path[256])
{
	snprintf(path, 256, "%.200s/kl/" PREFIX "%u", light->run_dir, domid);
}

/* Opened, locked and still the file of that name: its descriptor; -EBUSY, or -errno. */
static int open_locked(const char *path, int flags)
{
	struct stat ours, named;
	int fd, rc;

	for (;;) {
		fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
			close(fd);
			return rc;
		}
		if (!fstat(fd, &ours) && !stat(path, &named) && ours.st_ino == named.st_ino)
			return fd;
		/* Its owner took it away just now. */
		close(fd);
	}
}

/* The process that the file names, 0: it names none yet. */
static pid_t owner(const char *path)
{
	char *text;
	size_t length;
	pid_t pid = 0;

	if (!tools_read_file(path, 256, &text, &length)) {
		pid = (pid_t)strtol(text, NULL, 10);
		free(text);
	}
	return pid > 1 ? pid : 0;
}

/* Its owner died and left @fd, locked by us by now: what he left in the guest is put right. */
static void put_right(struct light *light, domid_t domid, const char *path, int fd)
{
	struct xen_domctl_getdomaininfo info;
	char text[128] = "", uuid[37] = "", now[37];
	uint32_t cap = 0;
	int pid, words;

	words = pread(fd, text, sizeof(text) - 1, 0) > 0 ?
			sscanf(text, "%d %36s %" SCNu32, &pid, uuid, &cap) :
			0;
	if (words > 1 && !ctl_getdomaininfo(light->ctl, domid, &info) &&
	    !(info.flags & XEN_DOMINF_dying)) {
		light_uuid_format(info.handle, now);
		/* The number may be another domain's by now. */
		if (!strcmp(now, uuid)) {
			ctl_shadow_op(light->ctl, domid, XEN_DOMCTL_SHADOW_OP_OFF, 0, NULL, NULL,
				      NULL);
			move_take_back_request(light, domid);
			if (words > 2)
				brake_cap_set(light->ctl, domid, cap);
			/* Resumed by a tool that does not know of them. */
			if (!move_is_suspended(light->ctl, domid))
				light_hold_disks(light, domid, false, NULL);
		}
	}
	unlink(path);
	close(fd);
}

/* Locked, with nothing of a dead owner's in it; -EBUSY, or -errno. Who only looks is waited for. */
static int take_file(struct light *light, domid_t domid, const char *path)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t end = tools_now_ms() + LOOKERS_MS;
	struct stat st;
	pid_t pid;
	int fd;

	for (;;) {
		fd = open_locked(path, O_CREAT);
		if (fd >= 0 && (fstat(fd, &st) || !st.st_size))
			return fd;
		if (fd >= 0) {
			put_right(light, domid, path, fd);
			continue;
		}
		pid = fd == -EBUSY ? owner(path) : 0;
		/* It lives, or it is too long for a look. */
		if (fd != -EBUSY || (pid && !kill(pid, 0)) || tools_now_ms() > end)
			return fd;
		nanosleep(&pause, NULL);
	}
}

int move_lock_take(struct light *light, domid_t domid, struct move_lock *lock,
		   struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info = { 0 };
	char line[128], folder[220], uuid[37];
	uint32_t cap;
	int n, rc;

	snprintf(folder, sizeof(folder), "%.200s/kl", light->run_dir);
	if (mkdir(folder, 0755) && errno == ENOENT) {
		mkdir(light->run_dir, 0755);
		mkdir(folder, 0755);
	}
	lock_path(light, domid, lock->path);
	lock->fd = take_file(light, domid, lock->path);
	if (lock->fd == -EBUSY)
		return tools_hint(error,
				  tools_fail(error, -EBUSY, "busy",
					     "process %d saves or migrates domain %u already",
					     (int)owner(lock->path), domid),
				  "kl migrate-cancel makes it give up");
	if (lock->fd < 0)
		return tools_fail(error, lock->fd, "lock", "%s: %s", lock->path,
				  strerror(-lock->fd));
	ctl_getdomaininfo(light->ctl, domid, &info);
	light_uuid_format(info.handle, uuid);
	n = snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), uuid);
	/* The brake may change it. */
	if (!brake_cap_get(light->ctl, domid, &cap))
		n = snprintf(line, sizeof(line), "%d %s %" PRIu32 "\n", (int)getpid(), uuid, cap);
	errno = ENOSPC;
	if (write(lock->fd, line, (size_t)n) == n)
		return 0;
	rc = -errno;
	move_lock_drop(lock);
	return tools_fail(error, rc, "lock", "%s cannot be written: %s", lock->path, strerror(-rc));
}

void move_lock_drop(struct move_lock *lock)
{
	if (lock->fd < 0)
		return;
	unlink(lock->path);
	close(lock->fd);
	lock->fd = -1;
}

int move_cancel(struct light *light, domid_t domid, unsigned int wait_ms,
		struct tools_error *error)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t end = tools_now_ms() + wait_ms;
	char path[256];
	pid_t pid;
	int fd;

	lock_path(light, domid, path);
	fd = open_locked(path, 0);
	if (fd >= 0)
		close(fd);
	pid = fd == -EBUSY ? owner(path) : 0;
	if (!pid)
		return tools_fail(error, -ESRCH, "not-moving",
				  "nobody saves or migrates domain %u", domid);
	if (kill(pid, SIGINT))
		return tools_fail(error, -errno, "signal", "process %d: %s", (int)pid,
				  strerror(errno));
	for (;;) {
		fd = open_locked(path, 0);
		if (fd != -EBUSY)
			break;
		if (tools_now_ms() > end)
			return tools_fail(error, -ETIMEDOUT, "busy",
					  "process %d was told, and still moves domain %u",
					  (int)pid, domid);
		nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

int move_gc(struct light *light)
{
	char folder[220], path[256];
	struct dirent *entry;
	int fd, count = 0;
	domid_t domid;
	DIR *d;

	snprintf(folder, sizeof(folder), "%.200s/kl", light->run_dir);
	d = opendir(folder);
	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)))
			continue;
		domid = (domid_t)atoi(entry->d_name + strlen(PREFIX));
		lock_path(light, domid, path);
		fd = open_locked(path, 0);
		if (fd < 0)
			continue;
		put_right(light, domid, path, fd);
		count++;
	}
	closedir(d);
	return count;
}
