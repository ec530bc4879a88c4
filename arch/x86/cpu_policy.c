/* SPDX-License-Identifier: MIT */
/*
 * The policies (x86/cpu_policy.h), and what a guest's CPUID answers. What PV
 * domains can see is a list of names: a feature that nobody looked at stays
 * hidden. Left out on purpose is what a PV kernel cannot use (paging and
 * virtualisation features, MTRRs, x2APIC, MONITOR) and speculation controls,
 * which are not switched between vcpus.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/version.h>
#include <core/xmalloc.h>
#include <arch/frame.h>
#include <x86/asm.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/entry.h>
#include <x86/pv.h>
#include <x86/time.h>
#include <xen/arch-x86/cpuid.h>

struct cpu_policy host_policy, pv_max_policy, pv_default_policy;

#define F(name) X86_FEATURE_##name
static const uint16_t pv_features[] = {
	F(FPU), F(DE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(APIC), F(SEP), F(MCA), F(CMOV),
	F(PAT),
	F(CLFLUSH), F(ACPI), F(MMX), F(FXSR), F(SSE), F(SSE2), F(SS), F(HTT),
	F(SSE3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16), F(SSE4_1), F(SSE4_2), F(MOVBE), F(POPCNT),
	F(AESNI), F(XSAVE), F(AVX), F(F16C), F(RDRAND), F(HYPERVISOR),
	F(SYSCALL), F(NX), F(MMXEXT), F(FFXSR), F(RDTSCP), F(LM), F(3DNOWEXT), F(3DNOW),
	F(LAHF_LM), F(CMP_LEGACY), F(ABM), F(SSE4A), F(MISALIGNSSE), F(3DNOWPREFETCH), F(XOP),
	F(FMA4),
	F(TBM), F(XSAVEOPT), F(XSAVEC), F(XGETBV1),
	F(FSGSBASE), F(BMI1), F(AVX2), F(BMI2), F(ERMS), F(AVX512F), F(AVX512DQ), F(RDSEED), F(ADX),
	F(AVX512_IFMA), F(CLFLUSHOPT), F(CLWB), F(AVX512CD), F(SHA), F(AVX512BW), F(AVX512VL),
	F(PREFETCHWT1), F(AVX512_VBMI), F(AVX512_VBMI2), F(GFNI), F(VAES), F(VPCLMULQDQ),
	F(AVX512_VNNI),
	F(AVX512_BITALG), F(AVX512_VPOPCNTDQ), F(RDPID), F(CLDEMOTE), F(MOVDIRI), F(MOVDIR64B),
	F(CLZERO), F(RSTR_FP_ERR_PTRS), F(FSRM), F(MD_CLEAR), F(SERIALIZE), F(AVX_VNNI),
	F(AVX512_BF16),
	F(LFENCE_DISPATCH), F(ITSC),
};
/* Of these, what a domain gets only if the tools ask for it. */
static const uint16_t pv_opt_in[] = { F(MOVDIRI), F(MOVDIR64B), F(ITSC) };
/* Gone without XSAVE. */
static const uint16_t needs_xsave[] = {
	F(FMA), F(AVX), F(F16C), F(XOP), F(FMA4), F(XSAVEOPT), F(XSAVEC), F(XGETBV1), F(AVX2),
	F(AVX512F), F(AVX512DQ), F(AVX512_IFMA), F(AVX512CD), F(AVX512BW), F(AVX512VL),
	F(AVX512_VBMI), F(AVX512_VBMI2), F(VAES), F(VPCLMULQDQ), F(AVX512_VNNI), F(AVX512_BITALG),
	F(AVX512_VPOPCNTDQ), F(AVX_VNNI), F(AVX512_BF16),
};

/* ---- featureset words: where each is in the leaves (NULL: not CPUID) ---- */

static uint32_t *feature_word(struct cpu_policy *p, unsigned int w)
{
	switch (w) {
	case 0: return &p->basic[1].d;
	case 1: return &p->basic[1].c;
	case 2: return &p->ext[1].d;
	case 3: return &p->ext[1].c;
	case 4: return &p->xstate[1].a;
	case 5: return &p->feat[0].b;
	case 6: return &p->feat[0].c;
	case 7: return &p->ext[7].d;
	case 8: return &p->ext[8].b;
	case 9: return &p->feat[0].d;
	case 10: return &p->feat[1].a;
	case 11: return &p->ext[0x21].a;
	case 12: return &p->feat[1].b;
	case 13: return &p->feat[2].d;
	case 14: return &p->feat[1].c;
	case 15: return &p->feat[1].d;
	}
	return NULL;
}

bool policy_has(const struct cpu_policy *p, unsigned int feature)
{
	const uint32_t *w = feature_word((struct cpu_policy *)p, feature / 32);

	return w && (*w & (1u << (feature % 32)));
}

void policy_to_featureset(const struct cpu_policy *p, uint32_t fs[FEATURESET_WORDS])
{
	for (unsigned int i = 0; i < FEATURESET_WORDS; i++) {
		const uint32_t *w = feature_word((struct cpu_policy *)p, i);

		fs[i] = w ? *w : 0;
	}
}

static void clear_features(struct cpu_policy *p, const uint16_t *list, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		*feature_word(p, list[i] / 32) &= ~(1u << (list[i] % 32));
}

static void mask_features(struct cpu_policy *p, const uint32_t mask[FEATURESET_WORDS])
{
	for (unsigned int i = 0; i < FEATURESET_WORDS; i++) {
		uint32_t *w = feature_word(p, i);

		if (w)
			*w &= mask[i];
	}
	if (!policy_has(p, F(XSAVE)))
		clear_features(p, needs_xsave, ARRAY_SIZE(needs_xsave));
	/* AMD repeats some of leaf 1's in 0x80000001.edx; Intel does not. */
	if (boot_cpu.vendor == VENDOR_AMD || boot_cpu.vendor == VENDOR_HYGON)
		p->ext[1].d = (p->ext[1].d & ~0x0183f3ffu) | (p->basic[1].d & 0x0183f3ffu);
}

/* ---- the host ---- */

static void query(struct cpuid_regs *r, uint32_t leaf, uint32_t subleaf)
{
	cpuid_count(leaf, subleaf, &r->a, &r->b, &r->c, &r->d);
}

static void __init read_host(struct cpu_policy *p)
{
	unsigned int max_leaf, max_ext;

	query(&p->basic[0], 0, 0);
	max_leaf = p->basic[0].a = min(p->basic[0].a, POLICY_BASIC_LEAVES - 1u);
	for (unsigned int i = 1; i <= max_leaf; i++)
		if (i != 4 && i != 7 && i != 0xb && i != 0xd)
			query(&p->basic[i], i, 0);
	for (unsigned int i = 0; max_leaf >= 4 && i < POLICY_CACHE_SUBLEAVES; i++) {
		query(&p->cache[i], 4, i);
		if (!(p->cache[i].a & 0x1f))
			break;
	}
	if (max_leaf >= 7) {
		query(&p->feat[0], 7, 0);
		p->feat[0].a = min(p->feat[0].a, POLICY_FEAT_SUBLEAVES - 1u);
		for (unsigned int i = 1; i <= p->feat[0].a; i++)
			query(&p->feat[i], 7, i);
	}
	for (unsigned int i = 0; max_leaf >= 0xd && i < POLICY_XSTATE_SUBLEAVES; i++)
		if (i < 2 || (host_xcr0 & (1UL << i)))
			query(&p->xstate[i], 0xd, i);
	query(&p->ext[0], 0x80000000, 0);
	max_ext = p->ext[0].a >> 16 == 0x8000 ? p->ext[0].a & 0xffff : 0;
	max_ext = min(max_ext, POLICY_EXT_LEAVES - 1u);
	p->ext[0].a = 0x80000000 | max_ext;
	for (unsigned int i = 1; i <= max_ext; i++)
		query(&p->ext[i], 0x80000000 + i, 0);
	p->hv_limit = XEN_CPUID_MAX_NUM_LEAVES;
}

/* ---- leaves that do not describe features ---- */

/* Sizes and masks of leaf 0xd follow from the features. */
static void recalculate_xstate(struct cpu_policy *p)
{
	uint64_t states = 3;
	uint32_t size = 576, da1 = p->xstate[1].a;

	if (!policy_has(p, F(XSAVE))) {
		memset(p->xstate, 0, sizeof(p->xstate));
		return;
	}
	if (policy_has(p, F(AVX)))
		states |= 4;
	if (policy_has(p, F(AVX512F)))
		states |= 0xe0;
	states &= host_xcr0;
	for (unsigned int i = 2; i < POLICY_XSTATE_SUBLEAVES; i++) {
		if (!(states & (1UL << i))) {
			p->xstate[i] = (struct cpuid_regs){ 0 };
			continue;
		}
		p->xstate[i] = host_policy.xstate[i];
		size = max(size, p->xstate[i].a + p->xstate[i].b);
	}
	p->xstate[0] = (struct cpuid_regs){ (uint32_t)states, 0, size, (uint32_t)(states >> 32) };
	p->xstate[1] = (struct cpuid_regs){ da1, 0, 0, 0 };
}

/* Hides what describes hardware that a PV guest has not got. */
static void recalculate_misc(struct cpu_policy *p)
{
	static const uint8_t basic[] = { 3, 5, 6, 8, 9, 0xa, 0xc };
	static const uint8_t ext[] = {
		9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
		0x17, 0x18, 0x1b, 0x1c, 0x1e, 0x1f, 0x20,
	};

	for (unsigned int i = 0; i < sizeof(basic); i++)
		p->basic[basic[i]] = (struct cpuid_regs){ 0 };
	for (unsigned int i = 0; i < sizeof(ext); i++)
		p->ext[ext[i]] = (struct cpuid_regs){ 0 };
	memset(p->topo, 0, sizeof(p->topo));
	p->basic[1].b &= 0x00ffffff;	/* APIC id */
	p->ext[7].a = p->ext[7].b = p->ext[7].c = 0;
	p->ext[8].d = 0;
	p->ext[0x21] = (struct cpuid_regs){ .a = p->ext[0x21].a };
}

/* Makes p something that a PV domain can have. */
static void recalculate(struct cpu_policy *p, const struct cpu_policy *limit)
{
	uint32_t mask[FEATURESET_WORDS];

	policy_to_featureset(limit, mask);
	mask_features(p, mask);
	recalculate_xstate(p);
	recalculate_misc(p);
	p->platform_info &= limit->platform_info;
	p->arch_caps &= limit->arch_caps;
}

static void set_feature(struct cpu_policy *p, unsigned int f)
{
	*feature_word(p, f / 32) |= 1u << (f % 32);
}

void __init cpu_policy_init(void)
{
	uint32_t mask[FEATURESET_WORDS] = { 0 };

	read_host(&host_policy);
	for (unsigned int i = 0; i < FEATURESET_WORDS; i++) {
		/* What the command line or an erratum took away is not there. */
		uint32_t *w = feature_word(&host_policy, i);

		if (w)
			*w &= boot_cpu.features[i];
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pv_features); i++)
		mask[pv_features[i] / 32] |= 1u << (pv_features[i] % 32);

	pv_max_policy = host_policy;
	pv_max_policy.platform_info = pv_max_policy.arch_caps = 0;
	set_feature(&pv_max_policy, F(HYPERVISOR));
	mask_features(&pv_max_policy, mask);
	recalculate_xstate(&pv_max_policy);
	recalculate_misc(&pv_max_policy);

	pv_default_policy = pv_max_policy;
	clear_features(&pv_default_policy, pv_opt_in, ARRAY_SIZE(pv_opt_in));
}

/* ---- domains ---- */

int domain_policy_create(struct domain *d)
{
	d->arch.cpu_policy = xmalloc(struct cpu_policy);
	if (!d->arch.cpu_policy)
		return -ENOMEM;
	*d->arch.cpu_policy = pv_default_policy;
	if (d->is_hardware && policy_has(&pv_max_policy, F(ITSC)))
		set_feature(d->arch.cpu_policy, F(ITSC));
	return 0;
}

void domain_policy_destroy(struct domain *d)
{
	xfree(d->arch.cpu_policy);
	d->arch.cpu_policy = NULL;
}

int domain_policy_set(struct domain *d, const struct cpu_policy *new)
{
	const struct cpu_policy *max = &pv_max_policy;

	if (new->basic[0].a > max->basic[0].a || new->feat[0].a > max->feat[0].a ||
	    new->ext[0].a > max->ext[0].a || (new->platform_info & ~max->platform_info))
		return -EINVAL;
	*d->arch.cpu_policy = *new;
	recalculate(d->arch.cpu_policy, max);
	return 0;
}

/* ---- CPUID ---- */

static void hypervisor_leaf(const struct vcpu *v, uint32_t idx, uint32_t subleaf,
			    struct cpuid_regs *r)
{
	uint32_t limit = v->domain->arch.cpu_policy->hv_limit, out[4] = { 0 };

	if (limit > XEN_CPUID_MAX_NUM_LEAVES || limit < 2)
		limit = XEN_CPUID_MAX_NUM_LEAVES;
	if (idx > limit)
		return;
	switch (idx) {
	case 0:
		*r = (struct cpuid_regs){ 0x40000000 + limit, XEN_CPUID_SIGNATURE_EBX,
					  XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX };
		break;
	case 1:
		r->a = KRYPTON_ABI_MAJOR << 16 | KRYPTON_ABI_MINOR;
		break;
	case 2:
		r->a = 1;		/* hypercall pages */
		r->b = 0x40000000;	/* MSR that places them */
		r->c = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
		break;
	case 3:
		tsc_cpuid_leaf(v->domain, subleaf, out);
		*r = (struct cpuid_regs){ out[0], out[1], out[2], out[3] };
		break;
	case 5:
		r->b = 64 - (uint32_t)__builtin_clzl((max_page_nr() << PAGE_SHIFT) - 1);
		break;
	}
}

/* The policy's part of the answer. */
static void static_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t sub,
			struct cpuid_regs *r)
{
	if (leaf >> 16 == 0x8000) {
		leaf &= 0xffff;
		if (leaf <= (p->ext[0].a & 0xffff) && leaf < POLICY_EXT_LEAVES)
			*r = p->ext[leaf];
		return;
	}
	if (leaf > p->basic[0].a || leaf >= POLICY_BASIC_LEAVES)
		return;
	switch (leaf) {
	case 4:
		if (sub < POLICY_CACHE_SUBLEAVES)
			*r = p->cache[sub];
		break;
	case 7:
		if (sub <= p->feat[0].a && sub < POLICY_FEAT_SUBLEAVES)
			*r = p->feat[sub];
		break;
	case 0xb:
		if (sub < POLICY_TOPO_SUBLEAVES)
			*r = p->topo[sub];
		break;
	case 0xd:
		if (sub < POLICY_XSTATE_SUBLEAVES)
			*r = p->xstate[sub];
		break;
	default:
		*r = p->basic[leaf];
	}
}

static bool has_osxsave(const struct vcpu *v)
{
	if (v->arch.ctrlreg[4] & CR4_OSXSAVE)
		return true;
	/* A kernel that asks us explicitly has always seen ours: Linux depends on it. */
	return policy_has(v->domain->arch.cpu_policy, F(XSAVE)) &&
	       v->arch.regs.entry_vector == TRAP_ud && (v->arch.flags & TF_kernel_mode);
}

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	const struct domain *d = v->domain;
	bool hw_kernel = d->is_hardware && (v->arch.flags & TF_kernel_mode);
	struct cpuid_regs hw;

	*r = (struct cpuid_regs){ 0 };
	if (leaf >> 8 == 0x400000) {
		hypervisor_leaf(v, leaf & 0xff, subleaf, r);
		return;
	}
	static_leaf(d->arch.cpu_policy, leaf, subleaf, r);
	if (v != current)
		return;
	if (leaf == 1) {
		if (has_osxsave(v))
			r->c |= 1u << (F(OSXSAVE) % 32);
		/* dom0's kernel hands P- and C-states to us only if it sees these. */
		if (hw_kernel) {
			r->c |= host_policy.basic[1].c & (1u << (F(EIST) % 32));
			r->d |= host_policy.basic[1].d & (1u << (F(MTRR) % 32));
			if (v->arch.regs.entry_vector == TRAP_gp)
				r->c |= host_policy.basic[1].c & (1u << (F(MONITOR) % 32));
		}
	} else if (leaf == 0xd && subleaf < 2 && policy_has(d->arch.cpu_policy, F(XSAVE))) {
		/* Sizes for the XCR0 that is loaded, the guest's. */
		query(&hw, 0xd, subleaf);
		if (subleaf == 0 || policy_has(d->arch.cpu_policy, F(XSAVEC)))
			r->b = hw.b;
	}
}
