/* SPDX-License-Identifier: MIT */
/*
 * What a migration goes over: a command's pipes (ssh, or whatever the user wants), or TCP.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "private.h"

#define CONNECT_MS 15000
#define CHILD_ENDS_MS 2000U  /* of itself, with no link any more */
#define CHILD_UNDO_MS 60000U /* once asked: a receiver takes back what it has of the domain */
#define CHILD_LOOK_NS 10000000L

static int failed(struct tools_error *error, int rc, const char *what, const char *name)
{
	return tools_fail(error, rc, "peer", "%s %s: %s", what, name, strerror(-rc));
}

int move_link_command(struct move_link *link, const char *command, struct tools_error *error)
{
	int to[2], from[2], rc;
	pid_t child;

	if (pipe2(to, O_CLOEXEC))
		return failed(error, -errno, "cannot run", command);
	if (pipe2(from, O_CLOEXEC)) {
		rc = -errno;
		close(to[0]);
		close(to[1]);
		return failed(error, rc, "cannot run", command);
	}
	child = fork();
	if (!child) {
		/* ^C on the terminal is ours to handle: the link must outlive it. */
		signal(SIGINT, SIG_IGN);
		signal(SIGPIPE, SIG_DFL);
		if (dup2(to[0], STDIN_FILENO) >= 0 && dup2(from[1], STDOUT_FILENO) >= 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	rc = -errno;
	close(to[0]);
	close(from[1]);
	if (child < 0) {
		close(to[1]);
		close(from[0]);
		return failed(error, rc, "cannot run", command);
	}
	fcntl(to[1], F_SETFL, O_NONBLOCK);
	*link = (struct move_link){ .in = from[0], .out = to[1], .child = child };
	return 0;
}

static int await(int fd, short events, int cancel_fd, int ms)
{
	struct pollfd list[2] = { { .fd = fd, .events = events },
				  { .fd = cancel_fd, .events = POLLIN } };
	int n;

	do
		n = poll(list, 2, ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return !n ? -ETIMEDOUT : list[1].revents ? -ECANCELED : 0;
}

static struct addrinfo *lookup(const char *host, const char *port, int flags,
			       struct tools_error *error)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list = NULL;
	int rc = getaddrinfo(host, port, &want, &list);

	if (rc)
		tools_fail(error, -EHOSTUNREACH, "peer", "%s port %s: %s", host ? host : "*", port,
			   gai_strerror(rc));
	return rc ? NULL : list;
}

int move_link_connect(struct move_link *link, const char *host, const char *port, int cancel_fd,
		      struct tools_error *error)
{
	struct addrinfo *list = lookup(host, port, 0, error), *a;
	socklen_t length = sizeof(int);
	int fd = -1, rc = -EHOSTUNREACH, err = 0;

	if (!list)
		return -EHOSTUNREACH;
	for (a = list; a && rc && rc != -ECANCELED; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0) {
			rc = -errno;
			continue;
		}
		rc = connect(fd, a->ai_addr, a->ai_addrlen) ? -errno : 0;
		if (rc == -EINPROGRESS)
			rc = await(fd, POLLOUT, cancel_fd, CONNECT_MS);
		if (!rc && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) && err)
			rc = -err;
		if (rc)
			close(fd);
	}
	freeaddrinfo(list);
	if (rc)
		return failed(error, rc, "cannot connect to", host);
	*link = (struct move_link){ .in = fd, .out = fd };
	return 0;
}

int move_link_listen(struct move_link *link, const char *address, const char *port, int cancel_fd,
		     struct tools_error *error)
{
	struct addrinfo *list = lookup(address, port, AI_PASSIVE, error);
	int fd, one = 1, rc = 0, peer = -1;

	if (!list)
		return -EHOSTUNREACH;
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, list->ai_addr, list->ai_addrlen) || listen(fd, 1))
		rc = -errno;
	freeaddrinfo(list);
	rc = rc ? rc : await(fd, POLLIN, cancel_fd, -1);
	if (!rc) {
		peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		rc = peer < 0 ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (rc)
		return failed(error, rc, "cannot listen on port", port);
	*link = (struct move_link){ .in = peer, .out = peer };
	return 0;
}

void move_link_close(struct move_link *link)
{
	const struct timespec pause = { .tv_nsec = CHILD_LOOK_NS };
	uint64_t end = tools_now_ms() + CHILD_ENDS_MS;
	bool patience = true;

	if (link->out >= 0)
		close(link->out);
	if (link->in >= 0 && link->in != link->out)
		close(link->in);
	link->in = link->out = -1;
	while (link->child > 0) {
		if (waitpid(link->child, NULL, WNOHANG)) {
			link->child = 0;
		} else if (tools_now_ms() >= end) {
			kill(link->child, patience ? SIGTERM : SIGKILL);
			patience = false;
			end += CHILD_UNDO_MS;
		} else {
			nanosleep(&pause, NULL);
		}
	}
}
