/* SPDX-License-Identifier: MIT */
/* The sysctls that only this machine can answer: features, policies, topology, CPU hotplug. */
#include <core/domain.h>
#include <core/domctl.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <arch/sysinfo.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/cpu_policy.h>
#include <x86/cpufeature.h>
#include <x86/pci.h>
#include <x86/platform.h>

/* ---- topology: from the APIC ids, whose fields CPUID gives the widths of ---- */

static unsigned int bits_for(unsigned int n)
{
	return n <= 1 ? 0 : 32 - (unsigned int)__builtin_clz(n - 1);
}

static void apicid_fields(unsigned int *smt_bits, unsigned int *package_bits)
{
	uint32_t a, b, c, d, logical, cores = 1;

	if (boot_cpu.max_leaf >= 0xb) {
		cpuid_count(0xb, 0, &a, &b, &c, &d);
		if (b) {
			*smt_bits = a & 0x1f;
			cpuid_count(0xb, 1, &a, &b, &c, &d);
			*package_bits = a & 0x1f;
			return;
		}
	}
	logical = cpu_has(X86_FEATURE_HTT) ? host_policy.basic[1].b >> 16 & 0xff : 1;
	if (boot_cpu.vendor == VENDOR_INTEL && boot_cpu.max_leaf >= 4)
		cores = (host_policy.cache[0].a >> 26) + 1;
	else if (boot_cpu.max_ext_leaf >= 0x80000008)
		cores = (host_policy.ext[8].c & 0xff) + 1;
	*package_bits = bits_for(max(logical, cores));
	*smt_bits = *package_bits - bits_for(cores);
}

void arch_cpu_topology(unsigned int cpu, struct xen_sysctl_cputopo *topo)
{
	unsigned int smt, package, id;

	topo->core = XEN_INVALID_CORE_ID;
	topo->socket = XEN_INVALID_SOCKET_ID;
	topo->node = XEN_INVALID_NODE_ID;
	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, &cpu_online_map))
		return;
	apicid_fields(&smt, &package);
	id = x86_cpu_to_apicid[cpu];
	topo->core = (id & ((1u << package) - 1)) >> smt;
	topo->socket = id >> package;
	topo->node = 0;
}

void arch_physinfo(struct xen_sysctl_physinfo *pi)
{
	unsigned int smt, package, cpu, same_core = 0, same_socket = 0;
	uint32_t id0 = x86_cpu_to_apicid[0];

	apicid_fields(&smt, &package);
	for_each_cpu(cpu, &cpu_online_map) {
		same_core += x86_cpu_to_apicid[cpu] >> smt == id0 >> smt;
		same_socket += x86_cpu_to_apicid[cpu] >> package == id0 >> package;
	}
	pi->threads_per_core = max(same_core, 1u);
	pi->cores_per_socket = max(same_socket / pi->threads_per_core, 1u);
	pi->cpu_khz = cpu_khz;
	pi->total_pages = host_total_pages();
	memcpy(pi->hw_cap, boot_cpu.features, min(sizeof(pi->hw_cap), sizeof(boot_cpu.features)));
	pi->capabilities |= XEN_SYSCTL_PHYSCAP_pv;
}

unsigned long host_total_pages(void)
{
	unsigned long pages = 0;

	for (unsigned int i = 0; i < host_e820_nr; i++)
		if (host_e820[i].type == E820_RAM)
			pages += host_e820[i].size >> PAGE_SHIFT;
	return pages;
}

/* ---- features and policies ---- */

static const struct cpu_policy *const policies[6] = {
	[XEN_SYSCTL_cpu_policy_raw] = &host_policy,
	[XEN_SYSCTL_cpu_policy_host] = &host_policy,
	[XEN_SYSCTL_cpu_policy_pv_max] = &pv_max_policy,
	[XEN_SYSCTL_cpu_policy_pv_default] = &pv_default_policy,
};

static const struct cpu_policy *const featuresets[6] = {
	[XEN_SYSCTL_cpu_featureset_raw] = &host_policy,
	[XEN_SYSCTL_cpu_featureset_host] = &host_policy,
	[XEN_SYSCTL_cpu_featureset_pv] = &pv_default_policy,
	[XEN_SYSCTL_cpu_featureset_pv_max] = &pv_max_policy,
};

static long get_cpu_featureset(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
	uint32_t fs[FEATURESET_WORDS];
	unsigned int nr;

	if (!f->features.p) {
		f->nr_features = FEATURESET_WORDS;
		*copyback = true;
		return 0;
	}
	if (f->index >= ARRAY_SIZE(featuresets))
		return -EINVAL;
	if (!featuresets[f->index])
		return -EOPNOTSUPP;
	nr = min(f->nr_features, (uint32_t)FEATURESET_WORDS);
	policy_to_featureset(featuresets[f->index], fs);
	if (raw_copy_to_guest(f->features.p, fs, nr * sizeof(*fs)))
		return -EFAULT;
	f->nr_features = nr;
	*copyback = true;
	return nr < FEATURESET_WORDS ? -ENOBUFS : 0;
}

static long get_cpu_policy(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;
	const struct cpu_policy *policy;
	int rc;

	if (p->_rsvd || p->index >= ARRAY_SIZE(policies))
		return -EINVAL;
	policy = policies[p->index];
	if (!policy)
		return -EOPNOTSUPP;
	rc = policy_leaves_to_guest(policy, p->leaves.p, &p->nr_leaves);
	if (!rc)
		rc = policy_msrs_to_guest(policy, p->msrs.p, &p->nr_msrs);
	*copyback = true;
	return rc;
}

static long get_cpu_levelling_caps(struct xen_sysctl *op, bool *copyback)
{
	op->u.cpu_levelling_caps.caps = 0;
	*copyback = true;
	return 0;
}

/* ---- devices ---- */

/* No device's node is known; tools want to hear which devices are. Continued by the caller from num_devs. */
static long pcitopoinfo(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_pcitopoinfo *ti = &op->u.pcitopoinfo;
	uint32_t i = 0;

	if (guest_handle_is_null(ti->devs) || guest_handle_is_null(ti->nodes))
		return -EINVAL;
	while (i < ti->num_devs) {
		physdev_pci_device_t dev;
		uint32_t node;

		if (copy_from_guest_offset(&dev, ti->devs, i, 1))
			return -EFAULT;
		spin_lock(&pcidevs_lock);
		node = pci_find(dev.seg, dev.bus, dev.devfn) ? XEN_INVALID_NODE_ID : XEN_INVALID_DEV;
		spin_unlock(&pcidevs_lock);
		if (copy_to_guest_offset(ti->nodes, i, &node, 1))
			return -EFAULT;
		if (++i % 64 == 0 && hypercall_preempt_check())
			break;
	}
	ti->num_devs = i;
	*copyback = true;
	return 0;
}

/* ---- CPU hotplug ---- */

static long cpu_hotplug(struct xen_sysctl *op, bool *copyback __maybe_unused)
{
	unsigned int cpu = op->u.cpu_hotplug.cpu;

	switch (op->u.cpu_hotplug.op) {
	case XEN_SYSCTL_CPU_HOTPLUG_ONLINE:
		return cpu_up(cpu);
	case XEN_SYSCTL_CPU_HOTPLUG_OFFLINE:
		/* The caller's own CPU cannot go while it runs there. */
		return cpu == smp_processor_id() ? -EBUSY : cpu_down(cpu);
	}
	return -EOPNOTSUPP;
}

static long psr_cmt_op(struct xen_sysctl *op __maybe_unused, bool *copyback __maybe_unused)
{
	return -ENODEV;
}

static long psr_alloc(struct xen_sysctl *op __maybe_unused, bool *copyback __maybe_unused)
{
	return -EOPNOTSUPP;
}

#define ROW(name, fn_) [XEN_SYSCTL_##name] = { .fn = (fn_) }
const struct sysctl_row arch_sysctl_table[] = {
	ROW(pcitopoinfo, pcitopoinfo),
	ROW(cpu_hotplug, cpu_hotplug),
	ROW(psr_cmt_op, psr_cmt_op),
	ROW(psr_alloc, psr_alloc),
	ROW(get_cpu_levelling_caps, get_cpu_levelling_caps),
	ROW(get_cpu_featureset, get_cpu_featureset),
	ROW(get_cpu_policy, get_cpu_policy),
};
const unsigned int arch_sysctl_rows = ARRAY_SIZE(arch_sysctl_table);
