/* SPDX-License-Identifier: MIT */
/*
 * The daemon's loop for tests of images: descriptors and timers of <pv/linux.h>, a turn of them at a time.
 */
#ifndef TESTS_PV_IMAGE_LOOP_H
#define TESTS_PV_IMAGE_LOOP_H

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <pv/linux.h>

#define MAX_FDS		16

static struct pv_fd *watched[MAX_FDS];
static struct pv_timer *timers;
static unsigned int logged, found;	/* lines of the log; those with: */
static const char *sought;

int pv_fd_add(struct pv_domain *domain, struct pv_fd *fd)
{
	(void)domain;
	for (int i = 0; i < MAX_FDS; i++) {
		if (watched[i])
			continue;
		watched[i] = fd;
		return 0;
	}
	return -ENOSPC;
}

int pv_fd_wait_for(struct pv_domain *domain, struct pv_fd *fd, uint32_t events)
{
	(void)domain;
	fd->events = events;
	return 0;
}

void pv_fd_remove(struct pv_domain *domain, struct pv_fd *fd)
{
	(void)domain;
	for (int i = 0; i < MAX_FDS; i++)
		if (watched[i] == fd)
			watched[i] = NULL;
}

uint64_t pv_now(struct pv_domain *domain)
{
	struct timespec t;

	(void)domain;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

void pv_timer_set(struct pv_domain *domain, struct pv_timer *timer, uint64_t when)
{
	struct pv_timer **link = &timers;

	(void)domain;
	while (*link && *link != timer)
		link = &(*link)->next;
	if (*link)
		*link = timer->next;
	timer->when = when;
	if (when) {
		timer->next = timers;
		timers = timer;
	}
}

void pv_round_add(struct pv_domain *domain, struct pv_round *round)
{
	(void)domain, (void)round;
}

void pv_log(struct pv_domain *domain, const char *format, ...)
{
	char line[512];
	va_list args;

	(void)domain;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	logged++;
	found += sought && strstr(line, sought);
}

/* poll()'s numbers are epoll's for what is used here. */
static void turn(void)
{
	struct pollfd fds[MAX_FDS];
	struct pv_fd *who[MAX_FDS];
	uint64_t now = pv_now(NULL);
	int n = 0;

	for (int i = 0; i < MAX_FDS; i++) {
		if (!watched[i])
			continue;
		who[n] = watched[i];
		fds[n++] = (struct pollfd){ .fd = watched[i]->fd, .events = (short)watched[i]->events };
	}
	poll(fds, n, 2);
	for (int i = 0; i < n; i++) {
		bool is_watched = false;

		for (int j = 0; j < MAX_FDS; j++)
			is_watched |= watched[j] == who[i];
		if (is_watched && fds[i].revents)
			who[i]->fn(who[i]->arg, fds[i].revents);
	}
	for (struct pv_timer *t = timers; t; t = t->next) {
		if (t->when > now)
			continue;
		pv_timer_set(NULL, t, 0);
		t->fn(t->arg);
		break;
	}
}

#endif
