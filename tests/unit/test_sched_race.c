/* SPDX-License-Identifier: MIT */
/*
 * What another CPU does between the steps of schedule(). A waker clears the
 * reason to sleep first, without the lock, and then waits for the run queue's
 * lock: so the first half of a wake-up may come between any two steps, and the
 * second half comes when the switch is made.
 *
 * LINK: tests/unit/cpu_world.c xen-core/sched_credit2.c xen-core/cpupool.c
 * LINK: xen-core/sched_op.c xen-core/vcpu_op.c
 * LINK: xen-core/timer.c xen-core/softirq.c xen-core/quiesce.c xen-core/watchdog.c
 * LINK: xen-core/domain.c xen-core/domain_destroy.c xen-core/vcpu.c
 * LINK: xen-core/event_channel.c xen-core/event_op.c xen-core/event_virq.c xen-core/event_2l.c
 * LINK: xen-core/event_fifo.c
 * LINK: xen-core/grant_table.c xen-core/zombie_dump.c xen-core/grant_map.c xen-core/grant_copy.c
 */
#include "harness.h"
#include "cpu_world.h"

/* Runs once, when the successor has been chosen. */
static void (*after_choice)(void);

static struct vcpu *pick_and_race(struct runqueue *rq, struct vcpu *prev, s_time_t now)
{
	struct vcpu *next = c2_pick(rq, prev, now);
	void (*fn)(void) = after_choice;

	after_choice = NULL;
	if (fn)
		fn();
	return next;
}

/* Runs once, between the locks of the queue that a vcpu leaves and the one that it comes to. */
static void (*on_the_way)(void);
static bool leaving;

static void change_and_race(const struct runqueue *rq, struct vcpu *v, unsigned int cpu)
{
	c2_change_queue(rq, v, cpu);
	leaving = true;
}

static void unlock_and_race(spinlock_t *l, unsigned long flags)
{
	void (*fn)(void) = leaving ? on_the_way : NULL;

	spin_unlock_irqrestore(l, flags);
	leaving = false;
	if (fn) {
		on_the_way = NULL;
		fn();
	}
}

#define c2_pick pick_and_race
#define c2_change_queue change_and_race
#define spin_unlock_irqrestore unlock_and_race
#include "../../xen-core/sched.c"
#undef c2_pick
#undef c2_change_queue
#undef spin_unlock_irqrestore

static struct vcpu *sleeper;

static void first_half_of_wake(void)
{
	assert_true(test_and_clear_bit(VPF_blocked, &sleeper->pause_flags));
}

/* v, which runs on CPU 0, blocks, and is woken when its successor has been chosen. */
static void block_and_race(struct vcpu *v)
{
	sleeper = v;
	assert_ptr_equal(world_running(0), v);
	host_switch_to(0, v);
	vcpu_block();
	after_choice = first_half_of_wake;
	host_run_softirqs();
	assert_null(after_choice);
	vcpu_wake(v);			/* the second half */
}

static void test_successor_is_idle(void **state __maybe_unused)
{
	struct domain *d;

	world_boot(1);
	d = world_start(1, 1);
	block_and_race(d->vcpu[0]);
	world_run_cpus();
	assert_ptr_equal(world_running(0), d->vcpu[0]);
}

/* The successor was chosen when nobody else waited, so its turn has no end unless it gets one. */
static void test_successor_alone(void **state __maybe_unused)
{
	struct domain *d, *other;

	world_boot(1);
	d = world_start(1, 1);
	other = world_start(2, 1);
	while (world_running(0) != d->vcpu[0]) {
		host_now += MICROSECS(100);
		world_run_cpus();
	}
	block_and_race(d->vcpu[0]);
	world_run_cpus();
	for (unsigned int i = 0; i < 100 && world_running(0) != d->vcpu[0]; i++) {
		assert_ptr_equal(world_running(0), other->vcpu[0]);
		host_now += MICROSECS(100);
		world_run_cpus();
	}
	assert_ptr_equal(world_running(0), d->vcpu[0]);
}

/* As the first, when the CPU may not keep it: it must find its place on the other. */
static void move_and_wake(void)
{
	sleeper->cpu_hard_affinity = cpumask_of(1);
	first_half_of_wake();
}

static void test_successor_is_idle_and_must_move(void **state __maybe_unused)
{
	struct domain *d;

	world_boot(2);
	d = world_start(1, 1);
	if (world_running(0) != d->vcpu[0]) {
		cpumask_t zero = cpumask_of(0);

		assert_int_equal(vcpu_set_hard_affinity(d->vcpu[0], &zero), 0);
		world_run_cpus();
	}
	sleeper = d->vcpu[0];
	host_switch_to(0, sleeper);
	vcpu_block();
	after_choice = move_and_wake;
	host_run_softirqs();
	vcpu_wake(sleeper);
	world_run_cpus();
	assert_ptr_equal(world_running(1), sleeper);
}

/* The CPU that was chosen for a vcpu that wakes leaves the pool before it gets there. */
static void cpu_leaves(void)
{
	assert_int_equal(sleeper->processor, 1);
	assert_int_equal(cpupool_cpu_down(1), 0);
}

static void test_goes_to_a_cpu_that_leaves(void **state __maybe_unused)
{
	const cpumask_t zero = cpumask_of(0);
	struct domain *d, *other;

	world_boot(2);
	d = world_start(1, 1);
	other = world_start(2, 1);
	assert_int_equal(vcpu_set_hard_affinity(other->vcpu[0], &zero), 0);
	world_run_cpus();
	sleeper = d->vcpu[0];
	host_switch_to(sleeper->processor, sleeper);
	vcpu_block();
	world_run_cpus();
	sleeper->processor = 0;		/* where it slept */
	assert_ptr_equal(world_running(0), other->vcpu[0]);
	assert_true(is_idle_vcpu(world_running(1)));
	host_switch_to(0, NULL);
	on_the_way = cpu_leaves;
	vcpu_unblock(sleeper);
	assert_null(on_the_way);
	assert_int_equal(sleeper->processor, 0);
	assert_true(vcpu_queued(sleeper));
	assert_int_equal(per_cpu(runqueues, 1).nr_queued, 0);
	assert_int_equal(cpupool_cpu_up(1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_successor_is_idle),
		world_test(test_successor_alone),
		world_test(test_successor_is_idle_and_must_move),
		world_test(test_goes_to_a_cpu_that_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
