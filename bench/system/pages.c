/* SPDX-License-Identifier: MIT */
/*
 * In dom0: how the machine's pages are spread: prints "free pages, pages of all domains but 0,
 * domains but 0", by sysctl physinfo and getdomaininfolist through /dev/xen/privcmd. The difference
 * of two runs gives what the hypervisor itself needs for a domain.
 */
#define __XEN_TOOLS__
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/sysctl.h>

#define MAX_DOMAINS	256

/* As in the kernel's <xen/privcmd.h>, which wants a kernel header that is not installed. */
struct privcmd_hypercall {
	uint64_t op, arg[5];
};

#define IOCTL_PRIVCMD_HYPERCALL	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

static int fd;

static long sysctl(struct xen_sysctl *op)
{
	struct privcmd_hypercall call = { .op = __HYPERVISOR_sysctl, .arg = { (uintptr_t)op } };

	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return ioctl(fd, IOCTL_PRIVCMD_HYPERCALL, &call);
}

int main(void)
{
	/* Hypercall buffers must stay mapped: locked memory is near enough for a benchmark. */
	size_t size = 64 * 4096;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	struct xen_sysctl *op = (void *)memory;
	xen_domctl_getdomaininfo_t *info = (void *)(memory + 4096);
	unsigned long pages = 0, free_pages;

	fd = open("/dev/xen/privcmd", O_RDWR);
	if (fd < 0 || memory == MAP_FAILED)
		return 1;
	op->cmd = XEN_SYSCTL_physinfo;
	if (sysctl(op))
		return 1;
	free_pages = op->u.physinfo.free_pages;
	memset(op, 0, sizeof(*op));
	op->cmd = XEN_SYSCTL_getdomaininfolist;
	op->u.getdomaininfolist.first_domain = 1;
	op->u.getdomaininfolist.max_domains = MAX_DOMAINS;
	set_xen_guest_handle(op->u.getdomaininfolist.buffer, info);
	if (sysctl(op))
		return 1;
	for (unsigned int i = 0; i < op->u.getdomaininfolist.num_domains; i++)
		pages += info[i].tot_pages;
	printf("%lu %lu %u\n", free_pages, pages, op->u.getdomaininfolist.num_domains);
	return 0;
}
