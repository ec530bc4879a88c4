/* SPDX-License-Identifier: MIT */
/*
 * Load for the device rows: random reads, UDP round trips, bulk TCP, between marks of the counting
 * plugin.
 *
 *	load serve PORT			in dom0: answers the others (UDP echo; TCP sink and source)
 *	load read DEVICE N		4 KiB random direct reads
 *	load udp HOST PORT N		64-byte round trips
 *	load send HOST PORT KIB		TCP to the server
 *	load recv HOST PORT KIB		TCP from it
 *
 * Each measuring run warms up first, then executes the mark (see count.c), the load, and the mark
 * again, and prints "LOAD <what> <units>".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP	50

static char buffer[65536] __attribute__((aligned(4096)));

static void mark(void)
{
	__asm__ volatile("xchg %%bx, %%bx; xchg %%bx, %%bx" ::: "memory");
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	a.sin_addr.s_addr = host ? inet_addr(host) : htonl(INADDR_ANY);
	return a;
}

static int open_socket(int type)
{
	int s = socket(AF_INET, type, 0), one = 1;

	if (s < 0)
		die("socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return s;
}

/* Serve one TCP connection: 'S' reads to the end, 'R' and a number of KiB writes that much. */
static void serve_tcp(int s)
{
	uint32_t kib;
	char what;

	if (read(s, &what, 1) != 1)
		return;
	if (what == 'S') {
		while (read(s, buffer, sizeof(buffer)) > 0)
			;
		/* The end is acknowledged, so that the other side counts what we did, too. */
		if (write(s, "", 1) != 1)
			return;
	} else if (read(s, &kib, sizeof(kib)) == sizeof(kib)) {
		for (; kib; kib -= kib < 64 ? kib : 64)
			if (write(s, buffer, kib < 64 ? kib * 1024 : 65536) < 0)
				return;
	}
}

static void serve(const char *port)
{
	struct sockaddr_in a = address(NULL, port), peer;
	socklen_t len = sizeof(peer);
	int udp = open_socket(SOCK_DGRAM), tcp = open_socket(SOCK_STREAM), n;

	if (bind(udp, (void *)&a, sizeof(a)) || bind(tcp, (void *)&a, sizeof(a)) || listen(tcp, 5))
		die("bind");
	if (fork() == 0) {
		while ((n = recvfrom(udp, buffer, 2048, 0, (void *)&peer, &len)) >= 0)
			sendto(udp, buffer, n, 0, (void *)&peer, len);
		exit(1);
	}
	for (;;) {
		int s = accept(tcp, NULL, NULL);

		if (s < 0)
			die("accept");
		serve_tcp(s);
		close(s);
	}
}

static void reads(const char *device, long n)
{
	int fd = open(device, O_RDONLY | O_DIRECT);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	uint32_t seed = 1;

	if (size < 4096)
		die(device);
	for (long i = -WARM_UP; i < n; i++) {
		if (i == 0)
			mark();
		seed = seed * 1664525 + 1013904223;
		if (pread(fd, buffer, 4096, (off_t)(seed >> 8) % (size / 4096) * 4096) != 4096)
			die("pread");
	}
	mark();
}

static void udp_turns(const char *host, const char *port, long n)
{
	struct sockaddr_in a = address(host, port);
	int s = open_socket(SOCK_DGRAM);

	if (connect(s, (void *)&a, sizeof(a)))
		die("connect");
	for (long i = -WARM_UP; i < n; i++) {
		if (i == 0)
			mark();
		if (write(s, buffer, 64) != 64 || read(s, buffer, sizeof(buffer)) != 64)
			die("udp");
	}
	mark();
}

static void tcp_send(int s, long kib)
{
	for (; kib > 0; kib -= 64)
		if (write(s, buffer, 65536) != 65536)
			die("write");
	shutdown(s, SHUT_WR);
	if (read(s, buffer, 1) != 1)
		die("end");
}

static void tcp_receive(int s, uint32_t kib)
{
	long n, left = kib * 1024L;

	if (write(s, &kib, sizeof(kib)) != sizeof(kib))
		die("write");
	for (; left > 0; left -= n) {
		n = read(s, buffer, sizeof(buffer));
		if (n <= 0)
			die("read");
	}
}

static void tcp(const char *host, const char *port, long kib, int sending)
{
	struct sockaddr_in a = address(host, port);
	int s = open_socket(SOCK_STREAM);

	if (connect(s, (void *)&a, sizeof(a)))
		die("connect");
	if (write(s, sending ? "S" : "R", 1) != 1)
		die("write");
	mark();
	if (sending)
		tcp_send(s, kib);
	else
		tcp_receive(s, kib);
	mark();
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[argc - 1]) : 0;

	if (!strcmp(what, "serve"))
		serve(argv[2]);
	else if (!strcmp(what, "read") && argc == 4)
		reads(argv[2], n);
	else if (!strcmp(what, "udp") && argc == 5)
		udp_turns(argv[2], argv[3], n);
	else if ((!strcmp(what, "send") || !strcmp(what, "recv")) && argc == 5)
		tcp(argv[2], argv[3], n, what[0] == 's');
	else
		return 1;
	printf("LOAD %s %ld\n", what, n);
	return 0;
}
