/* SPDX-License-Identifier: MIT */
/*
 * Asks a xenstored for much, one request at a time, and says what that cost it in CPU time.
 *
 *	client SOCKET PID COUNT IDLE [TRACE]
 *
 * IDLE other clients with six watches each are connected meanwhile and say nothing, as quiet domains
 * are. TRACE is a file of requests to replay as the mix: a line each, "TYPE TX PATH VALUE".
 * Prints a line for each kind of request: its name, requests per CPU second, microseconds each.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <errno.h>
#include <xen/io/xs_wire.h>

static const char *socket_path, *pid;
static char body[XENSTORE_PAYLOAD_MAX + 1];
static unsigned long events;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(socket_path);
	return fd;
}

static void get(int fd, void *to, size_t n)
{
	while (n) {
		ssize_t got = read(fd, to, n);

		if (got <= 0)
			die("the daemon hung up");
		to = (char *)to + got;
		n -= got;
	}
}

static uint32_t receive(int fd)
{
	struct xsd_sockmsg msg;

	get(fd, &msg, sizeof(msg));
	get(fd, body, msg.len);
	body[msg.len] = 0;
	return msg.type;
}

/* One request and its answer; events on the way are counted. */
static uint32_t ask(int fd, uint32_t type, uint32_t tx, const char *bytes, unsigned int length)
{
	char out[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg msg = { .type = type, .tx_id = tx, .len = length };
	uint32_t got;

	memcpy(out, &msg, sizeof(msg));
	memcpy(out + sizeof(msg), bytes, length);
	if (write(fd, out, sizeof(msg) + length) != (ssize_t)(sizeof(msg) + length))
		die("write");
	while ((got = receive(fd)) == XS_WATCH_EVENT)
		events++;
	return got;
}

/* The daemon's time on a CPU so far, in nanoseconds: user and system. */
static unsigned long long spent(void)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die(path);
	close(fd);
	return strtoull(text, NULL, 10);
}

static unsigned long long started;

static void begin(void)
{
	usleep(20000);
	started = spent();
}

static void end(const char *name, unsigned long requests)
{
	double us;

	usleep(20000);
	us = (spent() - started) / 1000.0;
	printf("%-12s %8.0f /s %8.2f us\n", name, requests / us * 1e6, us / requests);
	fflush(stdout);
}

static void idle_clients(unsigned int n)
{
	char text[64];

	while (n--) {
		int fd = dial();

		for (int i = 0; i < 6; i++) {
			int length = sprintf(text, "/idle/%u/%d", n, i) + 1;

			length += sprintf(text + length, "t%d", i) + 1;
			ask(fd, XS_WATCH, 0, text, length);
		}
		while (recv(fd, body, sizeof(body), MSG_DONTWAIT) > 0)
			;
	}
}

static void reads_and_writes(int fd, unsigned long count)
{
	char text[64];
	int length = sprintf(text, "/local/domain/7/device/vbd/51712/state") + 1;

	text[length] = '4';
	ask(fd, XS_WRITE, 0, text, length + 1);
	begin();
	for (unsigned long i = 0; i < count; i++)
		ask(fd, XS_READ, 0, text, length);
	end("read", count);
	begin();
	for (unsigned long i = 0; i < count; i++)
		ask(fd, XS_WRITE, 0, text, length + 1);
	end("write", count);
}

static void transactions(int fd, unsigned long count)
{
	static const char key[] = "/local/domain/7/name", value[] = "/local/domain/7/name\0guest";

	begin();
	for (unsigned long i = 0; i < count / 4; i++) {
		uint32_t tx;

		ask(fd, XS_TRANSACTION_START, 0, "", 1);
		tx = strtoul(body, NULL, 10);
		ask(fd, XS_READ, tx, key, sizeof(key));
		ask(fd, XS_WRITE, tx, value, sizeof(value) - 1);
		ask(fd, XS_TRANSACTION_END, tx, "T", 2);
	}
	end("transaction", count / 4);
}

static void watch_fires(int fd, unsigned long count)
{
	static const char watch[] = "/fire\0token", value[] = "/fire/a/b\0x";
	int watcher = dial();

	ask(watcher, XS_WATCH, 0, watch, sizeof(watch));
	receive(watcher);
	begin();
	for (unsigned long i = 0; i < count; i++) {
		ask(fd, XS_WRITE, 0, value, sizeof(value) - 1);
		receive(watcher);
	}
	end("watch fire", count);
	close(watcher);
}

/* One line of the trace; transactions of the file are mapped to those of now. */
static unsigned long replay_line(int fd, char *line)
{
	static uint32_t tx_now[16];
	char *type = strtok(line, " \n"), *tx = strtok(NULL, " \n"), *path = strtok(NULL, " \n");
	char *value = strtok(NULL, "\n"), text[XENSTORE_PAYLOAD_MAX];
	unsigned int id, length;

	if (!type || !tx || !path)
		return 0;
	id = strtoul(tx, NULL, 10) % 16;
	length = snprintf(text, sizeof(text), "%s", strcmp(path, "-") ? path : "") + 1;
	if (value)
		length += snprintf(text + length, sizeof(text) - length - 1, "%s", value) +
			  (atoi(type) != XS_WRITE);
	for (unsigned int i = 0; atoi(type) == XS_SET_PERMS && i < length; i++)
		if (text[i] == ',')
			text[i] = 0;
	if (ask(fd, atoi(type), atoi(type) == XS_TRANSACTION_START ? 0 : tx_now[id], text, length) ==
	    XS_TRANSACTION_START)
		tx_now[id] = strtoul(body, NULL, 10);
	if (atoi(type) == XS_TRANSACTION_END)
		tx_now[id] = 0;
	return 1;
}

static void mix(int fd, const char *file, unsigned long count)
{
	FILE *f = fopen(file, "r");
	unsigned long requests = 0;
	char line[1024];

	if (!f)
		die(file);
	begin();
	while (requests < count) {
		rewind(f);
		while (fgets(line, sizeof(line), f))
			requests += replay_line(fd, line);
	}
	end("create mix", requests);
	fclose(f);
}

int main(int argc, char **argv)
{
	unsigned long count;
	int fd;

	if (argc < 5)
		return 1;
	socket_path = argv[1];
	pid = argv[2];
	count = strtoul(argv[3], NULL, 10);
	idle_clients(strtoul(argv[4], NULL, 10));
	fd = dial();
	reads_and_writes(fd, count);
	transactions(fd, count);
	watch_fires(fd, count);
	if (argc > 5)
		mix(fd, argv[5], count);
	return 0;
}
