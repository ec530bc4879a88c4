/* SPDX-License-Identifier: MIT */
/*
 * Scripted ends of a migration for tests of the other one, each a process of its own: a receiver
 * that plays along up to a step and goes away, one that is asked later. Include it once, after
 * cmocka.h.
 */
#ifndef TESTS_TOOLS_MIGRATE_PEERS_H
#define TESTS_TOOLS_MIGRATE_PEERS_H

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <tools/move.h>
#include "../../dom0-tools/libs/move/protocol.h"

static inline void out(int fd, const void *bytes, size_t length)
{
	if (write(fd, bytes, length) != (ssize_t)length)
		_exit(0);
}

/* Exactly @length bytes, or the end. */
static inline bool in(int fd, char *bytes, size_t length)
{
	while (length) {
		ssize_t n = read(fd, bytes, length);

		if (n <= 0)
			return false;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* Reads a stream to its end; false: it broke off. */
static inline bool swallow(int fd)
{
	struct stream_reader *reader;
	struct stream_item item;
	static char buffer[65536];
	size_t have = 0, used = 0, took;
	int rc;

	if (stream_reader_open(STREAM_XL, NULL, &reader))
		return false;
	while (!stream_reader_done(reader)) {
		rc = stream_read(reader, buffer + used, have - used, &took, &item, NULL);
		used += took;
		if (rc < 0)
			return false;
		if (rc)
			continue;
		if (stream_reader_done(reader))
			break;
		have = stream_reader_wants(reader);
		have = have < sizeof(buffer) ? have : sizeof(buffer);
		used = 0;
		if (!in(fd, buffer, have))
			return false;
	}
	return true;
}

/* How far the receiver plays along before it goes away. */
enum step {
	NO_BANNER, WRONG_BANNER, BANNER_ONLY, REFUSES, IN_HEADER, IN_MEMORY, REFUSES_LATE, NO_READY,
	WRONG_READY, READY_ONLY, GO_TAKEN, REPORTS_HALF, FAILS, FAILS_HALF, STARTS, STARTS_AS_XL,
	STEPS
};

static inline void play_receiver(int fd, enum step step)
{
	char buffer[70000], one = 1, zero = 0;

	if (step == NO_BANNER)
		return;
	if (step == WRONG_BANNER) {
		out(fd, "Permission denied, please try again, or do not, but not here.\n", 62);
		return;
	}
	out(fd, BANNER, BANNER_BYTES);
	if (step == BANNER_ONLY)
		return;
	if (step == REFUSES) {
		in(fd, buffer, 100);
		out(fd, ANSWER_REFUSED "- device: no disk\n", ANSWER_BYTES + 18);
		return;
	}
	if (step != STARTS_AS_XL)
		out(fd, ANSWER_AGREED, ANSWER_BYTES);
	if (step == IN_HEADER || step == IN_MEMORY || step == REFUSES_LATE) {
		in(fd, buffer, 300);
		for (int i = 0; step != IN_HEADER && i < 40; i++)
			in(fd, buffer, 70000);
		if (step == REFUSES_LATE)
			out(fd, ANSWER_REFUSED "- no-memory: none\n", ANSWER_BYTES + 18);
		return;
	}
	if (!swallow(fd) || step == NO_READY)
		return;
	if (step == WRONG_READY) {
		out(fd, "something else altogether, longer than it should be", 51);
		return;
	}
	out(fd, READY, sizeof(READY));
	if (step == READY_ONLY || !in(fd, buffer, sizeof(GO)) || step == GO_TAKEN)
		return;
	out(fd, REPORT, sizeof(REPORT));
	if (step == REPORTS_HALF)
		return;
	out(fd, step == FAILS || step == FAILS_HALF ? &one : &zero, 1);
	if (step == FAILS)
		out(fd, GO, sizeof(GO));
}

static inline pid_t spawn(struct move_link *link, void (*play)(int fd, int what), int what)
{
	int pair[2];
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	child = fork();
	if (!child) {
		close(pair[0]);
		play(pair[1], what);
		_exit(0);
	}
	close(pair[1]);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	*link = (struct move_link){ .in = pair[0], .out = pair[0] };
	return child;
}

static inline void receiver_process(int fd, int step)
{
	play_receiver(fd, (enum step)step);
}

/* Asked later over a new link: 0: it does not run there; 1: it does; -1: nobody answers. */
static int later;

static inline void questioned(int fd, int what)
{
	char buffer[64];

	out(fd, BANNER, BANNER_BYTES);
	in(fd, buffer, 48);
	if (what >= 0)
		out(fd, what ? ANSWER_PRESENT : ANSWER_ABSENT, ANSWER_BYTES);
	/* What is still on its way here must not turn into a reset there. */
	while (in(fd, buffer, 1))
		;
}

static inline int reconnect(void *cookie, struct move_link *link, struct tools_error *why)
{
	(void)cookie;
	(void)why;
	if (later < 0)
		return -ECONNREFUSED;
	spawn(link, questioned, later);
	return 0;
}

void move_link_close(struct move_link *link)
{
	close(link->in);
}

#endif
