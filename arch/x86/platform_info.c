/* SPDX-License-Identifier: MIT */
/*
 * platform_op's questions about the machine (see platform_op.c): firmware,
 * CPUs, power states, symbols, a few MSRs.
 */
#include <core/domain.h>
#include <core/domctl.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/symbols.h>
#include <core/xmalloc.h>
#include <arch/cpu.h>
#include <arch/time.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <x86/platform_op.h>

#define MSR_MTRR_CAP		0xfe
#define MSR_MTRR_BASE(n)	(0x200 + 2 * (n))
#define MSR_MTRR_MASK(n)	(0x201 + 2 * (n))
#define MSR_TSC			0x10
#define MSR_CMT_EVTSEL		0xc8d
#define MSR_CMT_CTR		0xc8e

/* ---- firmware ---- */

/* Where the BIOS keeps the state of Shift, Ctrl, Caps Lock and so on. */
static uint8_t bios_kbd_flags(void)
{
	/* Below 640 KiB all is in the direct map; an ioremap would use up addresses at each call. */
	const uint8_t *low = mfn_to_virt(_mfn(0));

	return read_once(low[0x417]);
}

/* The boot loader hands us neither EDD nor MBR nor EDID data: "no such item". */
long platform_firmware_info(struct xen_platform_op *op, bool *back)
{
	struct xenpf_firmware_info *fi = &op->u.firmware_info;
	long rc;

	switch (fi->type) {
	case XEN_FW_DISK_INFO:
	case XEN_FW_DISK_MBR_SIGNATURE:
	case XEN_FW_VBEDDC_INFO:
		return -ESRCH;
	case XEN_FW_EFI_INFO:
		rc = efi_get_info(fi->index, &fi->u.efi_info);
		*back = rc == 0;
		return rc;
	case XEN_FW_KBD_SHIFT_FLAGS:
		if (fi->index)
			return -ESRCH;
		fi->u.kbd_shift_flags = bios_kbd_flags();
		*back = true;
		return 0;
	default:
		return -EINVAL;
	}
}

long platform_read_memtype(struct xen_platform_op *op, bool *back)
{
	struct xenpf_read_memtype *m = &op->u.read_memtype;
	uint64_t base, mask, width = (1ULL << boot_cpu.phys_bits) - 1;

	if (!cpu_has(X86_FEATURE_MTRR) || m->reg >= (rdmsr(MSR_MTRR_CAP) & 0xff))
		return -EINVAL;
	base = rdmsr(MSR_MTRR_BASE(m->reg));
	mask = rdmsr(MSR_MTRR_MASK(m->reg));
	m->mfn = m->nr_mfns = m->type = 0;
	if (mask & 0x800) {			/* valid */
		m->mfn = (base & width) >> PAGE_SHIFT;
		m->nr_mfns = ((~mask & width) >> PAGE_SHIFT) + 1;
		m->type = base & 0xff;
	}
	*back = true;
	return 0;
}

/* ---- power states: kept for those who ask, not acted on yet ---- */

static struct {
	uint8_t cx_states, px_states;
	uint32_t px_limit;
} pm_info[NR_CPUS];

static int acpiid_to_cpu(uint32_t acpiid)
{
	for (unsigned int cpu = 0; cpu < acpi_nr_cpus; cpu++)
		if (x86_cpu_to_acpiid[cpu] == acpiid)
			return (int)cpu;
	return -1;
}

/* _PDC: dom0 asks which capabilities to announce to the firmware; what it has is fine. */
static long check_pdc(const void *guest)
{
	uint32_t bits[2];

	if (raw_copy_from_guest(bits, guest, sizeof(bits)))
		return -EFAULT;
	return bits[0] == 1 && bits[1] ? 0 : -EINVAL;
}

long platform_set_pminfo(struct xen_platform_op *op, bool *back __maybe_unused)
{
	const struct xenpf_set_processor_pminfo *pm = &op->u.set_pminfo;
	int cpu = acpiid_to_cpu(pm->id);

	switch (pm->type) {
	case XEN_PM_PDC:
		return check_pdc(pm->u.pdc.p);
	case XEN_PM_CX:
		if (cpu < 0)
			return -EINVAL;
		pm_info[cpu].cx_states = (uint8_t)min(pm->u.power.count, 255u);
		return 0;
	case XEN_PM_PX:
		if (cpu < 0)
			return -EINVAL;
		if (pm->u.perf.flags & XEN_PX_PSS)
			pm_info[cpu].px_states = (uint8_t)min(pm->u.perf.state_count, 255u);
		if (pm->u.perf.flags & XEN_PX_PPC)
			pm_info[cpu].px_limit = pm->u.perf.platform_limit;
		return 0;
	case XEN_PM_TX:
		return -ENOSYS;
	default:
		return -EINVAL;
	}
}

/* ---- CPUs ---- */

long platform_get_cpuinfo(struct xen_platform_op *op, bool *back)
{
	struct xenpf_pcpuinfo *p = &op->u.pcpu_info;
	unsigned int cpu = p->xen_cpuid;

	if (!cpumask_test_cpu(cpu, &cpu_possible_map)) {
		p->flags = XEN_PCPU_FLAGS_INVALID;
	} else {
		p->apic_id = x86_cpu_to_apicid[cpu];
		p->acpi_id = x86_cpu_to_acpiid[cpu];
		p->flags = cpumask_test_cpu(cpu, &cpu_online_map) ? XEN_PCPU_FLAGS_ONLINE : 0;
	}
	p->max_present = nr_cpu_ids - 1;
	*back = true;
	return 0;
}

long platform_get_cpu_version(struct xen_platform_op *op, bool *back)
{
	struct xenpf_pcpu_version *v = &op->u.pcpu_version;
	uint32_t a, b, c, d;

	memset(v->vendor_id, 0, sizeof(v->vendor_id));
	v->family = v->model = v->stepping = 0;
	if (cpumask_test_cpu(v->xen_cpuid, &cpu_online_map)) {
		cpuid_count(0, 0, &a, &b, &c, &d);
		memcpy(v->vendor_id, &b, 4);
		memcpy(v->vendor_id + 4, &d, 4);
		memcpy(v->vendor_id + 8, &c, 4);
		v->family = boot_cpu.family;
		v->model = boot_cpu.model;
		v->stepping = boot_cpu.stepping;
	}
	v->max_present = nr_cpu_ids - 1;
	*back = true;
	return 0;
}

long platform_getidletime(struct xen_platform_op *op, bool *back)
{
	struct xenpf_getidletime *g = &op->u.getidletime;
	struct xenctl_bitmap bm = { .nr_bits = g->cpumap_nr_cpus };
	cpumask_t mask;
	unsigned int cpu;
	uint64_t t;
	long rc;

	bm.bitmap.p = g->cpumap_bitmap.p;
	g->now = (uint64_t)NOW();
	rc = cpumask_from_xenctl(&mask, &bm);
	if (rc)
		return rc;
	for_each_cpu(cpu, &mask) {
		if (!cpumask_test_cpu(cpu, &cpu_possible_map)) {
			cpumask_clear_cpu(cpu, &mask);
			continue;
		}
		t = cpu_idle_time(cpu);
		if (copy_to_guest_offset(g->idletime, cpu, &t, 1))
			return -EFAULT;
	}
	rc = cpumask_to_xenctl(&bm, &mask);
	*back = rc == 0;
	return rc;
}

/* ---- symbols ---- */

long platform_get_symbol(struct xen_platform_op *op, bool *back)
{
	struct xenpf_symdata *s = &op->u.symdata;
	unsigned long addr = 0;
	const char *name = "";
	uint32_t len;

	s->type = 0;
	if (symbol_get(s->symnum, &addr, &name)) {
		s->symnum++;
		s->type = 't';
	} else if (s->symnum && !symbol_get(s->symnum - 1, &addr, &name)) {
		return -ERANGE;
	} else {
		addr = 0;
		name = "";
	}
	s->address = addr;
	len = (uint32_t)strlen(name) + 1;
	if (raw_copy_to_guest(s->name.p, name, min(len, s->namelen)))
		return -EFAULT;
	s->namelen = len;
	*back = true;
	return 0;
}

/* ---- MSRs on a given CPU ---- */

#define RESOURCE_MAX	8		/* entries of one call */

struct resource_access {
	struct xenpf_resource_entry entry[RESOURCE_MAX];
	unsigned int done;		/* entries that succeeded */
};

static int check_entry(const struct xenpf_resource_entry *e)
{
	bool cmt = cpu_has(X86_FEATURE_PQM) && (e->idx == MSR_CMT_EVTSEL || e->idx == MSR_CMT_CTR);

	if (e->rsvd)
		return -EINVAL;
	if (e->u.cmd != XEN_RESOURCE_OP_MSR_READ && e->u.cmd != XEN_RESOURCE_OP_MSR_WRITE)
		return -EOPNOTSUPP;
	if (e->idx >> 32)
		return -EINVAL;
	if (e->u.cmd == XEN_RESOURCE_OP_MSR_READ && e->idx == MSR_TSC)
		return 0;
	return cmt ? 0 : -EPERM;
}

/* On the chosen CPU, interrupts off: so a value and the time that follows it belong together. */
static void access_entries(void *arg)
{
	struct resource_access *ra = arg;
	unsigned int n = ra->done;
	int rc;

	for (ra->done = 0; ra->done < n; ra->done++) {
		struct xenpf_resource_entry *e = &ra->entry[ra->done];

		if (e->u.cmd == XEN_RESOURCE_OP_MSR_WRITE) {
			rc = wrmsr_safe((uint32_t)e->idx, e->val);
		} else if (e->idx == MSR_TSC) {
			e->val = (uint64_t)NOW();
			rc = 0;
		} else {
			rc = rdmsr_safe((uint32_t)e->idx, &e->val);
		}
		if (rc) {
			e->u.ret = rc;
			break;
		}
	}
}

/* Number of entries done, the first that failed holding why. */
long platform_resource_op(struct xen_platform_op *op, bool *back __maybe_unused)
{
	const struct xenpf_resource_op *r = &op->u.resource_op;
	struct resource_access ra = { .done = 0 };
	unsigned int nr = r->nr_entries;
	cpumask_t mask;
	int rc;

	if (!nr)
		return 0;
	if (nr > RESOURCE_MAX)
		return -EINVAL;
	if (raw_copy_from_guest(ra.entry, r->entries.p, nr * sizeof(ra.entry[0])))
		return -EFAULT;
	for (; ra.done < nr; ra.done++) {
		rc = check_entry(&ra.entry[ra.done]);
		if (rc) {
			ra.entry[ra.done].u.ret = rc;
			break;
		}
	}
	if (ra.done) {
		if (!cpumask_test_cpu(r->cpu, &cpu_online_map))
			return -ENODEV;
		mask = cpumask_of(r->cpu);
		on_selected_cpus(&mask, access_entries, &ra, true);
	}
	if (raw_copy_to_guest(r->entries.p, ra.entry, min(ra.done + 1, nr) * sizeof(ra.entry[0])))
		return -EFAULT;
	return (long)ra.done;
}
