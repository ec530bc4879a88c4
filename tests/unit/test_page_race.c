/* SPDX-License-Identifier: MIT */
/*
 * Two vcpus at once on the same pages, step by step: before every atomic
 * operation of page_type.c and page_ref.c the other vcpu may be let run. All
 * schedules with up to three such switches are tried (a wait always switches),
 * and after each the page states must be as if the two had run one by one.
 */
/*
 * LINK: tests/unit/pt_world.c xen-core/heap.c arch/x86/rangeset.c arch/x86/mm/page_format.c
 * LINK: arch/x86/mm/validate.c arch/x86/mm/mod_entry.c arch/x86/mm/batch.c
 * LINK: arch/x86/mm/mmu_update.c arch/x86/mm/update_va.c arch/x86/mm/mmuext.c
 * LINK: arch/x86/mm/base_tables.c arch/x86/mm/map.c arch/x86/mm/teardown.c
 */
#include "harness.h"
#include <arch/atomic.h>
#include <ucontext.h>

static void race_point(void);

/* The same operations, with a chance for the other vcpu before. */
#undef atomic_cmpxchg
#define atomic_cmpxchg(p, old, new) ({ \
	__typeof__(*(p)) cx_old_ = (old), cx_new_ = (new); \
	race_point(); \
	__atomic_compare_exchange_n(p, &cx_old_, cx_new_, false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	cx_old_; })
#undef atomic_or
#define atomic_or(p, v)	({ race_point(); (void)__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); })
#undef atomic_and
#define atomic_and(p, v) ({ race_point(); (void)__atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); })
#undef atomic_sub_return
#define atomic_sub_return(p, v)	({ race_point(); __atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST); })

#include "../../arch/x86/mm/page_type.c"
#include "../../arch/x86/mm/page_ref.c"
#undef read_once
#define read_once(x) ({ race_point(); __atomic_load_n(&(x), __ATOMIC_RELAXED); })
#include "../../arch/x86/mm/walk.c"
#include "pt_world.h"

/* ---- the two vcpus as coroutines ---- */

#define STACK	(512 << 10)
#define MAX_SWITCHES	3

static ucontext_t main_context, side[2];
static char stacks[2][STACK] __aligned(16);
static bool running, finished[2];
static unsigned int now, step, switches[MAX_SWITCHES], nr_switches, waits;
static void (*body[2])(void);

static void go_to(unsigned int other)
{
	unsigned int me = now;

	now = other;
	host_switch_to(other, pt_dom->vcpu[other]);
	swapcontext(&side[me], &side[other]);
}

static void race_point(void)
{
	if (!running)
		return;
	step++;
	for (unsigned int i = 0; i < nr_switches; i++)
		if (switches[i] == step && !finished[!now]) {
			go_to(!now);
			return;
		}
}

/* cpu_relax(): who waits lets the other run; two that wait for each other never end. */
static void wait_point(void)
{
	BUG_ON(!running || finished[!now] || ++waits > 10000);
	go_to(!now);
}

static void start(unsigned int me)
{
	body[me]();
	finished[me] = true;
	if (!finished[!me])
		go_to(!me);
	swapcontext(&side[me], &main_context);
}

static void prepare(unsigned int me)
{
	getcontext(&side[me]);
	side[me].uc_stack.ss_sp = stacks[me];
	side[me].uc_stack.ss_size = STACK;
	side[me].uc_link = NULL;
	makecontext(&side[me], (void (*)(void))(uintptr_t)start, 1, me);
	finished[me] = false;
}

/* Runs both under the current schedule; how many steps there were. */
static unsigned int run_once(void (*a)(void), void (*b)(void))
{
	body[0] = a;
	body[1] = b;
	prepare(0);
	prepare(1);
	now = step = waits = 0;
	host_switch_to(0, pt_dom->vcpu[0]);
	host_relax_hook = wait_point;
	running = true;
	swapcontext(&main_context, &side[0]);
	running = false;
	host_relax_hook = NULL;
	host_switch_to(0, pt_dom->vcpu[0]);
	return step;
}

/* All schedules: `before` sets the scene, `after` looks at what is left. */
static void all_schedules(void (*before)(void), void (*a)(void), void (*b)(void),
			  void (*after)(void))
{
	unsigned int steps, runs = 0;

	nr_switches = 0;
	before();
	steps = run_once(a, b);
	after();
	assert_in_range(steps, 1, 200);
	steps = max(steps, 12U);	/* one after the other may be the shorter way */
	nr_switches = MAX_SWITCHES;
	for (unsigned int i = 1; i <= steps + 2; i++)
		for (unsigned int k = i + 1; k <= steps + 3; k++)
			for (unsigned int l = k + 1; l <= steps + 4; l++) {
				switches[0] = i;
				switches[1] = k;
				switches[2] = l;
				before();
				run_once(a, b);
				after();
				runs++;
			}
	assert_in_range(runs, 10, 10000000);
}

/* ---- scenes ---- */

static struct page_info *page, *l1, *l2;
static unsigned int holders[8];		/* by type: who has it now */
static int result[2];

static void hold(unsigned long type, bool get)
{
	unsigned int t = level_of(type), others = 0;

	if (get) {
		holders[t]++;
		for (unsigned int i = 0; i < 8; i++)
			others += i == t ? 0 : holders[i];
		BUG_ON(others);
		BUG_ON((page->type_info & PGT_type_mask) != type ||
		       !(page->type_info & PGT_validated));
	} else {
		holders[t]--;
	}
}

/* Takes a type, is sure of it for a while, drops it; twice. */
static void use_as(unsigned long type)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (type == PGT_writable_page ? get_writable_type(page) :
						page_type_get(page, type, false))
			continue;
		hold(type, true);
		race_point();
		hold(type, false);
		if (type == PGT_writable_page)
			put_writable_type(page);
		else
			put_page_type(page);
	}
}
static void use_writable(void) { use_as(PGT_writable_page); }
static void use_l1(void) { use_as(PGT_l1_page_table); }
static void use_segdesc(void) { use_as(PGT_seg_desc_page); }

static void one_page(void)
{
	page->type_info = 0;
	memset(holders, 0, sizeof(holders));
}
static void one_page_released(void)
{
	assert_int_equal(page->type_info & (PGT_count_mask | PGT_partial | PGT_locked | PGT_pinned),
			 0);
	assert_false(is_table_type(page->type_info) && (page->type_info & PGT_validated));
	assert_int_equal(pt_count(page), 1);
}

static void test_types_exclude_each_other(void **state __maybe_unused)
{
	page = pt_page(pt_dom);
	all_schedules(one_page, use_writable, use_l1, one_page_released);
	all_schedules(one_page, use_l1, use_l1, one_page_released);
	all_schedules(one_page, use_segdesc, use_l1, one_page_released);
	all_schedules(one_page, use_writable, use_writable, one_page_released);
}

/*
 * One vcpu drops the last writable reference, while another maps the page once more, a third CPU
 * flushes its TLB and takes that mapping into it, and the mapping goes. Before the page becomes a table
 * that CPU must be flushed again: whoever drops last, the stamp is not from before the flush.
 */
static void map_flush_unmap(void)
{
	const cpumask_t third = cpumask_of(2);

	BUG_ON(get_writable_type(page));
	race_point();
	flush_tlb_mask(&third);
	race_point();
	put_writable_type(page);
}
static void last_put(void) { put_writable_type(page); }
static void third_is_not_flushed(void)
{
	cpumask_t third = cpumask_of(2);

	one_page_released();
	tlbflush_filter(&third, page->tlbflush_stamp);
	assert_false(cpumask_empty(&third));
}
static void writable_page(void)
{
	page->type_info = 0;
	pt_entries(page)[0].pte = 0;
	BUG_ON(get_writable_type(page));
}
static void test_stamp_is_of_the_last_use(void **state __maybe_unused)
{
	page = pt_page(pt_dom);
	all_schedules(writable_page, last_put, map_flush_unmap, third_is_not_flushed);
	all_schedules(writable_page, map_flush_unmap, last_put, third_is_not_flushed);
}

/* A table is locked for an update while its last reference goes. */
static void lock_and_touch(void)
{
	for (unsigned int i = 0; i < 2; i++)
		if (page_lock(page)) {
			BUG_ON((page->type_info & PGT_type_mask) != PGT_l1_page_table);
			race_point();
			BUG_ON(!(page->type_info & PGT_validated));
			page_unlock(page);
		}
}

static void test_lock_against_put(void **state __maybe_unused)
{
	page = pt_page(pt_dom);
	all_schedules(one_page, use_l1, lock_and_touch, one_page_released);
	all_schedules(one_page, lock_and_touch, use_l1, one_page_released);
}

/* The owner's reference goes while another takes one: freed once, or not taken. */
static bool got;
static void drop_owner(void)
{
	page->count_info &= ~PGC_allocated;
	put_page(page);
}
static void look_up(void)
{
	got = get_page(page, pt_dom);
	race_point();
	if (got)
		put_page(page);
}
static void fresh_page(void) { page = pt_page(pt_dom); }
static void freed(void) { assert_int_equal(pt_dom->tot_pages, 0); }

static void test_get_against_last_put(void **state __maybe_unused)
{
	all_schedules(fresh_page, drop_owner, look_up, freed);
}

/* Steal: only if nobody else refers to the page, whoever comes when. */
static void steal(void) { result[0] = steal_page(pt_dom, page, 0); }
static void map_it(void)
{
	result[1] = get_page_and_type(page, pt_dom, PGT_writable_page) ? 0 : -EBUSY;
}
static void stolen_or_mapped(void)
{
	assert_true(!result[0] != !result[1]);
	if (!result[1])
		put_page_and_type(page);
	if (!result[0])
		free_domheap_page(page);
	else
		drop_owner();
	assert_int_equal(pt_dom->tot_pages, 0);
}
static void test_steal_against_map(void **state __maybe_unused)
{
	all_schedules(fresh_page, steal, map_it, stolen_or_mapped);
}

/* One vcpu makes an entry writable, the other makes the page behind a table: one of them fails. */
static void map_writable(void)
{
	pte_t *e = pt_entries(l1);

	result[0] = page_lock(l1) ? 0 : -EINVAL;
	if (result[0])
		return;
	result[0] = mod_l1_entry(e, (pte_t){ pt_value(page, LEAF_RW) }, false, pt_dom, pt_dom);
	page_unlock(l1);
}
static void make_table(void)
{
	result[1] = get_page(page, pt_dom) ? 0 : -EBUSY;
	if (result[1])
		return;
	result[1] = page_type_get(page, PGT_l1_page_table, false);
	if (result[1])
		put_page(page);
}
static void l1_and_page(void)
{
	page->type_info = 0;
	pt_entries(l1)[0].pte = pt_value(page, LEAF_RO);
	BUG_ON(page_type_get(l1, PGT_l1_page_table, false));
}
static void not_both(void)
{
	assert_false(!result[0] && !result[1]);
	assert_false(result[0] && result[1]);
	if (!result[1])
		put_page_and_type(page);
	put_page_type(l1);
	one_page_released();
}
static void test_writable_against_table(void **state __maybe_unused)
{
	page = pt_page(pt_dom);
	l1 = pt_page(pt_dom);
	all_schedules(l1_and_page, map_writable, make_table, not_both);
}

/* Both validate and drop the same tree; one may meet it half done. */
static void use_tree(void)
{
	int rc;

	do {
		rc = page_type_get(l2, PGT_l2_page_table, true);
	} while (rc == -EINTR || rc == -ERESTART);
	BUG_ON(rc);
	race_point();
	BUG_ON(!(l1->type_info & PGT_validated) || !(l2->type_info & PGT_validated));
	do {
		rc = page_type_put(l2, rc == -ERESTART, true);
	} while (rc);
}
static void tree(void)
{
	l2->type_info = l1->type_info = page->type_info = 0;
	pt_fill(l2, 3, l1, TABLE);
	pt_fill(l2, 9, l1, TABLE);
	pt_fill(l1, 1, page, LEAF_RW);
	/* Preempted once, somewhere in the middle. */
	host_preempt_at(2);
}
static void tree_released(void)
{
	host_preempt_at(0);
	one_page_released();
	assert_int_equal(pt_type_count(l2) | pt_type_count(l1), 0);
	assert_int_equal(pt_count(l2), 1);
	assert_int_equal(pt_count(l1), 1);
}
static void test_trees(void **state __maybe_unused)
{
	page = pt_page(pt_dom);
	l1 = pt_page(pt_dom);
	l2 = pt_page(pt_dom);
	all_schedules(tree, use_tree, use_tree, tree_released);
}

/*
 * One vcpu walks the tables in software while the other takes a table out of the
 * tree and makes data of it, with frame numbers that do not exist.
 */
static struct pt_tree walked;
static mfn_t found;
static void walk_tree(void)
{
	mfn_t table;

	found = guest_leaf(pt_dom->vcpu[0], 0xffff960000000000, &table) ? table : INVALID_MFN;
}
static void make_data_of_table(void)
{
	unsigned int flushes;

	pt_entries(walked.l4)[300].pte = 0;
	put_page_and_type(walked.l3);
	flushes = host_rec.flushes_mask;
	BUG_ON(get_writable_type(walked.l3));
	/* The flush that it asks for ends when the other CPU takes the interrupt. */
	while (host_rec.flushes_mask != flushes && !host_cpus[0].irq_enabled)
		wait_point();
	race_point();
	pt_entries(walked.l3)[0].pte = PTE_ADDR_MASK | LEAF_RW;
	put_writable_type(walked.l3);
}
static void tree_to_walk(void)
{
	pt_tree(&walked, 1, 1, 1);
	pt_dom->vcpu[0]->arch.guest_table = page_to_mfn(walked.l4);
	cpumask_set_cpu(0, &pt_dom->dirty_cpumask);
	BUG_ON(get_page_type(walked.l4, PGT_l4_page_table));
}
static void tree_walked(void)
{
	assert_true(mfn_eq(found, INVALID_MFN) || mfn_x(found) == pt_mfn(walked.pages[3]));
	put_page_type(walked.l4);
	pt_assert_released(&walked);
	for (unsigned int i = 0; i <= walked.nr_pages; i++) {
		page = i < walked.nr_pages ? walked.pages[i] : walked.data;
		drop_owner();
	}
}
static void test_walk_against_reuse(void **state __maybe_unused)
{
	all_schedules(tree_to_walk, walk_tree, make_data_of_table, tree_walked);
}

/*
 * One vcpu writes to a page by one long batch, the other drops the page's last
 * reference as writable, which waits for the lock: it need not wait for the end.
 */
#define LONG_BATCH	600U
static struct mmu_update batch[LONG_BATCH];
static bool met_halfway;
static void write_at_length(void)
{
	BUG_ON(pt_mmu_update(batch, LONG_BATCH, NULL, DOMID_SELF));
}
static void drop_writable(void)
{
	put_writable_type(page);
	met_halfway |= pt_entries(page)[0].pte > 0 && pt_entries(page)[0].pte < LONG_BATCH;
}
static void test_long_batch(void **state __maybe_unused)
{
	page = pt_page(pt_dom);
	for (unsigned int i = 0; i < LONG_BATCH; i++)
		batch[i] = (struct mmu_update){ pt_maddr(page, 0), i + 1 };
	all_schedules(writable_page, write_at_length, drop_writable, one_page_released);
	assert_true(met_halfway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pt_test(test_types_exclude_each_other),
		pt_test(test_stamp_is_of_the_last_use),
		pt_test(test_lock_against_put),
		pt_test(test_get_against_last_put),
		pt_test(test_steal_against_map),
		pt_test(test_writable_against_table),
		pt_test(test_trees),
		pt_test(test_walk_against_reuse),
		pt_test(test_long_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
