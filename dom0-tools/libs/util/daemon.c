/* SPDX-License-Identifier: MIT */
/*
 * How a daemon goes into the background: whoever starts it waits until it serves, so that a script
 * may use it in its next line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <tools/util.h>

int tools_into_background(const char *name)
{
	ssize_t n;
	int ends[2];
	char byte;

	if (pipe(ends) != 0)
		exit(1);
	switch (fork()) {
	case -1:
		fprintf(stderr, "%s: ", name);
		perror("fork");
		exit(1);
	case 0:
		close(ends[0]);
		setsid();
		return ends[1];
	default:
		close(ends[1]);
		/* A signal that the daemon catches is no answer. */
		while ((n = read(ends[0], &byte, 1)) < 0 && errno == EINTR)
			;
		_exit(n == 1 ? 0 : 1);
	}
}

void tools_report_started(const char *pid_file, int parent, bool keep_errors)
{
	FILE *file = pid_file ? fopen(pid_file, "we") : NULL;
	int null;

	if (file) {
		fprintf(file, "%ld\n", (long)getpid());
		fclose(file);
	}
	if (parent < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd <= (keep_errors ? 1 : 2); fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(parent, "", 1) == 1)
		close(parent);
}
