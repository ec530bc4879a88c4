/* SPDX-License-Identifier: MIT */
/*
 * Images through a real qemu-nbd: reads, writes, flushes and discards of a qcow2 with a backing file; servers killed
 * under load, together with the daemon too; growing under load; what is refused; no server for a while; the write log
 * by itself.
 *
 * LINK: blkback/file_io.c blkback/image.c blkback/image_calls.c blkback/image_process.c blkback/nbd.c blkback/uring.c pvlib/port/file.c
 * LINK: blkback/workers.c blkback/write_log.c
 * LIBS: -lpthread
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../blkback/file_io.h"
#include "../../blkback/write_log.h"
#include "image_loop.h"

#define BLOCK		4096
#define BLOCKS		4096	/* 16 MiB */
#define DEPTH		24
#define FENCE		5

static char folder[64], records[80], image[80];

/* --- The medium --- */

struct op {
	struct medium_io io;
	struct medium_piece piece;
	char *memory;
	uint32_t first, count;
	bool busy;
};

static struct op ops[DEPTH];
static uint32_t written[2 * BLOCKS], version;	/* of each block; 0: as the backing file has it */
static bool taken[2 * BLOCKS];
static unsigned int seed, blocks, changes;
static struct medium_host *host;
static struct medium *medium;

static unsigned int draw(unsigned int below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % below;
}

static uint64_t word(uint32_t block, uint32_t nth)
{
	return nth ? ((uint64_t)block << 32 | nth) * 0x9e3779b97f4a7c15ULL : 0;
}

static void batch_done(void *arg)
{
	(void)arg;
}

static void changed(void *arg)
{
	(void)arg;
	changes++;
}

static int try_open(bool taken_over, enum medium_mode mode, const char *path, struct medium_info *info)
{
	struct medium_spec spec = {
		.path = path, .format = "qcow2", .mode = mode, .fence = FENCE, .name = "disk", .taken_over = taken_over,
		.batch_done = batch_done, .changed = changed,
	};
	int rc;

	while ((rc = medium_open(&medium, host, &spec, info)) == -EAGAIN)
		turn();
	return rc;
}

static void open_medium(bool taken_over)
{
	struct medium_info info;

	assert_int_equal(try_open(taken_over, MEDIUM_EXCLUSIVE, image, &info), 0);
	blocks = info.bytes / BLOCK;
	assert_int_equal(info.sector, 512);
	assert_true(info.discard_granularity > 0);
}

static void settle(struct op *op)
{
	assert_int_equal(op->io.result, 0);
	for (uint32_t i = 0; i < op->count && op->io.op == MEDIUM_READ; i++) {
		const uint64_t *p = (void *)(op->memory + i * BLOCK);

		for (int j = 0; j < BLOCK / 8; j++)
			if (p[j] != word(op->first + i, written[op->first + i]))
				fail_msg("block %u: %lx, not %lx", op->first + i, (long)p[j],
					 (long)word(op->first + i, written[op->first + i]));
	}
	for (uint32_t i = 0; i < op->count; i++)
		taken[op->first + i] = false;
	op->busy = false;
}

static void done(struct medium_io *io)
{
	settle(PV_CONTAINER(io, struct op, io));
}

static void begin(struct op *op, enum medium_op what, uint32_t first, uint32_t count)
{
	op->first = first;
	op->count = what == MEDIUM_FLUSH ? 0 : count;
	op->busy = true;
	op->piece = (struct medium_piece){ op->memory, count * BLOCK };
	op->io = (struct medium_io){
		.op = what, .offset = (uint64_t)first * BLOCK, .bytes = op->count * BLOCK, .pieces = &op->piece,
		.nr_pieces = 1, .done = done,
	};
	for (uint32_t i = 0; i < op->count; i++) {
		taken[first + i] = true;
		if (what != MEDIUM_WRITE)
			continue;
		written[first + i] = ++version;
		for (int j = 0; j < BLOCK / 8; j++)
			((uint64_t *)(op->memory + i * BLOCK))[j] = word(first + i, version);
	}
	medium_submit(medium, &op->io);
}

static bool is_free(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (taken[first + i])
			return false;
	return true;
}

/* @flushes: one in so many; 0: none, so that the server keeps its metadata as long as it lives. */
static void load(unsigned int flushes)
{
	for (int i = 0; i < DEPTH; i++) {
		uint32_t count = 1 + draw(draw(3) ? 2 : 16), first = draw(blocks - count);

		if (ops[i].busy)
			continue;
		if (flushes && !draw(flushes))
			begin(&ops[i], MEDIUM_FLUSH, 0, 1);
		else if (is_free(first, count))
			begin(&ops[i], draw(3) ? MEDIUM_WRITE : MEDIUM_READ, first, count);
	}
	medium_kick(medium);
}

static bool is_busy(void)
{
	for (int i = 0; i < DEPTH; i++)
		if (ops[i].busy)
			return true;
	return false;
}

static void quiet(void)
{
	time_t end = time(NULL) + 60;

	while (is_busy() && time(NULL) < end)
		turn();
	assert_false(is_busy());
}

static void read_all(void)
{
	for (uint32_t b = 0; b < blocks; b += 16) {
		begin(&ops[0], MEDIUM_READ, b, 16);
		medium_kick(medium);
		quiet();
	}
}

/* The server is our only child. */
static pid_t child(void)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	assert_non_null(f);
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

/* --- Set-up --- */

static void shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		fail_msg("%s", command);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_image.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(records, sizeof(records), "%s/rings", folder);
	snprintf(image, sizeof(image), "%s/top", folder);
	mkdir(records, 0700);
	shell("cd %s && qemu-img create -q -f qcow2 base 16M && qemu-img create -q -f qcow2 -b base -F qcow2 top", folder);
	memset(written, 0, sizeof(written));
	memset(taken, 0, sizeof(taken));
	version = logged = changes = 0;
	seed = 7;
	for (int i = 0; i < DEPTH; i++) {
		ops[i].busy = false;
		ops[i].memory = aligned_alloc(BLOCK, 16 * BLOCK);
	}
	timers = NULL;
	memset(watched, 0, sizeof(watched));
	return file_io_open(&host, NULL, records);
}

/* Its server writes back and ends; nothing is left. */
static void close_medium(void)
{
	medium_close(medium);
	for (int i = 0; i < 5000 && timers; i++)
		turn();
	assert_null(timers);
	assert_int_equal(child(), 0);
	assert_int_not_equal(rmdir(records), -1);
	mkdir(records, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	file_io_close(host);
	for (int i = 0; i < DEPTH; i++)
		free(ops[i].memory);
	shell("rm -rf %s", folder);
	return 0;
}

/* --- Tests --- */

static void plain(void **state)
{
	struct medium_info info;

	(void)state;
	open_medium(false);
	assert_int_equal(blocks, BLOCKS);
	for (int i = 0; i < 300; i++) {
		load(20);
		turn();
	}
	quiet();
	begin(&ops[0], MEDIUM_DISCARD, 0, BLOCKS);
	medium_kick(medium);
	quiet();
	memset(written, 0, sizeof(written));
	read_all();
	for (int i = 0; i < 50; i++) {
		load(20);
		turn();
	}
	quiet();
	close_medium();
	/* A server that ended by itself has flushed. */
	assert_int_equal(try_open(false, MEDIUM_READ_ONLY, image, &info), 0);
	read_all();
	close_medium();
	assert_int_equal(logged, 0);
	shell("qemu-img check -q %s", image);
}

/* Writes without any flush: a killed server forgets where it put them, but not we. */
static void killed_servers(void **state)
{
	unsigned int kills = 0;

	(void)state;
	open_medium(false);
	for (int i = 0; kills < 12; i++) {
		load(kills & 1 ? 30 : 0);
		turn();
		if (i % 60 == 59 && child()) {
			kill(child(), kills % 3 ? SIGKILL : SIGTERM);
			kills++;
		}
	}
	quiet();
	assert_true(logged > 0);
	read_all();
	close_medium();
	shell("qemu-img check -q %s >/dev/null 2>&1 || [ $? = 3 ]", image);
}

static void work_without_end(int ready)
{
	open_medium(false);
	for (int i = 0;; i++) {
		load(0);
		turn();
		if (i == 150 && write(ready, &(pid_t){ child() }, sizeof(pid_t)) < 0)
			exit(1);
		if (i == 150)
			quiet();
		if (i == 150)
			break;
	}
	/* Answered, not flushed: this has to be there afterwards. */
	if (write(ready, written, sizeof(written)) != sizeof(written))
		exit(1);
	for (;;)
		turn();
}

/* The daemon and the server, both killed. */
static void killed_daemon(void **state)
{
	pid_t daemon, server;
	int ends[2];

	(void)state;
	for (int both = 0; both < 2; both++) {
		assert_int_equal(pipe(ends), 0);
		daemon = fork();
		if (!daemon)
			work_without_end(ends[1]);
		assert_int_equal(read(ends[0], &server, sizeof(server)), sizeof(server));
		for (size_t n = 0; n < sizeof(written);)
			n += read(ends[0], (char *)written + n, sizeof(written) - n);
		if (both)
			kill(server, SIGKILL);
		kill(daemon, SIGKILL);
		waitpid(daemon, NULL, 0);
		close(ends[0]);
		close(ends[1]);
		open_medium(true);
		read_all();
		close_medium();
		memset(written, 0, sizeof(written));
		shell("cd %s && rm top && qemu-img create -q -f qcow2 -b base -F qcow2 top", folder);
	}
}

static void grows(void **state)
{
	struct medium_info info = { 0 };

	(void)state;
	open_medium(false);
	for (int i = 0; !changes && i < 20000; i++) {
		load(30);
		turn();
		if (i == 30)
			medium_resize(medium, 2ULL * BLOCKS * BLOCK);
	}
	assert_int_equal(changes, 1);
	medium_refresh(medium, &info);
	assert_int_equal(info.bytes, 2ULL * BLOCKS * BLOCK);
	blocks = 2 * BLOCKS;
	for (int i = 0; i < 60; i++) {
		load(30);
		turn();
	}
	quiet();
	read_all();
	/* Smaller is refused: it goes on as it was. */
	medium_resize(medium, BLOCK);
	load(0);
	quiet();
	assert_int_equal(changes, 1);
	close_medium();
}

static void refused(void **state)
{
	struct medium_info info;
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/none", folder);
	assert_int_equal(try_open(false, MEDIUM_EXCLUSIVE, path, &info), -ENOENT);
	shell("dd if=/dev/urandom of=%s bs=1k count=64 2>/dev/null", path);
	assert_int_equal(try_open(false, MEDIUM_EXCLUSIVE, path, &info), -EIO);
	/* Nothing is left of it, and the same disk may have another image. */
	open_medium(false);
	close_medium();
}

static unsigned int failed;

static void settle_failed(struct medium_io *io)
{
	struct op *op = PV_CONTAINER(io, struct op, io);

	assert_int_equal(io->result, -EIO);
	failed++;
	op->busy = false;
	taken[op->first] = false;
}

static void begin_to_fail(struct op *op)
{
	begin(op, MEDIUM_READ, 3, 1);
	op->io.done = settle_failed;
	medium_kick(medium);
}

static void wait_ms(int ms)
{
	uint64_t end = pv_now(NULL) + ms * 1000000ULL;

	while (pv_now(NULL) < end)
		turn();
}

/*
 * Servers cannot be started any more: who waits, waits until they can, unless he has no patience or the disk goes.
 */
static void no_server(void **state)
{
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s", getenv("PATH"));
	failed = 0;
	open_medium(false);
	load(0);
	setenv("PATH", "/nowhere", 1);
	kill(child(), SIGKILL);
	wait_ms(2500);
	assert_true(is_busy());
	assert_true(logged > 2 && logged < 16);	/* at powers of two */
	setenv("PATH", path, 1);
	quiet();
	read_all();

	setenv("PATH", "/nowhere", 1);
	medium_patience(medium, 1);
	kill(child(), SIGKILL);
	wait_ms(100);
	begin_to_fail(&ops[0]);
	wait_ms(500);
	assert_int_equal(failed, 0);
	quiet();
	assert_int_equal(failed, 1);
	setenv("PATH", path, 1);
	wait_ms(1500);
	read_all();

	setenv("PATH", "/nowhere", 1);
	medium_patience(medium, 0);
	kill(child(), SIGKILL);
	wait_ms(100);
	begin_to_fail(&ops[0]);
	wait_ms(1500);
	assert_int_equal(failed, 1);
	medium_expire(medium);
	assert_int_equal(failed, 1);		/* not from inside */
	quiet();
	assert_int_equal(failed, 2);
	begin_to_fail(&ops[0]);
	quiet();
	assert_int_equal(failed, 3);
	close_medium();
	setenv("PATH", path, 1);
	shell("qemu-img check -q %s >/dev/null 2>&1 || [ $? = 3 ]", image);
}

/* Closed, it is done with only when its server has ended. */
static void lingers(void **state)
{
	(void)state;
	open_medium(false);
	load(0);
	quiet();
	assert_false(medium_lingers(host, FENCE));
	medium_close(medium);
	assert_true(medium_lingers(host, FENCE));
	for (int i = 0; i < 5000 && medium_lingers(host, FENCE); i++)
		turn();
	assert_int_equal(child(), 0);
	shell("qemu-img check -q %s", image);
	open_medium(false);
	read_all();
	close_medium();
}

static void log_alone(void **state)
{
	size_t bytes = 1024;
	void *memory = calloc(1, bytes);
	char data[300];
	struct medium_piece p = { data, sizeof(data) };
	const struct write_log_entry *e;
	uint64_t place = 0, mark;
	struct write_log log;

	(void)state;
	write_log_open(&log, memory, bytes, true);
	assert_null(write_log_next(&log, &place));
	for (uint64_t i = 0; i < 100; i++) {
		memset(data, (int)i, sizeof(data));
		assert_true(write_log_add(&log, i, &p, 1));
		mark = write_log_mark(&log);
		memset(data, (int)i + 1, sizeof(data));
		assert_true(write_log_add(&log, i + 1, &p, 1));
		assert_true(i % 3 || !write_log_add(&log, i + 2, &p, 1) || write_log_used(&log) <= 1000);
		write_log_open(&log, memory, bytes, true);
		write_log_drop(&log, mark);
		place = 0;
		e = write_log_next(&log, &place);
		assert_int_equal(e->offset, i + 1);
		assert_int_equal(e->bytes, sizeof(data));
		assert_int_equal((unsigned char)e->data[299], i + 1);
		write_log_drop(&log, write_log_mark(&log));
		assert_int_equal(write_log_used(&log), 0);
	}
	p.bytes = 1024;
	assert_false(write_log_add(&log, 0, &p, 0) && write_log_used(&log) > 1000);
	write_log_open(&log, memory, bytes, false);
	place = 0;
	assert_null(write_log_next(&log, &place));
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_alone),
		cmocka_unit_test_setup_teardown(plain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(killed_servers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(killed_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(grows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lingers, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
