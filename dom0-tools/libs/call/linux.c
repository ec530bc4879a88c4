/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls under Linux: ioctls of /dev/xen/privcmd, argument memory from /dev/xen/hypercall.
 *
 * Pages of that second device are kernel pages, which neither move nor are copied on write. Where
 * it is missing (kernels before 4.19), locked anonymous memory that a fork does not inherit has to
 * do. Sources: <xen/sys/privcmd.h>, Linux drivers/xen/privcmd-buf.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tools/call.h>
#include <xen/sys/privcmd.h>

#define PAGE 4096UL

struct call {
	int privcmd;
	int buffers;				/* /dev/xen/hypercall, or -1 */
	struct multicall_entry *multicall;	/* one, allocated when first needed */
};

int call_open(struct call **out)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	call->privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (call->privcmd < 0) {
		int rc = -errno;

		free(call);
		return rc;
	}
	call->buffers = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
	*out = call;
	return 0;
}

void call_close(struct call *call)
{
	if (!call)
		return;
	call_free(call, call->multicall, sizeof(*call->multicall));
	if (call->buffers >= 0)
		close(call->buffers);
	close(call->privcmd);
	free(call);
}

int call_hypercall(struct call *call, unsigned int op, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4, unsigned long a5)
{
	privcmd_hypercall_t arguments = { op, { a1, a2, a3, a4, a5 } };
	int rc = ioctl(call->privcmd, IOCTL_PRIVCMD_HYPERCALL, &arguments);

	return rc < 0 ? -errno : rc;
}

long call_memory_op(struct call *call, unsigned int cmd, void *arg)
{
	struct multicall_entry *entry = call->multicall;
	int rc;

	if (!entry) {
		entry = call->multicall = call_alloc(call, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
	}
	entry->op = __HYPERVISOR_memory_op;
	entry->args[0] = cmd;
	entry->args[1] = (unsigned long)arg;
	rc = call_hypercall(call, __HYPERVISOR_multicall, (unsigned long)entry, 1, 0, 0, 0);
	return rc < 0 ? rc : (long)entry->result;
}

void *call_alloc(struct call *call, size_t bytes)
{
	bool kernel_pages = call->buffers >= 0;
	void *memory;

	bytes = (bytes + PAGE - 1) & ~(PAGE - 1);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      kernel_pages ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS,
		      kernel_pages ? call->buffers : -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (kernel_pages)
		return memory;
	/* mlock() alone leaves pages unwritten: the hypervisor must find each one writable. */
	if (madvise(memory, bytes, MADV_DONTFORK) || mlock(memory, bytes)) {
		munmap(memory, bytes);
		return NULL;
	}
	for (size_t at = 0; at < bytes; at += PAGE)
		*(volatile char *)((char *)memory + at) = 0;
	return memory;
}

void call_free(struct call *call, void *buffer, size_t bytes)
{
	(void)call;
	if (buffer)
		munmap(buffer, (bytes + PAGE - 1) & ~(PAGE - 1));
}
