/* SPDX-License-Identifier: MIT */
/*
 * Class 14: emulated writes to page tables.
 *
 * With writable_pagetables the kernel stores to read-only L1 pages and the hypervisor carries it
 * out. Every form of instruction is run twice with random operands, once on a plain page and once
 * on a table in use: memory, registers and flags must come out the same. Forms beyond the required
 * set may be refused with a #PF instead, but then nothing may have changed. Values that validation
 * refuses, misaligned stores, stores that cross the page, and stores from user mode must be page
 * faults of the guest's own.
 */
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/trap.h>
#include <guest/user.h>

#define ROUNDS			300
#define FLAG_CF			0x001
#define FLAGS_ARITHMETIC	0x8c5	/* not AF, which logical operations leave undefined */

struct form {
	uint64_t (*fn)(void *p, uint64_t value, uint64_t old, uint64_t *flags);
	const char *name;
};

extern const struct form form_table[], form_table_required[], form_table_end[];

struct run {
	const struct form *form;
	uint64_t *p, value, old, result, flags;
};

static uint64_t seed = 7;
static pte_t *table;		/* the L1 under test, read-only */
static const pte_t *slot;	/* the entry of it that is written */
static uint64_t *plain;

static uint64_t random64(void)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return seed ^ seed >> 29;
}

static void do_form(void *arg)
{
	struct run *r = arg;

	r->result = r->form->fn(r->p, r->value, r->old, &r->flags);
}

/* Bit tests define no flag but carry. */
static bool bit_test(const char *name)
{
	for (; *name; name++)
		if (name[0] == 'b' && name[1] == 't')
			return true;
	return false;
}

/* Entries that are not present may hold anything; the loop avoids values with bit 0. */
static void differential(const struct form *f, bool required)
{
	unsigned int refused = 0;
	uint64_t defined = bit_test(f->name) ? FLAG_CF : FLAGS_ARITHMETIC;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t start = random64() & ~1UL;
		struct run on_plain = {
			.form = f, .p = plain, .value = random64() & ~1UL,
			.old = i & 1 ? start : random64(),
		};
		struct run on_table = on_plain;
		int v;

		*plain = start;
		do_form(&on_plain);
		if (*plain & PTE_P)
			continue;
		pt_write(slot, start);
		on_table.p = (uint64_t *)slot;
		v = trap_vector_of(do_form, &on_table);
		if (v == VEC_PF && !required) {
			refused++;
			ktest_quiet_eq(*slot, start, "%s: refused, yet changed", f->name);
			continue;
		}
		ktest_quiet_eq(v, -1, "%s: vector", f->name);
		ktest_quiet_eq(*slot, *plain, "%s: memory", f->name);
		ktest_quiet_eq(on_table.result, on_plain.result, "%s: registers", f->name);
		ktest_quiet_eq(on_table.flags & defined, on_plain.flags & defined, "%s: flags",
			       f->name);
	}
	ktest_ok(true, "%s%s", f->name, refused ? " (refused)" : "");
}

static int store(uint64_t *p, uint64_t value, struct trap_catch *c)
{
	struct run r = { .form = &form_table[0], .p = p, .value = value };

	return trap_catch(c, do_form, &r) ? (int)c->vector : -1;
}

static void test_refused_values(void)
{
	struct trap_catch c;
	const struct {
		const char *name;
		pte_t pte;
	} bad[] = {
		{ "a writable page table", pte_make(virt_to_mfn(kernel_l4), PTE_KERNEL) },
		{ "the table itself, writable", pte_make(virt_to_mfn(table), PTE_KERNEL) },
		{ "a frame beyond memory", pte_make(1UL << 38, PTE_KERNEL) },
	};

	pt_write(slot, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		ktest_eq(store((uint64_t *)slot, bad[i].pte, &c), VEC_PF, "store of %s faults",
			 bad[i].name);
		ktest_eq(c.cr2, PTR(slot), "cr2");
		ktest_eq(c.frame.error, 3, "error code: write, protection");
		ktest_eq(*slot, 0, "entry unchanged");
	}
}

static void test_present(void)
{
	pte_t pte = pte_make(virt_to_mfn(plain), PTE_KERNEL);
	unsigned long va = PTR(slot) & 0xff8, base = 0x0000008000000000UL;
	struct trap_catch c;

	*plain = 0xabcc;
	ktest_eq(store((uint64_t *)slot, pte, &c), -1, "store a present entry");
	ktest_eq(*(uint64_t *)(base + va * 512), 0xabcc, "it maps the page");
	ktest_eq(pt_pin(plain, 1), -XEN_EINVAL, "and counts as a writable mapping");
	ktest_eq(store((uint64_t *)slot, 0, &c), -1, "store zero");
	mmuext_simple(MMUEXT_INVLPG_LOCAL, base + va * 512);
	page_protect(plain);
	ktest_eq(pt_pin(plain, 1), 0, "no writable reference is left");
	pt_unpin(plain);
	page_unprotect(plain);
}

static void do_misaligned(void *p)
{
	*(volatile uint64_t *)p = 0;
}

static void do_wide(void *p)
{
	__asm__ volatile("movups %%xmm0, (%0)" :: "r"(p) : "memory");
}

static long user_store(long p)
{
	*(volatile uint64_t *)p = 0;
	return 0;
}

static void enter_user(void *p)
{
	user_call(user_store, PTR(p));
}

static void test_refused_accesses(void)
{
	ktest_eq(trap_vector_of(do_misaligned, (char *)slot + 4), VEC_PF, "misaligned store");
	ktest_eq(trap_vector_of(do_misaligned, (char *)table + PAGE_SIZE - 4), VEC_PF,
		 "store across the end of the table");
	ktest_eq(trap_vector_of(do_wide, (void *)slot), VEC_PF, "16-byte store");
	user_init();
	ktest_eq(trap_vector_of(enter_user, (void *)slot), VEC_PF, "store from user mode");
	ktest_eq(trap_vector_of(do_misaligned, (void *)(pt_lookup(kernel_l4, 0x8000000000, 2) + 3)),
		 VEC_PF, "store to an L2");
	ktest_eq(trap_vector_of(do_misaligned, (void *)(kernel_l4 + 3)), VEC_PF, "store to the L4");
}

/* Pinned, yet not in use in the current tables: emulated all the same. */
static void test_pinned(void)
{
	uint64_t *page = page_alloc();
	struct trap_catch c;

	page_protect(page);
	ktest_eq(trap_vector_of(do_misaligned, page), VEC_PF, "a read-only data page is no table");
	pt_pin(page, 1);
	ktest_eq(store(page + 1, 0x1000, &c), -1, "store to a pinned table");
	ktest_eq(page[1], 0x1000, "done");
	pt_unpin(page);
	page_unprotect(page);
}

int guest_main(void)
{
	unsigned long va = 0x0000008000000000UL + 100 * PAGE_SIZE;

	ktest_eq(vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0, "vm_assist");
	plain = page_alloc();
	pt_map(kernel_l4, va, 0);
	slot = pt_lookup(kernel_l4, va, 1);
	table = (pte_t *)(PTR(slot) & PAGE_MASK);
	for (const struct form *f = form_table; f < form_table_end; f++)
		differential(f, f < form_table_required);
	test_refused_values();
	test_present();
	test_refused_accesses();
	test_pinned();
	return ktest_result();
}
