/* SPDX-License-Identifier: MIT */
/*
 * Changing entries: flags at every level, short cuts against the whole path,
 * owners, batches, base pointers, grant mappings.
 */
/*
 * LINK: tests/unit/pt_world.c xen-core/heap.c arch/x86/rangeset.c arch/x86/mm/page_format.c
 * LINK: arch/x86/mm/page_ref.c arch/x86/mm/page_type.c arch/x86/mm/validate.c
 * LINK: arch/x86/mm/mod_entry.c arch/x86/mm/walk.c arch/x86/mm/batch.c
 * LINK: arch/x86/mm/mmu_update.c arch/x86/mm/update_va.c arch/x86/mm/mmuext.c
 * LINK: arch/x86/mm/base_tables.c arch/x86/mm/map.c arch/x86/mm/teardown.c
 */
#include "pt_world.h"

#include <core/hypercall.h>
#include <x86/rangeset.h>
#include <xen/grant_table.h>

/* A small validated tree whose L4 is vcpu 0's base; addresses below map through it. */
static struct pt_tree tree;
#define VA(l3, l2, l1)	(0xffff960000000000UL | (unsigned long)(l3) << 30 | (l2) << 21 | (l1) << 12)

static void make_tree(void)
{
	pt_tree(&tree, 1, 1, 0);
	assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, pt_mfn(tree.l4), DOMID_SELF), 0);
}
static struct page_info *level_page(unsigned int level) { return tree.pages[4 - level]; }

/* ---- flags ---- */

static const uint64_t flag_bits[] = {
	PTE_PRESENT, PTE_RW, PTE_USER, PTE_PWT, PTE_PCD, PTE_ACCESSED, PTE_DIRTY, PTE_PSE,
	PTE_GLOBAL, 0x200, 0x400, 0x800, PTE_GUEST_KERNEL, 1UL << 53, 1UL << 62, PTE_NX,
};

/* Bits that a guest may have in a present entry, by the ABI, written down a second time. */
static bool flags_allowed(unsigned int level, uint64_t f)
{
	if (level == 1)
		return !(f & (PTE_PWT | PTE_PCD | PTE_PAT));	/* a domain without devices */
	return !(f & (PTE_PWT | PTE_PCD | PTE_PSE | PTE_GLOBAL));
}

static uint64_t flags_stored(unsigned int level, uint64_t f)
{
	if (!(f & PTE_PRESENT))
		return f;
	if (level == 4)
		return f | PTE_USER | PTE_ACCESSED;
	if (level > 1)
		return f | PTE_USER;
	if (!(f & PTE_USER))
		f |= PTE_USER | PTE_GUEST_KERNEL;
	if (!(f & PTE_GUEST_KERNEL))
		f |= PTE_GLOBAL;
	return f;
}

/* The frame that an entry of that level may name. */
static struct page_info *target_of(unsigned int level)
{
	return level == 1 ? tree.data : level_page(level - 1);
}

/* From every pair of flags to every other: stored as the rules say, counts as if made anew. */
static void check_pairs(unsigned int level)
{
	struct page_info *target = target_of(level);
	const uint64_t at = pt_maddr(level_page(level), 7);
	const unsigned long count = pt_count(target);
	static uint64_t sets[1 + ARRAY_SIZE(flag_bits) * ARRAY_SIZE(flag_bits)];
	unsigned int nr = 0;

	sets[nr++] = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(flag_bits); i++)
		for (unsigned int j = i; j < ARRAY_SIZE(flag_bits); j++)
			sets[nr++] = PTE_PRESENT | flag_bits[i] | flag_bits[j];
	for (unsigned int a = 0; a < nr; a++) {
		if (!flags_allowed(level, sets[a]))
			continue;
		for (unsigned int b = 0; b < nr; b++) {
			const uint64_t was = pt_value(target, flags_stored(level, sets[a]));
			uint64_t now = pt_value(target, sets[b]);
			bool allowed = flags_allowed(level, sets[b]);

			assert_int_equal(pt_update_one(at, pt_value(target, sets[a])), 0);
			assert_int_equal(pt_entries(level_page(level))[7].pte, was);
			assert_int_equal(pt_update_one(at, now), allowed ? 0 : -EINVAL);
			now = allowed ? pt_value(target, flags_stored(level, sets[b])) : was;
			assert_int_equal(pt_entries(level_page(level))[7].pte, now);
			assert_int_equal(pt_count(target), count + !!(now & PTE_PRESENT));
			if (level == 1)
				assert_int_equal(pt_type_count(target),
						 (now & (PTE_PRESENT | PTE_RW)) ==
							 (PTE_PRESENT | PTE_RW));
			assert_int_equal(pt_update_one(at, 0), 0);
			assert_int_equal(pt_count(target), count);
		}
	}
}

static void test_flag_pairs(void **state __maybe_unused)
{
	make_tree();
	for (unsigned int level = 1; level <= 4; level++)
		check_pairs(level);
}

/* Validation of a whole table refuses and stores the same flags as updates do. */
static void test_validation_equals_update(void **state __maybe_unused)
{
	make_tree();
	for (unsigned int level = 1; level <= 4; level++)
		for (unsigned int i = 0; i < ARRAY_SIZE(flag_bits); i++) {
			struct page_info *pg = pt_page(pt_dom);
			const uint64_t f = PTE_PRESENT | flag_bits[i];
			long rc;

			pt_fill(pg, 9, target_of(level), f);
			rc = pt_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pt_mfn(pg), DOMID_SELF);
			assert_int_equal(rc, flags_allowed(level, f) ? 0 : -EINVAL);
			if (rc)
				continue;
			assert_int_equal(pt_entries(pg)[9].pte,
					 pt_value(target_of(level), flags_stored(level, f)));
			assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(pg), DOMID_SELF), 0);
		}
}

static void test_hypervisor_slots(void **state __maybe_unused)
{
	make_tree();
	for (unsigned int i = 254; i < 274; i++)
		assert_int_equal(pt_update_one(pt_maddr(tree.l4, i), pt_value(tree.l3, TABLE)),
				 i < 256 || i > 271 ? 0 : -EINVAL);
	assert_int_equal(pt_update_one(pt_maddr(tree.l4, 256), 0), -EINVAL);
}

/* ---- owners ---- */

static void test_owners(void **state __maybe_unused)
{
	struct page_info *theirs = pt_page(pt_other);
	struct mmu_update req = { 0, pt_value(theirs, LEAF_RW) };
	struct host_counts before;

	make_tree();
	before = host_count();
	req.ptr = pt_maddr(level_page(1), 3);
	/* Not mine; not mine to name; no such domain; myself by number. */
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), -EBUSY);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 2), -EPERM);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 77), -ESRCH);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 1), -ESRCH);
	/* Another's tables; a frame that is no table. */
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 3 << 16 | DOMID_SELF), -EPERM);
	req.ptr = pt_maddr(theirs, 3);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), -EINVAL);
	req.ptr = 0xfffffffff000;
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), -EINVAL);
	assert_counts_equal(&before);
}

/* A control domain maps another's page into its own tables, and a device. */
static void test_tools_map_foreign(void **state __maybe_unused)
{
	struct page_info *l1 = pt_page(pt_tools), *theirs = pt_page(pt_other);
	struct mmu_update req = { pt_maddr(l1, 1), pt_value(theirs, LEAF_RW) };
	struct host_counts before = host_count();

	host_switch_to(0, pt_tools->vcpu[0]);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(l1), DOMID_SELF), 0);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), -EBUSY);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 2), 0);
	assert_int_equal(pt_type(theirs), PGT_writable_page);
	assert_int_equal(pt_count(theirs), 2);
	/* RW to RO of a foreign page needs its owner's name too. */
	req.val = pt_value(theirs, LEAF_RO);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), -EBUSY);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 2), 0);
	assert_int_equal(pt_type_count(theirs), 0);
	/* Its tables stay out of reach for writing. */
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(theirs), 2), 0);
	req.val = pt_value(theirs, LEAF_RW);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, 2), -EBUSY);
	assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(theirs), 2), 0);
	req.val = 0;
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), 0);
	/* A device frame: uncached whatever is asked, and without counts. */
	req.val = 0x800000000 | LEAF_RW;
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_IO), 0);
	assert_int_equal(pt_entries(l1)[1].pte & PTE_CACHE_ATTRS, PTE_PWT | PTE_PCD);
	req.val = 0x8000000000000 | LEAF_RW;
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_IO), -EPERM);
	req.val = PTE_ADDR_MASK | LEAF_RW;
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_IO), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(l1), DOMID_SELF), 0);
	assert_counts_equal(&before);
}

/* While somebody logs: the last page of pt_other's that was marked, and the last of the others'. */
static const struct page_info *marked, *marked_ours;
void log_dirty_mark(const struct page_info *pg)
{
	if (page_get_owner(pg) == pt_other)
		marked = pg;
	else
		marked_ours = pg;
}

/* Stores through a mapping by right are in the log when it goes, in each way it can. */
static void test_foreign_stores_logged(void **state __maybe_unused)
{
	struct page_info *l1 = pt_page(pt_tools), *theirs = pt_page(pt_other);
	struct mmu_update map = { pt_maddr(l1, 1), pt_value(theirs, LEAF_RW) }, change = map;
	struct page_info *const other = pt_page(pt_other);

	host_switch_to(0, pt_tools->vcpu[0]);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(l1), DOMID_SELF), 0);
	log_dirty_on = 1;
	for (unsigned int way = 0; way < 4; way++) {
		const uint64_t to[] = { 0, pt_value(theirs, LEAF_RO), pt_value(other, LEAF_RW) };

		map.val = pt_value(theirs, LEAF_RW);
		assert_int_equal(pt_mmu_update(&map, 1, NULL, 2), 0);
		marked = NULL;
		if (way < 3) {
			change.val = to[way];
			assert_int_equal(pt_mmu_update(&change, 1, NULL, 2), 0);
		} else {
			assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(l1), DOMID_SELF), 0);
		}
		assert_ptr_equal(marked, theirs);
		marked = NULL;
		if (way == 1) {		/* that one could not be written */
			change.val = 0;
			assert_int_equal(pt_mmu_update(&change, 1, NULL, 2), 0);
			assert_null(marked);
		}
	}
	log_dirty_on = 0;
}

/* DOMID_IO's frames have no counts, named as owner or not. */
static void test_device_frames(void **state __maybe_unused)
{
	struct page_info *io = alloc_domheap_pages(NULL, 0, 0), *l1 = pt_page(pt_tools);
	struct mmu_update req = { pt_maddr(l1, 1), 0 };

	io->type_info = PGT_writable_page | PGT_validated | 1;
	io->count_info = PGC_allocated | 1;
	page_set_owner(io, dom_io);
	host_switch_to(0, pt_tools->vcpu[0]);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(l1), DOMID_SELF), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const unsigned int dom = i ? DOMID_SELF : DOMID_IO;

		req.val = pt_value(io, LEAF_RW);
		assert_int_equal(pt_mmu_update(&req, 1, NULL, dom), 0);
		req.val = pt_value(io, LEAF_RO);
		assert_int_equal(pt_mmu_update(&req, 1, NULL, dom), 0);
		req.val = pt_value(io, LEAF_RW);
		assert_int_equal(pt_mmu_update(&req, 1, NULL, dom), 0);
		assert_int_equal(pt_count(io), 1);
		assert_int_equal(pt_type_count(io), 1);
		req.val = 0;
		assert_int_equal(pt_mmu_update(&req, 1, NULL, dom), 0);
		assert_int_equal(pt_count(io), 1);
		assert_int_equal(pt_type_count(io), 1);
	}
	/* Read-only device memory. */
	mmio_ro_ranges = rangeset_new();
	rangeset_add(mmio_ro_ranges, pt_mfn(io), pt_mfn(io));
	req.val = pt_value(io, LEAF_RW);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_IO), 0);
	assert_int_equal(pt_entries(l1)[1].pte & PTE_RW, 0);
	/* Who has no right to it. */
	host_switch_to(0, pt_dom->vcpu[0]);
	make_tree();
	req.ptr = pt_maddr(level_page(1), 1);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_IO), -EPERM);
	assert_int_equal(pt_mmu_update(&req, 1, NULL, DOMID_SELF), -EPERM);
}

/* ---- batches ---- */

#define NR	70

/* Entries run in order; the failing one ends the batch, and `done` says how many were made. */
static void test_batch_stops_at_failure(void **state __maybe_unused)
{
	struct mmu_update req[NR];

	make_tree();
	for (unsigned int bad = 0; bad <= NR; bad++) {
		unsigned int done = 0;
		long rc;

		for (unsigned int i = 0; i < NR; i++)
			req[i] = (struct mmu_update){ pt_maddr(level_page(1), i),
						      pt_value(tree.data, LEAF_RW) };
		if (bad < NR)
			req[bad].val |= PTE_PCD;
		rc = pt_mmu_update(req, NR, &done, DOMID_SELF);
		assert_int_equal(rc, bad < NR ? -EINVAL : 0);
		assert_int_equal(done, bad);
		assert_int_equal(pt_type_count(tree.data), bad);
		for (unsigned int i = 0; i < NR; i++)
			req[i].val = 0;
		assert_int_equal(pt_mmu_update(req, NR, &done, DOMID_SELF), 0);
		assert_int_equal(done, NR);
		assert_int_equal(pt_type_count(tree.data), 0);
	}
}

/* Tables, plain pages, the M2P and all levels mixed in one batch, preempted at every chance. */
static void test_mixed_batch_preempted(void **state __maybe_unused)
{
	struct page_info *plain, *l1;
	struct host_counts before;

	make_tree();
	plain = pt_page(pt_dom);
	l1 = pt_page(pt_dom);
	for (unsigned int i = 0; i < 300; i++)
		pt_fill(l1, i, tree.data, LEAF_RW);
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		const struct mmu_update req[] = {
			{ pt_maddr(level_page(1), 1), pt_value(tree.data, LEAF_RW) },
			{ pt_maddr(plain, 5), 0x1234567890 },
			{ pt_maddr(level_page(2), 8), pt_value(l1, TABLE) },
			{ pt_maddr(l1, 8), 0 },
			{ pt_maddr(level_page(1), 2), pt_value(plain, LEAF_RO) },
			{ mfn_to_paddr(page_to_mfn(plain)) | MMU_MACHPHYS_UPDATE, 4711 + n },
			{ pt_maddr(level_page(2), 8), 0 },
			{ pt_maddr(level_page(3), 9), pt_value(level_page(2), TABLE) },
			{ pt_maddr(level_page(3), 9), 0 },
			{ pt_maddr(level_page(1), 1) | MMU_PT_UPDATE_PRESERVE_AD, 0 },
			{ pt_maddr(level_page(1), 2), 0 },
			{ pt_maddr(l1, 8), pt_value(tree.data, LEAF_RW) },
		};
		unsigned int done = 0;

		assert_int_equal(pt_mmu_update(req, ARRAY_SIZE(req), &done, DOMID_SELF), 0);
		assert_int_equal(done, ARRAY_SIZE(req));
		assert_int_equal(pt_entries(plain)[5].pte, 0x1234567890);
		assert_int_equal(get_gpfn_from_mfn(page_to_mfn(plain)), 4711 + n);
		assert_counts_equal(&before);
	}
}

/* The n-th copy from or to the guest fails: what was done is counted, nothing leaks. */
static void test_copy_faults(void **state __maybe_unused)
{
	struct mmu_update req[NR];
	struct host_counts before;

	make_tree();
	before = host_count();
	for_each_fault(n, host_fail_copy) {
		unsigned int done = 0;
		long rc;

		for (unsigned int i = 0; i < NR; i++)
			req[i] = (struct mmu_update){ pt_maddr(level_page(1), i),
						      pt_value(tree.data, LEAF_RW) };
		rc = pt_mmu_update(req, NR, &done, DOMID_SELF);
		if (rc)
			assert_int_equal(rc, -EFAULT);
		assert_int_equal(pt_type_count(tree.data), rc ? done : NR);
		rc = host_fault_fired();
		host_fail_copy(0);
		for (unsigned int i = 0; i < NR; i++)
			req[i].val = 0;
		assert_int_equal(pt_mmu_update(req, NR, NULL, DOMID_SELF), 0);
		assert_counts_equal(&before);
		if (!rc)
			break;
	}
}

/* Requests that end at the end of mapped memory: the whole ones are done. */
static void test_array_cut_off(void **state __maybe_unused)
{
	struct mmu_update *req = host_guest_alloc(20 * sizeof(*req) + 8);
	unsigned int *done = host_guest_alloc(4);

	make_tree();
	for (unsigned int i = 0; i < 20; i++)
		req[i] = (struct mmu_update){ pt_maddr(level_page(1), i),
					      pt_value(tree.data, LEAF_RW) };
	assert_int_equal(do_mmu_update((unsigned long)req, 40, (unsigned long)done, DOMID_SELF, 0),
			 -EFAULT);
	assert_int_equal(*done, 20);
	assert_int_equal(pt_type_count(tree.data), 20);
	assert_int_equal(do_mmu_update(0xffff800000000000, 1, 0, DOMID_SELF, 0), -EFAULT);
	assert_int_equal(do_mmu_update(~0UL - 7, 1, 0, DOMID_SELF, 0), -EFAULT);
	assert_int_equal(do_mmu_update((unsigned long)req, 0, 0, DOMID_SELF, 0), 0);
}

/* ---- accessed and dirty ---- */

static void test_preserve_ad(void **state __maybe_unused)
{
	pte_t *e;

	make_tree();
	e = &pt_entries(level_page(1))[4];
	assert_int_equal(pt_update_one(pt_maddr(level_page(1), 4),
				       pt_value(tree.data, PTE_PRESENT | PTE_RW)),
			 0);
	e->pte |= PTE_ACCESSED | PTE_DIRTY;	/* the CPU */
	assert_int_equal(pt_update_one(pt_maddr(level_page(1), 4) | MMU_PT_UPDATE_PRESERVE_AD,
				       pt_value(tree.data, PTE_PRESENT)), 0);
	assert_int_equal(e->pte & (PTE_ACCESSED | PTE_DIRTY | PTE_RW), PTE_ACCESSED | PTE_DIRTY);
	assert_int_equal(
		pt_update_one(pt_maddr(level_page(1), 4), pt_value(tree.data, PTE_PRESENT)), 0);
	assert_int_equal(e->pte & (PTE_ACCESSED | PTE_DIRTY), 0);
	assert_int_equal(pt_update_one(pt_maddr(level_page(1), 4) | 5, 0), -ENOSYS);
}

/* ---- addresses ---- */

static void test_update_va_mapping(void **state __maybe_unused)
{
	unsigned int flushes;

	make_tree();
	assert_int_equal(do_update_va_mapping(VA(0, 0, 6), pt_value(tree.data, LEAF_RW), 0, 0, 0),
			 0);
	assert_int_equal(pt_entries(level_page(1))[6].pte & PTE_ADDR_MASK,
			 mfn_to_paddr(page_to_mfn(tree.data)));
	flushes = host_rec.flushes_local;
	assert_int_equal(do_update_va_mapping(VA(0, 0, 6), 0, UVMF_TLB_FLUSH, 0, 0), 0);
	assert_int_equal(host_rec.flushes_local, flushes + 1);
	assert_int_equal(pt_type_count(tree.data), 0);
	assert_int_equal(do_update_va_mapping(VA(1, 0, 0), 0, 0, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(VA(0, 1, 0), 0, 0, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(0xffff800000000000, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(0x800000000000, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(0, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping_otherdomain(VA(0, 0, 6), 0, 0, 2, 0), -EPERM);
	assert_int_equal(do_update_va_mapping_otherdomain(VA(0, 0, 6), 0, 0, 99, 0), -ESRCH);
}

static void test_new_base_preempted(void **state __maybe_unused)
{
	struct pt_tree other;
	struct host_counts before;

	make_tree();
	pt_tree(&other, 2, 4, 3);
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, pt_mfn(other.l4), DOMID_SELF), 0);
		assert_int_equal(pt_dom->vcpu[0]->arch.load_cr3[TF_kernel_mode],
				 mfn_to_paddr(page_to_mfn(other.l4)));
		assert_int_equal(pt_mmuext(MMUEXT_NEW_USER_BASEPTR, pt_mfn(tree.l4), DOMID_SELF),
				 0);
		assert_int_equal(pt_mmuext(MMUEXT_NEW_USER_BASEPTR, 0, DOMID_SELF), 0);
		assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, pt_mfn(tree.l4), DOMID_SELF), 0);
		pt_assert_released(&other);
		assert_counts_equal(&before);
	}
	assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, pt_mfn(tree.l3), DOMID_SELF), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, 0, DOMID_SELF), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, ~0UL, DOMID_SELF), -EINVAL);
}

static void test_mmuext_errors(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);
	struct host_counts before;

	make_tree();
	before = host_count();
	assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(pg), DOMID_SELF), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(pg), DOMID_SELF), 0);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(pg), DOMID_SELF), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L2_TABLE, pt_mfn(pg), DOMID_SELF), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(pg), DOMID_SELF), 0);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(pg), 2), -EPERM);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(pg), DOMID_IO), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_MARK_SUPER, 0, DOMID_SELF), -EOPNOTSUPP);
	assert_int_equal(pt_mmuext(1000, 0, DOMID_SELF), -ENOSYS);
	assert_int_equal(pt_mmuext(MMUEXT_FLUSH_CACHE, 0, DOMID_SELF), -EACCES);
	assert_int_equal(pt_mmuext(MMUEXT_CLEAR_PAGE, pt_mfn(tree.l4), DOMID_SELF), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_CLEAR_PAGE, pt_mfn(pg), DOMID_SELF), 0);
	assert_counts_equal(&before);
}

/* ---- grant mappings ---- */

static void test_grant_leaves(void **state __maybe_unused)
{
	struct page_info *theirs = pt_page(pt_other);
	const mfn_t mfn = page_to_mfn(theirs);
	const unsigned int app = GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte |
				 1 << _GNTMAP_guest_avail0;
	struct host_counts before;
	pte_t *e;

	make_tree();
	before = host_count();
	e = &pt_entries(level_page(1))[3];
	/* By address, as the grant code does it: it brings the references. */
	assert_true(get_page_and_type(theirs, pt_other, PGT_writable_page));
	assert_int_equal(arch_grant_map(VA(0, 0, 3), mfn, GNTMAP_host_map), GNTST_okay);
	assert_int_equal(e->pte & (PTE_RW | PTE_USER | PTE_GUEST_KERNEL),
			 PTE_RW | PTE_USER | PTE_GUEST_KERNEL);
	assert_int_equal(arch_grant_unmap(VA(0, 0, 3), mfn, 0, GNTMAP_host_map | GNTMAP_readonly),
			 GNTST_general_error);
	assert_int_equal(arch_grant_unmap(VA(0, 0, 4), mfn, 0, GNTMAP_host_map),
			 GNTST_general_error);
	assert_int_equal(arch_grant_unmap(VA(0, 0, 3), mfn, 0, GNTMAP_host_map), GNTST_okay);
	assert_int_equal(e->pte, 0);
	/* By entry, for user space. */
	assert_int_equal(arch_grant_map(pt_maddr(level_page(1), 3), mfn, app), GNTST_okay);
	assert_int_equal(e->pte & (PTE_GUEST_KERNEL | PTE_GLOBAL | PTE_AVAIL), PTE_GLOBAL | 0x200);
	assert_int_equal(arch_grant_map(pt_maddr(level_page(1), 3) + 4, mfn, app),
			 GNTST_general_error);
	assert_int_equal(arch_grant_map(pt_maddr(level_page(2), 3), mfn, app), GNTST_general_error);
	assert_int_equal(arch_grant_map(pt_maddr(theirs, 3), mfn, app), GNTST_general_error);
	assert_int_equal(arch_grant_unmap(pt_maddr(level_page(1), 3), mfn, 0, app), GNTST_okay);
	put_page_and_type(theirs);
	/* Replaced by another mapping of the guest's, and dropped in another way than by unmap. */
	assert_int_equal(do_update_va_mapping(VA(0, 0, 9), pt_value(tree.data, LEAF_RW), 0, 0, 0),
			 0);
	assert_true(get_page(theirs, pt_other));
	assert_int_equal(arch_grant_map(VA(0, 0, 3), mfn, GNTMAP_host_map | GNTMAP_readonly),
			 GNTST_okay);
	assert_int_equal(
		arch_grant_unmap(VA(0, 0, 3), mfn, VA(0, 0, 9), GNTMAP_host_map | GNTMAP_readonly),
		GNTST_okay);
	put_page(theirs);
	assert_int_equal(pte_mfn(*e).m, pt_mfn(tree.data));
	assert_int_equal(pt_entries(level_page(1))[9].pte, 0);
	assert_int_equal(do_update_va_mapping(VA(0, 0, 3), 0, 0, 0, 0), 0);
	assert_counts_equal(&before);
}

/*
 * A guest drops a mapping of another's page in another way than by unmap, and
 * need not flush. The owner may make a table of it next, which flushes only the
 * owner's CPUs: so this one's are flushed before the reference goes.
 */
static void test_foreign_leaf_goes(void **state __maybe_unused)
{
	static const unsigned int ro = GNTMAP_host_map | GNTMAP_readonly;
	struct page_info *theirs = pt_page(pt_other);
	const mfn_t mfn = page_to_mfn(theirs);
	unsigned int flushes;

	make_tree();
	cpumask_set_cpu(5, &pt_dom->dirty_cpumask);
	assert_int_equal(do_update_va_mapping(VA(0, 0, 9), pt_value(tree.data, LEAF_RW), 0, 0, 0),
			 0);
	flushes = host_rec.flushes_mask;
	assert_true(get_page(theirs, pt_other));
	assert_int_equal(arch_grant_map(VA(0, 0, 3), mfn, ro), GNTST_okay);
	assert_int_equal(do_update_va_mapping(VA(0, 0, 3), 0, 0, 0, 0), 0);
	assert_int_equal(do_update_va_mapping(VA(0, 0, 9), 0, 0, 0, 0), 0);
	assert_int_equal(host_rec.flushes_mask, flushes);

	assert_true(get_page_and_type(theirs, pt_other, PGT_writable_page));
	flushes = host_rec.flushes_mask;
	assert_int_equal(arch_grant_map(VA(0, 0, 3), mfn, GNTMAP_host_map), GNTST_okay);
	assert_int_equal(do_update_va_mapping(VA(0, 0, 3), 0, 0, 0, 0), 0);
	assert_int_equal(host_rec.flushes_mask, flushes + 1);
	assert_true(cpumask_test_cpu(5, &host_rec.last_flush_mask));
	/* The same with the whole table. */
	assert_true(get_page_and_type(theirs, pt_other, PGT_writable_page));
	assert_int_equal(arch_grant_map(VA(0, 0, 3), mfn, GNTMAP_host_map), GNTST_okay);
	flushes = host_rec.flushes_mask;
	assert_int_equal(pt_update_one(pt_maddr(level_page(2), 0), 0), 0);
	assert_int_equal(pt_type(theirs), 0);
	assert_int_equal(host_rec.flushes_mask, flushes + 1);
	assert_true(cpumask_test_cpu(5, &host_rec.last_flush_mask));
}

/* A table full of such mappings goes at once: after the first flush nobody gets at the rest of it. */
static void test_foreign_leaves_go(void **state __maybe_unused)
{
	struct page_info *theirs = pt_page(pt_other);
	unsigned int flushes;

	make_tree();
	cpumask_set_cpu(0, &pt_dom->dirty_cpumask);
	cpumask_set_cpu(3, &pt_dom->dirty_cpumask);
	for (unsigned int i = 16; i < PT_ENTRIES; i++) {
		assert_true(get_page_and_type(theirs, pt_other, PGT_writable_page));
		assert_int_equal(arch_grant_map(VA(0, 0, i), page_to_mfn(theirs), GNTMAP_host_map),
				 GNTST_okay);
	}
	flushes = host_rec.flushes_mask;
	assert_int_equal(pt_update_one(pt_maddr(level_page(2), 0), 0), 0);
	assert_int_equal(pt_type(theirs), 0);
	assert_int_equal(host_rec.flushes_mask, flushes + 1);
	assert_true(cpumask_test_cpu(3, &host_rec.last_flush_mask));
}

/* The same while somebody logs, which takes another way: the table is in the log if it changed. */
static void test_grant_leaves_logged(void **state)
{
	struct page_info *theirs = pt_page(pt_other);
	const mfn_t mfn = page_to_mfn(theirs);

	log_dirty_on = 1;
	test_grant_leaves(state);
	assert_true(get_page_and_type(theirs, pt_other, PGT_writable_page));
	assert_int_equal(arch_grant_map(VA(0, 0, 5), mfn, GNTMAP_host_map), GNTST_okay);
	marked_ours = NULL;
	assert_int_equal(arch_grant_unmap(VA(0, 0, 5), mfn_add(mfn, 1), 0, GNTMAP_host_map),
			 GNTST_general_error);
	assert_null(marked_ours);
	assert_int_equal(arch_grant_unmap(VA(0, 0, 5), mfn, 0, GNTMAP_host_map), GNTST_okay);
	assert_ptr_equal(marked_ours, level_page(1));
	log_dirty_on = 0;
}

/* A new vcpu's user tables are refused: its kernel's, however large, go in steps. */
static void test_base_tables_refused(void **state __maybe_unused)
{
	struct vcpu *v = pt_dom->vcpu[1];
	struct pt_tree kernel, user;
	unsigned int in_steps = 0;
	struct host_counts before;

	pt_tree(&kernel, 3, 4, 2);
	pt_tree(&user, 1, 1, 1);
	pt_fill(user.l4, 400, user.data, TABLE);
	pt_entries(user.l4)[400].pte |= PTE_PSE;
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		int rc;

		do {
			rc = vcpu_set_base_tables(v, page_to_mfn(kernel.l4), page_to_mfn(user.l4));
		} while (rc == -ERESTART);
		assert_int_equal(rc, -EINVAL);
		assert_true(no_table(v->arch.guest_table) && no_table(v->arch.guest_table_user));
		in_steps += v->arch.old_guest_table != NULL;
		while (put_old_guest_table(current) || put_old_guest_table(v))
			;
		pt_assert_released(&kernel);
		pt_assert_released(&user);
		assert_counts_equal(&before);
	}
	assert_in_range(in_steps, 3, 100);
}

/* A vcpu's first tables, preempted on the way, and then others: the first are let go. */
static void test_base_tables_changed(void **state __maybe_unused)
{
	struct vcpu *v = pt_dom->vcpu[1];
	struct pt_tree kernel, user, other;
	unsigned int changed = 0;
	struct host_counts before;

	pt_tree(&kernel, 1, 1, 1);
	pt_tree(&user, 3, 4, 2);
	pt_tree(&other, 1, 2, 1);
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		if (vcpu_set_base_tables(v, page_to_mfn(kernel.l4), page_to_mfn(user.l4))) {
			changed += !no_table(v->arch.guest_table);
			/* What is validated in part waits for whoever goes on with it. */
			while (vcpu_set_base_tables(v, page_to_mfn(other.l4), page_to_mfn(user.l4)))
				;
			assert_true(mfn_eq(v->arch.guest_table, page_to_mfn(other.l4)));
		}
		do {
			while (vcpu_destroy_pagetables(v) || put_old_guest_table(current))
				;
		} while ((kernel.l4->type_info & PGT_partial) &&
			 !vcpu_set_base_tables(v, page_to_mfn(kernel.l4), INVALID_MFN));
		pt_assert_released(&kernel);
		pt_assert_released(&user);
		pt_assert_released(&other);
		assert_counts_equal(&before);
	}
	assert_in_range(changed, 1, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pt_test(test_flag_pairs),
		pt_test(test_validation_equals_update),
		pt_test(test_hypervisor_slots),
		pt_test(test_owners),
		pt_test(test_tools_map_foreign),
		pt_test(test_foreign_stores_logged),
		pt_test(test_device_frames),
		pt_test(test_batch_stops_at_failure),
		pt_test(test_mixed_batch_preempted),
		pt_test(test_copy_faults),
		pt_test(test_array_cut_off),
		pt_test(test_preserve_ad),
		pt_test(test_update_va_mapping),
		pt_test(test_new_base_preempted),
		pt_test(test_mmuext_errors),
		pt_test(test_grant_leaves),
		pt_test(test_grant_leaves_logged),
		pt_test(test_foreign_leaf_goes),
		pt_test(test_foreign_leaves_go),
		pt_test(test_base_tables_refused),
		pt_test(test_base_tables_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
