/* SPDX-License-Identifier: MIT */
/*
 * Class 1: page-table entries validated only in part.
 *
 * Every pair of flag bits is tried in an entry of each level, by every way that there is to write
 * one: from empty (full validation), over a valid entry for the same frame (the flag-only fast
 * path), keeping A and D, by update_va_mapping, and by an emulated store. All must agree with one
 * predicate on what is refused, and must leave the same entry behind. Then what no flag shows:
 * superpages, linear (recursive) tables, frames of the wrong type, misaligned and foreign entries,
 * the hypervisor's own slots. A hole in any of these checks gives a guest write access to page
 * tables, and with that the machine.
 */
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>

#define WINDOW		0x0000008000000000UL	/* L4 slot 1: all its tables are ours */
#define GUEST_KERNEL	(1UL << 52)
#define CACHE_BITS	(PTE_PWT | PTE_PCD | PTE_PAT)

static void *target;		/* the frame that the tested L1 entry names */
static const pte_t *entry[5];	/* per level: the tested entry */
static pte_t base[5];		/* per level: a valid value for it */

static bool has_devices(void)
{
	return is_dom0();
}

static long expected_error(unsigned int level, pte_t pte)
{
	pte_t bad = PTE_PWT | PTE_PCD | PTE_PSE | PTE_G;

	if (level == 1)
		bad = has_devices() ? 0 : CACHE_BITS;
	return (pte & PTE_P) && (pte & bad) ? -XEN_EINVAL : 0;
}

/* What the hypervisor makes of an accepted entry: kernel and user are told apart by bit 52. */
static pte_t expected_entry(unsigned int level, pte_t pte)
{
	if (!(pte & PTE_P))
		return pte;
	if (level == 4)
		return pte | PTE_US | PTE_A;
	if (level > 1)
		return pte | PTE_US;
	if (!(pte & PTE_US))
		pte |= GUEST_KERNEL | PTE_US;
	if (!(pte & GUEST_KERNEL))
		pte |= PTE_G | PTE_US;
	return pte;
}

static long write_entry(unsigned int level, pte_t value, unsigned int cmd)
{
	struct mmu_update u = { .ptr = virt_to_maddr(entry[level]) | cmd, .val = value };

	return mmu_update(&u, 1, NULL);
}

static long by_va_mapping(pte_t value)
{
	return update_va_mapping(WINDOW, value, 0);
}

/* A direct store to the read-only table: 0 when it was emulated, -EINVAL when it faulted. */
static long by_store(pte_t value)
{
	return try_write64((void *)entry[1], value) ? 0 : -XEN_EINVAL;
}

static void check(const char *how, unsigned int level, pte_t value, long rc, pte_t old)
{
	long want = expected_error(level, value);
	pte_t now = *entry[level];

	ktest_quiet_eq(rc, want, "L%u %s %lx", level, how, value);
	if (want)
		ktest_quiet_eq(now, old, "L%u %s %lx: refused, yet changed", level, how, value);
	else
		ktest_quiet_eq(now, expected_entry(level, value), "L%u %s %lx: entry", level, how,
			       value);
}

static void reset(unsigned int level, pte_t value)
{
	write_entry(level, value, 0);
}

static void try_value(unsigned int level, pte_t value)
{
	pte_t old;

	reset(level, 0);
	check("from empty", level, value, write_entry(level, value, MMU_NORMAL_PT_UPDATE), 0);
	reset(level, base[level]);
	old = *entry[level];
	check("over valid", level, value, write_entry(level, value, MMU_NORMAL_PT_UPDATE), old);
	if (level > 1)
		return;
	reset(level, 0);
	check("preserving", level, value, write_entry(level, value, MMU_PT_UPDATE_PRESERVE_AD), 0);
	reset(level, base[level]);
	check("va_mapping", level, value, by_va_mapping(value), old);
	reset(level, 0);
	check("va_mapping from empty", level, value, by_va_mapping(value), 0);
	reset(level, base[level]);
	check("store", level, value, by_store(value), old);
	reset(level, 0);
	check("store from empty", level, value, by_store(value), 0);
}

static void test_flag_pairs(unsigned int level)
{
	static const uint8_t bits[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 52, 53, 54, 55, 56,
				       57,
					58, 59, 60, 61, 62, 63 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
		for (unsigned int j = i; j < ARRAY_SIZE(bits); j++) {
			pte_t flip = 1UL << bits[i] | 1UL << bits[j];

			try_value(level, base[level] ^ flip);
		}
	reset(level, base[level]);
	ktest_ok(true, "L%u: every flag pair tried by every path", level);
}

/*
 * A writable entry for the own table would be a recursive mapping one level down. Read-only ones
 * are harmless to integrity; real Xen can be built to allow them, so both answers pass.
 */
static void test_linear(void)
{
	for (unsigned int level = 2; level <= 4; level++) {
		void *table = (void *)(PTR(entry[level]) & PAGE_MASK);
		const pte_t *spare = (pte_t *)table + (level == 4 ? 2 : 7);
		long rc;

		ktest_eq(pt_write(spare, pte_make(virt_to_mfn(table), PTE_TABLE)), -XEN_EINVAL,
			 "L%u entry naming its own table, writable", level);
		rc = pt_write(spare, pte_make(virt_to_mfn(table), PTE_P | PTE_US | PTE_A));
		ktest_ok(!rc || rc == -XEN_EINVAL, "L%u entry naming its own table, read-only: %s",
			 level, rc ? "refused" : "accepted");
		pt_write(spare, 0);
	}
}

static void test_wrong_types(void)
{
	void *l1 = (void *)(PTR(entry[1]) & PAGE_MASK), *l2 = (void *)(PTR(entry[2]) & PAGE_MASK);
	pte_t *fresh = page_alloc();

	ktest_eq(pt_write(entry[1] + 1, pte_make(virt_to_mfn(l1), PTE_KERNEL)), -XEN_EBUSY,
		 "writable mapping of an L1");
	ktest_eq(pt_write(entry[1] + 1, pte_make(virt_to_mfn(l2), PTE_KERNEL)), -XEN_EBUSY,
		 "writable mapping of an L2");
	ktest_eq(pt_write(entry[1] + 1, pte_make(virt_to_mfn(kernel_l4), PTE_KERNEL)), -XEN_EBUSY,
		 "writable mapping of the L4");
	ktest_eq(pt_write(entry[1] + 1, pte_make(virt_to_mfn(l2), PTE_KERNEL_RO)), 0,
		 "read-only mapping of an L2");
	ktest_eq(pt_write(entry[1] + 1, pte_make(virt_to_mfn(l2), PTE_KERNEL)), -XEN_EBUSY,
		 "read-only mapping of an L2 made writable");
	reset(1, 0);
	pt_write(entry[1] + 1, 0);
	ktest_eq(pt_write(entry[2] + 1, pte_make(virt_to_mfn(fresh), PTE_TABLE)), -XEN_EINVAL,
		 "L2 entry naming a writable page");
	ktest_eq(pt_write(entry[2] + 1, pte_make(virt_to_mfn(l2), PTE_TABLE)), -XEN_EINVAL,
		 "L2 entry naming an L2");
	ktest_eq(pt_write(entry[3] + 1, pte_make(virt_to_mfn(l1), PTE_TABLE)), -XEN_EINVAL,
		 "L3 entry naming an L1");
	ktest_eq(pt_write(kernel_l4 + 2, pte_make(virt_to_mfn(l2), PTE_TABLE)), -XEN_EINVAL,
		 "L4 entry naming an L2");
	ktest_eq(pt_write(entry[2] + 1, pte_make(virt_to_mfn(l1), PTE_TABLE)), 0,
		 "one L1 in two L2 slots");
	pt_write(entry[2] + 1, 0);

	fresh[3] = pte_make(virt_to_mfn(kernel_l4), PTE_KERNEL);
	page_protect(fresh);
	ktest_eq(pt_write(entry[2] + 1, pte_make(virt_to_mfn(fresh), PTE_TABLE)), -XEN_EBUSY,
		 "L2 entry naming a table with one bad entry");
	ktest_eq(page_unprotect(fresh), 0, "the refused table can be writable again");
	page_free(fresh);
}

static void test_addresses(void)
{
	struct mmu_update u = { .val = base[1] };
	unsigned int done = 77;

	for (unsigned int cmd = 4; cmd < 8; cmd++) {
		u.ptr = virt_to_maddr(entry[1]) | cmd;
		ktest_eq(mmu_update(&u, 1, &done), -XEN_ENOSYS, "update command %u", cmd);
	}
	ktest_eq(done, 0, "none counted as done");
	u.ptr = 1UL << 51;
	ktest_eq(mmu_update(&u, 1, NULL), -XEN_EINVAL, "entry beyond the machine's memory");
	u.ptr = ~7UL;
	ktest_eq(mmu_update(&u, 1, NULL), -XEN_EINVAL, "entry at the last machine address");

	for (unsigned int slot = 256; slot < 272; slot += 5)
		ktest_eq(pt_write(kernel_l4 + slot, 0), -XEN_EINVAL, "hypervisor slot %u", slot);
	ktest_eq(update_va_mapping(HYPERVISOR_VIRT_START, base[1], 0), -XEN_EINVAL,
		 "va in the hypervisor's range");
	ktest_eq(update_va_mapping(0x0000800000000000UL, base[1], 0), -XEN_EINVAL,
		 "non-canonical va");
	ktest_eq(update_va_mapping(WINDOW + (1UL << 38), base[1], 0), -XEN_EINVAL,
		 "va without an L2");

	/* A plain page is no table: the update is a store into it. */
	u.ptr = virt_to_maddr(target) + 8;
	u.val = 0x123456789abcdef0;
	ktest_eq(mmu_update(&u, 1, &done), 0, "update of a data page");
	ktest_eq(((uint64_t *)target)[1], u.val, "stores the value");
}

static void test_special_pages(void)
{
	unsigned long mfn = start_info->shared_info >> PAGE_SHIFT;

	ktest_eq(pt_write(entry[1], pte_make(mfn, PTE_KERNEL)), 0, "shared_info may be mapped");
	ktest_eq(pt_write(entry[1], pte_make(mfn, PTE_KERNEL | PTE_PCD)),
		 has_devices() ? -XEN_EACCES : -XEN_EINVAL, "but not uncached");
	pt_write(entry[1], 0);
}

int guest_main(void)
{
	vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
	target = page_alloc();
	base[1] = pte_make(virt_to_mfn(target), PTE_KERNEL | PTE_US);
	pt_map(kernel_l4, WINDOW, base[1]);
	for (unsigned int level = 1; level <= 4; level++) {
		entry[level] = pt_lookup(kernel_l4, WINDOW, level);
		base[level] = *entry[level];
	}
	/*
	 * The lower levels must not lose their only reference while an upper entry is tried: pin
	 * them.
	 */
	for (unsigned int level = 1; level <= 3; level++)
		ktest_eq(pt_pin((void *)(PTR(entry[level]) & PAGE_MASK), level), 0, "pin L%u",
			 level);

	for (unsigned int level = 1; level <= 4; level++)
		test_flag_pairs(level);
	test_linear();
	test_wrong_types();
	test_addresses();
	test_special_pages();
	return ktest_result();
}
