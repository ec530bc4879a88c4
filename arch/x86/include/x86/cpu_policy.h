/* SPDX-License-Identifier: MIT */
/*
 * CPUID and MSR values that domains see. Three policies are made at boot: the
 * host's, what a PV domain can have at most (pv_max), and what one gets unless
 * the tools say otherwise (pv_default). Leaves are kept in the ABI's form.
 */
#ifndef X86_CPU_POLICY_H
#define X86_CPU_POLICY_H

#include <core/types.h>
#include <x86/cpufeature.h>
#include <xen/xen.h>

struct domain;
struct vcpu;

struct cpuid_regs {
	uint32_t a, b, c, d;
};

#define POLICY_BASIC_LEAVES	0xe	/* 0 to 0xd */
#define POLICY_EXT_LEAVES	0x22	/* 0x80000000 to 0x80000021 */
#define POLICY_CACHE_SUBLEAVES	6
#define POLICY_FEAT_SUBLEAVES	3
#define POLICY_TOPO_SUBLEAVES	2
#define POLICY_XSTATE_SUBLEAVES	20

struct cpu_policy {
	struct cpuid_regs basic[POLICY_BASIC_LEAVES];
	struct cpuid_regs cache[POLICY_CACHE_SUBLEAVES];	/* leaf 4 */
	struct cpuid_regs feat[POLICY_FEAT_SUBLEAVES];		/* leaf 7 */
	struct cpuid_regs topo[POLICY_TOPO_SUBLEAVES];		/* leaf 0xb */
	struct cpuid_regs xstate[POLICY_XSTATE_SUBLEAVES];	/* leaf 0xd */
	struct cpuid_regs ext[POLICY_EXT_LEAVES];
	uint64_t platform_info, arch_caps;
	uint32_t hv_limit, hv2_limit;
};

extern struct cpu_policy host_policy, pv_max_policy, pv_default_policy;

void cpu_policy_init(void);		/* boot, after cpu_identify_bsp and find of XSAVE */
/* A copy of pv_default (dom0: pv_max) for d: 0 or -ENOMEM. */
int domain_policy_create(struct domain *d);
void domain_policy_destroy(struct domain *d);
/* Replaces d's policy, cut down to what pv_max allows: 0; -EINVAL: more leaves than there are. */
int domain_policy_set(struct domain *d, const struct cpu_policy *new);
/* CPUID as v sees it, live bits (OSXSAVE, APIC id) included. */
void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *res);
bool policy_has(const struct cpu_policy *p, unsigned int feature);

/* ---- cpu_policy_io.c: for the tools ---- */
#define POLICY_MAX_LEAVES \
	(POLICY_BASIC_LEAVES + POLICY_CACHE_SUBLEAVES + POLICY_FEAT_SUBLEAVES + \
	 POLICY_TOPO_SUBLEAVES + 64 + 2 + POLICY_EXT_LEAVES)
#define POLICY_MAX_MSRS		2
/*
 * guest NULL: *nr becomes the most there can be. Else *nr is room, then number;
 * -ENOBUFS, -EFAULT.
 */
int policy_leaves_to_guest(const struct cpu_policy *p, xen_cpuid_leaf_t *guest, uint32_t *nr);
int policy_msrs_to_guest(const struct cpu_policy *p, xen_msr_entry_t *guest, uint32_t *nr);
/* Into p: -E2BIG, -EFAULT, -EINVAL, -ERANGE for one that we do not know, which is named then. */
int policy_leaves_from_guest(struct cpu_policy *p, const xen_cpuid_leaf_t *guest, uint32_t nr,
			     uint32_t *err_leaf, uint32_t *err_subleaf);
int policy_msrs_from_guest(struct cpu_policy *p, const xen_msr_entry_t *guest, uint32_t nr,
			   uint32_t *err_msr);

void policy_to_featureset(const struct cpu_policy *p, uint32_t fs[FEATURESET_WORDS]);

#endif
