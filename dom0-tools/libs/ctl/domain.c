/* SPDX-License-Identifier: MIT */
/*
 * Control operations on domains as a whole: life, limits, information, rights, event channels.
 * Sources: <xen/domctl.h>, <xen/sched.h>, <xen/event_channel.h>, <xen/grant_table.h>.
 */
#include <errno.h>
#include <string.h>
#include "private.h"
#include <xen/sched.h>

/* Domains asked about in one sysctl: an answer of some 17 KiB. */
#define LIST_BATCH 128U

int ctl_createdomain(struct ctl *ctl, domid_t *domid, const struct xen_domctl_createdomain *config)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_createdomain, *domid);
	int rc;

	op.u.createdomain = *config;
	rc = ctl_domctl(ctl, &op);
	if (!rc)
		*domid = op.domain;
	return rc;
}

/* Operations that need nothing but a domain. */
static int plain(struct ctl *ctl, domid_t domid, uint32_t cmd)
{
	struct xen_domctl op = ctl_domctl_for(cmd, domid);

	return ctl_domctl(ctl, &op);
}

int ctl_destroydomain(struct ctl *ctl, domid_t domid)
{
	return plain(ctl, domid, XEN_DOMCTL_destroydomain);
}

int ctl_pausedomain(struct ctl *ctl, domid_t domid)
{
	return plain(ctl, domid, XEN_DOMCTL_pausedomain);
}

int ctl_unpausedomain(struct ctl *ctl, domid_t domid)
{
	return plain(ctl, domid, XEN_DOMCTL_unpausedomain);
}

int ctl_resumedomain(struct ctl *ctl, domid_t domid)
{
	return plain(ctl, domid, XEN_DOMCTL_resumedomain);
}

int ctl_max_vcpus(struct ctl *ctl, domid_t domid, unsigned int vcpus)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_max_vcpus, domid);

	op.u.max_vcpus.max = vcpus;
	return ctl_domctl(ctl, &op);
}

int ctl_max_mem(struct ctl *ctl, domid_t domid, uint64_t kib)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_max_mem, domid);

	op.u.max_mem.max_memkb = kib;
	return ctl_domctl(ctl, &op);
}

int ctl_getdomaininfo(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_getdomaininfo, domid);
	int rc = ctl_domctl(ctl, &op);

	if (rc)
		return rc;
	/* The hypervisor answers for the next domain if there is none with this id. */
	if (op.u.getdomaininfo.domain != domid)
		return -ESRCH;
	*info = op.u.getdomaininfo;
	return 0;
}

int ctl_getdomaininfolist(struct ctl *ctl, domid_t first, unsigned int max,
			  struct xen_domctl_getdomaininfo *list)
{
	unsigned int count = 0;

	while (count < max) {
		unsigned int batch = max - count < LIST_BATCH ? max - count : LIST_BATCH;
		struct xen_sysctl op = { .cmd = XEN_SYSCTL_getdomaininfolist };
		xen_domctl_getdomaininfo_t *payload = ctl_payload(ctl, batch * sizeof(*payload));
		unsigned int got;
		int rc;

		if (!payload)
			return -ENOMEM;
		op.u.getdomaininfolist.first_domain = first;
		op.u.getdomaininfolist.max_domains = batch;
		set_xen_guest_handle(op.u.getdomaininfolist.buffer, payload);
		rc = ctl_sysctl(ctl, &op);
		if (rc)
			return rc;
		got = op.u.getdomaininfolist.num_domains;
		if (got > batch)
			return -EPROTO;
		memcpy(&list[count], payload, got * sizeof(*payload));
		count += got;
		if (got < batch)
			break;
		first = list[count - 1].domain + 1;
	}
	return (int)count;
}

int ctl_setdomainhandle(struct ctl *ctl, domid_t domid, const uint8_t handle[16])
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_setdomainhandle, domid);

	memcpy(op.u.setdomainhandle.handle, handle, sizeof(op.u.setdomainhandle.handle));
	return ctl_domctl(ctl, &op);
}

int ctl_sendtrigger(struct ctl *ctl, domid_t domid, uint32_t trigger, uint32_t vcpu)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_sendtrigger, domid);

	op.u.sendtrigger.trigger = trigger;
	op.u.sendtrigger.vcpu = vcpu;
	return ctl_domctl(ctl, &op);
}

int ctl_remote_shutdown(struct ctl *ctl, domid_t domid, unsigned int reason)
{
	struct sched_remote_shutdown op = { .domain_id = domid, .reason = reason };

	return ctl_small_op(ctl, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op, sizeof(op));
}

int ctl_settscinfo(struct ctl *ctl, domid_t domid, uint32_t mode, uint64_t elapsed_ns,
		   uint32_t khz, uint32_t incarnation)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_settscinfo, domid);

	op.u.tsc_info.tsc_mode = mode;
	op.u.tsc_info.elapsed_nsec = elapsed_ns;
	op.u.tsc_info.gtsc_khz = khz;
	op.u.tsc_info.incarnation = incarnation;
	return ctl_domctl(ctl, &op);
}

int ctl_gettscinfo(struct ctl *ctl, domid_t domid, struct xen_domctl_tsc_info *info)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_gettscinfo, domid);
	int rc = ctl_domctl(ctl, &op);

	if (!rc)
		*info = op.u.tsc_info;
	return rc;
}

int ctl_set_address_size(struct ctl *ctl, domid_t domid, unsigned int bits)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_set_address_size, domid);

	op.u.address_size.size = bits;
	return ctl_domctl(ctl, &op);
}

int ctl_get_address_size(struct ctl *ctl, domid_t domid)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_get_address_size, domid);
	int rc = ctl_domctl(ctl, &op);

	return rc ? rc : (int)op.u.address_size.size;
}

int ctl_hypercall_init(struct ctl *ctl, domid_t domid, xen_pfn_t frame)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_hypercall_init, domid);

	op.u.hypercall_init.gmfn = frame;
	return ctl_domctl(ctl, &op);
}

int ctl_settimeoffset(struct ctl *ctl, domid_t domid, int64_t seconds)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_settimeoffset, domid);

	op.u.settimeoffset.time_offset_seconds = seconds;
	return ctl_domctl(ctl, &op);
}

/* ---- rights ---- */

int ctl_irq_permission(struct ctl *ctl, domid_t domid, uint32_t pirq, bool allow)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_irq_permission, domid);

	op.u.irq_permission.pirq = pirq;
	op.u.irq_permission.allow_access = allow;
	return ctl_domctl(ctl, &op);
}

int ctl_iomem_permission(struct ctl *ctl, domid_t domid, uint64_t first_mfn, uint64_t count,
			 bool allow)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_iomem_permission, domid);

	op.u.iomem_permission.first_mfn = first_mfn;
	op.u.iomem_permission.nr_mfns = count;
	op.u.iomem_permission.allow_access = allow;
	return ctl_domctl(ctl, &op);
}

int ctl_ioport_permission(struct ctl *ctl, domid_t domid, uint32_t first, uint32_t count,
			  bool allow)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_ioport_permission, domid);

	op.u.ioport_permission.first_port = first;
	op.u.ioport_permission.nr_ports = count;
	op.u.ioport_permission.allow_access = allow;
	return ctl_domctl(ctl, &op);
}

/* ---- event channels and grants ---- */

int ctl_alloc_unbound(struct ctl *ctl, domid_t domid, domid_t remote)
{
	struct evtchn_alloc_unbound op = { .dom = domid, .remote_dom = remote };
	int rc = ctl_small_op(ctl, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &op,
			      sizeof(op));

	return rc ? rc : (int)op.port;
}

int ctl_evtchn_status(struct ctl *ctl, domid_t domid, evtchn_port_t port,
		      struct evtchn_status *status)
{
	memset(status, 0, sizeof(*status));
	status->dom = domid;
	status->port = port;
	return ctl_small_op(ctl, __HYPERVISOR_event_channel_op, EVTCHNOP_status, status,
			    sizeof(*status));
}

int ctl_evtchn_reset(struct ctl *ctl, domid_t domid)
{
	struct evtchn_reset op = { .dom = domid };

	return ctl_small_op(ctl, __HYPERVISOR_event_channel_op, EVTCHNOP_reset, &op, sizeof(op));
}

int ctl_gnttab_setup_table(struct ctl *ctl, domid_t domid, unsigned int count, xen_pfn_t *frames)
{
	struct gnttab_setup_table *op;
	xen_pfn_t *list;
	int rc;

	op = ctl_payload(ctl, sizeof(*op) + count * sizeof(*list));
	if (!op)
		return -ENOMEM;
	list = (xen_pfn_t *)(op + 1);
	*op = (struct gnttab_setup_table){ .dom = domid, .nr_frames = count };
	set_xen_guest_handle(op->frame_list, list);
	rc = call_hypercall(ctl->call, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table,
			    (unsigned long)op, 1, 0, 0);
	if (rc)
		return rc;
	if (op->status != GNTST_okay)
		return op->status == GNTST_no_space ? -ENOMEM : -EINVAL;
	memcpy(frames, list, count * sizeof(*list));
	return 0;
}
