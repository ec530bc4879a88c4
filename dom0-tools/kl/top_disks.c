/* SPDX-License-Identifier: MIT */
/*
 * What the disks of our own block backend did, for `kl top`: the daemon writes it into a file when
 * it gets SIGUSR1 (krypton-blkback(8)). Who it is says the lock that it holds as long as it lives;
 * to anybody else that signal would be the end.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "top.h"

#define WAIT_MS	 200	/* for a daemon that is busy */
#define LOOK_MS	 5

const char *top_blkback_folder = "/run/krypton/blkback";

/* The process that holds the daemon's lock; 0: none. */
static pid_t holder(void)
{
	unsigned int on_major, on_minor;
	char path[256], line[256];
	unsigned long inode;
	struct stat lock;
	pid_t found = 0;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "%s/lock", top_blkback_folder);
	f = stat(path, &lock) ? NULL : fopen("/proc/locks", "re");
	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%lu", &pid, &on_major, &on_minor,
			   &inode) == 4 &&
		    inode == lock.st_ino && on_major == major(lock.st_dev) &&
		    on_minor == minor(lock.st_dev))
			found = pid;
	if (f)
		fclose(f);
	return found;
}

/* Asks it to write its file; false: there is nobody to ask. */
static bool ask(void)
{
	pid_t pid = holder();
	int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	bool asked = fd >= 0 && holder() == pid &&
		     !syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0);

	if (fd >= 0)
		close(fd);
	return asked;
}

/* Its file, written after this call began; NULL: none. */
static FILE *fresh_figures(void)
{
	struct stat before = { 0 }, now;
	unsigned int waited;
	char path[256];

	snprintf(path, sizeof(path), "%s/stats", top_blkback_folder);
	stat(path, &before);
	if (!ask())
		return NULL;
	for (waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
		if (!stat(path, &now) && (now.st_ino != before.st_ino ||
					  now.st_mtim.tv_sec != before.st_mtim.tv_sec ||
					  now.st_mtim.tv_nsec != before.st_mtim.tv_nsec))
			return fopen(path, "re");
		poll(NULL, 0, LOOK_MS);
	}
	return NULL;
}

void top_own_disks(const struct kl_snapshot *s, struct top_traffic *all)
{
	FILE *f = fresh_figures();
	struct top_traffic *t;
	uint64_t figures[4];
	unsigned int domid;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line,
			   "%u/%*u reads %" SCNu64 " writes %" SCNu64 " flushes %*u discards %*u "
			   "read_sectors %" SCNu64 " written_sectors %" SCNu64,
			   &domid, &figures[0], &figures[1], &figures[2], &figures[3]) != 5)
			continue;
		t = top_of_domain(s, all, domid);
		if (!t)
			continue;
		t->counted = true;
		for (unsigned int i = 0; i < 4; i++)
			t->disk[1 + i] += figures[i];
	}
	if (f)
		fclose(f);
}
