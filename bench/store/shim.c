/* SPDX-License-Identifier: MIT */
/*
 * Lets other xenstored programs start on a machine without a hypervisor, for comparison: preloaded, it
 * stands in for what they ask of libxenctrl, libxenevtchn and libxengnttab, and for dom0's ring.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xengnttab.h>
#include <xenevtchn.h>

static int pages(const char *path)
{
	int fd = syscall(SYS_memfd_create, "ring", 0);

	if (strstr(path, "port"))
		return write(fd, "1", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
	return ftruncate(fd, 4096) ? -1 : fd;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (!strncmp(path, "/proc/xen/xsd_", 14))
		return pages(path);
	return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
	(void)resource;
	(void)limits;
	return 0;
}

int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limits)
{
	(void)resource;
	(void)limits;
	return 0;
}

static long dummy;

xc_interface *xc_interface_open(xentoollog_logger *a, xentoollog_logger *b, unsigned int flags)
{
	(void)a;
	(void)b;
	(void)flags;
	return (xc_interface *)&dummy;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
	(void)xch;
	(void)max;
	memset(info, 0, sizeof(*info));
	info->domid = first;
	return 1;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return (xenevtchn_handle *)&dummy;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	static int fd = -1;

	(void)xce;
	if (fd < 0)
		fd = eventfd(0, 0);
	return fd;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote)
{
	(void)xce;
	(void)remote;
	return domid + 10;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	(void)xce;
	(void)virq;
	return 5;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	return xenevtchn_notify(xce, port);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return (xengnttab_handle *)&dummy;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count)
{
	(void)xgt;
	(void)count;
	return 0;
}
