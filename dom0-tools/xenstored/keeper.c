/* SPDX-License-Identifier: MIT */
/*
 * The keeper: the process that stays when the worker is killed.
 *
 * It is forked with a shared table of file descriptors, so each socket that a worker accepts is the
 * keeper's, too, without a message; a new worker finds them all open. It reads and writes nothing.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "linux.h"

#define FAST 10			/* restarts within a second that are too many */
#define TRIES 10		/* workers, none of which ever served, ... */
#define PATIENCE 30		/* ... or seconds of that, after which nobody waits for us any more */

static volatile pid_t worker;
static volatile sig_atomic_t stopping;

/* The service manager stops the keeper; the worker is who has to end first. */
static void pass_on(int sig)
{
	if (sig != SIGHUP)
		stopping = 1;
	if (worker > 0)
		kill(worker, sig);
}

void notify_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	static const char text[] = "READY=1";
	socklen_t length;
	int fd;

	if (!path || !*path || strlen(path) >= sizeof(to.sun_path))
		return;
	strcpy(to.sun_path, path);
	length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
	if (*path == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, sizeof(text) - 1, MSG_NOSIGNAL, (struct sockaddr *)&to, length) < 0)
		fprintf(stderr, "xenstored: notifying %s: %s\n", path, strerror(errno));
	close(fd);
}

static void reset_signals(void)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

/* Notes the worker's id, or 0 if the keeper was told to stop; -1: there could be none. */
static pid_t start_worker(struct options *options, bool crashed, bool adopted, int ready_fd)
{
	pid_t keeper = getpid(), pid = 0;
	sigset_t passed, old;

	/* A signal comes before this, or when there is a worker to pass it on to. */
	sigemptyset(&passed);
	sigaddset(&passed, SIGTERM);
	sigaddset(&passed, SIGINT);
	sigaddset(&passed, SIGHUP);
	sigprocmask(SIG_BLOCK, &passed, &old);
	/* As fork(), but the table of descriptors stays one. */
	if (!stopping)
		pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid || stopping) {
		worker = pid;
		sigprocmask(SIG_SETMASK, &old, NULL);
		return pid;
	}
	reset_signals();
	sigprocmask(SIG_SETMASK, &old, NULL);
	prctl(PR_SET_NAME, "xenstored");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(EXIT_FATAL);
	_exit(worker_run(options, crashed, adopted, ready_fd));
}

static time_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* A live update: the new program on the same sockets. */
static void replace(struct options *options)
{
	FILE *f;
	char path[300], number[32];

	snprintf(path, sizeof(path), "%s/live-update", options->run_dir);
	f = fopen(path, "re");
	if (!f)
		return;
	if (!fgets(path, sizeof(path), f))
		path[0] = 0;
	fclose(f);
	snprintf(number, sizeof(number), "%d %d", options->listen_fd, options->lock_fd);
	setenv("XENSTORED_KEPT", number, 1);
	execv(path, options->argv);
	fprintf(stderr, "xenstored: live update to %s: %s\n", path, strerror(errno));
	unsetenv("XENSTORED_KEPT");
}

/*
 * A worker has ended: whoever started us in the background, and waits for one that serves, has
 * waited enough? Those that served have turned @ready_fd, a pipe, into something that leads
 * nowhere.
 */
static bool give_up(int ready_fd, unsigned int tries, time_t since)
{
	struct stat st;

	if (ready_fd < 0 || fstat(ready_fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return false;
	return tries >= TRIES || now_s() - since >= PATIENCE;
}

int keeper_run(struct options *options, bool adopted, int ready_fd)
{
	bool crashed = false;
	unsigned int fast = 0, tries = 0;
	time_t last = 0, since = now_s();

	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	signal(SIGHUP, pass_on);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		pid_t pid = start_worker(options, crashed, adopted, ready_fd);
		int status;

		if (pid <= 0)
			return pid ? EXIT_FATAL : EXIT_STOP;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		worker = 0;
		if (stopping)
			return EXIT_STOP;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UPDATE)
			replace(options);
		else if (WIFEXITED(status) && WEXITSTATUS(status) <= EXIT_FATAL)
			return WEXITSTATUS(status);
		crashed = WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
		adopted = true;
		if (give_up(ready_fd, ++tries, since)) {
			close(ready_fd);
			ready_fd = -1;
		}
		fast = now_s() == last ? fast + 1 : 0;
		last = now_s();
		if (fast >= FAST)
			usleep(200 * 1000);
	}
}
