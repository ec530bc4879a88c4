/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes, here and on other CPUs, and the flush clock (arch/flush.h).
 *
 * The clock ticks at each full flush of any CPU; each CPU notes the time of
 * its last one. A page freed at time s needs no flush on a CPU whose last one
 * came after s. When the clock would wrap, 0 is returned from then on until all
 * CPUs have flushed, and 0 means "unknown: flush".
 */
#include <core/lib.h>
#include <core/log_dirty.h>
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/domain.h>
#include <arch/flush.h>
#include <arch/percpu.h>
#include <arch/spinlock.h>
#include <x86/asm.h>
#include <x86/irq.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <x86/shadow.h>
#include <x86/smp.h>

#define CLOCK_WRAP	0xfffffff0u

static uint32_t flush_clock = 1;	/* atomic; 0 while it is being started again */
static DEFINE_PER_CPU(uint32_t, last_flush);
static bool clock_wrapping;

enum { FLUSH_ALL, FLUSH_ONE, FLUSH_CACHE };

static struct {
	spinlock_t lock;
	unsigned int what;
	unsigned long va;
	cpumask_t todo;			/* atomic bits */
} request = { .lock = SPINLOCK_INIT(LOCK_ANY) };

uint32_t tlbflush_current_time(void)
{
	return read_once(flush_clock);
}

/* Time just before a flush begins; the flush covers all that was freed before it. */
static uint32_t pre_flush(void)
{
	uint32_t t = read_once(flush_clock), seen;

	for (;;) {
		if (unlikely(!t))
			return 0;
		if (unlikely(t >= CLOCK_WRAP)) {
			write_once(clock_wrapping, true);
			return t;
		}
		seen = atomic_cmpxchg(&flush_clock, t, t + 1);
		if (likely(seen == t))
			return t + 1;
		t = seen;
	}
}

/* Flushes everything, global entries too. */
void flush_tlb_global(void)
{
	unsigned long cr4 = read_cr4();

	if (likely(cr4 & CR4_PGE)) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

static inline void flush_by_clock(bool shadows)
{
	unsigned long flags = local_irq_save();
	uint32_t t = pre_flush();

	if (shadows)
		shadow_flush_here();
	flush_tlb_global();
	this_cpu(last_flush) = t;
	local_irq_restore(flags);
}

static __attribute__((noinline)) void flush_with_shadow(void)
{
	flush_by_clock(true);
}

void flush_tlb_local(void)
{
	if (unlikely(log_dirty_on))
		flush_with_shadow();
	else
		flush_by_clock(false);
}

void flush_tlb_one_local(unsigned long va)
{
	if (unlikely(log_dirty_on))
		shadow_flush_one_here(va);
	invlpg(va);
}

/* ---- others ---- */

static void flush_here(void)
{
	switch (request.what) {
	case FLUSH_ALL:
		flush_tlb_local();
		break;
	case FLUSH_ONE:
		flush_tlb_one_local(request.va);
		break;
	case FLUSH_CACHE:
		__asm__ __volatile__("wbinvd" ::: "memory");
		break;
	}
}

static void serve_flush(void)
{
	unsigned int cpu = smp_processor_id();

	if (!cpumask_test_cpu(cpu, &request.todo))
		return;
	smp_rmb();			/* todo before the rest of the request */
	flush_here();
	cpumask_clear_cpu(cpu, &request.todo);
}

/*
 * A CPU that idles on a guest's page tables leaves them at the first flush: it
 * is not asked again then, however long it idles.
 */
static void flush_interrupt(struct cpu_user_regs *regs __maybe_unused)
{
	sync_local_execstate();
	serve_flush();
}

/* Interrupts may be off here: whoever waits for the lock serves others meanwhile. */
static void flush_others(const cpumask_t *others, unsigned int what, unsigned long va)
{
	unsigned long flags;
	unsigned int cpu;

	lock_check_wait();
	while (!spin_trylock(&request.lock)) {
		flags = local_irq_save();
		serve_flush();
		local_irq_restore(flags);
		smp_poll_calls();
		cpu_relax();
	}
	request.what = what;
	request.va = va;
	smp_wmb();			/* the request before todo */
	request.todo = *others;
	smp_mb();			/* ... and todo before the interrupts */
	apic_send_ipi_mask(others, VECTOR_INVALIDATE_TLB);
	while (!cpumask_empty((const cpumask_t *)&request.todo)) {
		cpu_relax();
		barrier();
		/* A CPU that goes offline does not answer, and comes back with an empty TLB. */
		for_each_cpu(cpu, &request.todo)
			if (unlikely(!cpumask_test_cpu(cpu, &cpu_online_map)))
				cpumask_clear_cpu(cpu, &request.todo);
	}
	spin_unlock(&request.lock);
}

static void flush_mask(const cpumask_t *mask, unsigned int what, unsigned long va)
{
	unsigned int me = smp_processor_id();
	cpumask_t others;

	if (cpumask_test_cpu(me, mask)) {
		if (what == FLUSH_ALL)
			flush_tlb_local();
		else if (what == FLUSH_ONE)
			flush_tlb_one_local(va);
		else
			__asm__ __volatile__("wbinvd" ::: "memory");
	}
	cpumask_and(&others, mask, &cpu_online_map);
	cpumask_clear_cpu(me, &others);
	if (!cpumask_empty(&others))
		flush_others(&others, what, va);
}

/* Begins the clock anew: everybody flushes while it reads 0, which filters nothing. */
static void restart_clock(void)
{
	unsigned int cpu;

	if (!read_once(clock_wrapping) || !local_irq_is_enabled())
		return;
	if (atomic_xchg(&flush_clock, 0u) == 0)
		return;			/* another CPU does it */
	flush_mask(&cpu_online_map, FLUSH_ALL, 0);
	for_each_online_cpu(cpu)
		per_cpu(last_flush, cpu) = 0;
	write_once(clock_wrapping, false);
	atomic_store(&flush_clock, 1u);
}

void flush_tlb_mask(const cpumask_t *mask)
{
	flush_mask(mask, FLUSH_ALL, 0);
	if (unlikely(read_once(clock_wrapping)))
		restart_clock();
}

void flush_tlb_one_mask(const cpumask_t *mask, unsigned long va)
{
	flush_mask(mask, FLUSH_ONE, va);
}

void flush_tlb_all(void)
{
	flush_tlb_mask(&cpu_online_map);
}

void flush_cache_all(void)
{
	flush_mask(&cpu_online_map, FLUSH_CACHE, 0);
}

void tlbflush_filter(cpumask_t *mask, uint32_t stamp)
{
	unsigned int cpu;

	if (!stamp || !read_once(flush_clock))
		return;
	for_each_cpu(cpu, mask)
		if (cpumask_test_cpu(cpu, &cpu_online_map) && per_cpu(last_flush, cpu) > stamp)
			cpumask_clear_cpu(cpu, mask);
}

void __init flush_init(void)
{
	set_direct_vector(VECTOR_INVALIDATE_TLB, flush_interrupt);
}
