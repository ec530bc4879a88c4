/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client's connection against a scripted server on a unix socket: answers cut
 * anywhere, events between them, answers too late or never, a server that dies, more requests than
 * buffers hold.
 */
/* LINK: dom0-tools/libs/store/core.c dom0-tools/libs/store/linux.c dom0-tools/libs/util/core.c */
/* LIBS: -lpthread */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include <tools/store.h>

static char path[64];
static int listener;

/* What the server does with a connection. */
typedef void server_fn(int fd);

struct world {
	struct store *store;
	pthread_t thread;
	server_fn *server;
};

/* ---- the server's side ---- */

static int read_all(int fd, void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t part = read(fd, (char *)bytes + done, length - done);

		if (part <= 0)
			return 0;
		done += (size_t)part;
	}
	return 1;
}

/* The next request; 0 when the client has gone. */
static int get(int fd, struct xsd_sockmsg *head, char body[XENSTORE_PAYLOAD_MAX + 1])
{
	if (!read_all(fd, head, sizeof(*head)) || !read_all(fd, body, head->len))
		return 0;
	body[head->len] = '\0';
	return 1;
}

/* Sends in pieces of @piece bytes. */
static void put(int fd, uint32_t type, uint32_t id, const void *body, uint32_t length, size_t piece)
{
	struct xsd_sockmsg head = { type, id, 0, length };
	char message[sizeof(head) + XENSTORE_PAYLOAD_MAX];
	size_t all = sizeof(head) + length;

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, length);
	for (size_t at = 0; at < all; at += piece) {
		size_t part = all - at < piece ? all - at : piece;

		assert_int_equal(write(fd, message + at, part), part);
		if (piece < all)
			usleep(200);
	}
}

static void *serve(void *arg)
{
	struct world *w = arg;
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0) {
		w->server(fd);
		close(fd);
	}
	return NULL;
}

static void start(struct world *w, server_fn *server)
{
	w->server = server;
	assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
	assert_int_equal(store_open(&w->store), 0);
}

static void finish(struct world *w)
{
	store_close(w->store);
	pthread_join(w->thread, NULL);
}

/* ---- cases ---- */

/* Answers a read with its path, byte by byte, an event in front and one in the middle. */
static void echo_slowly(int fd)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg head;

	while (get(fd, &head, body)) {
		put(fd, XS_WATCH_EVENT, 0, "/a\0t1", 6, 5);
		put(fd, XS_READ, head.req_id, body, head.len - 1, 7);
		put(fd, XS_WATCH_EVENT, 0, "/b\0t2", 6, 100);
	}
}

static void test_pieces(void **state)
{
	struct world w = { 0 };
	char *value, *buffer, *event, *token;
	size_t length;

	(void)state;
	start(&w, echo_slowly);
	assert_int_equal(store_read(w.store, 0, "/x/y", &value, &length), 0);
	assert_string_equal(value, "/x/y");
	assert_int_equal(length, 4);
	free(value);
	assert_int_equal(store_event(w.store, &buffer, &event, &token), 0);
	assert_string_equal(event, "/a");
	assert_string_equal(token, "t1");
	free(buffer);
	assert_int_equal(store_wait_event(w.store, 2000, &buffer, &event, &token), 0);
	assert_string_equal(event, "/b");
	free(buffer);
	assert_int_equal(store_event(w.store, &buffer, &event, &token), -EAGAIN);
	assert_int_equal(store_wait_event(w.store, 10, &buffer, &event, &token), -ETIMEDOUT);
	finish(&w);
}

/* The descriptor is readable for an event that came with an answer. */
static void test_descriptor(void **state)
{
	struct pollfd fd = { .events = POLLIN };
	struct world w = { 0 };
	char *value, *buffer, *event, *token;

	(void)state;
	start(&w, echo_slowly);
	fd.fd = store_fd(w.store);
	assert_true(fd.fd >= 0);
	assert_int_equal(fd.fd, store_fd(w.store));
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(store_read(w.store, 0, "/x", &value, NULL), 0);
	free(value);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(poll(&fd, 1, 2000), 1);
		assert_int_equal(store_event(w.store, &buffer, &event, &token), 0);
		free(buffer);
	}
	assert_int_equal(poll(&fd, 1, 10), 0);
	finish(&w);
}

/* Answers the first request only after the second has come. */
static void answer_late(int fd)
{
	char first[XENSTORE_PAYLOAD_MAX + 1], second[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg head1, head2;

	if (!get(fd, &head1, first) || !get(fd, &head2, second))
		return;
	put(fd, XS_READ, head1.req_id, "late", 4, 100);
	put(fd, XS_READ, head2.req_id, "right", 5, 100);
	get(fd, &head1, first);
}

static void test_deadline(void **state)
{
	struct world w = { 0 };
	char *value;

	(void)state;
	start(&w, answer_late);
	store_set_deadline(w.store, 20);
	assert_int_equal(store_read(w.store, 0, "/x", &value, NULL), -ETIMEDOUT);
	store_set_deadline(w.store, 5000);
	assert_int_equal(store_read(w.store, 0, "/y", &value, NULL), 0);
	assert_string_equal(value, "right");
	free(value);
	finish(&w);
}

static void die(int fd)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg head;

	get(fd, &head, body);
}

static void test_death(void **state)
{
	struct world w = { 0 };
	char *buffer, *event, *token;

	(void)state;
	start(&w, die);
	assert_int_equal(store_mkdir(w.store, 0, "/x"), -EPIPE);
	assert_int_equal(store_mkdir(w.store, 0, "/x"), -EPIPE);
	assert_int_equal(store_event(w.store, &buffer, &event, &token), -EPIPE);
	finish(&w);
}

static void talk_nonsense(int fd)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg head;

	if (get(fd, &head, body))
		put(fd, XS_WATCH_EVENT, 0, "no token", 8, 100);
	get(fd, &head, body);
}

static void test_nonsense(void **state)
{
	struct world w = { 0 };

	(void)state;
	start(&w, talk_nonsense);
	assert_int_equal(store_mkdir(w.store, 0, "/x"), -EPROTO);
	finish(&w);
}

/* Takes requests slowly, refusing every third. */
static void refuse_thirds(int fd)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg head;

	for (unsigned int i = 0; get(fd, &head, body); i++)
		if (i % 3 == 2)
			put(fd, XS_ERROR, head.req_id, "EACCES", 7, 100);
		else
			put(fd, head.type, head.req_id, "OK", 3, 100);
}

/* Far more than buffers on both sides hold. */
static void test_long_pipeline(void **state)
{
	enum { COUNT = 2000 };
	static char value[3000];
	struct store_request *requests = calloc(COUNT, sizeof(*requests));
	struct world w = { 0 };

	(void)state;
	assert_non_null(requests);
	start(&w, refuse_thirds);
	for (unsigned int i = 0; i < COUNT; i++)
		requests[i] = (struct store_request){
			.type = XS_WRITE, .path = "/p", .value = value, .length = sizeof(value),
		};
	assert_int_equal(store_pipeline(w.store, 0, requests, COUNT), -EACCES);
	for (unsigned int i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].result, i % 3 == 2 ? -EACCES : 0);
	free(requests);
	finish(&w);
}

/* A directory of more names than a message holds. */
static void large_directory(int fd)
{
	char body[XENSTORE_PAYLOAD_MAX + 1], answer[64];
	struct xsd_sockmsg head;
	static const char *const parts[] = { "one\0two", "three\0" };

	while (get(fd, &head, body)) {
		size_t path_bytes = strlen(body) + 1;
		unsigned int offset;

		if (head.type == XS_DIRECTORY) {
			put(fd, XS_ERROR, head.req_id, "E2BIG", 6, 100);
			continue;
		}
		offset = (unsigned int)strtoul(body + path_bytes, NULL, 10);
		memcpy(answer, "7\0", 2);
		if (offset) {
			memcpy(answer + 2, parts[1], 7);
			put(fd, XS_DIRECTORY_PART, head.req_id, answer, 2 + 7, 100);
		} else {
			memcpy(answer + 2, parts[0], 8);
			put(fd, XS_DIRECTORY_PART, head.req_id, answer, 2 + 8, 100);
		}
	}
}

static void test_large_directory(void **state)
{
	struct world w = { 0 };
	char **names;

	(void)state;
	start(&w, large_directory);
	assert_int_equal(store_list(w.store, 0, "/d", &names), 3);
	assert_string_equal(names[0], "one");
	assert_string_equal(names[2], "three");
	free(names);
	finish(&w);
}

static int listen_at_path(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_store_socket.%d", getpid());
	strcpy(address.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	setenv("XENSTORED_PATH", path, 1);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 5);
}

static int clean_up(void **state)
{
	struct store *store;

	(void)state;
	close(listener);
	assert_int_equal(store_open(&store), -ECONNREFUSED);
	unlink(path);
	assert_int_equal(store_open(&store), -ENOENT);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_long_pipeline),
		cmocka_unit_test(test_large_directory),
	};

	return cmocka_run_group_tests(tests, listen_at_path, clean_up);
}
