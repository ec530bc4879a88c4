/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can do, found once at boot. Feature numbers are the ABI's
 * (arch-x86/cpufeatureset.h).
 */
#ifndef X86_CPUFEATURE_H
#define X86_CPUFEATURE_H

#include <core/types.h>

#define XEN_CPUFEATURE(name, value) X86_FEATURE_##name = (value),
enum {
#include <xen/arch-x86/cpufeatureset.h>
};
#undef XEN_CPUFEATURE

#define FEATURESET_WORDS	XEN_CPUFEATURESET_WORDS_
#define XEN_CPUFEATURESET_WORDS_ 17	/* more than the ABI's highest word */

enum cpu_vendor { VENDOR_OTHER, VENDOR_INTEL, VENDOR_AMD, VENDOR_HYGON };

struct cpuinfo {
	enum cpu_vendor vendor;
	uint8_t family, model, stepping;
	uint8_t phys_bits, virt_bits;
	uint32_t max_leaf, max_ext_leaf;
	uint32_t features[FEATURESET_WORDS];	/* featureset layout of the ABI */
	char model_name[49];
};
extern struct cpuinfo boot_cpu;
extern uint64_t host_xcr0;		/* XSAVE components that we enable */
extern unsigned int host_xsave_size;	/* bytes for them */

static inline bool cpu_has(unsigned int feature)
{
	return boot_cpu.features[feature / 32] & (1u << (feature % 32));
}

#endif
