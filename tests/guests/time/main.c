/* SPDX-License-Identifier: MIT */
/*
 * Time and timers: the clock record is monotonic and runs at the TSC's rate, the wall clock is
 * sane, timers fire once, in time, in the past at once, and only for their owner; block, poll and
 * runstate times add up. Bounds are wide: emulators stall.
 */
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/time.h>

static volatile unsigned long ticks;

static void on_timer(evtchn_port_t port __unused)
{
	ticks++;
}

/* Wait (blocking) until n ticks came or the time is over. */
static void wait_ticks(unsigned long n, uint64_t timeout)
{
	uint64_t end = time_now() + timeout;

	while (ticks < n && time_now() < end)
		sched_op(SCHEDOP_yield, NULL);
}

static void test_clock(void)
{
	uint64_t last = time_now(), now, t0, tsc0;
	unsigned long backwards = 0;

	for (unsigned int i = 0; i < 100000; i++) {
		now = time_now();
		backwards += now < last;
		last = now;
	}
	ktest_eq(backwards, 0, "never goes backwards");
	t0 = time_now();
	tsc0 = rdtsc();
	time_delay(20 * MS);
	ktest_ok(rdtsc() > tsc0 && time_now() - t0 >= 20 * MS, "runs with the TSC");
	ktest_ok(this_vcpu_info()->time.tsc_to_system_mul, "has a scale");
	ktest_eq(this_vcpu_info()->time.version & 1, 0, "version is even");
	ktest_ok(time_wall() / SECOND > 1577000000, "the wall clock shows %lu s",
		 (unsigned long)(time_wall() / SECOND));
}

static void stop_singleshot(void)
{
	ktest_eq(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0, "stop it");
}

static void stop_timer_op(void)
{
	ktest_eq(set_timer_op(0), 0, "0 stops it");
}

/*
 * A timer 10 ms ahead that is stopped at once stays silent. A machine under load may let the 10 ms
 * pass before the stop; then it rightly fires, and the test is tried again.
 */
static void test_stopped(long (*set)(uint64_t deadline), void (*stop)(void))
{
	unsigned int tries = 0;

	do {
		ticks = 0;
		set(time_now() + 10 * MS);
		stop();
	} while (ticks && ++tries < 100);
	ktest_eq(ticks, 0, "it is stopped in time");
	time_delay(20 * MS);
	ktest_eq(ticks, 0, "it does not fire");
}

static long set_singleshot(uint64_t deadline)
{
	return time_set_singleshot(deadline, 0);
}

static void test_singleshot(void)
{
	struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = time_now() + SECOND };
	uint64_t start;

	ticks = 0;
	start = time_now();
	ktest_eq(time_set_singleshot(start + 10 * MS, 0), 0, "set a timer");
	wait_ticks(1, SECOND);
	ktest_eq(ticks, 1, "it fires");
	ktest_ok(time_now() - start >= 10 * MS, "not early: %lu us",
		 (unsigned long)(time_now() - start) / 1000);
	time_delay(20 * MS);
	ktest_eq(ticks, 1, "and only once");

	ticks = 0;
	ktest_eq(time_set_singleshot(1, 0), 0, "a deadline in the past");
	wait_ticks(1, SECOND);
	ktest_eq(ticks, 1, "fires at once");
	ticks = 0;
	ktest_eq(time_set_singleshot(time_now() - MS, VCPU_SSHOTTMR_future), 0,
		 "in the past with the future flag, which 4.17 ignores");
	wait_ticks(1, SECOND);
	ktest_eq(ticks, 1, "fires");

	test_stopped(set_singleshot, stop_singleshot);
	ktest_eq(vcpu_op(VCPUOP_set_singleshot_timer, 1000, &op), -XEN_ENOENT, "of no vcpu");
}

static void test_periodic(void)
{
	struct vcpu_set_periodic_timer op = { .period_ns = 5 * MS };

	ticks = 0;
	ktest_eq(vcpu_op(VCPUOP_set_periodic_timer, 0, &op), 0, "a period of 5 ms");
	wait_ticks(5, 2 * SECOND);
	ktest_ok(ticks >= 5, "ticks");
	ktest_eq(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0, "stop");
	time_delay(10 * MS);
	ticks = 0;
	time_delay(30 * MS);
	ktest_eq(ticks, 0, "no more ticks");
	op.period_ns = 500000;
	ktest_eq(vcpu_op(VCPUOP_set_periodic_timer, 0, &op), -XEN_EINVAL, "a period of 0.5 ms");
	op.period_ns = ~0UL;
	ktest_eq(vcpu_op(VCPUOP_set_periodic_timer, 0, &op), -XEN_EINVAL, "a period of 584 years");
}

static void test_set_timer_op(void)
{
	ticks = 0;
	ktest_eq(set_timer_op(time_now() + 5 * MS), 0, "set_timer_op");
	wait_ticks(1, SECOND);
	ktest_eq(ticks, 1, "fires");
	ktest_eq(set_timer_op(1), 0, "in the past");
	wait_ticks(2, SECOND);
	ktest_eq(ticks, 2, "fires");
	test_stopped(set_timer_op, stop_timer_op);
}

static void test_block(void)
{
	uint64_t start = time_now();

	ticks = 0;
	/* Masked before the timer is set: if it fires early, block must not sleep. */
	event_disable();
	time_set_singleshot(start + 10 * MS, 0);
	ktest_eq(sched_op(SCHEDOP_block, NULL), 0, "block");
	ktest_eq(ticks, 1, "unmasks, and ends with the event");
	ktest_ok(time_now() - start >= 10 * MS, "after %lu us",
		 (unsigned long)(time_now() - start) / 1000);
	ktest_eq(this_vcpu_info()->evtchn_upcall_mask, 0, "events are open after it");
}

static void test_poll(void)
{
	evtchn_port_t a, b, bad = 100000;
	struct sched_poll poll = { .nr_ports = 1, .timeout = time_now() + 10 * MS };
	uint64_t start = time_now();

	event_self_pair(&a, &b);
	set_xen_guest_handle(poll.ports, &b);
	event_mask(b);
	event_clear(b);
	event_disable();
	ktest_eq(sched_op(SCHEDOP_poll, &poll), 0, "poll with a timeout");
	ktest_ok(time_now() - start >= 9 * MS, "takes %lu us",
		 (unsigned long)(time_now() - start) / 1000);
	event_send(a);
	poll.timeout = time_now() + SECOND;
	start = time_now();
	ktest_eq(sched_op(SCHEDOP_poll, &poll), 0, "poll a pending port");
	ktest_ok(time_now() - start < SECOND / 2, "returns at once");
	set_xen_guest_handle(poll.ports, &bad);
	ktest_eq(sched_op(SCHEDOP_poll, &poll), -XEN_EINVAL, "poll no port");
	poll.nr_ports = 129;
	ktest_eq(sched_op(SCHEDOP_poll, &poll), -XEN_EINVAL, "poll 129 ports");
	event_enable();
	event_close(a);
	event_close(b);
	ktest_eq(sched_op(77, &poll), -XEN_ENOSYS, "unknown sched_op");
}

static void sleep_blocked(void)
{
	event_disable();
	time_set_singleshot(time_now() + 10 * MS, 0);
	sched_op(SCHEDOP_block, NULL);
}

static void test_runstate(void)
{
	static struct vcpu_runstate_info area;
	struct vcpu_register_runstate_memory_area reg;
	struct vcpu_runstate_info info;
	uint64_t sum, before;

	ktest_eq(vcpu_op(VCPUOP_get_runstate_info, 0, &info), 0, "runstate");
	ktest_eq(info.state, RUNSTATE_running, "we run");
	before = info.time[RUNSTATE_blocked];
	sleep_blocked();
	vcpu_op(VCPUOP_get_runstate_info, 0, &info);
	ktest_ok(info.time[RUNSTATE_blocked] - before >= 5 * MS, "time blocked is counted");
	sum = info.time[0] + info.time[1] + info.time[2] + info.time[3];
	ktest_ok(sum <= time_now() && sum > info.time[0], "the times add up");

	reg.addr.v = &area;
	ktest_eq(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), 0, "register an area");
	ktest_eq(area.state, RUNSTATE_running, "it is filled at once");
	before = area.time[RUNSTATE_blocked];
	sleep_blocked();
	ktest_ok(READ_ONCE(area.time[RUNSTATE_blocked]) > before, "and follows");
	reg.addr.v = NULL;
	ktest_eq(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), 0, "deregister it");
}

int guest_main(void)
{
	long port = event_bind_virq(VIRQ_TIMER, 0);

	ktest_eq(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0, "stop the periodic timer");
	event_set_handler(port, on_timer);
	event_enable();
	test_clock();
	test_singleshot();
	test_periodic();
	test_set_timer_op();
	test_block();
	test_poll();
	test_runstate();
	return ktest_result();
}
