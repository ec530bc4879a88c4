/* SPDX-License-Identifier: MIT */
/*
 * An image's life: waiting for the lock that whatever worked on it before holds, starting a qemu-nbd, giving it again
 * what it must know (the write log), then all operations; and from the beginning when it dies.
 *
 * An operation that crashes each server is found out: one that was under way at two crashes is asked alone, and who is
 * under way at the third fails. A server killed from outside (an administrator, lack of memory) proves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image.h"
#include "image_process.h"
#include "nbd.h"
#include "write_log.h"

#define POLL_NS		10000000ULL	/* 10 ms, for a lock or a process's end */
#define SLOWEST_NS	1000000000ULL	/* between a server's death at once and the next */
#define ABANDONED_NS	5000000000ULL	/* without anybody asking for an image not open */
#define SECOND_NS	1000000000ULL
#define SUSPICIOUS	2		/* crashes that an operation was under way at */
#define CONVICTED	3
#define DISCARD_UNIT	4096
#define DISCARD_MAX	(1U << 30)	/* bytes in one call: the protocol has 32 bits */

enum state {
	WAITING,	/* for the lock; the timer runs */
	GROWING,	/* qemu-img works; the timer runs */
	STARTING,	/* a server was started and has not told the image's size */
	REPLAYING,	/* what is in the log is written again */
	SERVING,
	REFUSED,	/* never served; image_open() tells */
};

/* What a call is for. */
enum purpose { FOR_DISK, FOR_REPLAY, FOR_LOG };

struct image {
	struct image *next;
	struct image_server *server;
	enum state state;
	bool open;		/* image_open() has given it out */
	bool closing;
	bool was_served;
	bool keep_log;		/* an earlier instance's, not written again yet */
	bool log_flush;		/* a flush of ours is under way */
	bool alone;		/* what is under way is a suspect */
	bool told;		/* of a lost write, with the next answers */
	pid_t pid;		/* of the server or qemu-img; 0: none */
	char *path, format[16], lock_path[300], log_name[32];
	char name[64];		/* the device, for the log */
	struct image_file file;
	uint32_t fence;
	struct nbd nbd;
	struct write_log log;
	uint64_t replay_place;
	struct write_log_entry *replaying, *suspect;	/* being written again; what crashed so often: */
	unsigned int suspect_crashes;
	unsigned int flushes;	/* asked for and not answered */
	struct nbd_calls todo;	/* not given to the server */
	struct nbd_calls held;	/* writes answered by the server that the log has no room for */
	struct nbd_call *free;
	struct medium_piece own_piece;
	uint64_t held_count, released_count;	/* numbers of the writes on held */
	struct pv_timer timer;
	uint64_t asked;
	uint64_t bytes, wanted_bytes;	/* wanted: != 0 until qemu-img has been run */
	unsigned int failures;		/* to start a server, since one answered */
	uint64_t since;			/* the first of them */
	uint32_t patience;		/* seconds from then on; 0: for ever */
	bool expired;			/* nobody waits any more */
	void (*changed)(void *arg);
	void *arg;
};

struct image_server {
	struct pv_domain *domain;
	struct medium_host *host;
	struct image *images;
	const char *directory;
};

static void tick(void *arg);

static void wake(struct image *m, uint64_t after)
{
	m->timer.fn = tick;
	m->timer.arg = m;
	pv_timer_set(m->server->domain, &m->timer, pv_now(m->server->domain) + after);
}

/* --- Operations and the log --- */

static struct nbd_call *call_new(struct image *m, uint16_t type, unsigned int purpose)
{
	struct nbd_call *call = m->free;

	if (call)
		m->free = call->next;
	else
		call = malloc(sizeof(*call));
	if (!call) {
		pv_log(m->server->domain, "out of memory");	/* a few bytes: nothing would work any more */
		abort();
	}
	memset(call, 0, sizeof(*call));
	call->type = type;
	call->purpose = purpose;
	return call;
}

static void call_free(struct image *m, struct nbd_call *call)
{
	call->next = m->free;
	m->free = call;
}

static void complete(struct image *m, struct nbd_call *call, int result)
{
	struct file_op *op = call->owner;

	m->flushes -= call->type == NBD_CMD_FLUSH;
	op->result = result < 0 ? result : (int)call->bytes;
	call_free(m, call);
	file_op_done(op);
}

static void send_call(struct image *m, struct nbd_call *call)
{
	call->mark = write_log_mark(&m->log);
	nbd_send(&m->nbd, call);
}

/* A flush for the log's sake: it covers what was answered before, so the writes held until then. */
static void flush_log(struct image *m)
{
	struct nbd_call *call;

	if (m->log_flush || m->state != SERVING)
		return;
	m->log_flush = true;
	call = call_new(m, NBD_CMD_FLUSH, FOR_LOG);
	call->offset = 0;
	call->owner = (void *)(uintptr_t)m->held_count;
	send_call(m, call);
	nbd_kick(&m->nbd);
}

static void release_held(struct image *m, uint64_t until, int result)
{
	while (m->released_count < until) {
		m->released_count++;
		complete(m, nbd_calls_take(&m->held), result);
	}
}

/* The server has written it, and may forget it until the next flush. */
static void written(struct image *m, struct nbd_call *call)
{
	if (!write_log_add(&m->log, call->offset, call->pieces, call->nr_pieces)) {
		nbd_calls_add(&m->held, call);
		m->held_count++;
		flush_log(m);
		return;
	}
	if (write_log_used(&m->log) > WRITE_LOG_BYTES / 2)
		flush_log(m);
	complete(m, call, 0);
}

/* True: there was more to discard than one call can say. */
static bool discard_more(struct image *m, struct nbd_call *call)
{
	const struct file_op *op = call->owner;
	uint64_t end = op->io->offset + op->io->bytes;

	call->offset += call->bytes;
	call->crashes = 0;
	if (call->offset >= end)
		return false;
	call->bytes = end - call->offset < DISCARD_MAX ? end - call->offset : DISCARD_MAX;
	send_call(m, call);
	nbd_kick(&m->nbd);
	return true;
}

static void log_flushed(struct image *m, struct nbd_call *call, int result)
{
	m->log_flush = false;
	if (!result)
		write_log_drop(&m->log, call->mark);
	release_held(m, (uintptr_t)call->owner, result);
	call_free(m, call);
	if (m->held.first)
		flush_log(m);
}

/* --- Serving --- */

static bool may_send(const struct image *m)
{
	return m->state == SERVING && !m->wanted_bytes;
}

/* Is all answered that the server was asked? */
static bool is_idle(const struct image *m)
{
	return nbd_is_idle(&m->nbd) && !m->held.first;
}

void image_kick(struct image *m)
{
	if (!may_send(m) || !m->todo.first)
		return;
	m->alone = m->alone && !is_idle(m);
	while (!m->alone && m->todo.first) {
		m->alone = m->todo.first->crashes >= SUSPICIOUS;
		if (m->alone && !is_idle(m)) {
			m->alone = false;
			break;
		}
		send_call(m, nbd_calls_take(&m->todo));
	}
	nbd_kick(&m->nbd);
}

void image_submit(struct image *m, struct file_op *op)
{
	static const uint16_t types[] = {
		[MEDIUM_READ] = NBD_CMD_READ, [MEDIUM_WRITE] = NBD_CMD_WRITE,
		[MEDIUM_FLUSH] = NBD_CMD_FLUSH, [MEDIUM_DISCARD] = NBD_CMD_TRIM,
	};
	struct nbd_call *call = call_new(m, types[op->io->op], FOR_DISK);

	call->owner = op;
	if (op->io->op <= MEDIUM_WRITE) {
		call->offset = op->io->offset;
		call->bytes = op->io->bytes;
		call->pieces = op->io->pieces;
		call->nr_pieces = op->io->nr_pieces;
	} else if (op->io->op == MEDIUM_DISCARD) {
		call->offset = op->io->offset;
		call->bytes = op->io->bytes < DISCARD_MAX ? op->io->bytes : DISCARD_MAX;
	}
	m->flushes += op->io->op == MEDIUM_FLUSH;
	nbd_calls_add(&m->todo, call);
}

static void serve(struct image *m)
{
	uint64_t bytes = m->nbd.bytes & ~511ULL;
	bool grown = m->bytes && m->bytes != bytes;

	m->state = SERVING;
	m->bytes = bytes;
	m->keep_log = false;
	image_kick(m);
	if (grown && m->open)
		m->changed(m->arg);
}

/* A write that was answered is lost: the next flush fails, as a disk's does whose cache has failed. */
static void give_up(struct image *m, const char *why, int error)
{
	pv_log(m->server->domain, "%s: image %s: a write of %u bytes at %llu is lost: %s %d", m->name, m->path,
	       m->replaying->bytes, (unsigned long long)m->replaying->offset, why, error);
	write_log_give_up(&m->log, m->replaying);
}

/* One after the other: later entries may cover the same places. */
static void replay(struct image *m)
{
	struct write_log_entry *e = write_log_next(&m->log, &m->replay_place);
	struct nbd_call *call;

	m->replaying = e;
	if (!e) {
		serve(m);
		return;
	}
	call = call_new(m, NBD_CMD_WRITE, FOR_REPLAY);
	m->own_piece = (struct medium_piece){ (void *)e->data, e->bytes };
	call->pieces = &m->own_piece;
	call->nr_pieces = 1;
	call->offset = e->offset;
	call->bytes = e->bytes;
	send_call(m, call);
	nbd_kick(&m->nbd);
}

static void on_ready(void *arg)
{
	struct image *m = arg;

	m->state = REPLAYING;
	m->was_served = true;
	m->replay_place = 0;
	replay(m);
}

static void on_answer(void *arg, struct nbd_call *call, int result)
{
	struct image *m = arg;

	if (m->failures > 1)
		pv_log(m->server->domain, "image %s: served again", m->path);
	m->failures = 0;
	switch ((enum purpose)call->purpose) {
	case FOR_REPLAY:
		if (result)
			give_up(m, "error", -result);
		call_free(m, call);
		replay(m);
		break;
	case FOR_LOG:
		log_flushed(m, call, result);
		break;
	case FOR_DISK:
		if (!result && call->type == NBD_CMD_TRIM && discard_more(m, call))
			break;
		if (result || !m->log.memory || call->type == NBD_CMD_READ || call->type == NBD_CMD_TRIM) {
			complete(m, call, result);
		} else if (call->type == NBD_CMD_WRITE) {
			written(m, call);
		} else {
			write_log_drop(&m->log, call->mark);
			m->told = write_log_has_lost(&m->log);
			complete(m, call, m->told ? -EIO : 0);
		}
		break;
	}
}

/* The connection has ended, for whatever reason: what is not done is to be done by another server. */
static void disconnect(struct image *m)
{
	struct nbd_calls later, open;
	struct nbd_call *call;

	nbd_calls_init(&later);
	nbd_calls_init(&open);
	if (m->state == STARTING && m->pid > 0)
		kill(m->pid, SIGTERM);	/* it ends with its client only once it has got to know one */
	nbd_calls_append(&later, &m->held);
	m->released_count = m->held_count;
	m->log_flush = m->alone = false;
	nbd_close(&m->nbd, &open);
	while ((call = nbd_calls_take(&open))) {
		if (call->purpose == FOR_DISK)
			nbd_calls_add(&later, call);
		else
			call_free(m, call);
	}
	nbd_calls_append(&later, &m->todo);
	nbd_calls_append(&m->todo, &later);
	m->state = WAITING;
}

static void fail_all(struct image *m)
{
	struct nbd_calls todo;
	struct nbd_call *call;

	nbd_calls_init(&todo);
	nbd_calls_append(&todo, &m->todo);
	if (!todo.first)
		return;
	while ((call = nbd_calls_take(&todo)))
		complete(m, call, -EIO);
	file_ops_done(m->server->host);
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
			fail_all(m);
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

	snprintf(name, sizeof(name), "%.280s/%u.sock", m->server->directory, m->fence);
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

static void convict(struct image *m, struct nbd_call *call)
{
	static const char *const names[] = {
		[NBD_CMD_READ] = "read", [NBD_CMD_WRITE] = "write", [NBD_CMD_FLUSH] = "flush",
		[NBD_CMD_TRIM] = "discard",
	};

	pv_log(m->server->domain, "%s: image %s: a %s of %u bytes at %llu fails: %u servers have crashed of it",
	       m->name, m->path, names[call->type], call->bytes, (unsigned long long)call->offset, CONVICTED);
	complete(m, call, -EIO);
}

/* The server has ended, with what it was given under way, or answered and held. */
static void investigate(struct image *m, bool crashed)
{
	struct nbd_calls all;
	struct nbd_call *call;

	nbd_calls_init(&all);
	nbd_calls_append(&all, &m->todo);
	while ((call = nbd_calls_take(&all))) {
		call->crashes += crashed && call->known;
		call->known = false;
		if (call->crashes < CONVICTED)
			nbd_calls_add(&m->todo, call);
		else
			convict(m, call);
	}
	if (crashed && m->replaying) {
		m->suspect_crashes = m->suspect == m->replaying ? m->suspect_crashes + 1 : 1;
		m->suspect = m->replaying;
		if (m->suspect_crashes >= CONVICTED)
			give_up(m, "crashes of servers:", CONVICTED);
	}
	m->replaying = NULL;
	file_ops_done(m->server->host);
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
		investigate(m, WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0);
	m->pid = 0;
	return true;
}

static void image_free(struct image *m)
{
	struct image **link = &m->server->images;
	struct nbd_calls left;
	struct nbd_call *call;

	nbd_calls_init(&left);
	nbd_close(&m->nbd, &left);
	while ((call = nbd_calls_take(&left)))
		call_free(m, call);
	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	pv_timer_set(m->server->domain, &m->timer, 0);
	if (m->log.memory)
		blkback_record_unmap(m->server->host, m->log.memory, WRITE_LOG_BYTES);
	while ((call = m->free)) {
		m->free = call->next;
		free(call);
	}
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
		fail_all(m);
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

static void log_name(char name[32], uint32_t fence)
{
	snprintf(name, 32, "image-%u", fence);
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
	snprintf(m->lock_path, sizeof(m->lock_path), "%.280s/%u.lock", s->directory, spec->fence);
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

void image_forget(struct image_server *s, uint32_t fence)
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

bool image_lingers(const struct image_server *s, uint32_t fence)
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
