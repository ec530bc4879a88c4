/* SPDX-License-Identifier: MIT */
/*
 * CPUs interrupting each other: events to look at, functions to call, TLBs to
 * flush; and stopping all but one at the end.
 *
 * A call or a flush has one global slot each, with a lock, and counts how many
 * CPUs have not yet done it. The caller waits with interrupts on (or serves the
 * slots itself while it waits for the lock), so two CPUs that want something
 * of each other do not wait for ever.
 */
#include <core/lib.h>
#include <core/softirq.h>
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/irq.h>
#include <x86/platform.h>
#include <x86/smp.h>

void cpu_safe_halt(void)
{
	/* STI holds interrupts off for one more instruction */
	__asm__ __volatile__("sti; hlt" ::: "memory");
}

/* ---- events: the interrupt itself is all, softirqs run on the way out ---- */

static void event_check_interrupt(struct cpu_user_regs *regs __maybe_unused)
{
}

void smp_send_event_check(const cpumask_t *mask)
{
	unsigned int cpu, me = smp_processor_id();

	for_each_cpu(cpu, mask)
		if (cpu != me)
			apic_send_ipi(cpu, VECTOR_EVENT_CHECK);
}

/* ---- calls ---- */

static struct {
	spinlock_t lock;
	void (*fn)(void *);
	void *arg;
	bool wait;
	cpumask_t todo;			/* atomic bits: CPUs that have not begun */
	int busy;			/* atomic: CPUs that have not finished (wait) or begun */
} call = { .lock = SPINLOCK_INIT(LOCK_ANY) };

static void serve_call(void)
{
	unsigned int cpu = smp_processor_id();
	void (*fn)(void *);
	bool wait;
	void *arg;

	/* Whoever takes the bit away owes the count: us, or the caller if we are too late. */
	if (!cpumask_test_cpu(cpu, &call.todo) || !cpumask_test_and_clear_cpu(cpu, &call.todo))
		return;
	fn = call.fn;
	arg = call.arg;
	wait = call.wait;
	if (!wait)
		atomic_dec(&call.busy);	/* the slot may be reused from here */
	fn(arg);
	if (wait)
		atomic_dec(&call.busy);
}

/* CPUs that went offline when they were asked already: they have nothing to do any more. */
static void forget_offline(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, &call.todo)
		if (!cpumask_test_cpu(cpu, &cpu_online_map) &&
		    cpumask_test_and_clear_cpu(cpu, &call.todo))
			atomic_dec(&call.busy);
}

static void call_interrupt(struct cpu_user_regs *regs __maybe_unused)
{
	serve_call();
}

void smp_poll_calls(void)
{
	unsigned long flags = local_irq_save();

	serve_call();
	local_irq_restore(flags);
}

void on_selected_cpus(const cpumask_t *mask, void (*fn)(void *), void *arg, bool wait)
{
	unsigned int me = smp_processor_id(), n;
	unsigned long flags;
	cpumask_t others = *mask;

	cpumask_and(&others, mask, &cpu_online_map);
	cpumask_clear_cpu(me, &others);
	n = cpumask_weight(&others);
	if (n) {
		lock_check_wait();
		while (!spin_trylock(&call.lock)) {
			smp_poll_calls();
			cpu_relax();
		}
		call.fn = fn;
		call.arg = arg;
		call.wait = wait;
		atomic_store(&call.busy, (int)n);
		smp_wmb();		/* the slot before todo */
		call.todo = others;
		smp_mb();		/* ... and todo before the interrupts */
		apic_send_ipi_mask(&others, VECTOR_CALL_FUNCTION);
	}
	if (cpumask_test_cpu(me, mask)) {
		flags = local_irq_save();
		get_cpu_info()->irq_depth++;
		fn(arg);
		get_cpu_info()->irq_depth--;
		local_irq_restore(flags);
	}
	if (n) {
		while (atomic_load(&call.busy)) {
			cpu_relax();
			forget_offline();
		}
		spin_unlock(&call.lock);
	}
}

/* ---- stopping ---- */

static bool stopping;

bool smp_stop_requested(void)
{
	return read_once(stopping);
}

static void stop_here(void)
{
	apic_shutdown_cpu();
	for (;;)
		__asm__ __volatile__("cli; hlt" ::: "memory");
}

static void stop_call(void *arg __maybe_unused)
{
	stop_here();
}

/*
 * Stops all other CPUs: by a plain interrupt first, then by NMI those that do
 * not take interrupts. Waits briefly, and goes on in any case. No locks: this
 * is also called by a CPU that died holding some.
 */
void smp_stop_others(void)
{
	unsigned int me = smp_processor_id();
	cpumask_t others;

	if (atomic_xchg(&stopping, true))
		return;
	others = cpu_online_map;
	cpumask_clear_cpu(me, &others);
	if (cpumask_empty(&others))
		return;
	call.fn = stop_call;
	call.wait = false;
	call.busy = (int)cpumask_weight(&others);
	smp_wmb();
	call.todo = others;
	smp_mb();
	apic_send_ipi_mask(&others, VECTOR_CALL_FUNCTION);
	for (unsigned int i = 0; i < 100 && !cpumask_empty(&call.todo); i++)
		udelay(100);
	if (!cpumask_empty(&call.todo)) {
		apic_send_nmi_all_others();
		udelay(1000);
	}
	cpu_online_map = cpumask_of(me);
}

/* ---- boot ---- */

/* After irq_init, before the first AP. From here on this CPU counts as online. */
void __init smp_init(void)
{
	cpumask_set_cpu(smp_processor_id(), &cpu_online_map);
	set_direct_vector(VECTOR_EVENT_CHECK, event_check_interrupt);
	set_direct_vector(VECTOR_CALL_FUNCTION, call_interrupt);
	open_softirq(OFFLINE_SOFTIRQ, cpu_play_dead);
	flush_init();
}
