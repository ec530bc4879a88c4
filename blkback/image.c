/* SPDX-License-Identifier: MIT */
/*
 * An image's life: waiting for the lock that whatever worked on it before holds, starting a qemu-nbd, giving it again
 * what it must know (the write log), then all operations; and from the beginning when it dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image_private.h"

#define POLL_NS		10000000ULL	/* 10 ms, for a lock or a process's end */
#define SLOWEST_NS	1000000000ULL	/* between a server's death at once and the next */
#define ABANDONED_NS	5000000000ULL	/* without anybody asking for an image not open */
#define SECOND_NS	1000000000ULL
#define DISCARD_UNIT	4096

static void tick(void *arg);

static void wake(struct image *m, uint64_t after)
{
	m->timer.fn = tick;
	m->timer.arg = m;
	pv_timer_set(m->server->domain, &m->timer, pv_now(m->server->domain) + after);
}

static void on_ready(void *arg)
{
	struct image *m = arg;

	m->state = REPLAYING;
	m->was_served = true;
	m->replay_place = 0;
	image_replay(m);
}

static void on_answer(void *arg, struct nbd_call *call, int result)
{
	struct image *m = arg;

	if (m->failures > 1)
		pv_log(m->server->domain, "image %s: served again", m->path);
	m->failures = 0;
	image_answered(m, call, result);
}

/* The connection has ended, for whatever reason: what is not done is to be done by another server. */
static void disconnect(struct image *m)
{
	struct nbd_calls open;

	nbd_calls_init(&open);
	if (m->state == STARTING && m->pid > 0)
		kill(m->pid, SIGTERM);	/* it ends with its client only once it has got to know one */
	nbd_close(&m->nbd, &open);
	image_ask_again(m, &open);
	m->state = WAITING;
}

/* Is it time to fail what waits for a server? */
static bool is_hopeless(const struct image *m)
{
	return m->expired || (m->patience && m->failures &&
			      pv_now(m->server->domain) - m->since >= m->patience * SECOND_NS);
}

/* A server's end, or that none could be started. The first one tells in the log, then ever fewer. */
static void lost(struct image *m, const char *why)
{
	uint64_t after = POLL_NS;

	disconnect(m);
	if (m->closing || (!m->was_served && !m->file.cached)) {
		m->file.cached = true;
	} else if (!m->was_served) {
		m->state = REFUSED;
	} else {
		if (!m->failures++)
			m->since = pv_now(m->server->domain);
		if (!(m->failures & (m->failures - 1)))
			pv_log(m->server->domain, "image %s: qemu-nbd: %s: another one is started (attempt %u)",
			       m->path, why, m->failures);
		after = m->failures > 6 ? SLOWEST_NS : POLL_NS << m->failures;
		if (is_hopeless(m))
			image_fail_all(m);
	}
	if (m->pid > 0)
		kill(m->pid, SIGKILL);
	wake(m, after);
}

static void on_lost(void *arg, const char *why)
{
	lost(arg, why);
}

/*
 * After a group of answers, which are visible now: all flushes that were under way with one that failed have failed.
 * Where the image is to grow, its server ends as soon as nothing is under way.
 */
static void on_batch(void *arg)
{
	struct image *m = arg;

	file_ops_done(m->server->host);
	if (m->told && !m->flushes) {
		write_log_told(&m->log);
		m->told = false;
	}
	image_kick(m);
	if (m->nbd.fd.fd >= 0 && m->state == SERVING && m->wanted_bytes && nbd_is_idle(&m->nbd)) {
		disconnect(m);
		wake(m, POLL_NS);
	}
}

static const struct nbd_events events = {
	.ready = on_ready, .answered = on_answer, .batch_done = on_batch, .lost = on_lost,
};

/* --- Processes --- */

static void start_server(struct image *m, int lock)
{
	char name[300];
	int fd;

	snprintf(name, sizeof(name), "%.280s/%" PRIu64 ".sock", m->server->directory, m->fence);
	m->pid = image_serve(&m->file, name, lock, &fd);
	if (m->pid > 0 && nbd_open(&m->nbd, m->server->domain, fd, &events, m))
		close(fd);
	if (m->pid < 0)
		m->pid = 0;
	if (m->nbd.fd.fd < 0)
		lost(m, "cannot be started");
	else
		m->state = STARTING;
	if (m->state == STARTING && !m->open)
		wake(m, ABANDONED_NS);
}

static void start_growing(struct image *m, int lock)
{
	m->pid = image_grow(&m->file, m->wanted_bytes, lock);
	m->wanted_bytes = 0;
	m->state = m->pid > 0 ? GROWING : WAITING;
	if (m->pid < 0)
		m->pid = 0;
	wake(m, POLL_NS);
}

/* Has the process ended, if there is one? */
static bool reap(struct image *m)
{
	int status = 0;

	if (m->pid > 0 && waitpid(m->pid, &status, WNOHANG) == 0)
		return false;
	if (m->pid > 0 && m->state == GROWING && status)
		pv_log(m->server->domain, "image %s: it was not made larger", m->path);
	else if (m->pid > 0 && !m->closing)
		image_investigate(m, WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0);
	m->pid = 0;
	return true;
}

static void image_free(struct image *m)
{
	struct image **link = &m->server->images;
	struct nbd_calls left;

	nbd_calls_init(&left);
	nbd_close(&m->nbd, &left);
	nbd_calls_append(&m->todo, &left);
	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	pv_timer_set(m->server->domain, &m->timer, 0);
	if (m->log.memory)
		blkback_record_unmap(m->server->host, m->log.memory, WRITE_LOG_BYTES);
	image_calls_free(m);
	free(m->path);
	free(m);
}

/* The end: nobody works on the image any more. A log that was not written again is for the next one. */
static void bury(struct image *m, int lock)
{
	if (m->log.memory && !m->keep_log)
		blkback_record_remove(m->server->host, m->log_name);
	unlink(m->lock_path);
	close(lock);
	image_free(m);
}

static void tick(void *arg)
{
	struct image *m = arg;
	int lock;

	if (!m->open && !m->closing && pv_now(m->server->domain) - m->asked > ABANDONED_NS) {
		image_close(m);
		return;
	}
	if (m->state != SERVING && is_hopeless(m))
		image_fail_all(m);
	if (m->state == REFUSED || m->state == STARTING || m->state == REPLAYING || m->state == SERVING) {
		if (!m->open)
			wake(m, ABANDONED_NS);
		return;
	}
	lock = reap(m) ? image_lock(m->lock_path) : -EAGAIN;
	m->state = m->pid ? m->state : WAITING;
	if (lock < 0) {
		wake(m, POLL_NS);
		return;
	}
	if (m->closing) {
		bury(m, lock);
		return;
	}
	if (m->wanted_bytes)
		start_growing(m, lock);
	else
		start_server(m, lock);
	close(lock);
}

/* --- For file_io.c --- */

static void log_name(char name[32], uint64_t fence)
{
	snprintf(name, 32, "image-%" PRIu64, fence);
}

static struct image *image_new(struct image_server *s, const struct medium_spec *spec)
{
	struct image *m = calloc(1, sizeof(*m));
	void *memory = NULL;
	int fd;

	if (!m || !(m->path = strdup(spec->path))) {
		free(m);
		return NULL;
	}
	m->server = s;
	m->fence = spec->fence;
	m->nbd.fd.fd = -1;
	nbd_calls_init(&m->todo);
	nbd_calls_init(&m->held);
	snprintf(m->format, sizeof(m->format), "%s", spec->format);
	snprintf(m->lock_path, sizeof(m->lock_path), "%.280s/%" PRIu64 ".lock", s->directory, spec->fence);
	log_name(m->log_name, spec->fence);
	snprintf(m->name, sizeof(m->name), "%s", spec->name);
	m->file = (struct image_file){
		.path = m->path, .format = m->format, .read_only = spec->mode == MEDIUM_READ_ONLY,
	};
	fd = open(spec->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	m->file.cached = fd < 0 && errno == EINVAL;
	if (fd >= 0)
		close(fd);
	if (!m->file.read_only) {
		memory = blkback_record_map(s->host, m->log_name, WRITE_LOG_BYTES);
		if (!memory) {
			free(m->path);
			free(m);
			return NULL;
		}
		write_log_open(&m->log, memory, WRITE_LOG_BYTES, spec->taken_over);
	}
	m->keep_log = spec->taken_over;
	m->next = s->images;
	s->images = m;
	m->asked = pv_now(s->domain);
	tick(m);
	return m;
}

static bool is_of(const struct image *m, const struct medium_spec *spec)
{
	return !strcmp(m->path, spec->path) && !strncmp(m->format, spec->format, sizeof(m->format) - 1) &&
	       m->file.read_only == (spec->mode == MEDIUM_READ_ONLY);
}

int image_open(struct image_server *s, const struct medium_spec *spec, struct image **image,
	       struct medium_info *info)
{
	struct image *m, *mine = NULL;

	for (m = s->images; m; m = m->next) {
		if (m->closing && (m->fence == spec->fence || !strcmp(m->path, spec->path)))
			return -EAGAIN;
		if (m->fence == spec->fence)
			mine = m;
	}
	if (mine && !is_of(mine, spec)) {
		image_close(mine);
		return -EAGAIN;
	}
	m = mine ? mine : image_new(s, spec);
	if (!m)
		return -ENOMEM;
	m->asked = pv_now(s->domain);
	if (m->state == REFUSED) {
		image_close(m);
		return -EIO;
	}
	if (m->state != SERVING)
		return -EAGAIN;
	m->open = true;
	m->changed = spec->changed;
	m->arg = spec->arg;
	info->bytes = m->bytes;
	info->sector = 512;
	info->discard_granularity = m->nbd.flags & NBD_FLAG_SEND_TRIM ? DISCARD_UNIT : 0;
	info->discard_alignment = 0;
	*image = m;
	return 0;
}

void image_close(struct image *m)
{
	m->open = false;
	m->closing = true;
	m->wanted_bytes = 0;
	if (m->state != GROWING)
		disconnect(m);
	wake(m, 0);
}

void image_forget(struct image_server *s, uint64_t fence)
{
	char name[32];

	for (struct image *m = s->images; m; m = m->next) {
		if (m->fence == fence) {
			m->keep_log = false;
			return;
		}
	}
	log_name(name, fence);
	blkback_record_remove(s->host, name);
}

bool image_lingers(const struct image_server *s, uint64_t fence)
{
	for (const struct image *m = s->images; m; m = m->next)
		if (m->closing && m->fence == fence)
			return true;
	return false;
}

void image_patience(struct image *m, uint32_t seconds)
{
	m->patience = seconds;
}

/* Not from in here: whoever asks may not expect answers now. */
void image_expire(struct image *m)
{
	m->expired = true;
	if (m->state != SERVING)
		wake(m, 0);
}

void image_resize(struct image *m, uint64_t bytes)
{
	m->wanted_bytes = bytes;
	if (m->state == SERVING && nbd_is_idle(&m->nbd)) {
		disconnect(m);
		wake(m, 0);
	}
}

uint64_t image_bytes(const struct image *m)
{
	return m->bytes;
}

int image_server_open(struct image_server **server, struct pv_domain *domain, struct medium_host *host,
		      const char *directory)
{
	struct image_server *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (mkdir(directory, 0700) && errno != EEXIST) {
		free(s);
		return -errno;
	}
	s->domain = domain;
	s->host = host;
	s->directory = directory;
	*server = s;
	return 0;
}

void image_server_close(struct image_server *s)
{
	while (s && s->images) {
		pid_t pid = s->images->pid;

		if (s->images->state == STARTING)
			disconnect(s->images);
		image_free(s->images);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	free(s);
}
