/* SPDX-License-Identifier: MIT */
/*
 * File operations by threads, for kernels without io_uring: each thread takes the next operation and does
 * it with the plain system call; the loop hears of results through an eventfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "file_io.h"

#define THREADS	8

struct workers {
	struct pv_domain *domain;
	struct medium_host *host;
	struct pv_fd fd;
	pthread_t threads[THREADS];
	unsigned int nr_threads;
	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t work;
	struct file_op *todo, **todo_end, *done;
	bool stop;
};

static int perform(const struct file_op *op)
{
	const struct medium_io *io = op->io;
	const struct iovec *pieces = (const void *)io->pieces;
	ssize_t rc = 0;

	switch (io->op) {
	case MEDIUM_READ:
		rc = preadv(op->fd, pieces, io->nr_pieces, io->offset);
		break;
	case MEDIUM_WRITE:
		rc = pwritev(op->fd, pieces, io->nr_pieces, io->offset);
		break;
	case MEDIUM_FLUSH:
		rc = fdatasync(op->fd);
		break;
	case MEDIUM_DISCARD:
		rc = fallocate(op->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->offset,
			       io->bytes);
		break;
	case MEDIUM_FORGET:
		return -posix_fadvise(op->fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	return rc < 0 ? -errno : (int)rc;
}

static void *work(void *arg)
{
	struct workers *w = arg;
	const uint64_t one = 1;
	struct file_op *op;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		op = w->todo;
		if (!op) {
			pthread_cond_wait(&w->work, &w->lock);
			continue;
		}
		w->todo = op->next;
		if (!w->todo)
			w->todo_end = &w->todo;
		pthread_mutex_unlock(&w->lock);
		op->result = perform(op);
		pthread_mutex_lock(&w->lock);
		op->next = w->done;
		w->done = op;
		if (!op->next && write(w->fd.fd, &one, sizeof(one)) < 0)
			abort();	/* cannot be: the count never overflows */
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void ready(void *arg, uint32_t events)
{
	struct workers *w = arg;
	struct file_op *op;
	uint64_t count;

	(void)events;
	if (read(w->fd.fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&w->lock);
	op = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);
	while (op) {
		struct file_op *next = op->next;

		file_op_done(op);
		op = next;
	}
	file_ops_done(w->host);
}

void workers_submit(struct workers *w, struct file_op *op)
{
	op->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->todo_end = op;
	w->todo_end = &op->next;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

int workers_open(struct workers **workers, struct pv_domain *domain, struct medium_host *host)
{
	struct workers *w = calloc(1, sizeof(*w));
	int rc = -ENOMEM;

	if (!w)
		return rc;
	w->domain = domain;
	w->host = host;
	w->todo_end = &w->todo;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	rc = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rc < 0) {
		rc = -errno;
		goto free_workers;
	}
	w->fd = (struct pv_fd){ .fd = rc, .events = EPOLLIN, .fn = ready, .arg = w };
	rc = pv_fd_add(domain, &w->fd);
	if (rc)
		goto close_fd;
	while (w->nr_threads < THREADS &&
	       !pthread_create(&w->threads[w->nr_threads], NULL, work, w))
		w->nr_threads++;
	if (w->nr_threads) {
		*workers = w;
		return 0;
	}
	rc = -EAGAIN;
	pv_fd_remove(domain, &w->fd);
close_fd:
	close(w->fd.fd);
free_workers:
	free(w);
	return rc;
}

void workers_close(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (unsigned int i = 0; i < w->nr_threads; i++)
		pthread_join(w->threads[i], NULL);
	pv_fd_remove(w->domain, &w->fd);
	close(w->fd.fd);
	free(w);
}
