/* SPDX-License-Identifier: MIT */
/*
 * Calls and flushes across CPUs: who is asked, in what state the slot is when he answers, and that
 * nobody is waited for who went offline between the question and the interrupt. What a CPU that goes
 * offline does before, and what it leaves to others.
 *
 * LINK: xen-core/softirq.c
 */
#include "harness.h"
#include <core/log_dirty.h>
#include <arch/cpu.h>
#include <arch/flush.h>
#include <x86/cpu_info.h>

/* The machine's, beside the fakes of the same names. */
#define on_selected_cpus	x86_on_selected_cpus
#define smp_send_event_check	x86_send_event_check
#define cpu_safe_halt		x86_safe_halt
#define flush_tlb_mask		x86_flush_tlb_mask
#define flush_tlb_one_mask	x86_flush_tlb_one_mask
#define flush_tlb_local		x86_flush_tlb_local
#define flush_tlb_one_local	x86_flush_tlb_one_local
#define flush_tlb_all		x86_flush_tlb_all
#define flush_cache_all		x86_flush_cache_all
#define tlbflush_current_time	x86_tlbflush_current_time
#define tlbflush_filter		x86_tlbflush_filter
void x86_on_selected_cpus(const cpumask_t *mask, void (*fn)(void *), void *arg, bool wait);
void x86_send_event_check(const cpumask_t *mask);
void x86_safe_halt(void);
void x86_flush_tlb_mask(const cpumask_t *mask);
void x86_flush_tlb_one_mask(const cpumask_t *mask, unsigned long va);
void x86_flush_tlb_local(void);
void x86_flush_tlb_one_local(unsigned long va);
void x86_flush_tlb_all(void);
void x86_flush_cache_all(void);
uint32_t x86_tlbflush_current_time(void);
void x86_tlbflush_filter(cpumask_t *mask, uint32_t stamp);
static inline void lock_check_wait(void) { }
#include "../../arch/x86/smp.c"
#include "../../arch/x86/flush.c"

static cpumask_t asked, called, leaving;
static bool answers;		/* CPUs that are asked and stay do what they are asked */

static void here(unsigned int cpu)
{
	host_switch_to(cpu, NULL);
}

static void answer(unsigned int cpu, uint8_t vector)
{
	const unsigned int me = host_this_cpu;

	here(cpu);
	if (vector == VECTOR_CALL_FUNCTION)
		serve_call();
	else
		cpumask_clear_cpu(cpu, &request.todo);	/* the flush itself is the CPU's */
	here(me);
}

void apic_send_ipi_mask(const cpumask_t *mask, uint8_t vector)
{
	unsigned int cpu;

	asked = *mask;
	for_each_cpu(cpu, mask)
		if (cpumask_test_cpu(cpu, &leaving))
			cpumask_clear_cpu(cpu, &cpu_online_map);
		else if (answers)
			answer(cpu, vector);
}

static void note(void *arg)
{
	assert_ptr_equal(arg, &called);
	assert_false(cpumask_test_cpu(smp_processor_id(), &called));
	cpumask_set_cpu(smp_processor_id(), &called);
}

static cpumask_t cpus(unsigned long bits)
{
	cpumask_t m = { { bits } };

	return m;
}

static unsigned int rounds;
static void time_passes(void)
{
	assert_in_range(++rounds, 1, 3);
}

static void scene(unsigned long who_leaves)
{
	cpu_online_map = cpus(0x1f);
	leaving = cpus(who_leaves);
	cpumask_clear(&called);
	cpumask_clear(&asked);
	answers = true;
	rounds = 0;
	host_relax_hook = time_passes;
	here(0);
}

static void test_calls(void **state __maybe_unused)
{
	for (unsigned int wait = 0; wait < 2; wait++) {
		const cpumask_t want = cpus(0x7e);	/* 5 and 6 are not there */

		scene(0);
		x86_on_selected_cpus(&want, note, &called, wait);
		assert_int_equal(asked.bits[0], 0x1e);
		assert_int_equal(called.bits[0], 0x1e);
		/* Two of them leave when they are asked. */
		scene(0x0a);
		x86_on_selected_cpus(&want, note, &called, wait);
		assert_int_equal(called.bits[0], 0x14);
		assert_int_equal(call.busy, 0);
		assert_true(cpumask_empty(&call.todo));
	}
}

static void test_flushes(void **state __maybe_unused)
{
	const cpumask_t want = cpus(0x7e);

	scene(0);
	x86_flush_tlb_mask(&want);
	assert_int_equal(asked.bits[0], 0x1e);
	scene(0x12);
	x86_flush_tlb_one_mask(&want, 0x1000);
	assert_int_equal(asked.bits[0], 0x1e);
	assert_true(cpumask_empty(&request.todo));
	assert_false(spin_is_locked(&request.lock));
}

static char order[8];
static void note_order(void *what) { order[strlen(order)] = *(char *)what; }
static void note_timer(void) { note_order("t"); }

void cpu_play_dead(void)
{
	note_order("o");
}

static void test_offline(void **state __maybe_unused)
{
	struct deferred a, b;

	open_softirq(TIMER_SOFTIRQ, note_timer);
	open_softirq(OFFLINE_SOFTIRQ, cpu_play_dead);
	softirq_init();
	defer_init(&a, note_order, "a");
	defer_init(&b, note_order, "b");
	here(3);
	raise_softirq(OFFLINE_SOFTIRQ);
	raise_softirq(TIMER_SOFTIRQ);
	process_pending_softirqs();	/* in the middle of something */
	assert_string_equal(order, "t");
	raise_softirq(TIMER_SOFTIRQ);
	defer_on_cpu(&a, 3);
	do_softirq();			/* all else first */
	assert_string_equal(order, "ttao");
	memset(order, 0, sizeof(order));
	here(0);
	defer_on_cpu(&a, 3);
	defer_on_cpu(&b, 3);
	do_softirq();
	assert_string_equal(order, "");
	softirq_cpu_offline(3);
	assert_string_equal(order, "ab");
	defer_on_cpu(&b, 0);
	do_softirq();
	assert_string_equal(order, "abb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_calls), host_test(test_flushes), host_test(test_offline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
