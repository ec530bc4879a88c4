/* SPDX-License-Identifier: MIT */
/*
 * In dom0: what a command of the toolstack costs.
 *
 *	cost NAME COMMAND ARG...
 *
 * runs it, waits until the machine is at rest again, and prints "BENCH: <ns> NAME: tool" (user and
 * system time of the command, its daemons apart), "... store" (run time of xenstored) and "... busy"
 * (time that passed less the hypervisor's idle time: all domains, daemons and the guest's own start).
 * Under -icount with one CPU a nanosecond is an instruction. Exits as the command did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "privcmd.h"

#define SETTLE_US	300000		/* what follows a command is over by then */
#define CPUS		8
#define STORE_PID	"/run/xenstored.pid"

struct moment {
	uint64_t clock, idle, store;	/* ns */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t idle_time(struct sysctl_room *room)
{
	xen_sysctl_cpuinfo_t *info = room->buffer;
	uint64_t sum = 0;

	memset(room->op, 0, sizeof(*room->op));
	room->op->cmd = XEN_SYSCTL_getcpuinfo;
	room->op->u.getcpuinfo.max_cpus = CPUS;
	set_xen_guest_handle(room->op->u.getcpuinfo.info, info);
	if (sysctl_call(room))
		die("getcpuinfo");
	for (unsigned int i = 0; i < room->op->u.getcpuinfo.nr_cpus; i++)
		sum += info[i].idletime;
	return sum;
}

/* The first number of the daemon's schedstat: nanoseconds on a CPU. */
static uint64_t store_time(void)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f = fopen(STORE_PID, "r");
	int pid = 0;

	if (!f || fscanf(f, "%d", &pid) != 1)
		die(STORE_PID);
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &ns) != 1)
		die(path);
	fclose(f);
	return ns;
}

static struct moment now(struct sysctl_room *room)
{
	struct moment m = { .idle = idle_time(room), .store = store_time() };
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	m.clock = t.tv_sec * 1000000000ull + t.tv_nsec;
	return m;
}

static uint64_t ns_of(struct timeval t)
{
	return (t.tv_sec * 1000000ull + t.tv_usec) * 1000;
}

int main(int argc, char **argv)
{
	struct sysctl_room room;
	struct moment before, after;
	struct rusage use;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: cost NAME COMMAND ARG...\n");
		return 1;
	}
	if (sysctl_open(&room))
		die("/dev/xen/privcmd");
	before = now(&room);
	before = now(&room);		/* the second time its own pages are there */
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) < 0)
		die(argv[2]);
	usleep(SETTLE_US);
	after = now(&room);
	printf("BENCH: %llu %s: tool\n",
	       (unsigned long long)(ns_of(use.ru_utime) + ns_of(use.ru_stime)), argv[1]);
	printf("BENCH: %llu %s: store\n", (unsigned long long)(after.store - before.store), argv[1]);
	printf("BENCH: %llu %s: busy\n", (unsigned long long)
	       (after.clock - before.clock - (after.idle - before.idle)), argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
