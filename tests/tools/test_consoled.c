/* SPDX-License-Identifier: MIT */
/*
 * The console daemon against fake guests: logs, viewers, limits, hostile rings, and kills at every
 * point where an order of steps matters.
 *
 * LINK: tests/tools/consoled_world.c dom0-tools/consoled/daemon.c dom0-tools/consoled/console.c dom0-tools/consoled/viewer.c dom0-tools/consoled/spool.c dom0-tools/consoled/ring.c dom0-tools/consoled/hypervisor.c dom0-tools/consoled/linux.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "consoled_world.h"
#include "../../dom0-tools/consoled/consoled.h"
#include <tools/kill_point.h>

static struct daemon daemon_;
static struct daemon_options options;

static void begin(void)
{
	world_reset();
	options = (struct daemon_options){ .log_dir = world_folder, .run_dir = world_folder,
					   .limits = { .bytes = 1 << 20, .files = 3 } };
}

static void start(void)
{
	assert_int_equal(daemon_start(&daemon_, &options), 0);
}

static void turns(unsigned int n)
{
	while (n-- > 0)
		assert_int_equal(daemon_turn(&daemon_, 1), 0);
}

/* A file of the work folder as a string. */
static const char *file(const char *name)
{
	static char text[1 << 21];
	char path[128];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", world_folder, name);
	f = fopen(path, "r");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = 0;
	return text;
}

static int attach(unsigned int domid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u.sock", world_folder, domid);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turns(2);
	return fd;
}

/* What a viewer has got since the last look. */
static const char *seen(int fd)
{
	static char text[1 << 16];
	size_t n = 0;

	for (int quiet = 0; quiet < 3;) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		if (got > 0) {
			n += (size_t)got;
			quiet = 0;
		} else {
			quiet++;
		}
		turns(1);
	}
	text[n] = 0;
	return text;
}

static void print(unsigned int i, const char *text)
{
	assert_int_equal(world_print(i, text, (unsigned int)strlen(text)), strlen(text));
	turns(1);
}

static void test_log(void **state)
{
	(void)state;
	begin();
	world_domain(0, "one");
	world_print(0, "early\n", 6);
	start();
	assert_string_equal(file("guest-one.log"), "early\n");
	print(0, "more\n");
	assert_string_equal(file("guest-one.log"), "early\nmore\n");
	assert_true(world->domains[0].events >= 2);
	world_domain(1, "two/../x");
	turns(2);
	print(1, "second\n");
	assert_string_equal(file("guest-two_.._x.log"), "second\n");
	/* The last words of one that dies. */
	world_print(0, "bye\n", 4);
	world_domain_dies(0);
	turns(3);
	assert_string_equal(file("guest-one.log"), "early\nmore\nbye\n");
	assert_int_equal(world->maps, 1);
	assert_int_equal(world->domains[0].bound, 0);
	daemon_end(&daemon_);
	assert_int_equal(world->maps, 0);
}

static void test_no_grant(void **state)
{
	(void)state;
	begin();
	world_domain(0, "frame")->granted = false;
	start();
	print(0, "by frame\n");
	assert_string_equal(file("guest-frame.log"), "by frame\n");
	daemon_end(&daemon_);
	assert_int_equal(world->maps, 0);
}

static void test_others_console(void **state)
{
	(void)state;
	begin();
	world_domain(0, "qemu");
	world_write("/local/domain/1/console/type", "ioemu");
	start();
	assert_int_equal(world->maps, 0);
	world_write("/local/domain/1/console/type", "xenconsoled");
	turns(2);
	assert_int_equal(world->maps, 1);
	world_write("/local/domain/2/console/port", "2x");
	daemon_end(&daemon_);
}

static void test_viewers(void **state)
{
	int a, b;
	char typed[32];

	(void)state;
	begin();
	world_domain(0, "one");
	start();
	print(0, "boot\n");
	a = attach(1);
	assert_string_equal(seen(a), "boot\n");
	print(0, "login: ");
	assert_string_equal(seen(a), "login: ");
	b = attach(1);
	assert_string_equal(seen(b), "boot\nlogin: ");
	assert_int_equal(write(b, "root\n", 5), 5);
	turns(2);
	assert_int_equal(world_typed(0, typed, sizeof(typed)), 5);
	assert_memory_equal(typed, "root\n", 5);
	print(0, "hi\n");
	assert_string_equal(seen(a), "hi\n");
	assert_string_equal(seen(b), "hi\n");
	close(a);
	/* One that only listens from now on still does. */
	shutdown(b, SHUT_WR);
	turns(3);
	print(0, "again\n");
	assert_string_equal(seen(b), "again\n");
	/* Last words, then the end. */
	world_print(0, "bye\n", 4);
	world_domain_dies(0);
	turns(3);
	assert_string_equal(seen(b), "bye\n");
	assert_int_equal(read(b, typed, 1), 0);
	close(b);
	daemon_end(&daemon_);
}

static void test_typing_waits(void **state)
{
	char text[3000], got[3000];
	unsigned int n = 0;
	int a;

	(void)state;
	begin();
	for (unsigned int i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	world_domain(0, "one");
	start();
	a = attach(1);
	assert_int_equal(write(a, text, sizeof(text)), sizeof(text));
	turns(20);
	assert_int_equal(world->domains[0].ring.in_prod, 1024);
	for (unsigned int i = 0; i < 200 && n < sizeof(got); i++) {
		n += world_typed(0, got + n, sizeof(got) - n);
		turns(4);
	}
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(text, got, n);
	close(a);
	daemon_end(&daemon_);
}

/* The terminal: what real xl's client opens. */
static void test_terminal(void **state)
{
	char name[64] = "", typed[8];
	int tty;

	(void)state;
	begin();
	world_domain(0, "one");
	start();
	for (unsigned int i = 0; i < WORLD_NODES; i++)
		if (strcmp(world->nodes[i].path, "/local/domain/1/console/tty") == 0)
			strcpy(name, world->nodes[i].value);
	assert_string_not_equal(name, "");
	print(0, "before\n");
	tty = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_true(tty >= 0);
	turns(2);
	assert_string_equal(seen(tty), "before\n");
	print(0, "live\n");
	assert_string_equal(seen(tty), "live\n");
	assert_int_equal(write(tty, "x\n", 2), 2);
	turns(2);
	assert_int_equal(world_typed(0, typed, sizeof(typed)), 2);
	close(tty);
	turns(2);
	print(0, "alone\n");
	tty = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	turns(2);
	assert_string_equal(seen(tty), "before\nlive\nalone\n");
	close(tty);
	daemon_end(&daemon_);
}

static void test_rotation(void **state)
{
	char line[101];
	struct stat st;
	char path[256];

	(void)state;
	begin();
	options.limits = (struct spool_limits){ .bytes = 1000, .files = 2 };
	world_domain(0, "one");
	start();
	for (unsigned int i = 0; i < 45; i++) {
		snprintf(line, sizeof(line), "%099u\n", i);
		print(0, line);
		while (world->domains[0].masked)
			turns(1);
	}
	assert_int_equal(strlen(file("guest-one.log")), 500);
	assert_int_equal(strtoul(file("guest-one.log"), NULL, 10), 40);
	assert_int_equal(strtoul(file("guest-one.log.1"), NULL, 10), 30);
	assert_int_equal(strtoul(file("guest-one.log.2"), NULL, 10), 20);
	snprintf(path, sizeof(path), "%s/guest-one.log.3", world_folder);
	assert_int_not_equal(stat(path, &st), 0);
	/* Somebody else moves it away and asks for a new one. */
	snprintf(path, sizeof(path), "%s/guest-one.log", world_folder);
	rename(path, "/tmp/consoled-moved");
	daemon_reopen(&daemon_);
	print(0, "fresh\n");
	assert_string_equal(file("guest-one.log"), "fresh\n");
	unlink("/tmp/consoled-moved");
	/* Nothing can be moved away: the bound holds all the same. */
	daemon_.options.limits.files = 1;
	snprintf(path, sizeof(path), "rm %s/guest-one.log.*; mkdir %s/guest-one.log.1",
		 world_folder, world_folder);
	assert_int_equal(system(path), 0);
	for (unsigned int i = 0; i < 25; i++) {
		snprintf(line, sizeof(line), "%099u\n", i);
		print(0, line);
		while (world->domains[0].masked)
			turns(1);
		assert_in_range(strlen(file("guest-one.log")), 100, 1000);
	}
	assert_non_null(strstr(file("guest-one.log"), line));
	daemon_end(&daemon_);
}

/* A domain that has migrated gets its name when it is here: from then on its log is that name's. */
static void test_rename(void **state)
{
	struct stat st;
	char path[128];
	int a;

	(void)state;
	begin();
	world_domain(0, "one--incoming");
	start();
	a = attach(1);
	world_write("/local/domain/1/name", "one");
	turns(2);
	print(0, "here\n");
	assert_string_equal(file("guest-one.log"), "here\n");
	assert_string_equal(seen(a), "here\n");
	/* Nothing was printed under the name on the way: it leaves no file. */
	snprintf(path, sizeof(path), "%s/guest-one--incoming.log", world_folder);
	assert_int_not_equal(stat(path, &st), 0);
	/* What waits in the ring belongs to the old name. */
	world_print(0, "last\n", 5);
	world_write("/local/domain/1/name", "other");
	turns(3);
	print(0, "new\n");
	assert_string_equal(file("guest-one.log"), "here\nlast\n");
	assert_string_equal(file("guest-other.log"), "new\n");
	assert_string_equal(seen(a), "last\nnew\n");
	/* The name goes before the domain: no log by number comes of that. */
	world_write("/local/domain/1/name", "");
	turns(2);
	print(0, "bye\n");
	assert_string_equal(file("guest-other.log"), "new\nbye\n");
	close(a);
	daemon_end(&daemon_);
}

/* A number that another domain has by the time we look: neither mapping nor viewers are its. */
static void test_number_again(void **state)
{
	int a;

	(void)state;
	begin();
	world_domain(0, "one");
	start();
	print(0, "first\n");
	a = attach(1);
	assert_string_equal(seen(a), "first\n");
	world_domain(0, "two");
	turns(3);
	assert_int_equal(world->maps, 1);
	print(0, "second\n");
	assert_string_equal(file("guest-one.log"), "first\n");
	assert_string_equal(file("guest-two.log"), "second\n");
	assert_string_equal(seen(a), "");
	close(a);
	a = attach(1);
	assert_string_equal(seen(a), "second\n");
	close(a);
	daemon_end(&daemon_);
}

static void test_replay_is_bounded(void **state)
{
	char line[101];
	int a;

	(void)state;
	begin();
	world_domain(0, "one");
	start();
	for (unsigned int i = 0; i < 400; i++) {
		snprintf(line, sizeof(line), "%099u\n", i);
		world_print(0, line, 100);
		do
			turns(1);
		while (world->domains[0].masked);
	}
	a = attach(1);
	snprintf(line, sizeof(line), "%099u\n", 237);
	assert_int_equal(strncmp(seen(a), line, 100), 0);
	close(a);
	daemon_end(&daemon_);
}

static void test_hostile_ring(void **state)
{
	struct xencons_interface *ring;
	int a;

	(void)state;
	begin();
	world_domain(0, "bad");
	world_domain(1, "good");
	start();
	a = attach(1);
	ring = &world->domains[0].ring;
	for (unsigned int i = 0; i < 200; i++) {
		ring->out_prod = (uint32_t)rand();
		ring->out_cons = (uint32_t)rand();
		ring->in_prod = (uint32_t)rand();
		ring->in_cons = (uint32_t)rand();
		world_event(0);
		if (write(a, "x", 1) < 0)
			assert_int_equal(errno, EAGAIN);
		turns(1);
	}
	print(1, "fine\n");
	assert_string_equal(file("guest-good.log"), "fine\n");
	close(a);
	daemon_end(&daemon_);
}

/* One that floods is heard only so often; others are at once. */
static void test_flood(void **state)
{
	char page[2048];
	unsigned int heard = 0;
	uint64_t begun = port_now_ms();

	(void)state;
	begin();
	memset(page, 'f', sizeof(page));
	world_domain(0, "flood");
	world_domain(1, "calm");
	start();
	while (port_now_ms() < begun + 600) {
		heard += world_print(0, page, sizeof(page));
		turns(1);
	}
	assert_true(heard < 5 * (PERIOD_BYTES + 4096));
	print(1, "calm\n");
	assert_string_equal(file("guest-calm.log"), "calm\n");
	/* It goes on when its time comes. */
	for (unsigned int i = 0; i < 500 && world->domains[0].masked; i++)
		turns(1);
	assert_false(world->domains[0].masked);
	daemon_end(&daemon_);
}

static void test_store_comes_back(void **state)
{
	(void)state;
	begin();
	world_domain(0, "one");
	start();
	world->store_away = true;
	world_store_breaks();
	turns(3);
	print(0, "no store\n");
	world_domain(1, "two");
	world->store_away = false;
	for (unsigned int i = 0; i < 400 && world->maps < 2; i++)
		turns(1);
	print(1, "again\n");
	assert_string_equal(file("guest-one.log"), "no store\n");
	assert_string_equal(file("guest-two.log"), "again\n");
	daemon_end(&daemon_);
}

static void test_no_logs(void **state)
{
	int a;

	(void)state;
	begin();
	options.log_dir = NULL;
	options.limits = (struct spool_limits){ .bytes = 4096, .files = 0 };
	world_domain(0, "one");
	start();
	for (unsigned int i = 0; i < 60; i++) {
		world_print(0,
			    "0123456789012345678901234567890123456789012345678901234567890123456789"
			    "0123456789012345678901234567\r\n",
			    100);
		do
			turns(1);
		while (world->domains[0].masked);
	}
	print(0, "end\n");
	assert_string_equal(file("guest-one.log"), "");
	a = attach(1);
	assert_true(strlen(seen(a)) <= 4096);
	world_domain_dies(0);
	turns(3);
	assert_string_equal(file("1.replay"), "");
	close(a);
	daemon_end(&daemon_);
}

/* A life of the daemon without logs, until it is killed: does the replay then hold @replay? */
static bool short_life(const char *print_first, const char *newcomer, const char *replay)
{
	int status;
	pid_t child = fork();

	if (!child) {
		status = daemon_start(&daemon_, &options);
		if (print_first)
			world_print(0, print_first, (unsigned int)strlen(print_first));
		if (newcomer)
			world_domain(0, newcomer);
		for (int i = 0; i < 3 && !status; i++)
			status = daemon_turn(&daemon_, 1);
		_exit(status || strcmp(file("1.replay"), replay));
	}
	return waitpid(child, &status, 0) == child && status == 0;
}

/* The daemon is killed, its domain dies, another comes: it is not shown what the first printed. */
static void test_replay_of_the_dead(void **state)
{
	(void)state;
	begin();
	options.log_dir = NULL;
	world_domain(0, "one");
	assert_true(short_life("secret\n", NULL, "secret\n"));
	assert_true(short_life(NULL, NULL, "secret\n"));
	world->domains[0].exists = false;
	assert_true(short_life(NULL, "two", ""));
}

static void test_hypervisor_log(void **state)
{
	(void)state;
	begin();
	options.hypervisor_dir = world_folder;
	strcpy(world->hypervisor, "(XEN) boot\n");
	world->hypervisor_length = 11;
	start();
	assert_string_equal(file("hypervisor.log"), "(XEN) boot\n");
	daemon_end(&daemon_);
}

/* The hypervisor's log alone: what guests wrote is only replayed. */
static void test_hypervisor_log_alone(void **state)
{
	(void)state;
	begin();
	options.hypervisor_dir = options.log_dir;
	options.log_dir = NULL;
	strcpy(world->hypervisor, "(XEN) boot\n");
	world->hypervisor_length = 11;
	world_domain(0, "one");
	start();
	print(0, "said\n");
	assert_string_equal(file("hypervisor.log"), "(XEN) boot\n");
	assert_string_equal(file("guest-one.log"), "");
	assert_string_equal(file("1.replay"), "said\n");
	daemon_end(&daemon_);
}

/* No terminals (a dom0 without devpts): logs and the socket are served all the same. */
static void test_no_terminals(void **state)
{
	struct rlimit all, few;
	int a, lowest;

	(void)state;
	begin();
	start();
	getrlimit(RLIMIT_NOFILE, &all);
	few = all;
	lowest = dup(0);
	close(lowest);
	few.rlim_cur = (rlim_t)lowest + 1;	/* one for the log; none for a terminal */
	setrlimit(RLIMIT_NOFILE, &few);
	world_domain(0, "one");
	turns(3);
	for (int i = 0; i < 10; i++) {
		world_print(0, "early\n", 6);
		turns(3);
	}
	setrlimit(RLIMIT_NOFILE, &all);
	for (int i = 0; i < 200; i++)
		turns(1);
	print(0, "late\n");
	assert_non_null(strstr(file("guest-one.log"), "early\n"));
	assert_non_null(strstr(file("guest-one.log"), "late\n"));
	a = attach(1);
	assert_non_null(strstr(seen(a), "late\n"));
	close(a);
	daemon_end(&daemon_);
}

static void test_one_only(void **state)
{
	void *memory;
	char path[128];

	(void)state;
	begin();
	start();
	snprintf(path, sizeof(path), "%s/inflight", world_folder);
	assert_int_equal(port_memory(path, sizeof(struct inflight), 20, &memory), -EBUSY);
	daemon_end(&daemon_);
}

/* --- Kills --- */

#define KILL_GUESTS 3
#define KILL_BYTES 40000u

/* The guest's endless text, so that any loss, doubling or disorder shows. */
static char text_at(unsigned int guest, uint32_t at)
{
	char line[16];

	snprintf(line, sizeof(line), "%c%06u\n", 'a' + guest, at / 8);
	return line[at % 8];
}

static void guest_step(unsigned int i)
{
	struct world_domain *d = &world->domains[i];
	char bytes[700];
	unsigned int n = (unsigned int)rand() % sizeof(bytes);

	if (n > KILL_BYTES - d->written)
		n = KILL_BYTES - d->written;
	for (unsigned int k = 0; k < n; k++)
		bytes[k] = text_at(i, d->written + k);
	d->written += world_print(i, bytes, n);
	d->read += world_typed(i, bytes, sizeof(bytes));
}

/* The hypervisor's console goes on, too: "hNNNNNN\n" each. */
static void hypervisor_step(void)
{
	if (world->hypervisor_length + 9 > sizeof(world->hypervisor) || rand() % 4)
		return;
	sprintf(world->hypervisor + world->hypervisor_length, "h%06u\n",
		world->hypervisor_length / 8);
	world->hypervisor_length += 8;
	world->hypervisor_pending = true;
	world_event(0);
}

static bool all_written(void)
{
	for (unsigned int i = 0; i < KILL_GUESTS; i++)
		if (world->domains[i].written < KILL_BYTES ||
		    world->domains[i].ring.out_cons != world->domains[i].ring.out_prod)
			return false;
	return world->domains[0].ring.out_prod != 0;
}

/* A life of the daemon, in a child: 0 when all is written, 99 when killed. */
static int life(unsigned int seed)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		srand(seed);
		if (daemon_start(&daemon_, &options) != 0)
			_exit(1);
		for (unsigned int turn = 0; turn < 20000; turn++) {
			guest_step((unsigned int)rand() % KILL_GUESTS);
			/* The rates are not at test here. */
			for (unsigned int i = 0; i < KILL_GUESTS; i++) {
				struct console *console = daemon_.by_domid[i + 1];

				console->events = console->bytes = 0;
				console->retry = console->retry > 0;
			}
			hypervisor_step();
			daemon_turn(&daemon_, 0);
			if (all_written())
				_exit(0);
		}
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* All of a guest's log in order, whatever rotation made of it. */
static void check_logs(unsigned int guest)
{
	static char all[KILL_BYTES * 2];
	char name[64];
	size_t n = 0;

	for (int i = 64; i >= 0; i--) {
		const char *part;

		snprintf(name, sizeof(name), i ? "guest-g%u.log.%d" : "guest-g%u.log", guest, i);
		part = file(name);
		assert_true(n + strlen(part) < sizeof(all));
		memcpy(all + n, part, strlen(part));
		n += strlen(part);
	}
	assert_int_equal(n, KILL_BYTES);
	for (uint32_t k = 0; k < KILL_BYTES; k++)
		assert_int_equal(all[k], text_at(guest, k));
}

static void check_hypervisor_log(void)
{
	char name[64];
	unsigned int line = 0;

	for (int i = 64; i >= 0; i--) {
		snprintf(name, sizeof(name), i ? "hypervisor.log.%d" : "hypervisor.log", i);
		for (const char *p = file(name); *p; p += 8)
			assert_int_equal(strtoul(p + 1, NULL, 10), line++);
	}
	assert_in_range(line, 1, world->hypervisor_length / 8);
}

static unsigned int kills(unsigned int seed)
{
	unsigned int count = 0;
	int status;

	begin();
	options.limits = (struct spool_limits){ .bytes = 3000, .files = 60 };
	options.hypervisor_dir = world_folder;
	for (unsigned int i = 0; i < KILL_GUESTS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "g%u", i);
		world_domain(i, name);
	}
	srand(seed);
	for (;;) {
		/* Every life gets a little further than its start. */
		world->points = 8 + rand() % 120;
		world->bind_failures = rand() % 4;
		status = life(seed * 1000 + count);
		if (status != 99)
			break;
		count++;
	}
	assert_int_equal(status, 0);
	for (unsigned int i = 0; i < KILL_GUESTS; i++)
		check_logs(i);
	check_hypervisor_log();
	return count;
}

static void test_kills(void **state)
{
	unsigned int count = 0;
	const char *more = getenv("CONSOLED_KILLS");
	unsigned int wanted = more ? (unsigned int)strtoul(more, NULL, 10) : 300;

	(void)state;
	for (unsigned int seed = 1; count < wanted; seed++)
		count += kills(seed);
	print_message("%u kills, no byte lost or doubled\n", count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_no_grant),
		cmocka_unit_test(test_others_console),
		cmocka_unit_test(test_viewers),
		cmocka_unit_test(test_typing_waits),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_rotation), cmocka_unit_test(test_rename),
		cmocka_unit_test(test_number_again),
		cmocka_unit_test(test_replay_is_bounded),
		cmocka_unit_test(test_hostile_ring),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_store_comes_back),
		cmocka_unit_test(test_no_logs),
		cmocka_unit_test(test_replay_of_the_dead),
		cmocka_unit_test(test_hypervisor_log),
		cmocka_unit_test(test_hypervisor_log_alone),
		cmocka_unit_test(test_no_terminals),
		cmocka_unit_test(test_kills),
		/* Last: it leaves the lock held, as a process does. */
		cmocka_unit_test(test_one_only),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	world_reset();
	rmdir(world_folder);
	return failed;
}
