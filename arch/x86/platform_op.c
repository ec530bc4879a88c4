/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_platform_op: the control domain's operations on the machine itself:
 * clock, CPUs, firmware, microcode, power. One at a time. Queries are in
 * platform_info.c. <xen/platform.h> is the specification.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/time.h>
#include <x86/platform.h>
#include <x86/platform_op.h>

#define MICROCODE_MAX	MB(16)

static DEFINE_SPINLOCK(platform_op_lock, LOCK_ANY);
/* CPUs that core_parking took offline; platform_op_lock. */
static cpumask_t parked;

static long op_settime32(struct xen_platform_op *op, bool *back __maybe_unused)
{
	do_settime(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
	return 0;
}

static long op_settime64(struct xen_platform_op *op, bool *back __maybe_unused)
{
	if (op->u.settime64.mbz)
		return -EINVAL;
	do_settime(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
	return 0;
}

/* Memory types are set by page attributes; no MTRR is given away. */
static long op_add_memtype(struct xen_platform_op *op __maybe_unused, bool *back __maybe_unused)
{
	return -ENOSPC;
}

static long op_del_memtype(struct xen_platform_op *op __maybe_unused, bool *back __maybe_unused)
{
	return -EINVAL;
}

static long op_microcode(struct xen_platform_op *op, bool *back __maybe_unused)
{
	uint32_t len = op->u.microcode.length;
	void *buf;
	long rc;

	if (!len || len > MICROCODE_MAX)
		return -EINVAL;
	buf = xmalloc_bytes(len, 16);
	if (!buf)
		return -ENOMEM;
	rc = raw_copy_from_guest(buf, op->u.microcode.data.p, len) ?
	     -EFAULT : microcode_update(buf, len);
	xfree(buf);
	return rc;
}

static long op_quirk(struct xen_platform_op *op, bool *back __maybe_unused)
{
	switch (op->u.platform_quirk.quirk_id) {
	case QUIRK_NOIRQBALANCING:
	case QUIRK_IOAPIC_BAD_REGSEL:
	case QUIRK_IOAPIC_GOOD_REGSEL:
		return 0;
	default:
		return -EINVAL;
	}
}

static long op_efi_call(struct xen_platform_op *op, bool *back)
{
	long rc = efi_runtime_call(&op->u.efi_runtime_call);

	*back = rc == 0;
	return rc;
}

static long op_enter_acpi_sleep(struct xen_platform_op *op, bool *back __maybe_unused)
{
	const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;

	if (s->flags)			/* hardware-reduced sleep registers */
		return -EOPNOTSUPP;
	return acpi_enter_sleep(s->sleep_state, s->val_a, s->val_b);
}

/* Frequency is not dom0's to change. */
static long op_change_freq(struct xen_platform_op *op __maybe_unused, bool *back __maybe_unused)
{
	return -ENOSYS;
}

/* ---- CPUs on and off: only from CPU 0, where the caller is taken first ---- */

#define NOT_ON_CPU0	(-ERESTART)

/* 0 when we are on CPU 0; else the vcpu is sent there and the hypercall is to be issued again. */
static long go_to_cpu0(void)
{
	long rc;

	if (smp_processor_id() == 0)
		return 0;
	rc = vcpu_temporary_affinity(current, 0);
	return rc ? rc : NOT_ON_CPU0;
}

static void leave_cpu0(void)
{
	vcpu_temporary_affinity(current, NR_CPUS);
}

static long op_cpu_online(struct xen_platform_op *op, bool *back __maybe_unused)
{
	uint32_t cpu = op->u.cpu_ol.cpuid;
	long rc;

	if (!cpumask_test_cpu(cpu, &cpu_possible_map))
		return -EINVAL;
	if (cpumask_test_cpu(cpu, &cpu_online_map))
		return 0;
	rc = go_to_cpu0();
	if (rc)
		return rc;
	rc = cpu_up(cpu);
	leave_cpu0();
	return rc;
}

static long op_cpu_offline(struct xen_platform_op *op, bool *back __maybe_unused)
{
	uint32_t cpu = op->u.cpu_ol.cpuid;
	long rc;

	if (cpu == 0)
		return -EOPNOTSUPP;
	if (!cpumask_test_cpu(cpu, &cpu_possible_map))
		return -EINVAL;
	if (!cpumask_test_cpu(cpu, &cpu_online_map))
		return 0;
	rc = go_to_cpu0();
	if (rc)
		return rc;
	rc = cpu_down(cpu);
	leave_cpu0();
	return rc;
}

/* Makes the number of parked CPUs `nr`, from the highest down; stops at the first that will not. */
static long park(unsigned int nr)
{
	unsigned int cpu;
	long rc = 0;

	for (cpu = nr_cpu_ids; cpu-- > 1 && cpumask_weight(&parked) < nr && !rc; ) {
		if (!cpumask_test_cpu(cpu, &cpu_online_map))
			continue;
		rc = cpu_down(cpu);
		if (!rc)
			cpumask_set_cpu(cpu, &parked);
	}
	for_each_cpu(cpu, &parked) {
		if (cpumask_weight(&parked) <= nr || rc)
			break;
		rc = cpu_up(cpu);
		if (!rc)
			cpumask_clear_cpu(cpu, &parked);
	}
	return rc;
}

static long op_core_parking(struct xen_platform_op *op, bool *back)
{
	long rc;

	switch (op->u.core_parking.type) {
	case XEN_CORE_PARKING_SET:
		rc = go_to_cpu0();
		if (rc)
			return rc;
		rc = park(min(op->u.core_parking.idle_nums, cpumask_weight(&cpu_possible_map) - 1));
		leave_cpu0();
		return rc;
	case XEN_CORE_PARKING_GET:
		op->u.core_parking.idle_nums = cpumask_weight(&parked);
		*back = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- dispatch ---- */

static long (*const platform_ops[])(struct xen_platform_op *op, bool *back) = {
	[XENPF_settime32] = op_settime32,
	[XENPF_settime64] = op_settime64,
	[XENPF_add_memtype] = op_add_memtype,
	[XENPF_del_memtype] = op_del_memtype,
	[XENPF_read_memtype] = platform_read_memtype,
	[XENPF_microcode_update] = op_microcode,
	[XENPF_platform_quirk] = op_quirk,
	[XENPF_get_cpu_version] = platform_get_cpu_version,
	[XENPF_efi_runtime_call] = op_efi_call,
	[XENPF_firmware_info] = platform_firmware_info,
	[XENPF_enter_acpi_sleep] = op_enter_acpi_sleep,
	[XENPF_change_freq] = op_change_freq,
	[XENPF_getidletime] = platform_getidletime,
	[XENPF_set_processor_pminfo] = platform_set_pminfo,
	[XENPF_get_cpuinfo] = platform_get_cpuinfo,
	[XENPF_cpu_online] = op_cpu_online,
	[XENPF_cpu_offline] = op_cpu_offline,
	[XENPF_core_parking] = op_core_parking,
	[XENPF_resource_op] = platform_resource_op,
	[XENPF_get_symbol] = platform_get_symbol,
};

/* (struct xen_platform_op *) */
DEFINE_HYPERCALL(platform_op)
{
	struct xen_platform_op *uop = (struct xen_platform_op *)a1;
	struct xen_platform_op op;
	bool back = false;
	long rc;

	if (raw_copy_from_guest(&op, uop, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return -EACCES;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	if (rc)
		return rc;
	if (op.cmd >= ARRAY_SIZE(platform_ops) || !platform_ops[op.cmd])
		return -ENOSYS;
	/* Not spin_lock: the holder may be waiting for this CPU. */
	if (!spin_trylock(&platform_op_lock))
		return hypercall_continue(__HYPERVISOR_platform_op, 1, a1);
	rc = platform_ops[op.cmd](&op, &back);
	spin_unlock(&platform_op_lock);
	if (rc == NOT_ON_CPU0)
		return hypercall_continue(__HYPERVISOR_platform_op, 1, a1);
	if (back && raw_copy_to_guest(&uop->u, &op.u, sizeof(op.u)))
		return -EFAULT;
	return rc;
}
