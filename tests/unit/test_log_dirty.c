/* SPDX-License-Identifier: MIT */
/*
 * The log of dirty pages: which bits an answer has, what it resets, what stays
 * after a failed copy, answers in several goes, and numbers that the guest made
 * up; grants mark what they let others write.
 *
 * LINK: xen-core/log_dirty.c xen-core/grant_table.c xen-core/zombie_dump.c xen-core/grant_map.c
 * LINK: xen-core/grant_copy.c
 */
#include "harness.h"
#include <arch/map.h>
#include <core/event.h>
#include <core/grant_table.h>
#include <core/hypercall.h>
#include <core/log_dirty.h>

#define NR	100000UL	/* frame numbers; rounded up to 131072 */
#define BYTES	(160000 / 8)

static struct domain *d, *tools;
static uint8_t *buffer;

void evtchn_mark_pages(struct domain *of __maybe_unused) { }
int arch_grant_map(uint64_t host_addr __maybe_unused, mfn_t mfn __maybe_unused,
		   unsigned int flags __maybe_unused)
{
	return GNTST_okay;
}
int arch_grant_unmap(uint64_t host_addr __maybe_unused, mfn_t mfn __maybe_unused,
		     uint64_t new_addr __maybe_unused, unsigned int flags __maybe_unused)
{
	return GNTST_okay;
}

static void scene(void)
{
	tools = host_domain_create(0, 1, true);
	d = host_domain_create(1, 2, false);
	host_switch_to(0, tools->vcpu[0]);
	d->vcpu[0]->vcpu_info_mfn = d->vcpu[1]->vcpu_info_mfn = INVALID_MFN;
	buffer = host_guest_alloc(BYTES);
	log_dirty_begin(d, log_dirty_create(NR));
	assert_true(log_dirty_on);
}

static void mark_every(unsigned long step)
{
	for (unsigned long i = 0; i < NR; i += step)
		log_dirty_mark_pfn(d, i);
}

static long report(bool clean, unsigned long pages, struct xen_domctl_shadow_op *op)
{
	long rc;

	memset(op, 0, sizeof(*op));
	op->op = clean ? XEN_DOMCTL_SHADOW_OP_CLEAN : XEN_DOMCTL_SHADOW_OP_PEEK;
	op->pages = pages;
	op->dirty_bitmap.p = buffer;
	rc = log_dirty_report(d, op, clean);
	host_check_no_locks("log_dirty_report");
	return rc;
}

static unsigned int bits(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < BYTES; i++)
		n += (unsigned int)__builtin_popcount(buffer[i]);
	return n;
}

static bool bit(unsigned long pfn)
{
	return buffer[pfn / 8] >> pfn % 8 & 1;
}

static void test_bits(void **state __maybe_unused)
{
	static const unsigned long pfn[] = { 0, 1, 63, 64, 32767, 32768, 65535, 99999 };
	struct xen_domctl_shadow_op op;

	scene();
	for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++) {
		assert_false(log_dirty_is_marked(d, pfn[i]));
		log_dirty_mark_pfn(d, pfn[i]);
		log_dirty_mark_pfn(d, pfn[i]);
		assert_true(log_dirty_is_marked(d, pfn[i]));
	}
	log_dirty_count_fault(d);
	for (unsigned int turn = 0; turn < 2; turn++) {
		memset(buffer, 0xff, BYTES);
		assert_int_equal(report(turn, 160000, &op), 0);
		assert_int_equal(bits(), ARRAY_SIZE(pfn));
		for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++)
			assert_true(bit(pfn[i]));
		assert_int_equal(op.stats.dirty_count, ARRAY_SIZE(pfn));
		assert_int_equal(op.stats.fault_count, 1);
	}
	assert_int_equal(report(true, 160000, &op), 0);
	assert_int_equal(bits(), 0);
	assert_int_equal(op.stats.dirty_count + op.stats.fault_count, 0);
	log_dirty_end(d);
	assert_false(log_dirty_on);
	log_dirty_mark_pfn(d, 5);
	assert_true(log_dirty_is_marked(d, 5));
}

/* Fewer pages than there are: neither bytes nor bits beyond them are touched. */
static void test_part(void **state __maybe_unused)
{
	struct xen_domctl_shadow_op op;

	scene();
	for (unsigned long i = 0; i < 128; i++)
		log_dirty_mark_pfn(d, i);
	memset(buffer, 0, BYTES);
	buffer[9] = 0xa5;
	assert_int_equal(report(true, 70, &op), 0);
	assert_int_equal(buffer[8], 0x3f);
	assert_int_equal(buffer[9], 0xa5);
	for (unsigned long i = 0; i < 128; i++)
		assert_int_equal(log_dirty_is_marked(d, i), i >= 70);
	/* No buffer: cleaned all the same. */
	memset(&op, 0, sizeof(op));
	op.op = XEN_DOMCTL_SHADOW_OP_CLEAN;
	op.pages = 128;
	assert_int_equal(log_dirty_report(d, &op, true), 0);
	assert_false(log_dirty_is_marked(d, 100));
	log_dirty_end(d);
}

/* A copy that fails leaves every page either reported or still marked. */
static void test_faults(void **state __maybe_unused)
{
	struct xen_domctl_shadow_op op;

	scene();
	for_each_fault(n, host_fail_copy) {
		unsigned int seen = 0;
		long rc;

		mark_every(100);
		memset(buffer, 0, BYTES);
		rc = report(true, NR, &op);
		assert_true(!rc || rc == -EFAULT);
		for (unsigned long i = 0; i < NR; i += 100)
			seen += bit(i) || log_dirty_is_marked(d, i);
		assert_int_equal(seen, NR / 100);
	}
	log_dirty_end(d);
}

/* Preempted at any point, the whole is the same; another caller begins at the start. */
static void test_preemption(void **state __maybe_unused)
{
	struct xen_domctl_shadow_op op;

	scene();
	for_each_fault(n, host_preempt_at) {
		unsigned int goes = 1;
		long rc;

		mark_every(64);
		memset(buffer, 0, BYTES);
		rc = report(true, NR, &op);
		if (rc == -ERESTART) {
			assert_false(log_dirty_is_marked(d, 0));
			log_dirty_mark_pfn(d, 1);	/* the domain runs meanwhile */
			do
				goes++;
			while ((rc = report(true, NR, &op)) == -ERESTART);
		}
		assert_int_equal(rc, 0);
		assert_int_equal(bits(), DIV_ROUND_UP(NR, 64));
		assert_int_equal(log_dirty_is_marked(d, 1), goes > 1);
		while (report(true, NR, &op) == -ERESTART)
			;
	}
	log_dirty_end(d);
}

/* What the guest says of its frames is not to be trusted. */
static void test_made_up(void **state __maybe_unused)
{
	struct xen_domctl_shadow_op op;

	scene();
	log_dirty_mark_pfn(d, INVALID_M2P_ENTRY);
	log_dirty_mark_pfn(d, SHARED_M2P_ENTRY);
	log_dirty_mark_pfn(d, 1UL << 63);
	assert_int_equal(report(true, 160000, &op), 0);
	assert_int_equal(bits(), 0);
	assert_true(log_dirty_is_marked(d, INVALID_M2P_ENTRY));
	/* Beyond what has a bit: all of that is dirty until the next clean. */
	log_dirty_mark_pfn(d, 1UL << 62);
	assert_true(log_dirty_is_marked(d, 140000));
	assert_int_equal(report(true, 160000, &op), 0);
	assert_int_equal(bits(), 160000 - 131072);
	assert_false(bit(131071));
	assert_true(bit(131072));
	assert_false(log_dirty_is_marked(d, 140000));
	log_dirty_end(d);
}

static void test_memory(void **state __maybe_unused)
{
	struct host_counts before;
	struct log_dirty *log;

	tools = host_domain_create(0, 1, true);
	host_switch_to(0, tools->vcpu[0]);
	before = host_count();
	for_each_fault(n, host_fail_alloc) {
		log = log_dirty_create(NR);
		assert_true(log || host_fault_fired());
		log_dirty_discard(log);
		assert_counts_equal(&before);
	}
}

/* ---- grants ---- */

static grant_entry_v1_t *entry(unsigned int ref)
{
	mfn_t mfn;

	assert_int_equal(gnttab_get_shared_frame(d, 0, &mfn), 0);
	return (grant_entry_v1_t *)mfn_to_virt(mfn) + ref;
}

/* Cleans and says whether pfn was dirty. */
static bool was_dirty(unsigned long pfn)
{
	struct xen_domctl_shadow_op op;

	log_dirty_mark_mapped(d);
	assert_int_equal(report(true, NR, &op), 0);
	return bit(pfn);
}

static void test_grants(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m = host_guest_alloc(sizeof(*m));
	struct gnttab_unmap_grant_ref *u = host_guest_alloc(sizeof(*u));
	struct page_info *pg;

	scene();
	assert_int_equal(grant_table_init(tools, 4, 8), 0);
	assert_int_equal(grant_table_init(d, 4, 8), 0);
	pg = host_domain_page(d, 0);
	set_gpfn_from_mfn(page_to_mfn(pg), 77);
	*entry(3) = (grant_entry_v1_t){ GTF_permit_access, 0, (uint32_t)mfn_x(page_to_mfn(pg)) };

	for (unsigned int ro = 0; ro < 2; ro++) {
		*m = (struct gnttab_map_grant_ref){ .host_addr = 0x1000, .ref = 3, .dom = 1,
			.flags = GNTMAP_host_map | (ro ? GNTMAP_readonly : 0) };
		assert_int_equal(do_grant_table_op(GNTTABOP_map_grant_ref, (unsigned long)m, 1, 0,
						   0), 0);
		assert_int_equal(m->status, GNTST_okay);
		/* As long as it is mapped, and once more when it no longer is. */
		assert_int_equal(was_dirty(77), !ro);
		assert_int_equal(was_dirty(77), !ro);
		*u = (struct gnttab_unmap_grant_ref){ .host_addr = 0x1000, .handle = m->handle };
		assert_int_equal(do_grant_table_op(GNTTABOP_unmap_grant_ref, (unsigned long)u, 1,
						   0, 0), 0);
		assert_int_equal(u->status, GNTST_okay);
		assert_int_equal(was_dirty(77), !ro);
		assert_false(was_dirty(77));
	}
	log_dirty_end(d);
}

static void test_grant_copy(void **state __maybe_unused)
{
	struct gnttab_copy *c = host_guest_alloc(sizeof(*c));
	struct page_info *pg, *mine;

	scene();
	assert_int_equal(grant_table_init(tools, 4, 8), 0);
	assert_int_equal(grant_table_init(d, 4, 8), 0);
	pg = host_domain_page(d, 0);
	mine = host_domain_page(tools, 0);
	set_gpfn_from_mfn(page_to_mfn(pg), 78);
	*entry(3) = (grant_entry_v1_t){ GTF_permit_access, 0, (uint32_t)mfn_x(page_to_mfn(pg)) };
	for (unsigned int into = 0; into < 2; into++) {
		struct gnttab_copy_ptr theirs = { .u.ref = 3, .domid = 1 };
		struct gnttab_copy_ptr ours = { .u.gmfn = mfn_x(page_to_mfn(mine)),
						.domid = DOMID_SELF };

		*c = (struct gnttab_copy){ .source = into ? ours : theirs,
			.dest = into ? theirs : ours, .len = 8,
			.flags = into ? GNTCOPY_dest_gref : GNTCOPY_source_gref };
		assert_int_equal(do_grant_table_op(GNTTABOP_copy, (unsigned long)c, 1, 0, 0), 0);
		assert_int_equal(c->status, GNTST_okay);
		assert_int_equal(was_dirty(78), into);
		assert_false(was_dirty(78));
	}
	log_dirty_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_bits), host_test(test_part), host_test(test_faults),
		host_test(test_preemption), host_test(test_made_up), host_test(test_memory),
		host_test(test_grants), host_test(test_grant_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
