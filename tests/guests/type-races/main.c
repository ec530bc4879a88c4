/* SPDX-License-Identifier: MIT */
/*
 * Class 3: races in lock-free type changes. Needs two vcpus (skipped with one).
 *
 * One vcpu makes a page a page table and lets it go again (pin, unpin) while the other maps the
 * same page writable and unmaps it. At no time may both hold it: each side publishes that it holds
 * the page after its hypercall succeeded and withdraws before it lets go, so seeing the other's
 * flag while holding is a proof that both types were granted at once. The writer also writes PTEs
 * through its mapping, which must never be found in a table that was validated.
 *
 * boot-args: --smp 2
 */
#include <guest/cpu.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/start.h>

#define ROUNDS		4000
#define MAX_ROUNDS	400000	/* until each side won often enough */
#define ENOUGH		100

static pte_t *page;
static char *alias;		/* where the writer maps the page */
static volatile bool pinned, writable, stop;
static unsigned long conflicts, pins, pin_fails, maps, map_fails, bad_entries;
static unsigned long unpin_fails;
static long last_refusal;

static void pinner(void *unused __unused)
{
	while (!stop) {
		long rc = pt_pin(page, 1);

		if (rc) {
			last_refusal = rc;
			pin_fails++;
			continue;
		}
		pins++;
		pinned = true;
		__sync_synchronize();
		conflicts += writable;
		for (unsigned int i = 0; i < 4; i++)
			bad_entries += READ_ONCE(page[i]) & PTE_P;
		pinned = false;
		__sync_synchronize();
		unpin_fails += pt_unpin(page) != 0;
	}
}

static void writer(void)
{
	pte_t rw = pte_make(virt_to_mfn(page), PTE_KERNEL);

	for (unsigned int i = 0; i < MAX_ROUNDS; i++) {
		if (i > ROUNDS && pins > ENOUGH && maps > ENOUGH)
			break;
		if (update_va_mapping(PTR(alias), rw, UVMF_INVLPG | UVMF_LOCAL)) {
			map_fails++;
			continue;
		}
		maps++;
		writable = true;
		__sync_synchronize();
		conflicts += pinned;
		/*
		 * An entry no validation would pass: the L4, writable. Gone before the mapping is.
		 */
		*(volatile pte_t *)alias = pte_make(virt_to_mfn(kernel_l4), PTE_KERNEL);
		*(volatile pte_t *)alias = 0;
		writable = false;
		__sync_synchronize();
		update_va_mapping(PTR(alias), 0, i & 1 ? UVMF_INVLPG | UVMF_LOCAL : 0);
	}
}

/*
 * Two vcpus change the same L1 slots at once; then the data pages' counts must have returned to
 * zero.
 */
static volatile pte_t *shared_slot;
static void *pages[2];

static void slot_changer(void *arg)
{
	unsigned int n = PTR(arg);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		pt_write((const pte_t *)shared_slot,
			 pte_make(virt_to_mfn(pages[(i + n) & 1]),
				  i & 2 ? PTE_KERNEL : PTE_KERNEL_RO));
		if (i % 7 == 0)
			pt_write((const pte_t *)shared_slot, 0);
	}
}

static void test_same_slot(void)
{
	void *window = page_alloc();

	shared_slot = (pte_t *)pt_lookup(kernel_l4, PTR(window), 1);
	pages[0] = page_alloc();
	pages[1] = page_alloc();
	smp_run(1, slot_changer, (void *)1);
	slot_changer((void *)0);
	smp_wait(1);
	pt_write((const pte_t *)shared_slot, 0);
	for (unsigned int i = 0; i < 2; i++) {
		ktest_eq(page_protect(pages[i]), 0, "page %u read-only", i);
		ktest_eq(pt_pin(pages[i], 1), 0, "page %u: no writable reference is left", i);
		ktest_eq(pt_unpin(pages[i]), 0, "page %u unpinned", i);
		ktest_eq(page_unprotect(pages[i]), 0, "page %u: no type reference is left", i);
	}
}

int guest_main(void)
{
	if (!smp_exists(1)) {
		ktest_note("SKIP: one vcpu");
		return 0;
	}
	ktest_eq(smp_boot(1), 0, "second vcpu");
	page = page_alloc();
	alias = page_alloc();
	ktest_eq(page_protect(page), 0, "protect");
	update_va_mapping(PTR(alias), 0, UVMF_INVLPG | UVMF_ALL);

	smp_run(1, pinner, NULL);
	writer();
	stop = true;
	smp_wait(1);
	ktest_eq(unpin_fails, 0, "unpin always works");
	ktest_note("last %ld pins %lu (refused %lu), maps %lu (refused %lu)", last_refusal, pins,
		   pin_fails, maps, map_fails);
	ktest_eq(conflicts, 0, "never table and writable at once");
	ktest_eq(bad_entries, 0, "no unvalidated entry in a pinned table");
	ktest_ok(pins > ENOUGH && maps > ENOUGH, "both sides succeeded often");
	ktest_eq(page_unprotect(page), 0, "no reference is left");
	test_same_slot();
	return ktest_result();
}
