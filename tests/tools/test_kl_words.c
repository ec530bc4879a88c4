/* SPDX-License-Identifier: MIT */
/*
 * kl beside its verbs' answers: how its words are understood, its manual, options' numbers, missing
 * standard files, a terminal that nobody reads; and the columns of top, which scripts read.
 */
/* LINK: dom0-tools/kl/commands.c dom0-tools/kl/console.c dom0-tools/kl/cpupool_create.c dom0-tools/kl/cpupool_list.c */
/* LINK: dom0-tools/kl/cpupool_ops.c dom0-tools/kl/cpupool_split.c dom0-tools/kl/cpupools.c dom0-tools/kl/cpus.c */
/* LINK: dom0-tools/kl/block.c dom0-tools/kl/devices.c dom0-tools/kl/network.c */
/* LINK: dom0-tools/kl/destroy.c dom0-tools/libs/light/holders.c */
/* LINK: dom0-tools/kl/dmesg.c dom0-tools/kl/domains.c dom0-tools/kl/events.c dom0-tools/kl/gc.c */
/* LINK: dom0-tools/kl/handles.c dom0-tools/kl/help.c dom0-tools/kl/info.c dom0-tools/kl/info_numa.c */
/* LINK: dom0-tools/kl/metrics_more.c dom0-tools/kl/metrics_json.c */
/* LINK: dom0-tools/kl/list.c dom0-tools/kl/memory.c dom0-tools/kl/metrics.c dom0-tools/kl/names.c */
/* LINK: dom0-tools/kl/pause.c dom0-tools/kl/report.c dom0-tools/kl/sched.c dom0-tools/kl/set_parameters.c */
/* LINK: dom0-tools/kl/snapshot.c dom0-tools/kl/top.c dom0-tools/kl/top_disks.c dom0-tools/kl/top_table.c dom0-tools/kl/uptime.c dom0-tools/kl/vcpu_list.c */
/* LINK: dom0-tools/kl/vcpu_pin.c dom0-tools/kl/vcpu_set.c */
/* LINK: dom0-tools/libs/light/cfg.c dom0-tools/libs/light/config.c dom0-tools/libs/light/config_json.c */
/* LINK: dom0-tools/libs/light/config_sxp.c dom0-tools/libs/light/values.c */
/* LINK: dom0-tools/libs/light/defaults.c dom0-tools/libs/light/disk_spec.c */
/* LINK: dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c dom0-tools/libs/light/parse.c */
/* LINK: dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c */
/* LINK: dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c tests/tools/fake_kl.c */
/* LINK: dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c */
/* LIBS: -lutil */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <xen/sched.h>
#include <tools/json.h>
#include <kl_run.h>

/* Scripts read xentop's columns by their number. */
static void test_top_columns(void **state __attribute__((unused)))
{
	char *line;

	fake_kl_add(7, "a-name-longer-than-ten");
	fake_store_set("/local/domain/0/backend/qblk/7/51712", "");
	assert_int_equal(run("top -b -i 1"), 0);
	assert_int_equal(strncmp(out, "xentop - ", 9), 0);
	line = strstr(out,
		      "\n      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) "
		      "NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID\n");
	assert_non_null(line);
	line = strstr(line, "\na-name-lon ");
	assert_non_null(line);
	assert_non_null(strstr(line,
			       "    0        0        0    1        -        -        -          -          -    0\n"));
	assert_int_equal(run("top -bi1 -f"), 0);
	assert_non_null(strstr(out, "\na-name-longer-than-ten "));
	assert_int_equal(run("top -b -x"), 2);
}

/* The block daemon: it holds its lock, and writes what its disks did when it is asked. */
static void daemon_plays(const char *folder, int ready)
{
	char lock[64], stats[64], fresh[64];
	sigset_t usr1;
	FILE *f;
	int sig;

	snprintf(lock, sizeof(lock), "%s/lock", folder);
	snprintf(stats, sizeof(stats), "%s/stats", folder);
	snprintf(fresh, sizeof(fresh), "%s/stats.new", folder);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	if (flock(open(lock, O_RDWR | O_CREAT, 0600), LOCK_EX) || write(ready, "", 1) != 1)
		_exit(1);
	while (!sigwait(&usr1, &sig)) {
		f = fopen(fresh, "we");
		fputs("7/51712 reads 11 writes 22 flushes 3 discards 4 read_sectors 55 written_sectors 66 errors 0\n"
		      "7/51728 reads 100 writes 0 flushes 3 discards 4 read_sectors 200 written_sectors 0 errors 0\n"
		      "9/51712 reads 1 writes 1 flushes 1 discards 1 read_sectors 1 written_sectors 1 errors 0\n"
		      "rubbish\n", f);
		fclose(f);
		rename(fresh, stats);
	}
	_exit(0);
}

/* Disks of our own backend are counted by its daemon; without it, what it said once is no news. */
static void test_top_disks(void **state __attribute__((unused)))
{
	char folder[] = "/dev/shm/test-kl-XXXXXX", command[64], byte;
	pid_t child;
	int ready[2];

	if (!mkdtemp(folder))
		skip();
	top_blkback_folder = folder;
	fake_kl_add(7, "web");
	fake_store_set("/local/domain/0/backend/qblk/7/51712", "");
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child)
		daemon_plays(folder, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(run("top -b -i 1"), 0);
		assert_non_null(strstr(out,
				       "    1        0      111       22        255         66    0\n"));
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(run("top -b -i 1"), 0);
	assert_non_null(strstr(out,
			       "    1        -        -        -          -          -    0\n"));
	close(ready[0]);
	close(ready[1]);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	top_blkback_folder = "/nowhere";
}

static void test_prefixes(void **state __attribute__((unused)))
{
	static const struct { const char *word, *verb; } words[] = {
		{ "list", "list" }, { "li", "list" }, { "debug", "debug-keys" }, { "save", "save" },
		{ "pci-assignable-rem", "pci-assignable-remove" }, { "dom", NULL }, { "s", NULL },
		{ "sched-credit", "sched-credit" }, { "sched-credit2", "sched-credit2" },
		{ "g", "getenforce" }, { "gc", "gc" }, { "met", "metrics" }, { "mem", NULL },
		{ "", NULL },
		{ "mig", NULL }, { "network", NULL }, { "network-r", "network-reconnect" },
		{ "su", "suspend" },
		{ "cre", "create" }, { "unp", "unpause" }, { "listx", NULL }, { "up", "uptime" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct kl_command *c = kl_lookup(words[i].word);

		if (words[i].verb) {
			assert_non_null(c);
			assert_string_equal(c->name, words[i].verb);
		} else {
			assert_null(c);
		}
	}
}

static void test_table(void **state __attribute__((unused)))
{
	unsigned int i, refused = 0, ours = 0;

	for (i = 0; i < kl_command_count; i++) {
		const struct kl_command *c = &kl_commands[i];

		assert_true(!c->run == !!c->refusal);
		assert_true(!c->run || c->summary);
		refused += !c->run;
		ours += c->ours;
	}
	/* xl's 92, help not counted, and ours. */
	assert_int_equal(kl_command_count - ours, 92);
	assert_true(refused < 50);
	assert_int_equal(run("help"), 0);
	assert_non_null(strstr(out, "\n list                List all or some domains\n"));
	assert_int_equal(run("help list"), 0);
	assert_non_null(strstr(out, "Options:\n\n-l, --long "));
	assert_int_equal(run("help save"), 0);
	assert_int_equal(run("help bogus"), 0);
}

/* Every verb that runs stands in the manual, as "\nVERB", hyphens as troff wants them. */
static void test_manual(void **state __attribute__((unused)))
{
	char *text, wanted[64];
	unsigned int i, j, at;

	assert_int_equal(tools_read_file("packaging/man/kl.1", 1 << 20, &text, NULL), 0);
	for (i = 0; i < kl_command_count; i++) {
		at = snprintf(wanted, sizeof(wanted), "\n.B ");
		for (j = 0; kl_commands[i].name[j]; j++)
			at += snprintf(wanted + at, sizeof(wanted) - at,
				       kl_commands[i].name[j] == '-' ? "\\%c" : "%c",
				       kl_commands[i].name[j]);
		if (kl_commands[i].run && !strstr(text, wanted))
			fail_msg("kl.1 has no %s", kl_commands[i].name);
	}
	free(text);
}

/* An option's number: nothing is cut off, nothing wraps, and what is none is told of. */
static void test_numbers(void **state __attribute__((unused)))
{
	static const char *const wrong[] = {
		"", "abc", "-1", " 5", "5s", "1000001", "4294967297", "99999999999999999999999999",
	};
	struct kl kl = { .program = "kl", .cancel_fd = -1 };
	FILE *old = stderr;
	uint64_t value;
	size_t n;

	stderr = open_memstream(&err, &n);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		optarg = (char *)wrong[i];
		assert_int_equal(kl_number(&kl, "--timeout", 1000000, &value), KL_FAILED);
	}
	optarg = (char *)"1000000";
	assert_int_equal(kl_number(&kl, "--timeout", 1000000, &value), KL_OK);
	assert_int_equal(value, 1000000);
	fclose(stderr);
	stderr = old;
	assert_non_null(strstr(err, "--timeout needs a number up to 1000000, not \"abc\"\n"));
}

/* Started without standard files: what is opened next is not printed into, and printing fails. */
static void test_standard_files(void **state __attribute__((unused)))
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		tools_keep_standard_files();
		_exit(open("/dev/null", O_RDWR) > 2 && write(1, "x", 1) < 0 &&
				      write(2, "x", 1) < 0 ?
			      0 :
			      1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Domains that stand suspended are told of, with what to do; nothing is done to them. */
static void test_gc_tells(void **state __attribute__((unused)))
{
	const uint32_t suspended = XEN_DOMINF_shutdown | SHUTDOWN_suspend
								 << XEN_DOMINF_shutdownshift;

	fake_kl.light = true;
	fake_kl_add(6, "over")->flags = XEN_DOMINF_shutdown;
	assert_int_equal(run("gc"), 0);
	assert_string_equal(out, "");
	fake_kl_add(7, "web")->flags = suspended;
	fake_kl_add(8, "db--migratedaway")->flags = suspended;
	fake_kl_add(9, "gone")->flags = suspended | XEN_DOMINF_dying;
	assert_int_equal(run("gc"), 0);
	assert_non_null(strstr(out, "domain 7 (web) stands suspended: unless a save"));
	assert_non_null(strstr(out, "`kl resume 7'"));
	assert_non_null(strstr(out,
			       "if it runs there, `kl destroy 8'; if not, `kl resume 8' and `kl rename 8 db'"));
	assert_null(strstr(out, "(over)"));
	assert_null(strstr(out, "(gone)"));
	assert_string_equal(fake_kl.last, "");
	assert_int_equal(run("--json gc"), 0);
	assert_non_null(strstr(out, "\"suspended\""));
	assert_non_null(strstr(out, "db--migratedaway"));
}

static int raw_terminal(int *slave, char *name)
{
	struct termios raw = { 0 };
	int master;

	cfmakeraw(&raw);
	assert_int_equal(openpty(&master, slave, name, &raw, NULL), 0);
	fcntl(master, F_SETFL, O_NONBLOCK);
	return master;
}

/*
 * A guest that reads nothing of what is typed: the keyboard and its escape are heard all the same.
 */
static void test_console_of_the_deaf(void **state __attribute__((unused)))
{
	char name[64], bytes[1024];
	int guest_slave, slave, guest = raw_terminal(&guest_slave, name),
				keyboard = raw_terminal(&slave, NULL);
	struct pollfd p = { .fd = keyboard, .events = POLLOUT };
	int status = -1, left = 256 << 10;
	pid_t child;

	fake_kl_add(7, "web");
	fake_store_set("/local/domain/7/console/tty", name);
	memset(bytes, 'x', sizeof(bytes));
	child = fork();
	if (!child) {
		dup2(slave, STDIN_FILENO);
		_exit(run("console web"));
	}
	while (left > 0 && poll(&p, 1, 5000) == 1) {
		ssize_t n = write(keyboard, bytes, sizeof(bytes));

		left -= n > 0 ? n : 0;
	}
	assert_true(left <= 0 || !kill(child, SIGKILL));
	for (int i = 0; i < 500 && waitpid(child, &status, WNOHANG) == 0; i++) {
		if (write(keyboard, "\035", 1) < 0)
			assert_int_equal(errno, EAGAIN);
		usleep(10000);
	}
	assert_int_equal(status, 0);
	close(guest_slave);
	close(guest);
	close(slave);
	close(keyboard);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_top_columns), T(test_top_disks), T(test_prefixes), T(test_table),
		T(test_manual), T(test_gc_tells), T(test_numbers), T(test_standard_files),
		T(test_console_of_the_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
