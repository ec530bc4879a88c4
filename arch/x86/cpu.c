/* SPDX-License-Identifier: MIT */
/*
 * What the CPU is and can do (boot_cpu, in the ABI's featureset layout), and
 * the control registers of each CPU. What we need of it is checked once, here,
 * with one line that says what is missing; the rest of the code does not ask.
 */
#include <core/lib.h>
#include <core/param.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>
#include <x86/mm.h>
#include <x86/platform.h>

struct cpuinfo boot_cpu __ro_after_init;
uint64_t host_xcr0 __ro_after_init;
unsigned int host_xsave_size __ro_after_init;

static bool opt_smep = true, opt_smap = true, opt_xsave = true;
boolean_param("smep", opt_smep);
boolean_param("smap", opt_smap);
boolean_param("xsave", opt_xsave);

/* CPUID output registers, by the order of the array */
enum { EAX, EBX, ECX, EDX };

/* Which output of which leaf is which word of the featureset. */
static const struct {
	uint32_t leaf, sub;
	uint8_t reg;
} feature_words[] __initconst = {
	{ 1, 0, EDX }, { 1, 0, ECX }, { 0x80000001, 0, EDX }, { 0x80000001, 0, ECX },
	{ 0xd, 1, EAX }, { 7, 0, EBX }, { 7, 0, ECX }, { 0x80000007, 0, EDX },
	{ 0x80000008, 0, EBX }, { 7, 0, EDX }, { 7, 1, EAX }, { 0x80000021, 0, EAX },
	{ 7, 1, EBX }, { 7, 2, EDX }, { 7, 1, ECX }, { 7, 1, EDX },
};

static void __init read_features(struct cpuinfo *c)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(feature_words); i++) {
		uint32_t leaf = feature_words[i].leaf, r[4];

		if (leaf > ((leaf & 0x80000000) ? c->max_ext_leaf : c->max_leaf))
			continue;
		if (leaf == 7 && feature_words[i].sub) {
			cpuid_count(7, 0, &r[0], &r[1], &r[2], &r[3]);
			if (feature_words[i].sub > r[EAX])
				continue;
		}
		cpuid_count(leaf, feature_words[i].sub, &r[0], &r[1], &r[2], &r[3]);
		c->features[i] = r[feature_words[i].reg];
	}
}

static void __init read_identity(struct cpuinfo *c)
{
	uint32_t a, b, cx, d;
	char vendor[13] = "";

	cpuid_count(0, 0, &c->max_leaf, &b, &cx, &d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &cx, 4);
	if (!strcmp(vendor, "GenuineIntel"))
		c->vendor = VENDOR_INTEL;
	else if (!strcmp(vendor, "AuthenticAMD"))
		c->vendor = VENDOR_AMD;
	else if (!strcmp(vendor, "HygonGenuine"))
		c->vendor = VENDOR_HYGON;

	cpuid_count(1, 0, &a, &b, &cx, &d);
	c->family = (uint8_t)((a >> 8) & 15);
	c->model = (uint8_t)((a >> 4) & 15);
	c->stepping = (uint8_t)(a & 15);
	if (c->family == 6 || c->family == 15)
		c->model = (uint8_t)(c->model | ((a >> 12) & 0xf0));
	if (c->family == 15)
		c->family = (uint8_t)(c->family + ((a >> 20) & 0xff));

	cpuid_count(0x80000000, 0, &c->max_ext_leaf, &b, &cx, &d);
	c->phys_bits = 36;
	c->virt_bits = 48;
	if (c->max_ext_leaf >= 0x80000008) {
		cpuid_count(0x80000008, 0, &a, &b, &cx, &d);
		c->phys_bits = (uint8_t)a;
		c->virt_bits = (uint8_t)(a >> 8);
	}
	for (uint32_t i = 0; c->max_ext_leaf >= 0x80000004 && i < 3; i++) {
		uint32_t *w = (uint32_t *)(void *)(c->model_name + 16 * i);

		cpuid_count(0x80000002 + i, 0, &w[0], &w[1], &w[2], &w[3]);
	}
}

static void __init require_features(void)
{
	static const struct {
		unsigned int feature;
		const char *name;
	} needed[] __initconst = {
		{ X86_FEATURE_LM, "long mode" }, { X86_FEATURE_NX, "no-execute pages (NX)" },
		{ X86_FEATURE_SYSCALL, "SYSCALL" }, { X86_FEATURE_SSE2, "SSE2" },
		{ X86_FEATURE_FXSR, "FXSAVE" }, { X86_FEATURE_PAE, "PAE" },
		{ X86_FEATURE_MSR, "MSRs" }, { X86_FEATURE_TSC, "a time stamp counter" },
		{ X86_FEATURE_APIC, "a local APIC" }, { X86_FEATURE_CX8, "CMPXCHG8B" },
		{ X86_FEATURE_PGE, "global pages" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++)
		if (!cpu_has(needed[i].feature))
			panic("This CPU lacks %s, which Krypton needs; "
			      "enable it in the firmware or use another machine\n", needed[i].name);
}

static void __init clear_feature(unsigned int feature)
{
	boot_cpu.features[feature / 32] &= ~(1u << (feature % 32));
}

/* x87, SSE, AVX, AVX-512, PKRU: what a PV guest can switch without our knowing more. */
#define XCR0_KNOWN	((1u << 0) | (1u << 1) | (1u << 2) | (7u << 5) | (1u << 9))

static void __init find_xsave(void)
{
	uint32_t a, b, c, d;

	if (!opt_xsave)
		clear_feature(X86_FEATURE_XSAVE);
	if (!cpu_has(X86_FEATURE_XSAVE) || boot_cpu.max_leaf < 0xd)
		return;
	cpuid_count(0xd, 0, &a, &b, &c, &d);
	host_xcr0 = a & XCR0_KNOWN;
	if ((host_xcr0 & (7u << 5)) != (7u << 5))
		host_xcr0 &= ~(uint64_t)(7u << 5);
	/* Leaf 0xd.0 EBX says the size for what XCR0 holds, so set it first. */
	write_cr4(read_cr4() | CR4_OSXSAVE);
	__asm__ __volatile__("xsetbv" :: "c"(0), "a"((uint32_t)host_xcr0), "d"(0));
	cpuid_count(0xd, 0, &a, &b, &c, &d);
	host_xsave_size = b;
}

void __init cpu_identify_bsp(void)
{
	read_identity(&boot_cpu);
	read_features(&boot_cpu);
	require_features();
	if (!opt_smep)
		clear_feature(X86_FEATURE_SMEP);
	if (!opt_smap)
		clear_feature(X86_FEATURE_SMAP);
	find_xsave();
	printk(XENLOG_INFO "CPU: %s (family %u model %u stepping %u), %u physical bits\n",
	       boot_cpu.model_name[0] ? boot_cpu.model_name : "unnamed", boot_cpu.family,
	       boot_cpu.model, boot_cpu.stepping, boot_cpu.phys_bits);
}

#define MSR_PLATFORM_INFO		0xce
#define PLATFORM_INFO_CPUID_FAULTING	(1ULL << 31)
#define MSR_MISC_FEATURES_ENABLES	0x140
#define MISC_FEATURES_CPUID_FAULTING	(1ULL << 0)
#define MSR_AMD_HWCR			0xc0010015
#define HWCR_CPUID_USER_DIS		(1ULL << 35)
#define AMD_CPUID_USER_DIS		(1u << 17)	/* leaf 0x80000021 EAX */

/*
 * Makes CPUID fault outside ring 0, so that a guest's user programs too see its policy and not this
 * machine; emul_priv.c answers. Every vcpu is a PV guest's, so it stays on. Intel: SDM 2.1.7 of volume 4
 * (MSRs 0CEH, 140H); AMD: APM volume 3, leaf 8000_0021h, CpuidUserDis.
 */
static void enable_cpuid_faulting(void)
{
	uint32_t a = 0, b, c, d;
	uint64_t v;

	if (boot_cpu.vendor == VENDOR_INTEL) {
		if (!rdmsr_safe(MSR_PLATFORM_INFO, &v) && (v & PLATFORM_INFO_CPUID_FAULTING) &&
		    !rdmsr_safe(MSR_MISC_FEATURES_ENABLES, &v))
			(void)wrmsr_safe(MSR_MISC_FEATURES_ENABLES,
					 v | MISC_FEATURES_CPUID_FAULTING);
		return;
	}
	if (boot_cpu.max_ext_leaf >= 0x80000021)
		cpuid_count(0x80000021, 0, &a, &b, &c, &d);
	if ((a & AMD_CPUID_USER_DIS) && !rdmsr_safe(MSR_AMD_HWCR, &v))
		(void)wrmsr_safe(MSR_AMD_HWCR, v | HWCR_CPUID_USER_DIS);
}

/*
 * Control registers of this CPU, from a known state, then its descriptor
 * tables. CR4.TSD, PCE and the like are the context switch's.
 */
void cpu_init(void)
{
	static const struct {
		unsigned int feature;
		unsigned long cr4;
	} optional[] = {
		{ X86_FEATURE_SMEP, CR4_SMEP }, { X86_FEATURE_SMAP, CR4_SMAP },
		{ X86_FEATURE_UMIP, CR4_UMIP }, { X86_FEATURE_FSGSBASE, CR4_FSGSBASE },
		{ X86_FEATURE_XSAVE, CR4_OSXSAVE }, { X86_FEATURE_DE, CR4_DE },
		{ X86_FEATURE_MCE, CR4_MCE },
	};
	unsigned long cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NX | EFER_SCE);
	if (cpu_has(X86_FEATURE_PAT))
		wrmsr(MSR_PAT, HOST_PAT);
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	for (unsigned int i = 0; i < ARRAY_SIZE(optional); i++)
		if (cpu_has(optional[i].feature))
			cr4 |= optional[i].cr4;
	write_cr4(cr4);
	if (host_xcr0)
		__asm__ __volatile__("xsetbv" :: "c"(0), "a"((uint32_t)host_xcr0), "d"(0));
	__asm__ __volatile__("fninit");
	percpu_traps_init();
	enable_cpuid_faulting();
}
