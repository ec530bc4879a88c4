/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client's connection under Linux: a unix socket of xenstored, or the kernel's ring
 * behind /dev/xen/xenbus, which takes and gives the same messages.
 *
 * Requests are written as far as fits and answers read meanwhile, so neither side can block the
 * other. Each carries an id of its own: answers that come after their deadline are recognised and
 * dropped. Whatever is read is cut into messages at once; watch events wait in a queue for
 * store_event().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <tools/util.h>
#include "private.h"

#define DEADLINE_MS	30000
/* More than this stays with us until the server has taken some. */
#define OUT_WINDOW	(32U << 10)
/* The protocol's limit is 4 KiB; a server that exceeds this one has lost its mind. */
#define ANSWER_MAX	(1U << 20)
#define READ_SIZE	8192

struct buffer {
	char *bytes;
	size_t start, end, room;
};

struct event {
	struct event *next;
	size_t length;
	char text[];		/* path, NUL, token, NUL */
};

struct store {
	int fd;
	bool device;		/* the kernel's: one message per write, no socket calls */
	int broken;		/* the connection's end, as -errno */
	unsigned int deadline_ms;
	uint32_t next_id;
	struct buffer in, out;
	size_t out_begun; /* of the message at out.start: bytes left, when its head has gone */
	struct event *first, *last;
	int poll_fd;		/* store_fd(): an epoll of fd and event_fd; -1 until asked for */
	int event_fd;		/* readable while the queue holds something */
};

/* The requests under way. */
struct exchange {
	struct store_request *requests;
	unsigned int count, sent, answered;
	uint32_t first_id;
	uint64_t began;		/* 0: the clock was not looked at yet */
};

/* ---- opening ---- */

static int connect_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = DEADLINE_MS / 1000 };
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full backlog makes connect() wait: not for ever. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
	return rc;
}

/* A socket, or a device that speaks the same. */
static int open_path(const char *path, bool *device)
{
	struct stat info;
	int fd;

	if (stat(path, &info))
		return -errno;
	*device = !S_ISSOCK(info.st_mode);
	if (!*device)
		return connect_socket(path);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int store_open(struct store **out)
{
	const char *given = getenv("XENSTORED_PATH");
	struct store *store;
	bool device;
	int fd, rc;

	fd = open_path(given ? given : "/run/xenstored/socket", &device);
	if (fd < 0 && !given) {
		int second = open_path("/dev/xen/xenbus", &device);

		/* The socket's error tells more than a missing device. */
		fd = second >= 0 ? second : fd;
	}
	if (fd < 0)
		return fd;
	store = calloc(1, sizeof(*store));
	if (!store) {
		rc = -ENOMEM;
		goto close_fd;
	}
	store->fd = fd;
	store->device = device;
	store->poll_fd = store->event_fd = -1;
	store->next_id = 1;
	store_set_deadline(store, DEADLINE_MS);
	*out = store;
	return 0;

close_fd:
	close(fd);
	return rc;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	while (store->first) {
		struct event *event = store->first;

		store->first = event->next;
		free(event);
	}
	if (store->poll_fd >= 0)
		close(store->poll_fd);
	if (store->event_fd >= 0)
		close(store->event_fd);
	close(store->fd);
	free(store->in.bytes);
	free(store->out.bytes);
	free(store);
}

void store_set_deadline(struct store *store, unsigned int ms)
{
	struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	store->deadline_ms = ms;
	/* Lets the usual wait be one system call; see receive(). */
	if (!store->device)
		setsockopt(store->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* ---- buffers ---- */

/* Room for @more bytes at the end. */
static bool buffer_reserve(struct buffer *b, size_t more)
{
	size_t used = b->end - b->start, room = b->room ? b->room : READ_SIZE;
	char *bytes;

	if (b->room - b->end >= more)
		return true;
	if (b->start && b->room - used >= more) {
		memmove(b->bytes, b->bytes + b->start, used);
	} else {
		while (room - used < more)
			room *= 2;
		bytes = malloc(room);
		if (!bytes)
			return false;
		if (used)
			memcpy(bytes, b->bytes + b->start, used);
		free(b->bytes);
		b->bytes = bytes;
		b->room = room;
	}
	b->start = 0;
	b->end = used;
	return true;
}

static void buffer_take(struct buffer *b, size_t bytes)
{
	b->start += bytes;
	if (b->start == b->end)
		b->start = b->end = 0;
}

static void buffer_put(struct buffer *b, const void *bytes, size_t length)
{
	if (length)
		memcpy(b->bytes + b->end, bytes, length);
	b->end += length;
}

/* ---- sending ---- */

static bool append_request(struct store *store, store_tx tx, uint32_t id,
			   const struct store_request *request)
{
	size_t name = request->path ? strlen(request->path) + 1 : 0;
	struct xsd_sockmsg head = { request->type, id, tx, (uint32_t)(name + request->length) };

	if (!buffer_reserve(&store->out, sizeof(head) + head.len))
		return false;
	buffer_put(&store->out, &head, sizeof(head));
	buffer_put(&store->out, request->path, name);
	buffer_put(&store->out, request->value, request->length);
	return true;
}

/* Bytes of the message at the buffer's start that still have to go. */
static size_t first_message(const struct store *store)
{
	struct xsd_sockmsg head;

	if (store->out_begun)
		return store->out_begun;
	memcpy(&head, store->out.bytes + store->out.start, sizeof(head));
	return sizeof(head) + head.len;
}

/* Notes that @bytes have gone, so that out_begun stays right. */
static void account_sent(struct store *store, size_t bytes)
{
	while (bytes) {
		size_t message = first_message(store);
		size_t part = bytes < message ? bytes : message;

		store->out_begun = message - part;
		buffer_take(&store->out, part);
		bytes -= part;
	}
}

/* Sends what the other side takes without waiting. */
static int flush(struct store *store)
{
	while (store->out.start != store->out.end) {
		const char *bytes = store->out.bytes + store->out.start;
		size_t length = store->out.end - store->out.start;
		ssize_t done;

		if (store->device)
			done = write(store->fd, bytes, first_message(store));
		else
			done = send(store->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			return 0;
		if (done <= 0)
			return done ? -errno : -EIO;
		account_sent(store, done);
	}
	return 0;
}

/* Drops what has not begun to be sent: its caller was told of a failure. */
static void forget_unsent(struct store *store)
{
	if (store->out.start != store->out.end)
		store->out.end = store->out.start + store->out_begun;
	if (!store->out_begun)
		store->out.start = store->out.end = 0;
}

/* ---- receiving ---- */

static void signal_event(struct store *store, bool there)
{
	uint64_t one = 1;
	ssize_t done;

	if (store->event_fd < 0)
		return;
	done = there ? write(store->event_fd, &one, sizeof(one)) :
		       read(store->event_fd, &one, sizeof(one));
	(void)done;	/* non-blocking; a full or empty counter says the same */
}

static int queue_event(struct store *store, const char *text, size_t length)
{
	const char *middle = memchr(text, '\0', length);
	struct event *event;

	if (!middle || !memchr(middle + 1, '\0', text + length - (middle + 1)))
		return -EPROTO;
	/* A node written over and over is one piece of news. */
	if (store->last && store->last->length == length &&
	    !memcmp(store->last->text, text, length))
		return 0;
	event = malloc(sizeof(*event) + length);
	if (!event)
		return -ENOMEM;
	event->next = NULL;
	event->length = length;
	memcpy(event->text, text, length);
	if (store->last)
		store->last->next = event;
	else
		store->first = event;
	if (!store->last)
		signal_event(store, true);
	store->last = event;
	return 0;
}

/* An answer; one that nobody waits for any more is dropped. */
static int take_answer(struct exchange *exchange, const struct xsd_sockmsg *head, const char *text)
{
	struct store_request *request;
	uint32_t index;

	if (!exchange)
		return 0;
	index = head->req_id - exchange->first_id;
	if (index >= exchange->sent || exchange->requests[index].result != -EINPROGRESS)
		return 0;
	request = &exchange->requests[index];
	if (head->type == XS_ERROR) {
		request->result = store_error_number(text, head->len);
	} else if (head->type != request->type) {
		return -EPROTO;
	} else if (store_answers_data(head->type)) {
		request->reply = malloc(head->len + 1UL);
		if (!request->reply) {
			request->result = -ENOMEM;
		} else {
			memcpy(request->reply, text, head->len);
			request->reply[head->len] = '\0';
			request->reply_length = head->len;
			request->result = 0;
		}
	} else {
		request->result = 0;
	}
	exchange->answered++;
	return 0;
}

/* Cuts what was read into messages. */
static int parse(struct store *store, struct exchange *exchange)
{
	struct buffer *in = &store->in;

	while (in->end - in->start >= sizeof(struct xsd_sockmsg)) {
		struct xsd_sockmsg head;
		const char *text;
		int rc;

		memcpy(&head, in->bytes + in->start, sizeof(head));
		if (head.len > ANSWER_MAX)
			return -EPROTO;
		if (in->end - in->start - sizeof(head) < head.len)
			break;
		text = in->bytes + in->start + sizeof(head);
		if (head.type == XS_WATCH_EVENT)
			rc = queue_event(store, text, head.len);
		else
			rc = take_answer(exchange, &head, text);
		if (rc == -ENOMEM)
			return rc;	/* the event stays for another time */
		buffer_take(in, sizeof(head) + head.len);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * Reads once. @wait (sockets only): until something comes or SO_RCVTIMEO has passed.
 * 1: something was read; 0: nothing is there; -errno.
 */
static int receive(struct store *store, bool wait)
{
	ssize_t done;

	if (!buffer_reserve(&store->in, READ_SIZE))
		return -ENOMEM;
	if (store->device)
		done = read(store->fd, store->in.bytes + store->in.end, READ_SIZE);
	else
		done = recv(store->fd, store->in.bytes + store->in.end, READ_SIZE,
			    wait ? 0 : MSG_DONTWAIT);
	if (done < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!done)
		return store->device ? 0 : -EPIPE;
	store->in.end += done;
	return 1;
}

/* Waits until the connection is readable, or writable while something is to be sent. */
static int wait_ready(struct store *store, int ms)
{
	struct pollfd fd = { .fd = store->fd, .events = POLLIN };

	if (store->out.start != store->out.end)
		fd.events |= POLLOUT;
	return poll(&fd, 1, ms) < 0 && errno != EINTR ? -errno : 0;
}

/* Milliseconds left, -1 for ever; 0 once the time is over. */
static int time_left(uint64_t began, unsigned int limit)
{
	uint64_t passed = tools_now_ms() - began;

	return passed >= limit ? 0 : (int)(limit - passed);
}

/* ---- exchanging ---- */

/* Puts requests into the buffer while it is below its window. */
static int feed(struct store *store, store_tx tx, struct exchange *exchange)
{
	while (exchange->sent < exchange->count &&
	       store->out.end - store->out.start < OUT_WINDOW) {
		if (!append_request(store, tx, exchange->first_id + exchange->sent,
				    &exchange->requests[exchange->sent]))
			return -ENOMEM;
		exchange->sent++;
	}
	return flush(store);
}

/* One turn of sending and receiving. -ETIMEDOUT. */
static int turn(struct store *store, store_tx tx, struct exchange *exchange)
{
	bool idle = !exchange->began, quiet;
	int left = -1, rc;

	rc = feed(store, tx, exchange);
	if (rc)
		return rc;
	if (idle)
		exchange->began = tools_now_ms();
	if (!idle && store->deadline_ms) {
		left = time_left(exchange->began, store->deadline_ms);
		if (!left)
			return -ETIMEDOUT;
	}
	/* The usual case: all is sent, so one recv() both waits and reads. */
	quiet = exchange->sent == exchange->count && store->out.start == store->out.end;
	if (!(quiet && idle && !store->device)) {
		rc = wait_ready(store, left < 0 && store->deadline_ms ? (int)store->deadline_ms :
					left);
		if (rc)
			return rc;
		quiet = false;
	}
	rc = receive(store, quiet && idle);
	return rc > 0 ? parse(store, exchange) : rc;
}

int store_exchange(struct store *store, store_tx tx, struct store_request *requests,
		   unsigned int count)
{
	struct exchange exchange = {
		.requests = requests, .count = count, .first_id = store->next_id,
	};
	int rc = store->broken;

	for (unsigned int i = 0; i < count; i++)
		requests[i].result = -EINPROGRESS;
	store->next_id += count;
	while (!rc && exchange.answered < count)
		rc = turn(store, tx, &exchange);
	if (!rc)
		return store_first_result(requests, count);
	if (rc != -ETIMEDOUT && rc != -ENOMEM)
		store->broken = rc;
	forget_unsent(store);
	for (unsigned int i = 0; i < count; i++)
		if (requests[i].result == -EINPROGRESS)
			requests[i].result = rc;
	return rc;
}

/* ---- events ---- */

int store_fd(struct store *store)
{
	struct epoll_event readable = { .events = EPOLLIN };
	int poll_fd, event_fd, rc;

	if (store->poll_fd >= 0)
		return store->poll_fd;
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll_fd < 0)
		return -errno;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, store->fd, &readable) ||
	    epoll_ctl(poll_fd, EPOLL_CTL_ADD, event_fd, &readable)) {
		rc = -errno;
		if (event_fd >= 0)
			close(event_fd);
		close(poll_fd);
		return rc;
	}
	store->poll_fd = poll_fd;
	store->event_fd = event_fd;
	if (store->first)
		signal_event(store, true);
	return poll_fd;
}

static void pop_event(struct store *store, char **buffer, char **path, char **token)
{
	struct event *event = store->first;

	store->first = event->next;
	if (!store->first) {
		store->last = NULL;
		signal_event(store, false);
	}
	*buffer = (char *)event;
	*path = event->text;
	*token = event->text + strlen(event->text) + 1;
}

int store_event(struct store *store, char **buffer, char **path, char **token)
{
	while (!store->first) {
		int rc = store->broken;

		if (!rc)
			rc = flush(store);
		if (!rc) {
			rc = receive(store, false);
			if (!rc)
				return -EAGAIN;
		}
		if (rc > 0)
			rc = parse(store, NULL);
		if (rc == -ENOMEM)
			return rc;
		if (rc) {
			store->broken = rc;
			return rc;
		}
	}
	pop_event(store, buffer, path, token);
	return 0;
}

int store_wait_event(struct store *store, unsigned int ms, char **buffer, char **path, char **token)
{
	uint64_t began = tools_now_ms();

	for (;;) {
		int rc = store_event(store, buffer, path, token);
		int left;

		if (rc != -EAGAIN)
			return rc;
		left = time_left(began, ms);
		if (!left)
			return -ETIMEDOUT;
		rc = wait_ready(store, left);
		if (rc)
			return rc;
	}
}
