/* SPDX-License-Identifier: MIT */
/*
 * In dom0: event round trips between a user program and a guest (bench/pair, role 3).
 *
 * evtchn_turns DOMID PORT LOOPS: binds to the guest's port by /dev/xen/evtchn and prints the TSC
 * ticks of one turn.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/evtchn.h>

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return (uint64_t)hi << 32 | lo;
}

/* One turn: notify, wait for the answer, unmask. 0, or -1 if the device failed. */
static int turn(int fd, unsigned int port)
{
	struct ioctl_evtchn_notify notify = { .port = port };
	uint32_t fired;

	if (ioctl(fd, IOCTL_EVTCHN_NOTIFY, &notify) < 0)
		return -1;
	if (read(fd, &fired, sizeof(fired)) != sizeof(fired))
		return -1;
	return write(fd, &fired, sizeof(fired)) == sizeof(fired) ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct ioctl_evtchn_bind_interdomain bind;
	long loops = argc > 3 ? atol(argv[3]) : 1000;
	int fd = open("/dev/xen/evtchn", O_RDWR), port;
	uint64_t start;
	uint32_t fired;

	if (argc < 3 || fd < 0) {
		fprintf(stderr, "usage: evtchn_turns DOMID PORT [LOOPS]\n");
		return 1;
	}
	bind.remote_domain = atoi(argv[1]);
	bind.remote_port = atoi(argv[2]);
	port = ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	if (port < 0) {
		perror("bind");
		return 1;
	}
	/* Binding has set the port pending once. */
	if (read(fd, &fired, sizeof(fired)) == sizeof(fired))
		if (write(fd, &fired, sizeof(fired)) < 0)
			return 1;
	for (long i = 0; i < loops / 10; i++)
		if (turn(fd, port))
			return 1;
	start = rdtsc();
	for (long i = 0; i < loops; i++)
		if (turn(fd, port))
			return 1;
	printf("BENCH: %lu event round trip, dom0 user program\n",
	       (unsigned long)((rdtsc() - start) / loops));
	return 0;
}
