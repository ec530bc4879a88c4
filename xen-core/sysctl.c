/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_sysctl: what a toolstack asks of the host. A row for each
 * operation; arch_sysctl_table has what only the machine knows.
 * Source: <xen/sysctl.h>.
 */
#include <core/console.h>
#include <core/domctl.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <core/sched.h>
#include <arch/sysinfo.h>

static DEFINE_SPINLOCK(sysctl_lock, LOCK_SYSCTL);

static long readconsole(struct xen_sysctl *op, bool *copyback)
{
	*copyback = true;
	return console_ring_read(&op->u.readconsole);
}

static long sched_id(struct xen_sysctl *op, bool *copyback)
{
	op->u.sched_id.sched_id = scheduler_id();
	*copyback = true;
	return 0;
}

static long getdomaininfolist(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_getdomaininfolist *list = &op->u.getdomaininfolist;
	struct xen_domctl_getdomaininfo info;
	struct domain *d;
	uint32_t n = 0;

	for_each_domain(d) {
		if (d->domain_id < list->first_domain)
			continue;
		if (n == list->max_domains)
			break;
		getdomaininfo(d, &info);
		if (copy_to_guest_offset(list->buffer, n, &info, 1))
			return -EFAULT;
		n++;
	}
	list->num_domains = n;
	*copyback = true;
	return 0;
}

/* Preempted, it leaves in the caller's structure the keys that are left. */
static long debug_keys(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_debug_keys *k = &op->u.debug_keys;

	while (k->nr_keys) {
		char key;

		if (copy_from_guest(&key, k->keys, 1))
			return -EFAULT;
		keyhandler_run((unsigned char)key);	/* at once: the caller reads the log next */
		guest_handle_add_offset(k->keys, 1);
		k->nr_keys--;
		if (k->nr_keys && hypercall_preempt_check()) {
			*copyback = true;
			return -ERESTART;
		}
	}
	return 0;
}

static long getcpuinfo(struct xen_sysctl *op, bool *copyback)
{
	uint32_t n = min(op->u.getcpuinfo.max_cpus, nr_cpu_ids), i;

	for (i = 0; i < n; i++) {
		struct xen_sysctl_cpuinfo info = { .idletime = cpu_idle_time(i) };

		if (copy_to_guest_offset(op->u.getcpuinfo.info, i, &info, 1))
			return -EFAULT;
	}
	op->u.getcpuinfo.nr_cpus = i;
	*copyback = true;
	return 0;
}

static long availheap(struct xen_sysctl *op, bool *copyback)
{
	op->u.availheap.avail_bytes =
		(uint64_t)heap_free_between(op->u.availheap.min_bitwidth,
					    op->u.availheap.max_bitwidth) << PAGE_SHIFT;
	*copyback = true;
	return 0;
}

static long physinfo(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_physinfo *pi = &op->u.physinfo;

	memset(pi, 0, sizeof(*pi));
	pi->nr_cpus = cpumask_weight(&cpu_online_map);
	pi->nr_nodes = 1;
	pi->max_node_id = 63;		/* one less than the sizes tools allocate for node maps */
	pi->max_cpu_id = nr_cpu_ids - 1;
	pi->max_mfn = max_page_nr() - 1;
	pi->free_pages = total_free_pages();
	pi->outstanding_pages = total_outstanding_claims();
	pi->capabilities = XEN_SYSCTL_PHYSCAP_gnttab_v1;
	arch_physinfo(pi);
	*copyback = true;
	return 0;
}

static long numainfo(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_numainfo *ni = &op->u.numainfo;
	struct xen_sysctl_meminfo mem = {
		.memsize = (uint64_t)host_total_pages() << PAGE_SHIFT,
		.memfree = (uint64_t)total_free_pages() << PAGE_SHIFT,
	};
	uint32_t distance = 10;		/* ACPI's number for "local" */

	if (ni->num_nodes) {
		if (!guest_handle_is_null(ni->meminfo) && copy_to_guest(ni->meminfo, &mem, 1))
			return -EFAULT;
		if (!guest_handle_is_null(ni->distance) &&
		    copy_to_guest(ni->distance, &distance, 1))
			return -EFAULT;
	}
	if (ni->num_nodes ||
	    (guest_handle_is_null(ni->meminfo) && guest_handle_is_null(ni->distance)))
		ni->num_nodes = 1;
	*copyback = true;
	return 0;
}

static long cputopoinfo(struct xen_sysctl *op, bool *copyback)
{
	struct xen_sysctl_cputopoinfo *ti = &op->u.cputopoinfo;
	uint32_t n = nr_cpu_ids, i;

	if (!guest_handle_is_null(ti->cputopo)) {
		n = min(n, ti->num_cpus);
		for (i = 0; i < n; i++) {
			struct xen_sysctl_cputopo topo = { 0 };

			arch_cpu_topology(i, &topo);
			if (copy_to_guest_offset(ti->cputopo, i, &topo, 1))
				return -EFAULT;
		}
	}
	ti->num_cpus = n;
	*copyback = true;
	return 0;
}

static long sysctl_cpupool(struct xen_sysctl *op, bool *copyback)
{
	*copyback = true;
	return cpupool_do_sysctl(&op->u.cpupool_op);
}

static long sysctl_scheduler(struct xen_sysctl *op, bool *copyback)
{
	*copyback = true;
	return sched_adjust_global(&op->u.scheduler_op);
}

#define ROW(name)	[XEN_SYSCTL_##name] = { .fn = name }

static const struct sysctl_row table[] = {
	ROW(readconsole),
	ROW(physinfo),
	ROW(sched_id),
	ROW(getdomaininfolist),
	ROW(debug_keys),
	ROW(getcpuinfo),
	ROW(availheap),
	ROW(cputopoinfo),
	ROW(numainfo),
	[XEN_SYSCTL_cpupool_op] = { .fn = sysctl_cpupool },
	[XEN_SYSCTL_scheduler_op] = { .fn = sysctl_scheduler },
};

/* sysctl(op): 0 or as the operation says; -EFAULT, -EACCES other version, -EPERM, -ENOSYS. */
DEFINE_HYPERCALL(sysctl)
{
	struct xen_sysctl op, *guest = (struct xen_sysctl *)a1;
	const struct sysctl_row *row = NULL;
	bool copyback = false;
	long rc;

	if (raw_copy_from_guest(&op, guest, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	if (rc)
		return rc;
	if (op.cmd < ARRAY_SIZE(table) && table[op.cmd].fn)
		row = &table[op.cmd];
	else if (op.cmd < arch_sysctl_rows && arch_sysctl_table[op.cmd].fn)
		row = &arch_sysctl_table[op.cmd];
	if (!row)
		return -ENOSYS;
	while (!spin_trylock(&sysctl_lock))
		if (hypercall_preempt_check())
			return hypercall_continue(__HYPERVISOR_sysctl, 1, a1);
	rc = row->fn(&op, &copyback);
	spin_unlock(&sysctl_lock);
	if (copyback && raw_copy_to_guest(guest, &op, sizeof(op)))
		rc = -EFAULT;
	return rc == -ERESTART ? hypercall_continue(__HYPERVISOR_sysctl, 1, a1) : rc;
}
