/* SPDX-License-Identifier: MIT */
/*
 * Where dom0's initial mapping holds what: for kernels, ramdisks and sizes of all
 * kinds either a panic with its reason, or a layout whose parts follow one another,
 * with enough tables, in addresses that a guest may have.
 *
 * LINK: arch/x86/pv/dom0_layout.c
 */
#include "harness.h"
#include <stdlib.h>
#include <unistd.h>
#include <x86/layout.h>
#include <x86/page.h>
#include "../../arch/x86/pv/dom0_memory.h"

static void lay_out(void *b)
{
	dom0_lay_out(b);
}

static bool guest_address(unsigned long va)
{
	return is_canonical(va) && (va < RO_M2P_START || va >= DIRECTMAP_END);
}

static void check(const struct dom0 *b)
{
	const struct layout *l = &b->layout;
	const unsigned long nr_l1 = ((l->v_end - 1) >> 21) - (l->v_start >> 21) + 1;

	assert_true(l->v_start == b->kernel.virt_base && b->kernel.kernel_end <= l->start_info);
	if (l->initrd)
		assert_true(l->initrd >= b->kernel.kernel_end &&
			    l->initrd + b->initrd_size <= l->start_info);
	if (b->kernel.p2m_base == UNSET_ADDR)
		assert_true(l->p2m >= b->kernel.kernel_end &&
			    l->p2m + b->nr_pages * 8 <= l->start_info);
	else
		assert_true(guest_address(l->p2m) &&
			    guest_address(l->p2m + b->nr_pages * 8 - 1) &&
			    (l->nr_p2m_frames - l->nr_p2m_tables) * 512 >= b->nr_pages);
	assert_true(l->tables == l->start_info + PAGE_SIZE && l->nr_tables > nr_l1);
	assert_true(l->stack == l->tables + l->nr_tables * PAGE_SIZE);
	assert_true(l->v_end >= l->stack_end + (512UL << 10) && l->v_end > l->v_start);
	assert_true(guest_address(l->v_start) && guest_address(l->v_end - 1));
	assert_true(b->nr_frames <= b->nr_pages && b->nr_frames >= l->nr_initial);
}

/* A number of up to `bits` bits, small ones as likely as large ones. */
static unsigned long number(unsigned int bits)
{
	return ((unsigned long)rand() << 31 ^ (unsigned long)rand()) >> (rand() % 62 + 2) &
	       ((1UL << bits) - 1);
}

static void random_kernels(void **state __maybe_unused)
{
	static const unsigned long base[] = {
		0, MB(4), 1UL << 46, 0x7fff00000000, 0x800000000000, RO_M2P_START,
		DIRECTMAP_END, 0xffffffff80000000, 0xffffffffc0000000,
	};
	unsigned int good = 0;
	static struct dom0 b;

	srand(20);
	alarm(10);		/* a layout that is searched for ever */
	for (unsigned int i = 0; i < 20000; i++) {
		struct kernel_image *k = &b.kernel;

		memset(&b, 0, sizeof(b));
		k->virt_base = base[(unsigned int)rand() % ARRAY_SIZE(base)];
		k->kernel_start = k->virt_base + number(24);
		k->kernel_end = k->kernel_start + number(30) + 1;
		k->hypercall_page = rand() % 2 ? UNSET_ADDR : k->kernel_start & PAGE_MASK;
		k->p2m_base = rand() % 2 ? UNSET_ADDR :
			      base[(unsigned int)rand() % ARRAY_SIZE(base)] + (number(16) << 30);
		k->mod_start_pfn = rand() % 2;
		b.initrd_size = rand() % 4 ? number(32) : 0;
		b.nr_pages = number(31) + 1;
		if (k->kernel_end < k->kernel_start || host_expect_bug(lay_out, &b))
			continue;
		check(&b);
		good++;
	}
	alarm(0);
	assert_in_range(good, 500, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(random_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
