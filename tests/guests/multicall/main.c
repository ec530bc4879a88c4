/* SPDX-License-Identifier: MIT */
/*
 * Class 7: multicall and continuation state confused.
 *
 * A multicall must run its entries in order, each with its own 64-bit result, whatever the others
 * do: failing ones, unknown ones, a nested multicall. Operations that are preempted continue inside
 * it: a large populate and a large batch of updates run while timer events come at different
 * moments, and neither their own results nor those of their neighbours may show it.
 */
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/string.h>
#include <guest/time.h>

#define NR_PAGES	1024

static unsigned long ticks;
static xen_pfn_t pfns[NR_PAGES], frames[NR_PAGES];

static void on_timer(evtchn_port_t port __unused)
{
	ticks++;
}

static struct multicall_entry entry(unsigned long op, unsigned long a, unsigned long b,
				    unsigned long c, unsigned long d)
{
	return (struct multicall_entry){ .op = op, .result = 0xdead, .args = { a, b, c, d } };
}

static void test_results(void)
{
	struct multicall_entry inner = entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
	struct multicall_entry calls[] = {
		entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
		entry(63, 0, 0, 0, 0),
		entry(~0UL, 0, 0, 0, 0),
		entry(1UL << 32 | __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
		entry(__HYPERVISOR_multicall, PTR(&inner), 1, 0, 0),
		entry(__HYPERVISOR_event_channel_op, EVTCHNOP_send, 0, 0, 0),
		entry(__HYPERVISOR_update_va_mapping, HYPERVISOR_VIRT_START, 0, 0, 0),
		entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
		entry(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0, 0),
	};
	static const long want[] = { 0x40011, -XEN_ENOSYS, -XEN_ENOSYS, -XEN_ENOSYS, -XEN_EINVAL,
				     -XEN_EFAULT, -XEN_EINVAL, 0x40011 };

	ktest_eq(multicall(calls, ARRAY_SIZE(calls)), 0, "multicall of nine");
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
		ktest_eq(calls[i].result, want[i], "entry %u", i);
	ktest_ok((long)calls[8].result > 1024, "entry 8: maximum_ram_page");
	ktest_eq(inner.result, 0xdead, "the nested one did not run");
	ktest_eq(multicall(calls, 0), 0, "no entries");
	ktest_eq(multicall(NULL, 0), 0, "no entries, no pointer");
}

static void test_edges(void)
{
	char *a = page_alloc(), *b = page_alloc();
	struct multicall_entry *calls = (struct multicall_entry *)b - 2;

	if (b != a + PAGE_SIZE) {
		ktest_ok(false, "pages are not adjacent");
		return;
	}
	calls[0] = calls[1] = entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
	update_va_mapping(PTR(b), 0, UVMF_INVLPG);
	ktest_eq(multicall(calls, 4), -XEN_EFAULT, "array runs into an unmapped page");
	ktest_eq(calls[1].result, 0x40011, "those before it are done");
	ktest_eq(multicall(calls, 0xffffffff), -XEN_EFAULT, "2^32-1 entries");
	update_va_mapping(PTR(a), pte_make(virt_to_mfn(a), PTE_KERNEL_RO), UVMF_INVLPG);
	ktest_eq(multicall(calls, 2), -XEN_EFAULT, "results cannot be written");
	page_unprotect(a);
	page_unprotect(b);
}

/* An entry that unmaps the entries after it. */
static void test_unmaps_itself(void)
{
	char *a = page_alloc(), *b = page_alloc();
	struct multicall_entry *calls = (struct multicall_entry *)b - 2;

	calls[0] = entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
	calls[1] = entry(__HYPERVISOR_update_va_mapping, PTR(b), 0, UVMF_INVLPG, 0);
	calls[2] = entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
	ktest_eq(multicall(calls, 3), -XEN_EFAULT, "an entry unmaps the next");
	ktest_eq(calls[1].result, 0, "and is done");
	page_unprotect(b);
	ktest_eq(calls[2].result, 0xdead, "the next is not");
	(void)a;
}

/* Give the pages back and take new ones, both inside one multicall, under timer events. */
static void preempted_populate(unsigned int us)
{
	struct xen_memory_reservation out = { .nr_extents = NR_PAGES, .domid = DOMID_SELF };
	struct xen_memory_reservation in = out;
	struct multicall_entry calls[] = {
		entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
		entry(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, PTR(&out), 0, 0),
		entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
		entry(__HYPERVISOR_memory_op, XENMEM_populate_physmap, PTR(&in), 0, 0),
		entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
	};
	static const long want[] = { 0x40011, NR_PAGES, 0x40011, NR_PAGES, 0x40011 };
	static xen_pfn_t new_frames[NR_PAGES];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < NR_PAGES; i++) {
		frames[i] = p2m[pfns[i]];
		new_frames[i] = pfns[i];
	}
	set_xen_guest_handle(out.extent_start, frames);
	set_xen_guest_handle(in.extent_start, new_frames);
	time_set_singleshot(time_now() + us * 1000UL, 0);
	ktest_quiet_eq(multicall(calls, ARRAY_SIZE(calls)), 0, "populate at %u us", us);
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
		ktest_quiet_eq(calls[i].result, want[i], "populate at %u us: entry %u", us, i);
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		p2m[pfns[i]] = new_frames[i];
		wrong += machine_to_phys_mapping[new_frames[i]] != pfns[i];
	}
	ktest_quiet_eq(wrong, 0, "populate at %u us: M2P", us);
}

/* A long mmu_update inside; its done counter must come out whole. */
static void preempted_updates(unsigned int us)
{
	static struct mmu_update updates[4096];
	uint64_t *data = page_alloc();
	unsigned int done = 0;
	struct multicall_entry calls[] = {
		entry(__HYPERVISOR_mmu_update, PTR(updates), ARRAY_SIZE(updates), PTR(&done),
		      DOMID_SELF),
		entry(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(updates); i++)
		updates[i] = (struct mmu_update){
			.ptr = virt_to_maddr(data) + i % 512 * 8, .val = i,
		};
	time_set_singleshot(time_now() + us * 1000UL, 0);
	ktest_quiet_eq(multicall(calls, 2), 0, "updates at %u us", us);
	ktest_quiet_eq(calls[0].result, 0, "updates at %u us: result", us);
	ktest_quiet_eq(calls[1].result, 0x40011, "updates at %u us: next entry", us);
	ktest_quiet_eq(done, ARRAY_SIZE(updates), "updates at %u us: done", us);
	for (unsigned int i = 0; i < 512; i++)
		ktest_quiet_eq(data[i], ARRAY_SIZE(updates) - 512 + i, "updates: word %u", i);
	page_free(data);
}

static void test_preempted(void)
{
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		pfns[i] = pfn_alloc_unmapped();
		if (!pfns[i]) {
			ktest_note("SKIP: too little memory");
			return;
		}
	}
	for (unsigned int us = 1; us < 3000; us += us / 2 + 11) {
		preempted_populate(us);
		preempted_updates(us);
	}
	ktest_ok(ticks > 0, "%lu timer events came in between", ticks);
}

int guest_main(void)
{
	event_set_handler(event_bind_virq(VIRQ_TIMER, 0), on_timer);
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	test_results();
	test_edges();
	test_unmaps_itself();
	test_preempted();
	return ktest_result();
}
