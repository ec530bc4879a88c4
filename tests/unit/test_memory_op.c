/* SPDX-License-Identifier: MIT */
/*
 * memory_op: extents done are counted exactly whatever fails, exchange is all
 * or nothing by chunk, continuations make progress, errnos are the ABI's.
 */
/*
 * LINK: xen-core/memory_op.c xen-core/memory_exchange.c xen-core/grant_table.c xen-core/zombie_dump.c
 * LINK: xen-core/grant_map.c xen-core/grant_copy.c arch/x86/mm/page_ref.c
 */
#include "harness.h"
#include <arch/map.h>
#include <core/grant_table.h>
#include <core/hypercall.h>
#include <core/memory.h>

static struct domain *dom0, *domu;

static void scene(void)
{
	dom0 = host_domain_create(0, 1, true);
	domu = host_domain_create(1, 1, false);
	host_switch_to(0, domu->vcpu[0]);
}

static long mop(unsigned long cmd, void *arg)
{
	long rc = do_memory_op(cmd, (unsigned long)arg, 0, 0, 0);

	host_check_no_locks("memory_op");
	return rc;
}

/* As the guest would see it: continued until done. */
static long mop_all(unsigned long cmd, void *arg)
{
	long rc;

	while ((rc = mop(cmd, arg)) == -ERESTART)
		cmd = host_rec.cont_args[0];
	return rc;
}

static struct xen_memory_reservation *res(domid_t dom, unsigned int nr, unsigned int order,
					  xen_pfn_t **list)
{
	struct xen_memory_reservation *r = host_guest_alloc(sizeof(*r));
	xen_pfn_t *l = host_guest_alloc(nr * sizeof(*l));

	for (unsigned int i = 0; i < nr; i++)
		l[i] = 0x100 + (i << order);
	*r = (struct xen_memory_reservation){
		.extent_start = { l }, .nr_extents = nr, .extent_order = order, .domid = dom,
	};
	*list = l;
	return r;
}

static void test_populate_decrease(void **state __maybe_unused)
{
	struct xen_memory_reservation *r;
	struct host_counts before;
	xen_pfn_t *l;

	scene();
	before = host_count();
	for (unsigned int order = 0; order < 4; order++) {
		r = res(DOMID_SELF, 10, order, &l);
		assert_int_equal(mop(XENMEM_populate_physmap, r), 10);
		assert_int_equal(domu->tot_pages, 10 << order);
		for (unsigned int i = 0; i < 10; i++) {
			assert_int_equal(l[i] & ((1UL << order) - 1), 0);
			assert_int_equal(get_gpfn_from_mfn(_mfn(l[i])), 0x100 + (i << order));
			assert_ptr_equal(page_get_owner(mfn_to_page(_mfn(l[i]))), domu);
		}
		assert_int_equal(mop(XENMEM_decrease_reservation, r), 10);
		assert_int_equal(domu->tot_pages, 0);
		assert_int_equal(get_gpfn_from_mfn(_mfn(l[3])), INVALID_M2P_ENTRY);
		/* What one does not own, or owned, cannot be given up. */
		assert_int_equal(mop(XENMEM_decrease_reservation, r), 0);
		assert_counts_equal(&before);
	}
}

static void test_page_in_use(void **state __maybe_unused)
{
	struct xen_memory_reservation *r;
	struct page_info *pg;
	xen_pfn_t *l;
	unsigned long free;

	scene();
	r = res(DOMID_SELF, 1, 0, &l);
	assert_int_equal(mop(XENMEM_populate_physmap, r), 1);
	pg = mfn_to_page(_mfn(l[0]));
	assert_true(get_page(pg, domu));
	free = total_free_pages();
	/* Freed when the last user lets go, and only once. */
	assert_int_equal(mop(XENMEM_decrease_reservation, r), 1);
	assert_int_equal(total_free_pages(), free);
	assert_int_equal(mop(XENMEM_decrease_reservation, r), 1);
	assert_int_equal(total_free_pages(), free);
	put_page(pg);
	assert_int_equal(total_free_pages(), free + 1);
	assert_int_equal(domu->refcnt, 1);
}

static void test_arguments(void **state __maybe_unused)
{
	struct xen_memory_reservation *r;
	xen_pfn_t *l;

	scene();
	r = res(DOMID_SELF, 4, 0, &l);
	assert_int_equal(mop(XENMEM_populate_physmap, (void *)0x10), 0);
	assert_int_equal(mop(XENMEM_populate_physmap | 4 << MEMOP_EXTENT_SHIFT, r), 4);
	assert_int_equal(mop(XENMEM_populate_physmap | 9 << MEMOP_EXTENT_SHIFT, r), 9);
	r->nr_extents = 1UL << 30;
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->nr_extents = 4;
	r->domid = 0;		/* somebody else's */
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->domid = 77;
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->domid = DOMID_SELF;
	r->extent_order = 10;	/* a guest's extents are limited to 2 MiB */
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->extent_order = 0;
	r->mem_flags = XENMEMF_address_bits(12);
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->mem_flags = XENMEMF_exact_node(1);
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->mem_flags = XENMEMF_populate_on_demand;
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->mem_flags = XENMEMF_address_bits(20);
	r->extent_start.p = (void *)0xffff800000000000;
	assert_int_equal(mop(XENMEM_populate_physmap, r), 0);
	r->extent_start.p = l;
	assert_int_equal(mop(XENMEM_populate_physmap, r), 4);
	for (int i = 0; i < 4; i++)
		assert_true(l[i] < 256);
	domu->max_pages = 6;
	r->mem_flags = 0;
	assert_int_equal(mop(XENMEM_populate_physmap, r), 2);
	l[0] = 0xffffffffff;
	assert_int_equal(mop(XENMEM_decrease_reservation, r), 0);
	/* A tool acts for another domain. */
	host_switch_to(0, dom0->vcpu[0]);
	domu->max_pages = 100;
	r = res(1, 4, 0, &l);
	assert_int_equal(mop(XENMEM_increase_reservation, r), 4);
	assert_int_equal(domu->tot_pages, 10);
	r->extent_start.p = NULL;
	assert_int_equal(mop(XENMEM_increase_reservation, r), 4);
	assert_int_equal(domu->tot_pages, 14);
}

static void test_preemption_and_faults(void **state __maybe_unused)
{
	struct xen_memory_reservation *r;
	struct host_counts before;
	xen_pfn_t *l;

	scene();
	before = host_count();
	for_each_fault(n, host_preempt_at) {
		r = res(DOMID_SELF, 7, 1, &l);
		assert_int_equal(mop_all(XENMEM_populate_physmap, r), 7);
		assert_int_equal(domu->tot_pages, 14);
		assert_int_equal(mop_all(XENMEM_decrease_reservation, r), 7);
		assert_counts_equal(&before);
	}
	for_each_fault(n, host_fail_alloc) {
		r = res(DOMID_SELF, 7, 0, &l);
		r->nr_extents = (unsigned long)mop(XENMEM_populate_physmap, r);
		assert_int_equal(domu->tot_pages, r->nr_extents);
		assert_int_equal(mop(XENMEM_decrease_reservation, r), r->nr_extents);
		assert_counts_equal(&before);
	}
	for_each_fault(n, host_fail_copy) {
		struct page_info *pg;

		r = res(DOMID_SELF, 3, 0, &l);
		assert_in_range(mop(XENMEM_populate_physmap, r), 0, 3);
		(void)mop(XENMEM_decrease_reservation, r);
		/* A page whose number the guest never learnt is still its own. */
		while ((pg = page_list_first(&domu->page_list)) != NULL) {
			pg->count_info &= ~PGC_allocated;
			put_page(pg);
		}
		assert_counts_equal(&before);
	}
}

/* in_n extents of in_order, being the domain's pages in address order, for extents of out_order. */
static struct xen_memory_exchange *exch(unsigned int in_n, unsigned int in_order,
					unsigned int out_order, xen_pfn_t **in, xen_pfn_t **out)
{
	struct xen_memory_exchange *x = host_guest_alloc(sizeof(*x));
	struct xen_memory_reservation *r = res(DOMID_SELF, in_n, in_order, in);
	unsigned int out_n = (in_n << in_order) >> out_order;

	assert_int_equal(mop(XENMEM_populate_physmap, r), in_n);
	*out = host_guest_alloc(out_n * sizeof(**out));
	for (unsigned int i = 0; i < out_n; i++)
		(*out)[i] = 0x1000 + (i << out_order);
	x->in = *r;
	x->out = (struct xen_memory_reservation){ .extent_start = { *out }, .nr_extents = out_n,
						  .extent_order = out_order, .domid = DOMID_SELF };
	return x;
}

static void empty(struct domain *d)
{
	struct page_info *pg;

	while ((pg = page_list_first(&d->page_list)) != NULL) {
		BUG_ON((pg->count_info & (PGC_count_mask | PGC_allocated)) != (PGC_allocated | 1));
		pg->count_info &= ~PGC_allocated;
		put_page(pg);
	}
}

static void test_exchange(void **state __maybe_unused)
{
	struct xen_memory_exchange *x;
	struct host_counts before;
	xen_pfn_t *in, *out;

	scene();
	before = host_count();
	x = exch(64, 0, 4, &in, &out);
	x->out.mem_flags = XENMEMF_address_bits(22);
	assert_int_equal(mop(XENMEM_exchange, x), 0);
	assert_int_equal(x->nr_exchanged, 64);
	assert_int_equal(domu->tot_pages, 64);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(out[i] & 15, 0);
		assert_true(out[i] < 1024);
		assert_int_equal(get_gpfn_from_mfn(_mfn(out[i] + 5)), 0x1000 + 16 * i + 5);
	}
	empty(domu);
	assert_counts_equal(&before);
	/* The other way round: large for small. */
	x = exch(2, 3, 0, &in, &out);
	assert_int_equal(mop(XENMEM_exchange, x), 0);
	assert_int_equal(domu->tot_pages, 16);
	empty(domu);
	assert_counts_equal(&before);
	/* Nowhere to be had: everything is as it was. */
	x = exch(64, 0, 6, &in, &out);
	x->out.mem_flags = XENMEMF_address_bits(18);
	assert_int_equal(mop(XENMEM_exchange, x), -ENOMEM);
	assert_int_equal(x->nr_exchanged, 0);
	assert_int_equal(domu->tot_pages, 64);
	assert_int_equal(domu->page_list.count, 64);
	/* One page is in use, or not the domain's. */
	x->out.mem_flags = 0;
	assert_true(get_page(mfn_to_page(_mfn(in[40])), domu));
	assert_int_equal(mop(XENMEM_exchange, x), -EINVAL);
	assert_int_equal(domu->page_list.count, 64);
	put_page(mfn_to_page(_mfn(in[40])));
	in[40] = 0xffffffff;
	assert_int_equal(mop(XENMEM_exchange, x), -EINVAL);
	assert_int_equal(domu->page_list.count, 64);
	empty(domu);
	assert_counts_equal(&before);
	x = exch(4, 0, 2, &in, &out);
	x->out.nr_extents = 2;
	assert_int_equal(mop(XENMEM_exchange, x), -EINVAL);
	x->out.nr_extents = 1;
	x->out.domid = 0;
	assert_int_equal(mop(XENMEM_exchange, x), -EINVAL);
	x->in.domid = 0;
	assert_int_equal(mop(XENMEM_exchange, x), -EPERM);
	x->in.domid = x->out.domid = 44;
	assert_int_equal(mop(XENMEM_exchange, x), -ESRCH);
	x->in.extent_order = 10;
	assert_int_equal(mop(XENMEM_exchange, x), -EPERM);
	assert_int_equal(mop(XENMEM_exchange, (void *)8), -EFAULT);
}

static void test_exchange_faults(void **state __maybe_unused)
{
	struct host_counts before;
	xen_pfn_t *in, *out;

	scene();
	before = host_count();
	for (unsigned int kind = 0; kind < 3; kind++)
		for (unsigned int n = 1;; n++) {
			struct xen_memory_exchange *x = exch(16, 0, 2, &in, &out);
			bool fired;
			long rc;

			if (kind == 0)
				host_fail_alloc(n);
			else if (kind == 1)
				host_fail_copy(n);
			else
				host_preempt_at(n);
			rc = mop_all(XENMEM_exchange, x);
			fired = host_fault_fired();
			host_fail_alloc(0);
			host_fail_copy(0);
			host_preempt_at(0);
			if (!fired || kind == 2)
				assert_int_equal(rc, 0);
			else
				assert_int_equal(rc, kind == 0 ? -ENOMEM : -EFAULT);
			/* All pages are still there, in whichever form. */
			assert_int_equal(domu->tot_pages, 16);
			assert_int_equal(domu->page_list.count, 16);
			empty(domu);
			assert_counts_equal(&before);
			host_guest_unmap_all();
			if (!fired)
				break;
		}
}

static void test_figures(void **state __maybe_unused)
{
	struct xen_memory_domain *x = host_guest_alloc(sizeof(*x));
	struct xen_memory_reservation *r;
	xen_pfn_t *l;

	scene();
	r = res(DOMID_SELF, 5, 0, &l);
	assert_int_equal(mop(XENMEM_populate_physmap, r), 5);
	x->domid = DOMID_SELF;
	domu->max_pages = 99;
	domu->shared_info->arch.max_pfn = 1000;
	assert_int_equal(mop(XENMEM_maximum_ram_page, NULL), HOST_RAM_FRAMES);
	assert_int_equal(mop(XENMEM_current_reservation, x), 5);
	assert_int_equal(mop(XENMEM_maximum_reservation, x), 99);
	assert_int_equal(mop(XENMEM_maximum_gpfn, x), 999);
	assert_int_equal(mop(XENMEM_maximum_gpfn | 1 << MEMOP_EXTENT_SHIFT, x), -EINVAL);
	x->domid = 0;
	assert_int_equal(mop(XENMEM_current_reservation, x), -EPERM);
	x->domid = 9;
	assert_int_equal(mop(XENMEM_current_reservation, x), -ESRCH);
	assert_int_equal(mop(XENMEM_current_reservation, (void *)1), -EFAULT);
	assert_int_equal(mop(XENMEM_get_sharing_freed_pages, NULL), 0);
	assert_int_equal(mop(XENMEM_get_sharing_shared_pages, NULL), 0);
	assert_int_equal(mop(60, NULL), -ENOSYS);
}

static void test_claims_and_others(void **state __maybe_unused)
{
	struct xen_memory_reservation *r = host_guest_alloc(sizeof(*r));
	struct xen_vnuma_topology_info *t = host_guest_alloc(sizeof(*t));
	struct xen_add_to_physmap *a = host_guest_alloc(sizeof(*a));

	scene();
	r->domid = 1;
	r->nr_extents = 50;
	assert_int_equal(mop(XENMEM_claim_pages, r), -EPERM);
	host_switch_to(0, dom0->vcpu[0]);
	assert_int_equal(mop(XENMEM_claim_pages, r), 0);
	assert_int_equal(total_outstanding_claims(), 50);
	r->nr_extents = 0;
	assert_int_equal(mop(XENMEM_claim_pages, r), 0);
	r->extent_order = 1;
	assert_int_equal(mop(XENMEM_claim_pages, r), -EINVAL);
	r->extent_order = 0;
	r->domid = DOMID_SELF;
	assert_int_equal(mop(XENMEM_claim_pages, r), -EINVAL);
	t->domid = 1;
	assert_int_equal(mop(XENMEM_get_vnumainfo, t), -EOPNOTSUPP);
	a->domid = 1;
	assert_int_equal(mop(XENMEM_add_to_physmap, a), -EACCES);
	a->space = XENMAPSPACE_gmfn_foreign;
	assert_int_equal(mop(XENMEM_add_to_physmap, a), -ENOSYS);
	assert_int_equal(mop(XENMEM_paging_op, a), -EOPNOTSUPP);
}

static void test_acquire_resource(void **state __maybe_unused)
{
	struct xen_mem_acquire_resource *x = host_guest_alloc(sizeof(*x));
	xen_pfn_t *l = host_guest_alloc(64 * sizeof(*l));
	mfn_t mfn;

	scene();
	assert_int_equal(grant_table_init(domu, 64, 8), 0);
	x->domid = 0;
	x->type = XENMEM_resource_grant_table;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EPERM);
	host_switch_to(0, dom0->vcpu[0]);
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EPERM);	/* itself */
	x->domid = 1;
	assert_int_equal(mop(XENMEM_acquire_resource, x), 0);
	assert_int_equal(x->nr_frames, 64);
	x->frame_list.p = l;
	for_each_fault(n, host_preempt_at) {
		memset(l, 0, 64 * sizeof(*l));
		assert_int_equal(mop_all(XENMEM_acquire_resource, x), 0);
		for (unsigned int i = 0; i < 64; i++) {
			assert_int_equal(gnttab_get_shared_frame(domu, i, &mfn), 0);
			assert_int_equal(l[i], mfn_x(mfn));
		}
	}
	x->nr_frames = 65;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EINVAL);
	x->nr_frames = 1;
	x->id = XENMEM_resource_grant_table_id_status;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EINVAL);
	x->id = 0;
	x->type = XENMEM_resource_ioreq_server;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EINVAL);
	x->type = 9;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EOPNOTSUPP);
	x->pad = 1;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -EINVAL);
	x->domid = 5;
	x->pad = 0;
	assert_int_equal(mop(XENMEM_acquire_resource, x), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_populate_decrease), host_test(test_page_in_use),
		host_test(test_arguments), host_test(test_preemption_and_faults),
		host_test(test_exchange), host_test(test_exchange_faults),
		host_test(test_figures), host_test(test_claims_and_others),
		host_test(test_acquire_resource),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
