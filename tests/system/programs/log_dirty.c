/* SPDX-License-Identifier: MIT */
/*
 * Log-dirty mode as a migrating tool uses it, for system tests; in dom0, without any library.
 *
 *	log_dirty churn DOMID	enables it and cleans every few milliseconds until the domain is gone
 *				or shut down; on and off now and then
 *	log_dirty keep DOMID MS	enables it and cleans every MS until it is ended; then it is off
 *	log_dirty verify DOMID	plays the other side of tests/guests/log-dirty: for each step of the
 *				guest's, all the pages that it says it wrote must be dirty, and few others
 *
 * The guest of `verify` suspends after each step with the machine frame of its report page in rdx.
 */
#define _GNU_SOURCE
#define __XEN_TOOLS__
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sched.h>

#include "../../guests/log-dirty/report.h"

#define BITMAP_PAGES	(1UL << 18)	/* frame numbers asked for: 1 GiB's */

/* As in the kernel's <xen/privcmd.h>, which wants a kernel header that is not installed. */
struct privcmd_hypercall {
	uint64_t op, arg[5];
};
struct privcmd_mmapbatch_v2 {
	unsigned int num;
	domid_t dom;
	uint64_t addr;
	const xen_pfn_t *arr;
	int *err;
};
#define IOCTL_PRIVCMD_HYPERCALL	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))
#define IOCTL_PRIVCMD_MMAPBATCH_V2 _IOC(_IOC_NONE, 'P', 4, sizeof(struct privcmd_mmapbatch_v2))

static int fd;
static domid_t domid;
static struct xen_domctl *op;		/* locked memory: it stays mapped */
static uint8_t *bitmap;
static union {
	struct vcpu_guest_context c;
	char page[8192];
} *context;

static void die(const char *what)
{
	fprintf(stderr, "log_dirty: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *locked(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

	if (p == MAP_FAILED)
		die("memory");
	return p;
}

/* The domctl in *op: 0 or more, or -1 with errno. */
static int domctl(uint32_t cmd)
{
	struct privcmd_hypercall call = {
		.op = __HYPERVISOR_domctl, .arg = { (uintptr_t)op },
	};

	op->cmd = cmd;
	op->domain = domid;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	return ioctl(fd, IOCTL_PRIVCMD_HYPERCALL, &call);
}

static int shadow_op(uint32_t sub, bool with_bitmap)
{
	memset(&op->u, 0, sizeof(op->u));
	op->u.shadow_op.op = sub;
	if (with_bitmap) {
		set_xen_guest_handle(op->u.shadow_op.dirty_bitmap, bitmap);
		op->u.shadow_op.pages = BITMAP_PAGES;
	}
	return domctl(XEN_DOMCTL_shadow_op);
}

/* getdomaininfo's flags; 0 if the domain is not there. */
static uint32_t domain_flags(void)
{
	memset(&op->u, 0, sizeof(op->u));
	op->u.getdomaininfo.domain = domid;
	if (domctl(XEN_DOMCTL_getdomaininfo) || op->u.getdomaininfo.domain != domid)
		return 0;
	return op->u.getdomaininfo.flags;
}

static unsigned long count_bits(void)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < BITMAP_PAGES / 64; i++)
		n += (unsigned long)__builtin_popcountl(((uint64_t *)bitmap)[i]);
	return n;
}

static bool is_dirty(unsigned long pfn)
{
	return pfn < BITMAP_PAGES && bitmap[pfn / 8] & 1 << pfn % 8;
}

static int churn(void)
{
	unsigned long rounds = 0, pages = 0, faults = 0;

	if (shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, false))
		die("enable");
	printf("on\n");
	fflush(stdout);
	for (;;) {
		uint32_t flags = domain_flags();

		if (!flags || flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown))
			break;
		if (shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, true))
			break;
		faults += op->u.shadow_op.stats.fault_count;
		pages += count_bits();
		if (++rounds % 16 == 0) {
			shadow_op(XEN_DOMCTL_SHADOW_OP_OFF, false);
			shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, false);
		}
		usleep(3000 + rounds % 8 * 2000);
	}
	printf("%lu rounds, %lu pages, %lu faults\n", rounds, pages, faults);
	return pages && faults ? 0 : 1;
}

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
	(void)signal;
	ended = 1;
}

static int keep(unsigned int ms)
{
	signal(SIGTERM, on_signal);
	if (shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, false))
		die("enable");
	printf("on\n");
	while (!ended && !shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, true))
		usleep(ms * 1000);
	return shadow_op(XEN_DOMCTL_SHADOW_OP_OFF, false) ? 1 : 0;
}

/* The report that the suspended guest points to. */
static const struct dirty_report *map_report(void *at)
{
	struct privcmd_mmapbatch_v2 batch = { .num = 1, .dom = domid, .addr = (uintptr_t)at };
	xen_pfn_t mfn;
	int err = 0;

	memset(&op->u, 0, sizeof(op->u));
	set_xen_guest_handle(op->u.vcpucontext.ctxt, (vcpu_guest_context_t *)context);
	if (domctl(XEN_DOMCTL_getvcpucontext))
		die("getvcpucontext");
	mfn = context->c.user_regs.rdx;
	batch.arr = &mfn;
	batch.err = &err;
	if (ioctl(fd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) || err)
		die("map the report");
	return at;
}

static unsigned int check_pages(const char *step, const uint64_t *pfn, uint32_t nr, bool dirty)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (is_dirty(pfn[i]) == dirty)
			continue;
		if (!wrong++)
			printf("FAIL %s: page %u of %u (%lx) is %sdirty\n", step, i, nr,
			       (unsigned long)pfn[i], dirty ? "not " : "");
	}
	if (wrong > 1)
		printf("FAIL %s: and %u more\n", step, wrong - 1);
	return wrong;
}

static int check_step(const struct dirty_report *r)
{
	const unsigned long all = count_bits();
	unsigned int wrong = check_pages(r->step, r->pfn, r->nr, true) +
			     check_pages(r->step, r->clean, r->nr_clean, false);

	if (all > r->nr + r->slack) {
		printf("FAIL %s: %lu pages dirty, %u expected and %u allowed\n", r->step, all,
		       r->nr, r->slack);
		wrong++;
	}
	if (!wrong)
		printf("ok %s: %u pages, %lu others\n", r->step, r->nr, all - r->nr);
	return wrong != 0;
}

static int wait_for_suspend(void)
{
	for (unsigned int i = 0; i < 3000; i++, usleep(10000)) {
		uint32_t flags = domain_flags();

		if (!flags || flags & XEN_DOMINF_dying)
			return -1;
		if (flags & XEN_DOMINF_shutdown)
			return (int)(flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask);
	}
	return -1;
}

static int verify(void)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	int failed = 0, reason, steps = 0;

	if (at == MAP_FAILED)
		die("mmap of privcmd");
	if (shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, false))
		die("enable");
	memset(&op->u, 0, sizeof(op->u));
	if (domctl(XEN_DOMCTL_unpausedomain))
		die("unpause");
	while ((reason = wait_for_suspend()) == SHUTDOWN_suspend) {
		memset(bitmap, 0, BITMAP_PAGES / 8);
		if (shadow_op(XEN_DOMCTL_SHADOW_OP_PEEK, true))
			die("peek");
		failed += check_step(map_report(at));
		if (shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, true))
			die("clean");
		munmap(at, 4096);
		at = mmap(at, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
		steps++;
		memset(&op->u, 0, sizeof(op->u));
		if (domctl(XEN_DOMCTL_resumedomain))
			die("resume");
	}
	printf("%d steps, %d failed, ended by %d\n", steps, failed, reason);
	return failed || reason != SHUTDOWN_poweroff || !steps;
}

int main(int argc, char **argv)
{
	fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/xen/privcmd");
	op = locked(4096);
	context = locked(sizeof(*context));
	bitmap = locked(BITMAP_PAGES / 8);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 3)
		domid = (domid_t)atoi(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "keep"))
		return keep((unsigned int)atoi(argv[3]));
	if (argc == 3) {
		if (!strcmp(argv[1], "churn"))
			return churn();
		if (!strcmp(argv[1], "verify"))
			return verify();
	}
	fprintf(stderr, "usage: log_dirty churn|verify DOMID | keep DOMID MS\n");
	return 2;
}
