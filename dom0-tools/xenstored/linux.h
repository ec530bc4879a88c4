/* SPDX-License-Identifier: MIT */
/*
 * The store daemon as a Linux program: its options, its two processes, its loop.
 *
 * The keeper (keeper.c) is started first and does nothing but wait. The worker (port_linux.c)
 * serves; both share one table of file descriptors, so that clients' sockets outlive a worker that
 * is killed and are taken up by the next one.
 */
#ifndef XENSTORED_LINUX_H
#define XENSTORED_LINUX_H

#include <stdbool.h>
#include "xsd.h"

struct options {
	const char *run_dir;		/* of socket and journal */
	char socket[108];
	const char *pid_file;
	const char *log_file;
	bool xen;			/* there is a hypervisor with domains */
	bool foreground;
	bool print_pid;
	bool no_keeper;
	unsigned int quota[QUOTA_KINDS];	/* 0: the default */
	int listen_fd, lock_fd;
	char **argv;
};

/* What the worker tells the keeper by its exit status. */
#define EXIT_STOP 0		/* asked to */
#define EXIT_FATAL 2		/* another start would fail as well */
#define EXIT_UPDATE 75		/* replace the program */

/*
 * Serves until it is told to stop; the exit status. @first: no worker before it in this keeper's
 * life; @crashed: the last one ended by a fault; @adopted: sockets are left from earlier workers;
 * @ready_fd: gets a byte when clients can come, then leads nowhere but stays open; or -1.
 */
int worker_run(const struct options *options, bool crashed, bool adopted, int ready_fd);

/* Starts workers until one stops for good; the exit status of the program. */
int keeper_run(struct options *options, bool adopted, int ready_fd);

/* Tells the service manager, if there is one, that clients can come. */
void notify_ready(void);

#endif
