/* SPDX-License-Identifier: MIT */
/*
 * Control operations on the host: what it has, CPU pools, the schedulers' parameters, the console
 * ring. Source: <xen/sysctl.h>.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

int ctl_physinfo(struct ctl *ctl, struct xen_sysctl_physinfo *info)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo };
	int rc = ctl_sysctl(ctl, &op);

	if (!rc)
		*info = op.u.physinfo;
	return rc;
}

int ctl_sched_id(struct ctl *ctl, uint32_t *id)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_sched_id };
	int rc = ctl_sysctl(ctl, &op);

	if (!rc)
		*id = op.u.sched_id.sched_id;
	return rc;
}

int ctl_getcpuinfo(struct ctl *ctl, uint64_t *idle, unsigned int max)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_getcpuinfo };
	xen_sysctl_cpuinfo_t *payload = ctl_payload(ctl, max * sizeof(*payload));
	unsigned int count;
	int rc;

	if (!payload)
		return -ENOMEM;
	op.u.getcpuinfo.max_cpus = max;
	set_xen_guest_handle(op.u.getcpuinfo.info, payload);
	rc = ctl_sysctl(ctl, &op);
	if (rc)
		return rc;
	count = op.u.getcpuinfo.nr_cpus < max ? op.u.getcpuinfo.nr_cpus : max;
	for (unsigned int i = 0; i < count; i++)
		idle[i] = payload[i].idletime;
	return (int)count;
}

/*
 * The hypervisor tells the number it has, which may be more than it was asked for: what was filled
 * in is the smaller one.
 */
static int filled(uint32_t told, unsigned int max)
{
	return (int)(told < max ? told : max);
}

int ctl_cputopoinfo(struct ctl *ctl, struct xen_sysctl_cputopo *topo, unsigned int max)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_cputopoinfo };
	xen_sysctl_cputopo_t *payload = NULL;
	int rc;

	if (topo) {
		payload = ctl_payload(ctl, max * sizeof(*payload));
		if (!payload)
			return -ENOMEM;
		op.u.cputopoinfo.num_cpus = max;
	}
	set_xen_guest_handle(op.u.cputopoinfo.cputopo, payload);
	rc = ctl_sysctl(ctl, &op);
	if (rc || !topo)
		return rc ? rc : (int)op.u.cputopoinfo.num_cpus;
	rc = filled(op.u.cputopoinfo.num_cpus, max);
	memcpy(topo, payload, rc * sizeof(*topo));
	return rc;
}

int ctl_numainfo(struct ctl *ctl, struct xen_sysctl_meminfo *mem, uint32_t *distance,
		 unsigned int max)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_numainfo };
	size_t mem_bytes = max * sizeof(*mem),
	       distance_bytes = (size_t)max * max * sizeof(*distance);
	char *payload = NULL;
	int rc;

	if (mem || distance) {
		payload = ctl_payload(ctl, mem_bytes + distance_bytes);
		if (!payload)
			return -ENOMEM;
		op.u.numainfo.num_nodes = max;
	}
	if (mem)
		set_xen_guest_handle(op.u.numainfo.meminfo, (xen_sysctl_meminfo_t *)payload);
	if (distance)
		set_xen_guest_handle(op.u.numainfo.distance, (uint32_t *)(payload + mem_bytes));
	rc = ctl_sysctl(ctl, &op);
	if (rc || !payload)
		return rc ? rc : (int)op.u.numainfo.num_nodes;
	rc = filled(op.u.numainfo.num_nodes, max);
	if (mem)
		memcpy(mem, payload, rc * sizeof(*mem));
	if (distance)
		memcpy(distance, payload + mem_bytes, (size_t)rc * rc * sizeof(*distance));
	return rc;
}

int ctl_pcitopoinfo(struct ctl *ctl, const struct physdev_pci_device *devices, uint32_t *nodes,
		    unsigned int count)
{
	size_t device_bytes = count * sizeof(*devices);
	char *payload = ctl_payload(ctl, device_bytes + count * sizeof(*nodes));
	unsigned int done = 0;

	if (!payload)
		return -ENOMEM;
	memcpy(payload, devices, device_bytes);
	/* The hypervisor may stop early and be asked to go on. */
	while (done < count) {
		struct xen_sysctl op = { .cmd = XEN_SYSCTL_pcitopoinfo };
		int rc;

		op.u.pcitopoinfo.num_devs = count - done;
		set_xen_guest_handle(op.u.pcitopoinfo.devs, (physdev_pci_device_t *)payload + done);
		set_xen_guest_handle(op.u.pcitopoinfo.nodes,
				     (uint32_t *)(payload + device_bytes) + done);
		rc = ctl_sysctl(ctl, &op);
		if (rc)
			return rc;
		if (!op.u.pcitopoinfo.num_devs || op.u.pcitopoinfo.num_devs > count - done)
			break;
		done += op.u.pcitopoinfo.num_devs;
	}
	memcpy(nodes, payload + device_bytes, done * sizeof(*nodes));
	return (int)done;
}

int ctl_availheap(struct ctl *ctl, int node, uint64_t *bytes)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_availheap };
	int rc;

	op.u.availheap.node = node;
	rc = ctl_sysctl(ctl, &op);
	if (!rc)
		*bytes = op.u.availheap.avail_bytes;
	return rc;
}

/* ---- pools and schedulers ---- */

int ctl_cpupool(struct ctl *ctl, struct xen_sysctl_cpupool_op *args, uint8_t *cpumap,
		unsigned int bytes)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_cpupool_op };
	uint8_t *payload = NULL;
	int rc;

	if (cpumap) {
		payload = ctl_payload(ctl, bytes);
		if (!payload)
			return -ENOMEM;
		memcpy(payload, cpumap, bytes);
	}
	op.u.cpupool_op = *args;
	set_xen_guest_handle(op.u.cpupool_op.cpumap.bitmap, payload);
	op.u.cpupool_op.cpumap.nr_bits = cpumap ? bytes * 8 : 0;
	rc = ctl_sysctl(ctl, &op);
	if (rc)
		return rc;
	*args = op.u.cpupool_op;
	if (cpumap)
		memcpy(cpumap, payload, bytes);
	return 0;
}

static int scheduler_params(struct ctl *ctl, uint32_t cmd, struct xen_sysctl_scheduler_op *args)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_scheduler_op };
	int rc;

	args->cmd = cmd;
	op.u.scheduler_op = *args;
	rc = ctl_sysctl(ctl, &op);
	if (!rc)
		*args = op.u.scheduler_op;
	return rc;
}

int ctl_sched_params_get(struct ctl *ctl, struct xen_sysctl_scheduler_op *op)
{
	return scheduler_params(ctl, XEN_SYSCTL_SCHEDOP_getinfo, op);
}

int ctl_sched_params_put(struct ctl *ctl, struct xen_sysctl_scheduler_op *op)
{
	return scheduler_params(ctl, XEN_SYSCTL_SCHEDOP_putinfo, op);
}

/* ---- console ---- */

int ctl_readconsole(struct ctl *ctl, char *buffer, uint32_t bytes, bool clear, bool incremental,
		    uint32_t *index)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_readconsole };
	char *payload = ctl_payload(ctl, bytes);
	int rc;

	if (!payload)
		return -ENOMEM;
	op.u.readconsole.clear = clear;
	op.u.readconsole.incremental = incremental;
	op.u.readconsole.index = index ? *index : 0;
	op.u.readconsole.count = bytes;
	set_xen_guest_handle(op.u.readconsole.buffer, payload);
	rc = ctl_sysctl(ctl, &op);
	if (rc)
		return rc;
	if (op.u.readconsole.count > bytes)
		return -EPROTO;
	memcpy(buffer, payload, op.u.readconsole.count);
	if (index)
		*index = op.u.readconsole.index;
	return (int)op.u.readconsole.count;
}

int ctl_debug_keys(struct ctl *ctl, const char *keys)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_debug_keys };
	size_t length = strlen(keys);
	char *payload = ctl_payload(ctl, length);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, keys, length);
	set_xen_guest_handle(op.u.debug_keys.keys, payload);
	op.u.debug_keys.nr_keys = (uint32_t)length;
	return ctl_sysctl(ctl, &op);
}
