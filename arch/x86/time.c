/* SPDX-License-Identifier: MIT */
/*
 * System time: nanoseconds since boot, computed from the TSC.
 *
 * Each CPU has a time_record: at TSC t it was time s, and since then it runs at
 * this scale. Reading it takes no lock: only the CPU itself changes its record,
 * in softirq context with interrupts off, and nobody is preempted in here.
 *
 * Where the TSC runs at a constant rate in all states (CPUID 0x80000007), all
 * CPUs have the same record and it is never changed. Elsewhere each CPU
 * compares with the platform timer once a second and bends its scale so that
 * the difference is gone a second later; time never goes backwards.
 *
 * The deadline timer is the local APIC's. `maxcpus`, `clocksource`,
 * `tsc_deadline` steer it; `tsc=unstable` distrusts the CPUID bit.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/softirq.h>
#include <core/timer.h>
#include <core/domain.h>
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>
#include <x86/irq.h>
#include <x86/platform.h>
#include <x86/time.h>

#define CALIBRATION_USEC	3000	/* first guess; refined by what the rest of boot takes */
#define CALIBRATION_PERIOD	SECONDS(1)

uint32_t cpu_khz;

static bool tsc_unstable;		/* tsc=unstable, or CPUs disagree */
static bool tsc_from_crystal;
static struct time_scale ns_to_apic;
static unsigned long last_generation;	/* atomic */

extern char opt_clocksource[8];

static DEFINE_PER_CPU(struct time_record, time_record);

struct calibration {
	struct timer timer;
	unsigned int cpu;
	uint64_t tsc;			/* at the last comparison */
	s_time_t platform;
};
static DEFINE_PER_CPU(struct calibration, calibration);

static int parse_tsc(const char *s)
{
	if (!strcmp(s, "unstable"))
		tsc_unstable = true;
	else if (strcmp(s, "stable") && strncmp(s, "stable:", 7))
		return -EINVAL;
	return 0;
}
custom_param("tsc", parse_tsc);

bool tsc_is_invariant(void)
{
	return !tsc_unstable && cpu_has(X86_FEATURE_ITSC);
}

bool tsc_is_stable(void)
{
	return tsc_is_invariant() && !strcmp(opt_clocksource, "tsc");
}

/*
 * May guests read the TSC themselves? Also under another hypervisor, whose
 * virtual TSCs come from one clock.
 */
bool host_tsc_is_safe(void)
{
	return tsc_is_invariant() || cpumask_weight(&cpu_online_map) == 1 ||
	       cpu_has(X86_FEATURE_HYPERVISOR);
}

/* ---- now ---- */

const struct time_record *this_time_record(void)
{
	return &this_cpu(time_record);
}

s_time_t stime_at_tsc(uint64_t tsc)
{
	const struct time_record *r = &this_cpu(time_record);

	return r->stime + (s_time_t)scale_delta(tsc - r->tsc, &r->scale);
}

s_time_t get_s_time(void)
{
	return stime_at_tsc(rdtsc_ordered());
}

/* Interrupts off. */
static void set_record(uint64_t tsc, s_time_t stime, struct time_scale scale)
{
	struct time_record *r = &this_cpu(time_record);

	r->tsc = tsc;
	r->stime = stime;
	r->scale = scale;
	r->to_ticks = scale_reciprocal(scale);
	r->generation = atomic_add_return(&last_generation, 1ul);
}

void udelay(unsigned long usec)
{
	uint64_t t0, ticks = (uint64_t)cpu_khz * usec / 1000;

	/* not calibrated yet: a port write takes about a microsecond */
	if (!cpu_khz) {
		while (usec--)
			outb(0, 0x80);
		return;
	}
	t0 = rdtsc();
	while (rdtsc() - t0 < ticks)
		cpu_relax();
}

/* ---- periodic comparison, where the TSC's rate may change ---- */

/*
 * `scale` is the true rate of the last period; make time arrive at the
 * platform's a period from now. Bends by at most a quarter.
 */
static struct time_scale bend(struct time_scale scale, s_time_t error)
{
	s_time_t limit = CALIBRATION_PERIOD / 4;
	uint64_t mul;

	error = error > limit ? limit : error < -limit ? -limit : error;
	mul = muldiv64(scale.mul, (uint64_t)(CALIBRATION_PERIOD + error),
		       (uint64_t)CALIBRATION_PERIOD);
	while (mul >> 32) {
		mul >>= 1;
		scale.shift++;
	}
	scale.mul = (uint32_t)mul;
	return scale;
}

static void compare_with_platform(struct calibration *c)
{
	struct time_scale scale = this_cpu(time_record).scale;
	unsigned long flags = local_irq_save();
	uint64_t tsc, hz;
	s_time_t platform = platform_time(&tsc), local = stime_at_tsc(tsc);

	if (platform - c->platform >= MILLISECS(100) && tsc > c->tsc) {
		hz = muldiv64(tsc - c->tsc, 1000000000, (uint64_t)(platform - c->platform));
		if (hz >= 1000000)
			set_time_scale(&scale, hz);
		if (platform - local > SECONDS(2))	/* the machine slept: jump */
			local = platform;
		set_record(tsc, local, bend(scale, platform - local));
		c->tsc = tsc;
		c->platform = platform;
	}
	local_irq_restore(flags);
}

static void calibrate_timer(void *data)
{
	struct calibration *c = data;

	if (c->cpu != smp_processor_id())
		return;			/* its CPU went offline, the timer was moved here */
	compare_with_platform(c);
	if (!is_idle_vcpu(current))
		update_vcpu_system_time(current);
	set_timer(&c->timer, NOW() + CALIBRATION_PERIOD);
}

static void start_comparing(uint64_t tsc, s_time_t platform)
{
	struct calibration *c = &this_cpu(calibration);

	if (c->timer.fn)		/* left from before it went offline */
		kill_timer(&c->timer);
	c->cpu = smp_processor_id();
	c->tsc = tsc;
	c->platform = platform;
	init_timer(&c->timer, calibrate_timer, c, c->cpu);
	set_timer(&c->timer, NOW() + CALIBRATION_PERIOD);
}

/* ---- deadline timer ---- */

static void apic_timer_interrupt(struct cpu_user_regs *regs __maybe_unused)
{
	raise_softirq(TIMER_SOFTIRQ);
}

bool reprogram_timer(s_time_t deadline)
{
	const struct time_record *r = &this_cpu(time_record);
	s_time_t now;
	uint64_t count;

	if (deadline == 0 || deadline == INT64_MAX) {
		if (apic_timer_hz)
			apic_timer_set_count(0);
		else
			apic_timer_set_deadline(0);
		return true;
	}
	now = NOW();
	if (deadline <= now)
		return false;
	/*
	 * A far deadline, which guests may choose up to the end of time, is cut short
	 * before it overflows: the timer code finds nothing expired and arms again.
	 */
	deadline = min(deadline, now + SECONDS(60));
	if (!apic_timer_hz) {
		apic_timer_set_deadline(
			r->tsc + scale_delta((uint64_t)(deadline - r->stime), &r->to_ticks) + 1);
		return true;
	}
	count = scale_delta((uint64_t)(deadline - now), &ns_to_apic) + 1;
	apic_timer_set_count((uint32_t)min(count, (uint64_t)0xffffffff));
	return true;
}

/* ---- boot ---- */

/* CPUID 0x15 gives the exact rate on many Intel CPUs. */
static uint64_t __init tsc_hz_by_cpuid(void)
{
	uint32_t a, b, c, d;

	if (boot_cpu.vendor != VENDOR_INTEL || boot_cpu.max_leaf < 0x15 ||
	    cpu_has(X86_FEATURE_HYPERVISOR))
		return 0;
	cpuid_count(0x15, 0, &a, &b, &c, &d);
	return a && b && c ? (uint64_t)c * b / a : 0;
}

/* System time follows the platform timer from here on, and does not step back. */
static void __init use_tsc_hz(uint64_t hz)
{
	struct time_record *r = &this_cpu(time_record);
	struct time_scale scale;
	uint64_t tsc;
	s_time_t now = platform_time(&tsc);

	cpu_khz = (uint32_t)(hz / 1000);
	set_time_scale(&scale, hz);
	if (r->generation && stime_at_tsc(tsc) > now)
		now = stime_at_tsc(tsc);
	set_record(tsc, now, scale);
}

/* Needs ACPI tables, CPUID, and the boot CPU's per-CPU area. After it NOW() and udelay() work. */
void __init time_init_early(void)
{
	uint64_t hz;

	platform_timer_init();
	hz = tsc_hz_by_cpuid();
	tsc_from_crystal = hz != 0;
	if (!hz)
		hz = platform_measure_tsc_hz(CALIBRATION_USEC);
	if (hz < 1000000)
		panic("The TSC does not count");
	use_tsc_hz(hz);
	this_cpu(calibration).platform = platform_time(&this_cpu(calibration).tsc);
}

/*
 * After timers_init and apic_init_bsp. The boot work since time_init_early has
 * been a longer measurement than that one could wait for.
 */
void __init time_init(void)
{
	struct calibration *c = &this_cpu(calibration);
	unsigned long flags = local_irq_save();
	uint64_t tsc;
	s_time_t platform = platform_time(&tsc);
	struct time_scale apic;

	if (!tsc_from_crystal && platform - c->platform > 5 * MICROSECS(CALIBRATION_USEC))
		use_tsc_hz(muldiv64(tsc - c->tsc, 1000000000, (uint64_t)(platform - c->platform)));
	local_irq_restore(flags);
	printk(XENLOG_INFO "Time: TSC %u.%03u MHz%s, platform timer %s\n", cpu_khz / 1000,
	       cpu_khz % 1000, tsc_is_invariant() ? ", invariant" : "", platform_timer_name());
	set_direct_vector(VECTOR_APIC_TIMER, apic_timer_interrupt);
	apic_timer_calibrate();
	if (apic_timer_hz) {
		set_time_scale(&apic, apic_timer_hz);
		ns_to_apic = scale_reciprocal(apic);
	}
	apic_timer_init_cpu();
	wallclock_init();
	if (!tsc_is_invariant()) {
		platform = platform_time(&tsc);
		start_comparing(tsc, platform);
	}
}

/* An AP, on itself, interrupts off, before it is online. */
void time_init_cpu(void)
{
	const struct time_record *boot = &per_cpu(time_record, 0);
	uint64_t tsc;
	s_time_t platform = platform_time(&tsc), by_tsc, offset;

	by_tsc = boot->stime + (s_time_t)scale_delta(tsc - boot->tsc, &boot->scale);
	offset = by_tsc - platform;
	if (tsc_is_invariant() && offset < MICROSECS(100) && offset > -MICROSECS(100)) {
		this_cpu(time_record) = *boot;
		return;
	}
	if (tsc_is_invariant())
		printk(XENLOG_WARNING "CPU%u: TSC differs from CPU0's by %ld ns\n",
		       smp_processor_id(), (long)offset);
	set_record(tsc, platform, boot->scale);
	if (!tsc_is_invariant())
		start_comparing(tsc, platform);
}
