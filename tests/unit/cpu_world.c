/* SPDX-License-Identifier: MIT */
#include "cpu_world.h"
#include <core/event.h>
#include <core/quiesce.h>
#include <core/xmalloc.h>
#include <arch/domain.h>
#include <arch/time.h>

unsigned int world_cpus;

struct vcpu *world_running(unsigned int cpu)
{
	return per_cpu(runqueues, cpu).curr;
}

void world_run_cpus(void)
{
	unsigned int me = smp_processor_id();

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int c = 0; c < world_cpus; c++) {
			host_switch_to(c, NULL);
			if (host_timer_deadline[c] && host_timer_deadline[c] <= host_now)
				raise_softirq(TIMER_SOFTIRQ);
			host_run_softirqs();
			assert_ptr_equal(current, world_running(c));
		}
	}
	host_switch_to(me, NULL);
}

/* What another CPU does while we wait for it. */
static void others_go_on(void)
{
	unsigned int me = smp_processor_id();

	for (unsigned int c = 0; c < world_cpus; c++) {
		if (c == me)
			continue;
		host_switch_to(c, NULL);
		host_run_softirqs();
	}
	host_switch_to(me, NULL);
}

void world_boot(unsigned int cpus)
{
	world_cpus = cpus;
	host_set_online(cpus);
	softirq_init();
	timers_init();
	quiesce_init();
	scheduler_init();
	domains_init();
	host_switch_to(0, idle_vcpu[0]);
	for (unsigned int c = 1; c < cpus; c++) {
		timers_init_cpu(c);
		assert_non_null(vcpu_create(dom_idle, c));
		host_switch_to(c, idle_vcpu[c]);
		assert_int_equal(sched_cpu_up(c), 0);
	}
	host_switch_to(0, NULL);
	host_relax_hook = others_go_on;
}

struct domain *world_make(domid_t id, unsigned int vcpus)
{
	struct xen_domctl_createdomain cfg = { .max_vcpus = vcpus, .max_evtchn_port = 1023,
		.max_grant_frames = 4, .max_maptrack_frames = 4 };
	struct domain *d = domain_create(id, &cfg, !id);

	assert_false(IS_ERR(d));
	for (unsigned int i = 0; i < vcpus; i++) {
		struct vcpu *v = vcpu_create(d, i);

		assert_non_null(v);
		v->is_initialised = true;
		clear_bit(VPF_down, &v->pause_flags);
		vcpu_wake(v);
	}
	return d;
}

struct domain *world_start(domid_t id, unsigned int vcpus)
{
	struct domain *d = world_make(id, vcpus);

	assert_int_equal(domain_unpause_by_controller(d), 0);
	world_run_cpus();
	return d;
}

/* The machine's part of a domain's end: its shared pages are its no more. */
unsigned int world_preempt_relinquish;
int arch_domain_relinquish(struct domain *d)
{
	struct page_info *pg;

	if (world_preempt_relinquish) {
		world_preempt_relinquish--;
		return -ERESTART;
	}
	while ((pg = page_list_first(&d->xenpage_list)) != NULL)
		if (unshare_xen_page(pg, d))
			BUG();
	return 0;
}

void world_end_domains(void)
{
	struct domain *d, *next;

	for_each_domain(d)
		domain_pause_nosync(d);
	world_run_cpus();
	for (d = domain_list; d; d = next) {
		int rc;

		next = d->next_in_list;
		host_switch_to(0, idle_vcpu[0]);
		while ((rc = domain_kill(d)) == -ERESTART)
			;
		assert_int_equal(rc, 0);
	}
	hardware_domain = NULL;
	world_run_cpus();
	assert_null(domain_list);
}

int world_teardown(void **state)
{
	world_end_domains();
	for (unsigned int c = 0; c < world_cpus; c++) {
		xfree(idle_vcpu[c]);
		idle_vcpu[c] = NULL;
	}
	xfree(dom_idle->vcpu);
	return unit_teardown(state);
}
