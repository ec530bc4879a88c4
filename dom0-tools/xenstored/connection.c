/* SPDX-License-Identifier: MIT */
/*
 * Connections: their slots in the shared state, their input, and how they come and go.
 *
 * Input is taken into a buffer in shared memory (the bytes, then the count, then a ring's req_cons)
 * and served message by message. A slot's in_done moves when the record of a request is committed;
 * the buffer is given back when all in it is served.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

#define TURN 16				/* messages before others get theirs */
#define SOCKET_BACKLOG (256u << 10)	/* bytes not taken, from which on a client has to wait */

/* --- Coming and going --- */

static uint32_t free_slot(struct xsd *x)
{
	uint32_t slot = x->conn_free;

	while (slot < x->conn_room && x->conns[slot])
		slot++;
	x->conn_free = slot + 1;
	return slot;
}

struct conn *conn_make(struct xsd *x, enum conn_kind kind, uint32_t slot, uint32_t epoch)
{
	struct conn *c;

	if (slot >= SLOT_COUNT || !journal_slot_reserve(&x->journal, slot))
		return NULL;
	if (slot >= x->conn_room) {
		unsigned int room = slot + 64;

		x->conns = realloc(x->conns, room * sizeof(*x->conns));
		if (!x->conns)
			abort();
		memset(x->conns + x->conn_room, 0, (room - x->conn_room) * sizeof(*x->conns));
		x->conn_room = room;
	}
	c = xalloc(sizeof(*c));
	c->kind = kind;
	c->slot = slot;
	c->epoch = epoch;
	c->fd = -1;
	c->next_tx = 1;
	list_init(&c->watches);
	list_init(&c->transactions);
	list_init(&c->queue);
	list_init(&c->turn);
	x->conns[slot] = c;
	x->conn_count++;
	return c;
}

void conn_journal(struct xsd *x, const struct conn *c)
{
	struct item_conn *item = rec_item(&x->journal, ITEM_OPEN, sizeof(*item));

	*item = (struct item_conn){
		.slot = c->slot, .epoch = c->epoch, .kind = c->kind, .domid = c->domain->domid,
		.ignored = c->ignored, .fd = c->fd, .next_tx = c->next_tx, .cookie = c->cookie,
	};
}

bool conn_has_room(struct xsd *x)
{
	uint32_t slot = free_slot(x);

	x->conn_free = slot;
	return slot < SLOT_COUNT && journal_slot_reserve(&x->journal, slot);
}

struct conn *conn_open_socket(struct xsd *x, int fd, uint64_t cookie)
{
	struct conn *c;

	if (room_left(x) == ROOM_NONE)
		return NULL;
	c = conn_make(x, CONN_SOCKET, free_slot(x), x->next_epoch + 1);
	if (!c)
		return NULL;
	x->next_epoch++;
	c->fd = fd;
	c->cookie = cookie;
	c->domain = x->dom0;
	rec_begin(&x->journal, 0, 0, 0);
	conn_journal(x, c);
	x->fresh = c;
	record_commit(x);
	c->wants = WANT_READ;
	port_socket_watch(x->port, fd, c->slot, WANT_READ, true);
	return c;
}

struct conn *conn_open_ring(struct xsd *x, struct domain *d)
{
	struct conn *c = conn_make(x, CONN_RING, free_slot(x), ++x->next_epoch);

	if (!c)
		/* conn_has_room() said so; sockets leave slots for rings: see the port's limit */
		abort();
	c->domain = d;
	d->conn = c;
	conn_journal(x, c);
	x->fresh = c;
	return c;
}

void conn_clear(struct xsd *x, struct conn *c)
{
	watches_drop(x, c);
	txs_drop(x, c);
	conn_drop_queue(x, c);
}

void conn_free(struct xsd *x, struct conn *c)
{
	conn_clear(x, c);
	list_del(&c->turn);
	if (x->conn_free > c->slot)
		x->conn_free = c->slot;
	if (x->fresh == c)
		x->fresh = NULL;
	x->conns[c->slot] = NULL;
	x->conn_count--;
	free(c);
}

static void journal_slot(struct xsd *x, enum item_type type, const struct conn *c)
{
	uint32_t *item = rec_item(&x->journal, type, 2 * sizeof(*item));

	item[0] = c->slot;
	item[1] = c->epoch;
}

void conn_close(struct xsd *x, struct conn *c)
{
	journal_slot(x, ITEM_CLOSE, c);
	conn_free(x, c);
}

void conn_reset(struct xsd *x, struct conn *c)
{
	conn_clear(x, c);
	if (c->closing)
		list_del(&c->turn);
	c->closing = false;
	c->epoch = ++x->next_epoch;
	c->ignored = false;
	c->out_made = 0;
	c->next_tx = 1;
	journal_slot(x, ITEM_RESET, c);
	x->fresh = c;
}

void slot_start(struct xsd *x, struct conn *c)
{
	struct slot *slot = slot_of(x, c);
	struct xenstore_domain_interface *ring = c->kind == CONN_RING ? c->domain->ring : NULL;

	if (slot->buf)
		journal_buf_put(&x->journal, slot);
	slot->in_done = 0;
	slot->delivered = 0;
	slot->in_base = 0;
	slot->out_base = 0;
	if (ring && c->domain->domid) {
		publish(ring->req_cons, 0);
		publish(ring->req_prod, 0);
		publish(ring->rsp_cons, 0);
		publish(ring->rsp_prod, 0);
		publish(ring->error, XENSTORE_ERROR_NONE);
	} else if (ring) {
		slot->in_base = ring->req_cons;
		slot->out_base = ring->rsp_prod;
	}
	kill_point();
	publish(slot->epoch, c->epoch);
	kill_point();
	if (ring && ring->connection == XENSTORE_RECONNECT) {
		publish(ring->connection, XENSTORE_CONNECTED);
		if (c->domain->port >= 0)
			port_notify(x->port, c->domain->port);
	}
}

void conn_ready(struct xsd *x, struct conn *c)
{
	list_del(&c->turn);
	list_add_tail(&x->ready, &c->turn);
}

void conn_kill(struct xsd *x, struct conn *c, unsigned int error)
{
	if (c->closing || c->ignored)
		return;
	c->error = error;
	c->closing = true;
	list_del(&c->turn);
	list_add_tail(&x->dead, &c->turn);
}

/* Ends a connection that was killed: a record of its own. */
static void bury(struct xsd *x, struct conn *c)
{
	struct shared *s = x->journal.shared;
	int fd = c->fd;

	list_del(&c->turn);
	rec_begin(&x->journal, 0, 0, 0);
	if (c->kind == CONN_RING) {
		domain_log(x, c->domain, "its ring is not served any more: %s",
			   c->error == XENSTORE_ERROR_PROTO ? "a message is too long" :
			   "an index is wrong");
		conn_clear(x, c);
		c->closing = false;
		c->ignored = true;
		journal_slot(x, ITEM_IGNORE, c);
		if (c->domain->ring)
			c->domain->ring->error = c->error;
		record_commit(x);
		return;
	}
	publish(s->closing_fd, fd + 1);
	conn_close(x, c);
	record_commit(x);
	port_socket_close(x->port, fd);
	publish(s->closing_fd, 0);
}

void conns_bury(struct xsd *x)
{
	while (!list_empty(&x->dead))
		bury(x, list_object(x->dead.next, struct conn, turn));
}

bool record_commit(struct xsd *x)
{
	if (!rec_commit(&x->journal))
		return true;
	if (x->serving) {
		struct rec *rec = (struct rec *)(x->journal.log + x->journal.rec);

		publish(slot_of(x, x->serving)->in_done, rec->in_done);
	}
	if (x->fresh) {
		slot_start(x, x->fresh);
		x->fresh = NULL;
	}
	return conn_deliver(x);
}

/* --- Input --- */

static uint32_t take_ring(struct xsd *x, struct conn *c, struct slot *slot, struct inbuf *b,
			  uint32_t want)
{
	struct xenstore_domain_interface *ring = c->domain->ring;
	uint32_t cons = slot->in_base + (uint32_t)(b->base + b->used);
	uint32_t have = __atomic_load_n(&ring->req_prod, __ATOMIC_ACQUIRE) - cons;
	uint32_t at = MASK_XENSTORE_IDX(cons), first;

	if (have > XENSTORE_RING_SIZE) {
		conn_kill(x, c, XENSTORE_ERROR_RINGIDX);
		return 0;
	}
	if (want > have)
		want = have;
	if (!want)
		return 0;
	first = want < XENSTORE_RING_SIZE - at ? want : XENSTORE_RING_SIZE - at;
	memcpy(b->data + b->used, ring->req + at, first);
	memcpy(b->data + b->used + first, ring->req, want - first);
	kill_point();
	publish(b->used, b->used + want);
	kill_point();
	publish(ring->req_cons, cons + want);
	return want;
}

static uint32_t take_socket(struct xsd *x, struct conn *c, struct inbuf *b, uint32_t want)
{
	int err;

	memset(&b->mm, 0, sizeof(b->mm));
	b->iov = (struct iovec){ b->data + b->used, want };
	b->mm.msg_hdr.msg_iov = &b->iov;
	b->mm.msg_hdr.msg_iovlen = 1;
	b->mm.msg_len = NOT_DONE;
	b->armed_used = b->used;
	publish(b->armed, 1);
	kill_point();
	err = port_recv(x->port, c->fd, &b->mm);
	kill_point();
	if (err < 0) {
		publish(b->armed, 0);
		if (err != -EAGAIN && err != -EINTR)
			conn_kill(x, c, 0);
		return 0;
	}
	publish(b->used, b->armed_used + b->mm.msg_len);
	kill_point();
	publish(b->armed, 0);
	if (!b->mm.msg_len)
		conn_kill(x, c, 0);
	return b->mm.msg_len;
}

/* It has to wait; its turn comes when conns_unstall() is called. */
static void stall(struct xsd *x, struct conn *c)
{
	list_del(&c->turn);
	list_add_tail(&x->stalled, &c->turn);
	c->stalled = true;
}

void conns_unstall(struct xsd *x)
{
	list_for_each_safe(i, &x->stalled) {
		list_del(i);
		list_add_tail(&x->ready, i);
	}
}

/* Takes bytes from the client; 0: there are none, or no room for them. */
static uint32_t take(struct xsd *x, struct conn *c, struct slot *slot, uint32_t need)
{
	struct inbuf *b = slot->buf ? journal_buf(&x->journal, slot->buf) :
		journal_buf_get(&x->journal, slot);
	uint32_t served, want, n = 0;

	if (!b) {
		stall(x, c);
		room_wait(x);
		return 0;
	}
	served = slot->in_done - b->base;
	/* With nothing served in the buffer more than one message may come; else just this. */
	want = served ? served + need - b->used : MESSAGE_MAX - b->used;
	if (c->kind == CONN_SOCKET)
		n = take_socket(x, c, b, want);
	else if (c->domain->ring)
		n = take_ring(x, c, slot, b, want);
	if (b->base + b->used == slot->in_done)
		journal_buf_put(&x->journal, slot);
	return n;
}

#define TOO_LONG UINT32_MAX

/* A whole message in the buffer: its place, else how many bytes are needed, or TOO_LONG. */
static const char *whole_message(struct xsd *x, struct slot *slot, struct xsd_sockmsg *msg,
				 uint32_t *need)
{
	struct inbuf *b;
	uint32_t at, have;

	*need = sizeof(*msg);
	if (!slot->buf)
		return NULL;
	b = journal_buf(&x->journal, slot->buf);
	at = slot->in_done - b->base;
	have = b->used - at;
	if (have < sizeof(*msg))
		return NULL;
	memcpy(msg, b->data + at, sizeof(*msg));
	/* The sum of header and length could wrap. */
	*need = msg->len <= XENSTORE_PAYLOAD_MAX ? sizeof(*msg) + msg->len : TOO_LONG;
	return have >= *need ? b->data + at : NULL;
}

/* One message; false: none is there, or it has to wait. */
static bool work_once(struct xsd *x, struct conn *c)
{
	struct slot *slot = slot_of(x, c);
	struct xsd_sockmsg msg;
	const char *bytes;
	uint32_t need;

	while (!(bytes = whole_message(x, slot, &msg, &need))) {
		if (need == TOO_LONG) {
			conn_kill(x, c, XENSTORE_ERROR_PROTO);
			return false;
		}
		/* A socket that has more calls again: no system call to see that there is none. */
		if ((c->took && c->kind == CONN_SOCKET) || !take(x, c, slot, need))
			return false;
		c->took = true;
	}
	if (!request_serve(x, c, &msg, bytes + sizeof(msg), slot->in_done + need)) {
		stall(x, c);
		return false;
	}
	if (slot->buf) {
		struct inbuf *b = journal_buf(&x->journal, slot->buf);

		if (b->base + b->used == slot->in_done)
			journal_buf_put(&x->journal, slot);
	}
	return true;
}

bool conn_backlogged(struct xsd *x, const struct conn *c)
{
	/* What is not taken at once stays in the journal. */
	if (x->room != ROOM_AMPLE && c->queued)
		return true;
	if (privileged(c))
		return c->queued_bytes > SOCKET_BACKLOG;
	return c->queued_replies >= x->quota[QUOTA_OUTSTANDING] ||
	       c->queued_bytes >= x->quota[QUOTA_MEMORY];
}

/* The guest asks for a new start of its ring. */
static void reconnect(struct xsd *x, struct conn *c)
{
	rec_begin(&x->journal, 0, 0, 0);
	conn_reset(x, c);
	record_commit(x);
}

void conn_work(struct xsd *x, struct conn *c)
{
	unsigned int turn = TURN;

	list_del(&c->turn);
	if (c->closing) {
		list_add_tail(&x->dead, &c->turn);
		return;
	}
	if (c->kind == CONN_RING && c->domain->ring &&
	    c->domain->ring->connection == XENSTORE_RECONNECT)
		reconnect(x, c);
	if (c->ignored)
		return;
	c->took = c->notified = c->stalled = false;
	conn_flush(x, c);
	while (!c->closing && !conn_backlogged(x, c) && turn && work_once(x, c))
		turn--;
	/* A guest may wait for room in its ring only. */
	if (c->kind == CONN_RING && c->took && !c->notified && c->domain->port >= 0)
		port_notify(x->port, c->domain->port);
	if (!turn && list_empty(&c->turn))
		conn_ready(x, c);
	conn_wants(x, c);
}

/* --- After a restart --- */

void conn_recover_sent(struct xsd *x)
{
	struct shared *s = x->journal.shared;
	struct slot *slot = &x->journal.slots[s->send.slot];

	if (s->send.armed && s->send.slot < SLOT_COUNT && s->send.mm.msg_len != NOT_DONE &&
	    slot->epoch == s->send.epoch)
		publish(slot->delivered, s->send.base + s->send.mm.msg_len);
	publish(s->send.armed, 0);
}

static void recover_buffer(struct journal *j, struct slot *slot)
{
	struct inbuf *b = journal_buf(j, slot->buf);

	if (b->armed && b->mm.msg_len != NOT_DONE)
		publish(b->used, b->armed_used + b->mm.msg_len);
	publish(b->armed, 0);
	if (b->base + b->used <= slot->in_done)
		publish(slot->buf, 0);
}

void conn_recover_input(struct xsd *x)
{
	struct journal *j = &x->journal;

	for (uint32_t i = 1; i < x->conn_room; i++) {
		struct conn *c = x->conns[i];
		struct slot *slot = &j->slots[i];

		if (!c)
			continue;
		if (slot->epoch != c->epoch) {
			publish(slot->buf, 0);
			if (c->kind == CONN_SOCKET)
				slot_start(x, c);
			continue;
		}
		if (slot->buf)
			recover_buffer(j, slot);
		if (slot->buf)
			journal_buf_keep(j, slot);
		if (c->out_made < slot->delivered)
			c->out_made = slot->delivered;
	}
	journal_buf_kept(j);
}

void conn_republish(struct xsd *x, struct conn *c)
{
	struct xenstore_domain_interface *ring = c->domain->ring;
	struct slot *slot = slot_of(x, c);
	uint64_t in = slot->in_done;

	if (slot->epoch != c->epoch) {
		slot_start(x, c);
		return;
	}
	if (slot->buf)
		in = journal_buf(&x->journal, slot->buf)->base +
		     journal_buf(&x->journal, slot->buf)->used;
	publish(ring->req_cons, slot->in_base + (uint32_t)in);
	publish(ring->rsp_prod, slot->out_base + (uint32_t)slot->delivered);
}
