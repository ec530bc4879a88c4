/* SPDX-License-Identifier: MIT */
/*
 * MSRs as PV guests see them. Most are constants or come from the policy; few
 * reach the CPU. An unknown one is #GP, unless the guest has no handler for
 * that yet and the CPU knows the MSR: Linux reads some before it has traps.
 */
#include <core/domain.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <arch/map.h>
#include <x86/asm.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/emul.h>
#include <x86/entry.h>
#include <x86/mm.h>
#include <x86/page.h>
#include <x86/pv.h>
#include <x86/time.h>

#define MSR_TSC			0x10
#define MSR_PLATFORM_ID		0x17
#define MSR_APIC_BASE		0x1b
#define MSR_FEATURE_CONTROL	0x3a
#define MSR_UCODE_REV		0x8b
#define MSR_PLATFORM_INFO	0xce
#define MSR_ARCH_CAPABILITIES	0x10a
#define MSR_MCG_CAP		0x179
#define MSR_MCG_STATUS		0x17a
#define MSR_MCG_CTL		0x17b
#define MSR_PERF_STATUS		0x198
#define MSR_PERF_CTL		0x199
#define MSR_THERM_STATUS	0x19c
#define MSR_MISC_ENABLE		0x1a0
#define MSR_PAT			0x277
#define MSR_PERF_CAPABILITIES	0x345
#define MSR_MC0_CTL		0x400
#define MSR_MC31_MISC		0x47f
#define MSR_XEN_HYPERCALL_PAGE	0x40000000
#define MSR_EFER		0xc0000080
#define MSR_AMD_SYSCFG		0xc0010010
#define MSR_AMD_HWCR		0xc0010015
#define MSR_AMD_TOP_MEM		0xc001001a
#define MSR_AMD_TOP_MEM2	0xc001001d
#define MSR_AMD_NB_CFG		0xc001001f
#define MSR_AMD_PSTATE_LIMIT	0xc0010061
#define MSR_AMD_PSTATE7		0xc001006b
#define MSR_AMD_DE_CFG		0xc0011029

#define APIC_BASE_DEFAULT	0xfee00000UL
#define APIC_BASE_ENABLE	(1UL << 11)
#define APIC_BASE_BSP		(1UL << 8)
#define MISC_ENABLE_HIDE	((1UL << 7) | (1UL << 18))		/* perf, MONITOR */
/* no BTS, no PEBS, xTPR off */
#define MISC_ENABLE_FORCE	((1UL << 11) | (1UL << 12) | (1UL << 23))
#define SYSCFG_VISIBLE		((1UL << 22) | (1UL << 21) | (1UL << 20) | (1UL << 18))
#define DE_CFG_LFENCE_SERIALISE	2UL
#define EFER_GUEST		(EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)

static bool is_amd(void)
{
	return boot_cpu.vendor == VENDOR_AMD || boot_cpu.vendor == VENDOR_HYGON;
}

static uint64_t guest_efer(void)
{
	return rdmsr(MSR_EFER) & EFER_GUEST;
}

static bool read_intel(uint32_t msr, uint64_t *val)
{
	if (boot_cpu.vendor != VENDOR_INTEL)
		return false;
	switch (msr) {
	case MSR_FEATURE_CONTROL:
		*val = 1;	/* locked, nothing on */
		return true;
	case MSR_PERF_STATUS:
	case MSR_PERF_CTL:
	case MSR_THERM_STATUS:
		*val = 0;
		return true;
	case MSR_PLATFORM_ID:
		return !rdmsr_safe(msr, val);
	}
	return false;
}

static bool read_amd(const struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (!is_amd())
		return false;
	*val = 0;
	switch (msr) {
	case MSR_AMD_SYSCFG:
	case MSR_AMD_TOP_MEM:
	case MSR_AMD_TOP_MEM2:
		if (!v->domain->is_hardware || rdmsr_safe(msr, val))
			return false;
		if (msr == MSR_AMD_SYSCFG)
			*val &= SYSCFG_VISIBLE;
		return true;
	case MSR_AMD_DE_CFG:
		*val = DE_CFG_LFENCE_SERIALISE;
		return true;
	case MSR_AMD_HWCR:
	case MSR_AMD_NB_CFG:
		return true;
	}
	return msr >= MSR_AMD_PSTATE_LIMIT && msr <= MSR_AMD_PSTATE7;
}

/* What every CPU has, or every PV guest. */
static bool read_common(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	const struct cpu_policy *p = v->domain->arch.cpu_policy;

	switch (msr) {
	case MSR_APIC_BASE:
		*val = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (v->vcpu_id ? 0 : APIC_BASE_BSP);
		return true;
	case MSR_FS_BASE:
		*val = read_fs_base();
		return true;
	case MSR_GS_BASE:
		*val = read_gs_base();
		return true;
	case MSR_KERNEL_GS_BASE:
		*val = v->arch.gs_base_user;
		return true;
	case MSR_TSC:
		*val = v->domain->arch.vtsc ? vtsc_read(v->domain) : rdtsc();
		return true;
	case MSR_EFER:
		*val = guest_efer();
		return true;
	case MSR_PAT:
		*val = HOST_PAT;
		return true;
	case MSR_MISC_ENABLE:
		if (rdmsr_safe(msr, val))
			return false;
		*val = (*val & ~MISC_ENABLE_HIDE) | MISC_ENABLE_FORCE;
		return true;
	case MSR_PLATFORM_INFO:
		*val = p->platform_info;
		return true;
	case MSR_ARCH_CAPABILITIES:
		*val = p->arch_caps;
		return policy_has(p, X86_FEATURE_ARCH_CAPS);
	case MSR_MISC_FEATURES:
		*val = v->arch.msr_misc_features;
		return true;
	case MSR_UCODE_REV:
		return !rdmsr_safe(msr, val);
	case MSR_TSC_AUX:
		*val = v->arch.tsc_aux;
		return policy_has(p, X86_FEATURE_RDTSCP);
	case MSR_PERF_CAPABILITIES:
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
	case MSR_MCG_CTL:
		*val = 0;
		return true;
	}
	*val = 0;
	return msr >= MSR_MC0_CTL && msr <= MSR_MC31_MISC;
}

bool pv_read_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	uint64_t tmp;

	if (read_common(v, msr, val) || read_intel(msr, val) || read_amd(v, msr, val))
		return true;
	*val = 0;
	if (v->domain->arch.msr_relaxed && !rdmsr_safe(msr, &tmp))
		return true;
	if (!v->arch.trap_table[TRAP_gp].address && msr >> 16 != 0x4000 && !rdmsr_safe(msr, &tmp)) {
		gprintk(XENLOG_G_WARNING, "RDMSR %08x before there is a handler: 0\n", msr);
		return true;
	}
	gprintk(XENLOG_G_DEBUG, "RDMSR %08x unknown\n", msr);
	return false;
}

/* The page at the guest's frame number in val becomes the hypercall page. */
static bool write_hypercall_page(struct domain *d, uint64_t val)
{
	struct page_info *pg;
	bool ok = false;

	if (val & ~PAGE_MASK)
		return false;	/* there is one page */
	pg = get_page_from_gfn(d, _gfn(val >> PAGE_SHIFT));
	if (!pg)
		return false;
	if (!get_page_type(pg, PGT_writable_page)) {
		pv_hypercall_page_fill(page_to_virt(pg));
		log_dirty_page(pg);
		put_page_type(pg);
		ok = true;
	}
	put_page(pg);
	return ok;
}

static bool write_base(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (!is_canonical(val))
		return false;
	if (msr == MSR_FS_BASE) {
		write_fs_base(val);
	} else if (msr == MSR_GS_BASE) {
		write_gs_base(val);
	} else {
		wrmsr(MSR_KERNEL_GS_BASE, val);
		v->arch.gs_base_user = val;
	}
	return true;
}

bool pv_write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	const struct cpu_policy *p = v->domain->arch.cpu_policy;
	uint64_t tmp;

	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		return write_base(v, msr, val);
	case MSR_EFER:
		return val == guest_efer();
	case MSR_UCODE_REV:
		return boot_cpu.vendor == VENDOR_INTEL && !val;
	case MSR_TSC_AUX:
		if (!policy_has(p, X86_FEATURE_RDTSCP) || val >> 32)
			return false;
		v->arch.tsc_aux = val;
		load_tsc_controls(v);
		return true;
	case MSR_MISC_FEATURES:
		/* Bit 0: CPUID faults in user space; only where the policy says that it can. */
		if (val & ~(p->platform_info >> 31 & 1))
			return false;
		v->arch.msr_misc_features = val;
		return true;
	case MSR_XEN_HYPERCALL_PAGE:
		return write_hypercall_page(v->domain, val);
	case MSR_PERF_CTL:
		return boot_cpu.vendor == VENDOR_INTEL;
	case MSR_MISC_ENABLE:
	case MSR_PAT:
		/* What does not change anything may pass. */
		return pv_read_msr(v, msr, &tmp) && tmp == val;
	case MSR_AMD_HWCR:
	case MSR_AMD_NB_CFG:
		return is_amd();
	case MSR_MCG_STATUS:
	case MSR_MCG_CTL:
		return true;
	}
	if (msr >= MSR_MC0_CTL && msr <= MSR_MC31_MISC)
		return true;
	if (is_amd() && msr >= MSR_AMD_PSTATE_LIMIT && msr <= MSR_AMD_PSTATE7)
		return true;
	gprintk(XENLOG_G_DEBUG, "WRMSR %08x := %016lx refused\n", msr, val);
	return v->domain->arch.msr_relaxed && !rdmsr_safe(msr, &tmp);
}
