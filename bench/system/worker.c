/* SPDX-License-Identifier: MIT */
/*
 * The only program of a Linux guest that is saved and migrated while it is measured: its /init.
 *
 * Words on the kernel's command line, which come as its environment:
 *	area=MIB	fills so much memory with a pattern (default 16)
 *	rate=PAGES	writes so many pages of it each second, one after the other
 *	hot=PAGES	or these, all of them every 2 ms
 * It says "READY" and then works for ever. A number typed at its console lets it fork so many
 * processes, one after the other, each of which writes some pages and ends; then it says "FORKED".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096
#define TICK_NS		10000000L
#define TICKS		100		/* a second */
#define HOT_TICK_NS	2000000L
#define PRIVATE_PAGES	64		/* written by each process, so that its tables matter */

static char *area, *private_area;
static unsigned long area_pages, at;
static uint64_t stamp = 1;

static unsigned long word(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void *memory(unsigned long pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* Small pages: what is dirty is what was written. */
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

/* Every page another: nothing that could be left out as equal or empty. */
static void fill(void)
{
	for (unsigned long i = 0; i < area_pages; i++)
		for (unsigned long j = 0; j < PAGE; j += sizeof(uint64_t))
			memcpy(area + i * PAGE + j, &(uint64_t){ i * PAGE + j + 1 }, sizeof(uint64_t));
}

static void write_pages(unsigned long count, unsigned long of)
{
	for (; count; count--) {
		memcpy(area + at * PAGE, &stamp, sizeof(stamp));
		stamp++;
		at = (at + 1) % of;
	}
}

static void fork_some(unsigned long count)
{
	for (; count; count--) {
		pid_t pid = fork();

		if (!pid) {
			for (unsigned long i = 0; i < PRIVATE_PAGES; i++)
				private_area[i * PAGE] = 1;
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			perror("fork");
	}
	printf("FORKED\n");
}

/* Until @ns are over, or for ever if 0, does what is typed. */
static void listen_for(long ns)
{
	struct pollfd console = { .fd = 0, .events = POLLIN };
	struct timespec time = { .tv_nsec = ns };
	char line[64];
	ssize_t n;

	if (ppoll(&console, 1, ns ? &time : NULL, NULL) <= 0)
		return;
	n = read(0, line, sizeof(line) - 1);
	if (n <= 0)
		return;
	line[n] = '\0';
	if (strtoul(line, NULL, 10))
		fork_some(strtoul(line, NULL, 10));
}

int main(void)
{
	unsigned long rate = word("rate", 0), hot = word("hot", 0);

	setvbuf(stdout, NULL, _IONBF, 0);
	area_pages = word("area", 16) << 8;
	area = memory(area_pages);
	private_area = memory(PRIVATE_PAGES);
	fill();
	printf("READY\n");
	for (;;) {
		if (hot)
			write_pages(hot, hot);
		else
			write_pages(rate / TICKS, area_pages);
		listen_for(hot ? HOT_TICK_NS : rate ? TICK_NS : 0);
	}
}
