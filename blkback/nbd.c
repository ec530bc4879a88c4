/* SPDX-License-Identifier: MIT */
/*
 * The NBD protocol's client side: what is sent, what is expected, and the order of calls that a lost
 * connection leaves. The server is trusted with the data, not with our memory: every length and cookie is checked.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "nbd.h"

/* Negotiation: numbers of the protocol's document that linux/nbd.h, which begins behind it, lacks. */
#define GREETING_MAGIC	0x4e42444d41474943ULL	/* "NBDMAGIC" */
#define OPTION_MAGIC	0x49484156454f5054ULL	/* "IHAVEOPT" */
#define REPLY_MAGIC	0x0003e889045565a9ULL
#define FIXED_NEWSTYLE	1
#define NO_ZEROES	2
#define OPTION_GO	7
#define REPLY_ACK	1
#define REPLY_INFO	3
#define INFO_EXPORT	0
#define INFO_EXPORT_BYTES	12
#define OPTION_MAX	4096	/* bytes of an option's reply: texts are skipped */

#define MAX_PIECES	64
#define BUDGET		64	/* replies in one turn */
#define SHUTTING_DOWN	108	/* the protocol's ESHUTDOWN */

enum stage { GREETING, OPTION_REPLY, OPTION_DATA, REPLIES };

struct option_request {
	uint64_t magic;
	uint32_t option, bytes;
	uint32_t name_bytes;
	uint16_t nr_infos;
} __attribute__((packed));

struct hello {
	uint32_t flags;
	struct option_request go;
} __attribute__((packed));

struct option_reply {
	uint64_t magic;
	uint32_t option, type, bytes;
} __attribute__((packed));

/* --- Lists --- */

void nbd_calls_init(struct nbd_calls *l)
{
	l->first = NULL;
	l->end = &l->first;
}

void nbd_calls_add(struct nbd_calls *l, struct nbd_call *call)
{
	call->next = NULL;
	*l->end = call;
	l->end = &call->next;
}

struct nbd_call *nbd_calls_take(struct nbd_calls *l)
{
	struct nbd_call *call = l->first;

	if (call) {
		l->first = call->next;
		if (!l->first)
			l->end = &l->first;
	}
	return call;
}

void nbd_calls_append(struct nbd_calls *to, struct nbd_calls *from)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	nbd_calls_init(from);
}

/* --- Negotiation --- */

static void expect(struct nbd *n, enum stage stage, size_t bytes)
{
	n->stage = stage;
	n->wanted = bytes;
	n->input_bytes = 0;
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static uint16_t get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

/* Two magics and flags; our answer asks for the default export. */
static const char *greeting(struct nbd *n)
{
	struct hello hello = {
		.flags = htobe32(FIXED_NEWSTYLE | NO_ZEROES),
		.go = {
			.magic = htobe64(OPTION_MAGIC), .option = htobe32(OPTION_GO),
			.bytes = htobe32(sizeof(uint32_t) + sizeof(uint16_t)),
		},
	};

	if (get64(n->input) != GREETING_MAGIC || get64(n->input + 8) != OPTION_MAGIC ||
	    (get16(n->input + 16) & (FIXED_NEWSTYLE | NO_ZEROES)) != (FIXED_NEWSTYLE | NO_ZEROES))
		return "it speaks another protocol";
	if (send(n->fd.fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return "the first bytes could not be sent";
	expect(n, OPTION_REPLY, sizeof(struct option_reply));
	return NULL;
}

static const char *option_reply(struct nbd *n)
{
	struct option_reply r;

	memcpy(&r, n->input, sizeof(r));
	n->option_left = be32toh(r.bytes);
	n->option_type = be32toh(r.type);
	if (be64toh(r.magic) != REPLY_MAGIC || be32toh(r.option) != OPTION_GO ||
	    n->option_left > OPTION_MAX)
		return "a bad reply to the option";
	if (n->option_type != REPLY_ACK && n->option_type != REPLY_INFO)
		return "it refuses the export";
	if (n->option_type == REPLY_ACK) {
		if (!n->bytes || n->option_left)
			return "an export without a size";
		expect(n, REPLIES, sizeof(struct nbd_reply));
		n->events->ready(n->arg);
		return NULL;
	}
	if (n->option_left < 2)
		return "an option's reply too short";
	expect(n, OPTION_DATA, n->option_left < sizeof(n->input) ? n->option_left :
			       sizeof(n->input));
	return NULL;
}

/* The beginning of a REPLY_INFO, or a later part of it. */
static const char *option_data(struct nbd *n)
{
	if (n->wanted == n->option_left && n->option_left == INFO_EXPORT_BYTES &&
	    get16(n->input) == INFO_EXPORT) {
		n->bytes = get64(n->input + 2);
		n->flags = get16(n->input + 10);
	}
	n->option_left -= n->wanted;
	if (n->option_left)
		expect(n, OPTION_DATA, n->option_left < sizeof(n->input) ? n->option_left :
				       sizeof(n->input));
	else
		expect(n, OPTION_REPLY, sizeof(struct option_reply));
	return NULL;
}

/* --- Moving bytes --- */

/* What of a call's data lies beyond the first @skip bytes, as the kernel takes it. */
static unsigned int pieces_beyond(const struct nbd_call *call, size_t skip, struct iovec *out)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < call->nr_pieces && count < MAX_PIECES; i++) {
		const struct medium_piece *p = &call->pieces[i];

		if (skip >= p->bytes) {
			skip -= p->bytes;
			continue;
		}
		out[count].iov_base = (char *)p->base + skip;
		out[count++].iov_len = p->bytes - skip;
		skip = 0;
	}
	return count;
}

/* 1: all of the call is with the kernel; 0: it takes no more now; -1: the connection is lost. */
static int push(struct nbd *n, struct nbd_call *call)
{
	size_t data = call->type == NBD_CMD_WRITE ? call->bytes : 0;

	while (call->moved < sizeof(call->header) + data) {
		struct iovec iov[1 + MAX_PIECES];
		struct msghdr message = { .msg_iov = iov };
		size_t skip = 0;
		ssize_t sent;

		if (call->moved < sizeof(call->header)) {
			iov[0].iov_base = (char *)&call->header + call->moved;
			iov[0].iov_len = sizeof(call->header) - call->moved;
			message.msg_iovlen = 1;
		} else {
			skip = call->moved - sizeof(call->header);
		}
		if (data)
			message.msg_iovlen += pieces_beyond(call, skip, iov + message.msg_iovlen);
		sent = sendmsg(n->fd.fd, &message, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		call->moved += sent;
	}
	return 1;
}

static void enter(struct nbd *n, struct nbd_call *call)
{
	unsigned int i = 0;

	while (n->sent[i])
		i++;
	n->sent[i] = call;
	n->order[i] = n->next_order++;
	n->nr_sent++;
	call->header = (struct nbd_request){
		.magic = htobe32(NBD_REQUEST_MAGIC), .type = htobe32(call->type),
		.from = htobe64(call->offset), .len = htobe32(call->bytes),
	};
	memcpy(&call->header.handle, &i, sizeof(i));
	memcpy((char *)&call->header.handle + sizeof(i), &n->order[i], sizeof(n->order[i]));
	call->moved = 0;
	call->known = true;
}

void nbd_send(struct nbd *n, struct nbd_call *call)
{
	call->moved = 0;
	call->known = false;
	nbd_calls_add(&n->queue, call);
}

/* The call at the head of the queue has its place in sent[] as soon as its first byte may be sent. */
void nbd_kick(struct nbd *n)
{
	struct nbd_call *call;
	int rc = 1;

	if (n->fd.fd < 0 || n->stage != REPLIES || n->broken)
		return;
	while (rc > 0 && (call = n->queue.first)) {
		bool entered = call->header.magic != 0;

		if (!entered && n->nr_sent == NBD_DEPTH)
			break;
		if (!entered)
			enter(n, call);
		rc = push(n, call);
		if (rc > 0) {
			nbd_calls_take(&n->queue);
			call->header.magic = 0;
			call->moved = 0;
		}
	}
	if (rc < 0)
		n->broken = "it does not listen any more";
	/* A broken socket is always ready for writing: the loop will tell. */
	pv_fd_wait_for(n->domain, &n->fd, EPOLLIN | (rc <= 0 ? EPOLLOUT : 0));
}

static void leave(struct nbd *n, struct nbd_call *call, int result)
{
	for (unsigned int i = 0; i < NBD_DEPTH; i++)
		if (n->sent[i] == call)
			n->sent[i] = NULL;
	n->nr_sent--;
	n->events->answered(n->arg, call, result);
}

static const char *reply(struct nbd *n)
{
	struct nbd_reply r;
	uint32_t i, order, error;
	struct nbd_call *call;

	memcpy(&r, n->input, sizeof(r));
	memcpy(&i, &r.handle, sizeof(i));
	memcpy(&order, (char *)&r.handle + sizeof(i), sizeof(order));
	if (be32toh(r.magic) != NBD_REPLY_MAGIC || i >= NBD_DEPTH || !n->sent[i] ||
	    n->order[i] != order || n->sent[i] == n->queue.first)
		return "a bad reply";
	error = be32toh(r.error);
	if (error == SHUTTING_DOWN)
		return "it is being ended";
	call = n->sent[i];
	expect(n, REPLIES, sizeof(r));
	if (error)
		leave(n, call, error < 4096 ? -(int)error : -EIO);
	else if (call->type == NBD_CMD_READ)
		n->receiving = call;
	else
		leave(n, call, 0);
	return NULL;
}

/* 1: something was complete; 0: nothing more now; -1: lost. */
static int receive_data(struct nbd *n)
{
	struct nbd_call *call = n->receiving;
	struct iovec iov[MAX_PIECES];
	ssize_t got = readv(n->fd.fd, iov, pieces_beyond(call, call->moved, iov));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (!got)
		return -1;
	call->moved += got;
	if (call->moved == call->bytes) {
		n->receiving = NULL;
		leave(n, call, 0);
	}
	return 1;
}

static int receive(struct nbd *n)
{
	const char *why = NULL;
	ssize_t got;

	if (n->receiving)
		return receive_data(n);
	got = read(n->fd.fd, n->input + n->input_bytes, n->wanted - n->input_bytes);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (!got)
		return -1;
	n->input_bytes += got;
	if (n->input_bytes < n->wanted)
		return 1;
	switch ((enum stage)n->stage) {
	case GREETING:
		why = greeting(n);
		break;
	case OPTION_REPLY:
		why = option_reply(n);
		break;
	case OPTION_DATA:
		why = option_data(n);
		break;
	case REPLIES:
		why = reply(n);
		break;
	}
	n->broken = why;
	return why ? -1 : 1;
}

static void turn(void *arg, uint32_t events)
{
	struct nbd *n = arg;
	int rc = n->broken ? -1 : 1;

	(void)events;
	for (int i = 0; rc > 0 && i < BUDGET; i++)
		rc = receive(n);
	if (rc < 0) {
		if (!n->broken)
			n->broken = "the connection has ended";
		pv_fd_wait_for(n->domain, &n->fd, 0);
		n->events->batch_done(n->arg);
		if (n->fd.fd >= 0)
			n->events->lost(n->arg, n->broken);
		return;
	}
	nbd_kick(n);
	n->events->batch_done(n->arg);
}

/* --- Life --- */

int nbd_open(struct nbd *n, struct pv_domain *domain, int fd, const struct nbd_events *events, void *arg)
{
	int rc;

	memset(n, 0, sizeof(*n));
	n->domain = domain;
	n->events = events;
	n->arg = arg;
	nbd_calls_init(&n->queue);
	expect(n, GREETING, 18);
	n->fd = (struct pv_fd){ .fd = fd, .events = EPOLLIN, .fn = turn, .arg = n };
	rc = pv_fd_add(domain, &n->fd);
	if (rc)
		n->fd.fd = -1;
	return rc;
}

bool nbd_is_idle(const struct nbd *n)
{
	return !n->nr_sent && !n->queue.first;
}

static void farewell(struct nbd *n)
{
	struct nbd_request end = {
		.magic = htobe32(NBD_REQUEST_MAGIC), .type = htobe32(NBD_CMD_DISC),
	};

	if (n->stage == REPLIES && !n->broken && nbd_is_idle(n) &&
	    send(n->fd.fd, &end, sizeof(end), MSG_NOSIGNAL) < 0)
		n->broken = "no farewell";
}

/* Those sent, oldest first; then those in the queue, of which the first may be among the sent ones. */
static void give_back(struct nbd *n, struct nbd_calls *calls)
{
	struct nbd_call *half = n->queue.first, *call;

	while (n->nr_sent) {
		unsigned int oldest = NBD_DEPTH;

		for (unsigned int i = 0; i < NBD_DEPTH; i++)
			if (n->sent[i] && (oldest == NBD_DEPTH ||
					   (int32_t)(n->order[i] - n->order[oldest]) < 0))
				oldest = i;
		if (n->sent[oldest] != half)
			nbd_calls_add(calls, n->sent[oldest]);
		n->sent[oldest] = NULL;
		n->nr_sent--;
	}
	while ((call = nbd_calls_take(&n->queue))) {
		call->header.magic = 0;
		nbd_calls_add(calls, call);
	}
	n->receiving = NULL;
}

void nbd_close(struct nbd *n, struct nbd_calls *calls)
{
	if (n->fd.fd < 0)
		return;
	farewell(n);
	pv_fd_remove(n->domain, &n->fd);
	close(n->fd.fd);
	n->fd.fd = -1;
	give_back(n, calls);
}
