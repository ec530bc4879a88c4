/* SPDX-License-Identifier: MIT */
/*
 * Grants: who may use what, exact counts whatever fails, handles that cannot be
 * used twice, and one flush before anything is dropped. Mappings themselves
 * are faked: the machine is asked, and told, through arch_grant_map/unmap.
 */
/* LINK: xen-core/grant_table.c xen-core/zombie_dump.c xen-core/grant_map.c xen-core/grant_copy.c */
#include "harness.h"
#include <stdio.h>
#include <arch/domain.h>
#include <arch/map.h>
#include <core/hypercall.h>
#include <xen/memory.h>
#include "../../xen-core/grant_private.h"

#define NREFS	40

static struct domain *granter, *user;
static struct page_info *pages[NREFS];
static unsigned int mapped, fail_map, flushes_at_unpin;

int arch_grant_map(uint64_t host_addr, mfn_t mfn __maybe_unused, unsigned int flags __maybe_unused)
{
	assert_int_equal(host_locks_held(), 0);
	if (!host_addr || (fail_map && !--fail_map))
		return GNTST_general_error;
	mapped++;
	return GNTST_okay;
}

int arch_grant_unmap(uint64_t host_addr, mfn_t mfn __maybe_unused, uint64_t new_addr __maybe_unused,
		     unsigned int flags __maybe_unused)
{
	assert_int_equal(host_locks_held(), 0);
	if (host_addr == 0xbad)
		return GNTST_general_error;
	mapped--;
	return GNTST_okay;
}

static char said[1024];		/* on the console */
static unsigned int entries;	/* of the user's page tables that name the granter's pages */

void vprintk(const char *fmt, va_list ap)
{
	size_t n = strlen(said);

	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
}

void arch_each_mapping(void (*each)(const struct domain *by, const struct domain *dying, void *data),
		       void *data)
{
	assert_int_equal(host_locks_held(), 0);
	for (unsigned int i = 0; i < entries; i++)
		each(user, granter, data);
}

static grant_entry_v1_t *entry(struct domain *d, unsigned int ref)
{
	mfn_t mfn;

	assert_int_equal(gnttab_get_shared_frame(d, ref / 512, &mfn), 0);
	return (grant_entry_v1_t *)mfn_to_virt(mfn) + ref % 512;
}

static void scene(void)
{
	user = host_domain_create(0, 1, true);
	granter = host_domain_create(1, 1, false);
	host_switch_to(0, user->vcpu[0]);
	assert_int_equal(grant_table_init(user, 4, 8), 0);
	assert_int_equal(grant_table_init(granter, 4, 8), 0);
	for (unsigned int i = 0; i < NREFS; i++) {
		pages[i] = host_domain_page(granter, 0);
		*entry(granter, i) = (grant_entry_v1_t){
			GTF_permit_access | (i & 1 ? GTF_readonly : 0), 0,
			(uint32_t)mfn_x(page_to_mfn(pages[i])),
		};
	}
	mapped = fail_map = flushes_at_unpin = 0;
	cpumask_set_cpu(2, &user->dirty_cpumask);
}

static long gop(unsigned int cmd, void *uop, unsigned int n)
{
	long rc = do_grant_table_op(cmd, (unsigned long)uop, n, 0, 0);

	host_check_no_locks("grant_table_op");
	return rc;
}

static struct gnttab_map_grant_ref *map_ops(unsigned int n, unsigned int flags)
{
	struct gnttab_map_grant_ref *op = host_guest_alloc(n * sizeof(*op));

	for (unsigned int i = 0; i < n; i++)
		op[i] = (struct gnttab_map_grant_ref){ .host_addr = 0x1000 + i * 4096,
						       .flags = flags,
						       .ref = i * 2,
						       .dom = 1,
						       .status = 77 };
	return op;
}

static struct gnttab_unmap_grant_ref *unmap_ops(const struct gnttab_map_grant_ref *m,
						unsigned int n)
{
	struct gnttab_unmap_grant_ref *op = host_guest_alloc(n * sizeof(*op));

	for (unsigned int i = 0; i < n; i++)
		op[i] = (struct gnttab_unmap_grant_ref){
			.host_addr = m[i].host_addr,
			.handle = m[i].handle,
			.dev_bus_addr = (m[i].flags & GNTMAP_device_map) ? m[i].dev_bus_addr : 0
		};
	return op;
}

static void check_unused(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(entry(granter, i)->flags & (GTF_reading | GTF_writing), 0);
	assert_int_equal(mapped, 0);
}

static void test_map_unmap(void **state __maybe_unused)
{
	static const unsigned int kinds[] = {
		GNTMAP_host_map, GNTMAP_host_map | GNTMAP_readonly, GNTMAP_device_map,
		GNTMAP_device_map | GNTMAP_readonly, GNTMAP_host_map | GNTMAP_device_map,
		GNTMAP_host_map | GNTMAP_device_map | GNTMAP_readonly,
		GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte,
	};
	struct host_counts before;

	scene();
	/* The first mapping makes the maptrack, which stays. */
	assert_int_equal(gop(GNTTABOP_map_grant_ref, map_ops(1, GNTMAP_device_map), 1), 0);
	assert_int_equal(
		gop(GNTTABOP_unmap_grant_ref, unmap_ops(map_ops(1, GNTMAP_device_map), 0), 0), 0);
	before = host_count();
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct gnttab_map_grant_ref *m = map_ops(20, kinds[k]);
		struct gnttab_unmap_grant_ref *u;
		unsigned int both = !!(kinds[k] & GNTMAP_host_map) +
				    !!(kinds[k] & GNTMAP_device_map);

		assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 20), 0);
		for (unsigned int i = 0; i < 20; i++) {
			assert_int_equal(m[i].status, GNTST_okay);
			assert_int_equal(m[i].dev_bus_addr,
					 mfn_to_paddr(page_to_mfn(pages[2 * i])));
			if (i)
				assert_int_equal(pages[2 * i]->count_info & PGC_count_mask,
						 1 + both);
			assert_true(entry(granter, 2 * i)->flags & GTF_reading);
			assert_int_equal(!!(entry(granter, 2 * i)->flags & GTF_writing),
					 !(kinds[k] & GNTMAP_readonly) || i == 0);
		}
		u = unmap_ops(m, 20);
		host_rec.flushes_mask = 0;
		assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 20), 0);
		assert_int_equal(host_rec.flushes_mask, kinds[k] & GNTMAP_host_map ? 2 : 0);
		for (unsigned int i = 0; i < 20; i++)
			assert_int_equal(u[i].status, GNTST_okay);
		/* A handle is good once. */
		assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
		assert_int_equal(u[0].status, GNTST_bad_handle);
		assert_counts_equal(&before);
		assert_int_equal(mapped, 0);
	}
}

static void test_refusals(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m;
	struct gnttab_unmap_grant_ref *u;
	struct host_counts before;

	scene();
	m = map_ops(2, GNTMAP_device_map);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0);
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, unmap_ops(m, 1), 1), 0);
	before = host_count();
#define REFUSED(expr, code) do { *m = *map_ops(1, GNTMAP_host_map); expr; \
		assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0); \
		assert_int_equal(m->status, code); assert_counts_equal(&before); } while (0)
	REFUSED(m->flags = GNTMAP_readonly, GNTST_bad_gntref);
	REFUSED(m->dom = 9, GNTST_bad_domain);
	REFUSED(m->dom = DOMID_SELF, GNTST_bad_domain);
	REFUSED(m->ref = 512, GNTST_bad_gntref);
	REFUSED(m->ref = ~0u, GNTST_bad_gntref);
	REFUSED(m->ref = 1, GNTST_general_error);		/* read-only grant */
	REFUSED(m->ref = 100, GNTST_general_error);		/* no grant */
	REFUSED(entry(granter, 0)->domid = 5, GNTST_general_error);
	entry(granter, 0)->domid = 0;
	REFUSED(entry(granter, 0)->frame = 0xfffff0, GNTST_bad_page);
	REFUSED(entry(granter, 0)->frame = 1, GNTST_bad_page);	/* not granter's */
	entry(granter, 0)->frame = (uint32_t)mfn_x(page_to_mfn(pages[0]));
	REFUSED(entry(granter, 0)->flags |= GTF_sub_page, GNTST_general_error);
	entry(granter, 0)->flags = GTF_permit_access;
	REFUSED(m->host_addr = 0, GNTST_general_error);
	check_unused(4);
	/* Unmap: bad handles, a wrong bus address, a page-table entry that does not match. */
	u = host_guest_alloc(sizeof(*u));
	u->handle = 100000;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_bad_handle);
	u->handle = ~0u;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_bad_handle);
	*m = *map_ops(1, GNTMAP_host_map | GNTMAP_device_map);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0);
	u = unmap_ops(m, 1);
	u->dev_bus_addr = 0x1000;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_bad_dev_addr);
	u->dev_bus_addr = 0;
	u->host_addr = 0xbad;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_general_error);
	/* One half, then the other. */
	u->host_addr = m->host_addr;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_okay);
	u->dev_bus_addr = m->dev_bus_addr;
	u->host_addr = 0;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_okay);
	assert_counts_equal(&before);
	check_unused(4);
	/* Errnos of the call. */
	assert_int_equal(gop(99, u, 1), -ENOSYS);
	assert_int_equal(gop(GNTTABOP_transfer, u, 1), -ENOSYS);
	assert_int_equal(gop(GNTTABOP_map_grant_ref | 0x1000, m, 1), -EINVAL);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 0x80000000), -EINVAL);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, (void *)0xffff800000000000, 1), -EFAULT);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, (void *)0x10, 1), -EFAULT);
}

static void test_pin_overflow(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m;
	struct host_counts before;
	unsigned int ok = 0;

	scene();
	m = map_ops(1, GNTMAP_device_map);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0);
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, unmap_ops(m, 1), 1), 0);
	before = host_count();
	m = map_ops(200, GNTMAP_device_map | GNTMAP_readonly);
	for (unsigned int i = 0; i < 200; i++)
		m[i].ref = 0;
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 200), 0);
	for (unsigned int i = 0; i < 200; i++)
		ok += m[i].status == GNTST_okay;
	assert_in_range(ok, 100, 130);
	/* Another domain is turned away while the first has it. */
	entry(granter, 0)->domid = 2;
	for (unsigned int i = 0; i < 200; i++)
		if (m[i].status == GNTST_okay)
			assert_int_equal(gop(GNTTABOP_unmap_grant_ref, unmap_ops(m + i, 1), 1), 0);
	assert_counts_equal(&before);
	check_unused(1);
}

static void test_maptrack_limit(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m;
	struct gnttab_unmap_grant_ref *u;
	unsigned int n = 0;

	scene();
	for (unsigned int i = 0; i < 40; i++)
		entry(granter, i)->flags = GTF_permit_access;
	m = map_ops(8 * 512 + 10, GNTMAP_device_map | GNTMAP_readonly);
	for (unsigned int i = 0; i < 8 * 512 + 10; i++)
		m[i].ref = i % 40;
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 8 * 512 + 10), 0);
	while (n < 8 * 512 && m[n].status == GNTST_okay)
		n++;
	assert_int_equal(n, 8 * 512);
	assert_int_equal(m[n].status, GNTST_no_space);
	u = unmap_ops(m, n);
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, n), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(u[i].status, GNTST_okay);
	check_unused(40);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, n), 0);
	assert_int_equal(m[n - 1].status, GNTST_okay);
}

/* Whatever fails on the way, what was mapped can be unmapped and nothing else is held. */
static void test_faults(void **state __maybe_unused)
{
	struct host_counts before;

	scene();
	before = host_count();
	for (unsigned int kind = 0; kind < 3; kind++)
		for (unsigned int n = 1;; n++) {
			struct gnttab_map_grant_ref *m = map_ops(18, GNTMAP_host_map |
									     GNTMAP_device_map);
			bool fired;
			long rc;

			fail_map = 0;
			if (kind == 0)
				host_fail_alloc(n);
			else if (kind == 1)
				host_fail_copy(n);
			else
				fail_map = n;
			rc = gop(GNTTABOP_map_grant_ref, m, 18);
			fired = kind == 2 ? fail_map == 0 : host_fault_fired();
			host_fail_alloc(0);
			host_fail_copy(0);
			assert_true(rc == 0 || (kind == 1 && rc == -EFAULT));
			fail_map = 0;
			/* What a failed answer hid from the guest is found as its death would. */
			if (rc == 0)
				for (unsigned int i = 0; i < 18; i++)
					if (m[i].status == GNTST_okay)
						assert_int_equal(gop(GNTTABOP_unmap_grant_ref,
								     unmap_ops(m + i, 1), 1), 0);
			user->is_dying = DOMDYING_dying;
			/* Page tables drop the references of host mappings: here by hand. */
			for (unsigned int i = 0; rc && mapped && i < NREFS; i += 2)
				while ((pages[i]->count_info & PGC_count_mask) > 2) {
					put_page_type(pages[i]);
					put_page(pages[i]);
					mapped--;
				}
			assert_int_equal(gnttab_release_mappings(user), 0);
			user->is_dying = DOMDYING_alive;
			grant_table_destroy(user);
			assert_int_equal(grant_table_init(user, 4, 8), 0);
			assert_counts_equal(&before);
			check_unused(NREFS);
			host_guest_unmap_all();
			if (!fired)
				break;
		}
}

static void test_preemption(void **state __maybe_unused)
{
	scene();
	for_each_fault(n, host_preempt_at) {
		struct gnttab_map_grant_ref *m = map_ops(40, GNTMAP_device_map | GNTMAP_readonly);
		struct gnttab_unmap_grant_ref *u;
		unsigned long uop = (unsigned long)m, left = 40;
		unsigned int conts = 0;

		for (unsigned int i = 0; i < 40; i++)
			m[i].ref = i;
		while (gop(GNTTABOP_map_grant_ref, (void *)uop, (unsigned int)left) == -ERESTART) {
			assert_int_equal(host_rec.cont_op, __HYPERVISOR_grant_table_op);
			assert_int_equal(host_rec.cont_args[0], GNTTABOP_map_grant_ref);
			uop = host_rec.cont_args[1];
			left = host_rec.cont_args[2];
			assert_true(conts++ < 2);
		}
		for (unsigned int i = 0; i < 40; i++)
			assert_int_equal(m[i].status, GNTST_okay);
		u = unmap_ops(m, 40);
		uop = (unsigned long)u;
		left = 40;
		while (gop(GNTTABOP_unmap_grant_ref, (void *)uop, (unsigned int)left) ==
		       -ERESTART) {
			uop = host_rec.cont_args[1];
			left = host_rec.cont_args[2];
		}
		for (unsigned int i = 0; i < 40; i++)
			assert_int_equal(u[i].status, GNTST_okay);
		check_unused(NREFS);
		host_guest_unmap_all();
	}
}

static struct gnttab_copy *copy_op(unsigned int n)
{
	return host_guest_alloc(n * sizeof(struct gnttab_copy));
}

static void test_copy(void **state __maybe_unused)
{
	struct gnttab_copy *op;
	struct page_info *mine;
	struct host_counts before;
	char *s, *d;

	scene();
	mine = host_domain_page(user, 0);
	before = host_count();
	s = page_to_virt(pages[1]);
	d = page_to_virt(mine);
	for (int i = 0; i < 4096; i++)
		s[i] = (char)(i * 7);
	op = copy_op(20);
	for (unsigned int i = 0; i < 20; i++) {
		op[i].source.u.ref = 1;
		op[i].source.domid = 1;
		op[i].source.offset = (uint16_t)(i * 100);
		op[i].dest.u.gmfn = mfn_x(page_to_mfn(mine));
		op[i].dest.domid = DOMID_SELF;
		op[i].dest.offset = (uint16_t)(i * 100);
		op[i].len = 100;
		op[i].flags = GNTCOPY_source_gref;
	}
	assert_int_equal(gop(GNTTABOP_copy, op, 20), 0);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(op[i].status, 0);
	assert_memory_equal(s, d, 2000);
	assert_int_equal(d[2000], 0);
	assert_counts_equal(&before);
	check_unused(NREFS);
#define COPY(expr, code) do { struct gnttab_copy saved = op[0]; expr; \
		assert_int_equal(gop(GNTTABOP_copy, op, 1), 0); \
		assert_int_equal(op->status, code); \
		op[0] = saved; assert_counts_equal(&before); check_unused(NREFS); } while (0)
	COPY(op->source.offset = 4000, GNTST_bad_copy_arg);
	COPY(op->dest.offset = 4000, GNTST_bad_copy_arg);
	COPY(op->source.domid = 9, GNTST_bad_domain);
	COPY(op->flags = 0, GNTST_permission_denied);
	COPY(op->dest.domid = 1, GNTST_permission_denied);
	COPY(op->source.u.ref = 5000, GNTST_bad_gntref);
	COPY(op->source.u.ref = 99, GNTST_general_error);
	COPY(op->dest.u.gmfn = 0xffffffff, GNTST_bad_page);
	COPY(op->dest.u.gmfn = mfn_x(page_to_mfn(pages[0])), GNTST_bad_page);
	COPY((op->flags = GNTCOPY_source_gref | GNTCOPY_dest_gref, op->dest.domid = 1,
	      op->dest.u.ref = 3),
	     GNTST_general_error); /* read-only */
	COPY((op->flags = GNTCOPY_source_gref | GNTCOPY_dest_gref, op->dest.domid = 1,
	      op->dest.u.ref = 2),
	     GNTST_okay);
	/* A page of another type cannot be written to. */
	assert_int_equal(get_page_type(mine, PGT_l1_page_table), 0);
	before = host_count();
	COPY((void)0, GNTST_general_error);
	put_page_type(mine);
	before = host_count();
	for_each_fault(n, host_fail_copy) {
		long rc = gop(GNTTABOP_copy, op, 20);

		assert_true(rc == 0 || rc == -EFAULT);
		assert_counts_equal(&before);
	}
	for_each_fault(n, host_preempt_at) {
		long rc = gop(GNTTABOP_copy, op, 20);

		assert_true(rc == 0 || (rc == -ERESTART && host_rec.cont_args[2] == 4 &&
					host_rec.cont_args[1] == (unsigned long)(op + 16)));
		assert_counts_equal(&before);
	}
}

static void test_table_ops(void **state __maybe_unused)
{
	xen_pfn_t *frames = host_guest_alloc(4 * sizeof(*frames));
	struct gnttab_setup_table *s = host_guest_alloc(sizeof(*s));
	struct gnttab_query_size *q = host_guest_alloc(sizeof(*q));
	struct gnttab_set_version *v = host_guest_alloc(sizeof(*v));
	struct gnttab_get_version *gv = host_guest_alloc(sizeof(*gv));
	struct gnttab_swap_grant_ref *w = host_guest_alloc(sizeof(*w));
	struct gnttab_map_grant_ref *m;
	mfn_t mfn[4];

	scene();
	*s = (struct gnttab_setup_table){ .dom = 1, .nr_frames = 3, .frame_list = { frames } };
	assert_int_equal(gop(GNTTABOP_setup_table, s, 1), 0);
	assert_int_equal(s->status, GNTST_okay);
	assert_int_equal(gnttab_acquire_resource(granter, 0, 0, 3, mfn), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(frames[i], mfn_x(mfn[i]));
	assert_int_equal(gnttab_acquire_resource(granter, 0, 2, 3, mfn), -EINVAL);
	assert_int_equal(gnttab_acquire_resource(granter, 1, 0, 1, mfn), -EINVAL);
	assert_int_equal(gnttab_acquire_resource(granter, 0, ~0u, 1, mfn), -EINVAL);
	q->dom = 1;
	assert_int_equal(gop(GNTTABOP_query_size, q, 1), 0);
	assert_int_equal(q->nr_frames, 3);
	assert_int_equal(q->max_nr_frames, 4);
	s->nr_frames = 5;
	assert_int_equal(gop(GNTTABOP_setup_table, s, 1), 0);
	assert_int_equal(s->status, GNTST_general_error);
	assert_int_equal(gop(GNTTABOP_setup_table, s, 2), -EINVAL);
	s->dom = 7;
	assert_int_equal(gop(GNTTABOP_setup_table, s, 1), 0);
	assert_int_equal(s->status, GNTST_bad_domain);
	v->version = 2;
	assert_int_equal(gop(GNTTABOP_set_version, v, 1), -ENOSYS);
	assert_int_equal(v->version, 1);
	v->version = 3;
	assert_int_equal(gop(GNTTABOP_set_version, v, 1), -EINVAL);
	assert_int_equal(gop(GNTTABOP_set_version, v, 1), 0);
	gv->dom = 1;
	assert_int_equal(gop(GNTTABOP_get_version, gv, 1), 0);
	assert_int_equal(gv->version, 1);
	gv->dom = 8;
	assert_int_equal(gop(GNTTABOP_get_version, gv, 1), -ESRCH);
	/* Swap: not while in use. */
	*entry(user, 2) = (grant_entry_v1_t){ GTF_permit_access, 0, 5 };
	*w = (struct gnttab_swap_grant_ref){ .ref_a = 2, .ref_b = 3 };
	assert_int_equal(gop(GNTTABOP_swap_grant_ref, w, 1), 0);
	assert_int_equal(w->status, GNTST_okay);
	assert_int_equal(entry(user, 3)->frame, 5);
	w->ref_b = 600;
	assert_int_equal(gop(GNTTABOP_swap_grant_ref, w, 1), 0);
	assert_int_equal(w->status, GNTST_bad_gntref);
	entry(user, 3)->frame = (uint32_t)mfn_x(page_to_mfn(host_domain_page(user, 0)));
	m = map_ops(1, GNTMAP_device_map);
	m->dom = 0;
	m->ref = 3;
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0);
	assert_int_equal(m->status, GNTST_okay);
	*w = (struct gnttab_swap_grant_ref){ .ref_a = 2, .ref_b = 3 };
	assert_int_equal(gop(GNTTABOP_swap_grant_ref, w, 1), 0);
	assert_int_equal(w->status, GNTST_eagain);
	/* An unprivileged domain may ask only about itself. */
	host_switch_to(0, granter->vcpu[0]);
	q->dom = 0;
	assert_int_equal(gop(GNTTABOP_query_size, q, 1), 0);
	assert_int_equal(q->status, GNTST_permission_denied);
	gv->dom = 0;
	assert_int_equal(gop(GNTTABOP_get_version, gv, 1), -EPERM);
	q->dom = DOMID_SELF;
	assert_int_equal(gop(GNTTABOP_query_size, q, 1), 0);
	assert_int_equal(q->status, GNTST_okay);
}

static void test_life(void **state __maybe_unused)
{
	struct domain *d = host_domain_create(5, 1, false);
	struct host_counts before = host_count();

	for_each_fault(n, host_fail_alloc) {
		if (!grant_table_init(d, ~0u, ~0u)) {
			mfn_t mfn;

			(void)gnttab_get_shared_frame(d, 9, &mfn);
			grant_table_destroy(d);
		}
		assert_null(d->grant_table);
		assert_counts_equal(&before);
	}
	assert_int_equal(grant_table_init(d, 0, 0), -EINVAL);
	assert_int_equal(grant_table_init(d, 65, 0), -EINVAL);
}

/* The granter is gone and another domain has its number, which has granted ref 2 to domain 7. */
static void replace_granter(void)
{
	struct page_info *pg;

	grant_table_destroy(granter);
	host_domain_free(granter);
	granter = host_domain_create(1, 1, false);
	assert_int_equal(grant_table_init(granter, 4, 8), 0);
	pg = host_domain_page(granter, 0);
	*entry(granter, 2) = (grant_entry_v1_t){ GTF_permit_access, 7,
						 (uint32_t)mfn_x(page_to_mfn(pg)) };
}

/* Handles whose page-table entries were overwritten outlive the granter. */
static void test_granter_replaced(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m = map_ops(2, GNTMAP_host_map);
	struct gnttab_unmap_grant_ref *u;
	struct domain *third;

	scene();
	third = host_domain_create(7, 1, false);
	assert_int_equal(grant_table_init(third, 4, 8), 0);
	m[0].ref = 2 * 512 + 6;
	m[1].ref = 2;
	*entry(granter, m[0].ref) = *entry(granter, 0);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 2), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(m[i].status, GNTST_okay);
		put_page_and_type(pages[i ? 2 : 0]);	/* the entry goes, and its references */
	}
	replace_granter();
	host_switch_to(0, third->vcpu[0]);
	m[1].status = 77;
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m + 1, 1), 0);
	assert_int_equal(m[1].status, GNTST_okay);

	host_switch_to(0, user->vcpu[0]);
	u = unmap_ops(m, 1);
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	assert_int_equal(u->status, GNTST_bad_handle);
	assert_int_equal(host_rec.crashes, 1);
	user->is_dying = DOMDYING_dying;
	assert_int_equal(gnttab_release_mappings(user), 0);
	assert_int_equal(entry(granter, 2)->flags, GTF_permit_access | GTF_reading | GTF_writing);

	/* The third's own mapping ends as usual. */
	host_switch_to(0, third->vcpu[0]);
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, unmap_ops(m + 1, 1), 1), 0);
	assert_int_equal(entry(granter, 2)->flags, GTF_permit_access);
}

/* Random maps, unmaps and copies; at the end nothing is left. */
static void test_random_audit(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m = NULL;
	struct gnttab_unmap_grant_ref *u;
	struct { bool on; struct gnttab_map_grant_ref m; } live[200] = { { 0 } };
	struct host_counts before;
	unsigned int seed = 99;

	scene();
	m = map_ops(1, GNTMAP_device_map);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0);
	u = unmap_ops(m, 1);
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
	before = host_count();
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int slot, x;

		seed = seed * 1103515245 + 12345;
		x = seed >> 8;
		slot = x % 200;
		if (live[slot].on) {
			*u = (struct gnttab_unmap_grant_ref){ .handle = live[slot].m.handle,
				.host_addr = x & 0x1000 ? live[slot].m.host_addr : 0,
				.dev_bus_addr = x & 0x2000 ? live[slot].m.dev_bus_addr : 0 };
			assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
			if (u->host_addr)
				live[slot].m.flags &= ~(uint32_t)GNTMAP_host_map;
			if (u->dev_bus_addr)
				live[slot].m.flags &= ~(uint32_t)GNTMAP_device_map;
			live[slot].on = live[slot].m.flags & (GNTMAP_host_map | GNTMAP_device_map);
		} else {
			*m = (struct gnttab_map_grant_ref){ .host_addr = 0x1000, .dom = 1,
				.ref = (x >> 4) % (NREFS + 2), .flags = (x >> 12) & 7 };
			assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 1), 0);
			live[slot].on = m->status == GNTST_okay;
			live[slot].m = *m;
		}
	}
	for (unsigned int i = 0; i < 200; i++)
		if (live[i].on) {
			*u = (struct gnttab_unmap_grant_ref){ .handle = live[i].m.handle,
							      .host_addr = live[i].m.host_addr,
							      .dev_bus_addr =
								      live[i].m.dev_bus_addr };
			assert_int_equal(gop(GNTTABOP_unmap_grant_ref, u, 1), 0);
			assert_int_equal(u->status, GNTST_okay);
		}
	assert_counts_equal(&before);
	check_unused(NREFS);
}

/* Debug key 'Z': who holds a dying domain, by grants and otherwise. */
static void test_zombies(void **state __maybe_unused)
{
	struct gnttab_map_grant_ref *m;

	scene();
	domain_list = user;
	user->next_in_list = granter;
	said[0] = '\0';
	zombies_dump('Z');
	assert_non_null(strstr(said, "'Z' pressed"));
	assert_null(strstr(said, "dying 0x"));
	m = map_ops(3, GNTMAP_host_map);
	assert_int_equal(gop(GNTTABOP_map_grant_ref, m, 3), 0);
	granter->is_dying = DOMDYING_dying;
	entries = 3;
	said[0] = '\0';
	zombies_dump('Z');
	assert_non_null(strstr(said, " pages\n"));
	assert_non_null(strstr(said, ": 3 grants mapped by "));
	assert_non_null(strstr(said, ", first reference 0\n"));
	assert_null(strstr(said, "mappings by"));
	entries = 5;
	said[0] = '\0';
	zombies_dump('Z');
	assert_non_null(strstr(said, ": 2 mappings by "));
	granter->is_dying = DOMDYING_alive;
	domain_list = user->next_in_list = NULL;
	assert_int_equal(gop(GNTTABOP_unmap_grant_ref, unmap_ops(m, 3), 3), 0);
	check_unused(NREFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_map_unmap), host_test(test_refusals), host_test(test_pin_overflow),
		host_test(test_maptrack_limit), host_test(test_faults), host_test(test_preemption),
		host_test(test_copy), host_test(test_table_ops), host_test(test_life),
		host_test(test_granter_replaced),
		host_test(test_random_audit), host_test(test_zombies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
