/* SPDX-License-Identifier: MIT */
/*
 * In dom0: what a command of the toolstack costs.
 *
 *	cost [-o FILE] [-w] NAME COMMAND ARG...
 *
 * runs it, waits until the machine is at rest again, and prints (or writes to FILE) "BENCH: <ns>
 * NAME: tool" (user and system time of the command, its daemons apart), "... store" (run time of
 * xenstored), "... busy" (time that passed less the hypervisor's idle time: all domains, daemons and
 * the guest's own start) and "... memory" (KiB, most that one of its processes had). Under -icount
 * with one CPU a nanosecond is an instruction. Exits as the command did.
 *
 * -w: the command is `kl --json migrate` with a receiver that shares its standard error. What they say
 * is passed on, and tells the moments: "... stopped" is what was busy from the request to suspend to
 * the word that the domain runs again, "... sender" the sender's KiB when the stream was out,
 * "... hypervisor" the most KiB of the hypervisor's own heap that were gone at any line. At both ends of
 * the stop it makes a mark, for a plugin that takes profiles (see count.c).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "privcmd.h"

#define SETTLE_US	300000		/* what follows a command is over by then */
#define CPUS		8
#define MAX_DOMAINS	256
#define STORE_PID	"/run/xenstored.pid"

struct moment {
	uint64_t clock, idle, store;	/* ns */
};

static struct sysctl_room room;
static FILE *out;
static const char *name;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void row(uint64_t value, const char *what)
{
	fprintf(out, "BENCH: %llu %s: %s\n", (unsigned long long)value, name, what);
	fflush(out);
}

static uint64_t idle_time(void)
{
	xen_sysctl_cpuinfo_t *info = room.buffer;
	uint64_t sum = 0;

	memset(room.op, 0, sizeof(*room.op));
	room.op->cmd = XEN_SYSCTL_getcpuinfo;
	room.op->u.getcpuinfo.max_cpus = CPUS;
	set_xen_guest_handle(room.op->u.getcpuinfo.info, info);
	if (sysctl_call(&room))
		die("getcpuinfo");
	for (unsigned int i = 0; i < room.op->u.getcpuinfo.nr_cpus; i++)
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

static struct moment now(void)
{
	struct moment m = { .idle = idle_time(), .store = store_time() };
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	m.clock = t.tv_sec * 1000000000ull + t.tv_nsec;
	return m;
}

static uint64_t busy(const struct moment *from, const struct moment *to)
{
	return to->clock - from->clock - (to->idle - from->idle);
}

static uint64_t ns_of(struct timeval t)
{
	return (t.tv_sec * 1000000ull + t.tv_usec) * 1000;
}

/* Pages that are neither free nor a domain's (domain 0's do not change). */
static uint64_t own_pages(void)
{
	xen_domctl_getdomaininfo_t *info = room.buffer;
	uint64_t pages;
	int domains;

	memset(room.op, 0, sizeof(*room.op));
	room.op->cmd = XEN_SYSCTL_physinfo;
	if (sysctl_call(&room))
		die("physinfo");
	pages = room.op->u.physinfo.total_pages - room.op->u.physinfo.free_pages;
	domains = sysctl_domains(&room, 1, MAX_DOMAINS);
	if (domains < 0)
		die("getdomaininfolist");
	for (int i = 0; i < domains; i++)
		pages -= info[i].tot_pages;
	return pages;
}

/* The most memory that a process ever had, in KiB; 0: it is gone. */
static unsigned long peak(pid_t pid)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", (int)pid);
	f = fopen(line, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void mark(void)
{
	__asm__ volatile("xchg %%bx, %%bx; xchg %%bx, %%bx" ::: "memory");
}

/* Reads what a migration says to its end. */
static void watch(FILE *in, pid_t pid)
{
	uint64_t first = own_pages(), most = first, pages;
	struct moment asked = { 0 }, runs;
	bool done = false;
	char line[512];

	while (fgets(line, sizeof(line), in)) {
		if (strstr(line, "\"suspend\"")) {
			asked = now();
			mark();
		}
		if (!done && strstr(line, "Domain started")) {
			mark();
			runs = now();
			done = true;
			row(busy(&asked, &runs), "stopped");
		}
		if (strstr(line, "\"done\""))
			row(peak(pid), "sender");
		pages = own_pages();
		most = pages > most ? pages : most;
		fputs(line, out);
	}
	row((most - first) * 4, "hypervisor");
}

/* Starts the command; @from (may be NULL) gets what it says. */
static pid_t start(char **command, FILE **from)
{
	int ends[2];
	pid_t pid;

	if (from && pipe(ends))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		if (from) {
			dup2(ends[1], 1);
			dup2(ends[1], 2);
			close(ends[0]);
			close(ends[1]);
		}
		execvp(command[0], command);
		_exit(127);
	}
	if (from) {
		close(ends[1]);
		*from = fdopen(ends[0], "r");
	}
	return pid;
}

int main(int argc, char **argv)
{
	struct moment before, after;
	struct rusage use;
	bool watched = false;
	FILE *said = NULL;
	int status, opt;
	pid_t pid;

	out = stdout;
	while ((opt = getopt(argc, argv, "+o:w")) >= 0) {
		watched |= opt == 'w';
		if (opt == 'o' && !(out = fopen(optarg, "w")))
			die(optarg);
	}
	if (argc - optind < 2) {
		fprintf(stderr, "usage: cost [-o FILE] [-w] NAME COMMAND ARG...\n");
		return 1;
	}
	name = argv[optind];
	if (sysctl_open(&room))
		die("/dev/xen/privcmd");
	before = now();
	before = now();		/* the second time its own pages are there */
	pid = start(argv + optind + 1, watched ? &said : NULL);
	if (said)
		watch(said, pid);
	if (wait4(pid, &status, 0, &use) < 0)
		die(argv[optind + 1]);
	usleep(SETTLE_US);
	after = now();
	row(ns_of(use.ru_utime) + ns_of(use.ru_stime), "tool");
	row(after.store - before.store, "store");
	row(busy(&before, &after), "busy");
	row((uint64_t)use.ru_maxrss, "memory");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
