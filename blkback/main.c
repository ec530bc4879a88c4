/* SPDX-License-Identifier: MIT */
/*
 * blkback, the daemon: serves every virtual disk below backend/qblk of its domain's home in the store.
 *
 *	blkback [-f] [-t] [-d DIRECTORY]
 *
 * -f: stays in the foreground; -t: threads instead of io_uring.
 *
 * It ends without a farewell: killed, stopped or crashed, the next instance takes over from the
 * records in DIRECTORY (/run/krypton/blkback). SIGUSR1 writes DIRECTORY/stats.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tools/util.h>
#include "file_io.h"

#define LIST_MAX	65536	/* bytes of names in one directory of the store */
#define LOCK_TRIES	500	/* times 10 ms, for a dying instance */
#define RETRY_NS	1000000000ULL	/* a second, for a device that could not be served */

struct device {
	struct device *next;
	char name[32];		/* "DOMID/DEVID" */
	struct blkback *back;
	bool leaving;		/* to be closed as soon as nothing is under way */
};

struct daemon {
	struct pv_domain *domain;
	struct medium_host *host;
	struct device *devices;
	struct pv_watch watch;
	struct pv_round round;
	struct pv_timer again;	/* devices that could not be served are looked at */
	unsigned int failures;	/* to serve one, since one was */
	const char *directory;
	char records[256], tree[64];
};

static volatile int stop, want_stats;

/* --- Devices --- */

static struct device *find(struct daemon *d, const char *name)
{
	struct device *v = d->devices;

	while (v && strcmp(v->name, name))
		v = v->next;
	return v;
}

/*
 * Is it there? Negative: nobody knows, as the store does not answer; a guest must not lose its disk for that. Both keys: a
 * toolstack without transactions writes the state last.
 */
static int exists(struct daemon *d, const char *name)
{
	char path[PV_PATH_MAX], value[PV_PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", d->tree, name);
	rc = pv_store_read(d->domain, 0, path, "frontend", value, sizeof(value));
	if (rc > 0)
		rc = pv_store_read(d->domain, 0, path, "state", value, sizeof(value));
	return rc == -XEN_ENOENT ? 0 : rc;
}

static void look_again(void *arg);

static void add(struct daemon *d, const char *name)
{
	char path[PV_PATH_MAX];
	struct device *v = calloc(1, sizeof(*v));
	int rc = -ENOMEM;

	snprintf(path, sizeof(path), "%s/%s", d->tree, name);
	if (v)
		rc = blkback_open(&v->back, d->domain, d->host, path);
	if (rc) {
		d->failures++;
		if (!(d->failures & (d->failures - 1)))
			pv_log(d->domain, "device %s: cannot be served: error %d", path, -rc);
		free(v);
		d->again.fn = look_again;
		d->again.arg = d;
		pv_timer_set(d->domain, &d->again, pv_now(d->domain) + RETRY_NS);
		return;
	}
	d->failures = 0;
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->next = d->devices;
	d->devices = v;
}

/* Closes what has finished; what still has operations under way stays on the list. */
static void reap(struct daemon *d)
{
	struct device **link = &d->devices, *v;

	while ((v = *link)) {
		v->leaving |= blkback_finished(v->back);
		if (!v->leaving || blkback_close(v->back)) {
			link = &v->next;
			continue;
		}
		*link = v->next;
		free(v);
	}
}

/* --- The store --- */

/* "DOMID/DEVID" at the start of @rest, the key behind it ("" if none); false: neither. */
static bool split(const char *rest, char *name, size_t room, const char **key)
{
	unsigned int domid, devid;
	int length = 0;

	if (sscanf(rest, "%u/%u%n", &domid, &devid, &length) != 2 || (size_t)length >= room ||
	    (rest[length] && rest[length] != '/'))
		return false;
	memcpy(name, rest, length);
	name[length] = 0;
	*key = rest[length] ? rest + length + 1 : "";
	return true;
}

static void look_at(struct daemon *d, const char *name, const char *key)
{
	struct device *v = find(d, name);

	if (!v) {
		if (exists(d, name) > 0)
			add(d, name);
		return;
	}
	if (!*key && exists(d, name) == 0)
		v->leaving = true;
	else if (*key)
		blkback_poke(v->back, key);
}

/* Every device that the tree has; those that it has no more. */
static void scan(struct daemon *d)
{
	static char domids[LIST_MAX], devids[LIST_MAX];
	char path[PV_PATH_MAX], name[32];
	int n = pv_store_list(d->domain, 0, d->tree, domids, sizeof(domids)), m;
	const char *domid = domids, *devid;

	for (; n > 0; n--, domid += strlen(domid) + 1) {
		snprintf(path, sizeof(path), "%s/%.10s", d->tree, domid);
		m = pv_store_list(d->domain, 0, path, devids, sizeof(devids));
		for (devid = devids; m > 0; m--, devid += strlen(devid) + 1) {
			snprintf(name, sizeof(name), "%.10s/%.10s", domid, devid);
			if (!find(d, name) && exists(d, name) > 0)
				add(d, name);
		}
	}
	for (struct device *v = d->devices; v; v = v->next)
		v->leaving |= exists(d, v->name) == 0;
}

static void look_again(void *arg)
{
	scan(arg);
}

static void tree_changed(void *arg, const char *path)
{
	struct daemon *d = arg;
	size_t n = strlen(d->tree);
	const char *key;
	char name[32];

	if (strncmp(path, d->tree, n))
		return;
	if (path[n] == '/' && split(path + n + 1, name, sizeof(name), &key))
		look_at(d, name, key);
	else
		scan(d);
}

/* --- Statistics --- */

static void write_stats(struct daemon *d)
{
	char path[512], temporary[520];
	struct blkback_stats s;
	FILE *f;

	snprintf(path, sizeof(path), "%s/stats", d->directory);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (!f)
		return;
	for (struct device *v = d->devices; v; v = v->next) {
		blkback_stats(v->back, &s);
		fprintf(f, "%s reads %llu writes %llu flushes %llu discards %llu read_sectors %llu "
			"written_sectors %llu errors %llu taken_over %llu in_flight %u "
			"mapped_grants %u queues %u\n", v->name, (unsigned long long)s.reads,
			(unsigned long long)s.writes, (unsigned long long)s.flushes,
			(unsigned long long)s.discards, (unsigned long long)s.read_sectors,
			(unsigned long long)s.written_sectors, (unsigned long long)s.errors,
			(unsigned long long)s.taken_over, s.in_flight, s.mapped_grants, s.queues);
	}
	if (fclose(f) || rename(temporary, path))
		unlink(temporary);
}

static void round_end(void *arg)
{
	struct daemon *d = arg;

	reap(d);
	if (want_stats) {
		want_stats = 0;
		write_stats(d);
	}
}

/* --- The process --- */

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		want_stats = 1;
	else
		stop = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static int make_directories(struct daemon *d)
{
	char path[512];

	for (const char *p = d->directory + 1; (p = strchr(p, '/')); p++) {
		snprintf(path, sizeof(path), "%.*s", (int)(p - d->directory), d->directory);
		mkdir(path, 0755);
	}
	mkdir(d->directory, 0755);
	snprintf(d->records, sizeof(d->records), "%s/rings", d->directory);
	return mkdir(d->records, 0700) && errno != EEXIST ? -errno : 0;
}

/* One instance at a time; the descriptor stays open until the process ends. */
static int lock(const char *directory)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/lock", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (i == LOCK_TRIES)
			return -EBUSY;
		usleep(10000);
	}
	return 0;
}

static int set_tree(struct daemon *d)
{
	uint64_t domid = 0;
	int rc = pv_store_read_number(d->domain, 0, "domid", NULL, 0, DOMID_FIRST_RESERVED - 1, &domid);

	snprintf(d->tree, sizeof(d->tree), "/local/domain/%u/backend/" BLKBACK_TYPE,
		 (unsigned int)domid);
	return rc == -XEN_ENOENT ? 0 : rc;
}

static int fail(const char *what, int rc)
{
	fprintf(stderr, "blkback: %s: %s\n", what, strerror(-rc));
	return 1;
}

int main(int argc, char **argv)
{
	static struct daemon d = { .directory = "/run/krypton/blkback" };
	bool foreground = false, threads = false;
	int option, rc, parent = -1;

	while ((option = getopt(argc, argv, "ftd:")) != -1) {
		if (option == 'f') {
			foreground = true;
		} else if (option == 't') {
			threads = true;
		} else if (option == 'd' && strlen(optarg) < 200) {
			d.directory = optarg;
		} else {
			fprintf(stderr, "usage: blkback [-f] [-t] [-d DIRECTORY]\n");
			return 2;
		}
	}
	catch_signals();	/* first: one that asks for the statistics must not end us */
	rc = make_directories(&d);
	if (rc)
		return fail(d.directory, rc);
	if (!foreground)
		parent = tools_into_background("blkback");
	rc = lock(d.directory);
	if (rc)
		return fail("another instance runs", rc);
	rc = pv_linux_open(&d.domain, "blkback");
	if (rc)
		return fail("event channels, grants or store", rc);
	rc = file_io_open(&d.host, d.domain, d.records);
	if (!rc && threads)
		rc = file_io_use_threads(d.host);
	if (rc)
		return fail("io_uring or threads", rc);
	rc = set_tree(&d);
	if (rc)
		return fail("the domain's number", rc);
	d.round = (struct pv_round){ .fn = round_end, .arg = &d };
	pv_round_add(d.domain, &d.round);
	rc = pv_store_watch(d.domain, &d.watch, d.tree, tree_changed, &d);
	if (!rc) {
		tools_report_started(NULL, parent, true);
		rc = pv_linux_run(d.domain, &stop);
	}
	return rc ? fail("the loop", rc) : 0;
}
