/* SPDX-License-Identifier: MIT */
/*
 * The link of a migration, with somebody in the middle of it: passes on what both ends say until the
 * talk has come to a certain point, holds it there, runs a command, and goes on.
 *
 *	kl migrate -s '' d1 "link_relay POINT COMMAND 'kl migrate-receive'"
 *
 * POINT: banner, answer, memory (2 MiB are through), ready, go, report. The bytes that make the point
 * are held while COMMAND runs (by sh -c; $SENDER and $RECEIVER are the two processes). COMMAND "cut"
 * breaks the link. All of it once only: /tmp/relay.done exists from then on, and a relay that finds it
 * is but a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define DONE	     "/tmp/relay.done"
#define MEMORY_BYTES (2UL << 20)

/* Points, by which end speaks and how what it says begins; see dom0-tools/libs/move/protocol.h. */
static const struct point {
	const char *name;
	bool from_receiver;
	const char *words;
} points[] = {
	{ "banner", true, "xl migration receiver ready" },
	{ "answer", true, "kl: agreed" },
	{ "memory", false, NULL },
	{ "ready", true, "domain received, ready to unpause" },
	{ "go", false, "domain is yours, you are cleared to unpause" },
	{ "report", true, "my copy unpause results are as follows" },
};

static const struct point *point;
static const char *command;
static char buffer[65536];
static size_t sent; /* by the sender */

static bool is_point(const char *bytes, size_t length, bool from_receiver)
{
	if (!point || from_receiver != point->from_receiver)
		return false;
	if (!point->words)
		return sent >= MEMORY_BYTES;
	return length >= strlen(point->words) && !memcmp(bytes, point->words, strlen(point->words));
}

static void act(void)
{
	int fd = open(DONE, O_WRONLY | O_CREAT, 0600);

	if (fd >= 0)
		close(fd);
	point = NULL;
	if (!strcmp(command, "cut"))
		_exit(1);
	if (system(command))
		fprintf(stderr, "link_relay: %s failed\n", command);
}

static bool put(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n <= 0)
			return false;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* One piece; false: that way is closed. */
static bool pass(int from, int to, bool from_receiver)
{
	ssize_t n = read(from, buffer, sizeof(buffer));

	if (n <= 0)
		return false;
	if (!from_receiver)
		sent += (size_t)n;
	if (is_point(buffer, (size_t)n, from_receiver))
		act();
	return put(to, buffer, (size_t)n);
}

static pid_t start(const char *what, int *to, int *from)
{
	int there[2], back[2];
	char text[32];
	pid_t child;

	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		exit(1);
	child = fork();
	if (!child) {
		dup2(there[0], 0);
		dup2(back[1], 1);
		execl("/bin/sh", "sh", "-c", what, (char *)NULL);
		_exit(127);
	}
	close(there[0]);
	close(back[1]);
	*to = there[1];
	*from = back[0];
	snprintf(text, sizeof(text), "%d", (int)child);
	setenv("RECEIVER", text, 1);
	snprintf(text, sizeof(text), "%d", (int)getppid());
	setenv("SENDER", text, 1);
	return child;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int to, from;
	pid_t child;

	if (argc != 4)
		return 2;
	command = argv[2];
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (!strcmp(points[i].name, argv[1]) && access(DONE, F_OK))
			point = &points[i];
	signal(SIGPIPE, SIG_IGN);
	child = start(argv[3], &to, &from);
	fds[1].fd = from;
	while (fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents && !pass(from, 1, true))
			fds[1].fd = -1;
		if (fds[0].revents && fds[0].fd >= 0 && !pass(0, to, false)) {
			fds[0].fd = -1;
			close(to);
		}
	}
	close(to);
	waitpid(child, NULL, 0);
	return 0;
}
