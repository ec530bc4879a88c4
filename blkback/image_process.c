/* SPDX-License-Identifier: MIT */
/*
 * Starting qemu-nbd and qemu-img. The server gets a listening socket in the way of systemd's socket activation,
 * so the connection exists before it has begun, and its end tells of a server that refused the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "image_process.h"

#define LISTEN_FD	3	/* where socket activation has it */
#define LOCK_FD		4
#define ENVIRONMENT_MAX	256

extern char **environ;

int image_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	rc = errno == EWOULDBLOCK ? -EAGAIN : -errno;
	close(fd);
	return rc;
}

/* In the child: signals as a program expects them, the descriptors in their places, the end with the parent's. */
static void prepare(pid_t parent, int listener, int lock)
{
	sigset_t none;
	int high_listener = listener < 0 ? -1 : fcntl(listener, F_DUPFD_CLOEXEC, LOCK_FD + 1);
	int high_lock = fcntl(lock, F_DUPFD_CLOEXEC, LOCK_FD + 1);

	if (high_lock < 0 || (listener >= 0 && high_listener < 0))
		_exit(1);
	if (high_listener >= 0)
		dup2(high_listener, LISTEN_FD);
	dup2(high_lock, LOCK_FD);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
}

/* @listener: given to the program, or -1. */
static pid_t run(char **arguments, int listener, int lock)
{
	char *environment[ENVIRONMENT_MAX + 3], pid_word[32];
	pid_t parent = getpid(), pid;
	unsigned int n = 0;

	for (char **e = environ; *e && n < ENVIRONMENT_MAX; e++)
		environment[n++] = *e;
	environment[n] = NULL;
	/*
	 * We stand still until it has become the program: a copy of us that runs on would hold the locks of files
	 * that we close meanwhile.
	 */
	pid = vfork();
	if (pid < 0)
		return -errno;
	if (pid)
		return pid;
	prepare(parent, listener, lock);
	if (listener >= 0) {
		snprintf(pid_word, sizeof(pid_word), "LISTEN_PID=%ld", (long)getpid());
		environment[n++] = "LISTEN_FDS=1";
		environment[n++] = pid_word;
		environment[n] = NULL;
	}
	execvpe(arguments[0], arguments, environment);
	dprintf(STDERR_FILENO, "blkback: %s: %s\n", arguments[0], strerror(errno));
	_exit(127);
}

/* A socket that listens, and a connection to it. */
static int make_sockets(const char *name, int *listener, int *fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int rc;

	if (strlen(name) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, name);
	unlink(name);
	*fd = -1;
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0)
		return -errno;
	if (bind(*listener, (void *)&address, sizeof(address)) || listen(*listener, 1))
		goto fail;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || connect(*fd, (void *)&address, sizeof(address)) ||
	    fcntl(*fd, F_SETFL, O_NONBLOCK))
		goto fail;
	unlink(name);
	return 0;

fail:
	rc = -errno;
	unlink(name);
	if (*fd >= 0)
		close(*fd);
	close(*listener);
	return rc;
}

pid_t image_serve(const struct image_file *file, const char *name, int lock, int *fd)
{
	char kind[48], *arguments[10], **a = arguments;
	int listener, rc = make_sockets(name, &listener, fd);
	pid_t pid;

	if (rc)
		return rc;
	snprintf(kind, sizeof(kind), "--format=%.32s", file->format);
	*a++ = "qemu-nbd";
	*a++ = kind;
	*a++ = file->cached ? "--cache=writeback" : "--cache=none";
	*a++ = "--discard=unmap";
	if (file->read_only)
		*a++ = "--read-only";
	*a++ = "--";
	*a++ = (char *)file->path;
	*a = NULL;
	pid = run(arguments, listener, lock);
	close(listener);
	if (pid < 0)
		close(*fd);
	return pid;
}

pid_t image_grow(const struct image_file *file, uint64_t bytes, int lock)
{
	char size[24], *arguments[] = {
		"qemu-img", "resize", "-q", "-f", (char *)file->format, "--", (char *)file->path, size, NULL,
	};

	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	return run(arguments, -1, lock);
}
