/* SPDX-License-Identifier: MIT */
/*
 * Load on a disk for the rows that compare block backends: direct reads or writes, several under way at a
 * time (the kernel's AIO), between marks of the counting plugin.
 *
 *	disk NAME DEVICE read|write random|sequential BYTES DEPTH COUNT
 *	disk direct LOOP		in dom0: the loop device goes past the page cache from now on
 *
 * Warms up first, then executes the mark (see count.c), the load, and the mark again, and prints
 * "LOAD <name> <count>".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DEPTH	64

static aio_context_t context;
static struct iocb blocks[MAX_DEPTH];
static int fd;
static off_t size, next;
static uint32_t seed = 1;
static size_t bytes;
static int opcode, is_random;

static void mark(void)
{
	__asm__ volatile("xchg %%bx, %%bx; xchg %%bx, %%bx" ::: "memory");
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static off_t place(void)
{
	off_t at = next;

	if (is_random) {
		seed = seed * 1664525 + 1013904223;
		return (off_t)(seed >> 8) % (size / (off_t)bytes) * bytes;
	}
	next += bytes;
	if (next + (off_t)bytes > size)
		next = 0;
	return at;
}

static void start(struct iocb *b)
{
	b->aio_fildes = fd;
	b->aio_lio_opcode = opcode;
	b->aio_nbytes = bytes;
	b->aio_offset = place();
	if (syscall(SYS_io_submit, context, 1L, &b) != 1)
		die("io_submit");
}

static void run(long count, int depth)
{
	struct io_event events[MAX_DEPTH];
	long started = 0, done = 0;

	for (; started < depth && started < count; started++)
		start(&blocks[started]);
	while (done < count) {
		long n = syscall(SYS_io_getevents, context, 1L, (long)depth, events, NULL);

		if (n <= 0)
			die("io_getevents");
		for (long i = 0; i < n; i++) {
			if (events[i].res != (int64_t)bytes)
				die("short");
			done++;
			if (started++ < count)
				start((struct iocb *)(uintptr_t)events[i].obj);
		}
	}
}

static int make_direct(const char *loop)
{
	int l = open(loop, O_RDWR);

	if (l < 0 || ioctl(l, LOOP_SET_DIRECT_IO, 1L))
		die(loop);
	return 0;
}

int main(int argc, char **argv)
{
	int depth;
	long count;

	if (argc == 3 && !strcmp(argv[1], "direct"))
		return make_direct(argv[2]);
	if (argc != 8)
		return 2;
	opcode = argv[3][0] == 'r' ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
	is_random = argv[4][0] == 'r';
	bytes = strtoul(argv[5], NULL, 10);
	depth = atoi(argv[6]);
	count = atol(argv[7]);
	fd = open(argv[2], O_RDWR | O_DIRECT);
	size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	if (size < (off_t)bytes || depth < 1 || depth > MAX_DEPTH)
		die(argv[2]);
	if (syscall(SYS_io_setup, MAX_DEPTH, &context))
		die("io_setup");
	for (int i = 0; i < depth; i++) {
		void *memory;

		if (posix_memalign(&memory, 4096, bytes))
			die("memory");
		memset(memory, i, bytes);
		blocks[i].aio_buf = (uintptr_t)memory;
	}
	run(2 * depth + 20, depth);
	mark();
	run(count, depth);
	mark();
	printf("LOAD %s %ld\n", argv[1], count);
	return 0;
}
