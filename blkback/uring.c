/* SPDX-License-Identifier: MIT */
/*
 * File operations through io_uring (its three system calls directly: the ring's layout is the kernel's
 * ABI, linux/io_uring.h). One ring serves all disks of the daemon; what one round of the loop submits
 * goes to the kernel by one call.
 *
 * A ring that the kernel takes nothing from any more hands over what it still has, and gets no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "file_io.h"

#define ENTRIES		256
#define COMPLETIONS	4096	/* at most so many are under way: none is ever lost */
#define SLOTS		256	/* of registered memory */

struct uring {
	struct pv_domain *domain;
	struct medium_host *host;
	struct pv_fd fd;
	unsigned int *sq_head, *sq_tail, sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	void *rings;
	size_t rings_bytes, sqes_bytes;
	unsigned int unsent, under_way;
	bool has_table, broken;
	bool used[SLOTS];
	struct file_op *waiting, **waiting_end;
};

static int enter(struct uring *u, unsigned int submit, unsigned int flags)
{
	long rc;

	do
		rc = syscall(SYS_io_uring_enter, u->fd.fd, submit, 0, flags, NULL, 0);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : (int)rc;
}

static void fill(struct io_uring_sqe *e, const struct file_op *op)
{
	const struct medium_io *io = op->io;

	memset(e, 0, sizeof(*e));
	e->fd = op->fd;
	e->user_data = (uintptr_t)op;
	e->off = io->offset;
	switch (io->op) {
	case MEDIUM_READ:
	case MEDIUM_WRITE:
		if (io->nr_pieces == 1) {
			e->opcode = io->op == MEDIUM_READ ? IORING_OP_READ : IORING_OP_WRITE;
			e->addr = (uintptr_t)io->pieces[0].base;
			e->len = io->pieces[0].bytes;
			if (op->slot >= 0) {
				e->opcode = io->op == MEDIUM_READ ? IORING_OP_READ_FIXED :
								    IORING_OP_WRITE_FIXED;
				e->buf_index = op->slot;
			}
			break;
		}
		e->opcode = io->op == MEDIUM_READ ? IORING_OP_READV : IORING_OP_WRITEV;
		e->addr = (uintptr_t)io->pieces;
		e->len = io->nr_pieces;
		break;
	case MEDIUM_FLUSH:
		e->opcode = IORING_OP_FSYNC;
		e->fsync_flags = IORING_FSYNC_DATASYNC;
		e->off = 0;
		break;
	case MEDIUM_DISCARD:
		e->opcode = IORING_OP_FALLOCATE;
		e->addr = io->bytes;
		e->len = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
		break;
	case MEDIUM_FORGET:
		e->opcode = IORING_OP_FADVISE;
		e->fadvise_advice = POSIX_FADV_DONTNEED;
		break;
	}
}

/* The kernel looks at the ring in our calls only: what it has not consumed can be taken back. */
static void give_up(struct uring *u, int rc)
{
	unsigned int head = __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE), tail = *u->sq_tail;
	struct file_op *ops = NULL, **end = &ops;

	for (unsigned int at = head; at != tail; at++) {
		*end = (void *)(uintptr_t)u->sqes[u->sq_array[at & u->sq_mask]].user_data;
		end = &(*end)->next;
		u->under_way--;
	}
	*end = u->waiting;
	u->waiting = NULL;
	u->waiting_end = &u->waiting;
	__atomic_store_n(u->sq_tail, head, __ATOMIC_RELEASE);
	u->unsent = 0;
	u->broken = true;
	pv_log(u->domain, "io_uring: error %d: threads do its work from now on", -rc);
	file_ops_move(u->host, ops);
}

void uring_kick(struct uring *u)
{
	int rc;

	while (u->unsent) {
		rc = enter(u, u->unsent, 0);
		if ((rc == -EAGAIN || rc == -EBUSY) && u->under_way > u->unsent)
			return;		/* the kernel wants completions reaped first; the round tries again */
		if (rc <= 0) {
			give_up(u, rc ? rc : -EIO);
			return;
		}
		u->unsent -= rc;
	}
}

static void put(struct uring *u, struct file_op *op)
{
	unsigned int tail = *u->sq_tail;

	fill(&u->sqes[tail & u->sq_mask], op);
	u->sq_array[tail & u->sq_mask] = tail & u->sq_mask;
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
	u->unsent++;
	u->under_way++;
}

static bool is_full(struct uring *u)
{
	return *u->sq_tail - __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE) > u->sq_mask;
}

void uring_submit(struct uring *u, struct file_op *op)
{
	op->next = NULL;
	if (!u->waiting && is_full(u))
		uring_kick(u);
	if (u->broken) {
		file_ops_move(u->host, op);
		return;
	}
	if (!u->waiting && !is_full(u) && u->under_way < COMPLETIONS) {
		put(u, op);
		return;
	}
	*u->waiting_end = op;
	u->waiting_end = &op->next;
}

static void submit_waiting(struct uring *u)
{
	struct file_op *op;

	while ((op = u->waiting) && u->under_way < COMPLETIONS) {
		if (is_full(u))
			uring_kick(u);
		if (is_full(u) || u->waiting != op)
			return;
		u->waiting = op->next;
		if (!u->waiting)
			u->waiting_end = &u->waiting;
		op->next = NULL;
		put(u, op);
	}
}

static void ready(void *arg, uint32_t events)
{
	struct uring *u = arg;
	unsigned int head = *u->cq_head, tail = __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE);

	(void)events;
	for (; head != tail; head++) {
		const struct io_uring_cqe *c = &u->cqes[head & u->cq_mask];
		struct file_op *op = (void *)(uintptr_t)c->user_data;

		op->result = c->res;
		__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
		u->under_way--;
		file_op_done(op);
	}
	file_ops_done(u->host);
	submit_waiting(u);
	uring_kick(u);
}

void uring_reap(struct uring *u)
{
	if (*u->cq_head != __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		ready(u, EPOLLIN);
}

static int map_rings(struct uring *u, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	char *r;

	u->rings_bytes = sq > cq ? sq : cq;
	u->sqes_bytes = p->sq_entries * sizeof(struct io_uring_sqe);
	u->rings = mmap(NULL, u->rings_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			u->fd.fd, IORING_OFF_SQ_RING);
	if (u->rings == MAP_FAILED)
		return -errno;
	u->sqes = mmap(NULL, u->sqes_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       u->fd.fd, IORING_OFF_SQES);
	if (u->sqes == MAP_FAILED) {
		munmap(u->rings, u->rings_bytes);
		return -errno;
	}
	r = u->rings;
	u->sq_head = (void *)(r + p->sq_off.head);
	u->sq_tail = (void *)(r + p->sq_off.tail);
	u->sq_mask = p->sq_entries - 1;
	u->sq_array = (void *)(r + p->sq_off.array);
	u->cq_head = (void *)(r + p->cq_off.head);
	u->cq_tail = (void *)(r + p->cq_off.tail);
	u->cq_mask = p->cq_entries - 1;
	u->cqes = (void *)(r + p->cq_off.cqes);
	return 0;
}

/* Needs both rings in one mapping (5.4), plain reads (5.6) and nothing dropped (5.5). */
static int set_up(struct io_uring_params *p)
{
	const unsigned int wanted = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
	int fd;

	*p = (struct io_uring_params){
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN, .cq_entries = COMPLETIONS,
	};
	fd = syscall(SYS_io_uring_setup, ENTRIES, p);
	if (fd < 0 && errno == EINVAL) {
		*p = (struct io_uring_params){
			.flags = IORING_SETUP_CQSIZE, .cq_entries = COMPLETIONS,
		};
		fd = syscall(SYS_io_uring_setup, ENTRIES, p);
	}
	if (fd < 0)
		return -errno;
	if ((p->features & wanted) == wanted)
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

int uring_open(struct uring **uring, struct pv_domain *domain, struct medium_host *host)
{
	struct uring *u = calloc(1, sizeof(*u));
	struct io_uring_params p;
	int rc = -ENOMEM;

	if (!u)
		return rc;
	u->domain = domain;
	u->host = host;
	u->waiting_end = &u->waiting;
	rc = set_up(&p);
	if (rc < 0)
		goto free_uring;
	u->fd = (struct pv_fd){ .fd = rc, .events = EPOLLIN, .fn = ready, .arg = u };
	rc = map_rings(u, &p);
	if (rc)
		goto close_fd;
	rc = pv_fd_add(domain, &u->fd);
	if (rc)
		goto close_fd;
	*uring = u;
	return 0;

close_fd:
	close(u->fd.fd);
free_uring:
	free(u);
	return rc;
}

/* --- Registered memory: an empty table at first, slots filled one by one (5.19) --- */

static int make_table(struct uring *u)
{
	struct io_uring_rsrc_register table = { .nr = SLOTS, .flags = IORING_RSRC_REGISTER_SPARSE };

	if (!u->has_table && syscall(SYS_io_uring_register, u->fd.fd, IORING_REGISTER_BUFFERS2, &table,
				     sizeof(table)))
		return -errno;
	u->has_table = true;
	return 0;
}

static int set_slot(struct uring *u, int slot, void *memory, size_t bytes)
{
	struct iovec what = { memory, bytes };
	struct io_uring_rsrc_update2 update = {
		.offset = slot, .data = (uintptr_t)&what, .nr = 1,
	};

	return syscall(SYS_io_uring_register, u->fd.fd, IORING_REGISTER_BUFFERS_UPDATE, &update,
		       sizeof(update)) < 0 ? -errno : 0;
}

int uring_register(struct uring *u, void *memory, size_t bytes)
{
	int slot = 0, rc = make_table(u);

	while (!rc && slot < SLOTS && u->used[slot])
		slot++;
	if (!rc && slot == SLOTS)
		rc = -ENOSPC;
	if (!rc)
		rc = set_slot(u, slot, memory, bytes);
	if (rc)
		return rc;
	u->used[slot] = true;
	return slot;
}

void uring_unregister(struct uring *u, int slot)
{
	if (!set_slot(u, slot, NULL, 0))
		u->used[slot] = false;
}

void uring_close(struct uring *u)
{
	if (!u)
		return;
	pv_fd_remove(u->domain, &u->fd);
	munmap(u->sqes, u->sqes_bytes);
	munmap(u->rings, u->rings_bytes);
	close(u->fd.fd);
	free(u);
}
