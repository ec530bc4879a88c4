/* SPDX-License-Identifier: MIT */
/*
 * The platform's own counter, against which the TSC is measured: HPET, ACPI PM
 * timer or, where neither is, channel 2 of the PIT. Reading it is slow (a
 * device access), so it is read at boot, and once a second where the TSC's rate
 * cannot be relied on.
 *
 *   clocksource=hpet|acpi|pit|tsc	tsc: no periodic correction, guests are told that the
 *					TSC is stable
 *
 * A sample is a pair of counter and TSC taken together. On a busy or virtual
 * machine there may be a long gap between the two reads, so the best of a few
 * tries is taken.
 */
#include <core/lib.h>
#include <core/param.h>
#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <arch/time.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <x86/time.h>

#define PM_TIMER_HZ	3579545
#define PIT_HZ		1193182
#define HPET_PERIOD	0x004		/* femtoseconds per tick */
#define HPET_CONFIG	0x010		/* bit 0 counts, bit 1 takes over the PIT's interrupts */
#define HPET_COUNTER	0x0f0

struct platform_timer {
	const char *name;
	const char *option;
	bool (*probe)(void);
	uint32_t (*read)(void);
	uint64_t hz;
	uint32_t mask;
};

char opt_clocksource[8];
string_param("clocksource", opt_clocksource);

static void *hpet;
static struct platform_timer *timer;
static DEFINE_SPINLOCK(platform_lock, LOCK_ANY);
static uint32_t last_count;		/* platform_lock */
static uint64_t total_ticks;		/* platform_lock; since init */
static struct time_scale ticks_to_ns;

static uint32_t hpet_read(void)
{
	return readl((char *)hpet + HPET_COUNTER);
}

static struct platform_timer hpet_timer, pm_timer, pit_timer;

static bool __init hpet_probe(void)
{
	uint32_t period, cfg;

	if (!acpi.hpet_address)
		return false;
	hpet = ioremap(acpi.hpet_address, PAGE_SIZE);
	period = readl((char *)hpet + HPET_PERIOD);
	if (period < 100000 || period > 100000000)
		return false;
	cfg = readl((char *)hpet + HPET_CONFIG);
	writel((cfg & ~3u) | 1, (char *)hpet + HPET_CONFIG);
	hpet_timer.hz = 1000000000000000ULL / period;
	return true;
}

static bool __init pm_probe(void)
{
	uint32_t a, b = 0;

	if (!acpi.pm_timer_port)
		return false;
	pm_timer.mask = acpi.pm_timer_32bit ? 0xffffffff : 0xffffff;
	a = inl(acpi.pm_timer_port);
	for (unsigned int i = 0; i < 1000; i++) {
		b = inl(acpi.pm_timer_port);
		if (b != a)
			return true;
	}
	return false;
}

static uint32_t pm_read(void)
{
	return inl(acpi.pm_timer_port) & pm_timer.mask;
}

/* Channel 2 counts down from 65535, free-running in mode 2, its output not on the speaker. */
static bool __init pit_probe(void)
{
	outb((inb(0x61) & (uint8_t)~2) | 1, 0x61);
	outb(0xb4, 0x43);
	outb(0xff, 0x42);
	outb(0xff, 0x42);
	return true;
}

static uint32_t pit_read(void)
{
	uint32_t v;

	outb(0x80, 0x43);		/* latch channel 2 */
	v = inb(0x42);
	v |= (uint32_t)inb(0x42) << 8;
	return 0xffff - v;
}

static struct platform_timer hpet_timer = {
	.name = "HPET", .option = "hpet", .probe = hpet_probe, .read = hpet_read, .mask = 0xffffffff
};
static struct platform_timer pm_timer = {
	.name = "ACPI PM timer", .option = "acpi",
	.probe = pm_probe, .read = pm_read, .hz = PM_TIMER_HZ,
};
static struct platform_timer pit_timer = {
	.name = "PIT", .option = "pit",
	.probe = pit_probe, .read = pit_read, .hz = PIT_HZ, .mask = 0xffff,
};

/* Counter and TSC together, the pair with the shortest gap of several. */
static uint32_t sample(uint64_t *tsc)
{
	uint64_t best = ~0ULL;
	uint32_t count = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t before = rdtsc_ordered();
		uint32_t c = timer->read();
		uint64_t after = rdtsc_ordered();

		if (after - before < best) {
			best = after - before;
			count = c;
			*tsc = before + best / 2;
		}
	}
	return count;
}

s_time_t platform_time(uint64_t *tsc)
{
	unsigned long flags;
	s_time_t ns;
	uint32_t c;

	spin_lock_irqsave(&platform_lock, flags);
	c = sample(tsc);
	total_ticks += (c - last_count) & timer->mask;
	last_count = c;
	ns = (s_time_t)scale_delta(total_ticks, &ticks_to_ns);
	spin_unlock_irqrestore(&platform_lock, flags);
	return ns;
}

uint64_t __init platform_measure_tsc_hz(unsigned int usec)
{
	uint64_t want = timer->hz * usec / 1000000, t0, t1;
	uint32_t c0 = sample(&t0), c1;

	while (((timer->read() - c0) & timer->mask) < want)
		cpu_relax();
	c1 = sample(&t1);
	return muldiv64(t1 - t0, timer->hz, (c1 - c0) & timer->mask);
}

const char *platform_timer_name(void)
{
	return timer->name;
}

void __init platform_timer_init(void)
{
	struct platform_timer *all[] = { &hpet_timer, &pm_timer, &pit_timer };
	uint64_t tsc;

	for (unsigned int i = 0; i < ARRAY_SIZE(all) && !timer; i++)
		if (!strcmp(all[i]->option, opt_clocksource) && all[i]->probe())
			timer = all[i];
	for (unsigned int i = 0; i < ARRAY_SIZE(all) && !timer; i++)
		if (all[i]->probe())
			timer = all[i];
	set_time_scale(&ticks_to_ns, timer->hz);
	last_count = sample(&tsc);
}
