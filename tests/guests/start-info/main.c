/* SPDX-License-Identifier: MIT */
/*
 * What a domain is born with: start_info, the initial page tables, the p2m and m2p, features,
 * versions, and the queries about memory. Kernels read these before they can report anything, so a
 * wrong field here shows as a silent death of a real kernel.
 */
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>

#include <xen/features.h>

static void test_start_info(void)
{
	const struct start_info *si = start_info;

	ktest_ok(!strcmp(si->magic, "xen-3.0-x86_64"), "magic '%s'", si->magic);
	ktest_ok(si->nr_pages > 1000, "%lu pages", si->nr_pages);
	ktest_eq(si->shared_info & ~PAGE_MASK, 0, "shared_info is a machine page address");
	ktest_eq(si->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN),
		 is_dom0() ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0, "flags");
	ktest_ok(si->pt_base >= GUEST_VIRT_BASE && si->nr_pt_frames >= 4, "page tables");
	ktest_eq(PTR(si) & ~PAGE_MASK, 0, "start_info is page-aligned");
	ktest_eq(boot_rsp & 15, 0, "the boot stack is aligned");
	if (is_dom0())
		ktest_eq(si->store_evtchn, 0, "dom0 has no store channel");
	else
		ktest_ok(si->store_evtchn && si->console.domU.evtchn, "domU has its channels");
}

/*
 * From the kernel's start to v_end all is mapped, linear, 4 KiB; at least 512 KiB behind the stack.
 */
static void test_initial_mapping(void)
{
	unsigned long pfn, last = virt_to_pfn((void *)boot_rsp) + 128, bad = 0, readonly = 0;

	for (pfn = GUEST_LOAD_OFFSET >> PAGE_SHIFT; pfn < last; pfn++) {
		pte_t pte = pt_leaf(PTR(pfn_to_virt(pfn)));
		/* Two pages have been remapped since: shared_info's and the console ring's. */
		bad += pte_mfn(pte) != p2m[pfn] &&
		       pte_mfn(pte) != start_info->shared_info >> PAGE_SHIFT &&
		       (is_dom0() || pte_mfn(pte) != start_info->console.domU.mfn);
		readonly += !(pte & PTE_RW);
	}
	ktest_eq(bad, 0, "linear mapping");
	ktest_ok(readonly >= start_info->nr_pt_frames, "%lu read-only pages", readonly);
	for (unsigned long i = 0; i < start_info->nr_pt_frames; i++)
		ktest_quiet_eq(pt_leaf(start_info->pt_base + i * PAGE_SIZE) & PTE_RW, 0,
			       "page table %lu is read-only", i);
	ktest_eq(kernel_l4[256] & PTE_P && kernel_l4[511] & PTE_P, 1, "L4 slots 256 and 511");
}

static void test_p2m(void)
{
	unsigned long bad = 0;

	for (unsigned long pfn = 0; pfn < start_info->nr_pages; pfn++)
		bad += machine_to_phys_mapping[p2m[pfn]] != pfn;
	ktest_eq(bad, 0, "M2P and p2m agree on %lu pages", start_info->nr_pages);
}

static void test_m2p(void)
{
	struct xen_machphys_mapping map;
	uint64_t value;

	ktest_eq(memory_op(XENMEM_machphys_mapping, &map), 0, "machphys_mapping");
	ktest_eq(map.v_start, MACH2PHYS_VIRT_START, "its start");
	ktest_ok(map.v_end > map.v_start && map.max_mfn > 1000, "its end %lx, max_mfn %lx",
		 (unsigned long)map.v_end, (unsigned long)map.max_mfn);
	ktest_ok(try_read64((void *)MACH2PHYS_VIRT_START, &value), "first entry can be read");
	ktest_ok(!try_write64((void *)MACH2PHYS_VIRT_START, 0), "and not written");
	ktest_ok(!try_read64((void *)(MACH2PHYS_VIRT_END - 8), &value), "a hole is our page fault");
	ktest_ok(!try_read64((void *)(MACH2PHYS_VIRT_START + (1UL << 36)), &value), "another hole");
	ktest_ok(!try_read64((void *)(HYPERVISOR_VIRT_END - 8), &value), "the hypervisor's end");
	ktest_ok(!try_read64((void *)0xffff830000000000, &value), "its memory");
}

static void test_m2p_update(void)
{
	void *page = page_alloc();
	struct mmu_update u = {
		.ptr = ((uint64_t)virt_to_mfn(page) << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE,
		.val = 0x777,
	};

	ktest_eq(mmu_update(&u, 1, NULL), 0, "M2P update of our frame");
	ktest_eq(machine_to_phys_mapping[virt_to_mfn(page)], 0x777, "is seen");
	u.val = virt_to_pfn(page);
	mmu_update(&u, 1, NULL);
	u.ptr = (1UL << 45) | MMU_MACHPHYS_UPDATE;
	ktest_eq(mmu_update(&u, 1, NULL), -XEN_EINVAL, "M2P update of no frame");
}

static void test_versions(void)
{
	struct xen_feature_info f = { 0 };
	xen_capabilities_info_t caps;
	struct xen_platform_parameters pp;
	uint32_t always = 1 << XENFEAT_mmu_pt_update_preserve_ad |
			  1 << XENFEAT_gnttab_map_avail_bits |
			  1 << XENFEAT_highmem_assist | 1 << XENFEAT_memory_op_vnode_supported;

	ktest_eq(xen_version(XENVER_version, NULL), 0x40011, "version 4.17");
	ktest_eq(xen_version(XENVER_pagesize, NULL), 4096, "page size");
	ktest_eq(xen_version(XENVER_capabilities, caps), 0, "capabilities");
	ktest_ok(!strncmp(caps, "xen-3.0-x86_64", 14), "begin with xen-3.0-x86_64");
	ktest_eq(xen_version(XENVER_platform_parameters, &pp), 0, "platform parameters");
	ktest_eq(pp.virt_start, HYPERVISOR_VIRT_START, "virt_start");
	ktest_eq(xen_version(XENVER_get_features, &f), 0, "features");
	ktest_note("feature bits %x", f.submap);
	ktest_eq(f.submap & always, always, "bits 5, 6, 7, 13");
	ktest_eq(f.submap & 0xf, 0, "none of 0 to 3");
	ktest_eq(f.submap >> XENFEAT_dom0 & 1, is_dom0(), "bit 11 for dom0");
	f.submap_idx = 1;
	ktest_eq(xen_version(XENVER_get_features, &f), -XEN_EINVAL, "submap 1");
	f.submap_idx = 77;
	ktest_eq(xen_version(XENVER_get_features, &f), -XEN_EINVAL, "submap 77");
	ktest_eq(xen_version(99, &f), -XEN_ENOSYS, "unknown version command");
	ktest_eq(hypercall3(63, 0, 0, 0), -XEN_ENOSYS, "hypercall 63");
	ktest_eq(hypercall3(0x7fffffff, 0, 0, 0), -XEN_ENOSYS, "hypercall 2^31-1");
	ktest_eq(hypercall3(11, 0, 0, 0), -XEN_ENOSYS, "an unused number");
}

static void test_reservations(void)
{
	domid_t self = DOMID_SELF, nobody = 1234;
	long now = memory_op(XENMEM_current_reservation, &self);

	ktest_ok(now >= (long)start_info->nr_pages, "current reservation %ld", now);
	ktest_ok(memory_op(XENMEM_maximum_reservation, &self) >= now, "maximum reservation");
	ktest_ok(memory_op(XENMEM_maximum_ram_page, NULL) > now, "maximum ram page");
	ktest_eq(memory_op(XENMEM_current_reservation, &nobody), -XEN_ESRCH, "of no domain");
	ktest_eq(memory_op(60, &self), -XEN_ENOSYS, "unknown memory operation");
}

static void test_assists(void)
{
	static const unsigned int types[] = { VMASST_TYPE_4gb_segments,
					     VMASST_TYPE_writable_pagetables,
		VMASST_TYPE_pae_extended_cr3, VMASST_TYPE_architectural_iopl,
		VMASST_TYPE_runstate_update_flag, VMASST_TYPE_m2p_strict };

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		ktest_eq(vm_assist(VMASST_CMD_enable, types[i]), 0, "enable assist %u", types[i]);
		ktest_eq(vm_assist(VMASST_CMD_disable, types[i]), 0, "disable assist %u", types[i]);
	}
	ktest_eq(vm_assist(VMASST_CMD_enable, 20), -XEN_EINVAL, "assist 20");
	ktest_eq(vm_assist(7, 1), -XEN_ENOSYS, "unknown assist command");
}

int guest_main(void)
{
	test_start_info();
	test_initial_mapping();
	test_p2m();
	test_m2p();
	test_m2p_update();
	test_versions();
	test_reservations();
	test_assists();
	return ktest_result();
}
