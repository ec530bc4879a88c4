/* SPDX-License-Identifier: MIT */
/*
 * Shadows against the tables that they are filled from: faults, changes, flushes
 * and cleans in random order, and after each step nothing in the shadow that the
 * guest's tables and the log do not allow.
 *
 * LINK: tests/unit/pt_world.c xen-core/log_dirty.c arch/x86/rangeset.c
 * LINK: arch/x86/mm/shadow.c
 */
#include "pt_world.h"
#include <core/event.h>
#include <core/grant_table.h>
#include <core/log_dirty.h>
#include <x86/context.h>
#include <x86/shadow.h>

#define SLOT		300
#define NR_L1		4
#define NR_LEAVES	4		/* in each L1: entries 0, 1, 40, 511 */
#define NR_VA		(NR_L1 * NR_LEAVES)
#define NR_DATA		8
#define FEW		7		/* tables: what one root needs is 6 */

#define P	0x01u
#define W	0x02u
#define U	0x04u
#define X	0x10u

struct rangeset *mmio_ro_ranges;
static struct vcpu *v;
static struct page_info *l4, *user_l4, *l3, *l2, *l1[NR_L1], *data[NR_DATA];
static const unsigned int leaf_index[NR_LEAVES] = { 0, 1, 40, 511 };
static uint64_t seed;

void evtchn_mark_pages(struct domain *d __maybe_unused) { }
void gnttab_mark_writable(struct domain *d __maybe_unused) { }
struct vcpu *loaded_vcpu_here(void) { return current; }
void flush_tlb_local(void) { shadow_flush_here(); }
void flush_tlb_one_local(unsigned long va) { shadow_flush_one_here(va); }

static unsigned int random_below(unsigned int n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)(seed >> 33) % n;
}

static unsigned long va_of(unsigned int i)
{
	return 0xffff000000000000UL | (unsigned long)SLOT << 39 |
	       (unsigned long)(i / NR_LEAVES) << 21 |
	       (unsigned long)leaf_index[i % NR_LEAVES] << 12;
}

static pte_t *guest_entry(unsigned int i)
{
	return pt_entries(l1[i / NR_LEAVES]) + leaf_index[i % NR_LEAVES];
}

/* The entry of a root for an address; absent ones count as 0. */
static pte_t look_up(unsigned int root, unsigned long va)
{
	pte_t e = { v->arch.load_cr3[root] | PTE_PRESENT };
	const unsigned int index[] = { l4_index(va), l3_index(va), l2_index(va), l1_index(va) };

	for (unsigned int i = 0; i < 4 && pte_present(e); i++)
		e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[index[i]];
	return pte_present(e) ? e : (pte_t){ 0 };
}

static bool own_and_clean(pte_t e)
{
	const struct page_info *pg = mfn_to_page(pte_mfn(e));

	return page_get_owner(pg) == pt_dom &&
	       !log_dirty_is_marked(pt_dom, get_gpfn_from_mfn(page_to_mfn(pg)));
}

static void check_all(void)
{
	for (unsigned int i = 0; i < 2 * NR_VA; i++) {
		const pte_t s = look_up(i / NR_VA, va_of(i % NR_VA)), g = *guest_entry(i % NR_VA);

		if (!s.pte)
			continue;
		assert_true(pte_present(g) && (g.pte & PTE_ACCESSED) && (s.pte & PTE_USER));
		assert_int_equal(mfn_x(pte_mfn(s)), mfn_x(pte_mfn(g)));
		assert_int_equal((g.pte ^ s.pte) & (PTE_NX | PTE_CACHE_ATTRS), 0);
		assert_false(s.pte & (PTE_GLOBAL | PTE_AVAIL | PTE_GUEST_KERNEL));
		if (s.pte & PTE_RW)
			assert_true((g.pte & PTE_RW) && (g.pte & PTE_DIRTY) && !own_and_clean(g));
	}
}

/* For as many tables as are given. */
static void scene(unsigned int tables)
{
	v = pt_dom->vcpu[0];
	l4 = pt_page(pt_dom);
	user_l4 = pt_page(pt_dom);
	l3 = pt_page(pt_dom);
	pt_fill(l4, SLOT, l3, TABLE);
	pt_fill(user_l4, SLOT, l3, TABLE);
	l2 = pt_page(pt_dom);
	pt_fill(l3, 0, l2, TABLE);
	for (unsigned int i = 0; i < NR_L1; i++) {
		l1[i] = pt_page(pt_dom);
		pt_fill(l2, i, l1[i], TABLE);
	}
	for (unsigned int i = 0; i < NR_DATA; i++) {
		data[i] = pt_page(i == NR_DATA - 1 ? pt_other : pt_dom);
		set_gpfn_from_mfn(page_to_mfn(data[i]), 100 + i);
	}
	v->arch.flags = TF_kernel_mode;
	v->arch.guest_table = page_to_mfn(l4);
	v->arch.guest_table_user = page_to_mfn(user_l4);
	log_dirty_begin(pt_dom, log_dirty_create(1000));
	assert_int_equal(shadow_create(v, tables), 0);
	shadow_use(v, true);
}

static void end(void)
{
	shadow_use(v, false);
	assert_int_equal(v->arch.load_cr3[TF_kernel_mode], mfn_to_paddr(page_to_mfn(l4)));
	assert_int_equal(v->arch.load_cr3[0], mfn_to_paddr(page_to_mfn(user_l4)));
	shadow_destroy(v);
	log_dirty_end(pt_dom);
}

static void step_change(void)
{
	static const uint64_t flags[] = {
		LEAF_RW, LEAF_RO, PTE_PRESENT | PTE_RW, PTE_PRESENT | PTE_RW | PTE_ACCESSED,
		LEAF_RW | PTE_NX, LEAF_RO | PTE_GLOBAL | PTE_AVAIL | PTE_PWT, 0,
	};
	const unsigned int i = random_below(NR_VA);

	guest_entry(i)->pte = pt_value(data[random_below(NR_DATA)],
				       flags[random_below(ARRAY_SIZE(flags))] | PTE_USER);
	if (random_below(2))
		shadow_flush_one_here(va_of(i));
	else
		shadow_flush_here();
}

static void step_fault(void)
{
	static const unsigned int kinds[] = { 0, W, X };
	const unsigned int i = random_below(NR_VA), kind = kinds[random_below(3)];
	const pte_t g = *guest_entry(i);
	unsigned int ec = kind | (random_below(2) ? P : 0) | (random_below(2) ? U : 0);
	const bool allowed = pte_present(g) && !((kind & W) && !(g.pte & PTE_RW)) &&
			     !((kind & X) && (g.pte & PTE_NX));
	bool done = shadow_fault(v, va_of(i), &ec);
	pte_t s = look_up(v->arch.flags & TF_kernel_mode, va_of(i));

	if (!allowed) {
		assert_false(done);
		assert_int_equal(ec & P, pte_present(g) ? P : 0);
		return;
	}
	/* The hypervisor's own fault on what is allowed already is answered once. */
	assert_true(done || !(ec & U));
	assert_true(pte_present(s));
	assert_true(guest_entry(i)->pte & PTE_ACCESSED);
	if (kind & W)
		assert_true((s.pte & PTE_RW) && (guest_entry(i)->pte & PTE_DIRTY));
}

static void step_clean(void)
{
	struct xen_domctl_shadow_op op = { .op = XEN_DOMCTL_SHADOW_OP_CLEAN, .pages = 1000 };

	assert_int_equal(log_dirty_report(pt_dom, &op, true), 0);
	shadow_flush_here();
	for (unsigned int i = 0; i < 2 * NR_VA; i++)
		assert_int_equal(look_up(i / NR_VA, va_of(i % NR_VA)).pte, 0);
}

static void run(unsigned int tables, unsigned int steps)
{
	scene(tables);
	for (unsigned int n = 0; n < steps; n++) {
		const unsigned int kind = random_below(20);

		if (kind < 4)
			step_change();
		else if (kind < 17)
			step_fault();
		else if (kind < 18)
			step_clean();
		else
			v->arch.flags ^= TF_kernel_mode;
		check_all();
	}
	v->arch.flags = TF_kernel_mode;
	end();
}

static void test_random(void **state __maybe_unused)
{
	seed = 1;
	run(SHADOW_TABLES_MIN, 4000);
}

static void test_small_pool(void **state __maybe_unused)
{
	seed = 2;
	run(FEW, 4000);
}

/* What is no business of the shadow's, and what must not end in a loop. */
static void test_refusals(void **state __maybe_unused)
{
	static const unsigned long bad[] = {
		0xffff800000000000, 0xffff830000001000, 0xffff87fffffff000, 0x0000800000000000,
	};
	unsigned int ec;

	scene(SHADOW_TABLES_MIN);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		ec = W;
		assert_false(shadow_fault(v, bad[i], &ec));
		assert_int_equal(ec, W);
	}
	guest_entry(0)->pte = pt_value(data[0], LEAF_RW | PTE_USER);
	ec = W | P | 8;				/* reserved bits */
	assert_false(shadow_fault(v, va_of(0), &ec));
	/* The hypervisor faults on what is there: tried again once, then it is its own fault. */
	ec = W;
	assert_true(shadow_fault(v, va_of(0), &ec));
	assert_true(shadow_fault(v, va_of(0), &ec));
	assert_false(shadow_fault(v, va_of(0), &ec));
	/* No tables at all. */
	v->arch.guest_table = INVALID_MFN;
	shadow_flush_here();
	ec = W | P;
	assert_false(shadow_fault(v, va_of(0), &ec));
	assert_int_equal(ec & P, 0);
	v->arch.guest_table = page_to_mfn(l4);
	/* A store to a leaf table is the emulator's, and in the log. */
	set_gpfn_from_mfn(page_to_mfn(data[1]), 101);
	data[1]->type_info = PGT_l1_page_table | PGT_validated | 1;
	guest_entry(1)->pte = pt_value(data[1], LEAF_RO | PTE_USER);
	ec = W;
	assert_false(shadow_fault(v, va_of(1), &ec));
	assert_int_equal(ec, W | P);
	assert_true(log_dirty_is_marked(pt_dom, 101));
	data[1]->type_info = 0;
	/* To other memory that may not be written it is not. */
	guest_entry(1)->pte = pt_value(data[2], LEAF_RO | PTE_USER);
	assert_false(shadow_fault(v, va_of(1), &ec));
	assert_false(log_dirty_is_marked(pt_dom, 102));
	end();
}

static void test_memory(void **state __maybe_unused)
{
	struct host_counts before;

	v = pt_dom->vcpu[0];
	before = host_count();
	for_each_fault(n, host_fail_alloc) {
		const int rc = shadow_create(v, FEW);

		assert_int_equal(rc, host_fault_fired() ? -ENOMEM : 0);
		shadow_destroy(v);
		assert_counts_equal(&before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pt_test(test_random), pt_test(test_small_pool), pt_test(test_refusals),
		pt_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
