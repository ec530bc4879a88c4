/* SPDX-License-Identifier: MIT */
/*
 * The network backend daemon: one process for all cards of all guests whose backend is this domain.
 *
 *	netback [--pid-file FILE] [--daemon]	serve until killed
 *	netback --statistics			print counters of all cards
 *
 * It may be killed at any instant and started again: guests see a pause. Each card's record lies in
 * RECORD_DIR; a lock there is held by the process that uses the records, and a new process waits for it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pv/linux.h>
#include <tools/util.h>
#include "netback.h"
#include "tap.h"

#define RECORD_DIR	"/run/krypton/netback"
#define TYPE		"qnic"
#define RETRY_NS	1000000000ULL	/* a second, for a card that could not be served */

struct card {
	struct card *next;
	struct netback nb;
	struct wire *wire;
	struct netback_record *record;
	unsigned int domid, devid;
	bool up;		/* the tap's state, as last told to the guest */
};

static struct daemon {
	struct pv_domain *domain;
	struct netback_shared shared;
	struct card *cards;
	char base[64];		/* the directory of our backends */
	struct pv_watch watch;
	struct pv_fd links;	/* news of the kernel's network devices */
	struct pv_timer again;	/* cards that could not be served are looked at */
	unsigned int failures;	/* to serve one, since one was */
	unsigned int queues;
} the;

static volatile int stop;

static void on_signal(int signal)
{
	stop = signal;
}

/* --- Records --- */

static void record_path(char *path, size_t room, unsigned int domid, unsigned int devid)
{
	snprintf(path, room, RECORD_DIR "/vif%u.%u", domid, devid);
}

static struct netback_record *map_record(const char *path, bool create)
{
	int fd = open(path, (create ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (create && pv_file_reserve(fd, sizeof(struct netback_record)))
		goto close;
	if (!fstat(fd, &st) && st.st_size >= (off_t)sizeof(struct netback_record))
		p = mmap(NULL, sizeof(struct netback_record),
			 create ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
close:
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static void unmap_record(struct netback_record *record)
{
	munmap(record, sizeof(*record));
}

/* Only one process uses the records; an earlier one may still be ending. */
static int lock_records(void)
{
	int fd;

	mkdir("/run/krypton", 0755);
	mkdir(RECORD_DIR, 0700);
	fd = open(RECORD_DIR "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX)) {
		if (errno != EINTR || stop)
			return -errno;
	}
	return 0;	/* held until the process is gone */
}

/* --- Cards --- */

static struct card *find_card(unsigned int domid, unsigned int devid)
{
	struct card *c = the.cards;

	while (c && (c->domid != domid || c->devid != devid))
		c = c->next;
	return c;
}

static bool on_wire(void *arg, unsigned int queue)
{
	struct card *c = arg;

	return netback_wire_ready(&c->nb, queue);
}

/* Opens the card's tap: by the name it had, the name that a script gives it, or its own. */
static int open_wire(struct card *c, const char *path)
{
	char name[16] = "", device[64];
	int rc;

	if (c->record->magic == NETBACK_RECORD_MAGIC)
		snprintf(name, sizeof(name), "%.15s", c->record->wire);
	if (!name[0])
		pv_store_read(the.domain, 0, path, "vifname", name, sizeof(name));
	snprintf(device, sizeof(device), "/sys/class/net/%s", name);
	if (!name[0] || access(device, F_OK))
		snprintf(name, sizeof(name), "vif%u.%u", c->domid, c->devid);
	rc = tap_open(&c->wire, the.domain, name, on_wire, c);
	if (rc)
		pv_log(the.domain, "%s: tap %s: error %d", path, name, -rc);
	return rc;
}

static void free_card(struct card *c, bool destroy)
{
	char path[128];

	if (c->wire)
		tap_close(c->wire, destroy);
	if (c->record)
		unmap_record(c->record);
	record_path(path, sizeof(path), c->domid, c->devid);
	if (destroy)
		unlink(path);
	free(c);
}

static int start_card(struct card *c, const char *path)
{
	char value[256], file[128];
	int rc;

	record_path(file, sizeof(file), c->domid, c->devid);
	c->record = map_record(file, true);
	if (!c->record)
		return -ENOMEM;
	rc = open_wire(c, path);
	c->nb.shared = &the.shared;
	if (!rc)
		rc = netback_open(&c->nb, the.domain, path, c->wire, c->record, the.queues);
	if (rc)
		return rc;
	tap_name(c->wire, c->record->wire, sizeof(c->record->wire));
	if (pv_store_read(the.domain, 0, path, "script", value, sizeof(value)) == -ENOENT)
		tap_set_up(c->wire);
	c->up = tap_is_up(c->wire);
	return 0;
}

static void look_again(void *arg);

/* A guest may be waiting that was connected to an earlier process: record and tap stay, and it is tried again. */
static void card_failed(struct card *c, const char *path, int rc)
{
	the.failures++;
	if (!(the.failures & (the.failures - 1)))
		pv_log(the.domain, "%s: error %d", path, -rc);
	free_card(c, !c->record || !c->record->connected);
	the.again.fn = look_again;
	pv_timer_set(the.domain, &the.again, pv_now(the.domain) + RETRY_NS);
}

static void add_card(unsigned int domid, unsigned int devid, const char *path)
{
	struct card *c;
	char value[256];
	int rc;

	/* Half-written directories: the next key's event comes back here. */
	if (pv_store_read(the.domain, 0, path, "frontend-id", value, sizeof(value)) < 0 ||
	    pv_store_read(the.domain, 0, path, "frontend", value, sizeof(value)) < 0 ||
	    pv_store_read(the.domain, 0, path, "state", value, sizeof(value)) < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->domid = domid;
	c->devid = devid;
	rc = start_card(c, path);
	if (rc) {
		card_failed(c, path, rc);
		return;
	}
	the.failures = 0;
	c->next = the.cards;
	the.cards = c;
}

static void remove_card(struct card *c)
{
	struct card **p = &the.cards;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	netback_close(&c->nb);
	free_card(c, true);
}

/* Something about this card has changed: it may be new, or gone. */
static void look_at(unsigned int domid, unsigned int devid)
{
	struct card *c = find_card(domid, devid);
	char path[128], value[16];
	int rc;

	snprintf(path, sizeof(path), "%s/%u/%u", the.base, domid, devid);
	rc = pv_store_read(the.domain, 0, path, "state", value, sizeof(value));
	if (c && rc == -ENOENT)
		remove_card(c);
	else if (!c && rc >= 0)
		add_card(domid, devid, path);
}

/* Calls fn for each child of @dir that is a number. */
static void for_numbers(const char *dir, void (*fn)(unsigned int number, void *arg), void *arg)
{
	static char names[65536];
	char *own;
	int n = pv_store_list(the.domain, 0, dir, names, sizeof(names));
	size_t length;
	uint64_t number;

	if (n <= 0)
		return;
	/* The callback lists too: it needs the buffer. */
	length = 0;
	for (int i = 0; i < n; i++)
		length += strlen(names + length) + 1;
	own = malloc(length);
	if (!own)
		return;
	memcpy(own, names, length);
	for (char *p = own; n-- > 0; p += strlen(p) + 1) {
		if (!pv_parse_number(p, 0, UINT32_MAX, &number))
			fn(number, arg);
	}
	free(own);
}

static void look_at_device(unsigned int devid, void *arg)
{
	look_at(*(unsigned int *)arg, devid);
}

static void look_at_domain(unsigned int domid, void *arg)
{
	char dir[96];

	(void)arg;
	snprintf(dir, sizeof(dir), "%s/%u", the.base, domid);
	for_numbers(dir, look_at_device, &domid);
}

/* Everything below the base may have changed: @domid's, or all. */
static void rescan(bool all, unsigned int domid)
{
	struct card *c, *next;

	for (c = the.cards; c; c = next) {
		next = c->next;
		if (all || c->domid == domid)
			look_at(c->domid, c->devid);
	}
	if (all)
		for_numbers(the.base, look_at_domain, NULL);
	else
		look_at_domain(domid, NULL);
}

static void look_again(void *arg)
{
	(void)arg;
	rescan(true, 0);
}

static void on_change(void *arg, const char *path)
{
	unsigned int domid, devid;
	const char *key;
	struct card *c;
	int at = 0, n;

	(void)arg;
	if (strncmp(path, the.base, strlen(the.base)))
		return;
	n = sscanf(path + strlen(the.base), "/%u/%u%n", &domid, &devid, &at);
	if (n < 2) {
		rescan(n < 1, domid);
		return;
	}
	key = path + strlen(the.base) + at;
	c = find_card(domid, devid);
	if (!*key || !c)
		look_at(domid, devid);
	else if (!strcmp(key, "/state"))
		netback_poke(&c->nb);
}

/* --- Links --- */

/* A network device changed: tell the guests whose link went down or came back. */
static void on_links(void *arg, uint32_t events)
{
	char buffer[8192];
	bool up;

	(void)arg;
	(void)events;
	while (recv(the.links.fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
	for (struct card *c = the.cards; c; c = c->next) {
		up = tap_is_up(c->wire);
		if (up == c->up)
			continue;
		c->up = up;
		netback_carrier(&c->nb, up);
		tap_name(c->wire, c->record->wire, sizeof(c->record->wire));
	}
}

static int watch_links(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };

	the.links.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (the.links.fd < 0)
		return -errno;
	if (bind(the.links.fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	the.links.events = EPOLLIN;
	the.links.fn = on_links;
	return pv_fd_add(the.domain, &the.links);
}

/* --- Start --- */

/* Taps and records of cards that vanished while nobody served them. */
static void sweep(void)
{
	DIR *dir = opendir(RECORD_DIR);
	struct dirent *entry;
	struct card *c;
	unsigned int domid, devid;
	char path[320];

	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "vif%u.%u", &domid, &devid) != 2 || find_card(domid, devid))
			continue;
		snprintf(path, sizeof(path), "%s/%u/%u", the.base, domid, devid);
		c = calloc(1, sizeof(*c));
		if (!c)
			break;
		c->domid = domid;
		c->devid = devid;
		snprintf(path, sizeof(path), RECORD_DIR "/%s", entry->d_name);
		c->record = map_record(path, true);
		if (c->record)
			open_wire(c, path);
		free_card(c, true);
	}
	if (dir)
		closedir(dir);
}

/* @parent: who waits for us to be ready, see tools_into_background(). */
static int serve(const char *pid_file, int parent)
{
	char value[16] = "0";
	int rc;

	rc = pv_linux_open(&the.domain, "netback");
	if (!rc)
		rc = netback_shared_open(&the.shared, the.domain);
	if (rc)
		return rc;
	pv_store_read(the.domain, 0, "domid", NULL, value, sizeof(value));
	snprintf(the.base, sizeof(the.base), "/local/domain/%s/backend/" TYPE, value);
	the.queues = sysconf(_SC_NPROCESSORS_ONLN);
	rc = watch_links();
	if (!rc)
		rc = pv_store_watch(the.domain, &the.watch, the.base, on_change, NULL);
	if (rc)
		return rc;
	rescan(true, 0);
	sweep();
	tools_report_started(pid_file, parent, true);
	rc = pv_linux_run(the.domain, &stop);
	/* No farewell: all that was begun is in the records, for the next process. */
	return rc;
}

static void print_queue(const char *name, unsigned int index, const struct netback_queue_record *q)
{
	const struct netback_stats *s = &q->stats;

	printf("%s.%u out %llu frames %llu bytes %llu gso %llu errors %llu dropped, "
	       "in %llu frames %llu bytes %llu gso %llu dropped, "
	       "%llu stalls %llu throttled %llu copies in %llu calls, events %llu in %llu out\n",
	       name, index, (unsigned long long)s->tx_frames, (unsigned long long)s->tx_bytes,
	       (unsigned long long)s->tx_gso, (unsigned long long)s->tx_errors,
	       (unsigned long long)s->tx_dropped, (unsigned long long)s->rx_frames,
	       (unsigned long long)s->rx_bytes, (unsigned long long)s->rx_gso,
	       (unsigned long long)s->rx_dropped, (unsigned long long)s->rx_stalls,
	       (unsigned long long)s->tx_throttled, (unsigned long long)s->copies,
	       (unsigned long long)s->copy_calls, (unsigned long long)s->events_in,
	       (unsigned long long)s->events_out);
}

static int statistics(void)
{
	DIR *dir = opendir(RECORD_DIR);
	struct netback_record *record;
	struct dirent *entry;
	char path[320];

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vif", 3))
			continue;
		snprintf(path, sizeof(path), RECORD_DIR "/%s", entry->d_name);
		record = map_record(path, false);
		if (!record)
			continue;
		printf("%s connected %u queues %u lives %u features", entry->d_name,
		       record->connected, record->queues, record->lives);
		printf("%s%s%s%s%s\n", record->features & NETBACK_SG ? " sg" : "",
		       record->features & NETBACK_CSUM4 ? " csum4" : "",
		       record->features & NETBACK_CSUM6 ? " csum6" : "",
		       record->features & NETBACK_TSO4 ? " tso4" : "",
		       record->features & NETBACK_TSO6 ? " tso6" : "");
		for (unsigned int i = 0; i < record->queues && i < NETBACK_QUEUES_MAX; i++)
			print_queue(entry->d_name, i, &record->queue[i]);
		unmap_record(record);
	}
	closedir(dir);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid-file", required_argument, NULL, 'p' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "statistics", no_argument, NULL, 's' },
		{ 0 },
	};
	struct sigaction action = { .sa_handler = on_signal };
	const char *pid_file = NULL;
	int c, rc, parent = -1;
	bool background = false;

	while ((c = getopt_long(argc, argv, "p:ds", options, NULL)) != -1) {
		if (c == 's')
			return statistics() ? 1 : 0;
		if (c == 'p')
			pid_file = optarg;
		else if (c == 'd')
			background = true;
		else
			return 2;
	}
	if (background)
		parent = tools_into_background("netback");
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	rc = lock_records();
	if (!rc)
		rc = serve(pid_file, parent);
	if (rc)
		fprintf(stderr, "netback: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
