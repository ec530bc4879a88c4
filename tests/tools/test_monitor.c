/* SPDX-License-Identifier: MIT */
/*
 * The domain monitor: its decisions, and its workers against fake domains in memory that outlives a
 * process; workers are killed at every point where an order of steps matters, and followed by others.
 *
 * LINK: dom0-tools/monitor/policy.c dom0-tools/monitor/intent.c dom0-tools/monitor/report.c dom0-tools/monitor/worker.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c dom0-tools/libs/json/write.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tools/dump.h>
#include <tools/kill_point.h>
#include "../../dom0-tools/monitor/monitor.h"
#include <xen/sched.h>

#define DOMAINS 16

struct fake_domain {
	bool exists, complete;
	domid_t domid;
	uint8_t uuid[16];
	uint32_t flags;
	char name[64];
	char mark[16];			/* /libxl/N/kl/monitor */
};

static struct world {
	struct fake_domain domains[DOMAINS];
	domid_t next;
	int points, create_failures;
	unsigned int created, preserved;
	int on_crash;
	bool list_fails, dump_fails;
	char console[2048];
} *world;

static char folder[64];
static struct monitor_options options;
static struct light light;

void kill_point(void)
{
	if (world->points > 0 && --world->points == 0)
		_exit(99);
}

void monitor_log(const char *format, ...)
{
	(void)format;
}

/* --- Fakes --- */

static struct fake_domain *by_id(uint32_t domid)
{
	for (unsigned int i = 0; i < DOMAINS; i++)
		if (world->domains[i].exists && world->domains[i].domid == domid)
			return &world->domains[i];
	return NULL;
}

static struct fake_domain *new_domain(const char *name, uint8_t tag)
{
	for (unsigned int i = 0; i < DOMAINS; i++) {
		struct fake_domain *d = &world->domains[i];

		if (d->exists)
			continue;
		memset(d, 0, sizeof(*d));
		d->exists = true;
		d->domid = world->next++;
		memset(d->uuid, tag, sizeof(d->uuid));
		snprintf(d->name, sizeof(d->name), "%s", name);
		strcpy(d->mark, "1");
		return d;
	}
	abort();
}

int ctl_getdomaininfolist(struct ctl *ctl, domid_t first, unsigned int max,
			  struct xen_domctl_getdomaininfo *list)
{
	unsigned int n = 0;

	(void)ctl;
	if (world->list_fails && max > 1)
		return -EFAULT;
	for (domid_t id = first; id < world->next && n < max; id++) {
		struct fake_domain *d = by_id(id);

		if (!d)
			continue;
		memset(&list[n], 0, sizeof(list[n]));
		list[n].domain = id;
		list[n].flags = d->flags;
		memcpy(list[n++].handle, d->uuid, 16);
	}
	return (int)n;
}

int ctl_getdomaininfo(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	return ctl_getdomaininfolist(ctl, domid, 1, info) == 1 && info->domain == domid ? 0 :
											  -ESRCH;
}

int ctl_readconsole(struct ctl *ctl, char *buffer, uint32_t bytes, bool clear, bool incremental,
		    uint32_t *index)
{
	(void)ctl, (void)bytes, (void)clear, (void)incremental, (void)index;
	memcpy(buffer, world->console, strlen(world->console));
	return (int)strlen(world->console);
}

int store_write(struct store *store, store_tx tx, const char *path, const void *value,
		size_t length)
{
	unsigned int domid;

	(void)store, (void)tx;
	if (sscanf(path, "/libxl/%u/kl/monitor", &domid) == 1 && by_id(domid)) {
		memcpy(by_id(domid)->mark, value, length);
		by_id(domid)->mark[length] = 0;
	}
	return 0;
}

int foreignmemory_open(struct foreignmemory **out)
{
	*out = (struct foreignmemory *)world;
	return 0;
}

int dump_core(struct ctl *ctl, struct foreignmemory *fm, domid_t domid, int fd,
	      dump_progress *progress, void *cookie, struct tools_error *error)
{
	(void)ctl, (void)fm, (void)domid, (void)progress, (void)cookie, (void)error;
	return write(fd, "core", 4) == 4 && !world->dump_fails ? 0 : -EIO;
}

void light_uuid_format(const uint8_t uuid[16], char text[37])
{
	char *p = text;

	for (int i = 0; i < 16; i++)
		p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

int light_uuid_parse(const char *text, uint8_t uuid[16])
{
	unsigned int byte;

	for (int i = 0; i < 16; i++, text += 2) {
		text += *text == '-';
		if (sscanf(text, "%2x", &byte) != 1)
			return -EINVAL;
		uuid[i] = (uint8_t)byte;
	}
	return 0;
}

int light_uuid_generate(uint8_t uuid[16])
{
	memset(uuid, 0xee, 16);
	return 0;
}

void light_config_init(struct light_config *config)
{
	memset(config, 0, sizeof(*config));
}

void light_config_free(struct light_config *config)
{
	free(config->name);
}

char *light_config_to_json(const struct light_config *config, int domid)
{
	(void)domid;
	return strdup(config->name);
}

int light_config_from_json(struct light_config *config, const char *text, size_t length,
			   struct tools_error *error)
{
	(void)error;
	config->name = strndup(text, length);
	return 0;
}

const char *light_action_name(int action)
{
	return action == LIGHT_ACTION_RESTART ? "restart" : "other";
}

int light_domain_config(struct light *l, uint32_t domid, struct light_config *config,
			struct tools_error *error)
{
	(void)l, (void)error;
	if (!by_id(domid))
		return -ENOENT;
	config->name = strdup(by_id(domid)->name);
	config->on_poweroff = LIGHT_ACTION_DESTROY;
	config->on_reboot = LIGHT_ACTION_RESTART;
	config->on_crash = world->on_crash;
	config->on_watchdog = LIGHT_ACTION_PRESERVE;
	return 0;
}

int light_restart_config(struct light *l, uint32_t domid, struct light_config *config,
			 struct tools_error *error)
{
	return light_domain_config(l, domid, config, error);
}

int light_domain_uuid(struct light *l, uint32_t domid, uint8_t uuid[16])
{
	(void)l;
	if (!by_id(domid))
		return -ESRCH;
	memcpy(uuid, by_id(domid)->uuid, 16);
	return 0;
}

int light_destroy(struct light *l, uint32_t domid, struct light_destroy *report,
		  struct tools_error *error)
{
	(void)l, (void)report, (void)error;
	kill_point();
	if (!by_id(domid))
		return -ESRCH;
	by_id(domid)->exists = false;
	kill_point();
	return 0;
}

void light_holder_text(const struct light_holder *holder, char *text, size_t room)
{
	snprintf(text, room, "%u of domain %u", holder->count, holder->domid);
}

int light_preserve(struct light *l, uint32_t domid, const char *suffix, const uint8_t uuid[16],
		   struct tools_error *error)
{
	(void)l, (void)error;
	strcat(by_id(domid)->name, suffix);
	kill_point();
	memcpy(by_id(domid)->uuid, uuid, 16);
	world->preserved++;
	kill_point();
	return 0;
}

int light_create(struct light *l, struct light_create *create, struct tools_error *error)
{
	struct fake_domain *d;

	(void)l;
	if (world->create_failures > 0) {
		world->create_failures--;
		strcpy(error->text, "no memory");
		return -ENOMEM;
	}
	d = new_domain(create->config->name, 1);
	kill_point();
	d->complete = true;
	world->created++;
	create->domid = d->domid;
	kill_point();
	return 0;
}

int light_gc(struct light *l, struct tools_error *error)
{
	(void)l, (void)error;
	for (unsigned int i = 0; i < DOMAINS; i++)
		if (world->domains[i].exists && !world->domains[i].complete)
			world->domains[i].exists = false;
	return 0;
}

/* --- The tests --- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static struct fake_domain *begin(unsigned int reason)
{
	struct fake_domain *d;

	if (!world)
		world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(world, 0, sizeof(*world));
	world->next = 1;
	world->points = -1;
	world->on_crash = LIGHT_ACTION_RESTART;
	if (folder[0])
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	strcpy(folder, "/tmp/monitor-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	options = (struct monitor_options){ .state_dir = folder, .death_dir = folder,
					    .dump_dir = folder, .run_dir = folder };
	d = new_domain("guest", 1);
	d->complete = true;
	d->flags = XEN_DOMINF_shutdown | (reason << XEN_DOMINF_shutdownshift);
	return d;
}

static int death(void)
{
	struct xen_domctl_getdomaininfo info;

	assert_int_equal(ctl_getdomaininfo(NULL, 1, &info), 0);
	return worker_death(&light, &options, &info);
}

static unsigned int living(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < DOMAINS; i++)
		n += world->domains[i].exists;
	return n;
}

static void test_actions(void **state)
{
	char path[128];
	uint8_t uuids[4][16];

	(void)state;
	begin(SHUTDOWN_poweroff);
	assert_int_equal(death(), WORKER_DONE);
	assert_int_equal(living(), 0);
	begin(SHUTDOWN_reboot);
	assert_int_equal(death(), WORKER_DONE);
	assert_null(by_id(1));
	assert_string_equal(by_id(2)->name, "guest");
	assert_int_equal(intent_list(&options, uuids, 4), 0);
	begin(SHUTDOWN_watchdog);
	assert_int_equal(death(), WORKER_DONE);
	assert_string_equal(by_id(1)->mark, "preserved");
	begin(SHUTDOWN_crash);
	world->on_crash = LIGHT_ACTION_RESTART_RENAME;
	assert_int_equal(death(), WORKER_DONE);
	assert_int_equal(strncmp(by_id(1)->name, "guest-2", 7), 0);
	assert_string_equal(by_id(1)->mark, "preserved");
	assert_string_equal(by_id(2)->name, "guest");
	begin(SHUTDOWN_crash);
	world->on_crash = LIGHT_ACTION_COREDUMP_RESTART;
	assert_int_equal(death(), WORKER_DONE);
	assert_string_equal(by_id(2)->name, "guest");
	snprintf(path, sizeof(path), "%s/guest", folder);
	assert_int_equal(access(path, R_OK), 0);
	begin(77);
	assert_int_equal(death(), WORKER_DONE);
	assert_int_equal(living(), 0);
}

static bool is_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

/* A core stays in its folder whatever the domain's name, and half of one is none. */
static void test_cores(void **state)
{
	(void)state;
	strcpy(begin(SHUTDOWN_crash)->name, "../monitor-evil");
	world->on_crash = LIGHT_ACTION_COREDUMP_DESTROY;
	assert_int_equal(death(), WORKER_DONE);
	assert_false(is_file("../monitor-evil"));
	assert_true(is_file(".._monitor-evil"));
	begin(SHUTDOWN_crash);
	world->on_crash = LIGHT_ACTION_COREDUMP_DESTROY;
	world->dump_fails = true;
	assert_int_equal(death(), WORKER_DONE);
	assert_false(is_file("guest"));
}

/* Who cannot see whether the domain runs again does not make it once more. */
static void test_blind(void **state)
{
	uint8_t uuid[16];

	(void)state;
	begin(SHUTDOWN_reboot);
	memset(uuid, 1, sizeof(uuid));
	world->list_fails = true;
	assert_int_equal(death(), WORKER_AGAIN);
	assert_int_equal(world->created, 0);
	world->list_fails = false;
	assert_int_equal(worker_resume(&light, &options, uuid), WORKER_DONE);
	assert_int_equal(world->created, 1);
}

/* Domains that are gone leave no files behind. */
static void test_no_litter(void **state)
{
	const char *lock = "01010101-0101-0101-0101-010101010101.lock";
	const char *restarts = "01010101-0101-0101-0101-010101010101.restarts";
	struct fake_domain *d;
	struct xen_domctl_getdomaininfo info;

	(void)state;
	begin(SHUTDOWN_reboot);
	assert_int_equal(death(), WORKER_DONE);
	assert_false(is_file(lock));
	assert_true(is_file(restarts));
	d = by_id(2);
	d->flags = XEN_DOMINF_shutdown | (SHUTDOWN_poweroff << XEN_DOMINF_shutdownshift);
	assert_int_equal(ctl_getdomaininfo(NULL, 2, &info), 0);
	assert_int_equal(worker_death(&light, &options, &info), WORKER_DONE);
	assert_false(is_file(lock));
	assert_false(is_file(restarts));
}

static void test_failed_restart(void **state)
{
	uint8_t uuid[16];

	(void)state;
	begin(SHUTDOWN_reboot);
	memset(uuid, 1, sizeof(uuid));
	world->create_failures = 2;
	assert_int_equal(death(), WORKER_AGAIN);
	assert_int_equal(worker_resume(&light, &options, uuid), WORKER_AGAIN);
	assert_int_equal(worker_resume(&light, &options, uuid), WORKER_DONE);
	assert_int_equal(living(), 1);
	/* It is given up at last. */
	begin(SHUTDOWN_reboot);
	world->create_failures = 1000;
	assert_int_equal(death(), WORKER_AGAIN);
	for (int i = 0; i < 20; i++) {
		struct restarts fresh = { 0 };

		restarts_write(&options, uuid, &fresh);
		if (worker_resume(&light, &options, uuid) == WORKER_DONE)
			break;
	}
	assert_int_equal(world->create_failures, 1000 - 6);
	assert_int_equal(worker_resume(&light, &options, uuid), WORKER_DONE);
}

static void test_report(void **state)
{
	char path[128], *text;

	(void)state;
	begin(SHUTDOWN_crash);
	strcpy(world->console, "(XEN) domain 11 is fine\n(XEN) d1v0 Unhandled page fault\nother\n"
	       "(XEN) Domain 1 (vcpu#0) crashed on cpu#0:\n(XEN) d12v0 no\n");
	assert_int_equal(death(), WORKER_DONE);
	snprintf(path, sizeof(path), "%s/guest.json", folder);
	assert_int_equal(tools_read_file(path, 1 << 16, &text, NULL), 0);
	assert_non_null(strstr(text, "\"reason\": \"crash\""));
	assert_non_null(strstr(text, "Unhandled page fault"));
	assert_non_null(strstr(text, "crashed on cpu"));
	assert_null(strstr(text, "is fine"));
	assert_null(strstr(text, "d12v0"));
	free(text);
}

static void test_bad_intent(void **state)
{
	struct intent intent;
	uint8_t uuid[16];
	char path[128];

	(void)state;
	begin(SHUTDOWN_crash);
	memset(uuid, 0xab, sizeof(uuid));
	snprintf(path, sizeof(path), "%s/abababab-abab-abab-abab-abababababab.intent", folder);
	tools_write_file(path, "krypton-intent 1\nrubbish", 24, 0600);
	assert_int_equal(intent_read(&options, uuid, &intent), -EINVAL);
	assert_int_equal(intent_read(&options, uuid, &intent), -ENOENT);
}

static void test_delays(void **state)
{
	struct restarts r = { 0 };
	unsigned int delay, total = 0;
	uint64_t now = 1000;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(restart_delay(&r, now++), 0);
	for (int i = 0; i < 10; i++) {
		delay = restart_delay(&r, now);
		assert_true(delay >= 1 && delay <= 60);
		total += delay;
		now += delay + 1;
	}
	assert_true(total > 200);
	assert_int_equal(restart_delay(&r, now + 100), 0);
	/* The clock was set back. */
	r.last = 1u << 30;
	assert_int_equal(restart_delay(&r, 5), 0);
}

static void test_lines(void **state)
{
	static const struct { const char *line; bool about_7; } lines[] = {
		{ "d7v0 bad", true }, { "(d7) hello", true }, { "Domain 7 crashed", true },
		{ "dom7:", true }, { "domain 7", true }, { "d7", true }, { "d70 x", false },
		{ "d17", false }, { "add7", false }, { "domain 71", false }, { "d", false },
		{ "", false },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(line_concerns(lines[i].line, strlen(lines[i].line), 7),
				 lines[i].about_7);
}

static void test_balance(void **state)
{
	(void)state;
	assert_int_equal(balance(500, 1000, 900, 0, 0), 500);
	assert_int_equal(balance(500, 1000, 900, 700, 0), 700);
	assert_int_equal(balance(500, 1000, 50, 700, 0), 550);
	assert_int_equal(balance(100000, 200000, 60000, 0, 50000), 110000);
	assert_int_equal(balance(100000, 105000, 60000, 0, 50000), 105000);
	assert_int_equal(balance(100000, 200000, 50001, 0, 50000), 100000);
	assert_int_equal(balance(200000, 200000, 90000, 0, 50000), 200000);
}

/* What the monitor does with a domain until nothing is left to do; kills on the way. */
static unsigned int live_and_die(void)
{
	struct xen_domctl_getdomaininfo info;
	unsigned int kills = 0;
	uint8_t uuid[16];
	struct intent intent;
	struct restarts fresh = { 0 };
	int status;
	pid_t pid;

	memset(uuid, 1, sizeof(uuid));
	for (;;) {
		bool planned = intent_read(&options, uuid, &intent) == 0, ended;

		if (planned)
			free(intent.config);
		ended = ctl_getdomaininfo(NULL, 1, &info) == 0 && by_id(1)->complete &&
			strcmp(by_id(1)->mark, "1") == 0;
		if (!planned && !ended)
			return kills;
		restarts_write(&options, uuid, &fresh);
		world->points = 1 + rand() % 14;
		pid = fork();
		if (pid == 0)
			_exit(planned ? worker_resume(&light, &options, uuid) :
			      worker_death(&light, &options, &info));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		kills += WEXITSTATUS(status) == 99;
		assert_true(WEXITSTATUS(status) == 99 || WEXITSTATUS(status) == WORKER_DONE);
	}
}

static void test_kills(void **state)
{
	unsigned int kills = 0, rounds = 0;

	(void)state;
	srand(1);
	for (; kills < 400; rounds++) {
		bool rename = rounds % 3 == 0, restart = rounds % 3 != 1;
		unsigned int same = 0;

		begin(restart ? SHUTDOWN_crash : SHUTDOWN_poweroff);
		if (rename)
			world->on_crash = LIGHT_ACTION_RESTART_RENAME;
		kills += live_and_die();
		for (unsigned int i = 0; i < DOMAINS; i++)
			same += world->domains[i].exists && world->domains[i].uuid[0] == 1;
		assert_int_equal(same, restart);
		assert_int_equal(living(), restart + rename);
		assert_int_equal(world->created, restart);
		assert_int_equal(world->preserved, rename);
	}
	print_message("%u kills in %u deaths\n", kills, rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_cores),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_no_litter),
		cmocka_unit_test(test_failed_restart),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_bad_intent),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_kills),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}
