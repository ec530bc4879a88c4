/* SPDX-License-Identifier: MIT */
/*
 * Messages to clients: made within a record, delivered once it is committed, queued while the
 * client does not take them.
 *
 * Exactly once: a message has a place in its client's stream of output, and the slot says how much
 * of the stream was delivered. Rings: bytes, then the slot's count, then rsp_prod, which a
 * successor simply publishes again. Sockets: sendmmsg() notes its own result in shared memory
 * before the process can die.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

#define SOCKET_QUEUE_MAX (8u << 20)	/* a client that never reads is dropped */

void conn_out(struct xsd *x, struct conn *c, const struct xsd_sockmsg *msg, const void *a,
	      unsigned int a_length, const void *b, unsigned int b_length)
{
	uint32_t length = sizeof(*msg) + a_length + b_length;
	struct item_out *item;
	struct xsd_sockmsg head = *msg;
	char *to;

	if (c->closing || c->ignored)
		return;
	item = rec_item(&x->journal, ITEM_OUT, sizeof(*item) + length);
	*item = (struct item_out){ .slot = c->slot, .epoch = c->epoch, .offset = c->out_made };
	c->out_made += length;
	head.len = a_length + b_length;
	to = (char *)(item + 1);
	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	if (a_length)
		memcpy(to, a, a_length);
	if (b_length)
		memcpy(to + a_length, b, b_length);
}

static uint32_t event_hash(const struct conn *c, const char *body, unsigned int length)
{
	uint32_t hash = c->slot * 2654435761u;

	for (unsigned int i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)body[i]) * 16777619u;
	return hash;
}

static bool is_waiting(struct xsd *x, const struct conn *c, const char *body, unsigned int length)
{
	uint32_t hash = event_hash(c, body, length);

	for (struct link *l = table_first(&x->pending, hash); l; l = table_next(l, hash)) {
		struct outmsg *m = (struct outmsg *)l;

		if (m->conn == c && m->length == length + sizeof(struct xsd_sockmsg) &&
		    !memcmp(m->bytes + sizeof(struct xsd_sockmsg), body, length))
			return true;
	}
	return false;
}

/* Where the client's output stood before the record at hand: delivered, or in the queue. */
static uint64_t made_before(struct xsd *x, const struct conn *c)
{
	const struct outmsg *head = list_object(c->queue.next, struct outmsg, queue);

	return slot_of(x, c)->delivered + c->queued_bytes - (c->queued ? head->sent : 0);
}

void conn_event(struct xsd *x, struct conn *c, const char *path, unsigned int length,
		const char *token)
{
	static const struct xsd_sockmsg msg = { .type = XS_WATCH_EVENT };
	unsigned int token_length = strlen(token) + 1;
	char body[XENSTORE_PAYLOAD_MAX];
	unsigned int unqueued;

	if (length + 1 + token_length > sizeof(body))
		return;
	memcpy(body, path, length);
	body[length] = 0;
	memcpy(body + length + 1, token, token_length);
	length += 1 + token_length;
	if (c->queued && path[0] != '@' && is_waiting(x, c, body, length))
		return;
	unqueued = c->out_made - made_before(x, c);
	if ((c->queued || unqueued) && !quota_fits(x, c->domain, QUOTA_MEMORY, unqueued + length)) {
		x->count_dropped++;
		return;
	}
	x->count_events++;
	conn_out(x, c, &msg, body, length, NULL, 0);
}

/* --- Queues --- */

static void outmsg_free(struct xsd *x, struct outmsg *m)
{
	struct conn *c = m->conn;

	list_del(&m->queue);
	if (m->event)
		table_del(&x->pending, &m->link);
	else
		c->queued_replies--;
	c->queued--;
	c->queued_bytes -= m->length;
	quota_add(x, c->domain, QUOTA_MEMORY, -(int)m->length);
	free(m);
}

void conn_drop_queue(struct xsd *x, struct conn *c)
{
	while (!list_empty(&c->queue))
		outmsg_free(x, list_object(c->queue.next, struct outmsg, queue));
}

void conn_queue(struct xsd *x, struct conn *c, const void *bytes, uint32_t length, uint32_t sent)
{
	struct outmsg *m = xalloc(sizeof(*m) + length);
	struct xsd_sockmsg head;

	m->conn = c;
	m->length = length;
	m->sent = sent;
	memcpy(m->bytes, bytes, length);
	memcpy(&head, bytes, sizeof(head));
	m->event = head.type == XS_WATCH_EVENT;
	list_add_tail(&c->queue, &m->queue);
	if (m->event)
		table_add(&x->pending, &m->link,
			  event_hash(c, m->bytes + sizeof(head), length - sizeof(head)));
	else
		c->queued_replies++;
	c->queued++;
	c->queued_bytes += length;
	quota_add(x, c->domain, QUOTA_MEMORY, length);
	if (c->kind == CONN_SOCKET && c->queued_bytes > SOCKET_QUEUE_MAX && !c->closing) {
		xsd_log(x, "a client that does not read its messages is dropped");
		conn_kill(x, c, 0);
	}
}

/* --- Rings --- */

/* Bytes taken of @length; the event is the caller's. */
static uint32_t ring_put(struct xsd *x, struct conn *c, const char *bytes, uint32_t length)
{
	struct xenstore_domain_interface *ring = c->domain->ring;
	struct slot *slot = slot_of(x, c);
	uint32_t prod = slot->out_base + (uint32_t)slot->delivered;
	uint32_t used = prod - __atomic_load_n(&ring->rsp_cons, __ATOMIC_ACQUIRE);
	uint32_t at = MASK_XENSTORE_IDX(prod), first;

	if (used > XENSTORE_RING_SIZE) {
		conn_kill(x, c, XENSTORE_ERROR_RINGIDX);
		return 0;
	}
	if (length > XENSTORE_RING_SIZE - used)
		length = XENSTORE_RING_SIZE - used;
	first = length < XENSTORE_RING_SIZE - at ? length : XENSTORE_RING_SIZE - at;
	memcpy(ring->rsp + at, bytes, first);
	memcpy(ring->rsp, bytes + first, length - first);
	kill_point();
	publish(slot->delivered, slot->delivered + length);
	kill_point();
	publish(ring->rsp_prod, prod + length);
	return length;
}

static void ring_notify(struct xsd *x, struct conn *c)
{
	kill_point();
	if (c->domain->port >= 0)
		port_notify(x->port, c->domain->port);
	c->notified = true;
}

static void ring_flush(struct xsd *x, struct conn *c)
{
	bool put = false;

	if (!c->domain->ring)
		return;
	while (!list_empty(&c->queue) && !c->ignored) {
		struct outmsg *m = list_object(c->queue.next, struct outmsg, queue);
		uint32_t n = ring_put(x, c, m->bytes + m->sent, m->length - m->sent);

		put |= n > 0;
		m->sent += n;
		if (m->sent < m->length)
			break;
		outmsg_free(x, m);
	}
	if (put)
		ring_notify(x, c);
}

/* --- Sockets --- */

/* Sends what send.iov[] says; the bytes taken. */
static uint32_t socket_put(struct xsd *x, struct conn *c, unsigned int pieces)
{
	struct shared *s = x->journal.shared;
	struct slot *slot = slot_of(x, c);
	int err;

	memset(&s->send.mm, 0, sizeof(s->send.mm));
	s->send.mm.msg_hdr.msg_iov = s->send.iov;
	s->send.mm.msg_hdr.msg_iovlen = pieces;
	s->send.mm.msg_len = NOT_DONE;
	s->send.slot = c->slot;
	s->send.epoch = c->epoch;
	s->send.base = slot->delivered;
	publish(s->send.armed, 1);
	kill_point();
	err = port_send(x->port, c->fd, &s->send.mm);
	kill_point();
	if (err < 0) {
		publish(s->send.armed, 0);
		if (err != -EAGAIN && err != -EINTR)
			conn_kill(x, c, 0);
		return 0;
	}
	publish(slot->delivered, s->send.base + s->send.mm.msg_len);
	kill_point();
	publish(s->send.armed, 0);
	return s->send.mm.msg_len;
}

/* Sends the first SEND_PIECES messages; false: the client did not take all of them. */
static bool socket_send_some(struct xsd *x, struct conn *c)
{
	struct iovec *iov = x->journal.shared->send.iov;
	uint32_t taken, asked = 0;
	unsigned int pieces = 0;

	list_for_each(i, &c->queue) {
		struct outmsg *m = list_object(i, struct outmsg, queue);

		iov[pieces].iov_base = m->bytes + m->sent;
		iov[pieces].iov_len = m->length - m->sent;
		asked += iov[pieces].iov_len;
		if (++pieces == SEND_PIECES)
			break;
	}
	taken = socket_put(x, c, pieces);
	asked -= taken;
	while (taken) {
		struct outmsg *m = list_object(c->queue.next, struct outmsg, queue);
		uint32_t n = taken < m->length - m->sent ? taken : m->length - m->sent;

		m->sent += n;
		taken -= n;
		if (m->sent == m->length)
			outmsg_free(x, m);
	}
	return !asked;
}

static void socket_flush(struct xsd *x, struct conn *c)
{
	while (!list_empty(&c->queue))
		if (!socket_send_some(x, c))
			return;
}

void conn_wants(struct xsd *x, struct conn *c)
{
	unsigned int wants = list_empty(&c->queue) ? 0 : WANT_WRITE;

	if (c->kind != CONN_SOCKET || c->closing)
		return;
	if (!c->stalled && !conn_backlogged(x, c))
		wants |= WANT_READ;
	if (wants == c->wants)
		return;
	c->wants = wants;
	port_socket_watch(x->port, c->fd, c->slot, wants, false);
}

void conn_flush(struct xsd *x, struct conn *c)
{
	if (list_empty(&c->queue) || c->closing)
		return;
	if (c->kind == CONN_RING)
		ring_flush(x, c);
	else
		socket_flush(x, c);
	conn_wants(x, c);
}

/* The only message of a record: without a copy, if the client takes it at once. */
static void deliver_one(struct xsd *x, struct conn *c, char *bytes, uint32_t length)
{
	uint32_t n = 0;

	if (!c->queued && !c->closing) {
		if (c->kind == CONN_RING) {
			if (c->domain->ring && !c->ignored)
				n = ring_put(x, c, bytes, length);
			if (n)
				ring_notify(x, c);
		} else {
			x->journal.shared->send.iov[0] = (struct iovec){ bytes, length };
			n = socket_put(x, c, 1);
		}
	}
	if (n < length) {
		conn_queue(x, c, bytes, length, n);
		conn_wants(x, c);
	}
}

/* The next message of the committed record from *@at on, and its client if that is still there. */
static struct item_out *next_out(struct xsd *x, size_t *at, struct conn **c, uint32_t *length)
{
	struct journal *j = &x->journal;

	while (*at < j->tail) {
		struct item *item = (struct item *)(j->log + *at);
		struct item_out *out = (struct item_out *)(item + 1);

		*at += sizeof(*item) + ((item->length + 7) & ~7u);
		if (item->type != ITEM_OUT || out->slot >= x->conn_room)
			continue;
		*c = x->conns[out->slot];
		*length = item->length - sizeof(*out);
		if (*c && (*c)->epoch == out->epoch)
			return out;
	}
	return NULL;
}

bool conn_deliver(struct xsd *x)
{
	size_t start = x->journal.rec + sizeof(struct rec), at = start;
	uint32_t length, more_length;
	struct conn *c, *more;
	struct item_out *out = next_out(x, &at, &c, &length);
	bool all = true;

	if (!out)
		return true;
	if (!next_out(x, &at, &more, &more_length)) {
		deliver_one(x, c, (char *)(out + 1), length);
		return !c->queued;
	}
	for (at = start; (out = next_out(x, &at, &c, &length)); )
		conn_queue(x, c, out + 1, length, 0);
	for (at = start; (out = next_out(x, &at, &c, &length)); ) {
		conn_flush(x, c);
		all &= !c->queued;
	}
	return all;
}
