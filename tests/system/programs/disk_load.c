/* SPDX-License-Identifier: MIT */
/*
 * A mixed load on a disk that checks every byte: random reads, writes of 4 to 64 KiB, flushes and discards, sixteen under way at
 * a time. For guests under test, so it is static and needs nothing.
 *
 *	disk_load DEVICE SECONDS SEED [MIB]
 *
 * Works on the first MIB (default 32) of the disk. What a block holds follows from its number and how often it was
 * written; two operations under way never share a block. At the end all that was written is read again. Prints
 * "LOAD-RIGHT reads N writes N flushes N discards N", "LOAD-WRONG ..." (status 1) or "LOAD-ERROR ..." (status 2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH	16
#define BLOCK	4096
#define RUN	16		/* blocks in the largest operation */

struct slot {
	struct iocb io;		/* first: an event names it */
	uint32_t first, count;
	bool busy;
	uint64_t *memory;
};

static struct slot slots[DEPTH];
static aio_context_t context;
static uint32_t *written;	/* how often; 0: not known what it holds */
static bool *busy;
static uint32_t blocks, version;
static uint64_t seed, reads, writes, flushes, discards;
static int fd;

static void die(const char *what, int error)
{
	printf("LOAD-ERROR %s: %s\n", what, strerror(error));
	exit(2);
}

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

/* Word @i of @block when it was written as number @nth. */
static uint64_t word(uint32_t block, uint32_t nth, unsigned int i)
{
	return ((uint64_t)block << 32 | nth) * 0x9e3779b97f4a7c15ULL + i;
}

static void start(struct slot *s, int opcode)
{
	struct iocb *io = &s->io;

	memset(io, 0, sizeof(*io));
	io->aio_fildes = fd;
	io->aio_lio_opcode = opcode;
	io->aio_buf = (uintptr_t)s->memory;
	io->aio_nbytes = s->count * BLOCK;
	io->aio_offset = (int64_t)s->first * BLOCK;
	for (uint32_t b = 0; b < s->count; b++) {
		busy[s->first + b] = true;
		if (opcode != IOCB_CMD_PWRITE)
			continue;
		written[s->first + b] = ++version;
		for (unsigned int i = 0; i < BLOCK / 8; i++)
			s->memory[b * (BLOCK / 8) + i] = word(s->first + b, version, i);
	}
	s->busy = true;
	if (syscall(SYS_io_submit, context, 1L, &io) != 1)
		die("io_submit", errno);
}

static void check(const struct slot *s)
{
	for (uint32_t b = 0; b < s->count; b++) {
		uint32_t block = s->first + b, nth = written[block];
		const uint64_t *p = s->memory + b * (BLOCK / 8);

		for (unsigned int i = 0; nth && i < BLOCK / 8; i++) {
			if (p[i] == word(block, nth, i))
				continue;
			printf("LOAD-WRONG block %u word %u: %llx, not %llx\n", block, i,
			       (unsigned long long)p[i], (unsigned long long)word(block, nth, i));
			exit(1);
		}
	}
}

static void finish(struct slot *s, int64_t result)
{
	bool is_read = s->io.aio_lio_opcode == IOCB_CMD_PREAD;

	if (result != (int64_t)s->count * BLOCK)
		die(is_read ? "read" : "write", result < 0 ? -result : ENODATA);
	if (is_read)
		check(s);
	reads += is_read;
	writes += !is_read;
	for (uint32_t b = 0; b < s->count; b++)
		busy[s->first + b] = false;
	s->busy = false;
}

static void reap(long least)
{
	struct io_event events[DEPTH];
	long n = syscall(SYS_io_getevents, context, least, (long)DEPTH, events, NULL);

	if (n < least)
		die("io_getevents", n < 0 ? errno : EIO);
	for (long i = 0; i < n; i++)
		finish((struct slot *)(uintptr_t)events[i].obj, events[i].res);
}

static struct slot *idle_slot(void)
{
	for (;;) {
		for (int i = 0; i < DEPTH; i++)
			if (!slots[i].busy)
				return &slots[i];
		reap(1);
	}
}

/* Some blocks of which none is under way. */
static bool choose(struct slot *s)
{
	s->count = 1 + draw(draw(4) ? 1 : RUN);
	s->first = draw(blocks - s->count);
	for (uint32_t b = 0; b < s->count; b++)
		if (busy[s->first + b])
			return false;
	return true;
}

static void discard(const struct slot *s)
{
	uint64_t range[2] = { (uint64_t)s->first * BLOCK, (uint64_t)s->count * BLOCK };

	if (ioctl(fd, BLKDISCARD, range)) {
		if (errno == EOPNOTSUPP || errno == ENOTTY)
			return;
		die("discard", errno);
	}
	discards++;
	memset(&written[s->first], 0, s->count * sizeof(written[0]));
}

static void mix(void)
{
	struct slot *s = idle_slot();
	uint32_t what = draw(100);

	if (what < 2) {
		if (fdatasync(fd))
			die("flush", errno);
		flushes++;
		return;
	}
	if (!choose(s))
		reap(0);
	else if (what < 5)
		discard(s);
	else
		start(s, what < 50 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE);
}

static void wait_for_all(void)
{
	for (int i = 0; i < DEPTH; i++)
		while (slots[i].busy)
			reap(1);
}

static void read_all(void)
{
	for (uint32_t at = 0; at < blocks; at += RUN) {
		struct slot *s = idle_slot();

		s->first = at;
		s->count = blocks - at < RUN ? blocks - at : RUN;
		start(s, IOCB_CMD_PREAD);
	}
	wait_for_all();
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

int main(int argc, char **argv)
{
	time_t end;

	if (argc < 4)
		return 3;
	seed = strtoull(argv[3], NULL, 10) * 2 + 1;
	blocks = (argc > 4 ? atoi(argv[4]) : 32) * ((1U << 20) / BLOCK);
	written = calloc(blocks, sizeof(written[0]));
	busy = calloc(blocks, sizeof(busy[0]));
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || !written || !busy)
		die(argv[1], errno);
	if (syscall(SYS_io_setup, DEPTH, &context))
		die("io_setup", errno);
	for (int i = 0; i < DEPTH; i++)
		if (posix_memalign((void **)&slots[i].memory, BLOCK, RUN * BLOCK))
			die("memory", ENOMEM);
	for (end = now() + atoi(argv[2]); now() < end;)
		mix();
	wait_for_all();
	read_all();
	printf("LOAD-RIGHT reads %llu writes %llu flushes %llu discards %llu\n",
	       (unsigned long long)reads, (unsigned long long)writes, (unsigned long long)flushes,
	       (unsigned long long)discards);
	return 0;
}
