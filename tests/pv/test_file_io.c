/* SPDX-License-Identifier: MIT */
/*
 * The medium on real files: both engines, whole and partial sectors, many operations at once, the end
 * of the file, sharing modes, the fence between two instances, growing, records, the page cache.
 *
 * LINK: blkback/file_io.c blkback/image.c blkback/image_calls.c blkback/image_process.c blkback/nbd.c blkback/uring.c pvlib/port/file.c
 * LINK: blkback/workers.c blkback/write_log.c
 * LIBS: -lpthread -Wl,--wrap=syscall
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../blkback/file_io.h"
#include "../../blkback/private.h"

#define BYTES	(1U << 20)
#define OPS	64

/* The loop: a descriptor for each engine. */
static struct pv_fd *watched[2];
static unsigned int batches, logged;
static char directory[64], image[80];

int pv_fd_add(struct pv_domain *domain, struct pv_fd *fd)
{
	(void)domain;
	watched[watched[0] != NULL] = fd;
	return 0;
}

void pv_fd_remove(struct pv_domain *domain, struct pv_fd *fd)
{
	(void)domain;
	watched[watched[1] == fd] = NULL;
}

int pv_fd_wait_for(struct pv_domain *domain, struct pv_fd *fd, uint32_t events)
{
	(void)domain, (void)fd, (void)events;
	return 0;
}

/* For images, which tests/pv/test_image.c has. */
uint64_t pv_now(struct pv_domain *domain)
{
	(void)domain;
	return 0;
}

void pv_timer_set(struct pv_domain *domain, struct pv_timer *timer, uint64_t when)
{
	(void)domain, (void)timer, (void)when;
}

void pv_round_add(struct pv_domain *domain, struct pv_round *round)
{
	(void)domain, (void)round;
}

void pv_log(struct pv_domain *domain, const char *format, ...)
{
	(void)domain, (void)format;
	logged++;
}

/* What io_uring_enter() fails with once it has taken @enter_takes operations; 0: nothing. */
static int enter_error;
static long enter_takes;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_io_uring_enter && enter_error) {
		if (!enter_takes) {
			errno = enter_error;
			return -1;
		}
		if (a[1] > enter_takes)
			a[1] = enter_takes;
		enter_takes -= a[1];
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void step(void)
{
	struct pollfd p[2] = { { .fd = -1 }, { .fd = -1 } };

	for (int i = 0; i < 2; i++)
		if (watched[i])
			p[i] = (struct pollfd){ .fd = watched[i]->fd, .events = POLLIN };
	assert_true(poll(p, 2, 10000) >= 1);
	for (int i = 0; i < 2; i++)
		if (p[i].revents)
			watched[i]->fn(watched[i]->arg, p[i].revents);
}

static void batch_done(void *arg)
{
	(void)arg;
	batches++;
}

static unsigned int running;

static void done(struct medium_io *io)
{
	(void)io;
	running--;
}

static int run(struct medium *m, enum medium_op op, uint64_t offset, void *data, size_t bytes)
{
	struct medium_piece piece = { data, bytes };
	struct medium_io io = {
		.op = op, .offset = offset, .bytes = bytes, .pieces = &piece,
		.nr_pieces = data != NULL, .done = done,
	};

	running = 1;
	medium_submit(m, &io);
	medium_kick(m);
	while (running)
		step();
	return io.result;
}

static struct medium_spec spec(enum medium_mode mode, uint64_t fence)
{
	return (struct medium_spec){
		.path = image, .format = "raw", .mode = mode, .fence = fence, .batch_done = batch_done,
	};
}

static void traffic(struct medium *m)
{
	static uint8_t data[OPS][8192] __attribute__((aligned(4096)));
	struct medium_io ios[OPS] = { 0 };
	struct medium_piece pieces[OPS][2];
	uint8_t back[8192];

	running = OPS;
	for (unsigned int i = 0; i < OPS; i++) {
		/* Odd ones are not aligned to pages, in memory and on the medium. */
		unsigned int odd = i % 2 * 512;

		memset(data[i], i + 1, sizeof(data[i]));
		pieces[i][0] = (struct medium_piece){ data[i] + odd, 4096 - odd };
		pieces[i][1] = (struct medium_piece){ data[i] + 4096, 4096 - odd };
		ios[i] = (struct medium_io){
			.op = MEDIUM_WRITE, .offset = i * 8192 + odd, .bytes = 8192 - 2 * odd,
			.pieces = pieces[i], .nr_pieces = 2, .done = done,
		};
		medium_submit(m, &ios[i]);
	}
	medium_kick(m);
	while (running)
		step();
	assert_true(batches > 0);
	assert_int_equal(run(m, MEDIUM_FLUSH, 0, NULL, 0), 0);
	for (unsigned int i = 0; i < OPS; i++) {
		unsigned int odd = i % 2 * 512;

		assert_int_equal(ios[i].result, 0);
		assert_int_equal(run(m, MEDIUM_READ, i * 8192 + odd, back, 8192 - 2 * odd), 0);
		for (unsigned int k = 0; k < 8192 - 2 * odd; k++)
			assert_int_equal(back[k], i + 1);
	}
	if (run(m, MEDIUM_DISCARD, 8192, NULL, 4096) != -EOPNOTSUPP) {	/* not every file system can */
		assert_int_equal(run(m, MEDIUM_READ, 8192, back, 4096), 0);
		assert_int_equal(back[4095], 0);
	}
	assert_int_equal(run(m, MEDIUM_READ, BYTES - 512, back, 512), 0);
	assert_true(run(m, MEDIUM_READ, BYTES, back, 512) < 0);
}

/* The medium's own memory: in its registered beginning, across the border, behind it, and after its end. */
static void own_memory(struct medium *m)
{
	const size_t bytes = 1U << 20, places[] = { 0, 8192, (512U << 10) - 4096, (1U << 20) - 8192 };
	char *memory = medium_memory_alloc(m, bytes);
	uint8_t other[8192];

	assert_non_null(memory);
	for (unsigned int i = 0; i < 4; i++) {
		memset(memory + places[i], 0x40 + i, 8192);
		assert_int_equal(run(m, MEDIUM_WRITE, i * 8192, memory + places[i], 8192), 0);
		memset(memory + places[i], 0, 8192);
		assert_int_equal(run(m, MEDIUM_READ, i * 8192, memory + places[i], 8192), 0);
		assert_int_equal(memory[places[i] + 8191], 0x40 + i);
		assert_int_equal(run(m, MEDIUM_READ, i * 8192, other, 8192), 0);
		assert_int_equal(other[0], 0x40 + i);
	}
	medium_memory_free(m, memory, bytes);
	assert_int_equal(run(m, MEDIUM_READ, 0, other, 8192), 0);
	memory = medium_memory_alloc(m, 8192);
	assert_int_equal(run(m, MEDIUM_READ, 0, memory, 8192), 0);
	assert_memory_equal(memory, other, 8192);
	medium_memory_free(m, memory, 8192);
}

static void with_engine(const char *forced)
{
	struct medium_spec s = spec(MEDIUM_EXCLUSIVE, 1);
	struct medium_host *host;
	struct medium_info info;
	struct medium *m;

	assert_int_equal(file_io_open(&host, NULL, directory), 0);
	if (forced)
		assert_int_equal(file_io_use_threads(host), 0);
	assert_int_equal(medium_open(&m, host, &s, &info), 0);
	assert_int_equal(info.bytes, BYTES);
	assert_int_equal(info.sector, 512);
	traffic(m);
	own_memory(m);
	assert_int_equal(truncate(image, BYTES * 2), 0);
	medium_refresh(m, &info);
	assert_int_equal(info.bytes, BYTES * 2);
	assert_int_equal(truncate(image, BYTES), 0);
	medium_close(m);
	file_io_close(host);
}

static void default_engine(void **state)
{
	(void)state;
	with_engine(NULL);
}

/* The ring fails at once, or in the middle of many operations: all are done, and it is said once. */
static void ring_fails(void **state)
{
	static const long takes[] = { 0, 1, 40 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		logged = 0;
		enter_takes = takes[i];
		enter_error = i ? ENOMEM : EAGAIN;
		with_engine(NULL);
		assert_in_range(logged, 0, 1);	/* 0: there is no ring here */
	}
	enter_error = 0;
}

static void threads(void **state)
{
	(void)state;
	with_engine("threads");
}

/* A sparse file of 5 TiB: places that 32 bits of sectors do not reach; then it grows while open. */
static void beyond_two_tebibytes(void **state)
{
	static uint8_t data[4096] __attribute__((aligned(4096))), back[4096] __attribute__((aligned(4096)));
	const uint64_t bytes = 5ULL << 40;
	struct medium_spec s = spec(MEDIUM_EXCLUSIVE, 1);
	struct medium_host *host;
	struct medium_info info;
	struct medium *m;

	(void)state;
	if (truncate(image, bytes * 2)) {
		assert_int_equal(errno, EFBIG);
		skip();			/* the file system has no such files */
	}
	assert_int_equal(truncate(image, bytes), 0);
	assert_int_equal(file_io_open(&host, NULL, directory), 0);
	assert_int_equal(medium_open(&m, host, &s, &info), 0);
	assert_int_equal(info.bytes, bytes);
	for (uint64_t at = bytes - 4096; at > 1ULL << 40; at -= 1ULL << 40) {
		memset(data, at >> 40, sizeof(data));
		assert_int_equal(run(m, MEDIUM_WRITE, at, data, 4096), 0);
	}
	for (uint64_t at = bytes - 4096; at > 1ULL << 40; at -= 1ULL << 40) {
		memset(data, at >> 40, sizeof(data));
		assert_int_equal(run(m, MEDIUM_READ, at, back, 4096), 0);
		assert_memory_equal(back, data, 4096);
	}
	assert_true(run(m, MEDIUM_READ, bytes, back, 4096) < 0);
	assert_int_equal(truncate(image, bytes * 2), 0);
	medium_refresh(m, &info);
	assert_int_equal(info.bytes, bytes * 2);
	assert_int_equal(run(m, MEDIUM_WRITE, bytes * 2 - 4096, data, 4096), 0);
	medium_close(m);
	file_io_close(host);
	assert_int_equal(truncate(image, 0), 0);
	assert_int_equal(truncate(image, BYTES), 0);
}

static int try_open(struct medium_host *host, enum medium_mode mode, uint64_t fence,
		    struct medium **m)
{
	struct medium_spec s = spec(mode, fence);
	struct medium_info info;

	return medium_open(m, host, &s, &info);
}

static void sharing(void **state)
{
	struct medium *a, *b, *c;
	struct medium_host *host;

	(void)state;
	assert_int_equal(file_io_open(&host, NULL, directory), 0);
	assert_int_equal(try_open(host, MEDIUM_EXCLUSIVE, 1, &a), 0);
	assert_int_equal(try_open(host, MEDIUM_EXCLUSIVE, 2, &b), -EBUSY);
	assert_int_equal(try_open(host, MEDIUM_READ_ONLY, 3, &b), -EBUSY);
	assert_int_equal(try_open(host, MEDIUM_SHARED_WRITE, 4, &b), 0);
	medium_close(b);
	medium_close(a);
	assert_int_equal(try_open(host, MEDIUM_READ_ONLY, 1, &a), 0);
	assert_int_equal(try_open(host, MEDIUM_READ_ONLY, 2, &b), 0);
	assert_int_equal(try_open(host, MEDIUM_EXCLUSIVE, 3, &c), -EBUSY);
	medium_close(a);
	medium_close(b);
	file_io_close(host);
}

/* Another process holds the device's file: the same device must wait, another one is refused. */
static void fence(void **state)
{
	struct medium_host *host;
	int ready[2], status;
	struct medium *m;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (file_io_open(&host, NULL, directory) || try_open(host, MEDIUM_EXCLUSIVE, 9, &m))
			_exit(1);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(file_io_open(&host, NULL, directory), 0);
	assert_int_equal(try_open(host, MEDIUM_EXCLUSIVE, 9, &m), -EAGAIN);
	assert_int_equal(try_open(host, MEDIUM_EXCLUSIVE, 8, &m), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(try_open(host, MEDIUM_EXCLUSIVE, 9, &m), 0);
	medium_close(m);
	file_io_close(host);
	close(ready[0]);
	close(ready[1]);
}

/* No two devices have one number, however many domains and disks there have been. */
static void fences_differ(void **state)
{
	static const struct {
		domid_t domain;
		unsigned int device;
	} devices[] = {
		{ 1, 51712 }, { 4097, 51712 }, { 1, 51728 }, { 32751, 51712 }, { 1, 1u << 28 | 202 << 8 },
		{ 2, 1u << 28 | 202 << 8 }, { 1, 1u << 28 | 4298u << 8 }, { 32751, UINT32_MAX }, { 4079, UINT32_MAX },
	};
	static struct blkback a, b;

	(void)state;
	for (unsigned int i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		for (unsigned int k = 0; k < i; k++) {
			a.bus.peer = devices[i].domain;
			a.devid = devices[i].device;
			b.bus.peer = devices[k].domain;
			b.devid = devices[k].device;
			assert_int_not_equal(device_fence(&a), device_fence(&b));
		}
}

static void records(void **state)
{
	struct medium_host *host;
	char *r;

	(void)state;
	assert_int_equal(file_io_open(&host, NULL, directory), 0);
	r = blkback_record_map(host, "1-2-0", 10000);
	assert_non_null(r);
	assert_int_equal(r[9999], 0);
	r[9999] = 7;
	blkback_record_unmap(host, r, 10000);
	r = blkback_record_map(host, "1-2-0", 10000);
	assert_int_equal(r[9999], 7);
	blkback_record_unmap(host, r, 10000);
	blkback_record_remove(host, "1-2-0");
	r = blkback_record_map(host, "1-2-0", 10000);
	assert_int_equal(r[9999], 0);
	blkback_record_unmap(host, r, 10000);
	blkback_record_remove(host, "1-2-0");
	file_io_close(host);
}

/* Pages of the file that are in the page cache. */
static unsigned int cached_pages(void)
{
	unsigned char in[BYTES / 4096];
	unsigned int n = 0;
	int fd = open(image, O_RDONLY);
	void *map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mincore(map, BYTES, in), 0);
	munmap(map, BYTES);
	close(fd);
	for (unsigned int i = 0; i < sizeof(in); i++)
		n += in[i] & 1;
	return n;
}

/* What whoever made the image left there is dropped, by either engine; not what a reader shares with others. */
static void page_cache(void **state)
{
	static unsigned char data[BYTES];
	struct medium_host *host;
	struct statfs s;
	struct medium *m;
	int fd;

	(void)state;
	assert_int_equal(statfs(directory, &s), 0);
	if (s.f_type == TMPFS_MAGIC)
		skip();
	for (int way = 0; way < 3; way++) {
		fd = open(image, O_RDWR);
		assert_int_equal(pwrite(fd, data, BYTES, 0), BYTES);
		fsync(fd);
		close(fd);
		assert_int_equal(cached_pages(), BYTES / 4096);
		assert_int_equal(file_io_open(&host, NULL, directory), 0);
		if (way == 1)
			assert_int_equal(file_io_use_threads(host), 0);
		assert_int_equal(try_open(host, way < 2 ? MEDIUM_EXCLUSIVE : MEDIUM_READ_ONLY, 1, &m), 0);
		for (int i = 0; i < 500 && cached_pages() > (way < 2 ? 0 : BYTES); i++)
			usleep(10000);
		assert_int_equal(cached_pages(), way < 2 ? 0 : BYTES / 4096);
		medium_close(m);
		file_io_close(host);
	}
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test_file_io.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(directory + strlen(directory), 8, "/rings");
	if (mkdir(directory, 0700))
		return -1;
	snprintf(image, sizeof(image), "%s/disk", directory);
	fd = open(image, O_RDWR | O_CREAT, 0600);
	return fd < 0 || ftruncate(fd, BYTES) || close(fd);
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	*strrchr(directory, '/') = 0;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_engine),
		cmocka_unit_test(ring_fails),
		cmocka_unit_test(threads),
		cmocka_unit_test(beyond_two_tebibytes),
		cmocka_unit_test(sharing),
		cmocka_unit_test(fence),
		cmocka_unit_test(fences_differ),
		cmocka_unit_test(records),
		cmocka_unit_test(page_cache),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
