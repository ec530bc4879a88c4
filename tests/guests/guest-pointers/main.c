/* SPDX-License-Identifier: MIT */
/*
 * Class 6: an unchecked guest address or length on copy.
 *
 * Every hypercall that takes a pointer gets pointers into the hypervisor, non-canonical ones, ones
 * that wrap, unmapped ones, and (where it writes) a read-only page: each must end in -EFAULT with
 * nothing written. Then pointers nested in structures, and arrays that begin well and run into an
 * unmapped page, where the part before must have been done and counted. One check left out means
 * arbitrary hypervisor memory access.
 */
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>

#include <xen/hvm/hvm_op.h>
#include <xen/nmi.h>
#include <xen/platform.h>

static const unsigned long bad_pointers[] = {
	0xffff800000000000,	/* the M2P table: readable for guests, yet not theirs */
	0xffff800000000ff8,
	0xffff82d040200000,	/* about where Xen's text lies */
	0xffff830000000000,	/* its map of all memory */
	0xffff87fffffffff8,	/* the last word of the hypervisor's range */
	0x0000800000000000,	/* non-canonical */
	0x8000000000000000,
	0xffff7ffffffffff8,
	0x00007ffffffffff9,	/* runs into the non-canonical hole */
	0xfffffffffffffff9,	/* wraps around */
	0x0000000000001000,	/* unmapped */
	0xffffff8000000000,
};

enum kind {
	READS,		/* the structure first */
	WRITES,		/* nothing is read first: a read-only page fails too */
	COUNTS,		/* returns the number of extents done, 0, instead of -EFAULT */
};

struct call {
	const char *name;
	unsigned int nr, cmd;
	enum kind kind;
};

/* Hypercalls of the form (cmd, pointer). */
static const struct call calls[] = {
	{ "xen_version extraversion", __HYPERVISOR_xen_version, XENVER_extraversion, WRITES },
	{ "xen_version compile_info", __HYPERVISOR_xen_version, XENVER_compile_info, WRITES },
	{ "xen_version capabilities", __HYPERVISOR_xen_version, XENVER_capabilities, WRITES },
	{ "xen_version changeset", __HYPERVISOR_xen_version, XENVER_changeset, WRITES },
	{ "xen_version platform_parameters", __HYPERVISOR_xen_version,
	  XENVER_platform_parameters, WRITES },
	{ "xen_version get_features", __HYPERVISOR_xen_version, XENVER_get_features, READS },
	{ "xen_version guest_handle", __HYPERVISOR_xen_version, XENVER_guest_handle, WRITES },
	{ "xen_version commandline", __HYPERVISOR_xen_version, XENVER_commandline, WRITES },
	{ "memory increase", __HYPERVISOR_memory_op, XENMEM_increase_reservation, COUNTS },
	{ "memory decrease", __HYPERVISOR_memory_op, XENMEM_decrease_reservation, COUNTS },
	{ "memory populate", __HYPERVISOR_memory_op, XENMEM_populate_physmap, COUNTS },
	{ "memory exchange", __HYPERVISOR_memory_op, XENMEM_exchange, READS },
	{ "memory current", __HYPERVISOR_memory_op, XENMEM_current_reservation, READS },
	{ "memory maximum", __HYPERVISOR_memory_op, XENMEM_maximum_reservation, READS },
	{ "memory maximum_gpfn", __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, READS },
	{ "memory machphys_mfn_list", __HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, READS },
	{ "memory machphys_mapping", __HYPERVISOR_memory_op, XENMEM_machphys_mapping, WRITES },
	{ "memory add_to_physmap", __HYPERVISOR_memory_op, XENMEM_add_to_physmap, READS },
	{ "evtchn alloc_unbound", __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, READS },
	{ "evtchn bind_interdomain", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain,
	 READS },
	{ "evtchn bind_virq", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, READS },
	{ "evtchn bind_pirq", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, READS },
	{ "evtchn bind_ipi", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, READS },
	{ "evtchn bind_vcpu", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, READS },
	{ "evtchn close", __HYPERVISOR_event_channel_op, EVTCHNOP_close, READS },
	{ "evtchn send", __HYPERVISOR_event_channel_op, EVTCHNOP_send, READS },
	{ "evtchn status", __HYPERVISOR_event_channel_op, EVTCHNOP_status, READS },
	{ "evtchn unmask", __HYPERVISOR_event_channel_op, EVTCHNOP_unmask, READS },
	{ "evtchn reset", __HYPERVISOR_event_channel_op, EVTCHNOP_reset, READS },
	{ "evtchn init_control", __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, READS },
	{ "evtchn expand_array", __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, READS },
	{ "evtchn set_priority", __HYPERVISOR_event_channel_op, EVTCHNOP_set_priority, READS },
	{ "sched poll", __HYPERVISOR_sched_op, SCHEDOP_poll, READS },
	{ "sched shutdown", __HYPERVISOR_sched_op, SCHEDOP_shutdown, READS },
	{ "sched watchdog", __HYPERVISOR_sched_op, SCHEDOP_watchdog, READS },
	{ "callback register", __HYPERVISOR_callback_op, CALLBACKOP_register, READS },
	{ "callback unregister", __HYPERVISOR_callback_op, CALLBACKOP_unregister, READS },
	{ "physdev eoi", __HYPERVISOR_physdev_op, PHYSDEVOP_eoi, READS },
	{ "physdev irq_status_query", __HYPERVISOR_physdev_op, PHYSDEVOP_irq_status_query, READS },
	{ "physdev set_iopl", __HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, READS },
	{ "physdev set_iobitmap", __HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, READS },
	{ "nmi register", __HYPERVISOR_nmi_op, XENNMI_register_callback, READS },
	{ "hvm get_param", __HYPERVISOR_hvm_op, HVMOP_get_param, READS },
};

static void test_simple(void)
{
	void *readonly = page_alloc();

	page_protect(readonly);
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];

		for (unsigned int j = 0; j < ARRAY_SIZE(bad_pointers); j++)
			ktest_quiet_eq(hypercall3(c->nr, c->cmd, bad_pointers[j], 0),
				       c->kind == COUNTS ? 0 : -XEN_EFAULT, "%s at %lx", c->name,
				       bad_pointers[j]);
		if (c->kind == WRITES)
			ktest_quiet_eq(hypercall3(c->nr, c->cmd, PTR(readonly), 0),
				       -XEN_EFAULT, "%s to a read-only page", c->name);
	}
	ktest_ok(true, "%u operations with bad structure pointers",
		 (unsigned int)ARRAY_SIZE(calls));
	page_unprotect(readonly);
	page_free(readonly);
}

struct shaped {
	const char *name;
	unsigned int nr;
	unsigned long a[4];
	unsigned int where;	/* which argument is the pointer */
};

/* Hypercalls of other forms. */
static const struct shaped shaped[] = {
	{ "set_trap_table", __HYPERVISOR_set_trap_table, { 0 }, 0 },
	{ "mmu_update", __HYPERVISOR_mmu_update, { 0, 1, 0, DOMID_SELF }, 0 },
	{ "mmuext_op", __HYPERVISOR_mmuext_op, { 0, 1, 0, DOMID_SELF }, 0 },
	{ "set_gdt", __HYPERVISOR_set_gdt, { 0, 512 }, 0 },
	{ "multicall", __HYPERVISOR_multicall, { 0, 1 }, 0 },
	{ "console write", __HYPERVISOR_console_io, { CONSOLEIO_write, 8, 0 }, 2 },
	{ "grant map", __HYPERVISOR_grant_table_op, { GNTTABOP_map_grant_ref, 0, 1 }, 1 },
	{ "grant unmap", __HYPERVISOR_grant_table_op, { GNTTABOP_unmap_grant_ref, 0, 1 }, 1 },
	{ "grant replace", __HYPERVISOR_grant_table_op, { GNTTABOP_unmap_and_replace, 0, 1 }, 1 },
	{ "grant setup", __HYPERVISOR_grant_table_op, { GNTTABOP_setup_table, 0, 1 }, 1 },
	{ "grant query", __HYPERVISOR_grant_table_op, { GNTTABOP_query_size, 0, 1 }, 1 },
	{ "grant copy", __HYPERVISOR_grant_table_op, { GNTTABOP_copy, 0, 1 }, 1 },
	{ "grant swap", __HYPERVISOR_grant_table_op, { GNTTABOP_swap_grant_ref, 0, 1 }, 1 },
	{ "grant get_version", __HYPERVISOR_grant_table_op, { GNTTABOP_get_version, 0, 1 }, 1 },
	{ "vcpu get_runstate", __HYPERVISOR_vcpu_op, { VCPUOP_get_runstate_info, 0, 0 }, 2 },
	{ "vcpu runstate area", __HYPERVISOR_vcpu_op,
	  { VCPUOP_register_runstate_memory_area, 0, 0 }, 2 },
	{ "vcpu time area", __HYPERVISOR_vcpu_op,
	  { VCPUOP_register_vcpu_time_memory_area, 0, 0 }, 2 },
	{ "vcpu info", __HYPERVISOR_vcpu_op, { VCPUOP_register_vcpu_info, 0, 0 }, 2 },
	{ "vcpu periodic", __HYPERVISOR_vcpu_op, { VCPUOP_set_periodic_timer, 0, 0 }, 2 },
	{ "vcpu singleshot", __HYPERVISOR_vcpu_op, { VCPUOP_set_singleshot_timer, 0, 0 }, 2 },
};

static void test_shaped(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(shaped); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(bad_pointers); j++) {
			const struct shaped *s = &shaped[i];
			unsigned long a[4];

			/* A domU may be refused before its pointer is looked at. */
			if (s->nr == __HYPERVISOR_console_io && !is_dom0())
				continue;
			memcpy(a, s->a, sizeof(a));
			a[s->where] = bad_pointers[j];
			ktest_quiet_eq(hypercall(s->nr, a[0], a[1], a[2], a[3], 0), -XEN_EFAULT,
				       "%s at %lx", s->name, bad_pointers[j]);
		}
	ktest_ok(true, "%u hypercalls with bad pointers", (unsigned int)ARRAY_SIZE(shaped));
}

/* Pointers inside of structures, one function each: returns the error. */
static long nested_populate(unsigned long p)
{
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	r.extent_start.p = (void *)p;
	return memory_op(XENMEM_populate_physmap, &r);
}

static long nested_decrease(unsigned long p)
{
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	r.extent_start.p = (void *)p;
	return memory_op(XENMEM_decrease_reservation, &r);
}

static long nested_exchange(unsigned long p)
{
	struct xen_memory_exchange x = {
		.in = { .nr_extents = 1, .domid = DOMID_SELF },
		.out = { .nr_extents = 1, .domid = DOMID_SELF },
	};

	x.in.extent_start.p = (void *)p;
	x.out.extent_start.p = (void *)p;
	return memory_op(XENMEM_exchange, &x);
}

static long nested_mfn_list(unsigned long p)
{
	struct xen_machphys_mfn_list l = { .max_extents = 1 };

	l.extent_start.p = (void *)p;
	return memory_op(XENMEM_machphys_mfn_list, &l);
}

static long nested_poll(unsigned long p)
{
	struct sched_poll poll = { .nr_ports = 1, .timeout = 1 };

	poll.ports.p = (void *)p;
	return sched_op(SCHEDOP_poll, &poll);
}

static long nested_setup_table(unsigned long p)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };

	long rc;

	s.frame_list.p = (void *)p;
	rc = grant_op(GNTTABOP_setup_table, &s, 1);
	/*
	 * Pointers outside of the guest's range fail the call, those that fault fail the operation.
	 */
	return !rc && s.status == GNTST_bad_virt_addr ? -XEN_EFAULT : rc;
}

static long nested_va_mask(unsigned long p)
{
	static void *page;

	if (!page)
		page = page_alloc();
	return update_va_mapping(PTR(page), pte_make(virt_to_mfn(page), PTE_KERNEL),
				 (p & ~7UL) | UVMF_INVLPG);
}

static long nested_flush_multi(unsigned long p)
{
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_MULTI };

	op.arg2.vcpumask.p = (void *)p;
	return mmuext_op(&op, 1, NULL);
}

static void test_nested(void)
{
	static const struct {
		const char *name;
		long (*fn)(unsigned long p);
		long want;
	} nested[] = {
		/* The extents done are counted: none. */
		{ "populate extents", nested_populate, 0 },
		{ "decrease extents", nested_decrease, 0 },
		{ "exchange extents", nested_exchange, -XEN_EFAULT },
		{ "mfn list", nested_mfn_list, -XEN_EFAULT },
		{ "poll ports", nested_poll, -XEN_EFAULT },
		{ "grant frame list", nested_setup_table, -XEN_EFAULT },
		{ "flush vcpu mask", nested_flush_multi, -XEN_EINVAL },
		{ "va_mapping vcpu mask", nested_va_mask, -XEN_EFAULT },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(nested); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(bad_pointers); j++)
			ktest_quiet_eq(nested[i].fn(bad_pointers[j]), nested[i].want, "%s at %lx",
				       nested[i].name, bad_pointers[j]);
		ktest_ok(true, "nested pointer: %s", nested[i].name);
	}
}

/* An array that runs from a mapped page into an unmapped one. */
static void test_straddling(void)
{
	char *a = page_alloc(), *b = page_alloc(), *edge = a + PAGE_SIZE;
	struct mmu_update *u = (struct mmu_update *)edge - 2;
	struct mmuext_op *m = (struct mmuext_op *)edge - 1;
	uint64_t *data = page_alloc();
	unsigned int done = 9;

	if (b != edge) {
		ktest_ok(false, "pages are not adjacent");
		return;
	}
	update_va_mapping(PTR(b), 0, UVMF_INVLPG);
	for (unsigned int i = 0; i < 2; i++)
		u[i] = (struct mmu_update){ .ptr = virt_to_maddr(data) + 8 * i, .val = 100 + i };
	ktest_eq(mmu_update(u, 3, &done), -XEN_EFAULT, "mmu_update array runs off its page");
	ktest_eq(done, 2, "two were done");
	ktest_eq(data[1], 101, "the second too");
	m->cmd = MMUEXT_TLB_FLUSH_LOCAL;
	ktest_eq(mmuext_op(m, 2, &done), -XEN_EFAULT, "mmuext_op array runs off its page");
	ktest_eq(done, 1, "one was done");
	ktest_eq(mmu_update(u, 2, (unsigned int *)edge), 0, "a bad done pointer is ignored");
	ktest_eq(mmu_update(u, 2, (unsigned int *)bad_pointers[3]), 0, "in the hypervisor, too");

	ktest_eq(evtchn_op(EVTCHNOP_status, edge - 4), -XEN_EFAULT, "structure across the edge");
	ktest_eq(xen_version(XENVER_capabilities, edge - 16), -XEN_EFAULT,
		 "result across the edge");
	if (is_dom0())
		ktest_eq(console_io(CONSOLEIO_write, 16, edge - 8), -XEN_EFAULT,
			 "text across the edge");
	page_unprotect(b);
}

/* Lengths that overflow when multiplied or added. */
static void test_lengths(void)
{
	static struct mmu_update u;
	struct xen_memory_reservation r = { .nr_extents = ~0UL, .domid = DOMID_SELF };

	r.extent_start.p = (void *)PTR(&u);
	ktest_eq(memory_op(XENMEM_populate_physmap, &r), 0, "2^64-1 extents");
	r.nr_extents = 1UL << 60;
	ktest_eq(memory_op(XENMEM_decrease_reservation, &r), 0, "2^60 extents");
	ktest_eq(set_gdt((unsigned long *)&u, 0x7fffffff), -XEN_EINVAL, "2^31 descriptors");
	ktest_eq(grant_op(GNTTABOP_map_grant_ref, &u, 0x80000000), -XEN_EINVAL, "2^31 grants");
}

int guest_main(void)
{
	test_simple();
	test_shaped();
	test_nested();
	test_straddling();
	test_lengths();
	return ktest_result();
}
