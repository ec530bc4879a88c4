/* SPDX-License-Identifier: MIT */
/*
 * The server: GET and HEAD of HTTP/1.0 and 1.1 (RFC 9112), one request per connection, on lwIP's raw
 * interface; POST is answered with the body's checksum and length as cksum(1) prints them. A connection's buffers are pages of its own; what is read from the disk waits there until the client has
 * acknowledged it.
 */
#include <guest/string.h>
#include <lwip/tcp.h>
#include "http.h"

#define REQUEST_MAX	2048U
/* Connections that say nothing for so many half seconds are dropped. */
#define PATIENCE	120

struct client {
	struct tcp_pcb *pcb;
	const struct site_file *file;
	struct site_read *read;
	const uint8_t *chunk;		/* what is left of what was read */
	uint32_t chunk_left;
	uint64_t at;			/* in the file: what was read so far */
	uint32_t unacked;		/* bytes handed to lwIP that point into the chunk or the head */
	bool answering, ended;
	uint8_t polls;
	uint64_t body_left, body_bytes;	/* of a POST: still to come; came */
	uint32_t crc;
	uint32_t request_length;
	char request[REQUEST_MAX];
	char head[512];
};

static struct pv_domain *home;
static uint64_t served;

static void client_free(struct client *c)
{
	if (c->read)
		site_read_free(c->read);
	pv_pages_free(home, c, 1);
}

static void client_close(struct client *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (pcb) {
		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_poll(pcb, NULL, 0);
		tcp_err(pcb, NULL);
		if (tcp_close(pcb) != ERR_OK)
			tcp_abort(pcb);
	}
	client_free(c);
}

/* Hands over as much of the chunk as fits; asks for the next one when all of it is acknowledged. */
static void pump(struct client *c)
{
	uint32_t n;

	while (c->chunk_left && (n = tcp_sndbuf(c->pcb)) > 0) {
		if (n > c->chunk_left)
			n = c->chunk_left;
		if (tcp_write(c->pcb, c->chunk, n, 0) != ERR_OK)
			break;		/* out of segments: tcp_sent() comes */
		c->chunk += n;
		c->chunk_left -= n;
		c->unacked += n;
	}
	tcp_output(c->pcb);
	if (c->chunk_left || c->unacked)
		return;
	if (c->file && c->at < c->file->bytes) {
		if (!site_read(c->read, c->file, c->at))
			return;
		c->ended = true;
	}
	served++;
	client_close(c);
}

static void on_chunk(void *arg, const void *data, long bytes)
{
	struct client *c = arg;

	if (bytes <= 0) {
		c->file = NULL;		/* the length promised will not come: closing tells */
		bytes = 0;
	}
	c->chunk = data;
	c->chunk_left = bytes;
	c->at += bytes;
	pump(c);
}

static const char *type_of(const char *name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" }, { ".css", "text/css" },
		{ ".txt", "text/plain; charset=utf-8" }, { ".svg", "image/svg+xml" },
		{ ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".js", "text/javascript" },
	};
	size_t length = strlen(name), n;

	for (unsigned int i = 0; i < PV_ARRAY_SIZE(types); i++) {
		n = strlen(types[i].suffix);
		if (length >= n && !strcmp(name + length - n, types[i].suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}

static void answer(struct client *c, const char *status, const struct site_file *file, bool body)
{
	static const char apology[] = "There is nothing here.\n";
	int n;

	n = snprintf(c->head, sizeof(c->head),
		     "HTTP/1.1 %s\r\nServer: krypton\r\nConnection: close\r\n"
		     "Content-Type: %s\r\nContent-Length: %lu\r\n\r\n%s", status,
		     file ? type_of(file->name) : "text/plain",
		     file ? (unsigned long)file->bytes : sizeof(apology) - 1,
		     file || !body ? "" : apology);
	c->answering = true;
	if (file && body) {
		c->read = site_read_new(home, on_chunk, c);
		c->file = c->read ? file : NULL;
	}
	c->chunk = (const uint8_t *)c->head;
	c->chunk_left = n;
	pump(c);
}

/* The path of "GET /path HTTP/1.1", without a query; its length. */
static const char *path_of(const char *line, size_t length, size_t *path_length)
{
	size_t n = 0;

	if (!length || *line != '/')
		return NULL;
	line++;
	length--;
	while (n < length && line[n] != ' ' && line[n] != '?' && line[n] != '\r')
		n++;
	*path_length = n;
	return line;
}

static void handle(struct client *c)
{
	const struct site_file *file;
	const char *path = NULL;
	bool get = !strncmp(c->request, "GET ", 4), head = !strncmp(c->request, "HEAD ", 5);
	size_t n = 0;

	if (get || head)
		path = path_of(c->request + (get ? 4 : 5), c->request_length - (get ? 4 : 5), &n);
	if (!path) {
		answer(c, get || head ? "400 Bad Request" : "501 Not Implemented", NULL, true);
		return;
	}
	file = n ? site_find(path, n) : site_find("index.html", 10);
	answer(c, file ? "200 OK" : "404 Not Found", file, get);
}

/* --- Bodies --- */

/* POSIX's cksum: the most significant bit first. */
static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
	static uint32_t table[256];

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		table[i] = i << 24;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] << 1 ^ (table[i] & 0x80000000 ? 0x04c11db7 : 0);
	}
	return crc << 8 ^ table[crc >> 24 ^ byte];
}

static void end_body(struct client *c)
{
	char text[32];
	uint32_t crc = c->crc;
	int n;

	for (uint64_t length = c->body_bytes; length; length >>= 8)
		crc = crc_byte(crc, length);
	n = snprintf(text, sizeof(text), "%u %lu\n", ~crc, (unsigned long)c->body_bytes);
	c->chunk_left = snprintf(c->head, sizeof(c->head),
				 "HTTP/1.1 200 OK\r\nServer: krypton\r\nConnection: close\r\n"
				 "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", n, text);
	c->chunk = (const uint8_t *)c->head;
	c->answering = true;
	pump(c);
}

/* Takes what lies behind the first @skip bytes of @p. */
static void take_body(struct client *c, const struct pbuf *p, uint32_t skip)
{
	for (; p; p = p->next) {
		const uint8_t *data = p->payload;
		uint32_t i = skip < p->len ? skip : p->len;

		skip -= i;
		for (; i < p->len && c->body_left; i++, c->body_left--, c->body_bytes++)
			c->crc = crc_byte(c->crc, data[i]);
	}
	if (!c->body_left)
		end_body(c);
}

/* The Content-Length of the request; 0: none. */
static uint64_t content_length(const struct client *c)
{
	static const char name[] = "\r\ncontent-length:";
	const char *p = c->request;
	uint64_t value = 0;
	size_t n = 0;

	for (; *p && n < sizeof(name) - 1; p++)
		n = (*p | (*p >= 'A' && *p <= 'Z' ? 0x20 : 0)) == name[n] ? n + 1 : *p == '\r';
	while (*p == ' ')
		p++;
	for (; *p >= '0' && *p <= '9' && value < 1UL << 40; p++)
		value = value * 10 + *p - '0';
	return value;
}

/* --- Requests --- */

/* The length of the request's head; 0: it is not complete. */
static uint32_t head_length(const struct client *c)
{
	for (uint32_t i = 4; i <= c->request_length; i++) {
		if (!memcmp(c->request + i - 4, "\r\n\r\n", 4))
			return i;
	}
	return 0;
}

/* More of the request has come in @p. */
static void take_request(struct client *c, const struct pbuf *p)
{
	uint32_t before = c->request_length, room = REQUEST_MAX - 1 - before, head;

	c->request_length += pbuf_copy_partial(p, c->request + before, room, 0);
	head = head_length(c);
	if (head && !strncmp(c->request, "POST ", 5)) {
		c->body_left = content_length(c);
		take_body(c, p, head - before);
	} else if (head) {
		handle(c);
	} else if (c->request_length == REQUEST_MAX - 1) {
		answer(c, "431 Request Header Fields Too Large", NULL, true);
	}
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct client *c = arg;

	(void)error;
	if (!p) {			/* the client has nothing more to say */
		if (!c->answering)
			client_close(c);
		return ERR_OK;
	}
	c->polls = 0;
	tcp_recved(pcb, p->tot_len);
	if (c->body_left)
		take_body(c, p, 0);
	else if (!c->answering)
		take_request(c, p);
	pbuf_free(p);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
	struct client *c = arg;

	(void)pcb;
	c->polls = 0;
	c->unacked -= bytes;
	pump(c);
	return ERR_OK;
}

static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
	struct client *c = arg;

	if (++c->polls < PATIENCE) {
		if (c->chunk_left)
			pump(c);
		return ERR_OK;
	}
	tcp_arg(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
	client_free(c);
	return ERR_ABRT;
}

/* The connection is gone already. */
static void on_error(void *arg, err_t error)
{
	(void)error;
	client_free(arg);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct client *c;

	(void)arg;
	if (error != ERR_OK || !pcb)
		return ERR_VAL;
	c = pv_pages_alloc(home, 1);
	if (!c) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	c->pcb = pcb;
	tcp_arg(pcb, c);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	tcp_err(pcb, on_error);
	tcp_poll(pcb, on_poll, 1);
	return ERR_OK;
}

int http_start(struct pv_domain *domain, unsigned int port)
{
	struct tcp_pcb *pcb = tcp_new();

	_Static_assert(sizeof(struct client) <= PV_PAGE_SIZE, "a client is a page");
	home = domain;
	if (!pcb || tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK)
		return -XEN_EINVAL;
	pcb = tcp_listen(pcb);
	if (!pcb)
		return -XEN_ENOMEM;
	tcp_accept(pcb, on_accept);
	return 0;
}

uint64_t http_served(void)
{
	return served;
}
