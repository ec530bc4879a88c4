/* SPDX-License-Identifier: MIT */
/*
 * The worker: takes up what an earlier one left, then serves until it is told to stop or killed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "port_linux.h"

#define EVENTS 64
#define PORTS 256			/* pending event channels per look at the sockets */
#define SOCKETS_MAX (SLOT_COUNT / 4)	/* the other slots are for domains */

static volatile sig_atomic_t stop, reopen;

static void on_stop(int sig __attribute__((unused)))
{
	stop = 1;
}

static void on_hup(int sig __attribute__((unused)))
{
	reopen = 1;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
	return cookie;
}

/* --- What earlier workers left open --- */

static bool is_client(const struct options *o, int fd)
{
	struct sockaddr_un a = { 0 };
	socklen_t length = sizeof(a);
	struct stat st;
	int listening = 0;
	socklen_t n = sizeof(listening);

	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	if (getsockname(fd, (struct sockaddr *)&a, &length) < 0 || a.sun_family != AF_UNIX)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) < 0 || listening)
		return false;
	return !strncmp(a.sun_path, o->socket, sizeof(a.sun_path));
}

/* Calls @each for every descriptor above the standard ones; they may close it. */
static void each_fd(void (*each)(struct port *p, int fd), struct port *p)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		int fd = atoi(e->d_name);

		if (fd > 2 && fd != dirfd(dir))
			each(p, fd);
	}
	closedir(dir);
}

/* A dead worker's devices, mappings and journal: its locks and event channels go with them. */
static void sweep(struct port *p, int fd)
{
	const struct options *o = p->options;

	if (fd != o->listen_fd && fd != o->lock_fd && fd != p->ready_fd && !is_client(o, fd))
		close(fd);
}

static struct conn *socket_conn(struct xsd *x, int fd)
{
	for (unsigned int i = 0; i < x->conn_room; i++)
		if (x->conns[i] && x->conns[i]->kind == CONN_SOCKET && x->conns[i]->fd == fd)
			return x->conns[i];
	return NULL;
}

/* A client's socket: in the journal, or accepted by a worker that died before it could say so. */
static void adopt(struct port *p, int fd)
{
	struct xsd *x = &p->x;
	struct conn *c;

	if (!is_client(p->options, fd))
		return;
	c = socket_conn(x, fd);
	if (c && c->cookie == cookie_of(fd)) {
		p->sockets++;
		c->wants = WANT_READ;
		c->adopted = true;
		port_socket_watch(p, fd, c->slot, WANT_READ, true);
		return;
	}
	if (x->journal.shared->closing_fd == (uint32_t)fd + 1) {
		close(fd);
		return;
	}
	p->sockets++;
	c = conn_open_socket(x, fd, cookie_of(fd));
	if (c)
		c->adopted = true;
	else
		port_socket_close(p, fd);
}

static void adopt_sockets(struct port *p)
{
	struct xsd *x = &p->x;

	each_fd(adopt, p);
	publish(x->journal.shared->closing_fd, 0);
	for (unsigned int i = 0; i < x->conn_room; i++) {
		struct conn *c = x->conns[i];

		if (!c || c->kind != CONN_SOCKET || c->adopted)
			continue;
		c->fd = -1;
		conn_kill(x, c, 0);
	}
}

/* --- Events --- */

static void accept_clients(struct port *p)
{
	struct xsd *x = &p->x;

	for (;;) {
		int fd = accept4(p->options->listen_fd, NULL, NULL, SOCK_NONBLOCK);

		if (fd < 0)
			return;
		p->sockets++;
		if (p->sockets > SOCKETS_MAX || !conn_open_socket(x, fd, cookie_of(fd)))
			port_socket_close(p, fd);
	}
}

static void event_channels(struct port *p)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		int local = evtchn_pending(p->evtchn);
		struct domain *d = NULL;

		if (local < 0)
			return;
		evtchn_unmask(p->evtchn, local);
		if (local == p->virq)
			domains_check(&p->x);
		else if ((unsigned int)local < p->domid_room && p->domid_of[local] != DOMID_INVALID)
			d = domain_find(&p->x, p->domid_of[local]);
		if (d && d->conn)
			conn_work(&p->x, d->conn);
	}
}

static void add_event(struct port *p, int fd, uint32_t what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = what };

	epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void serve(struct port *p)
{
	struct xsd *x = &p->x;
	struct epoll_event events[EVENTS];
	sigset_t none;

	sigemptyset(&none);
	while (!stop && !x->live_update) {
		int timeout = xsd_step(x) ? 0 : xsd_timeout(x);
		/* Signals come here only: one that came before the wait would be seen after it. */
		int n = epoll_pwait(p->epoll, events, EVENTS, timeout, &none);

		if (reopen) {
			reopen = 0;
			port_log_to(p, p->options->log_file);
		}
		if (!n && timeout > 0)
			xsd_idle(x);
		for (int i = 0; i < n; i++) {
			uint32_t what = events[i].data.u32;

			if (what == EVENT_LISTEN)
				accept_clients(p);
			else if (what == EVENT_EVTCHN)
				event_channels(p);
			else if (what < x->conn_room && x->conns[what])
				conn_work(x, x->conns[what]);
		}
	}
}

/* --- Start and end --- */

static void write_pid(const struct options *o)
{
	FILE *f = o->pid_file ? fopen(o->pid_file, "we") : NULL;

	if (f) {
		fprintf(f, "%d\n", (int)getpid());
		fclose(f);
	}
}

static int introduce_dom0(struct port *p)
{
	struct xsd *x = &p->x;
	unsigned int port = 0;
	FILE *f = fopen("/proc/xen/xsd_port", "re");
	int err;

	if (!f)
		return -errno;
	if (fscanf(f, "%u", &port) != 1)
		port = 0;
	fclose(f);
	if (!port)
		return -ENODEV;
	rec_begin(&x->journal, 0, 0, 0);
	err = domain_introduce(x, 0, 0, port);
	record_commit(x);
	if (!err)
		port_notify(p, x->dom0->port);
	return err;
}

static int start_xen(struct port *p, bool had)
{
	int err;

	if (had)
		domains_check(&p->x);
	if (p->x.dom0->introduced) {
		domains_reconnect(&p->x);
		return 0;
	}
	err = introduce_dom0(p);
	if (err)
		fprintf(stderr, "xenstored: dom0's own connection (%s): %s\n", "/proc/xen/xsd_port",
			strerror(-err));
	return err;
}

static void tell_ready(const struct options *o, int ready_fd)
{
	int null;

	write_pid(o);
	if (o->print_pid) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
	}
	notify_ready();
	if (ready_fd < 0)
		return;
	if (!o->foreground) {
		null = open("/dev/null", O_RDWR);
		for (int i = 0; null >= 0 && i < 3; i++)
			dup2(null, i);
		if (null > 2)
			close(null);
	}
	if (write(ready_fd, "", 1) < 0)
		perror("xenstored");
	/* It stays open, to nobody: a later worker says the same and closes no other file. */
	null = open("/dev/null", O_WRONLY);
	if (null >= 0) {
		dup2(null, ready_fd);
		close(null);
	}
}

static void set_up(struct port *p, const struct options *o)
{
	struct rlimit many = { 65536, 65536 };
	sigset_t taken;

	sigemptyset(&taken);
	sigaddset(&taken, SIGTERM);
	sigaddset(&taken, SIGINT);
	sigaddset(&taken, SIGHUP);
	sigprocmask(SIG_BLOCK, &taken, NULL);
	p->options = o;
	p->log_fd = -1;
	p->virq = -1;
	signal(SIGTERM, on_stop);
	signal(SIGINT, on_stop);
	signal(SIGHUP, on_hup);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &many);
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
}

/* A replacement is wanted: where the keeper finds it is left in a file. */
static int leave_update(struct port *p)
{
	char path[300], self[300];
	const char *to = p->x.live_path;
	ssize_t n;
	FILE *f;

	if (!*to) {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (n < 0)
			return EXIT_UPDATE;
		self[n] = 0;
		to = self;
	}
	snprintf(path, sizeof(path), "%s/live-update", p->options->run_dir);
	f = fopen(path, "we");
	if (f) {
		fputs(to, f);
		fclose(f);
	}
	return EXIT_UPDATE;
}

int worker_run(const struct options *o, bool crashed, bool adopted, int ready_fd)
{
	static struct port port;
	struct port *p = &port;
	struct xsd *x = &p->x;
	uint32_t seed = 0;
	int had, err;

	set_up(p, o);
	p->ready_fd = ready_fd;
	if (adopted) {
		close(p->epoll);
		each_fd(sweep, p);
		p->epoll = epoll_create1(EPOLL_CLOEXEC);
	}
	port_open_log(p);
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = getpid();
	xsd_init(x, p, seed);
	err = o->xen ? port_open_xen(p) : 0;
	if (err) {
		fprintf(stderr, "xenstored: no hypervisor's devices: %s\n", strerror(-err));
		return EXIT_FATAL;
	}
	had = xsd_start(x, o->run_dir, crashed, adopted);
	if (had < 0) {
		fprintf(stderr, had == -EPROTO ? "xenstored: the journal in %s is damaged (%s); "
			"without it the store would be empty\n" : "xenstored: %s: %s\n", o->run_dir,
			strerror(-had));
		return EXIT_FATAL;
	}
	for (unsigned int i = 0; i < QUOTA_KINDS; i++)
		if (o->quota[i] && (!had || !adopted))
			quota_set(x, i, o->quota[i]);
	if (adopted)
		adopt_sockets(p);
	if (o->xen && start_xen(p, had))
		return EXIT_FATAL;
	if (o->xen)
		add_event(p, evtchn_fd(p->evtchn), EVENT_EVTCHN);
	add_event(p, o->listen_fd, EVENT_LISTEN);
	tell_ready(o, ready_fd);
	serve(p);
	return x->live_update ? leave_update(p) : EXIT_STOP;
}
