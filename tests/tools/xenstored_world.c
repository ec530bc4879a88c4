/* SPDX-License-Identifier: MIT */
/*
 * The fake port of the store daemon: see the header.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "xenstored_world.h"

static struct world *current;

void kill_point(void)
{
	struct world *w = current;

	if (w && ++w->points == w->kill_at)
		kill(getpid(), SIGKILL);
}

/* --- The port --- */

uint64_t port_now_ms(struct port *p)
{
	return p->w->now;
}

void port_log(struct port *p, const char *line)
{
	size_t n = strlen(p->w->log);

	p->w->log_lines++;
	if (n + strlen(line) + 2 > sizeof(p->w->log))
		n = 0;
	snprintf(p->w->log + n, sizeof(p->w->log) - n, "%s\n", line);
	if (getenv("WORLD_LOG"))
		fprintf(stderr, "log: %s\n", line);
}

void port_log_to(struct port *p, const char *where)
{
	port_log(p, where);
}

unsigned int port_domain_state(struct port *p, unsigned int domid)
{
	return domid < WORLD_DOMAINS ? p->w->domain[domid].state : 0;
}

void port_domains_snapshot(struct port *p, bool begin)
{
	(void)p;
	(void)begin;
}

int port_ring_map(struct port *p, unsigned int domid, uint64_t frame,
		  struct xenstore_domain_interface **ring)
{
	(void)frame;
	if (domid >= WORLD_DOMAINS || !p->w->domain[domid].state || p->w->domain[domid].fail_map)
		return -ENOENT;
	p->w->domain[domid].mapped++;
	*ring = (void *)p->w->ring[domid];
	return 0;
}

void port_ring_unmap(struct port *p, unsigned int domid, struct xenstore_domain_interface *ring)
{
	(void)ring;
	p->w->domain[domid].mapped--;
}

int port_bind(struct port *p, unsigned int domid, uint32_t remote_port)
{
	(void)remote_port;
	if (p->w->domain[domid].fail_bind)
		return -EINVAL;
	p->w->domain[domid].bound++;
	return domid + 1;
}

void port_unbind(struct port *p, int local)
{
	p->w->domain[local - 1].bound--;
}

void port_notify(struct port *p, int local)
{
	p->w->domain[local - 1].notified++;
}

int port_recv(struct port *p, int fd, struct mmsghdr *m)
{
	(void)p;
	return recvmmsg(fd, m, 1, MSG_DONTWAIT, NULL) < 0 ? -errno : 0;
}

int port_send(struct port *p, int fd, struct mmsghdr *m)
{
	(void)p;
	return sendmmsg(fd, m, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void port_socket_watch(struct port *p, int fd, uint32_t slot, unsigned int wants, bool add)
{
	(void)p;
	(void)fd;
	(void)slot;
	(void)wants;
	(void)add;
}

void port_socket_close(struct port *p, int fd)
{
	for (int i = 0; i < WORLD_SOCKETS && fd >= 0; i++)
		if (p->w->socket[i].server == fd && !p->w->socket[i].closed) {
			p->w->socket[i].closed = true;
			shutdown(fd, SHUT_RDWR);
		}
}

unsigned long port_memory(struct port *p)
{
	(void)p;
	return 0;
}

/* --- The world --- */

static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[400];

	while (dir && (e = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		unlink(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

struct world *world_new(const char *name)
{
	struct world *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);

	if (w == MAP_FAILED)
		abort();
	snprintf(w->dir, sizeof(w->dir), "/dev/shm/%s.%d", name, (int)getpid());
	remove_dir(w->dir);
	for (int i = 0; i < WORLD_SOCKETS; i++)
		w->socket[i].client = w->socket[i].server = -1;
	w->domain[0].state = DOMAIN_EXISTS;
	current = w;
	return w;
}

void world_free(struct world *w)
{
	for (int i = 0; i < WORLD_SOCKETS; i++)
		world_hang_up(w, i);
	for (int i = 0; i < WORLD_SOCKETS; i++)
		if (w->socket[i].server >= 0)
			close(w->socket[i].server);
	remove_dir(w->dir);
	munmap(w, sizeof(*w));
	current = NULL;
}

int world_connect(struct world *w)
{
	int fd[2];

	for (int i = 0; i < WORLD_SOCKETS; i++) {
		if (w->socket[i].server >= 0)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
			abort();
		w->socket[i].client = fd[0];
		w->socket[i].server = fd[1];
		w->socket[i].closed = false;
		return i;
	}
	abort();
}

void world_hang_up(struct world *w, int n)
{
	if (w->socket[n].client >= 0)
		close(w->socket[n].client);
	w->socket[n].client = -1;
}

void world_reap(struct world *w)
{
	for (int i = 0; i < WORLD_SOCKETS; i++)
		if (w->socket[i].server >= 0 && w->socket[i].closed && w->socket[i].client < 0) {
			close(w->socket[i].server);
			w->socket[i].server = -1;
		}
}

static void adopt(struct port *p)
{
	struct world *w = p->w;
	struct xsd *x = &p->x;

	for (int i = 0; i < WORLD_SOCKETS; i++) {
		int fd = w->socket[i].server;
		bool known = false;

		for (unsigned int j = 0; j < x->conn_room; j++)
			known |= x->conns[j] && x->conns[j]->kind == CONN_SOCKET &&
				 x->conns[j]->fd == fd;
		if (fd < 0 || known || w->socket[i].closed)
			continue;
		if (x->journal.shared->closing_fd == (uint32_t)fd + 1)
			port_socket_close(p, fd);
		else
			conn_open_socket(x, fd, fd + 1000);
	}
	publish(x->journal.shared->closing_fd, 0);
}

struct port *world_start(struct world *w, bool crashed)
{
	struct port *p = calloc(1, sizeof(*p));
	int had;

	p->w = w;
	for (int i = 0; i < WORLD_DOMAINS; i++)
		w->domain[i].bound = w->domain[i].mapped = 0;
	xsd_init(&p->x, p, 12345 + w->points);
	had = xsd_start(&p->x, w->dir, crashed, true);
	if (had < 0) {
		fprintf(stderr, "xsd_start: %s\n", strerror(-had));
		abort();
	}
	adopt(p);
	if (had)
		domains_check(&p->x);
	if (p->x.dom0->introduced) {
		domains_reconnect(&p->x);
	} else {
		rec_begin(&p->x.journal, 0, 0, 0);
		if (domain_introduce(&p->x, 0, 0, 1))
			abort();
		record_commit(&p->x);
	}
	return p;
}

void world_run(struct port *p)
{
	struct world *w = p->w;
	struct xsd *x = &p->x;
	uint64_t before;
	int quiet = 0;

	while (quiet < 2) {
		before = x->count_requests + x->count_events + x->next_epoch;
		adopt(p);
		w->turn++;
		for (unsigned int n = 0; n < x->conn_room; n++) {
			unsigned int i = (n + w->turn * 7) % x->conn_room;

			if (x->conns[i] && !x->conns[i]->stalled)
				conn_work(x, x->conns[i]);
		}
		while (xsd_step(x))
			;
		quiet = before == x->count_requests + x->count_events + x->next_epoch ? quiet + 1 :
											0;
	}
}

void world_stop(struct port *p)
{
	xsd_free(&p->x);
	free(p);
}

/* --- Clients --- */

static unsigned int build(char *to, uint32_t type, uint32_t tx, const void *body,
			  unsigned int length)
{
	struct xsd_sockmsg msg = { .type = type, .req_id = 7, .tx_id = tx, .len = length };

	memcpy(to, &msg, sizeof(msg));
	memcpy(to + sizeof(msg), body, length);
	return sizeof(msg) + length;
}

void world_send(struct world *w, int n, uint32_t type, uint32_t tx, const void *body,
		unsigned int length)
{
	char bytes[MESSAGE_MAX];
	unsigned int total = build(bytes, type, tx, body, length);

	if (send(w->socket[n].client, bytes, total, MSG_NOSIGNAL) != (ssize_t)total)
		fprintf(stderr, "world_send: %s\n", strerror(errno));
}

int world_receive(struct world *w, int n, struct xsd_sockmsg *msg, char *body)
{
	char bytes[MESSAGE_MAX];
	int fd = w->socket[n].client;
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_PEEK);

	if (got < (ssize_t)sizeof(*msg))
		return 0;
	memcpy(msg, bytes, sizeof(*msg));
	if (got < (ssize_t)(sizeof(*msg) + msg->len))
		return 0;
	if (recv(fd, bytes, sizeof(*msg) + msg->len, 0) < 0)
		return 0;
	memcpy(body, bytes + sizeof(*msg), msg->len);
	body[msg->len] = 0;
	return 1;
}

unsigned int world_ring_put(struct world *w, unsigned int domid, const void *bytes,
			    unsigned int length)
{
	struct xenstore_domain_interface *ring = (void *)w->ring[domid];
	uint32_t room = XENSTORE_RING_SIZE - (ring->req_prod - ring->req_cons);

	if (length > room)
		length = room;
	for (uint32_t i = 0; i < length; i++)
		ring->req[MASK_XENSTORE_IDX(ring->req_prod + i)] = ((const char *)bytes)[i];
	publish(ring->req_prod, ring->req_prod + length);
	return length;
}

unsigned int world_ring_get(struct world *w, unsigned int domid, void *bytes, unsigned int room)
{
	struct xenstore_domain_interface *ring = (void *)w->ring[domid];
	uint32_t have = ring->rsp_prod - ring->rsp_cons;

	if (have > room)
		have = room;
	for (uint32_t i = 0; i < have; i++)
		((char *)bytes)[i] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons + i)];
	publish(ring->rsp_cons, ring->rsp_cons + have);
	return have;
}

bool world_ring_send(struct world *w, unsigned int domid, uint32_t type, uint32_t tx,
		     const void *body, unsigned int length)
{
	struct xenstore_domain_interface *ring = (void *)w->ring[domid];
	char bytes[MESSAGE_MAX];
	unsigned int total = build(bytes, type, tx, body, length);

	if (total > XENSTORE_RING_SIZE - (ring->req_prod - ring->req_cons))
		return false;
	return world_ring_put(w, domid, bytes, total) == total;
}

int world_ring_receive(struct world *w, unsigned int domid, struct xsd_sockmsg *msg, char *body)
{
	struct xenstore_domain_interface *ring = (void *)w->ring[domid];
	uint32_t have = ring->rsp_prod - ring->rsp_cons;
	char head[sizeof(*msg)];

	if (have < sizeof(*msg))
		return 0;
	for (uint32_t i = 0; i < sizeof(*msg); i++)
		head[i] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons + i)];
	memcpy(msg, head, sizeof(*msg));
	if (have < sizeof(*msg) + msg->len)
		return 0;
	world_ring_get(w, domid, head, sizeof(head));
	body[world_ring_get(w, domid, body, msg->len)] = 0;
	return 1;
}
