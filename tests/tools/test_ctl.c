/* SPDX-License-Identifier: MIT */
/*
 * Control operations through the real libs/ctl on the fake hypervisor: lists longer than a batch,
 * arguments that outgrow the area, answers copied back, errors passed on.
 */
/* LINK: dom0-tools/libs/ctl/core.c dom0-tools/libs/ctl/domain.c dom0-tools/libs/ctl/memory.c */
/* LINK: dom0-tools/libs/ctl/host.c dom0-tools/libs/ctl/vcpu.c dom0-tools/libs/ctl/policy.c */
/* LINK: dom0-tools/libs/call/fake.c dom0-tools/libs/call/fake_ops.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tools/ctl.h>
#include <xen/sched.h>
#include <fake_hypervisor.h>

static int setup(void **state)
{
	struct ctl *ctl;

	fake_hv_reset(20000, 3);
	assert_int_equal(ctl_open(&ctl), 0);
	*state = ctl;
	return 0;
}

static int teardown(void **state)
{
	ctl_close(*state);
	assert_int_equal(fake_hv_buffers(), 0);
	assert_int_equal(fake_hv_handles(), 0);
	fake_hv_reset(0, 0);
	return 0;
}

static domid_t make(struct ctl *ctl, unsigned int vcpus)
{
	struct xen_domctl_createdomain config = { .max_vcpus = vcpus, .handle = { 1, 2, 3 } };
	domid_t id = 0;

	assert_int_equal(ctl_createdomain(ctl, &id, &config), 0);
	assert_int_equal(ctl_max_vcpus(ctl, id, vcpus), 0);
	return id;
}

static void test_open(void **state)
{
	struct ctl *ctl;

	(void)state;
	fake_hv_fail(1, -EACCES);
	assert_int_equal(ctl_open(&ctl), -EPROTO);
	fake_hv_fail(1, -EPERM);
	assert_int_equal(ctl_open(&ctl), -EPERM);
}

static void test_domains(void **state)
{
	static struct xen_domctl_getdomaininfo list[400];
	struct xen_domctl_getdomaininfo info;
	struct ctl *ctl = *state;

	for (unsigned int i = 0; i < 300; i++)
		make(ctl, 1);
	assert_int_equal(ctl_getdomaininfolist(ctl, 0, 400, list), 301);
	for (unsigned int i = 0; i < 301; i++)
		assert_int_equal(list[i].domain, i);
	assert_int_equal(ctl_getdomaininfolist(ctl, 0, 128, list), 128);
	assert_int_equal(ctl_getdomaininfolist(ctl, 200, 50, list), 50);
	assert_int_equal(list[0].domain, 200);
	assert_int_equal(ctl_getdomaininfolist(ctl, 500, 50, list), 0);
	assert_int_equal(ctl_getdomaininfo(ctl, 5, &info), 0);
	assert_int_equal(info.handle[2], 3);
	assert_int_equal(ctl_destroydomain(ctl, 5), 0);
	assert_int_equal(ctl_getdomaininfo(ctl, 5, &info), -ESRCH);
	assert_int_equal(ctl_getdomaininfo(ctl, 500, &info), -ESRCH);
	assert_int_equal(ctl_pausedomain(ctl, 6), 0);
	assert_int_equal(fake_hv_domain(6)->pause_count, 2);
	assert_int_equal(ctl_remote_shutdown(ctl, 6, SHUTDOWN_reboot), 0);
	assert_int_equal(ctl_getdomaininfo(ctl, 6, &info), 0);
	assert_true(info.flags & XEN_DOMINF_shutdown);
	assert_int_equal(info.flags >> XEN_DOMINF_shutdownshift & 255, SHUTDOWN_reboot);
}

static void test_vcpus(void **state)
{
	uint8_t hard[2] = { 5, 0 }, soft[2] = { 2, 1 }, got_hard[2], got_soft[2];
	struct xen_domctl_scheduler_op op = { .sched_id = XEN_SCHEDULER_CREDIT2 };
	struct xen_domctl_getvcpuinfo info;
	struct ctl *ctl = *state;
	domid_t id = make(ctl, 2);

	assert_int_equal(ctl_setvcpuaffinity(ctl, id, 1, hard, NULL, 2), 0);
	assert_int_equal(ctl_setvcpuaffinity(ctl, id, 1, NULL, soft, 2), 0);
	assert_int_equal(ctl_getvcpuaffinity(ctl, id, 1, got_hard, got_soft, 2), 0);
	assert_memory_equal(got_hard, hard, 2);
	assert_memory_equal(got_soft, soft, 2);
	assert_int_equal(ctl_getvcpuinfo(ctl, id, 1, &info), 0);
	assert_int_equal(info.online, 0);
	assert_int_equal(ctl_getvcpuinfo(ctl, id, 2, &info), -ESRCH);
	op.u.credit2.weight = 512;
	op.u.credit2.cap = 40;
	assert_int_equal(ctl_sched_put(ctl, id, &op), 0);
	memset(&op.u, 0, sizeof(op.u));
	assert_int_equal(ctl_sched_get(ctl, id, &op), 0);
	assert_int_equal(op.u.credit2.weight, 512);
	assert_int_equal(op.u.credit2.cap, 40);
}

/* More extents than one batch; what does not fit is told by the count. */
static void test_memory(void **state)
{
	enum { PAGES = 10000 };
	static xen_pfn_t frames[PAGES];
	struct ctl *ctl = *state;
	domid_t id = make(ctl, 1);

	for (unsigned int i = 0; i < PAGES; i++)
		frames[i] = i;
	assert_int_equal(ctl_populate_physmap(ctl, id, 0, 0, 10, frames), 0);
	assert_int_equal(ctl_max_mem(ctl, id, 9000 * 4), 0);
	assert_int_equal(ctl_populate_physmap(ctl, id, 0, 0, PAGES, frames), 9000);
	for (unsigned int i = 0; i < 9000; i++)
		assert_int_equal(fake_hv_m2p(frames[i]), i);
	assert_int_equal(frames[9000], 9000);
	assert_int_equal(ctl_getpageframeinfo(ctl, id, 1, (xen_pfn_t[]){ 1 }), 0);
	assert_int_equal(ctl_getpageframeinfo(ctl, id, 2500, frames), 0);
	assert_int_equal(frames[2499], XEN_DOMCTL_PFINFO_NOTAB);
	assert_int_equal(ctl_decrease_reservation(ctl, id, 5000, frames + 3000), 5000);
	assert_int_equal(fake_hv_domain(id)->pages, 4000);
	assert_int_equal(ctl_claim_pages(ctl, id, 100000), -ENOMEM);
	assert_int_equal(ctl_claim_pages(ctl, id, 4100), 0);
	assert_int_equal(fake_hv_claimed(), 100);
	assert_int_equal(ctl_claim_pages(ctl, id, 0), 0);
}

static void test_host(void **state)
{
	struct xen_sysctl_cpupool_op pool = { .op = XEN_SYSCTL_CPUPOOL_OP_INFO };
	struct xen_sysctl_cputopo topo[2];
	struct xen_sysctl_physinfo info;
	struct xen_sysctl_meminfo mem[4];
	struct ctl *ctl = *state;
	uint32_t distance[16];
	uint64_t idle[8];
	uint8_t map[4];
	char extra[16];

	assert_int_equal(ctl_physinfo(ctl, &info), 0);
	assert_int_equal(info.nr_cpus, 3);
	assert_int_equal(ctl_cputopoinfo(ctl, NULL, 0), 3);
	assert_int_equal(ctl_cputopoinfo(ctl, topo, 2), 2);
	assert_int_equal(topo[1].core, 1);
	assert_int_equal(ctl_numainfo(ctl, mem, distance, 4), 1);
	assert_int_equal(distance[0], 10);
	assert_int_equal(ctl_getcpuinfo(ctl, idle, 8), 3);
	assert_int_equal(ctl_cpupool(ctl, &pool, map, sizeof(map)), 0);
	assert_int_equal(map[0], 7);
	assert_int_equal(map[1], 0);
	assert_int_equal(ctl_version(ctl, XENVER_version, NULL, 0), 0x40011);
	assert_int_equal(ctl_version(ctl, XENVER_extraversion, extra, sizeof(extra)), 0);
	assert_string_equal(extra, ".fake");
	assert_int_equal(ctl_debug_keys(ctl, "q"), 0);
}

static void test_ports(void **state)
{
	struct evtchn_status status;
	struct ctl *ctl = *state;
	domid_t id = make(ctl, 1);

	assert_int_equal(ctl_alloc_unbound(ctl, id, 7), 1);
	assert_int_equal(ctl_alloc_unbound(ctl, id, 7), 2);
	assert_int_equal(ctl_evtchn_status(ctl, id, 2, &status), 0);
	assert_int_equal(status.status, EVTCHNSTAT_unbound);
	assert_int_equal(status.u.unbound.dom, 7);
	assert_int_equal(ctl_evtchn_reset(ctl, id), 0);
	assert_int_equal(fake_hv_ports(id), 0);
	assert_int_equal(ctl_alloc_unbound(ctl, 99, 0), -ESRCH);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(open), CASE(domains), CASE(vcpus), CASE(memory), CASE(host), CASE(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
