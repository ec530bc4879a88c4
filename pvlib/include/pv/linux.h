/* SPDX-License-Identifier: MIT */
/*
 * The port under Linux in dom0 (port/linux.c): making a handle, the loop, and what a backend's own
 * file descriptors need. For daemons only; drivers' cores see <pv/port.h>.
 *
 *	rc = pv_linux_open(&domain, "blkback");
 *	... open things, pv_fd_add() descriptors ...
 *	pv_linux_run(domain, &stop);		a signal handler sets stop
 *	pv_linux_close(domain);
 */
#ifndef PV_LINUX_H
#define PV_LINUX_H

#include <pv/port.h>

/* Opens event channels, grants and the store; @name starts each log line. -errno of the one that failed. */
int pv_linux_open(struct pv_domain **domain, const char *name);

/* Everything that was opened through the handle is gone then, as if the process had died. */
void pv_linux_close(struct pv_domain *domain);

/* Runs handlers until *stop. 0, or -errno if waiting itself fails. */
int pv_linux_run(struct pv_domain *domain, const volatile int *stop);

/* A descriptor that the loop watches; in the caller's memory. */
struct pv_fd {
	int fd;
	uint32_t events;	/* EPOLLIN etc. that it waits for now */
	void (*fn)(void *arg, uint32_t events);
	void *arg;
};

/* fn and arg are set by the caller before; @events may be 0 at first. -errno. */
int pv_fd_add(struct pv_domain *domain, struct pv_fd *fd);
/* Waits for other @events from now on (no system call when they are the same). */
int pv_fd_wait_for(struct pv_domain *domain, struct pv_fd *fd, uint32_t events);
/* Its handler is not called any more; the descriptor stays open. */
void pv_fd_remove(struct pv_domain *domain, struct pv_fd *fd);

/*
 * A function called at the end of every round of the loop, before it may sleep: for batches. In the
 * caller's memory; stays until pv_linux_close().
 */
struct pv_round {
	struct pv_round *next;
	void (*fn)(void *arg);
	void *arg;
};
void pv_round_add(struct pv_domain *domain, struct pv_round *round);

/*
 * Makes a file that is to be mapped @bytes long, with memory behind all of it where the file system can do that: a
 * hole that cannot be filled later kills who writes to it. What it holds stays. Nonzero: there is no room.
 */
int pv_file_reserve(int fd, uint64_t bytes);

#endif
