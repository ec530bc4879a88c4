/* SPDX-License-Identifier: MIT */
/*
 * The domain monitor's loop: one process for all domains. xenstored's @releaseDomain wakes it, the
 * hypervisor's list tells who has ended, a child does the work (worker.c), so that nothing waits
 * behind a slow domain.
 *
 * Nothing is kept here that a fresh start would not find again: domains that ended are still
 * listed, plans are on disk. Only domains marked by kl's create are acted on: real xl's have a
 * process each.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/sched.h>
#include "monitor.h"

#define STORE_DEADLINE_MS	10000
#define STORE_RETRY_MS		250
#define BUSY_RETRY_MS		1000
#define AGAIN_RETRY_MS		2000	/* doubled each time */
#define TRIES_MAX		8
#define DEAD_LOOK_MS		5000
#define LIST_MAX		64

/* A domain that has ended, by uuid. */
struct job {
	struct job *next;
	/* .handle is the key; the rest may be stale or zero */
	struct xen_domctl_getdomaininfo info;
	pid_t pid;			/* its worker; 0: none */
	uint64_t due;			/* when to start one; 0: never (not ours, or preserved) */
	unsigned int tries, kills;
	bool seen;
};

struct monitor {
	struct monitor_options options;
	struct ctl *ctl;
	struct store *store;
	uint64_t store_retry;
	int epoll_fd, signal_fd;
	struct job *jobs;
	pid_t gc;			/* removes what dead creators left */
	bool ending;
	uint64_t dead_look;		/* when to look at the store's dead; 0: there are none */
};

static struct job *find_job(struct monitor *monitor, const uint8_t uuid[16])
{
	for (struct job *job = monitor->jobs; job; job = job->next)
		if (memcmp(job->info.handle, uuid, 16) == 0)
			return job;
	return NULL;
}

static struct job *add_job(struct monitor *monitor, const struct xen_domctl_getdomaininfo *info)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->info = *info;
	job->seen = true;
	job->due = tools_now_ms();
	job->next = monitor->jobs;
	monitor->jobs = job;
	return job;
}

static void drop_job(struct monitor *monitor, struct job *job)
{
	struct job **at = &monitor->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	free(job);
}

/* Is the domain ours to act on? -errno: the store does not answer. */
static int is_ours(struct monitor *monitor, domid_t domid)
{
	char path[64], *value;
	int error;

	snprintf(path, sizeof(path), "/libxl/%u/kl/monitor", domid);
	error = store_read(monitor->store, 0, path, &value, NULL);
	if (error == -ENOENT)
		return 0;
	if (error < 0)
		return error;
	error = strcmp(value, "1") == 0;
	free(value);
	return error;
}

/* --- Workers --- */

/* In the child: the parent's handles are only closed. */
static _Noreturn void child(struct monitor *monitor, const struct job *job)
{
	struct tools_error error = { 0 };
	struct intent intent;
	struct light *light;
	sigset_t none;
	int result;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(monitor->epoll_fd);
	close(monitor->signal_fd);
	if (light_open(&light, &error) != 0) {
		monitor_log("cannot work: %s", error.text);
		_exit(WORKER_AGAIN);
	}
	if (!job) {
		result = light_gc(light, &error);
		if (result != 0)
			monitor_log("clean-up: %s",
				    result > 0 ? "removed half-made domains" : error.text);
		_exit(WORKER_DONE);
	}
	if (intent_read(&monitor->options, job->info.handle, &intent) == 0)
		result = worker_resume(light, &monitor->options, job->info.handle);
	else
		result = worker_death(light, &monitor->options, &job->info);
	_exit(result);
}

static pid_t spawn(struct monitor *monitor, const struct job *job)
{
	pid_t pid = fork();

	if (pid == 0)
		child(monitor, job);
	if (pid < 0)
		monitor_log("cannot start a worker: %s", strerror(errno));
	return pid;
}

static void worker_ended(struct monitor *monitor, struct job *job, int status)
{
	int result = WIFEXITED(status) ? WEXITSTATUS(status) : WORKER_AGAIN;

	job->pid = 0;
	if (result == WORKER_DONE) {
		drop_job(monitor, job);
		return;
	}
	if (result == WORKER_BUSY) {
		job->due = tools_now_ms() + BUSY_RETRY_MS;
		return;
	}
	if (WIFSIGNALED(status) && job->kills++ == 0) {
		job->due = tools_now_ms(); /* killed, or a fault of ours: from there on in time */
		return;
	}
	if (++job->tries >= TRIES_MAX) {
		monitor_log("domain %u: nothing helps; it is left as it is", job->info.domain);
		job->due = 0;
		return;
	}
	job->due = tools_now_ms() + ((uint64_t)AGAIN_RETRY_MS << (job->tries - 1));
}

static void reap(struct monitor *monitor)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == monitor->gc)
			monitor->gc = 0;
		for (struct job *job = monitor->jobs; job; job = job->next) {
			if (job->pid == pid) {
				worker_ended(monitor, job, status);
				break;
			}
		}
	}
}

/* Starts what is due; the time of what comes next, UINT64_MAX if nothing does. */
static uint64_t start_due(struct monitor *monitor, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (struct job *job = monitor->jobs; job; job = job->next) {
		if (job->due == 0 || job->pid != 0 || monitor->gc != 0)
			continue;
		if (job->due <= now) {
			job->pid = spawn(monitor, job);
			if (job->pid < 0) {
				job->pid = 0;
				job->due = now + BUSY_RETRY_MS;
			}
		}
		if (job->pid == 0 && job->due < next)
			next = job->due;
	}
	return next;
}

/* --- Looking --- */

/* One domain of the hypervisor's list that is shut down and not yet on its way out. */
static void consider(struct monitor *monitor, const struct xen_domctl_getdomaininfo *info)
{
	struct job *job = find_job(monitor, info->handle);
	int ours;

	if (((info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask) ==
	    SHUTDOWN_suspend)
		return;		/* saved or migrated: whoever does that ends it */
	if (job) {
		job->seen = true;
		job->info = *info;
		return;
	}
	ours = is_ours(monitor, info->domain);
	if (ours < 0)
		return;
	job = add_job(monitor, info);
	if (job && !ours)
		job->due = 0;
}

static void enumerate(struct monitor *monitor)
{
	struct xen_domctl_getdomaininfo list[LIST_MAX];
	struct job *job, *next;
	domid_t first = 1;
	int n;

	for (job = monitor->jobs; job; job = job->next)
		job->seen = false;
	do {
		n = ctl_getdomaininfolist(monitor->ctl, first, LIST_MAX, list);
		for (int i = 0; i < n; i++) {
			first = list[i].domain + 1;
			if ((list[i].flags & XEN_DOMINF_shutdown) &&
			    !(list[i].flags & XEN_DOMINF_dying))
				consider(monitor, &list[i]);
		}
	} while (n == LIST_MAX);
	/* Those we never act on are forgotten when they are gone. */
	for (job = monitor->jobs; job; job = next) {
		next = job->next;
		if (!job->seen && job->due == 0 && job->pid == 0)
			drop_job(monitor, job);
	}
}

/* Forgets the dead that the hypervisor has forgotten, too. */
static void bury(struct monitor *monitor)
{
	struct xen_domctl_getdomaininfo info;
	char **names, path[80];
	int n = store_list(monitor->store, 0, LIGHT_DEAD_PATH, &names), left = 0;

	monitor->dead_look = 0;
	if (n < 0)
		return;
	for (int i = 0; i < n; i++) {
		unsigned long domid = strtoul(names[i], NULL, 10);

		if (domid == 0 || domid >= DOMID_FIRST_RESERVED)
			continue;
		if (ctl_getdomaininfo(monitor->ctl, (domid_t)domid, &info) == -ESRCH) {
			snprintf(path, sizeof(path), LIGHT_DEAD_PATH "/%lu", domid);
			store_rm(monitor->store, 0, path);
		} else {
			left++;
		}
	}
	free(names);
	if (left > 0)
		monitor->dead_look = tools_now_ms() + DEAD_LOOK_MS;
}

/* Dom0's share of the memory, if we were asked to mind it. */
static void mind_memory(struct monitor *monitor)
{
	const struct monitor_options *options = &monitor->options;
	struct xen_sysctl_physinfo physinfo;
	unsigned long target, maximum;
	uint64_t free, better;

	if (options->floor_kib == 0 && options->grow_kib == 0)
		return;
	if (ctl_physinfo(monitor->ctl, &physinfo) != 0 ||
	    store_read_ulong(monitor->store, 0, "/local/domain/0/memory/target", &target) != 0 ||
	    store_read_ulong(monitor->store, 0, "/local/domain/0/memory/static-max", &maximum) != 0)
		return;
	free = physinfo.free_pages > physinfo.outstanding_pages ?
	       (physinfo.free_pages - physinfo.outstanding_pages) * 4 : 0;
	better = balance(target, maximum, free, options->floor_kib, options->grow_kib);
	if (better == target)
		return;
	monitor_log("Domain-0: memory target from %lu to %llu KiB (%llu free)", target,
		    (unsigned long long)better, (unsigned long long)free);
	store_printf(monitor->store, 0, "/local/domain/0/memory/target", "%llu",
		     (unsigned long long)better);
}

/* --- The store --- */

static void store_lost(struct monitor *monitor)
{
	if (monitor->store) {
		epoll_ctl(monitor->epoll_fd, EPOLL_CTL_DEL, store_fd(monitor->store), NULL);
		store_close(monitor->store);
	}
	monitor->store = NULL;
	monitor->store_retry = tools_now_ms() + STORE_RETRY_MS;
}

static int store_connect(struct monitor *monitor)
{
	struct epoll_event event = { .events = EPOLLIN };
	int error = store_open(&monitor->store);

	if (error != 0) {
		monitor->store = NULL;
		monitor->store_retry = tools_now_ms() + STORE_RETRY_MS;
		return error;
	}
	store_set_deadline(monitor->store, STORE_DEADLINE_MS);
	event.data.fd = store_fd(monitor->store);
	error = store_watch(monitor->store, "@releaseDomain", "domains");
	if (error == 0 && monitor->options.floor_kib > 0)
		error = store_watch(monitor->store, "/local/domain/0/memory/target", "memory");
	if (error == 0 && epoll_ctl(monitor->epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event) != 0)
		error = -errno;
	if (error != 0)
		store_lost(monitor);
	return error;
}

/* Handles events until there is none: handling may have queued more. */
static void store_events(struct monitor *monitor)
{
	char *buffer, *path, *token;
	bool domains = false, memory = false;

	while (monitor->store) {
		int error = store_event(monitor->store, &buffer, &path, &token);

		if (error == -EAGAIN) {
			if (!domains && !memory)
				return;
			if (domains) {
				enumerate(monitor);
				bury(monitor);
			}
			mind_memory(monitor);
			domains = memory = false;
			continue;
		}
		if (error < 0) {
			monitor_log("the connection to xenstored is lost; trying again");
			store_lost(monitor);
			return;
		}
		domains |= strcmp(token, "domains") == 0;
		memory |= strcmp(token, "memory") == 0;
		free(buffer);
	}
}

/* --- The loop --- */

static void take_signals(struct monitor *monitor)
{
	struct signalfd_siginfo info;

	while (read(monitor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(monitor);
		else
			monitor->ending = true;
	}
}

/* Plans that a previous life left. */
static void find_intents(struct monitor *monitor)
{
	uint8_t uuids[256][16];
	int n = intent_list(&monitor->options, uuids, 256);

	for (int i = 0; i < n; i++) {
		struct xen_domctl_getdomaininfo info = { 0 };

		memcpy(info.handle, uuids[i], 16);
		if (!find_job(monitor, uuids[i]))
			add_job(monitor, &info);
	}
}

int monitor_start(struct monitor **out, const struct monitor_options *options)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t set;
	int error;

	if (!monitor)
		return -ENOMEM;
	*out = monitor;
	monitor->options = *options;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGCHLD, SIG_DFL);	/* inherited as ignored it would never come */
	monitor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	monitor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	event.data.fd = monitor->signal_fd;
	if (monitor->epoll_fd < 0 || monitor->signal_fd < 0 ||
	    epoll_ctl(monitor->epoll_fd, EPOLL_CTL_ADD, monitor->signal_fd, &event) != 0)
		return -errno;
	error = ctl_open(&monitor->ctl);
	if (error != 0) {
		monitor_log("cannot reach the hypervisor: %s", strerror(-error));
		return error;
	}
	error = store_connect(monitor);
	if (error != 0) {
		monitor_log("cannot reach xenstored: %s", strerror(-error));
		return error;
	}
	monitor->gc = spawn(monitor, NULL);
	if (monitor->gc < 0)
		monitor->gc = 0;
	find_intents(monitor);
	store_events(monitor);
	return 0;
}

int monitor_turn(struct monitor *monitor, int max_ms)
{
	struct epoll_event events[4];
	uint64_t now = tools_now_ms(), until, next;
	int n;

	if (!monitor->store && now >= monitor->store_retry && store_connect(monitor) == 0)
		store_events(monitor);
	if (monitor->store && monitor->dead_look > 0 && now >= monitor->dead_look) {
		bury(monitor);
		store_events(monitor);
	}
	until = max_ms < 0 ? UINT64_MAX : now + (unsigned int)max_ms;
	next = start_due(monitor, now);
	if (next < until)
		until = next;
	if (!monitor->store && monitor->store_retry < until)
		until = monitor->store_retry;
	if (monitor->store && monitor->dead_look > 0 && monitor->dead_look < until)
		until = monitor->dead_look;
	n = epoll_wait(monitor->epoll_fd, events, 4,
		       until == UINT64_MAX ? -1 : until > now ? (int)(until - now) : 0);
	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == monitor->signal_fd) {
			take_signals(monitor);
			/* A domain that ended while its job was under way has had its event. */
			if (monitor->store)
				enumerate(monitor);
		}
		store_events(monitor);
	}
	return monitor->ending ? 1 : 0;
}

void monitor_end(struct monitor *monitor)
{
	if (!monitor)
		return;
	while (monitor->jobs)
		drop_job(monitor, monitor->jobs);
	if (monitor->store)
		store_close(monitor->store);
	ctl_close(monitor->ctl);
	close(monitor->epoll_fd);
	close(monitor->signal_fd);
	free(monitor);
}
