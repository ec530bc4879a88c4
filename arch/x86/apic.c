/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of each CPU, through its page (xAPIC) or MSRs (x2APIC):
 * set-up, EOI, interrupts between CPUs, and its timer.
 *
 *   x2apic=0	use the page even where MSRs could be used
 *   tsc_deadline=0	count down instead of using the TSC deadline
 *
 * x2APIC is used if the firmware left it on, or the CPU has it (then ids over
 * 254 need interrupt remapping for devices, which only CPUs below get).
 * Source: Intel SDM 3A, chapter 11.
 */
#include <core/lib.h>
#include <core/param.h>
#include <arch/cpu.h>
#include <arch/time.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>
#include <x86/irq.h>
#include <x86/mm.h>
#include <x86/platform.h>

#define MSR_APIC_BASE		0x1b
#define APIC_BASE_EXTD		(1u << 10)
#define APIC_BASE_ENABLE	(1u << 11)
#define MSR_TSC_DEADLINE	0x6e0

#define APIC_ID		0x20
#define APIC_LVR	0x30
#define APIC_TPR	0x80
#define APIC_EOI	0xb0
#define APIC_LDR	0xd0
#define APIC_DFR	0xe0
#define APIC_SPIV	0xf0
#define APIC_ISR	0x100
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_LVT_CMCI	0x2f0
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVT_TIMER	0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF	0x340
#define APIC_LVT_LINT0	0x350
#define APIC_LVT_LINT1	0x360
#define APIC_LVT_ERROR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0

#define LVT_MASKED	(1u << 16)
#define LVT_NMI		(4u << 8)
#define LVT_TSC_DEADLINE (2u << 17)
#define ICR_NMI		(4u << 8)
#define ICR_INIT	(5u << 8)
#define ICR_STARTUP	(6u << 8)
#define ICR_BUSY	(1u << 12)
#define ICR_ASSERT	(1u << 14)
#define ICR_LEVEL	(1u << 15)
#define ICR_ALL_OTHERS	(3u << 18)
#define TDCR_DIV1	0xbu

bool x2apic_enabled;
uint32_t apic_timer_hz;

static void *apic_page;
static bool opt_x2apic = true, opt_tsc_deadline = true;
boolean_param("x2apic", opt_x2apic);
boolean_param("tsc_deadline", opt_tsc_deadline);

static inline uint32_t x2apic_msr(unsigned int reg)
{
	return 0x800 + (reg >> 4);
}

uint32_t apic_read(unsigned int reg)
{
	if (x2apic_enabled)
		return (uint32_t)rdmsr(x2apic_msr(reg));
	return readl((char *)apic_page + reg);
}

void apic_write(unsigned int reg, uint32_t val)
{
	if (x2apic_enabled)
		wrmsr(x2apic_msr(reg), val);
	else
		writel(val, (char *)apic_page + reg);
}

/* By CPUID, so that it works before the APIC is set up. */
uint32_t apic_id(void)
{
	uint32_t a, b, c, d;

	cpuid_count(0, 0, &a, &b, &c, &d);
	if (a >= 0xb) {
		cpuid_count(0xb, 0, &a, &b, &c, &d);
		if (b & 0xffff)
			return d;
	}
	cpuid_count(1, 0, &a, &b, &c, &d);
	return b >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

bool apic_isr_test(unsigned int vector)
{
	return apic_read(APIC_ISR + (vector / 32) * 16) & (1u << (vector % 32));
}

bool apic_irr_test(unsigned int vector)
{
	return apic_read(APIC_IRR + (vector / 32) * 16) & (1u << (vector % 32));
}

uint8_t apic_dest_byte(unsigned int cpu)
{
	return (uint8_t)x86_cpu_to_apicid[cpu];
}

/* ---- interrupts between CPUs ---- */

static void icr_wait(void)
{
	while (apic_read(APIC_ICR) & ICR_BUSY)
		cpu_relax();
}

/* The ICR is two registers in xAPIC mode: no interrupt may come in between. */
static void icr_send(uint32_t apicid, uint32_t low)
{
	unsigned long flags;

	if (x2apic_enabled) {
		/*
		 * WRMSR to x2APIC registers is not serialising: what we wrote
		 * before must be seen first.
		 */
		__asm__ __volatile__("mfence; lfence" ::: "memory");
		wrmsr(x2apic_msr(APIC_ICR), (uint64_t)apicid << 32 | low);
		return;
	}
	flags = local_irq_save();
	icr_wait();
	apic_write(APIC_ICR2, apicid << 24);
	apic_write(APIC_ICR, low);
	local_irq_restore(flags);
}

void apic_send_ipi(unsigned int cpu, uint8_t vector)
{
	icr_send(x86_cpu_to_apicid[cpu], vector);
}

void apic_send_ipi_mask(const cpumask_t *mask, uint8_t vector)
{
	unsigned int cpu;

	for_each_cpu(cpu, mask)
		icr_send(x86_cpu_to_apicid[cpu], vector);
}

void apic_send_nmi_all_others(void)
{
	icr_send(0, ICR_NMI | ICR_ASSERT | ICR_ALL_OTHERS);
}

void apic_send_init(uint32_t apicid)
{
	icr_send(apicid, ICR_INIT | ICR_LEVEL | ICR_ASSERT);
	if (!x2apic_enabled)
		icr_wait();
	udelay(200);
	icr_send(apicid, ICR_INIT | ICR_LEVEL);
	if (!x2apic_enabled)
		icr_wait();
	udelay(100);
}

/* INIT, then STARTUP twice, with the pauses of SDM 3A 9.4.4.1 where they matter. */
void apic_send_init_sipi(uint32_t apicid, uint8_t start_page)
{
	apic_send_init(apicid);
	for (unsigned int i = 0; i < 2; i++) {
		icr_send(apicid, ICR_STARTUP | start_page);
		if (!x2apic_enabled)
			icr_wait();
		udelay(200);
	}
}

/* ---- set-up ---- */

static void apic_error(struct cpu_user_regs *regs __maybe_unused)
{
	uint32_t esr;

	apic_write(APIC_ESR, 0);
	esr = apic_read(APIC_ESR);
	printk(XENLOG_WARNING "APIC error on CPU%u: %02x\n", smp_processor_id(), esr);
}

static void apic_spurious(struct cpu_user_regs *regs __maybe_unused)
{
}

static void apic_enable_mode(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!(base & APIC_BASE_ENABLE)) {
		base |= APIC_BASE_ENABLE;
		wrmsr(MSR_APIC_BASE, base);
	}
	if (x2apic_enabled && !(base & APIC_BASE_EXTD))
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD);
}

/* This CPU's APIC: everything masked but NMI on LINT1 of the boot CPU, then enabled. */
void apic_init_cpu(void)
{
	unsigned int max_lvt;

	apic_enable_mode();
	max_lvt = (apic_read(APIC_LVR) >> 16) & 0xff;
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_APIC_TIMER);
	if (max_lvt >= 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED);
	if (max_lvt >= 4)
		apic_write(APIC_LVT_PERF, LVT_MASKED | LVT_NMI);
	if (max_lvt >= 6)
		apic_write(APIC_LVT_CMCI, LVT_MASKED | VECTOR_CMCI);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, smp_processor_id() ? LVT_MASKED | LVT_NMI : LVT_NMI);
	if (!x2apic_enabled) {
		/* flat; only physical destinations are used */
		apic_write(APIC_DFR, 0xffffffff);
		apic_write(APIC_LDR, 0);
	}
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SPIV, 0x100 | VECTOR_SPURIOUS);
	/* What the firmware left in service would block lower vectors for ever. */
	for (unsigned int i = 0; i < 256; i++) {
		bool any = false;

		for (unsigned int r = 0; r < 8; r++)
			any |= apic_read(APIC_ISR + r * 16) != 0;
		if (!any)
			break;
		apic_eoi();
	}
	apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
	apic_write(APIC_ESR, 0);
	apic_timer_init_cpu();
}

void __init apic_init_bsp(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	x2apic_enabled = (base & APIC_BASE_EXTD) != 0;
	if (!x2apic_enabled && opt_x2apic && cpu_has(X86_FEATURE_X2APIC))
		x2apic_enabled = true;
	if (!x2apic_enabled)
		apic_page = ioremap(acpi.lapic_address, PAGE_SIZE);
	set_direct_vector(VECTOR_ERROR, apic_error);
	set_direct_vector(VECTOR_SPURIOUS, apic_spurious);
	apic_init_cpu();
	printk(XENLOG_INFO "APIC: id %u, %s\n", apic_id(), x2apic_enabled ? "x2APIC" : "xAPIC");
}

/* A CPU that goes offline: nothing may reach it but INIT and NMI. */
void apic_shutdown_cpu(void)
{
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_APIC_TIMER);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_MASKED);
	apic_write(APIC_LVT_ERROR, LVT_MASKED | VECTOR_ERROR);
}

/* ---- its timer ---- */

static bool use_deadline(void)
{
	return opt_tsc_deadline && cpu_has(X86_FEATURE_TSC_DEADLINE);
}

/* The count and the TSC together: of several pairs the one with the shortest gap. */
static uint32_t __init sample_count(uint64_t *tsc)
{
	uint64_t best = ~0ULL;
	uint32_t count = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t before = rdtsc_ordered();
		uint32_t c = apic_read(APIC_TMCCT);
		uint64_t after = rdtsc_ordered();

		if (after - before < best) {
			best = after - before;
			*tsc = before + best / 2;
			count = c;
		}
	}
	return count;
}

/* How fast it counts, against the TSC (which time.c has calibrated), in one millisecond. */
void __init apic_timer_calibrate(void)
{
	uint32_t c0, c1;
	uint64_t t0, t1;

	if (use_deadline()) {
		apic_timer_hz = 0;
		printk(XENLOG_INFO "APIC timer: TSC deadline\n");
		return;
	}
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_APIC_TIMER);
	apic_write(APIC_TDCR, TDCR_DIV1);
	apic_write(APIC_TMICT, 0xffffffff);
	c0 = sample_count(&t0);
	while (rdtsc_ordered() - t0 < cpu_khz)
		cpu_relax();
	c1 = sample_count(&t1);
	apic_write(APIC_TMICT, 0);
	apic_timer_hz = (uint32_t)muldiv64(c0 - c1, (uint64_t)cpu_khz * 1000, t1 - t0);
	if (!apic_timer_hz)
		panic("The local APIC timer does not count");
	printk(XENLOG_INFO "APIC timer: %u.%03u MHz\n", apic_timer_hz / 1000000,
	       apic_timer_hz / 1000 % 1000);
}

void apic_timer_init_cpu(void)
{
	if (use_deadline()) {
		apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_APIC_TIMER);
		/* SDM 11.5.4.1: before the first deadline */
		__asm__ __volatile__("mfence" ::: "memory");
	} else {
		apic_write(APIC_TDCR, TDCR_DIV1);
		apic_write(APIC_LVT_TIMER, VECTOR_APIC_TIMER);
		apic_write(APIC_TMICT, 0);
	}
}

void apic_timer_set_count(uint32_t count)
{
	apic_write(APIC_TMICT, count);
}

void apic_timer_set_deadline(uint64_t tsc)
{
	wrmsr(MSR_TSC_DEADLINE, tsc);
}
