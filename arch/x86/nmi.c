/* SPDX-License-Identifier: MIT */
/*
 * Non-maskable interrupts: CPUs being stopped, the watchdog, hardware faults.
 *
 *   nmi=dom0|fatal|ignore	what an NMI of unknown or hardware cause does
 *   watchdog, watchdog_timeout=<seconds>	panic when a CPU does not get to its timer
 *
 * The watchdog makes a performance counter overflow about once a second of CPU
 * work; its NMI looks whether the timer softirq of this CPU has run since. An
 * idle CPU counts nothing and is not watched. Handlers run on an exception
 * stack of their own and must not take locks; what they print waits (xen-core/console_late.c).
 */
#include <core/console.h>
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/timer.h>
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <arch/trap.h>
#include <x86/asm.h>
#include <x86/cpu_info.h>
#include <x86/cpufeature.h>
#include <x86/irq.h>
#include <x86/platform.h>
#include <x86/smp.h>

#define MSR_PERFCTR0		0xc1
#define MSR_PERFEVTSEL0		0x186
#define MSR_PERF_GLOBAL_STATUS	0x38e
#define MSR_PERF_GLOBAL_CTRL	0x38f
#define MSR_PERF_GLOBAL_OVF	0x390
#define MSR_K7_EVTSEL0		0xc0010000
#define MSR_K7_PERFCTR0		0xc0010004
#define EVTSEL_CPU_CYCLES	0x003cu		/* Intel, architectural */
#define EVTSEL_K7_CYCLES	0x0076u
#define EVTSEL_FLAGS		(1u << 16 | 1u << 17 | 1u << 20 | 1u << 22)	/* USR OS INT EN */
#define APIC_LVT_PERF		0x340
#define LVT_NMI			(4u << 8)

static bool opt_watchdog;
static unsigned int opt_watchdog_timeout = 5;
static char opt_nmi[8] = "dom0";
boolean_param("watchdog", opt_watchdog);
integer_param("watchdog_timeout", opt_watchdog_timeout);
string_param("nmi", opt_nmi);

static bool watchdog_on;
static uint32_t msr_counter, msr_select;

struct watchdog {
	struct timer timer;
	unsigned int cpu;
	unsigned long ticks;		/* by the timer */
	unsigned long seen;		/* at the last NMI */
	unsigned int stuck;		/* NMIs since ticks last changed */
};
static DEFINE_PER_CPU(struct watchdog, watchdog);

/* ---- watchdog ---- */

static void arm_counter(void)
{
	/* The counter takes 32 bits, sign-extended: at most 2^31 cycles away. */
	uint64_t period = min((uint64_t)cpu_khz * 1000, (uint64_t)0x7fffffff);

	wrmsr(msr_counter, -period);
}

static void watchdog_tick(void *data)
{
	struct watchdog *w = data;

	w->ticks++;
	set_timer(&w->timer, NOW() + MILLISECS(500));
}

static void watchdog_start(void *arg __maybe_unused)
{
	uint32_t event = msr_select == MSR_PERFEVTSEL0 ? EVTSEL_CPU_CYCLES : EVTSEL_K7_CYCLES;

	wrmsr(msr_select, 0);
	arm_counter();
	apic_write(APIC_LVT_PERF, LVT_NMI);
	if (msr_select == MSR_PERFEVTSEL0 && boot_cpu.vendor == VENDOR_INTEL)
		wrmsr(MSR_PERF_GLOBAL_CTRL, 1);
	wrmsr(msr_select, event | EVTSEL_FLAGS);
}

/* Which counter: Intel's architectural ones (CPUID 0xa), or AMD's since K7. */
static bool __init find_counter(void)
{
	uint32_t a = 0, b, c, d;

	if (boot_cpu.max_leaf >= 0xa && boot_cpu.vendor == VENDOR_INTEL)
		cpuid_count(0xa, 0, &a, &b, &c, &d);
	if ((a & 0xff) >= 2 && ((a >> 8) & 0xff)) {
		msr_select = MSR_PERFEVTSEL0;
		msr_counter = MSR_PERFCTR0;
		return true;
	}
	if (boot_cpu.vendor == VENDOR_AMD || boot_cpu.vendor == VENDOR_HYGON) {
		uint64_t v;

		msr_select = MSR_K7_EVTSEL0;
		msr_counter = MSR_K7_PERFCTR0;
		/* Emulators have the MSRs and count nothing; that is harmless. */
		return !rdmsr_safe(msr_select, &v) && !cpu_has(X86_FEATURE_HYPERVISOR);
	}
	return false;
}

/* After all CPUs are up, interrupts on. */
void __init nmi_watchdog_init(void)
{
	unsigned int cpu;

	if (!opt_watchdog)
		return;
	if (!find_counter()) {
		printk(XENLOG_WARNING "watchdog: this CPU has no usable performance counter\n");
		return;
	}
	for_each_online_cpu(cpu) {
		struct watchdog *w = &per_cpu(watchdog, cpu);

		w->cpu = cpu;
		init_timer(&w->timer, watchdog_tick, w, cpu);
		set_timer(&w->timer, NOW() + MILLISECS(500));
	}
	watchdog_on = true;
	on_selected_cpus(&cpu_online_map, watchdog_start, NULL, true);
	printk(XENLOG_INFO "watchdog: %u s\n", opt_watchdog_timeout);
}

/* True if the NMI was the watchdog's. */
static bool watchdog_nmi(struct cpu_user_regs *regs)
{
	struct watchdog *w = &this_cpu(watchdog);
	uint64_t v = rdmsr(msr_counter);

	if (v & (1ULL << 31))
		return false;		/* still counting up to its overflow */
	if (w->ticks != w->seen) {
		w->seen = w->ticks;
		w->stuck = 0;
	} else if (++w->stuck >= opt_watchdog_timeout) {
		watchdog_on = false;
		console_force_unlock();
		show_execution_state(regs);
		panic("Watchdog: CPU%u is stuck", smp_processor_id());
	}
	if (msr_select == MSR_PERFEVTSEL0)
		wrmsr(MSR_PERF_GLOBAL_OVF, 1);
	arm_counter();
	apic_write(APIC_LVT_PERF, LVT_NMI);	/* the APIC masks it at each overflow */
	return true;
}

/* ---- the rest ---- */

static void hardware_nmi(struct cpu_user_regs *regs, const char *what)
{
	struct vcpu *v;

	if (!strcmp(opt_nmi, "ignore"))
		return;
	v = hardware_domain ? domain_vcpu(hardware_domain, 0) : NULL;
	if (strcmp(opt_nmi, "fatal") && v) {
		vcpu_raise_nmi(v);
		return;
	}
	console_force_unlock();
	show_execution_state(regs);
	panic("NMI: %s", what);
}

static void handle_nmi(struct cpu_user_regs *regs)
{
	uint8_t reason;

	if (smp_stop_requested()) {
		for (;;)
			__asm__ __volatile__("cli; hlt" ::: "memory");
	}
	if (watchdog_on && watchdog_nmi(regs))
		return;
	if (smp_processor_id())		/* only the boot CPU's LINT1 is open */
		return;
	reason = inb(0x61);
	if (reason & 0x80) {
		outb((reason & 0x0f) | 0x04, 0x61);	/* clear and disable SERR */
		hardware_nmi(regs, "system error (SERR)");
	} else if (reason & 0x40) {
		outb((reason & 0x0f) | 0x08, 0x61);	/* clear and disable IOCHK */
		hardware_nmi(regs, "I/O check (IOCHK)");
	} else {
		hardware_nmi(regs, "unknown cause");
	}
}

void do_nmi(struct cpu_user_regs *regs)
{
	bool in_guest = (regs->cs & 3) == 3;

	nmi_enter(in_guest);
	handle_nmi(regs);
	nmi_exit(in_guest);
}
