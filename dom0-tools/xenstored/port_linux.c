/* SPDX-License-Identifier: MIT */
/*
 * The store daemon's port to Linux as dom0: sockets, event channels, rings by grant or foreign map,
 * domains by sysctl, log lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include "port_linux.h"

#define KVA "/proc/xen/xsd_kva"
#define BATCH 128

uint64_t port_now_ms(struct port *p __attribute__((unused)))
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* --- Log --- */

void port_open_log(struct port *p)
{
	p->log_fd = open(p->options->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	openlog("xenstored", 0, LOG_DAEMON);
}

void port_log(struct port *p, const char *line)
{
	char text[1100], when[32];
	struct timespec t;
	struct tm tm;
	int n;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(text, sizeof(text), "%s.%03ldZ %s\n", when, t.tv_nsec / 1000000, line);
	/* A full disk loses lines, not the log. */
	if (p->log_fd >= 0)
		(void)!write(p->log_fd, text, n);
	if (p->options->foreground)
		fprintf(stderr, "xenstored: %s\n", line);
	if (strncmp(line, "trace: ", 7))
		syslog(LOG_WARNING, "%s", line);
}

void port_log_to(struct port *p, const char *where)
{
	int fd;

	if (where[0] != '/')
		return;
	fd = open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return;
	if (p->log_fd >= 0)
		close(p->log_fd);
	p->log_fd = fd;
}

/* --- Domains --- */

static int take_snapshot(struct port *p)
{
	unsigned int first = 0, room = 0;
	int n;

	p->snapshot_count = 0;
	do {
		if (p->snapshot_count + BATCH > room) {
			void *more = realloc(p->snapshot,
					     (room + 2 * BATCH) * sizeof(*p->snapshot));

			if (!more)
				return -ENOMEM;
			p->snapshot = more;
			room += 2 * BATCH;
		}
		n = ctl_getdomaininfolist(p->ctl, first, BATCH, p->snapshot + p->snapshot_count);
		if (n < 0)
			return n;
		p->snapshot_count += n;
		if (n)
			first = p->snapshot[p->snapshot_count - 1].domain + 1;
	} while (n == BATCH);
	return 0;
}

void port_domains_snapshot(struct port *p, bool begin)
{
	p->snapshot_valid = begin && p->ctl && !take_snapshot(p);
	if (!begin) {
		free(p->snapshot);
		p->snapshot = NULL;
	}
}

static int by_domid(const void *key, const void *info)
{
	return *(const unsigned int *)key -
	       (int)((const struct xen_domctl_getdomaininfo *)info)->domain;
}

unsigned int port_domain_state(struct port *p, unsigned int domid)
{
	struct xen_domctl_getdomaininfo one, *info = &one;

	if (!p->ctl)
		return DOMAIN_EXISTS;
	if (p->snapshot_valid)
		info = bsearch(&domid, p->snapshot, p->snapshot_count, sizeof(*info), by_domid);
	else if (ctl_getdomaininfo(p->ctl, domid, &one) < 0)
		info = NULL;
	if (!info)
		return 0;
	return DOMAIN_EXISTS | (info->flags & XEN_DOMINF_shutdown ? DOMAIN_SHUTDOWN : 0) |
	       (info->flags & XEN_DOMINF_dying ? DOMAIN_DYING : 0);
}

/* --- Rings --- */

static int map_own(struct xenstore_domain_interface **ring)
{
	int fd = open(KVA, O_RDWR | O_CLOEXEC);
	void *page;

	if (fd < 0)
		return -errno;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return -errno;
	*ring = page;
	return 0;
}

/*
 * By frame if one was named: the kernel then only enters it in our table. For its first grant it
 * would prepare 128 MiB worth of page structures, some 42 million instructions.
 */
int port_ring_map(struct port *p, unsigned int domid, uint64_t frame,
		  struct xenstore_domain_interface **ring)
{
	domid_t owner = domid;
	grant_ref_t ref = GNTTAB_RESERVED_XENSTORE;
	xen_pfn_t pfn = frame;
	int err = -ENOENT;
	void *page;

	if (!p->ctl)
		return -ENODEV;
	if (!domid)
		return map_own(ring);
	if (frame && p->fm)
		err = foreignmemory_map(p->fm, domid, PROT_READ | PROT_WRITE, 1, &pfn, NULL, &page);
	if (err)
		err = gnttab_map(p->gnttab, 1, &owner, &ref, true, &page);
	if (!err)
		*ring = page;
	return err;
}

void port_ring_unmap(struct port *p, unsigned int domid, struct xenstore_domain_interface *ring)
{
	/* The kernel knows which pages are grants. */
	if (domid && !gnttab_unmap(p->gnttab, ring, 1))
		return;
	munmap(ring, 4096);
}

int port_bind(struct port *p, unsigned int domid, uint32_t remote_port)
{
	int local = p->evtchn ? evtchn_bind_interdomain(p->evtchn, domid, remote_port) : -ENODEV;

	if (local < 0)
		return local;
	if ((unsigned int)local >= p->domid_room) {
		unsigned int room = local + 64;
		uint16_t *more = realloc(p->domid_of, room * sizeof(*more));

		if (!more) {
			evtchn_unbind(p->evtchn, local);
			return -ENOMEM;
		}
		for (unsigned int i = p->domid_room; i < room; i++)
			more[i] = DOMID_INVALID;
		p->domid_of = more;
		p->domid_room = room;
	}
	p->domid_of[local] = domid;
	return local;
}

void port_unbind(struct port *p, int local)
{
	p->domid_of[local] = DOMID_INVALID;
	evtchn_unbind(p->evtchn, local);
}

void port_notify(struct port *p, int local)
{
	evtchn_notify(p->evtchn, local);
}

/* --- Sockets --- */

/*
 * The bare system calls: it is the kernel that has to store msg_len, before it returns to a process
 * that may be killed. (musl's sendmmsg() calls sendmsg() and stores it itself.) All padding is
 * zero.
 */
int port_recv(struct port *p __attribute__((unused)), int fd, struct mmsghdr *m)
{
	return syscall(SYS_recvmmsg, fd, m, 1, MSG_DONTWAIT, NULL) < 0 ? -errno : 0;
}

int port_send(struct port *p __attribute__((unused)), int fd, struct mmsghdr *m)
{
	return syscall(SYS_sendmmsg, fd, m, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void port_socket_watch(struct port *p, int fd, uint32_t slot, unsigned int wants, bool add)
{
	struct epoll_event e = { .data.u32 = slot };

	if (wants & WANT_READ)
		e.events |= EPOLLIN;
	if (wants & WANT_WRITE)
		e.events |= EPOLLOUT;
	epoll_ctl(p->epoll, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
}

void port_socket_close(struct port *p, int fd)
{
	if (fd < 0)
		return;
	p->sockets--;
	close(fd);
}

unsigned long port_memory(struct port *p __attribute__((unused)))
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * 4096;
}

int port_open_xen(struct port *p)
{
	int err = ctl_open(&p->ctl);

	if (!err)
		err = evtchn_open(&p->evtchn);
	if (!err)
		err = gnttab_open(&p->gnttab);
	if (err)
		return err;
	if (foreignmemory_open(&p->fm))
		p->fm = NULL;	/* grants do */
	p->virq = evtchn_bind_virq(p->evtchn, VIRQ_DOM_EXC);
	return p->virq < 0 ? p->virq : 0;
}
