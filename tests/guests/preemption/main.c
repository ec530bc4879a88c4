/* SPDX-License-Identifier: MIT */
/*
 * Class 11: unbounded work in one hypercall.
 *
 * While the longest hypercalls that a guest can issue run, a periodic 1 ms timer must get through:
 * the upcall comes at preemption points, from where the hypercall continues. For each the longest
 * time between two instructions of the guest (by the timer handler's own clock) is printed as a
 * note. A call that takes long without a tick on the way is repeated, as the machine itself may have
 * stood still; one that does so each time is a failure.
 */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/string.h>
#include <guest/time.h>

#define NR_L1		512
#define BIG		8192
#define PERIOD		MS
#define ROUNDS		5

static uint64_t last_tick, longest;
static unsigned long ticks;

static void on_timer(evtchn_port_t port __unused)
{
	uint64_t now = time_now();

	if (now - last_tick > longest)
		longest = now - last_tick;
	last_tick = now;
	ticks++;
	time_set_singleshot(now + PERIOD, 0);
}

static void begin(void)
{
	ticks = longest = 0;
	last_tick = time_now();
	time_set_singleshot(last_tick + PERIOD, 0);
}

/* By statement: whether it was short or was interrupted, in any round. */
static struct verdict {
	const char *what;
	bool preempted;
} verdicts[16];

static struct verdict *verdict_of(const char *what)
{
	struct verdict *v = verdicts;

	while (v->what && v->what != what)
		v++;
	v->what = what;
	return v;
}

static bool all_preempted(void)
{
	for (const struct verdict *v = verdicts; v->what; v++)
		if (!v->preempted)
			return false;
	return true;
}

static void end(const char *what, uint64_t start, long rc, long want)
{
	uint64_t took = time_now() - start;

	vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
	ktest_eq(rc, want, "%s", what);
	ktest_note("%s: %lu us, %lu ticks, at most %lu us between two", what,
		   (unsigned long)took / 1000, ticks, (unsigned long)longest / 1000);
	if (took < 20 * PERIOD || ticks > 1)
		verdict_of(what)->preempted = true;
	else
		verdict_of(what);
}

/* Call statement with the clock running. */
#define TIMED(what, want, statement)			\
	do {						\
		uint64_t start_;			\
		long rc_;				\
		begin();				\
		start_ = time_now();			\
		rc_ = (statement);			\
		end(what, start_, rc_, want);		\
	} while (0)

static void test_page_tables(void)
{
	static pte_t *l1[NR_L1];
	pte_t *l2 = page_alloc(), *l3 = page_alloc(), *l4 = page_alloc();
	void *data = page_alloc();

	for (unsigned int i = 0; i < NR_L1; i++) {
		l1[i] = page_alloc();
		for (unsigned int j = 0; j < 512; j++)
			l1[i][j] = pte_make(virt_to_mfn(data), PTE_KERNEL);
		page_protect(l1[i]);
		l2[i] = pte_make(virt_to_mfn(l1[i]), PTE_TABLE);
	}
	l3[9] = pte_make(virt_to_mfn(l2), PTE_TABLE);
	l4[9] = pte_make(virt_to_mfn(l3), PTE_TABLE);
	page_protect(l2);
	page_protect(l3);
	page_protect(l4);
	TIMED("pin a tree of 1 GiB", 0, pt_pin(l4, 4));
	TIMED("unpin it", 0, pt_unpin(l4));
	TIMED("hook in its L3", 0, pt_write(kernel_l4 + 9, pte_make(virt_to_mfn(l3), PTE_TABLE)));
	TIMED("unhook it", 0, pt_write(kernel_l4 + 9, 0));
	for (unsigned int i = 0; i < NR_L1; i++) {
		page_unprotect(l1[i]);
		page_free(l1[i]);
	}
	page_unprotect(l2);
	page_unprotect(l3);
	page_unprotect(l4);
	page_free(l2);
	page_free(l3);
	page_free(l4);
	page_free(data);
}

static void test_batches(void)
{
	static struct mmu_update updates[BIG];
	static struct multicall_entry calls[BIG];
	static struct mmuext_op flushes[BIG];
	void *data = page_alloc();

	for (unsigned int i = 0; i < BIG; i++) {
		updates[i] = (struct mmu_update){ .ptr = virt_to_maddr(data) };
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
			.args = { PTR(data), pte_make(virt_to_mfn(data), PTE_KERNEL),
				  UVMF_TLB_FLUSH | UVMF_LOCAL } };
		flushes[i].cmd = MMUEXT_TLB_FLUSH_LOCAL;
	}
	TIMED("8192 updates", 0, mmu_update(updates, BIG, NULL));
	TIMED("8192 flushes", 0, mmuext_op(flushes, BIG, NULL));
	TIMED("multicall of 8192 mappings", 0, multicall(calls, BIG));
	page_free(data);
}

static void test_reservation(void)
{
	static xen_pfn_t frames[BIG], pfns[BIG];
	struct xen_memory_reservation r = { .domid = DOMID_SELF };
	static unsigned int n;		/* the rounds after the first use the same */

	for (; n < BIG; n++) {
		pfns[n] = pfn_alloc_unmapped();
		if (!pfns[n])
			break;
		frames[n] = p2m[pfns[n]];
	}
	r.nr_extents = n;
	set_xen_guest_handle(r.extent_start, frames);
	TIMED("decrease_reservation", n, memory_op(XENMEM_decrease_reservation, &r));
	memcpy(frames, pfns, sizeof(frames));
	TIMED("populate_physmap", n, memory_op(XENMEM_populate_physmap, &r));
}

int guest_main(void)
{
	event_set_handler(event_bind_virq(VIRQ_TIMER, 0), on_timer);
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	for (unsigned int i = 0; i < ROUNDS && (!i || !all_preempted()); i++) {
		test_page_tables();
		test_batches();
		test_reservation();
	}
	for (const struct verdict *v = verdicts; v->what; v++)
		ktest_ok(v->preempted, "%s is preempted", v->what);
	return ktest_result();
}
