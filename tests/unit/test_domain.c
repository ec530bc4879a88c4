/* SPDX-License-Identifier: MIT */
/*
 * Domains from creation to the last free: every allocation of a creation fails
 * once and nothing stays behind; the list is sorted and found by id; destroying
 * is preempted at each point, with a guest in any state, and every resource is
 * back; references, shutdown and resume, vcpu_info, VCPUOP rules.
 *
 * LINK: tests/unit/cpu_world.c xen-core/sched.c xen-core/sched_credit2.c xen-core/cpupool.c
 * LINK: xen-core/sched_op.c xen-core/vcpu_op.c
 * LINK: xen-core/timer.c xen-core/softirq.c xen-core/quiesce.c xen-core/watchdog.c
 * LINK: xen-core/domain.c xen-core/domain_destroy.c xen-core/vcpu.c
 * LINK: xen-core/event_channel.c xen-core/event_op.c xen-core/event_virq.c xen-core/event_2l.c
 * LINK: xen-core/event_fifo.c
 * LINK: xen-core/grant_table.c xen-core/zombie_dump.c xen-core/grant_map.c xen-core/grant_copy.c
 */
#include "harness.h"
#include "cpu_world.h"
#include <core/domctl.h>
#include <core/event.h>
#include <core/hypercall.h>
#include <core/xmalloc.h>

static struct xen_domctl_createdomain config(unsigned int vcpus)
{
	return (struct xen_domctl_createdomain){ .max_vcpus = vcpus, .max_evtchn_port = 1023,
		.max_grant_frames = 4, .max_maptrack_frames = 4 };
}

static void test_create_faults(void **state __maybe_unused)
{
	struct xen_domctl_createdomain cfg = config(2);
	struct host_counts before;
	unsigned int made = 0;

	world_boot(2);
	before = host_count();
	for_each_fault(n, host_fail_alloc) {
		struct domain *d = domain_create(5, &cfg, false);

		if (IS_ERR(d)) {
			assert_int_equal(PTR_ERR(d), -ENOMEM);
			assert_null(domain_by_id(5));
		} else {
			vcpu_create(d, 0);
			host_fail_alloc(0);
			made++;
			world_end_domains();
		}
		assert_counts_equal(&before);
	}
	assert_true(made > 0);
}

static void test_create_refusals(void **state __maybe_unused)
{
	struct xen_domctl_createdomain cfg = config(0);

	world_boot(1);
	assert_int_equal(PTR_ERR(domain_create(1, &cfg, false)), -EINVAL);
	cfg = config(1);
	cfg.flags = XEN_DOMCTL_CDF_hvm;
	assert_int_equal(PTR_ERR(domain_create(1, &cfg, false)), -EINVAL);
	cfg.flags = 1u << 30;
	assert_int_equal(PTR_ERR(domain_create(1, &cfg, false)), -EINVAL);
	cfg = config(1);
	cfg.cpupool_id = 7;
	assert_int_equal(PTR_ERR(domain_create(1, &cfg, false)), -ESRCH);
	cfg = config(1);
	cfg.grant_opts = 1u << 20;
	assert_int_equal(PTR_ERR(domain_create(1, &cfg, false)), -EINVAL);
}

static void test_list(void **state __maybe_unused)
{
	static const domid_t ids[] = { 7, 3, 263, 1, 519, 5 };
	struct domain *d;
	unsigned int n = 0;
	int last = -1;

	world_boot(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++)
		world_start(ids[i], 1);
	for_each_domain(d) {
		assert_true(d->domain_id > last);
		last = d->domain_id;
		n++;
	}
	assert_int_equal(n, ARRAY_SIZE(ids));
	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(domain_by_id(ids[i])->domain_id, ids[i]);
	assert_null(domain_by_id(2));
	assert_null(domain_by_id(DOMID_IO));
	assert_null(domain_by_id(DOMID_SELF));
}

static void test_references(void **state __maybe_unused)
{
	struct domain *d;

	world_boot(2);
	d = world_start(1, 2);
	assert_true(domain_get(d));
	domain_pause_nosync(d);
	world_run_cpus();
	host_switch_to(0, idle_vcpu[0]);
	assert_int_equal(domain_kill(d), 0);
	assert_int_equal(domain_kill(d), 0);		/* dead already */
	assert_ptr_equal(domain_by_id(1), d);		/* a zombie, as long as somebody holds it */
	domain_put(d);
	assert_null(domain_by_id(1));			/* gone for new lookups at once */
	/* memory still there until all have passed */
	assert_false(domain_get(d));
	world_run_cpus();
}

/*
 * Guests in all states: never up, running, blocked, polling, paused, shut down,
 * with timers armed.
 */
static struct domain *busy_domain(domid_t id, unsigned int variant)
{
	struct domain *d = variant % 5 ? world_start(id, 2) : world_make(id, 2);
	struct vcpu *v = d->vcpu[0];

	switch (variant % 5) {
	case 1:
		set_timer(&v->singleshot_timer, host_now + SECONDS(5));
		vcpu_set_periodic_timer(d->vcpu[1], MILLISECS(10));
		break;
	case 2:
		set_bit(VPF_blocked, &v->pause_flags);
		vcpu_sleep_nosync(v);
		set_timer(&v->poll_timer, host_now + SECONDS(1));
		__set_bit(0, d->poll_mask);
		v->poll_evtchn = -1;
		break;
	case 3:
		d->console = xzalloc_bytes(130, 8);	/* it has written half a line */
		domain_shutdown(d, SHUTDOWN_poweroff);
		break;
	case 4:
		assert_int_equal(domain_watchdog(d, 0, 10), 1);
		break;
	}
	world_run_cpus();
	return d;
}

static void test_kill_preempted(void **state __maybe_unused)
{
	struct host_counts before;

	world_boot(2);
	before = host_count();
	for (unsigned int variant = 0; variant < 5; variant++) {
		for (unsigned int at = 1; at < 12; at++) {
			struct domain *d = busy_domain(9, variant);
			unsigned int rounds = 0;
			int rc;

			world_preempt_relinquish = at % 3;
			domain_pause_nosync(d);
			world_run_cpus();
			host_switch_to(0, idle_vcpu[0]);
			do {
				host_preempt_at(at);
				rc = domain_kill(d);
				assert_true(++rounds < 100);
			} while (rc == -ERESTART);
			assert_int_equal(rc, 0);
			host_preempt_at(0);
			world_run_cpus();
			assert_null(domain_by_id(9));
			assert_counts_equal(&before);
			host_now += SECONDS(20);	/* no timer of it may be left */
			world_run_cpus();
		}
	}
}

static void test_shutdown_resume(void **state __maybe_unused)
{
	struct xen_domctl_getdomaininfo info;
	struct domain *dom0, *d;

	world_boot(2);
	dom0 = world_start(0, 1);
	d = world_start(3, 2);
	assert_ptr_equal(hardware_domain, dom0);
	getdomaininfo(d, &info);
	assert_int_equal(info.domain, 3);
	assert_int_equal(info.nr_online_vcpus, 2);
	assert_int_equal(info.max_vcpu_id, 1);
	assert_true(info.flags & XEN_DOMINF_running);
	assert_false(info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_paused | XEN_DOMINF_blocked));
	domain_shutdown(d, SHUTDOWN_suspend);
	domain_shutdown(d, SHUTDOWN_crash);		/* the first reason stays */
	world_run_cpus();
	getdomaininfo(d, &info);
	assert_true(info.flags & XEN_DOMINF_shutdown);
	assert_int_equal((info.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask,
			 SHUTDOWN_suspend);
	assert_int_not_equal(world_running(0)->domain->domain_id == 3 ||
			     world_running(1)->domain->domain_id == 3, 1);
	host_switch_to(dom0->vcpu[0]->processor, dom0->vcpu[0]);
	domain_resume(d);
	world_run_cpus();
	assert_false(d->is_shut_down);
	assert_int_equal(d->vcpu[1]->runstate.state == RUNSTATE_offline, 0);
	domain_crash(d, "a %s", "test");
	assert_int_equal(d->shutdown_code, SHUTDOWN_crash);
}

static void test_vcpu_info(void **state __maybe_unused)
{
	struct vcpu_info *info;
	struct page_info *pg;
	struct domain *d;
	struct vcpu *v;

	world_boot(1);
	d = world_make(1, 34);
	v = d->vcpu[33];
	assert_true(vcpu_info_is_dummy(v));
	assert_false(vcpu_info_is_dummy(d->vcpu[31]));
	set_bit(VPF_down, &v->pause_flags);
	d->max_pages = 10;
	pg = host_domain_page(d, 0);
	assert_non_null(pg);
	assert_int_equal(map_vcpu_info(v, _gfn(mfn_x(page_to_mfn(pg))), PAGE_SIZE - 60), -ENXIO);
	assert_int_equal(map_vcpu_info(v, _gfn(mfn_x(page_to_mfn(pg))), 4), -ENXIO);
	assert_int_equal(map_vcpu_info(v, _gfn(~0UL >> 12), 64), -EINVAL);
	/* up */
	assert_int_equal(map_vcpu_info(d->vcpu[0], _gfn(mfn_x(page_to_mfn(pg))), 64), -EINVAL);
	assert_int_equal(map_vcpu_info(v, _gfn(mfn_x(page_to_mfn(pg))), 64), 0);
	info = (void *)((char *)page_to_virt(pg) + 64);
	assert_ptr_equal(v->vcpu_info, info);
	assert_int_equal(info->evtchn_upcall_mask, 1);
	assert_int_equal(info->evtchn_upcall_pending, 1);
	assert_true(info->evtchn_pending_sel == ~0UL);
	assert_int_equal(map_vcpu_info(v, _gfn(mfn_x(page_to_mfn(pg))), 128), -EINVAL);	/* once */
	unmap_vcpu_info(v);
	assert_int_equal(pg->count_info & PGC_count_mask, 1);
	assert_int_equal(pg->type_info & PGT_count_mask, 0);
	pg->count_info &= ~PGC_allocated;
	put_page(pg);
}

static void test_vcpu_ops(void **state __maybe_unused)
{
	struct vcpu_guest_context *ctxt;
	struct vcpu_runstate_info *rs;
	struct domain *d;
	unsigned long bad = 0xffff800000000000;

	world_boot(2);
	d = world_start(1, 1);
	host_switch_to(d->vcpu[0]->processor, d->vcpu[0]);
	assert_int_equal(do_vcpu_op(VCPUOP_is_up, 1, 0, 0, 0), -ENOENT);
	assert_int_equal(do_vcpu_op(VCPUOP_is_up, 0, 0, 0, 0), 1);
	assert_int_equal(do_vcpu_op(99, 0, 0, 0, 0), -ENOSYS);
	world_end_domains();

	d = world_make(1, 2);
	set_bit(VPF_down, &d->vcpu[1]->pause_flags);
	vcpu_sleep_nosync(d->vcpu[1]);
	d->vcpu[1]->is_initialised = false;
	assert_int_equal(domain_unpause_by_controller(d), 0);
	world_run_cpus();
	host_switch_to(d->vcpu[0]->processor, d->vcpu[0]);
	ctxt = host_guest_alloc(sizeof(*ctxt));
	assert_int_equal(do_vcpu_op(VCPUOP_is_up, 1, 0, 0, 0), 0);
	assert_int_equal(do_vcpu_op(VCPUOP_up, 1, 0, 0, 0), -EINVAL);
	assert_int_equal(do_vcpu_op(VCPUOP_initialise, 1, bad, 0, 0), -EFAULT);
	assert_int_equal(do_vcpu_op(VCPUOP_initialise, 1, (unsigned long)ctxt, 0, 0), 0);
	assert_int_equal(do_vcpu_op(VCPUOP_initialise, 1, (unsigned long)ctxt, 0, 0), -EEXIST);
	assert_int_equal(do_vcpu_op(VCPUOP_up, 1, 0, 0, 0), 0);
	world_run_cpus();
	assert_int_equal(d->vcpu[1]->runstate.state, RUNSTATE_running);
	rs = host_guest_alloc(sizeof(*rs));
	assert_int_equal(do_vcpu_op(VCPUOP_get_runstate_info, 1, (unsigned long)rs, 0, 0), 0);
	assert_int_equal(rs->state, RUNSTATE_running);
	assert_int_equal(do_vcpu_op(VCPUOP_get_runstate_info, 1, bad, 0, 0), -EFAULT);
	assert_int_equal(do_vcpu_op(VCPUOP_down, 1, 0, 0, 0), 0);
	world_run_cpus();
	assert_int_equal(d->vcpu[1]->runstate.state, RUNSTATE_offline);
	assert_int_equal(do_vcpu_op(VCPUOP_set_periodic_timer, 0, bad, 0, 0), -EFAULT);
	assert_false(d->is_shutting_down);
	host_switch_to(d->vcpu[0]->processor, d->vcpu[0]);
	assert_int_equal(do_vcpu_op(VCPUOP_down, 0, 0, 0, 0), 0);	/* the last one */
	assert_true(d->is_shutting_down);
	assert_int_equal(d->shutdown_code, SHUTDOWN_poweroff);
}

/* The guest's copy of its runstate: whole, and with the update flag clear in the end. */
static void test_runstate_area(void **state __maybe_unused)
{
	struct vcpu_register_runstate_memory_area *reg;
	struct vcpu_runstate_info *area;
	struct domain *d;
	struct vcpu *v;

	world_boot(1);
	d = world_start(1, 1);
	v = d->vcpu[0];
	host_switch_to(0, v);
	area = host_guest_alloc(sizeof(*area));
	reg = host_guest_alloc(sizeof(*reg));
	reg->addr.h.p = (void *)0xffff800000000000;
	assert_int_equal(
		do_vcpu_op(VCPUOP_register_runstate_memory_area, 0, (unsigned long)reg, 0, 0),
		-EFAULT);
	reg->addr.h.p = area;
	assert_int_equal(
		do_vcpu_op(VCPUOP_register_runstate_memory_area, 0, (unsigned long)reg, 0, 0), 0);
	assert_int_equal(area->state, RUNSTATE_running);
	d->vm_assist |= 1UL << VMASST_TYPE_runstate_update_flag;
	host_now += SECONDS(3);
	vcpu_block();
	world_run_cpus();
	assert_int_equal(area->state, RUNSTATE_blocked);
	assert_int_equal(area->time[RUNSTATE_running] / 1000000000, 3);
	assert_false(area->state_entry_time & XEN_RUNSTATE_UPDATE);
	host_fail_copy(1);
	assert_false(update_runstate_area(v));
	assert_true(v->runstate_update_pending);
	host_fail_copy(0);
	assert_true(update_runstate_area(v));
	assert_false(v->runstate_update_pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_create_faults),
		world_test(test_create_refusals),
		world_test(test_list),
		world_test(test_references),
		world_test(test_kill_preempted),
		world_test(test_shutdown_resume),
		world_test(test_vcpu_info),
		world_test(test_vcpu_ops),
		world_test(test_runstate_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
