/* SPDX-License-Identifier: MIT */
/* The page heap: ownership rules, address widths, claims, scrubbing, flushes, merging. */
/* LINK: xen-core/page_alloc.c xen-core/boot_alloc.c */
#include "harness.h"
#include <arch/flush.h>

static void test_all_back_together(void **state __maybe_unused)
{
	unsigned long before = total_free_pages();
	static struct page_info *pages[HOST_RAM_FRAMES];
	unsigned long n = 0;
	struct page_info *pg;

	while ((pg = alloc_domheap_pages(NULL, 0, MEMF_no_scrub)) != NULL)
		pages[n++] = pg;
	assert_int_equal(n, before);
	assert_int_equal(total_free_pages(), 0);
	/* Every second page first, so that merging happens both ways. */
	for (unsigned long i = 0; i < n; i += 2)
		free_domheap_page(pages[i]);
	for (unsigned long i = 1; i < n; i += 2)
		free_domheap_page(pages[i]);
	assert_int_equal(total_free_pages(), before);
	pg = alloc_domheap_pages(NULL, 12, MEMF_no_scrub);
	assert_non_null(pg);
	assert_int_equal(mfn_x(page_to_mfn(pg)) & 4095, 0);
	free_domheap_pages(pg, 12);
	assert_int_equal(total_free_pages(), before);
}

static void test_address_width(void **state __maybe_unused)
{
	for (unsigned int bits = 14; bits <= 26; bits++) {
		struct page_info *pg = alloc_domheap_pages(NULL, 0,
							   MEMF_bits(bits) | MEMF_no_scrub);

		assert_non_null(pg);
		assert_true(mfn_to_paddr(page_to_mfn(pg)) >> bits == 0);
		free_domheap_page(pg);
	}
	assert_null(alloc_domheap_pages(NULL, 0, MEMF_bits(12)));
	/* frame 0 is no part of the heap */
	assert_null(alloc_domheap_pages(NULL, 6, MEMF_bits(18)));
	assert_null(alloc_domheap_pages(NULL, MAX_ORDER + 1, 0));
	assert_int_equal(heap_free_between(0, 64), total_free_pages());
	assert_int_equal(heap_free_between(0, 14), 3);
}

static void test_owner_rules(void **state __maybe_unused)
{
	struct domain *d = host_domain_create(1, 1, false);
	struct host_counts before = host_count();
	struct page_info *pg = alloc_domheap_pages(d, 2, 0);

	assert_non_null(pg);
	assert_ptr_equal(page_get_owner(pg), d);
	assert_int_equal(pg->count_info, PGC_allocated | 1);
	assert_int_equal(d->tot_pages, 4);
	assert_int_equal(d->refcnt, 2);
	d->max_pages = 5;
	assert_null(alloc_domheap_pages(d, 1, 0));
	assert_int_equal(d->tot_pages, 4);
	for (int i = 0; i < 4; i++) {
		pg[i].count_info &= ~(PGC_allocated | PGC_count_mask);
		free_domheap_page(&pg[i]);
	}
	assert_int_equal(d->tot_pages, 0);
	assert_int_equal(d->refcnt, 1);
	assert_int_equal(d->page_list.count, 0);
	d->is_dying = DOMDYING_dying;
	assert_null(alloc_domheap_pages(d, 0, 0));
	assert_counts_equal(&before);
}

static void release(struct page_info *pg)
{
	pg->count_info &= ~(PGC_allocated | PGC_count_mask);
	free_domheap_page(pg);
}

/* Takes all memory, so that the next page allocated is the one freed last. */
static void drain(void)
{
	for (int order = 12; order >= 0; order--)
		while (alloc_domheap_pages(NULL, (unsigned int)order, MEMF_no_scrub))
			;
}

static void test_no_stale_memory(void **state __maybe_unused)
{
	struct domain *a = host_domain_create(1, 1, false), *b = host_domain_create(2, 1, false);
	struct page_info *pg = alloc_domheap_page(a, 0);
	unsigned int flushes;
	uint64_t *p;

	drain();
	p = page_to_virt(pg);
	assert_int_equal(p[0], 0);
	p[0] = p[511] = 0x5ec2e7;
	release(pg);
	/* Back to its own domain: as it was, and no flush. */
	flushes = host_rec.flushes_mask;
	assert_ptr_equal(alloc_domheap_page(a, 0), pg);
	assert_int_equal(p[0], 0x5ec2e7);
	assert_int_equal(host_rec.flushes_mask, flushes);
	release(pg);
	/* To another: cleared, and every CPU that did not flush since is flushed. */
	assert_ptr_equal(alloc_domheap_page(b, 0), pg);
	assert_int_equal(p[0] | p[511], 0);
	assert_int_equal(host_rec.flushes_mask, flushes + 1);
	release(pg);
	flush_tlb_all();
	assert_ptr_equal(alloc_domheap_page(a, 0), pg);
	assert_int_equal(host_rec.flushes_mask, flushes + 1);
	p[3] = 7;
	/* A dying domain's pages are nobody's, not even its own successor's. */
	a->is_dying = DOMDYING_dying;
	release(pg);
	a->is_dying = DOMDYING_alive;
	assert_ptr_equal(alloc_domheap_page(a, 0), pg);
	assert_int_equal(p[3], 0);
	p[4] = 9;
	release(pg);
	assert_true(heap_scrub_idle());
	assert_false(heap_scrub_idle());
	assert_int_equal(p[4], 0);
	assert_int_equal(total_free_pages(), 1);
}

/*
 * A block of pages that were freed very long apart, by the flush clock: the later one decides, however
 * far back the other lies.
 */
static void test_old_and_new_stamp(void **state __maybe_unused)
{
	struct page_info *pg = alloc_domheap_pages(NULL, 1, 0);
	unsigned int flushes;

	drain();
	free_domheap_pages(pg, 1);
	flush_tlb_all();
	flushes = host_rec.flushes_mask;
	for (unsigned int newer = 0; newer < 2; newer++) {
		pg[newer].tlbflush_stamp = 0x80000001;
		pg[!newer].tlbflush_stamp = 1;
		assert_ptr_equal(alloc_domheap_pages(NULL, 1, 0), pg);
		assert_int_equal(host_rec.flushes_mask, ++flushes);
		free_domheap_pages(pg, 1);
	}
}

/* Runs up, down and broken ones come back whole; a page that is referred to, or has a type, stays. */
static void test_free_unreferenced(void **state __maybe_unused)
{
	struct domain *d = host_domain_create(1, 1, false);
	unsigned long before = total_free_pages();
	struct page_info *pg = alloc_domheap_pages(d, 6, 0), *more;

	assert_non_null(pg);
	/* List order: 0..15 up, then 31..16 down, then every second of the rest, then what is left. */
	for (int i = 16; i < 32; i++) {
		page_list_del(&pg[47 - i], &d->page_list);
		page_list_add_tail(&pg[47 - i], &d->page_list);
	}
	for (int i = 32; i < 64; i++) {
		struct page_info *p = &pg[i < 48 ? 2 * i - 32 : 2 * i - 63];

		page_list_del(p, &d->page_list);
		page_list_add_tail(p, &d->page_list);
	}
	pg[40].count_info++;
	pg[41].type_info = PGT_writable_page | PGT_validated | 1;
	d->is_dying = DOMDYING_dying;
	assert_int_equal(free_unreferenced_pages(d, 10), 10);
	assert_int_equal(total_free_pages(), before - 54);
	assert_int_equal(d->tot_pages, 54);
	/* 6 + 16, then 32, 34, 36, 38, and 40 is in use. */
	assert_int_equal(free_unreferenced_pages(d, 1000), 26);
	assert_ptr_equal(page_list_first(&d->page_list), &pg[40]);
	pg[40].count_info--;
	/* 40, 42..62, 33..39, and 41 has a type reference. */
	assert_int_equal(free_unreferenced_pages(d, 1000), 12 + 4);
	assert_int_equal(free_unreferenced_pages(d, 1000), 0);
	pg[41].type_info = PGT_pinned;
	assert_int_equal(free_unreferenced_pages(d, 1000), 0);
	pg[41].type_info = 0;
	assert_int_equal(free_unreferenced_pages(d, 1000), 12);
	assert_int_equal(d->tot_pages, 0);
	assert_int_equal(d->page_list.count, 0);
	assert_int_equal(d->refcnt, 1);
	assert_int_equal(total_free_pages(), before);
	more = alloc_domheap_pages(NULL, 6, MEMF_no_scrub);
	assert_non_null(more);
	free_domheap_pages(more, 6);
}

/* Lists as arrays: a list is turned and cut at every place. */
static void test_list_rotate_and_cut(void **state __maybe_unused)
{
	struct page_info *pg = alloc_domheap_pages(NULL, 3, MEMF_no_scrub);

	assert_non_null(pg);
	for (unsigned int at = 0; at < 8; at++) {
		struct page_list l = { 0 };

		for (unsigned int i = 0; i < 8; i++)
			page_list_add_tail(&pg[i], &l);
		page_list_rotate(&l, &pg[at]);
		assert_int_equal(l.count, 8);
		for (unsigned int i = 0; i < 8; i++)
			assert_ptr_equal(page_list_remove_head(&l), &pg[(at + i) % 8]);
		assert_int_equal(l.head | l.tail | l.count, 0);

		for (unsigned int i = 0; i < 8; i++)
			page_list_add_tail(&pg[i], &l);
		page_list_cut_head(&l, &pg[at], at);
		assert_ptr_equal(page_list_first(&l), &pg[at]);
		for (unsigned int i = 8; i-- > at; )
			page_list_del(&pg[i], &l);
		assert_int_equal(l.head | l.tail | l.count, 0);
	}
	free_domheap_pages(pg, 3);
}

/* ---- what others do while a block that was taken is cleared, without the lock ---- */

static void (*while_clearing)(void);
static struct page_info *buddy;

/* In place of the weak one. */
void clear_page(void *page)
{
	void (*fn)(void) = while_clearing;

	while_clearing = NULL;
	if (fn)
		fn();
	memset(page, 0, PAGE_SIZE);
}

static void free_buddy(void)
{
	free_domheap_page(buddy);
}

static void test_buddy_freed_while_cleared(void **state __maybe_unused)
{
	unsigned long before = total_free_pages();
	static struct page_info *rest[HOST_RAM_FRAMES];
	struct page_info *pair, *taken, *pg;
	unsigned long n = 0;

	/* All but one page is taken; the free one's buddy is ours. */
	pair = alloc_domheap_pages(NULL, 1, MEMF_no_scrub);
	buddy = pair + 1;
	while ((pg = alloc_domheap_pages(NULL, 0, MEMF_no_scrub)) != NULL)
		rest[n++] = pg;
	free_domheap_page(pair);
	while_clearing = free_buddy;
	taken = alloc_domheap_pages(NULL, 0, 0);
	assert_null(while_clearing);
	assert_ptr_equal(taken, pair);
	/* Merged with the free buddy, it would be given out again. */
	assert_int_equal(total_free_pages(), 1);
	assert_null(alloc_domheap_pages(NULL, 1, MEMF_no_scrub));
	assert_ptr_equal(alloc_domheap_pages(NULL, 0, MEMF_no_scrub), buddy);
	assert_null(alloc_domheap_pages(NULL, 0, MEMF_no_scrub));
	free_domheap_page(buddy);
	free_domheap_page(taken);
	while (n)
		free_domheap_page(rest[--n]);
	assert_int_equal(total_free_pages(), before);
}

static void test_claims(void **state __maybe_unused)
{
	struct domain *a = host_domain_create(1, 1, false), *b = host_domain_create(2, 1, false);
	unsigned long all = total_free_pages();
	struct page_info *pg;

	a->max_pages = b->max_pages = all + 100;
	assert_int_equal(domain_set_outstanding_pages(a, all + 1), -ENOMEM);
	assert_int_equal(domain_set_outstanding_pages(a, all - 10), 0);
	assert_int_equal(domain_set_outstanding_pages(a, 5), -EINVAL);
	assert_int_equal(total_outstanding_claims(), all - 10);
	assert_null(alloc_domheap_pages(b, 4, 0));
	pg = alloc_domheap_pages(a, 4, 0);
	assert_non_null(pg);
	assert_int_equal(total_outstanding_claims(), all - 26);
	assert_int_equal(domain_set_outstanding_pages(a, 0), 0);
	assert_int_equal(domain_set_outstanding_pages(a, 16), -EINVAL);	/* has that already */
	assert_int_equal(total_outstanding_claims(), 0);
	a->max_pages = 20;
	assert_int_equal(domain_set_outstanding_pages(a, 21), -EINVAL);
}

static void test_clean_pages(void **state __maybe_unused)
{
	void *p;

	while (heap_scrub_idle())
		;
	p = alloc_xenheap_page();
	for (int i = 0; i < 4096; i++)
		assert_int_equal(((char *)p)[i], 0);
	memset(p, 1, 4096);
	free_xenheap_page(p);
	p = alloc_xenheap_page();
	assert_int_equal(*(long *)p, 0);
	free_xenheap_page(p);
}

static void double_free(void *p)
{
	free_xenheap_page(p);
	free_xenheap_page(p);
}

static void test_double_free(void **state __maybe_unused)
{
	assert_true(host_expect_bug(double_free, alloc_xenheap_page()));
}

static void test_boot_allocator(void **state __maybe_unused)
{
	unsigned long before;
	mfn_t a, b;

	heap_init();
	host_frames_reset();
	boot_allocator_add(0, 0x8000);
	boot_allocator_add(0x10800, 0x40800);
	a = boot_alloc_pages(3, 1);
	assert_int_equal(mfn_x(a), 0x3d);
	b = boot_alloc_pages(8, 16);
	assert_int_equal(mfn_x(b), 0x30);
	end_boot_allocator();
	before = total_free_pages();
	assert_int_equal(before, 7 + 0x2f - 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_all_back_together),
		host_test(test_address_width),
		host_test(test_owner_rules),
		host_test(test_no_stale_memory),
		host_test(test_old_and_new_stamp),
		host_test(test_free_unreferenced),
		host_test(test_list_rotate_and_cut),
		host_test(test_buddy_freed_while_cleared),
		host_test(test_claims),
		host_test(test_clean_pages),
		host_test(test_double_free),
		host_test(test_boot_allocator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
