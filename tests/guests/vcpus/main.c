/* SPDX-License-Identifier: MIT */
/*
 * Life of a vcpu: counting them, initialise with good and bad contexts, up, down, up again with its
 * context kept, vcpu_info elsewhere, IPIs between two; CPUs that go and come back below vcpus that sleep
 * and wake all the time. The error part runs with one vcpu, the rest needs two or three.
 *
 * boot-args: --smp 3
 */
#define __XEN_TOOLS__ 1		/* sysctl.h */

#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/string.h>
#include <guest/time.h>

#include <xen/sysctl.h>

static struct vcpu_guest_context ctxt;
static unsigned int nr_vcpus;

static void test_counting(void)
{
	for (nr_vcpus = 0; smp_exists(nr_vcpus); nr_vcpus++)
		;
	ktest_ok(nr_vcpus >= 1, "%u vcpus", nr_vcpus);
	ktest_eq(vcpu_op(VCPUOP_is_up, 0, NULL), 1, "vcpu 0 is up");
	ktest_eq(vcpu_op(VCPUOP_is_up, nr_vcpus, NULL), -XEN_ENOENT, "the next does not exist");
	ktest_eq(vcpu_op(VCPUOP_is_up, ~0U, NULL), -XEN_ENOENT, "nor the last");
	ktest_eq(vcpu_op(99, 0, NULL), -XEN_ENOSYS, "unknown vcpu_op");
	ktest_eq(vcpu_op(VCPUOP_initialise, 0, &ctxt), -XEN_EEXIST, "initialise vcpu 0");
	ktest_eq(vcpu_op(VCPUOP_up, 0, NULL), 0, "up when up");
}

/* Contexts that must be refused; the vcpu can be initialised properly afterwards. */
static void test_bad_contexts(void)
{
	ktest_eq(vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL, "up before initialise");
	ktest_eq(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "it is down");

	smp_fill_context(&ctxt, 1);
	ctxt.ctrlreg[3] = virt_to_mfn(&ctxt) << PAGE_SHIFT;
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "cr3 is a data page");
	smp_fill_context(&ctxt, 1);
	ctxt.ctrlreg[3] = 1UL << 51;
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "cr3 is no frame");
	smp_fill_context(&ctxt, 1);
	ctxt.fs_base = 0x0000800000000000;
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "non-canonical fs base");
	smp_fill_context(&ctxt, 1);
	ctxt.gs_base_kernel = 1UL << 63;
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "non-canonical gs base");
	smp_fill_context(&ctxt, 1);
	ctxt.ldt_ents = 512;
	ctxt.ldt_base = 0x1001;
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "misaligned LDT");
	smp_fill_context(&ctxt, 1);
	ctxt.gdt_ents = 512;
	ctxt.gdt_frames[0] = virt_to_mfn(&ctxt);
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "a writable GDT page");
	smp_fill_context(&ctxt, 1);
	ctxt.gdt_ents = 8000;
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EINVAL, "a GDT too large");
	ktest_eq(vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL, "still not initialised");
}

static volatile unsigned long counter;
static volatile bool down_and_back;

static void count(void *unused __unused)
{
	counter = 0;
	while (counter < 1000)
		counter++;
	vcpu_op(VCPUOP_down, 1, NULL);
	/* Continued by up, with everything as it was. */
	down_and_back = counter == 1000;
}

static void test_up_down(void)
{
	uint64_t end;

	ktest_eq(smp_boot(1), 0, "start vcpu 1");
	ktest_eq(vcpu_op(VCPUOP_is_up, 1, NULL), 1, "it is up");
	ktest_eq(vcpu_op(VCPUOP_initialise, 1, &ctxt), -XEN_EEXIST, "initialise it again");
	smp_run(1, count, NULL);
	for (end = time_now() + 10 * SECOND; vcpu_op(VCPUOP_is_up, 1, NULL) && time_now() < end;)
		sched_op(SCHEDOP_yield, NULL);
	ktest_eq(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "it went down");
	time_delay(5 * MS);
	ktest_ok(!down_and_back, "and stays");
	ktest_eq(vcpu_op(VCPUOP_up, 1, NULL), 0, "up again");
	smp_wait(1);
	ktest_ok(down_and_back, "it continued where it was");
}

static volatile evtchn_port_t to_first, to_second;
static volatile unsigned int turns;

static void pong(evtchn_port_t port __unused)
{
	turns++;
	event_send(to_first);
}

static void ping(evtchn_port_t port __unused)
{
	if (turns < 500)
		event_send(to_second);
}

static void serve(void *unused __unused)
{
	uint64_t end = time_now() + 30 * SECOND;

	event_enable();
	while (turns < 500 && time_now() < end)
		sched_op(SCHEDOP_yield, NULL);
	event_disable();
}

static void test_ipis(void)
{
	uint64_t end = time_now() + 30 * SECOND;

	to_first = event_bind_ipi(0);
	to_second = event_bind_ipi(1);
	event_set_handler(to_first, ping);
	event_set_handler(to_second, pong);
	event_enable();
	smp_run(1, serve, NULL);
	event_send(to_second);
	while (turns < 500 && time_now() < end)
		sched_op(SCHEDOP_yield, NULL);
	smp_wait(1);
	ktest_ok(turns >= 500, "500 IPIs there and back");
}

static void test_vcpu_info(void)
{
	struct vcpu_info *page = page_alloc();
	struct vcpu_register_vcpu_info reg = { .mfn = virt_to_mfn(page), .offset = 128 };
	struct vcpu_register_vcpu_info bad = { .mfn = ~0UL >> 12 };

	ktest_eq(vcpu_op(VCPUOP_register_vcpu_info, 2, &bad), -XEN_EINVAL, "vcpu_info on no frame");
	bad.mfn = reg.mfn;
	bad.offset = PAGE_SIZE - 8;
	ktest_eq(vcpu_op(VCPUOP_register_vcpu_info, 2, &bad), -XEN_ENXIO, "across the page's end");
	ktest_eq(vcpu_op(VCPUOP_register_vcpu_info, 2, &reg), 0, "of a vcpu that is down");
	ktest_eq(vcpu_op(VCPUOP_register_vcpu_info, 2, &reg), -XEN_EINVAL, "a second time");
	ktest_eq(page_protect(page), 0, "its page read-only for us");
	ktest_eq(pt_pin(page, 1), -XEN_EINVAL, "cannot become a page table");
	page_unprotect(page);
	ktest_eq(vcpu_op(VCPUOP_register_vcpu_info, 1, &reg), -XEN_EINVAL, "of another that is up");
}

static volatile bool storm;

/* Sleeps for a moment, again and again: each time the vcpu wakes, a CPU is chosen for it. */
static void sleep_and_wake(void *unused __unused)
{
	while (storm) {
		struct sched_poll poll = { .timeout = time_now() + 30000 };

		sched_op(SCHEDOP_poll, &poll);
	}
}

/* Takes all memory there is and gives it back, which leaves idle CPUs something to clear. */
static bool use_memory(void)
{
	static xen_pfn_t frames[16384];
	struct xen_memory_reservation r = { .nr_extents = 16384, .domid = DOMID_SELF };
	long n;

	set_xen_guest_handle(r.extent_start, frames);
	n = memory_op(XENMEM_increase_reservation, &r);
	r.nr_extents = (unsigned long)n;
	return n > 0 && memory_op(XENMEM_decrease_reservation, &r) == n;
}

static long hotplug(unsigned int op)
{
	static struct xen_sysctl s;
	uint64_t end = time_now() + 5 * SECOND;
	long rc;

	do {	/* -EBUSY: we run there ourselves just now */
		s = (struct xen_sysctl){
			.cmd = XEN_SYSCTL_cpu_hotplug,
			.interface_version = XEN_SYSCTL_INTERFACE_VERSION,
			.u.cpu_hotplug = { .cpu = 2, .op = op },
		};
		rc = hypercall3(__HYPERVISOR_sysctl, PTR(&s), 0, 0);
		if (rc)
			time_delay(MS);
	} while (rc == -XEN_EBUSY && time_now() < end);
	return rc;
}

static void test_cpus_go(void)
{
	bool ok = true;
	long rc = 0;

	storm = true;
	smp_run(1, sleep_and_wake, NULL);
	for (unsigned int i = 0; i < 10 && !rc; i++) {
		ok &= use_memory();
		rc = hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE);
		ok &= use_memory();
		if (!rc)
			rc = hotplug(XEN_SYSCTL_CPU_HOTPLUG_ONLINE);
		time_delay(MS);
	}
	storm = false;
	smp_wait(1);
	ktest_eq(rc, 0, "a CPU goes and comes back");
	ktest_ok(ok, "there is memory meanwhile");
}

int guest_main(void)
{
	test_counting();
	if (nr_vcpus > 1) {
		test_bad_contexts();
		test_up_down();
		test_ipis();
	}
	if (nr_vcpus > 2) {
		test_vcpu_info();
		test_cpus_go();
	}
	return ktest_result();
}
