/* SPDX-License-Identifier: MIT */
/*
 * Fake CPUs: identity, interrupts, per-CPU areas, calls across, flushes, the
 * clock. All is recorded.
 */
#include <core/lib.h>
#include <core/sched.h>
#include <core/softirq.h>
#include <arch/cpu.h>
#include <arch/domain.h>
#include <arch/flush.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <host/host.h>
#include <setjmp.h>

#define PERCPU_MAX	65536U

struct host_cpu host_cpus[HOST_NR_CPUS];
unsigned int host_this_cpu;
void (*host_relax_hook)(void);
struct host_record host_rec;
s_time_t host_now;
s_time_t host_timer_deadline[HOST_NR_CPUS];

__attribute__((weak)) unsigned int nr_cpu_ids;
__attribute__((weak)) cpumask_t cpu_online_map;
__attribute__((weak)) cpumask_t cpu_possible_map;

/* At least one variable must be in the section, or the linker would not name its bounds. */
DEFINE_PER_CPU(unsigned long, host_anchor);
extern unsigned char __start_percpu_area[], __stop_percpu_area[];
static unsigned char percpu_copies[HOST_NR_CPUS][PERCPU_MAX] __aligned(64);

unsigned long host_percpu_offset(unsigned int cpu)
{
	if (cpu >= HOST_NR_CPUS)
		host_bad_frame("percpu_offset: no such CPU", cpu);
	if (!cpu)
		return 0;
	return (unsigned long)percpu_copies[cpu] + ((unsigned long)__start_percpu_area & 63) -
	       (unsigned long)__start_percpu_area;
}

void host_percpu_reset(void)
{
	size_t n = (size_t)(__stop_percpu_area - __start_percpu_area);

	if (n + 64 > PERCPU_MAX)
		host_bad_frame("per-CPU area too large", n);
	memset(__start_percpu_area, 0, n);
	memset(percpu_copies, 0, sizeof(percpu_copies));
}

void host_cpus_reset(void)
{
	memset(host_cpus, 0, sizeof(host_cpus));
	for (unsigned int i = 0; i < HOST_NR_CPUS; i++)
		host_cpus[i].irq_enabled = true;
	host_this_cpu = 0;
	host_relax_hook = NULL;
	memset(&host_rec, 0, sizeof(host_rec));
	memset(host_timer_deadline, 0, sizeof(host_timer_deadline));
	host_now = SECONDS(1);
	nr_cpu_ids = HOST_NR_CPUS;
	host_set_online(HOST_NR_CPUS);
}

void host_set_online(unsigned int nr)
{
	cpumask_clear(&cpu_online_map);
	cpumask_clear(&cpu_possible_map);
	for (unsigned int i = 0; i < HOST_NR_CPUS; i++) {
		cpumask_set_cpu(i, &cpu_possible_map);
		if (i < nr)
			cpumask_set_cpu(i, &cpu_online_map);
	}
}

void host_switch_to(unsigned int cpu, struct vcpu *v)
{
	host_this_cpu = cpu;
	if (v)
		host_cpus[cpu].current_vcpu = v;
}

void host_cpu_relax(void)
{
	if (!host_relax_hook)
		bug_at(__FILE__, __LINE__, "waits for something that nobody will do");
	host_relax_hook();
}

bool in_irq(void) { return host_cpus[host_this_cpu].irq_depth != 0; }
bool in_nmi(void) { return host_cpus[host_this_cpu].nmi_depth != 0; }
void cpu_safe_halt(void) { local_irq_enable(); }

void smp_send_event_check(const cpumask_t *mask)
{
	host_rec.ipis++;
	host_rec.ipis_locked += host_locks_held() != 0;
	host_rec.last_ipi_mask = *mask;
}

void on_selected_cpus(const cpumask_t *mask, void (*fn)(void *), void *arg,
		      bool wait __maybe_unused)
{
	unsigned int me = host_this_cpu, cpu;

	for_each_cpu(cpu, mask) {
		bool irq = host_cpus[cpu].irq_enabled;

		host_this_cpu = cpu;
		host_cpus[cpu].irq_enabled = false;
		host_cpus[cpu].irq_depth++;
		fn(arg);
		host_cpus[cpu].irq_depth--;
		host_cpus[cpu].irq_enabled = irq;
	}
	host_this_cpu = me;
}

/* ---- flushes: a clock that every flush of a whole CPU advances ---- */
static uint32_t flush_clock = 1;
static uint32_t cpu_flushed[HOST_NR_CPUS];

static void flush_cpu(unsigned int cpu)
{
	if (cpu < HOST_NR_CPUS)
		cpu_flushed[cpu] = ++flush_clock;
}

__attribute__((weak)) void flush_tlb_local(void)
{
	host_rec.flushes_local++;
	flush_cpu(host_this_cpu);
}
__attribute__((weak)) void flush_tlb_one_local(unsigned long va __maybe_unused) { host_rec.flushes_one++; }
void flush_tlb_mask(const cpumask_t *mask)
{
	unsigned int cpu;

	host_rec.flushes_mask++;
	host_rec.last_flush_mask = *mask;
	for_each_cpu(cpu, mask)
		flush_cpu(cpu);
}
void flush_tlb_one_mask(const cpumask_t *mask, unsigned long va __maybe_unused)
{
	host_rec.flushes_one++;
	host_rec.last_flush_mask = *mask;
}
void flush_tlb_all(void)
{
	host_rec.flushes_all++;
	for (unsigned int i = 0; i < HOST_NR_CPUS; i++)
		flush_cpu(i);
}
void flush_cache_all(void) { host_rec.cache_flushes++; }
uint32_t tlbflush_current_time(void) { return flush_clock; }
void tlbflush_filter(cpumask_t *mask, uint32_t stamp)
{
	unsigned int cpu;

	if (!stamp)
		return;
	for_each_cpu(cpu, mask)
		if (cpu < HOST_NR_CPUS && cpu_flushed[cpu] > stamp)
			cpumask_clear_cpu(cpu, mask);
}

/* ---- time ---- */
s_time_t get_s_time(void) { return host_now; }
bool reprogram_timer(s_time_t deadline)
{
	host_timer_deadline[host_this_cpu] = deadline;
	return !deadline || deadline > host_now;
}
void udelay(unsigned long usec) { host_now += MICROSECS(usec); }
/* ---- leaving one vcpu for another ---- */
static jmp_buf *switch_target;
__attribute__((weak)) void context_saved(struct vcpu *prev __maybe_unused) { }

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	if (!switch_target)
		bug_at(__FILE__, __LINE__, "context_switch outside host_run_softirqs");
	host_cpus[host_this_cpu].current_vcpu = next;
	context_saved(prev);
	local_irq_enable();
	longjmp(*switch_target, 1);
}

void continue_running(struct vcpu *v __maybe_unused)
{
	if (!switch_target)
		bug_at(__FILE__, __LINE__, "continue_running outside host_run_softirqs");
	local_irq_enable();
	longjmp(*switch_target, 1);
}

__attribute__((weak)) void do_softirq(void) { }

void host_run_softirqs(void)
{
	jmp_buf here;
	jmp_buf *outer = switch_target;

	switch_target = &here;
	/* After a switch the rest of what is pending still has to run. */
	(void)setjmp(here);
	do_softirq();
	switch_target = outer;
}
