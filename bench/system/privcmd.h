/* SPDX-License-Identifier: MIT */
/*
 * A sysctl from dom0 without any library: for the benchmark programs, which run under Debian's tools as
 * well as under ours and shall not depend on either.
 *
 *	struct sysctl_room room;	memory that stays mapped, and /dev/xen/privcmd
 *	if (sysctl_open(&room)) ...
 *	room.op->cmd = ...; sysctl_call(&room); buffers go to room.buffer
 */
#ifndef BENCH_PRIVCMD_H
#define BENCH_PRIVCMD_H

#define __XEN_TOOLS__
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/sysctl.h>

#define SYSCTL_BUFFER	(63 * 4096)

/* As in the kernel's <xen/privcmd.h>, which wants a kernel header that is not installed. */
struct privcmd_hypercall {
	uint64_t op, arg[5];
};

#define IOCTL_PRIVCMD_HYPERCALL	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

struct sysctl_room {
	int fd;
	struct xen_sysctl *op;
	void *buffer;		/* SYSCTL_BUFFER bytes */
};

/* 0, or -1. Locked memory is near enough to "stays mapped" for a benchmark. */
static inline int sysctl_open(struct sysctl_room *room)
{
	char *memory = mmap(NULL, 4096 + SYSCTL_BUFFER, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

	room->fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (room->fd < 0 || memory == MAP_FAILED)
		return -1;
	/* Or a fork would write-protect them, and the hypervisor cannot make its own copy. */
	madvise(memory, 4096 + SYSCTL_BUFFER, MADV_DONTFORK);
	room->op = (void *)memory;
	room->buffer = memory + 4096;
	return 0;
}

/* Makes the call that is in room->op. 0, or -1 with errno. */
static inline int sysctl_call(struct sysctl_room *room)
{
	struct privcmd_hypercall call = {
		.op = __HYPERVISOR_sysctl, .arg = { (uintptr_t)room->op },
	};

	room->op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return ioctl(room->fd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0 ? -1 : 0;
}

/*
 * What domains there are from number `first` on, at most `max` of them, into room->buffer. How many,
 * or -1 with errno.
 */
static inline int sysctl_domains(struct sysctl_room *room, domid_t first, unsigned int max)
{
	memset(room->op, 0, sizeof(*room->op));
	room->op->cmd = XEN_SYSCTL_getdomaininfolist;
	room->op->u.getdomaininfolist.first_domain = first;
	room->op->u.getdomaininfolist.max_domains = max;
	set_xen_guest_handle(room->op->u.getdomaininfolist.buffer,
			     (xen_domctl_getdomaininfo_t *)room->buffer);
	return sysctl_call(room) ? -1 : (int)room->op->u.getdomaininfolist.num_domains;
}

#endif
