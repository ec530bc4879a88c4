/* SPDX-License-Identifier: MIT */
/*
 * Servers of images that crash: an operation that kills each is found and fails, and no other; a write that was
 * answered and cannot be written again makes the next flush fail; a log of such writes waits for a server.
 *
 * The server is this program under the name qemu-nbd. It forgets what was not flushed, and does what it is told in
 * a file beside the image.
 *
 * LINK: blkback/file_io.c blkback/image.c blkback/image_calls.c blkback/image_process.c blkback/nbd.c blkback/uring.c pvlib/port/file.c
 * LINK: blkback/workers.c blkback/write_log.c
 * LIBS: -lpthread
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../blkback/file_io.h"
#include "image_loop.h"

#define BLOCK	4096
#define BLOCKS	256
#define BYTES	(BLOCK * BLOCKS)
#define OPS	24
#define FENCE	9
#define ANY	UINT64_MAX

enum how { ANSWER, CRASH, KILLED, LEAVE };

/* What is done at the next @left operations of a type at a place. */
struct rule {
	uint32_t type;
	uint64_t offset;
	enum how how;
	uint32_t error;
	int left;
};

struct rules {
	unsigned int starts;
	struct rule rule[2];
};

static struct rules *map_rules(const char *image)
{
	char path[128];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s.rules", image);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(struct rules)))
		abort();
	p = mmap(NULL, sizeof(struct rules), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p;
}

/* --- The server --- */

static char disk[BYTES];

static void get(int fd, void *to, size_t bytes)
{
	if (bytes && recv(fd, to, bytes, MSG_WAITALL) != (ssize_t)bytes)
		exit(0);
}

static void put(int fd, const void *from, size_t bytes)
{
	if (bytes && send(fd, from, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		exit(0);
}

static void greet(int fd)
{
	struct { uint64_t magic, option; uint16_t flags; } __attribute__((packed)) hello = {
		htobe64(0x4e42444d41474943ULL), htobe64(0x49484156454f5054ULL), htobe16(3),
	};
	struct { uint64_t magic; uint32_t option, type, bytes; } __attribute__((packed)) reply = {
		htobe64(0x0003e889045565a9ULL), htobe32(7), htobe32(3), htobe32(12),
	};
	struct { uint16_t type; uint64_t bytes; uint16_t flags; } __attribute__((packed)) export = {
		0, htobe64(BYTES), htobe16(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_TRIM),
	};
	char option[26];

	put(fd, &hello, sizeof(hello));
	get(fd, option, sizeof(option));
	put(fd, &reply, sizeof(reply));
	put(fd, &export, sizeof(export));
	reply.type = htobe32(1);
	reply.bytes = 0;
	put(fd, &reply, sizeof(reply));
}

static uint32_t obey(struct rules *rules, uint32_t type, uint64_t offset)
{
	for (int i = 0; i < 2; i++) {
		struct rule *r = &rules->rule[i];

		if (!r->left || r->type != type || (r->offset != ANY && r->offset != offset))
			continue;
		r->left--;
		if (r->how == CRASH)
			raise(SIGABRT);
		if (r->how == KILLED)
			raise(SIGKILL);
		if (r->how == LEAVE)
			exit(3);
		return r->error;
	}
	return 0;
}

static int serve(const char *image)
{
	int fd = accept(3, NULL, NULL), file = open(image, O_RDWR);
	struct rules *rules = map_rules(image);

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	if (fd < 0 || file < 0 || read(file, disk, BYTES) != BYTES)
		return 1;
	rules->starts++;
	greet(fd);
	for (;;) {
		struct nbd_request q;
		struct nbd_reply r = { .magic = htobe32(NBD_REPLY_MAGIC) };
		static char data[BYTES];
		uint32_t type, bytes;
		uint64_t offset;

		get(fd, &q, sizeof(q));
		type = be32toh(q.type);
		bytes = be32toh(q.len);
		offset = be64toh(q.from);
		if (type == NBD_CMD_WRITE)
			get(fd, data, bytes);
		r.error = htobe32(obey(rules, type, offset));
		memcpy(&r.handle, &q.handle, sizeof(r.handle));
		if (type == NBD_CMD_DISC)
			break;
		if (type == NBD_CMD_WRITE && !r.error)
			memcpy(disk + offset, data, bytes);
		if (type == NBD_CMD_FLUSH && !r.error && pwrite(file, disk, BYTES, 0) != BYTES)
			return 1;
		put(fd, &r, sizeof(r));
		if (type == NBD_CMD_READ && !r.error)
			put(fd, disk + offset, bytes);
	}
	return pwrite(file, disk, BYTES, 0) != BYTES;
}

/* --- Its client --- */

static char folder[64], records[80], image[80];
static struct rules *rules;
static struct medium_host *host;
static struct medium *medium;

static struct op {
	struct medium_io io;
	struct medium_piece piece;
	char data[BLOCK];
	bool busy;
} ops[OPS];

static void batch_done(void *arg)
{
	(void)arg;
}

static int try_open(bool taken_over)
{
	struct medium_spec spec = {
		.path = image, .format = "qcow2", .mode = MEDIUM_EXCLUSIVE, .fence = FENCE, .name = "disk",
		.taken_over = taken_over, .batch_done = batch_done, .changed = batch_done,
	};
	struct medium_info info;
	int rc;

	while ((rc = medium_open(&medium, host, &spec, &info)) == -EAGAIN)
		turn();
	return rc;
}

static void done(struct medium_io *io)
{
	PV_CONTAINER(io, struct op, io)->busy = false;
}

/* A block's data is its number and @version. */
static void begin(unsigned int n, enum medium_op what, unsigned int block, int version)
{
	struct op *op = &ops[n];

	memset(op->data, version, BLOCK);
	op->piece = (struct medium_piece){ op->data, BLOCK };
	op->io = (struct medium_io){
		.op = what, .offset = block * BLOCK, .bytes = what == MEDIUM_FLUSH ? 0 : BLOCK,
		.pieces = &op->piece, .nr_pieces = 1, .done = done, .result = 1,
	};
	op->busy = true;
	medium_submit(medium, &op->io);
}

static void quiet(void)
{
	uint64_t end = pv_now(NULL) + 60000000000ULL;
	bool busy = true;

	medium_kick(medium);
	while (busy) {
		busy = false;
		turn();
		for (int i = 0; i < OPS; i++)
			busy |= ops[i].busy;
		assert_true(pv_now(NULL) < end);
	}
}

static int once(enum medium_op what, unsigned int block, int version)
{
	begin(0, what, block, version);
	quiet();
	return ops[0].io.result;
}

static void assert_block(unsigned int block, int version)
{
	assert_int_equal(once(MEDIUM_READ, block, 0xee), 0);
	for (int i = 0; i < BLOCK; i++)
		assert_int_equal(ops[0].data[i], version);
}

static void set_rule(int n, uint32_t type, unsigned int block, enum how how, int left)
{
	rules->rule[n] = (struct rule){ type, block * BLOCK, how, EIO, left };
}

static int set_up(void **state)
{
	char self[256], name[96], path[512];
	int fd;

	(void)state;
	strcpy(folder, "/tmp/test_image_crash.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(records, sizeof(records), "%s/rings", folder);
	snprintf(image, sizeof(image), "%s/disk", folder);
	mkdir(records, 0700);
	memset(self, 0, sizeof(self));
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(name, sizeof(name), "%s/qemu-nbd", folder);
	assert_int_equal(symlink(self, name), 0);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
	setenv("PATH", path, 1);
	fd = open(image, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	close(fd);
	rules = map_rules(image);
	memset(ops, 0, sizeof(ops));
	timers = NULL;
	logged = 0;
	memset(watched, 0, sizeof(watched));
	return file_io_open(&host, NULL, records);
}

static void close_medium(void)
{
	medium_close(medium);
	for (int i = 0; i < 5000 && timers; i++)
		turn();
	assert_null(timers);
	assert_int_equal(rmdir(records), 0);	/* no log is left */
	mkdir(records, 0700);
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	munmap(rules, sizeof(*rules));
	file_io_close(host);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* --- Tests --- */

/* Operation @n of many crashes each server that it is given to. */
static void find_one(int n, enum medium_op what, uint32_t type, enum how how)
{
	assert_int_equal(try_open(false), 0);
	sought = "3 servers have crashed of it";
	found = 0;
	for (int i = 0; i < OPS; i++)
		assert_int_equal(once(MEDIUM_WRITE, i, i + 1), 0);
	assert_int_equal(once(MEDIUM_FLUSH, 0, 0), 0);
	rules->starts = 0;
	set_rule(0, type, what == MEDIUM_FLUSH ? 0 : n, how, 100);
	for (int i = 0; i < OPS; i++)
		begin(i, i == n ? what : i & 1 ? MEDIUM_WRITE : MEDIUM_READ, i, i + 1);
	quiet();
	for (int i = 0; i < OPS; i++)
		assert_int_equal(ops[i].io.result, i == n ? -EIO : 0);
	assert_int_equal(rules->rule[0].left, 97);
	rules->rule[0].left = 0;
	assert_int_equal(found, 1);
	for (int i = 0; i < OPS; i++)
		assert_block(i, i + 1);
	assert_int_equal(rules->starts, 3);
	assert_int_equal(once(MEDIUM_FLUSH, 0, 0), 0);
	close_medium();
}

static void culprits(void **state)
{
	(void)state;
	find_one(0, MEDIUM_READ, NBD_CMD_READ, CRASH);
	find_one(OPS - 1, MEDIUM_READ, NBD_CMD_READ, CRASH);
	find_one(7, MEDIUM_WRITE, NBD_CMD_WRITE, LEAVE);
	find_one(11, MEDIUM_FLUSH, NBD_CMD_FLUSH, CRASH);
	find_one(5, MEDIUM_DISCARD, NBD_CMD_TRIM, CRASH);
}

/* What an administrator, or the lack of memory, does to a server is nobody's fault. */
static void killed_from_outside(void **state)
{
	(void)state;
	assert_int_equal(try_open(false), 0);
	set_rule(0, NBD_CMD_READ, 3, KILLED, 5);
	for (int i = 0; i < OPS; i++)
		begin(i, MEDIUM_READ, i, 0);
	quiet();
	for (int i = 0; i < OPS; i++)
		assert_int_equal(ops[i].io.result, 0);
	assert_int_equal(rules->rule[0].left, 0);
	close_medium();
}

/* Two crashes prove nothing yet. */
static void twice(void **state)
{
	(void)state;
	assert_int_equal(try_open(false), 0);
	set_rule(0, NBD_CMD_WRITE, 3, CRASH, 2);
	assert_int_equal(once(MEDIUM_WRITE, 3, 7), 0);
	set_rule(0, NBD_CMD_WRITE, 3, CRASH, 2);
	assert_int_equal(once(MEDIUM_WRITE, 3, 8), 0);
	assert_block(3, 8);
	close_medium();
}

/* One crash, after which the write of block 5 is repeated in vain. */
static void lose_block_5(enum how how)
{
	assert_int_equal(once(MEDIUM_WRITE, 4, 4), 0);
	assert_int_equal(once(MEDIUM_WRITE, 5, 5), 0);
	assert_int_equal(once(MEDIUM_WRITE, 6, 6), 0);
	set_rule(0, NBD_CMD_READ, 20, CRASH, 1);
	set_rule(1, NBD_CMD_WRITE, 5, how, how == ANSWER ? 1 : 100);
	rules->starts = 0;
	sought = "is lost";
	found = 0;
	assert_int_equal(once(MEDIUM_READ, 20, 0), 0);
	assert_int_equal(rules->starts, how == ANSWER ? 1 : 4);
	rules->rule[1].left = 0;
	assert_int_equal(found, 1);
}

static void lost_writes(void **state)
{
	(void)state;
	assert_int_equal(try_open(false), 0);
	for (enum how how = ANSWER; how <= CRASH; how++) {
		lose_block_5(how);
		assert_block(4, 4);
		assert_block(5, 0);
		assert_block(6, 6);
		assert_int_equal(once(MEDIUM_FLUSH, 0, 0), -EIO);
		assert_int_equal(once(MEDIUM_FLUSH, 0, 0), 0);
	}
	/* All that wait for the news hear it. */
	lose_block_5(ANSWER);
	begin(1, MEDIUM_FLUSH, 0, 0);
	begin(2, MEDIUM_FLUSH, 0, 0);
	quiet();
	assert_int_equal(ops[1].io.result, -EIO);
	assert_int_equal(ops[2].io.result, -EIO);
	assert_int_equal(once(MEDIUM_FLUSH, 0, 0), 0);
	close_medium();
}

/* A daemon does @work and is killed with its server; this process is the next one. */
static void daemon_dies_after(void (*work)(void))
{
	pid_t daemon = fork();
	int status;

	if (!daemon) {
		assert_int_equal(try_open(false), 0);
		work();
		set_rule(0, NBD_CMD_READ, 99, KILLED, 1);
		begin(0, MEDIUM_READ, 99, 0);
		medium_kick(medium);
		while (rules->rule[0].left)
			usleep(1000);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void lose_one(void)
{
	lose_block_5(ANSWER);
}

static void lost_and_daemon_killed(void **state)
{
	(void)state;
	daemon_dies_after(lose_one);
	assert_int_equal(try_open(true), 0);
	assert_block(6, 6);
	assert_int_equal(once(MEDIUM_FLUSH, 0, 0), -EIO);
	assert_int_equal(once(MEDIUM_FLUSH, 0, 0), 0);
	close_medium();
}

static void write_one(void)
{
	assert_int_equal(once(MEDIUM_WRITE, 8, 8), 0);
}

/* The next daemon finds no server at first: what was answered is kept until there is one. */
static void log_waits(void **state)
{
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s", getenv("PATH"));
	daemon_dies_after(write_one);
	setenv("PATH", "/nowhere", 1);
	assert_int_equal(try_open(true), -EIO);
	assert_int_equal(try_open(true), -EIO);
	setenv("PATH", path, 1);
	assert_int_equal(try_open(true), 0);
	assert_block(8, 8);
	close_medium();

	daemon_dies_after(write_one);
	setenv("PATH", "/nowhere", 1);
	assert_int_equal(try_open(true), -EIO);
	medium_forget(host, FENCE);
	setenv("PATH", path, 1);
	for (int i = 0; i < 5000 && timers; i++)
		turn();
	assert_int_equal(rmdir(records), 0);
	mkdir(records, 0700);
}

/* Without a place for the log nothing could be promised. */
static void no_log(void **state)
{
	(void)state;
	assert_int_equal(rmdir(records), 0);
	assert_int_equal(try_open(false), -ENOMEM);
	mkdir(records, 0700);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(culprits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(killed_from_outside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_and_daemon_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(log_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_log, set_up, tear_down),
	};
	const char *name = strrchr(argv[0], '/');

	if (!strcmp(name ? name + 1 : argv[0], "qemu-nbd"))
		return serve(argv[argc - 1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
