/* SPDX-License-Identifier: MIT */
/*
 * Timers and softirqs: timers fire once, in order, never early, on their CPU;
 * a random sequence of set, stop, migrate and kill is compared with a plain
 * array. Quiescence: a call runs after every CPU has passed a softirq.
 *
 * LINK: xen-core/timer.c xen-core/softirq.c xen-core/quiesce.c
 */
#include "harness.h"
#include <core/quiesce.h>
#include <core/softirq.h>
#include <core/timer.h>
#include <arch/cpu.h>
#include <arch/time.h>

#define N	64
#define CPUS	3U

static struct timer timers[N];
static s_time_t want[N];		/* the model: when it is due, 0 = not armed */
static unsigned int want_cpu[N], fired[N];
static unsigned int total_fired;
static s_time_t last_fired;

static void on_fire(void *arg)
{
	unsigned long i = (unsigned long)arg;

	assert_true(want[i] != 0);
	assert_true(want[i] <= host_now);
	assert_int_equal(want_cpu[i], smp_processor_id());
	want[i] = 0;
	fired[i]++;
	total_fired++;
	last_fired = timers[i].expires;
	host_check_no_locks("in a timer handler");
}

static void start(void)
{
	host_set_online(CPUS);
	softirq_init();
	timers_init();
	for (unsigned int c = 1; c < CPUS; c++)
		timers_init_cpu(c);
	for (unsigned long i = 0; i < N; i++) {
		want_cpu[i] = (unsigned int)i % CPUS;
		init_timer(&timers[i], on_fire, (void *)i, want_cpu[i]);
		want[i] = fired[i] = 0;
	}
	total_fired = 0;
}

/* As the machine would: a CPU whose deadline has come gets its interrupt. */
static void run_cpus(void)
{
	for (unsigned int c = 0; c < CPUS; c++) {
		host_switch_to(c, NULL);
		if (host_timer_deadline[c] && host_timer_deadline[c] <= host_now)
			raise_softirq(TIMER_SOFTIRQ);
		host_run_softirqs();
	}
	host_switch_to(0, NULL);
}

static void test_order(void **state __maybe_unused)
{
	s_time_t base;

	start();
	base = host_now;
	for (unsigned int i = 0; i < N; i++) {
		want_cpu[i] = 0;
		migrate_timer(&timers[i], 0);
		want[i] = base + 1000 + (i * 37) % N * 10;
		set_timer(&timers[i], want[i]);
	}
	assert_int_equal(timer_next_deadline(), base + 1000);
	assert_int_equal(host_timer_deadline[0], base + 1000);
	for (unsigned int n = 0; n < N; n++) {
		s_time_t due = base + 1000 + n * 10;

		host_now = due - 1;
		run_cpus();
		assert_int_equal(total_fired, n);
		host_now = due;
		run_cpus();
		assert_int_equal(total_fired, n + 1);
		assert_int_equal(last_fired, due);
	}
	assert_int_equal(timer_next_deadline(), INT64_MAX);
}

static void test_past_and_rearm(void **state __maybe_unused)
{
	start();
	want[0] = 1;
	set_timer(&timers[0], 1);	/* long past */
	run_cpus();
	assert_int_equal(fired[0], 1);
	want[0] = host_now + 100;
	set_timer(&timers[0], want[0]);
	set_timer(&timers[0], want[0] += 500);
	host_now += 200;
	run_cpus();
	assert_int_equal(fired[0], 1);
	host_now += 500;
	run_cpus();
	assert_int_equal(fired[0], 2);
	kill_timer(&timers[0]);
	set_timer(&timers[0], 1);	/* dead: nothing happens */
	assert_false(timer_is_active(&timers[0]));
	run_cpus();
	assert_int_equal(fired[0], 2);
}

static void test_remote_and_offline(void **state __maybe_unused)
{
	start();
	want[1] = host_now + 50;
	set_timer(&timers[1], want[1]);		/* on CPU 1: it is told */
	assert_true(host_rec.ipis >= 1);
	run_cpus();
	assert_int_equal(host_timer_deadline[1], host_now + 50);
	want[2] = host_now + 60;
	set_timer(&timers[2], want[2]);
	timers_offline_cpu(2);
	want_cpu[2] = 0;
	host_now += 100;
	run_cpus();
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[2], 1);
}

static void test_random(void **state __maybe_unused)
{
	unsigned int seed = 99;
#define RND(n)	((seed = seed * 1103515245 + 12345) >> 16) % (n)

	start();
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned long i = RND(N);

		switch (RND(6)) {
		case 0: case 1:
			want[i] = host_now + RND(5000);
			set_timer(&timers[i], want[i]);
			break;
		case 2:
			stop_timer(&timers[i]);
			want[i] = 0;
			break;
		case 3:
			want_cpu[i] = RND(CPUS);
			migrate_timer(&timers[i], want_cpu[i]);
			break;
		default:
			host_now += RND(300);
			run_cpus();
			for (unsigned int j = 0; j < N; j++) {
				assert_true(!want[j] || want[j] > host_now);
				assert_int_equal(timer_is_active(&timers[j]), want[j] != 0);
			}
		}
	}
}

static unsigned int deferred_runs;
static void count_up(void *arg)
{
	*(unsigned int *)arg += 1;
}

static void test_deferred(void **state __maybe_unused)
{
	struct deferred d;

	start();
	defer_init(&d, count_up, &deferred_runs);
	deferred_runs = 0;
	defer_on_cpu(&d, 1);
	defer_on_cpu(&d, 1);		/* queued already */
	run_cpus();
	assert_int_equal(deferred_runs, 1);
	defer_on_cpu(&d, 0);
	run_cpus();
	assert_int_equal(deferred_runs, 2);
}

static unsigned int quiesced;
static void on_quiesce(struct quiesce_head *head __maybe_unused)
{
	quiesced++;
}

static void test_quiesce(void **state __maybe_unused)
{
	struct quiesce_head a, b;

	start();
	quiesce_init();
	quiesced = 0;
	quiesce_call(&a, on_quiesce);
	host_run_softirqs();			/* CPU 0 */
	assert_int_equal(quiesced, 0);
	host_switch_to(1, NULL);
	host_run_softirqs();
	quiesce_call(&b, on_quiesce);		/* CPU 1 has passed for a, not for b */
	host_switch_to(2, NULL);
	host_run_softirqs();
	assert_int_equal(quiesced, 1);
	run_cpus();
	run_cpus();
	assert_int_equal(quiesced, 2);
	/* Nobody waits for a CPU that is gone. */
	quiesce_call(&a, on_quiesce);
	host_run_softirqs();
	host_switch_to(1, NULL);
	host_run_softirqs();
	quiesce_cpu_offline(2);
	assert_int_equal(quiesced, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_order),
		host_test(test_past_and_rearm),
		host_test(test_remote_and_offline),
		host_test(test_random),
		host_test(test_deferred),
		host_test(test_quiesce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
