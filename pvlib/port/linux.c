/* SPDX-License-Identifier: MIT */
/*
 * The port for backends in dom0's user space, on the libraries of dom0-tools: an epoll loop over the
 * event channel device, the store and the backend's own descriptors.
 *
 * A store that restarts is reconnected to, and all watches are set again (each fires once then, which
 * drivers take as "look again"). A request meanwhile waits for it, STORE_PATIENCE at most.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <pv/linux.h>
#include <tools/evtchn.h>
#include <tools/gnttab.h>
#include <tools/store.h>

#define MAX_PORTS	(1U << 17)	/* what the FIFO ABI has */
#define EVENT_BUDGET	64		/* ports or watch events taken in one round */
#define MAP_MAX		256		/* pages in one mapping */
#define STORE_PATIENCE	10000		/* milliseconds */
#define STORE_RETRY	50
#define BATCH		32
#define STAGING_MIN	32		/* pages */

struct port {
	pv_event_fn fn;		/* NULL: not open */
	void *arg;
	uint32_t life;		/* tells one opening of the number from the next */
	evtchn_port_t next;	/* on the list of those with more to do */
	bool queued;
};

struct pv_domain {
	const char *name;
	struct evtchn *evtchn;
	struct gnttab *gnttab;
	struct store *store;	/* NULL: connection lost */
	int epoll;
	struct pv_fd event_fd, store_fd;
	struct port *ports;	/* by number */
	unsigned int nr_ports;
	evtchn_port_t queue_first, queue_last;
	struct pv_watch *watches;
	struct pv_timer *timers;
	struct pv_timer store_retry;
	struct pv_round *rounds;
	struct epoll_event *batch;	/* being handled */
	int batch_count;
	uint32_t next_id;
	domid_t self;			/* DOMID_INVALID: not asked yet */
};

_Static_assert(sizeof(struct pv_copy) == sizeof(struct gnttab_copy_piece) &&
	       offsetof(struct pv_copy, local) == offsetof(struct gnttab_copy_piece, local) &&
	       offsetof(struct pv_copy, status) == offsetof(struct gnttab_copy_piece, status) &&
	       offsetof(struct pv_copy, ref) == offsetof(struct gnttab_copy_piece, ref),
	       "a piece of a copy is handed on as it is");

/* --- Memory and grants --- */

/* This domain's id. */
static domid_t self(struct pv_domain *d)
{
	char value[16];

	if (d->self == DOMID_INVALID)
		d->self = pv_store_request(d, XS_READ, 0, "domid", sizeof("domid"), value,
					   sizeof(value)) > 0 ? (domid_t)atoi(value) : 0;
	return d->self;
}

/* Larger areas are what frames or blocks are copied to and from: those are where copies are fast. */
void *pv_pages_alloc(struct pv_domain *d, unsigned int count)
{
	void *p;

	if (count >= STAGING_MIN && !gnttab_staging(d->gnttab, self(d), count, &p))
		return p;
	p = mmap(NULL, (size_t)count * PV_PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void pv_pages_free(struct pv_domain *d, void *pages, unsigned int count)
{
	if (count < STAGING_MIN || gnttab_staging_free(d->gnttab, pages))
		munmap(pages, (size_t)count * PV_PAGE_SIZE);
}

/* Linux grants only pages of its own choice: no frontend runs here. */
int pv_grant_share(struct pv_domain *d, domid_t to, void *page, bool writable, grant_ref_t *ref)
{
	(void)d, (void)to, (void)page, (void)writable, (void)ref;
	return -EOPNOTSUPP;
}

int pv_grant_unshare(struct pv_domain *d, grant_ref_t ref)
{
	(void)d, (void)ref;
	return -EOPNOTSUPP;
}

int pv_grant_map(struct pv_domain *d, domid_t from, const grant_ref_t *refs, unsigned int count,
		 bool writable, void **address)
{
	domid_t domids[MAP_MAX];

	if (count > MAP_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++)
		domids[i] = from;
	return gnttab_map(d->gnttab, count, domids, refs, writable, address);
}

int pv_grant_unmap(struct pv_domain *d, void *address, unsigned int count)
{
	return gnttab_unmap(d->gnttab, address, count);
}

int pv_grant_copy(struct pv_domain *d, struct pv_copy *pieces, unsigned int count)
{
	return gnttab_copy(d->gnttab, (struct gnttab_copy_piece *)(void *)pieces, count);
}

/* --- Events --- */

/* Makes room for the port's entry. */
static int reach_port(struct pv_domain *d, evtchn_port_t port)
{
	unsigned int room = d->nr_ports ? d->nr_ports : 64;
	struct port *ports;

	if (port < d->nr_ports)
		return 0;
	if (port >= MAX_PORTS)
		return -ENOSPC;
	while (room <= port)
		room *= 2;
	ports = realloc(d->ports, room * sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	memset(ports + d->nr_ports, 0, (room - d->nr_ports) * sizeof(*ports));
	d->ports = ports;
	d->nr_ports = room;
	return 0;
}

int pv_event_open(struct pv_domain *d, domid_t remote, evtchn_port_t remote_port, pv_event_fn fn,
		  void *arg)
{
	int port = remote_port ? evtchn_bind_interdomain(d->evtchn, remote, remote_port) :
				 evtchn_bind_unbound(d->evtchn, remote);
	int rc;

	if (port < 0)
		return port;
	rc = reach_port(d, port);
	if (rc) {
		evtchn_unbind(d->evtchn, port);
		return rc;
	}
	d->ports[port].fn = fn;
	d->ports[port].arg = arg;
	d->ports[port].life++;
	return port;
}

void pv_event_notify(struct pv_domain *d, evtchn_port_t port)
{
	evtchn_notify(d->evtchn, port);
}

void pv_event_close(struct pv_domain *d, evtchn_port_t port)
{
	d->ports[port].fn = NULL;
	d->ports[port].life++;
	evtchn_unbind(d->evtchn, port);
}

static void queue_port(struct pv_domain *d, evtchn_port_t port)
{
	d->ports[port].queued = true;
	d->ports[port].next = 0;
	if (d->queue_first)
		d->ports[d->queue_last].next = port;
	else
		d->queue_first = port;
	d->queue_last = port;
}

/* Calls the port's handler. True: it is done, and the port to be unmasked. */
static bool deliver(struct pv_domain *d, evtchn_port_t port)
{
	struct port p;
	bool more;

	if (port >= d->nr_ports || !d->ports[port].fn)
		return false;
	p = d->ports[port];
	more = p.fn(p.arg, port);
	if (d->ports[port].life != p.life)
		return false;
	if (more && !d->ports[port].queued)
		queue_port(d, port);
	return !more;
}

static void events_ready(void *arg, uint32_t events)
{
	evtchn_port_t ports[EVENT_BUDGET];
	struct pv_domain *d = arg;
	int n = evtchn_pending_all(d->evtchn, ports, EVENT_BUDGET), done = 0;

	(void)events;
	for (int i = 0; i < n; i++) {
		if (deliver(d, ports[i]))
			ports[done++] = ports[i];
	}
	if (done)
		evtchn_unmask_all(d->evtchn, ports, (unsigned int)done);
}

/* A turn for each port that had more to do. */
static void run_queue(struct pv_domain *d)
{
	evtchn_port_t port = d->queue_first, next;

	d->queue_first = d->queue_last = 0;
	for (; port; port = next) {
		next = d->ports[port].next;
		d->ports[port].queued = false;
		if (deliver(d, port))
			evtchn_unmask(d->evtchn, port);
	}
}

/* --- The store --- */

static void store_ready(void *arg, uint32_t events);
static void retry_store(void *arg);

static void store_lost(struct pv_domain *d)
{
	if (!d->store)
		return;
	pv_fd_remove(d, &d->store_fd);
	store_close(d->store);
	d->store = NULL;
	d->store_retry.fn = retry_store;
	d->store_retry.arg = d;
	pv_timer_set(d, &d->store_retry, pv_now(d) + STORE_RETRY * 1000000ULL);
}

static int set_watch(struct pv_domain *d, const struct pv_watch *watch)
{
	char token[16];

	snprintf(token, sizeof(token), "%u", watch->id);
	return store_watch(d->store, watch->path, token);
}

static int connect_store(struct pv_domain *d)
{
	int rc = store_open(&d->store);

	if (rc)
		return rc;
	store_set_deadline(d->store, STORE_PATIENCE);
	d->store_fd.fd = store_fd(d->store);
	d->store_fd.events = EPOLLIN;
	d->store_fd.fn = store_ready;
	d->store_fd.arg = d;
	rc = d->store_fd.fd < 0 ? d->store_fd.fd : pv_fd_add(d, &d->store_fd);
	if (rc) {
		store_close(d->store);
		d->store = NULL;
		return rc;
	}
	for (const struct pv_watch *w = d->watches; w && !rc; w = w->next)
		rc = set_watch(d, w);
	if (rc)
		store_lost(d);
	return rc;
}

static void retry_store(void *arg)
{
	struct pv_domain *d = arg;

	if (!d->store && connect_store(d))
		pv_timer_set(d, &d->store_retry, pv_now(d) + STORE_RETRY * 1000000ULL);
}

/* Waits until there is a connection. */
static int need_store(struct pv_domain *d)
{
	uint64_t until = pv_now(d) + STORE_PATIENCE * 1000000ULL;

	while (!d->store && connect_store(d)) {
		if (pv_now(d) > until)
			return -EIO;
		usleep(STORE_RETRY * 1000);
	}
	return 0;
}

static bool is_lost(int rc)
{
	return rc == -EPIPE || rc == -ECONNRESET || rc == -EPROTO || rc == -EBADF || rc == -ENOTCONN;
}

static void store_ready(void *arg, uint32_t events)
{
	struct pv_domain *d = arg;
	char *buffer, *path, *token;
	struct pv_watch *w;
	uint32_t id;
	int rc = 0;

	(void)events;
	for (int i = 0; i < EVENT_BUDGET && d->store; i++) {
		rc = store_event(d->store, &buffer, &path, &token);
		if (rc)
			break;
		id = strtoul(token, NULL, 10);
		for (w = d->watches; w && w->id != id; w = w->next)
			;
		if (w)
			w->fn(w->arg, path);
		free(buffer);
	}
	if (is_lost(rc))
		store_lost(d);
}

static int transaction(struct pv_domain *d, enum xsd_sockmsg_type type, uint32_t tx,
		       const char *payload, char *reply, size_t room)
{
	store_tx id;
	int rc;

	if (type == XS_TRANSACTION_END)
		return payload[0] == 'T' ? store_commit(d->store, tx) : store_abort(d->store, tx);
	rc = store_begin(d->store, &id);
	return rc ? rc : snprintf(reply, room, "%u", id);
}

/* A directory, also one with more names than a message holds. */
static int list_store(struct pv_domain *d, uint32_t tx, const char *path, char *reply, size_t room)
{
	char **names;
	size_t length = 0, bytes;
	int rc = store_list(d->store, tx, path, &names), n = rc;

	if (rc < 0)
		return rc;
	for (int i = 0; i < n; i++) {
		bytes = strlen(names[i]) + 1;
		if (length + bytes >= room) {
			rc = -E2BIG;
			break;
		}
		memcpy(reply + length, names[i], bytes);
		length += bytes;
	}
	free(names);
	if (rc < 0)
		return rc;
	reply[length] = 0;
	return (int)length;
}

static int ask_store(struct pv_domain *d, enum xsd_sockmsg_type type, uint32_t tx,
		     const char *payload, size_t length, char *reply, size_t room)
{
	size_t skip = strnlen(payload, length) + 1;
	struct store_request request = {
		.type = type, .path = payload, .value = payload + skip, .length = length - skip,
	};
	int rc;

	if (type == XS_TRANSACTION_START || type == XS_TRANSACTION_END)
		return transaction(d, type, tx, payload, reply, room);
	if (type == XS_DIRECTORY && room)
		return list_store(d, tx, payload, reply, room);
	rc = store_pipeline(d->store, tx, &request, 1);
	if (!rc && request.reply && request.reply_length >= room)
		rc = -E2BIG;
	if (!rc && request.reply) {
		memcpy(reply, request.reply, request.reply_length);
		reply[request.reply_length] = 0;
		rc = request.reply_length;
	}
	free(request.reply);
	return rc;
}

int pv_store_request(struct pv_domain *d, enum xsd_sockmsg_type type, uint32_t tx,
		     const void *payload, size_t length, char *reply, size_t room)
{
	int rc = need_store(d);

	if (rc)
		return rc;
	if (room)
		reply[0] = 0;
	rc = ask_store(d, type, tx, payload, length, reply, room);
	if (!is_lost(rc))
		return rc;
	store_lost(d);
	if (tx)
		return -EAGAIN;		/* the transaction went with the connection */
	rc = need_store(d);
	return rc ? rc : ask_store(d, type, tx, payload, length, reply, room);
}

int pv_store_watch(struct pv_domain *d, struct pv_watch *watch, const char *path, pv_watch_fn fn,
		   void *arg)
{
	int rc = need_store(d);

	if (rc)
		return rc;
	if ((size_t)snprintf(watch->path, sizeof(watch->path), "%s", path) >= sizeof(watch->path))
		return -E2BIG;
	watch->fn = fn;
	watch->arg = arg;
	watch->id = d->next_id++;
	rc = set_watch(d, watch);
	if (is_lost(rc)) {
		store_lost(d);
		rc = 0;			/* it is set with the others when the store is back */
	}
	if (rc)
		return rc;
	watch->next = d->watches;
	d->watches = watch;
	return 0;
}

void pv_store_unwatch(struct pv_domain *d, struct pv_watch *watch)
{
	struct pv_watch **p = &d->watches;
	char token[16];

	while (*p && *p != watch)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = watch->next;
	snprintf(token, sizeof(token), "%u", watch->id);
	if (d->store && is_lost(store_unwatch(d->store, watch->path, token)))
		store_lost(d);
}

/* --- Time and log --- */

uint64_t pv_now(struct pv_domain *d)
{
	struct timespec now;

	(void)d;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void pv_timer_set(struct pv_domain *d, struct pv_timer *timer, uint64_t when)
{
	struct pv_timer **p;

	if (timer->when) {
		for (p = &d->timers; *p != timer; p = &(*p)->next)
			;
		*p = timer->next;
	}
	timer->when = when;
	if (!when)
		return;
	for (p = &d->timers; *p && (*p)->when <= when; p = &(*p)->next)
		;
	timer->next = *p;
	*p = timer;
}

static void run_timers(struct pv_domain *d)
{
	uint64_t now;

	if (!d->timers)
		return;
	now = pv_now(d);
	while (d->timers && d->timers->when <= now) {
		struct pv_timer *timer = d->timers;

		pv_timer_set(d, timer, 0);
		timer->fn(timer->arg);
	}
}

void pv_log(struct pv_domain *d, const char *format, ...)
{
	char line[512];
	va_list args;
	int n = snprintf(line, sizeof(line), "%s: ", d->name);

	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n - 1, format, args);
	va_end(args);
	n = strlen(line);
	line[n] = '\n';
	if (write(STDERR_FILENO, line, n + 1) < 0)
		return;			/* nobody to tell */
}

/* --- Descriptors and the loop --- */

int pv_fd_add(struct pv_domain *d, struct pv_fd *fd)
{
	struct epoll_event e = { .events = fd->events, .data.ptr = fd };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd->fd, &e) ? -errno : 0;
}

int pv_fd_wait_for(struct pv_domain *d, struct pv_fd *fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = fd };

	if (events == fd->events)
		return 0;
	if (epoll_ctl(d->epoll, EPOLL_CTL_MOD, fd->fd, &e))
		return -errno;
	fd->events = events;
	return 0;
}

void pv_fd_remove(struct pv_domain *d, struct pv_fd *fd)
{
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd->fd, NULL);
	for (int i = 0; i < d->batch_count; i++)
		if (d->batch[i].data.ptr == fd)
			d->batch[i].data.ptr = NULL;
}

void pv_round_add(struct pv_domain *d, struct pv_round *round)
{
	round->next = d->rounds;
	d->rounds = round;
}

/* How long the loop may sleep, in milliseconds. */
static int patience(struct pv_domain *d)
{
	uint64_t now, ms;

	if (d->queue_first)
		return 0;
	if (!d->timers)
		return -1;
	now = pv_now(d);
	if (d->timers->when <= now)
		return 0;
	ms = (d->timers->when - now + 999999) / 1000000;
	return ms > 60000 ? 60000 : (int)ms;
}

static void handle_batch(struct pv_domain *d, struct epoll_event *events, int count)
{
	d->batch = events;
	d->batch_count = count;
	for (int i = 0; i < count; i++) {
		struct pv_fd *fd = events[i].data.ptr;

		if (fd)
			fd->fn(fd->arg, events[i].events);
	}
	d->batch_count = 0;
}

int pv_linux_run(struct pv_domain *d, const volatile int *stop)
{
	struct epoll_event events[BATCH];
	sigset_t blocked, before;
	int n, rc = 0;

	/* Signals come while the loop waits and at no other time: none is overlooked before a wait. */
	sigfillset(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	while (!*stop && !rc) {
		for (struct pv_round *r = d->rounds; r; r = r->next)
			r->fn(r->arg);
		n = epoll_pwait(d->epoll, events, BATCH, patience(d), &before);
		if (n < 0 && errno != EINTR)
			rc = -errno;
		handle_batch(d, events, n < 0 ? 0 : n);
		run_timers(d);
		run_queue(d);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int pv_linux_open(struct pv_domain **domain, const char *name)
{
	struct pv_domain *d = calloc(1, sizeof(*d));
	int rc = -ENOMEM;

	if (!d)
		return rc;
	d->name = name;
	d->next_id = 1;
	d->self = DOMID_INVALID;
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0) {
		rc = -errno;
		goto free_domain;
	}
	rc = evtchn_open(&d->evtchn);
	if (rc)
		goto close_epoll;
	rc = gnttab_open(&d->gnttab);
	if (rc)
		goto close_evtchn;
	d->event_fd = (struct pv_fd){
		.fd = evtchn_fd(d->evtchn), .events = EPOLLIN, .fn = events_ready, .arg = d,
	};
	rc = pv_fd_add(d, &d->event_fd);
	if (rc)
		goto close_gnttab;
	rc = need_store(d);
	if (rc)
		goto close_gnttab;
	*domain = d;
	return 0;

close_gnttab:
	gnttab_close(d->gnttab);
close_evtchn:
	evtchn_close(d->evtchn);
close_epoll:
	close(d->epoll);
free_domain:
	free(d);
	return rc;
}

void pv_linux_close(struct pv_domain *d)
{
	if (d->store)
		store_close(d->store);
	gnttab_close(d->gnttab);
	evtchn_close(d->evtchn);
	close(d->epoll);
	free(d->ports);
	free(d);
}
