/* SPDX-License-Identifier: MIT */
/*
 * An image's operations: the calls to its server, what is logged of them, and what becomes of them when it dies.
 *
 * An operation that crashes each server is found out: one that was under way at two crashes is asked alone, and who is
 * under way at the third fails. A server killed from outside (an administrator, lack of memory) proves nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "image_private.h"

#define SUSPICIOUS	2		/* crashes that an operation was under way at */
#define CONVICTED	3
#define DISCARD_MAX	(1U << 30)	/* bytes in one call: the protocol has 32 bits */

/* --- Calls and the log --- */

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
void image_replay(struct image *m)
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

void image_answered(struct image *m, struct nbd_call *call, int result)
{
	switch ((enum purpose)call->purpose) {
	case FOR_REPLAY:
		if (result)
			give_up(m, "error", -result);
		call_free(m, call);
		image_replay(m);
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

/* --- A server's end --- */

/* In the order in which they were asked first: those held were answered. */
void image_ask_again(struct image *m, struct nbd_calls *open)
{
	struct nbd_calls later;
	struct nbd_call *call;

	nbd_calls_init(&later);
	nbd_calls_append(&later, &m->held);
	m->released_count = m->held_count;
	m->log_flush = m->alone = false;
	while ((call = nbd_calls_take(open))) {
		if (call->purpose == FOR_DISK)
			nbd_calls_add(&later, call);
		else
			call_free(m, call);
	}
	nbd_calls_append(&later, &m->todo);
	nbd_calls_append(&m->todo, &later);
}

void image_fail_all(struct image *m)
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

void image_investigate(struct image *m, bool crashed)
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

void image_calls_free(struct image *m)
{
	struct nbd_call *call;

	while ((call = nbd_calls_take(&m->todo)) || (call = nbd_calls_take(&m->held)))
		free(call);
	while ((call = m->free)) {
		m->free = call->next;
		free(call);
	}
}
