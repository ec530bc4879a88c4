/* SPDX-License-Identifier: MIT */
/*
 * Class 5: a page stolen, exchanged or freed while it is typed or mapped.
 *
 * decrease_reservation and XENMEM_exchange are applied to pages that are mapped, pinned, part of a
 * page table in use, granted and mapped through the grant, or not ours. Whatever the answer, the
 * page must stay allocated as long as anything refers to it: its contents stay, and an exchange
 * leaves everything as it was with nr_exchanged telling how far it came.
 */
#include <guest/grant.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>

static long decrease(unsigned long mfn)
{
	xen_pfn_t frame = mfn;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, &frame);
	return memory_op(XENMEM_decrease_reservation, &r);
}

/* Give the pfn a new frame; its mapping must be gone. */
static long populate(unsigned long pfn)
{
	xen_pfn_t frame = pfn;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
	long rc;

	set_xen_guest_handle(r.extent_start, &frame);
	rc = memory_op(XENMEM_populate_physmap, &r);
	if (rc == 1)
		p2m[pfn] = frame;
	return rc;
}

static long exchange(unsigned long mfn, unsigned long pfn, unsigned long *nr, xen_pfn_t *new_mfn)
{
	xen_pfn_t in = mfn, out = pfn;
	struct xen_memory_exchange x = {
		.in = { .nr_extents = 1, .domid = DOMID_SELF },
		.out = { .nr_extents = 1, .domid = DOMID_SELF },
	};
	long rc;

	set_xen_guest_handle(x.in.extent_start, &in);
	set_xen_guest_handle(x.out.extent_start, &out);
	rc = memory_op(XENMEM_exchange, &x);
	*nr = x.nr_exchanged;
	*new_mfn = out;
	return rc;
}

static long current_pages(void)
{
	domid_t self = DOMID_SELF;

	return memory_op(XENMEM_current_reservation, &self);
}

static void test_exchange(void)
{
	uint64_t *page = page_alloc();
	unsigned long pfn = virt_to_pfn(page), old = virt_to_mfn(page), nr = 99;
	long before = current_pages();
	xen_pfn_t new_mfn = 0;

	*page = 0x1234;
	ktest_eq(exchange(old, pfn, &nr, &new_mfn), -XEN_EINVAL, "exchange a mapped page");
	ktest_eq(nr, 0, "nothing exchanged");
	ktest_eq(*page, 0x1234, "page unchanged");
	ktest_eq(machine_to_phys_mapping[old], pfn, "M2P unchanged");

	update_va_mapping(PTR(page), 0, UVMF_INVLPG);
	ktest_eq(exchange(old, pfn, &nr, &new_mfn), 0, "exchange an unmapped page");
	ktest_eq(nr, 1, "one exchanged");
	ktest_ok(new_mfn != old, "another frame came");
	ktest_eq(machine_to_phys_mapping[new_mfn], pfn, "its M2P entry is set");
	p2m[pfn] = new_mfn;
	ktest_eq(page_unprotect(page), 0, "and it can be mapped");
	ktest_eq(exchange(old, pfn, &nr, &new_mfn), -XEN_EINVAL, "exchange a frame that is gone");
	ktest_eq(nr, 0, "nothing exchanged");
	ktest_eq(current_pages(), before, "the number of pages is the same");

	ktest_eq(page_protect(page), 0, "read-only");
	ktest_eq(pt_pin(page, 1), 0, "pin");
	update_va_mapping(PTR(page), 0, UVMF_INVLPG);
	ktest_eq(exchange(virt_to_mfn(page), pfn, &nr, &new_mfn), -XEN_EINVAL,
		 "exchange a pinned page");
	ktest_eq(pt_unpin(page), 0, "still pinned, unpin");
	ktest_eq(page_unprotect(page), 0, "map again");
}

static void test_exchange_arguments(void)
{
	xen_pfn_t in = 0, out = 0;
	struct xen_memory_exchange x = {
		.in = { .nr_extents = 2, .domid = DOMID_SELF },
		.out = { .nr_extents = 1, .domid = DOMID_SELF },
	};

	set_xen_guest_handle(x.in.extent_start, &in);
	set_xen_guest_handle(x.out.extent_start, &out);
	ktest_eq(memory_op(XENMEM_exchange, &x), -XEN_EINVAL, "unequal sizes");
	x.in.nr_extents = x.out.nr_extents = 1;
	x.nr_exchanged = 2;
	ktest_eq(memory_op(XENMEM_exchange, &x), -XEN_EINVAL, "more exchanged than there are");
	x.nr_exchanged = 0;
	x.in.extent_order = x.out.extent_order = 40;
	ktest_eq(memory_op(XENMEM_exchange, &x), -XEN_EPERM, "a huge order");
}

static void test_decrease(void)
{
	uint64_t *page = page_alloc();
	unsigned long pfn = virt_to_pfn(page), mfn = virt_to_mfn(page);
	long before = current_pages();

	*page = 0x4321;
	ktest_eq(decrease(mfn), 1, "decrease a mapped page");
	ktest_eq(*page, 0x4321, "its content stays while it is mapped");
	ktest_eq(decrease(mfn), 1, "decrease it again");
	ktest_eq(update_va_mapping(PTR(page), 0, UVMF_INVLPG), 0, "unmap it");
	ktest_eq(current_pages(), before - 1, "one page less");
	ktest_eq(update_va_mapping(PTR(page), pte_make(mfn, PTE_KERNEL), UVMF_INVLPG), -XEN_EBUSY,
		 "it is no longer ours to map");
	ktest_eq(populate(pfn), 1, "populate the pfn");
	ktest_eq(current_pages(), before, "as many as before");
	ktest_eq(page_unprotect(page), 0, "map the new frame");

	ktest_eq(decrease(~0UL >> 12), 0, "decrease no frame");
	ktest_eq(decrease(HYPERVISOR_VIRT_START >> 12), 0, "decrease an odd frame");
}

static void test_decrease_tables(void)
{
	pte_t *table = page_alloc();
	unsigned long pfn = virt_to_pfn(table);
	const pte_t *l2 = pt_lookup(kernel_l4, GUEST_VIRT_BASE, 2);
	long before = current_pages();

	page_protect(table);
	ktest_eq(pt_write(l2 + 500, pte_make(virt_to_mfn(table), PTE_TABLE)), 0, "an L1 in use");
	ktest_eq(decrease(virt_to_mfn(table)), 1, "decrease it");
	ktest_eq(update_va_mapping(PTR(table), pte_make(virt_to_mfn(table), PTE_KERNEL),
				   UVMF_INVLPG),
		 -XEN_EBUSY, "it stays a table");
	ktest_eq(update_va_mapping(PTR(table), 0, UVMF_INVLPG), 0, "drop the kernel mapping");
	ktest_eq(pt_write(l2 + 500, 0), 0, "unhook it");
	ktest_eq(current_pages(), before - 1, "now it is gone");
	ktest_eq(populate(pfn), 1, "populate");
	ktest_eq(page_unprotect(table), 0, "map the new frame");
	memset(table, 0, PAGE_SIZE);	/* it may be one that a living domain gave back uncleared */

	page_protect(table);
	ktest_eq(pt_pin(table, 1), 0, "a pinned L1");
	ktest_eq(decrease(virt_to_mfn(table)), 1, "decrease it");
	ktest_note("unpin afterwards: %ld", pt_unpin(table));
	ktest_eq(update_va_mapping(PTR(table), 0, UVMF_INVLPG), 0, "drop the kernel mapping");
	ktest_eq(current_pages(), before - 1, "gone");
	ktest_eq(populate(pfn), 1, "populate");
	ktest_eq(page_unprotect(table), 0, "map the new frame");
	memset(table, 0, PAGE_SIZE);	/* it may be one that a living domain gave back uncleared */
}

static void test_granted(void)
{
	uint64_t *page = page_alloc(), *window = page_alloc();
	unsigned long pfn = virt_to_pfn(page), nr;
	grant_ref_t ref = grant_alloc();
	grant_handle_t handle;
	xen_pfn_t new_mfn;

	update_va_mapping(PTR(window), 0, UVMF_INVLPG);
	grant_access(ref, grant_self_domid(), virt_to_mfn(page), false);
	ktest_eq(grant_map(grant_self_domid(), ref, GNTMAP_host_map, PTR(window), &handle), 0,
		 "map a grant of the page");
	*window = 77;
	update_va_mapping(PTR(page), 0, UVMF_INVLPG);
	ktest_eq(exchange(virt_to_mfn(page), pfn, &nr, &new_mfn), -XEN_EINVAL,
		 "exchange a page mapped by grant");
	ktest_eq(decrease(virt_to_mfn(page)), 1, "decrease it");
	ktest_eq(*window, 77, "the grant mapping keeps it");
	ktest_eq(grant_unmap(handle, PTR(window)), 0, "unmap the grant");
	ktest_ok(grant_end(ref), "the grant is no longer in use");
	ktest_eq(populate(pfn), 1, "populate");
	ktest_eq(page_unprotect(page), 0, "map the new frame");
	page_unprotect(window);
}

int guest_main(void)
{
	ktest_eq(grant_init(1), 0, "grant table");
	test_exchange();
	test_exchange_arguments();
	test_decrease();
	test_decrease_tables();
	test_granted();
	return ktest_result();
}
