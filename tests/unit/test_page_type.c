/* SPDX-License-Identifier: MIT */
/* Page types: references, validation of whole trees, and preemption of it at every point. */
/*
 * LINK: tests/unit/pt_world.c xen-core/heap.c arch/x86/rangeset.c arch/x86/mm/page_format.c
 * LINK: arch/x86/mm/page_ref.c arch/x86/mm/page_type.c arch/x86/mm/validate.c
 * LINK: arch/x86/mm/mod_entry.c arch/x86/mm/walk.c arch/x86/mm/batch.c
 * LINK: arch/x86/mm/mmu_update.c arch/x86/mm/update_va.c arch/x86/mm/mmuext.c
 * LINK: arch/x86/mm/base_tables.c arch/x86/mm/map.c arch/x86/mm/teardown.c arch/x86/mm/holders.c
 */
#include "pt_world.h"

#include <arch/domain.h>

/* A frame has one type at a time, and keeps the last one when its count is zero. */
static void test_one_type_at_a_time(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);

	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
	assert_int_equal(get_page_type(pg, PGT_l1_page_table), -EINVAL);
	put_page_type(pg);
	put_page_type(pg);
	assert_int_equal(get_page_type(pg, PGT_l1_page_table), 0);
	assert_int_equal(get_page_type(pg, PGT_writable_page), -EINVAL);
	assert_int_equal(get_page_type(pg, PGT_l2_page_table), -EINVAL);
	put_page_type(pg);
	assert_int_equal(get_page_type(pg, PGT_seg_desc_page), 0);
	put_page_type(pg);
	((uint64_t *)page_to_virt(pg))[17] = 0xbad;
	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
	put_page_type(pg);
	assert_int_equal(get_page_type(pg, PGT_seg_desc_page), -EINVAL);
	assert_int_equal(pt_type_count(pg), 0);
}

static void test_get_page(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);

	assert_true(get_page(pg, pt_dom));
	assert_false(get_page(pg, pt_other));
	assert_int_equal(pt_count(pg), 2);
	assert_ptr_equal(page_get_owner_and_reference(pg), pt_dom);
	put_page(pg);
	put_page(pg);
	assert_int_equal(pt_count(pg), 1);
	pg->count_info = PGC_allocated | (PGC_count_mask - 1);
	assert_false(get_page(pg, pt_dom));	/* the last reference is never given out */
	pg->count_info = PGC_allocated | 1;
}

static void test_type_count_overflow(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);

	pg->type_info = PGT_writable_page | PGT_validated | PGT_count_mask;
	assert_int_equal(get_writable_type(pg), -EINVAL);
	assert_false(page_lock(pg));
	pg->type_info = 0;
}

/* Mappings of the old type may be cached: whoever has not flushed since it went is flushed. */
static void test_flush_on_type_change(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);
	unsigned int flushes;

	cpumask_set_cpu(3, &pt_dom->dirty_cpumask);
	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
	put_writable_type(pg);
	flushes = host_rec.flushes_mask;
	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);	/* no change */
	put_writable_type(pg);
	assert_int_equal(host_rec.flushes_mask, flushes);
	assert_int_equal(get_page_type(pg, PGT_l1_page_table), 0);
	assert_int_equal(host_rec.flushes_mask, flushes + 1);
	assert_true(cpumask_test_cpu(3, &host_rec.last_flush_mask));
	put_page_type(pg);
	/* And back: the table may be cached as one. */
	host_switch_to(3, NULL);
	flush_tlb_local();
	host_switch_to(0, pt_dom->vcpu[0]);
	flushes = host_rec.flushes_mask;
	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
	/* CPU 3 has flushed since */
	assert_int_equal(host_rec.flushes_mask, flushes);
	put_writable_type(pg);
}

static void test_lock(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);

	assert_false(page_lock(pg));		/* no type in use */
	assert_int_equal(get_page_type(pg, PGT_l1_page_table), 0);
	assert_true(page_lock(pg));
	assert_int_equal(pt_type_count(pg), 2);
	page_unlock(pg);
	put_page_type(pg);
	assert_false(page_lock(pg));
}

/* A tree is validated from the top, with every reference counted, and released the same way. */
static void test_tree(void **state __maybe_unused)
{
	struct host_counts before;
	struct pt_tree t;

	pt_tree(&t, 2, 3, 4);
	before = host_count();
	pt_entries(t.l4)[260].pte = ~0UL;	/* a guest's rubbish in our slots is ignored */
	assert_int_equal(get_page_type_preemptible(t.l4, PGT_l4_page_table), 0);
	assert_int_equal(pt_type(t.l3), PGT_l3_page_table);
	assert_int_equal(pt_type_count(t.data), 24);
	assert_int_equal(pt_count(t.data), 25);
	assert_int_equal(pt_entries(t.l4)[300].pte & PTE_USER, PTE_USER);
	assert_int_equal(pt_entries(t.l4)[260].pte & 0xfff000, 0xabc000);
	assert_int_equal(put_page_type_preemptible(t.l4), 0);
	pt_assert_released(&t);
	assert_counts_equal(&before);
}

/* A leaf that maps a table writable is refused wherever it is, and everything is given back. */
static void test_no_writable_mapping_of_a_table(void **state __maybe_unused)
{
	struct host_counts before;
	struct pt_tree t;

	pt_tree(&t, 2, 3, 4);
	before = host_count();
	for (unsigned int i = 0; i < t.nr_pages; i++) {
		pt_fill(t.pages[t.nr_pages - 1], 511, t.pages[i], LEAF_RW);
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF),
				 -EBUSY);
		pt_assert_released(&t);
	}
	pt_fill(t.pages[t.nr_pages - 1], 511, t.l4, LEAF_RO);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
	assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
	assert_counts_equal(&before);
}

/*
 * A bad leaf anywhere in a full table: the leaves before it are given back,
 * those after never taken.
 */
static void test_bad_leaf_anywhere(void **state __maybe_unused)
{
	struct page_info *l1 = pt_page(pt_dom), *data = pt_page(pt_dom);

	for (unsigned int bad = 0; bad < PT_ENTRIES; bad++) {
		for (unsigned int i = 0; i < PT_ENTRIES; i++)
			pt_fill(l1, i, data, i % 3 ? LEAF_RW : LEAF_RO);
		pt_entries(l1)[bad].pte |= PTE_PCD;
		assert_int_equal(get_page_type(l1, PGT_l1_page_table), -EINVAL);
		assert_int_equal(pt_type_count(data), 0);
		assert_int_equal(pt_count(data), 1);
	}
}

/* Linear tables: a table named by itself or by one of its own level, at every level. */
static void test_linear_tables_refused(void **state __maybe_unused)
{
	for (unsigned int level = 2; level <= 4; level++) {
		struct page_info *a = pt_page(pt_dom), *b = pt_page(pt_dom);
		struct host_counts before = host_count();

		pt_fill(a, 5, a, LEAF_RO);
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pt_mfn(a), DOMID_SELF),
				 -EINVAL);
		pt_fill(a, 5, b, LEAF_RO);
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pt_mfn(b), DOMID_SELF),
				 0);
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pt_mfn(a), DOMID_SELF),
				 -EINVAL);
		assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(b), DOMID_SELF), 0);
		assert_counts_equal(&before);
	}
}

/* ---- preemption ---- */

/*
 * Pinning and unpinning, interrupted at the n-th chance, for every n:
 * continues, and ends the same.
 */
static void test_preempted_everywhere(void **state __maybe_unused)
{
	struct host_counts before;
	struct pt_tree t;
	unsigned int points = 0;

	pt_tree(&t, 3, 4, 2);
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
		assert_int_equal(pt_type_count(t.data), 24);
		host_preempt_at(n);
		assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
		pt_assert_released(&t);
		assert_counts_equal(&before);
		points = n;
	}
	assert_in_range(points, 10, 1000);
}

/* A dying domain's memory goes, and with it all that its tables hold. */
static void tear_down(struct domain *d, unsigned int preempt_at)
{
	unsigned int rounds = 0;

	d->is_dying = DOMDYING_dying;
	d->arch.relmem_step = 0;
	host_switch_to(0, pt_tools->vcpu[0]);
	host_preempt_at(preempt_at);
	while (mm_relinquish_memory(d))
		assert_in_range(rounds++, 0, 1000);
	d->is_dying = DOMDYING_alive;
}

/* Interrupted at the n-th chance, and never continued: teardown finds and undoes it. */
static void test_abandoned_then_torn_down(void **state __maybe_unused)
{
	bool fired = true;

	for (unsigned int n = 1; fired; n++) {
		struct pt_tree t;
		long rc;

		host_switch_to(0, pt_dom->vcpu[0]);
		pt_tree(&t, 3, 4, 2);
		host_preempt_at(n);
		rc = get_page_type_preemptible(t.l4, PGT_l4_page_table);
		if (!rc)
			rc = put_page_type_preemptible(t.l4);
		fired = host_fault_fired();
		assert_int_equal(!!rc, fired);
		assert_null(pt_dom->vcpu[0]->arch.old_guest_table);
		/* -EINTR at the put: the reference that a pin would hold, for teardown to find. */
		if (rc == -EINTR) {
			assert_true(get_page(t.l4, pt_dom));
			(void)test_and_set_pinned(t.l4);
		}
		tear_down(pt_dom, n % 7);
		assert_int_equal(pt_dom->tot_pages, 0);
	}
}

/* The last entry is bad, so all that was done is undone, interrupted at every chance. */
static void test_failure_preempted_everywhere(void **state __maybe_unused)
{
	struct host_counts before;
	struct pt_tree t;

	pt_tree(&t, 3, 4, 2);
	pt_fill(t.pages[t.nr_pages - 1], 511, t.l3, LEAF_RW);
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF), -EBUSY);
		pt_assert_released(&t);
		assert_counts_equal(&before);
	}
}

/* A tree that was left half way is taken over by whoever asks next, also for its parts. */
static void test_partial_is_taken_over(void **state __maybe_unused)
{
	for (unsigned int n = 1; n < 40; n++) {
		struct host_counts before;
		struct pt_tree t;
		struct page_info *l2;

		host_preempt_at(0);
		pt_tree(&t, 3, 4, 2);
		l2 = t.pages[2];
		before = host_count();
		host_preempt_at(n);
		(void)get_page_type_preemptible(t.l4, PGT_l4_page_table);
		host_preempt_at(0);
		if (pt_type(t.l4) && (t.l4->type_info & PGT_validated)) {
			assert_int_equal(put_page_type_preemptible(t.l4), 0);
			break;
		}
		/* An inner table on its own, then dropped again; then the whole. */
		assert_int_equal(get_page_type_preemptible(l2, PGT_l2_page_table), 0);
		assert_int_equal(put_page_type_preemptible(l2), 0);
		assert_int_equal(get_page_type_preemptible(t.l4, PGT_l4_page_table), 0);
		assert_int_equal(pt_type_count(t.data), 24);
		assert_int_equal(put_page_type_preemptible(t.l4), 0);
		pt_assert_released(&t);
		assert_counts_equal(&before);
	}
}

/* A page of a half-checked tree is reused as another type meanwhile: the rest is undone rightly. */
static void test_partial_child_changes_type(void **state __maybe_unused)
{
	for (unsigned int n = 1; n < 40; n++) {
		struct host_counts before;
		struct pt_tree t;

		host_preempt_at(0);
		pt_tree(&t, 3, 4, 2);
		before = host_count();
		for (unsigned int i = 1; i < t.nr_pages; i++) {
			struct page_info *pg = t.pages[i];

			host_preempt_at(n);
			(void)get_page_type_preemptible(t.l4, PGT_l4_page_table);
			host_preempt_at(0);
			if (t.l4->type_info & PGT_validated) {
				assert_int_equal(put_page_type_preemptible(t.l4), 0);
				return;
			}
			if (pg->type_info & PGT_partial) {
				unsigned long type = pg->type_info & PGT_type_mask;

				/* Finish it, drop it, make it writable, and keep that. */
				assert_int_equal(get_page_type_preemptible(pg, type), 0);
				assert_int_equal(put_page_type_preemptible(pg), 0);
				assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
				assert_int_equal(
					pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF),
					-EINVAL);
				put_page_type(pg);
			} else {
				assert_int_equal(
					pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF),
					0);
				assert_int_equal(
					pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
			}
			pt_assert_released(&t);
			assert_counts_equal(&before);
		}
	}
}

/* ---- pages that are shared, stolen, freed ---- */

static void test_share(void **state __maybe_unused)
{
	struct page_info *pg = virt_to_page(alloc_xenheap_page());

	share_xen_page_with_guest(pg, pt_dom, SHARE_ro);
	assert_true(get_page(pg, pt_dom));
	assert_int_equal(get_page_type(pg, PGT_writable_page), -EINVAL);
	assert_int_equal(unshare_xen_page(pg, pt_dom), -EBUSY);
	put_page(pg);
	assert_int_equal(unshare_xen_page(pg, pt_other), -EINVAL);
	assert_int_equal(unshare_xen_page(pg, pt_dom), 0);
	assert_false(get_page(pg, pt_dom));
	assert_int_equal(pt_dom->xenheap_pages, 0);

	share_xen_page_with_guest(pg, pt_dom, SHARE_rw);
	assert_int_equal(get_page_type(pg, PGT_writable_page), 0);
	assert_int_equal(get_page_type(pg, PGT_l1_page_table), -EINVAL);
	put_page_type(pg);
	assert_int_equal(unshare_xen_page(pg, pt_dom), 0);
	free_xenheap_page(page_to_virt(pg));
}

/* Taken only if nothing refers to it. */
static void test_steal(void **state __maybe_unused)
{
	struct page_info *pg = pt_page(pt_dom);

	assert_int_equal(steal_page(pt_other, pg, 0), -EINVAL);
	assert_true(get_page(pg, pt_dom));
	assert_int_equal(steal_page(pt_dom, pg, 0), -EINVAL);
	put_page(pg);
	assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE, pt_mfn(pg), DOMID_SELF), 0);
	assert_int_equal(steal_page(pt_dom, pg, 0), -EINVAL);
	assert_int_equal(pt_mmuext(MMUEXT_UNPIN_TABLE, pt_mfn(pg), DOMID_SELF), 0);
	assert_int_equal(steal_page(pt_dom, pg, 0), 0);
	assert_int_equal(pt_dom->tot_pages, 0);
	assert_int_equal(pt_count(pg), 0);
	free_domheap_page(pg);
}

/* Foreign references keep a dead domain's page, typed or not, until they go. */
static void test_teardown(void **state __maybe_unused)
{
	struct page_info *kept;
	struct pt_tree t;

	for_each_fault(n, host_preempt_at) {
		host_switch_to(0, pt_dom->vcpu[0]);
		host_preempt_at(0);
		pt_tree(&t, 3, 4, 2);
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
		assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, pt_mfn(t.l4), DOMID_SELF), 0);
		assert_int_equal(pt_mmuext(MMUEXT_NEW_USER_BASEPTR, pt_mfn(t.l4), DOMID_SELF), 0);
		kept = pt_page(pt_dom);
		assert_true(get_page_and_type(kept, pt_dom, PGT_writable_page));
		tear_down(pt_dom, n);
		assert_int_equal(pt_dom->tot_pages, 1);
		put_page_and_type(kept);
		assert_int_equal(pt_dom->tot_pages, 0);
	}
}

/*
 * The release of a pinned tree is preempted when pages that others keep have
 * been met already: it must be met again before the list's pages run out.
 */
static void test_teardown_preempted_behind_kept(void **state __maybe_unused)
{
	struct page_info *kept[3];
	struct pt_tree t;

	for_each_fault(n, host_preempt_at) {
		host_switch_to(0, pt_dom->vcpu[0]);
		host_preempt_at(0);
		for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
			kept[i] = pt_page(pt_dom);
			assert_true(get_page(kept[i], pt_dom));
		}
		pt_tree(&t, 3, 4, 2);
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L4_TABLE, pt_mfn(t.l4), DOMID_SELF), 0);
		tear_down(pt_dom, n);
		assert_int_equal(pt_dom->tot_pages, ARRAY_SIZE(kept));
		for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
			put_page(kept[i]);
		assert_int_equal(pt_dom->tot_pages, 0);
	}
}

/* A domain as Linux leaves it: every page is mapped by tables that stand behind it in the list. */
static void map_all(struct pt_tree *t, struct page_info **data, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		data[i] = pt_page(pt_dom);
	pt_tree(t, 1, 2, 1);
	for (unsigned int i = 0; i < nr; i++)
		pt_fill(t->pages[3 + i / 300], i % 300 + 1, data[i], i % 7 ? LEAF_RW : LEAF_RO);
	for (unsigned int level = 1; level <= 4; level++)
		assert_int_equal(pt_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, pt_mfn(t->pages[4 - level]),
					   DOMID_SELF), 0);
	assert_int_equal(pt_mmuext(MMUEXT_NEW_BASEPTR, pt_mfn(t->l4), DOMID_SELF), 0);
}

/*
 * Tables go before what they map, so that memory goes back in runs, not page by page under two locks
 * each; wherever that is preempted, and with pages in between that others keep.
 */
static void test_teardown_in_runs(void **state __maybe_unused)
{
	struct page_info *data[500];
	struct pt_tree t;

	for_each_fault(n, host_preempt_at) {
		unsigned long free = total_free_pages(), locks;

		host_switch_to(0, pt_dom->vcpu[0]);
		host_preempt_at(0);
		map_all(&t, data, ARRAY_SIZE(data));
		assert_true(get_page(data[400], pt_dom));
		locks = host_lock_acquisitions;
		tear_down(pt_dom, n);
		assert_in_range(host_lock_acquisitions - locks, 10, 100);
		assert_int_equal(pt_dom->tot_pages, 1);
		assert_ptr_equal(page_list_first(&pt_dom->page_list), data[400]);
		put_page(data[400]);
		assert_int_equal(pt_dom->tot_pages, 0);
		assert_int_equal(pt_dom->page_list.count, 0);
		assert_int_equal(total_free_pages(), free);
	}
}

static void note_mapping(const struct domain *by, const struct domain *dying, void *data)
{
	assert_ptr_equal(by, pt_tools);
	assert_ptr_equal(dying, pt_dom);
	++*(unsigned int *)data;
}

/* Only a control domain's tables are looked at, and only what they name of dying domains counts. */
static void test_holders(void **state __maybe_unused)
{
	struct page_info *held = pt_page(pt_dom), *alive = pt_page(pt_other);
	struct page_info *table = pt_page(pt_tools), *plain = pt_page(pt_tools);
	struct page_info *guest = pt_page(pt_other);
	unsigned int found = 0;

	assert_int_equal(get_page_type(table, PGT_l1_page_table), 0);
	assert_int_equal(get_page_type(guest, PGT_l1_page_table), 0);
	for (unsigned int i = 0; i < 3; i++) {
		pt_fill(table, i * 7, held, LEAF_RO);
		pt_fill(table, i * 7 + 1, alive, LEAF_RO);
		pt_fill(table, i * 7 + 2, table, LEAF_RO);
		pt_fill(table, i * 7 + 3, held, 0);
		pt_fill(plain, i, held, LEAF_RO);
		pt_fill(guest, i, held, LEAF_RO);
	}
	arch_each_mapping(note_mapping, &found);
	assert_int_equal(found, 0);
	pt_dom->is_dying = DOMDYING_dying;
	arch_each_mapping(note_mapping, &found);
	assert_int_equal(found, 3);
	assert_int_equal(pt_count(table), 1);
	memset(pt_entries(table), 0, PAGE_SIZE);
	memset(pt_entries(guest), 0, PAGE_SIZE);
	put_page_type(table);
	put_page_type(guest);
	pt_dom->is_dying = DOMDYING_alive;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pt_test(test_one_type_at_a_time),
		pt_test(test_get_page),
		pt_test(test_type_count_overflow),
		pt_test(test_flush_on_type_change),
		pt_test(test_lock),
		pt_test(test_tree),
		pt_test(test_no_writable_mapping_of_a_table),
		pt_test(test_bad_leaf_anywhere),
		pt_test(test_linear_tables_refused),
		pt_test(test_preempted_everywhere),
		pt_test(test_abandoned_then_torn_down),
		pt_test(test_failure_preempted_everywhere),
		pt_test(test_partial_is_taken_over),
		pt_test(test_partial_child_changes_type),
		pt_test(test_share),
		pt_test(test_steal),
		pt_test(test_teardown),
		pt_test(test_teardown_preempted_behind_kept),
		pt_test(test_teardown_in_runs),
		pt_test(test_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
