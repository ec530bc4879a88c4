/* SPDX-License-Identifier: MIT */
/*
 * Class 4: a missing TLB flush after a mapping change. Needs two vcpus (skipped with one).
 *
 * A second vcpu keeps a translation warm by writing through it. This one takes the mapping away in
 * every way there is, with the flush the ABI promises, or without one and then gives the page a new
 * role, where the hypervisor itself must flush. The second vcpu then may not reach the page any
 * more: a store that lands in a page table or in a freed page is the bug.
 *
 * boot-args: --smp 2
 */
#include <guest/cpu.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>

/* Neither is a present PTE. */
#define FIRST	0x10UL
#define STALE	0x5a5a5a50UL

static char *va;			/* the mapping under test */
static volatile unsigned long go, done;
static volatile bool wrote;

/* On vcpu 1: touch, say so, wait for the word to write, write without any hypercall between. */
static void prober(void *unused __unused)
{
	*(volatile uint64_t *)va = FIRST;
	done = 1;
	while (!go)
		__asm__ volatile("pause");
	wrote = try_write64(va, STALE);
	done = 2;
}

/*
 * Make vcpu 1 warm its TLB for va -> page, run change(page), then let it write.
 * Returns whether the write went through (anywhere).
 */
static bool probe(void *page, void (*change)(void *page))
{
	update_va_mapping(PTR(va), pte_make(virt_to_mfn(page), PTE_KERNEL),
			  UVMF_TLB_FLUSH | UVMF_ALL);
	go = done = 0;
	smp_run(1, prober, NULL);
	while (done != 1)
		sched_op(SCHEDOP_yield, NULL);
	change(page);
	go = 1;
	while (done != 2)
		sched_op(SCHEDOP_yield, NULL);
	smp_wait(1);
	return wrote;
}

static void unmap_invlpg_all(void *page __unused)
{
	ktest_eq(update_va_mapping(PTR(va), 0, UVMF_INVLPG | UVMF_ALL), 0, "unmap, INVLPG all");
}

static void unmap_flush_all(void *page __unused)
{
	ktest_eq(update_va_mapping(PTR(va), 0, UVMF_TLB_FLUSH | UVMF_ALL), 0, "unmap, flush all");
}

static void unmap_multi(void *page __unused)
{
	unsigned long vcpus = 1UL << 1;

	ktest_eq(update_va_mapping(PTR(va), 0, UVMF_INVLPG | PTR(&vcpus)), 0,
		 "unmap, INVLPG vcpu 1");
}

static void make_ro_mmuext_all(void *page)
{
	pt_write(pt_lookup(kernel_l4, PTR(va), 1), pte_make(virt_to_mfn(page), PTE_KERNEL_RO));
	ktest_eq(mmuext_simple(MMUEXT_INVLPG_ALL, PTR(va)), 0, "read-only, MMUEXT_INVLPG_ALL");
}

static void unmap_mmuext_tlb_multi(void *page __unused)
{
	unsigned long vcpus = 3;
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_MULTI };

	set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
	pt_write(pt_lookup(kernel_l4, PTR(va), 1), 0);
	ktest_eq(mmuext_op(&op, 1, NULL), 0, "unmap, MMUEXT_TLB_FLUSH_MULTI");
}

/* No flush asked: but becoming a page table must flush. */
static void unmap_and_pin(void *page)
{
	pt_write(pt_lookup(kernel_l4, PTR(va), 1), 0);
	ktest_eq(page_protect(page), 0, "kernel mapping read-only");
	ktest_eq(pt_pin(page, 1), 0, "unmap without flush, then pin as L1");
}

/* The same through a table entry instead of a pin. */
static void unmap_and_hook(void *page)
{
	pt_write(pt_lookup(kernel_l4, PTR(va), 1), 0);
	update_va_mapping(PTR(page), pte_make(virt_to_mfn(page), PTE_KERNEL_RO), 0);
	ktest_eq(pt_write(pt_lookup(kernel_l4, GUEST_VIRT_BASE, 2) + 500,
			  pte_make(virt_to_mfn(page), PTE_TABLE)), 0,
		 "unmap without flush, then hook into an L2");
}

static void test_flushes(void)
{
	void (*const changes[])(void *) = {
		unmap_invlpg_all, unmap_flush_all, unmap_multi, make_ro_mmuext_all,
		unmap_mmuext_tlb_multi,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(changes); i++) {
		uint64_t *page = page_alloc();
		bool went = probe(page, changes[i]);

		ktest_ok(!went, "the other vcpu's store faults");
		ktest_eq(*page, FIRST, "page holds the first store only");
	}
}

/*
 * A freed page that comes back and becomes a table. While it lies free, or is the same domain's
 * data again, a stale store harms nobody and the flush may wait; a table must not be reachable.
 */
#define POOL	64U	/* pages taken at once, so that the freed one is most likely among them */

static xen_pfn_t pool[POOL];	/* pfns that have no page */
static uint64_t *table;		/* where the freed frame came back, or else another */
static bool back;

static void give_away(void *page, xen_pfn_t mfn)
{
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, &mfn);
	update_va_mapping(PTR(page), 0, UVMF_INVLPG | UVMF_LOCAL);
	ktest_eq(memory_op(XENMEM_decrease_reservation, &r), 1, "give a page away");
}

static void unmap_free_and_pin(void *page)
{
	struct xen_memory_reservation r = { .nr_extents = POOL, .domid = DOMID_SELF };
	xen_pfn_t freed = virt_to_mfn(page), got[POOL];

	pt_write(pt_lookup(kernel_l4, PTR(va), 1), 0);	/* no flush asked */
	give_away(page, freed);
	memcpy(got, pool, sizeof(got));
	set_xen_guest_handle(r.extent_start, got);
	ktest_eq(memory_op(XENMEM_populate_physmap, &r), POOL, "take pages");
	for (unsigned int i = 0; i < POOL; i++) {
		p2m[pool[i]] = got[i];
		if (i && got[i] != freed)
			continue;
		table = (uint64_t *)pfn_to_virt(pool[i]);
		back = got[i] == freed;
	}
	ktest_eq(page_unprotect(table), 0, "map it");
	memset(table, 0, PAGE_SIZE);
	ktest_eq(page_protect(table), 0, "read-only");
	ktest_eq(pt_pin(table, 1), 0, "pin it as L1");
}

static void test_freed(void)
{
	void *page = NULL;
	bool went;

	for (unsigned int i = 0; i < POOL; i++) {
		page = page_alloc();
		pool[i] = virt_to_pfn(page);
		if (i < POOL - 1)
			give_away(page, virt_to_mfn(page));
	}
	went = probe(page, unmap_free_and_pin);
	ktest_note("the freed frame came back: %d", back);
	ktest_eq(*(volatile uint64_t *)table, 0, "freed, then a table: no stale store");
	/* Free still, it may be written to: its next owner's allocation flushes. */
	ktest_ok(!went || !back, "freed, then a table: the store faulted");
	ktest_eq(pt_unpin(table), 0, "unpin");
}

int guest_main(void)
{
	void *page;

	if (!smp_exists(1)) {
		ktest_note("SKIP: one vcpu");
		return 0;
	}
	ktest_eq(smp_boot(1), 0, "second vcpu");
	va = page_alloc();
	test_flushes();

	page = page_alloc();
	probe(page, unmap_and_pin);
	/* A stale store would have changed the table behind the hypervisor's back. */
	ktest_eq(*(volatile uint64_t *)page, FIRST, "pinned table: no stale store");
	ktest_ok(!wrote, "pinned table: the store faulted");
	ktest_eq(pt_unpin(page), 0, "unpin");

	page = page_alloc();
	probe(page, unmap_and_hook);
	ktest_eq(*(volatile uint64_t *)page, FIRST, "hooked table: no stale store");
	ktest_eq(pt_write(pt_lookup(kernel_l4, GUEST_VIRT_BASE, 2) + 500, 0), 0, "unhook");

	test_freed();
	return ktest_result();
}
