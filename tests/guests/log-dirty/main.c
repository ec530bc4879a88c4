/* SPDX-License-Identifier: MIT */
/*
 * Writes its memory in every way there is while a program in dom0 logs dirty pages, and says
 * which pages it wrote: tests/system/programs/log_dirty.c compares. A step ends by suspending,
 * with the machine frame of the report in the register that Linux uses for start_info's.
 *
 * What must not change under it (contents, accessed and dirty bits, mappings) it checks itself.
 */
#include <guest/grant.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/user.h>

#include "report.h"

#define NPAGES		48
#define WINDOW		0x40000000000UL	/* addresses of our own, away from the linear map */
#define SPARSE		300		/* leaf tables: more than a vcpu's pool holds */
#define SLACK		20		/* stacks, variables, console, tables that get accessed bits */

static struct dirty_report *report;
static uint64_t *page[NPAGES];
static bool have_second;

/* ---- steps ---- */

static void begin(const char *name)
{
	memset(report, 0, sizeof(*report));
	for (unsigned int i = 0; name[i] && i + 1 < sizeof(report->step); i++)
		report->step[i] = name[i];
	report->slack = SLACK;
}

static void wrote(const void *p)
{
	report->pfn[report->nr++] = virt_to_pfn(p);
}

static void spared(const void *p)
{
	report->clean[report->nr_clean++] = virt_to_pfn(p);
}

static void end(void)
{
	struct sched_shutdown down = { .reason = SHUTDOWN_suspend };

	hypercall3(__HYPERVISOR_sched_op, SCHEDOP_shutdown, PTR(&down), virt_to_mfn(report));
}

/* ---- plain stores ---- */

static long store_all(long value)
{
	for (unsigned int i = 0; i < NPAGES; i += 2)
		page[i][i] = (uint64_t)value + i;
	return value;
}

static void store_all_on_vcpu(void *arg)
{
	store_all((long)arg);
}

static void report_even(void)
{
	for (unsigned int i = 0; i < NPAGES; i++)
		if (i & 1)
			spared(page[i]);
		else
			wrote(page[i]);
}

static void check_even(long value, const char *what)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < NPAGES; i += 2)
		wrong += page[i][i] != (uint64_t)value + i;
	ktest_eq(wrong, 0, "%s: all stores are there", what);
}

static void test_stores(void)
{
	uint64_t sum = 0;

	begin("nothing");
	for (unsigned int i = 0; i < NPAGES; i++)
		spared(page[i]);
	end();

	begin("kernel stores");
	store_all(1000);
	report_even();
	end();
	check_even(1000, "kernel stores");

	begin("reads only");
	for (unsigned int i = 0; i < NPAGES; i++) {
		sum += *(volatile uint64_t *)page[i];
		spared(page[i]);
	}
	end();

	begin("user stores");
	ktest_eq(user_call(store_all, 2000), 2000, "user mode writes");
	report_even();
	end();
	check_even(2000, "user stores");

	if (have_second) {
		begin("stores of another vcpu");
		smp_run(1, store_all_on_vcpu, (void *)3000);
		smp_wait(1);
		report_even();
		end();
		check_even(3000, "another vcpu");
	}
}

/* ---- the hypervisor's copies ---- */

static void test_copies(void)
{
	struct mmu_update req = { .ptr = virt_to_maddr(page[6]) | MMU_NORMAL_PT_UPDATE, .val = 7 };
	struct mmuext_op op = { .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = virt_to_mfn(page[8]) };
	struct mmuext_op copy = { .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = virt_to_mfn(page[10]),
				  .arg2.src_mfn = virt_to_mfn(page[11]) };

	begin("copies to the guest");
	ktest_eq(vcpu_op(VCPUOP_get_runstate_info, 0, page[0]), 0, "runstate");
	ktest_ok(xen_version(XENVER_extraversion, page[2]) >= 0, "a string");
	ktest_eq(mmu_update(&req, 1, NULL), 0, "mmu_update of data");
	ktest_eq(mmuext_op(&op, 1, NULL), 0, "clear");
	ktest_eq(mmuext_op(&copy, 1, NULL), 0, "copy");
	ktest_eq(update_descriptor(virt_to_maddr(page[12]), 0), 0, "descriptor");
	wrote(page[0]);
	wrote(page[2]);
	wrote(page[6]);
	wrote(page[8]);
	wrote(page[10]);
	wrote(page[12]);
	spared(page[1]);
	spared(page[7]);
	spared(page[11]);
	end();
	ktest_eq((long)page[6][0], 7, "mmu_update's word");
}

/* ---- grants ---- */

static void test_grants(void)
{
	const domid_t me = grant_self_domid();
	const unsigned long va = WINDOW;
	struct gnttab_copy c = {
		.source = { .u.gmfn = virt_to_mfn(page[1]), .domid = DOMID_SELF },
		.dest = { .domid = me },
		.len = 64,
		.flags = GNTCOPY_dest_gref,
	};
	grant_ref_t ref = grant_alloc(), ref2 = grant_alloc();
	grant_handle_t handle = 0;

	grant_access(ref, me, virt_to_mfn(page[0]), false);
	grant_access(ref2, me, virt_to_mfn(page[2]), false);
	begin("grant copy");
	c.dest.u.ref = ref2;
	ktest_eq(grant_op(GNTTABOP_copy, &c, 1), 0, "copy to a grant");
	ktest_eq(c.status, GNTST_okay, "its status");
	c.dest.u.gmfn = virt_to_mfn(page[4]);
	c.dest.domid = DOMID_SELF;
	c.flags = 0;
	ktest_eq(grant_op(GNTTABOP_copy, &c, 1), 0, "copy to a frame");
	wrote(page[2]);
	wrote(page[4]);
	spared(page[0]);
	spared(page[1]);
	end();

	pt_map(kernel_l4, va, 0);
	begin("grant map");
	ktest_eq(grant_map(me, ref, GNTMAP_host_map, va, &handle), 0, "map");
	wrote(page[0]);
	end();
	begin("grant is mapped");
	wrote(page[0]);
	spared(page[2]);
	end();
	begin("grant unmap");
	ktest_eq(grant_unmap(handle, va), 0, "unmap");
	wrote(page[0]);
	end();
	begin("grant is not mapped");
	spared(page[0]);
	end();
	ktest_ok(grant_end(ref) && grant_end(ref2), "the grants end");
}

/* ---- page tables ---- */

static void test_tables(void)
{
	uint64_t *table = page_alloc();
	const unsigned long va = PTR(page[20]);
	const pte_t *e = pt_lookup(kernel_l4, va, 1);
	void *leaves = (void *)(PTR(e) & PAGE_MASK);
	pte_t old = *e;

	begin("a table is pinned");
	ktest_eq(page_protect(table), 0, "protect");
	ktest_eq(pt_pin(table, 1), 0, "pin");
	wrote(table);
	end();
	begin("and is unpinned");
	ktest_eq(pt_unpin(table), 0, "unpin");
	wrote(table);
	end();
	page_unprotect(table);

	begin("entries change");
	ktest_eq(pt_write(e, old & ~(PTE_A | PTE_D)), 0, "mmu_update");
	mmuext_simple(MMUEXT_INVLPG_LOCAL, va);
	wrote(leaves);
	spared(page[20]);
	end();
	ktest_eq((long)(*e & (PTE_A | PTE_D)), 0, "neither accessed nor dirty");
	begin("an access is seen in the entry");
	(void)*(volatile uint64_t *)page[20];
	wrote(leaves);
	spared(page[20]);
	end();
	ktest_eq((long)(*e & (PTE_A | PTE_D)), PTE_A, "accessed, not dirty");
	begin("and a store");
	page[20][0] = 1;
	wrote(leaves);
	wrote(page[20]);
	end();
	ktest_eq((long)(*e & (PTE_A | PTE_D)), PTE_A | PTE_D, "dirty, too");

	vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
	begin("an emulated store");
	*(volatile pte_t *)e = old;
	wrote(leaves);
	end();
	ktest_eq((long)((*e ^ old) & ~(PTE_A | PTE_D | PTE_US | PTE_G | 1UL << 52)), 0,
		 "the entry is what was stored");
	begin("update_va_mapping");
	ktest_eq(update_va_mapping(va, old & ~PTE_RW, UVMF_INVLPG | UVMF_LOCAL), 0, "read-only");
	ktest_eq(update_va_mapping(va, old, UVMF_INVLPG | UVMF_LOCAL), 0, "and back");
	wrote(leaves);
	end();
	page_free(table);
}

/* One address, many frames: each store must reach the frame that is mapped, and be logged there. */
static void test_remapping(void)
{
	const unsigned long va = WINDOW + (2UL << 20);
	unsigned int wrong = 0;

	pt_map(kernel_l4, va, 0);
	begin("one address, many frames");
	for (unsigned int i = 0; i < NPAGES; i += 2) {
		update_va_mapping(va, pte_make(virt_to_mfn(page[i]), PTE_KERNEL),
				  UVMF_INVLPG | UVMF_LOCAL);
		*(volatile uint64_t *)va = 0x5000 + i;
	}
	update_va_mapping(va, 0, UVMF_INVLPG | UVMF_LOCAL);
	report_even();
	end();
	for (unsigned int i = 0; i < NPAGES; i += 2)
		wrong += page[i][0] != 0x5000 + i;
	ktest_eq(wrong, 0, "each store went to its frame");
}

static void test_sparse(void)
{
	static uint64_t *frame[SPARSE];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < SPARSE; i++) {
		frame[i] = page_alloc();
		pt_map(kernel_l4, WINDOW + ((unsigned long)(i + 8) << 21),
		       pte_make(virt_to_mfn(frame[i]), PTE_KERNEL));
	}
	begin("filling");
	report->slack = 2048;
	end();
	begin("more tables than a pool holds");
	report->slack = SPARSE + SLACK;
	for (unsigned int n = 0; n < 2; n++)
		for (unsigned int i = 0; i < SPARSE; i++)
			*(volatile uint64_t *)(WINDOW + ((unsigned long)(i + 8) << 21)) += i + 1;
	for (unsigned int i = 0; i < SPARSE; i++) {
		wrote(frame[i]);
		wrong += frame[i][0] != 2 * (i + 1);
	}
	end();
	ktest_eq(wrong, 0, "all stores are there");
}

/* ---- frames that come and go, and what is written at any time ---- */

static void test_frames(void)
{
	struct vcpu_register_vcpu_info info = { .mfn = virt_to_mfn(page[30]) };
	unsigned long pfn = virt_to_pfn(page[40]);
	xen_pfn_t frame = virt_to_mfn(page[40]);
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
	struct mmu_update m2p;

	update_va_mapping(PTR(page[40]), 0, UVMF_INVLPG | UVMF_ALL);
	set_xen_guest_handle(r.extent_start, &frame);
	ktest_eq(memory_op(XENMEM_decrease_reservation, &r), 1, "a page is given back");
	begin("another frame for a page");
	frame = pfn;
	ktest_eq(memory_op(XENMEM_populate_physmap, &r), 1, "and taken");
	p2m[pfn] = frame;
	wrote(page[40]);
	end();
	page_unprotect(page[40]);

	begin("machine-to-physical");
	m2p.ptr = virt_to_maddr(page[41]) | MMU_MACHPHYS_UPDATE;
	m2p.val = virt_to_pfn(page[41]);
	ktest_eq(mmu_update(&m2p, 1, NULL), 0, "the same again");
	wrote(page[41]);
	end();

	begin("vcpu_info");
	if (smp_exists(2)) {
		ktest_eq(vcpu_op(VCPUOP_register_vcpu_info, 2, &info), 0, "of a vcpu that is down");
		wrote(page[30]);
	}
	end();
	begin("vcpu_info, later");
	if (smp_exists(2))
		wrote(page[30]);
	end();
}

int guest_main(void)
{
	report = page_alloc();
	for (unsigned int i = 0; i < NPAGES; i++)
		page[i] = page_alloc();
	ktest_eq(grant_init(1), 0, "grant table");
	user_init();
	have_second = smp_exists(1) && !smp_boot(1);

	begin("start");
	report->slack = ~0U >> 1;
	end();
	test_stores();
	test_copies();
	test_grants();
	test_tables();
	test_remapping();
	test_sparse();
	test_frames();
	return ktest_result();
}
