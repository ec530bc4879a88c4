/* SPDX-License-Identifier: MIT */
/*
 * The scheduler on fake CPUs whose clock the test turns: shares by weight and
 * cap, affinity, wake-up, yield, balance, pools, pauses; and random operations
 * after each of which every runnable vcpu runs or waits in exactly one queue.
 *
 * LINK: tests/unit/cpu_world.c xen-core/sched.c xen-core/sched_credit2.c xen-core/cpupool.c
 * LINK: xen-core/sched_op.c xen-core/vcpu_op.c xen-core/sched_dump.c
 * LINK: xen-core/timer.c xen-core/softirq.c xen-core/quiesce.c xen-core/watchdog.c
 * LINK: xen-core/domain.c xen-core/domain_destroy.c xen-core/vcpu.c
 * LINK: xen-core/event_channel.c xen-core/event_op.c xen-core/event_virq.c xen-core/event_2l.c
 * LINK: xen-core/event_fifo.c
 * LINK: xen-core/grant_table.c xen-core/zombie_dump.c xen-core/grant_map.c xen-core/grant_copy.c
 */
#include "harness.h"
#include "cpu_world.h"
#include <core/event.h>
#include <core/hypercall.h>

static void let_run(s_time_t t, s_time_t step)
{
	for (s_time_t end = host_now + t; host_now < end; ) {
		host_now += step;
		world_run_cpus();
	}
}

static s_time_t cpu_time(struct domain *d, unsigned int vcpu)
{
	struct vcpu_runstate_info rs;

	vcpu_runstate_get(d->vcpu[vcpu], &rs);
	return (s_time_t)rs.time[RUNSTATE_running];
}

static void assert_near(s_time_t a, s_time_t want, s_time_t percent)
{
	s_time_t diff = a > want ? a - want : want - a;

	if (diff * 100 > want * percent)
		fail_msg("%lld is not within %lld%% of %lld", (long long)a, (long long)percent,
			 (long long)want);
}

/* Runs it as if it were the current vcpu, wherever that is. */
static void on_cpu_of(struct vcpu *v)
{
	assert_ptr_equal(world_running(v->processor), v);
	host_switch_to(v->processor, v);
}

static void block(struct vcpu *v)
{
	on_cpu_of(v);
	vcpu_block();
	host_switch_to(0, NULL);
	world_run_cpus();
	assert_int_equal(v->runstate.state, RUNSTATE_blocked);
}

static long set_sched(struct domain *d, unsigned int weight, unsigned int cap)
{
	struct xen_domctl_scheduler_op op = { .sched_id = XEN_SCHEDULER_CREDIT2,
					      .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
					      .u.credit2 = { (uint16_t)weight, (uint16_t)cap } };

	return sched_adjust_domain(d, &op);
}

static void test_alone(void **state __maybe_unused)
{
	struct domain *d;

	world_boot(1);
	d = world_start(1, 1);
	assert_ptr_equal(world_running(0), d->vcpu[0]);
	let_run(SECONDS(1), MILLISECS(10));
	assert_near(cpu_time(d, 0), SECONDS(1), 1);
	/* Nobody waits: no slice, and a yield is not even looked at. */
	assert_int_equal(per_cpu(runqueues, 0).slice_end, INT64_MAX);
	on_cpu_of(d->vcpu[0]);
	assert_int_equal(do_sched_op(SCHEDOP_yield, 0, 0, 0, 0), 0);
	assert_int_equal(this_softirq_pending(), 0);
	block(d->vcpu[0]);
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	host_now += SECONDS(2);
	assert_near((s_time_t)cpu_idle_time(0), SECONDS(2), 1);
	vcpu_unblock(d->vcpu[0]);
	world_run_cpus();
	assert_ptr_equal(world_running(0), d->vcpu[0]);
}

/* Who is interrupted wants the queue's lock: it must be free by then. */
static void test_tickle_without_lock(void **state __maybe_unused)
{
	struct domain *d;
	unsigned int before;

	world_boot(2);
	d = world_start(1, 2);
	world_run_cpus();
	block(d->vcpu[1]);
	host_switch_to(d->vcpu[0]->processor, d->vcpu[0]);
	before = host_rec.ipis;
	vcpu_unblock(d->vcpu[1]);
	assert_int_equal(host_rec.ipis, before + 1);
	world_run_cpus();
	vcpu_pause_nosync(d->vcpu[1]);
	assert_int_equal(host_rec.ipis, before + 2);
	world_run_cpus();
	vcpu_unpause(d->vcpu[1]);
	assert_int_equal(host_rec.ipis, before + 3);
	world_run_cpus();
	vcpu_replace(d->vcpu[1]);
	assert_int_equal(host_rec.ipis, before + 4);
	assert_int_equal(host_rec.ipis_locked, 0);
}

static void test_weights(void **state __maybe_unused)
{
	struct domain *a, *b, *c;
	s_time_t sum;

	world_boot(1);
	a = world_start(1, 1);
	b = world_start(2, 1);
	c = world_start(3, 1);
	assert_int_equal(set_sched(b, 512, 0), 0);
	assert_int_equal(set_sched(c, 1024, 0), 0);
	let_run(SECONDS(20), MICROSECS(250));
	sum = cpu_time(a, 0) + cpu_time(b, 0) + cpu_time(c, 0);
	assert_near(sum, SECONDS(20), 1);
	assert_near(cpu_time(a, 0), sum / 7, 5);
	assert_near(cpu_time(b, 0), sum * 2 / 7, 5);
	assert_near(cpu_time(c, 0), sum * 4 / 7, 5);
}

static void test_cap(void **state __maybe_unused)
{
	struct domain *a;
	s_time_t t0, t1;

	world_boot(2);
	a = world_start(1, 2);
	assert_int_equal(set_sched(a, 0, 201), -EINVAL);
	assert_int_equal(set_sched(a, 0, 50), 0);
	let_run(SECONDS(5), MICROSECS(100));
	t0 = cpu_time(a, 0) + cpu_time(a, 1);
	assert_near(t0, SECONDS(5) / 2, 5);
	assert_int_equal(set_sched(a, 0, 150), 0);
	let_run(SECONDS(5), MICROSECS(100));
	t1 = cpu_time(a, 0) + cpu_time(a, 1) - t0;
	assert_near(t1, SECONDS(15) / 2, 5);
	assert_int_equal(set_sched(a, 0, 0), 0);
	world_run_cpus();
	t0 = cpu_time(a, 0) + cpu_time(a, 1);
	let_run(SECONDS(1), MILLISECS(1));
	assert_near(cpu_time(a, 0) + cpu_time(a, 1) - t0, SECONDS(2), 2);
}

static void test_wake_preempts(void **state __maybe_unused)
{
	struct domain *spin, *io;
	s_time_t worst = 0;

	world_boot(1);
	spin = world_start(1, 1);
	io = world_start(2, 1);
	while (world_running(0) != io->vcpu[0])
		let_run(MICROSECS(100), MICROSECS(100));
	block(io->vcpu[0]);
	for (unsigned int i = 0; i < 200; i++) {
		s_time_t from = host_now + MILLISECS(7);

		let_run(MILLISECS(7), MILLISECS(1));
		assert_ptr_equal(world_running(0), spin->vcpu[0]);
		vcpu_unblock(io->vcpu[0]);
		while (world_run_cpus(), world_running(0) != io->vcpu[0])
			host_now += MICROSECS(50);
		worst = max(worst, host_now - from);
		host_now += MICROSECS(100);
		block(io->vcpu[0]);
	}
	assert_true(worst <= MILLISECS(1) + MICROSECS(50));
}

static void test_yield_takes_turns(void **state __maybe_unused)
{
	struct domain *a, *b;

	world_boot(1);
	a = world_start(1, 1);
	b = world_start(2, 1);
	for (unsigned int i = 0; i < 10; i++) {
		struct vcpu *was = world_running(0);

		on_cpu_of(was);
		assert_int_equal(do_sched_op(SCHEDOP_yield, 0, 0, 0, 0), 0);
		host_now += MICROSECS(2);
		world_run_cpus();
		assert_ptr_equal(world_running(0), was == a->vcpu[0] ? b->vcpu[0] : a->vcpu[0]);
	}
}

static void test_balance(void **state __maybe_unused)
{
	struct domain *a, *b;

	world_boot(4);
	a = world_start(1, 4);
	let_run(SECONDS(1), MILLISECS(1));
	for (unsigned int i = 0; i < 4; i++)
		assert_near(cpu_time(a, i), SECONDS(1), 2);
	b = world_start(2, 4);
	let_run(SECONDS(4), MICROSECS(500));
	for (unsigned int i = 0; i < 4; i++)
		assert_near(cpu_time(b, i), SECONDS(2), 15);
	for (unsigned int i = 0; i < 4; i++)
		vcpu_pause_nosync(a->vcpu[i]);
	world_run_cpus();
	/* whoever waited was taken by a CPU that had nothing */
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(b->vcpu[i]->runstate.state, RUNSTATE_running);
}

static void test_affinity(void **state __maybe_unused)
{
	cpumask_t two = cpumask_of(2), three = cpumask_of(3), none = { { 0 } },
		  nowhere = cpumask_of(9);
	struct domain *a, *b;

	world_boot(4);
	a = world_start(1, 1);
	assert_int_equal(vcpu_set_hard_affinity(a->vcpu[0], &none), -EINVAL);
	assert_int_equal(vcpu_set_hard_affinity(a->vcpu[0], &nowhere), -EINVAL);
	assert_int_equal(vcpu_set_hard_affinity(a->vcpu[0], &two), 0);
	world_run_cpus();
	assert_ptr_equal(world_running(2), a->vcpu[0]);
	b = world_start(2, 1);
	assert_int_equal(vcpu_set_hard_affinity(b->vcpu[0], &two), 0);
	world_run_cpus();
	let_run(SECONDS(2), MICROSECS(500));
	assert_near(cpu_time(b, 0), SECONDS(1), 10);
	assert_ptr_not_equal(world_running(0), b->vcpu[0]);
	/* Pinned for a while: nothing else is taken meanwhile. */
	assert_int_equal(vcpu_temporary_affinity(b->vcpu[0], 3), 0);
	assert_int_equal(vcpu_temporary_affinity(b->vcpu[0], 1), -EBUSY);
	assert_int_equal(vcpu_set_hard_affinity(b->vcpu[0], &two), -EBUSY);
	world_run_cpus();
	assert_ptr_equal(world_running(3), b->vcpu[0]);
	assert_int_equal(vcpu_temporary_affinity(b->vcpu[0], NR_CPUS), 0);
	assert_int_equal(vcpu_temporary_affinity(b->vcpu[0], NR_CPUS), -EINVAL);
	world_run_cpus();
	assert_int_equal(b->vcpu[0]->processor, 2);
	/* Soft: where it wakes if that is idle. */
	cpumask_setall(&b->vcpu[0]->cpu_hard_affinity);
	assert_int_equal(vcpu_set_soft_affinity(b->vcpu[0], &three), 0);
	while (world_running(b->vcpu[0]->processor) != b->vcpu[0])
		let_run(MILLISECS(1), MICROSECS(100));
	block(b->vcpu[0]);
	vcpu_unblock(b->vcpu[0]);
	world_run_cpus();
	assert_ptr_equal(world_running(3), b->vcpu[0]);
}

static void test_pause(void **state __maybe_unused)
{
	struct domain *a;

	world_boot(2);
	a = world_make(1, 2);
	world_run_cpus();
	assert_int_equal(cpu_time(a, 0), 0);
	assert_int_equal(domain_unpause_by_controller(a), 0);
	assert_int_equal(domain_unpause_by_controller(a), -EINVAL);
	world_run_cpus();
	assert_ptr_equal(world_running(0)->domain, a);
	host_switch_to(0, idle_vcpu[0]);		/* as if a tool ran here */
	per_cpu(runqueues, 0).curr->is_running = false;
	host_switch_to(0, world_running(0));
	per_cpu(runqueues, 0).curr->is_running = true;
	for (unsigned int i = 0; i < 255; i++)
		a->controller_pause_count++;
	assert_int_equal(domain_pause_by_controller(a), -EOVERFLOW);
	a->controller_pause_count = 0;
	domain_pause_nosync(a);
	world_run_cpus();
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	assert_ptr_equal(world_running(1), idle_vcpu[1]);
	assert_int_equal(a->vcpu[0]->runstate.state, RUNSTATE_offline);
	domain_unpause(a);
	world_run_cpus();
	assert_ptr_equal(world_running(0)->domain, a);
	/* From CPU 0, which idles: waits until the other CPU has let go. */
	vcpu_pause_nosync(world_running(0));
	world_run_cpus();
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	vcpu_pause(world_running(1));
	assert_ptr_equal(world_running(1), idle_vcpu[1]);
}

static void test_timers_of_vcpu(void **state __maybe_unused)
{
	struct vcpu_set_singleshot_timer *set;
	struct evtchn_bind_virq *bind;
	struct sched_poll *poll;
	struct domain *a;
	struct vcpu *v;

	world_boot(1);
	a = world_start(1, 1);
	v = a->vcpu[0];
	on_cpu_of(v);
	bind = host_guest_alloc(sizeof(*bind));
	set = host_guest_alloc(sizeof(*set));
	poll = host_guest_alloc(sizeof(*poll));
	*bind = (struct evtchn_bind_virq){ .virq = VIRQ_TIMER };
	assert_int_equal(do_event_channel_op(EVTCHNOP_bind_virq, (unsigned long)bind, 0, 0, 0), 0);
	assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 7, 0, 0, 0), -ENOENT);
	assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, 0xffff800000000000, 0, 0),
			 -EFAULT);
	set->timeout_abs_ns = (uint64_t)host_now - 1;	/* past: at once */
	assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, (unsigned long)set, 0, 0), 0);
	assert_true(evtchn_is_pending(a, bind->port));
	memset(a->shared_info, 0, sizeof(*a->shared_info));
	set->timeout_abs_ns = (uint64_t)host_now + MILLISECS(3);
	assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, (unsigned long)set, 0, 0), 0);
	vcpu_block();
	world_run_cpus();
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	let_run(MILLISECS(2), MILLISECS(1));
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	let_run(MILLISECS(1), MILLISECS(1));
	assert_ptr_equal(world_running(0), v);
	assert_true(evtchn_is_pending(a, bind->port));

	/* A poll that times out, and one whose port is pending already. */
	memset(a->shared_info, 0, sizeof(*a->shared_info));
	poll->timeout = (uint64_t)host_now + MILLISECS(5);
	assert_int_equal(do_sched_op(SCHEDOP_poll, (unsigned long)poll, 0, 0, 0), 0);
	world_run_cpus();
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	let_run(MILLISECS(5), MILLISECS(1));
	assert_ptr_equal(world_running(0), v);
	assert_int_equal(a->poll_mask[0], 0);
	poll->nr_ports = 129;
	assert_int_equal(do_sched_op(SCHEDOP_poll, (unsigned long)poll, 0, 0, 0), -EINVAL);
	poll->nr_ports = 1;
	poll->ports.p = host_guest_alloc(sizeof(evtchn_port_t));
	*poll->ports.p = bind->port;
	__set_bit(bind->port, a->shared_info->evtchn_pending);
	assert_int_equal(do_sched_op(SCHEDOP_poll, (unsigned long)poll, 0, 0, 0), 0);
	assert_int_equal(v->pause_flags, 0);
	*poll->ports.p = 1000000;
	assert_int_equal(do_sched_op(SCHEDOP_poll, (unsigned long)poll, 0, 0, 0), -EINVAL);
	assert_int_equal(v->pause_flags, 0);
	assert_int_equal(a->poll_mask[0], 0);

	/* 100 Hz tick, only while it runs. */
	memset(a->shared_info, 0, sizeof(*a->shared_info));
	vcpu_set_periodic_timer(v, MILLISECS(10));
	for (unsigned int i = 0; i < 5; i++) {
		memset(a->shared_info, 0, sizeof(*a->shared_info));
		let_run(MILLISECS(10), MILLISECS(1));
		assert_true(evtchn_is_pending(a, bind->port));
	}
	assert_int_equal(do_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0, 0, 0), 0);
	memset(a->shared_info, 0, sizeof(*a->shared_info));
	let_run(MILLISECS(30), MILLISECS(1));
	assert_false(evtchn_is_pending(a, bind->port));
}

static void test_watchdog(void **state __maybe_unused)
{
	struct domain *a;

	world_boot(1);
	a = world_start(1, 1);
	assert_int_equal(domain_watchdog(a, 3, 1), -EINVAL);
	assert_int_equal(domain_watchdog(a, 1, 1), -EINVAL);
	assert_int_equal(domain_watchdog(a, 0, 2), 1);
	assert_int_equal(domain_watchdog(a, 0, 2), 2);
	assert_int_equal(domain_watchdog(a, 0, 2), -ENOSPC);
	assert_int_equal(domain_watchdog(a, 2, 0), 0);
	let_run(SECONDS(1), MILLISECS(100));
	assert_int_equal(domain_watchdog(a, 1, 2), 0);
	let_run(MILLISECS(1900), MILLISECS(100));
	assert_false(a->is_shutting_down);
	let_run(MILLISECS(200), MILLISECS(100));
	assert_true(a->is_shut_down);
	assert_int_equal(a->shutdown_code, SHUTDOWN_watchdog);
	assert_ptr_equal(world_running(0), idle_vcpu[0]);
	domain_resume(a);
	world_run_cpus();
	assert_ptr_equal(world_running(0), a->vcpu[0]);
}

static long pool(unsigned int op, unsigned int id, unsigned int arg)
{
	struct xen_sysctl_cpupool_op o = { .op = op, .cpupool_id = id, .cpu = arg, .domid = arg,
					   .sched_id = XEN_SCHEDULER_CREDIT2 };
	long rc = cpupool_do_sysctl(&o);

	return rc ? rc : (long)o.cpupool_id;
}

static void test_pools(void **state __maybe_unused)
{
	struct domain *dom0, *a;

	world_boot(4);
	dom0 = world_start(0, 1);
	a = world_start(1, 2);
	host_switch_to(dom0->vcpu[0]->processor, dom0->vcpu[0]);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, XEN_SYSCTL_CPUPOOL_PAR_ANY, 0), 1);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, 1, 0), -EEXIST);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 3), -ENODEV);	/* not free */
	/* no CPU there */
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 1), -ENOENT);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 0), -EINVAL);	/* CPU 0 stays */
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 2), -EADDRNOTAVAIL);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 3), 0);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, XEN_SYSCTL_CPUPOOL_PAR_ANY), 1);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 77), -ESRCH);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0), -EPERM);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 1), 1);
	world_run_cpus();
	assert_ptr_equal(world_running(3)->domain, a);
	assert_int_equal(a->vcpu[0]->processor, 3);
	assert_int_equal(a->vcpu[1]->processor, 3);
	assert_int_equal(cpupool_get_id(a), 1);
	let_run(MILLISECS(50), MICROSECS(500));
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 3), -EBUSY);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0), -EBUSY);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 2), 0);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 2), 1);
	let_run(MILLISECS(50), MICROSECS(500));
	assert_int_not_equal(a->vcpu[0]->processor, a->vcpu[1]->processor);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 3), 1);
	world_run_cpus();
	assert_int_equal(a->vcpu[0]->processor, 2);
	assert_int_equal(a->vcpu[1]->processor, 2);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, 1), 0);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, XEN_SYSCTL_CPUPOOL_PAR_ANY), 1);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0), 1);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0), -ENOENT);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, 0), -ENOENT);
	assert_int_equal(pool(99, 1, 0), -ENOSYS);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, 2), 0);
	assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, 3), 0);
	world_run_cpus();
}

static void test_cpu_down(void **state __maybe_unused)
{
	struct domain *a;

	world_boot(3);
	a = world_start(1, 3);
	host_switch_to(0, NULL);
	assert_int_equal(sched_cpu_down(2), 0);
	assert_ptr_equal(world_running(2), idle_vcpu[2]);
	world_run_cpus();
	let_run(SECONDS(1), MICROSECS(500));
	for (unsigned int i = 0; i < 3; i++)
		assert_true(a->vcpu[i]->processor < 2 && cpu_time(a, i) > MILLISECS(200));
	/* A cap that begins now has its periods where there is a CPU to tell of them. */
	a->sched.refill.cpu = 2;
	assert_int_equal(set_sched(a, 256, 50), 0);
	assert_int_not_equal(a->sched.refill.cpu, 2);
	assert_int_equal(set_sched(a, 256, 0), 0);
	assert_int_equal(sched_cpu_up(2), 0);
	let_run(SECONDS(1), MICROSECS(500));
	assert_ptr_equal(world_running(2)->domain, a);
}

/* A vcpu came to the CPU just when that left its pool: seen by nobody, and it never sleeps. */
static struct vcpu *newcomer;
static void arrives(void)
{
	static unsigned int rounds;

	newcomer->processor = 2;
	world_run_cpus();
	host_switch_to(0, NULL);
	assert_in_range(++rounds, 1, 9);
}
static void test_cpu_down_unseen(void **state __maybe_unused)
{
	world_boot(3);
	world_start(1, 3);
	world_run_cpus();
	newcomer = world_running(2);
	assert_false(is_idle_vcpu(newcomer));
	newcomer->processor = 0;
	host_relax_hook = arrives;
	host_switch_to(0, NULL);
	assert_int_equal(sched_cpu_down(2), 0);
	assert_ptr_equal(world_running(2), idle_vcpu[2]);
	assert_in_range(newcomer->processor, 0, 1);
}

/* Every vcpu is where its state says. */
static void check_queues(void)
{
	struct domain *d;
	struct vcpu *v, *w;

	for (unsigned int c = 0; c < world_cpus; c++) {
		struct runqueue *rq = &per_cpu(runqueues, c);
		unsigned int n = 0;
		long last = INT64_MAX;

		list_for_each_entry(w, &rq->queue, sched.runq) {
			assert_int_equal(w->processor, c);
			assert_true(vcpu_runnable(w));
			assert_true(w->sched.credit <= last);
			last = w->sched.credit;
			n++;
		}
		assert_int_equal(rq->nr_queued, n);
	}
	for_each_domain(d) {
		for_each_vcpu(d, v) {
			bool runs = world_running(v->processor) == v;

			assert_int_equal(v->is_running, runs);
			assert_int_equal(v->runstate.state == RUNSTATE_running, runs);
			assert_int_equal(vcpu_runnable(v), runs || vcpu_queued(v));
			assert_false(runs && vcpu_queued(v));
			if (runs || vcpu_queued(v))
				assert_true(vcpu_may_run_on(v, v->processor));
		}
	}
}

static unsigned int rnd(unsigned int n)
{
	static unsigned int seed = 7;

	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void test_random(void **state __maybe_unused)
{
	struct domain *d[3];
	unsigned int paused[3][3] = { { 0 } };

	world_boot(3);
	for (unsigned int i = 0; i < 3; i++)
		d[i] = world_start((domid_t)(i + 1), 3);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i = rnd(3), j = rnd(3);
		struct vcpu *v = d[i]->vcpu[j];
		cpumask_t mask = { { 1 + rnd(7) } };

		host_switch_to(rnd(3), NULL);
		switch (rnd(8)) {
		case 0:
			vcpu_unblock(v);
			break;
		case 1:
			if (!is_idle_vcpu(current))
				vcpu_block();
			break;
		case 2:
			vcpu_pause_nosync(v);
			paused[i][j]++;
			break;
		case 3:
			if (paused[i][j]) {
				paused[i][j]--;
				vcpu_unpause(v);
			}
			break;
		case 4:
			vcpu_set_hard_affinity(v, &mask);
			break;
		case 5:
			if (!is_idle_vcpu(current))
				vcpu_yield();
			break;
		case 6:
			set_sched(d[i], 1 + rnd(2000), rnd(4) ? 0 : 1 + rnd(300));
			break;
		default:
			host_now += rnd(3000000);
		}
		if (rnd(2)) {
			world_run_cpus();
			check_queues();
		}
	}
}

static char said[16384];

void vprintk(const char *fmt, va_list ap)
{
	size_t n = strlen(said);

	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
}

static void nobody_comes(void) { }

/* Lines of the debug key between `from` and the next that starts with `to`. */
static unsigned int lines_between(const char *from, const char *to)
{
	const char *at = strstr(said, from), *end;
	unsigned int n = 0;

	assert_non_null(at);
	end = strstr(at, to);
	assert_non_null(end);
	while ((at = strchr(at, '\n') + 1) < end)
		n++;
	return n;
}

/* The debug key shows who runs and who waits; a queue whose lock stays taken is not walked. */
static void test_dump(void **state __maybe_unused)
{
	struct runqueue *rq;

	world_boot(1);
	world_start(1, 3);
	world_run_cpus();
	rq = &per_cpu(runqueues, 0);
	assert_int_equal(rq->nr_queued, 2);
	said[0] = '\0';
	sched_dump('r');
	assert_int_equal(lines_between("CPU0:", "All vcpus"), 3);
	rq->lock.tail++;		/* taken, by a CPU that got stuck */
	host_relax_hook = nobody_comes;
	said[0] = '\0';
	sched_dump('r');
	rq->lock.tail--;
	host_relax_hook = NULL;
	assert_int_equal(lines_between("CPU0:", "All vcpus"), 1);
	assert_non_null(strstr(said, "2 queued"));
	assert_non_null(strstr(said, ", LOCKED\n"));
	host_check_no_locks("after the debug key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_alone),
		world_test(test_tickle_without_lock),
		world_test(test_weights),
		world_test(test_cap),
		world_test(test_wake_preempts),
		world_test(test_yield_takes_turns),
		world_test(test_balance),
		world_test(test_affinity),
		world_test(test_pause),
		world_test(test_timers_of_vcpu),
		world_test(test_watchdog),
		world_test(test_pools),
		world_test(test_dump),
		world_test(test_cpu_down),
		world_test(test_cpu_down_unseen),
		world_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
