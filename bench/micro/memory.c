/* SPDX-License-Identifier: MIT */
/* Benchmarks of page-table updates, pinning, and giving pages back. */
#include "bench.h"

#include <guest/mm.h>

#define BATCH	128

static void bench_mmu_update(void)
{
	static struct mmu_update ro[BATCH], rw[BATCH], zero[BATCH];
	const pte_t *l1;
	char *pages[BATCH];

	for (unsigned int i = 0; i < BATCH; i++) {
		unsigned long mfn;

		pages[i] = page_alloc();
		mfn = virt_to_mfn(pages[i]);
		l1 = pt_lookup(kernel_l4, PTR(pages[i]), 1);
		zero[i] = (struct mmu_update){ .ptr = virt_to_maddr(l1) };
		ro[i] = (struct mmu_update){ .ptr = virt_to_maddr(l1),
					     .val = pte_make(mfn, PTE_KERNEL_RO | PTE_D) };
		rw[i] = (struct mmu_update){ .ptr = virt_to_maddr(l1),
					     .val = pte_make(mfn, PTE_KERNEL) };
	}
	must(mmu_update(ro, BATCH, NULL), "mmu_update ro");
	report("mmu_update RO/RW, per entry at 128",
	       MEASURE(, mmu_update(i_ & 1 ? ro : rw, BATCH, NULL)) / BATCH);
	report("mmu_update RO/RW, single",
	       MEASURE(, call(__HYPERVISOR_mmu_update, PTR(i_ & 1 ? ro : rw), 1, 0, DOMID_SELF)));
	report("mmu_update 0/map, per entry at 128",
	       MEASURE(, mmu_update(zero, BATCH, NULL); mmu_update(rw, BATCH, NULL)) / (2 * BATCH));
	must(mmu_update(ro, BATCH, NULL), "mmu_update ro");
	report("update_va_mapping RO/RW, no flush",
	       MEASURE(, call(__HYPERVISOR_update_va_mapping, PTR(pages[0]),
			      i_ & 1 ? ro[0].val : rw[0].val, 0, 0)));
	must(mmu_update(rw, BATCH, NULL), "mmu_update rw");
	for (unsigned int i = 0; i < BATCH; i++)
		page_free(pages[i]);
}

static void bench_direct_write(void)
{
	void *page = page_alloc();
	volatile pte_t *e = (volatile pte_t *)pt_lookup(kernel_l4, PTR(page), 1);
	pte_t rw = pte_make(virt_to_mfn(page), PTE_KERNEL), ro = rw & ~PTE_RW;

	must(vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), "vm_assist");
	report("direct PTE write, emulated", MEASURE(, *e = i_ & 1 ? rw : ro));
	must(vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), "vm_assist");
	must(page_unprotect(page), "unprotect");
	page_free(page);
}

static void bench_mmuext(void)
{
	static struct mmuext_op base, pin, unpin;
	void *page = page_alloc();

	base = (struct mmuext_op){ .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = virt_to_mfn(kernel_l4) };
	pin = (struct mmuext_op){ .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = virt_to_mfn(page) };
	unpin = (struct mmuext_op){ .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = virt_to_mfn(page) };

	must(mmuext_op(&base, 1, NULL), "NEW_BASEPTR");
	report("MMUEXT_NEW_BASEPTR, same table",
	       MEASURE(, call(__HYPERVISOR_mmuext_op, PTR(&base), 1, 0, DOMID_SELF)));

	must(page_protect(page), "protect");
	must(mmuext_op(&pin, 1, NULL), "pin");
	must(mmuext_op(&unpin, 1, NULL), "unpin");
	report("pin + unpin of an empty L1",
	       MEASURE(, call(__HYPERVISOR_mmuext_op, PTR(&pin), 1, 0, DOMID_SELF);
			 call(__HYPERVISOR_mmuext_op, PTR(&unpin), 1, 0, DOMID_SELF)));
	must(page_unprotect(page), "unprotect");
	page_free(page);
}

static void bench_reservation(void)
{
	unsigned long pfn = pfn_alloc_unmapped();
	xen_pfn_t frame = pfn_to_mfn(pfn);
	struct xen_memory_reservation out = { .nr_extents = 1, .domid = DOMID_SELF }, in = out;
	long rc = 1;

	/* decrease takes the mfn; populate takes the pfn and gives the mfn in its place. */
	set_xen_guest_handle(out.extent_start, &frame);
	set_xen_guest_handle(in.extent_start, &frame);
	report("decrease_reservation + populate_physmap, 1 page",
	       MEASURE(if (rc != 1) panic("reservation: %ld", rc),
		       rc = call(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, PTR(&out), 0,
				 0);
		       frame = pfn;
		       rc += call(__HYPERVISOR_memory_op, XENMEM_populate_physmap, PTR(&in), 0, 0);
		       rc--));
	p2m[pfn] = frame;
}

void bench_memory(void)
{
	bench_mmuext();
	bench_mmu_update();
	bench_direct_write();
	bench_reservation();
}
