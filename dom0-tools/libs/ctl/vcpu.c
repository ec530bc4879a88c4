/* SPDX-License-Identifier: MIT */
/*
 * Control operations on single vcpus: where they run, how they are scheduled, their registers.
 * Source: <xen/domctl.h>.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

int ctl_getvcpuinfo(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		    struct xen_domctl_getvcpuinfo *info)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_getvcpuinfo, domid);
	int rc;

	op.u.getvcpuinfo.vcpu = vcpu;
	rc = ctl_domctl(ctl, &op);
	if (!rc)
		*info = op.u.getvcpuinfo;
	return rc;
}

/* ---- affinity ---- */

static int affinity(struct ctl *ctl, uint32_t cmd, domid_t domid, unsigned int vcpu,
		    uint8_t *hard, uint8_t *soft, unsigned int bytes)
{
	struct xen_domctl op = ctl_domctl_for(cmd, domid);
	struct xen_domctl_vcpuaffinity *args = &op.u.vcpuaffinity;
	uint8_t *payload = ctl_payload(ctl, bytes * 2UL);
	int rc;

	if (!payload)
		return -ENOMEM;
	memset(payload, 0, bytes * 2UL);
	args->vcpu = vcpu;
	if (hard) {
		memcpy(payload, hard, bytes);
		args->flags |= XEN_VCPUAFFINITY_HARD;
		set_xen_guest_handle(args->cpumap_hard.bitmap, payload);
		args->cpumap_hard.nr_bits = bytes * 8;
	}
	if (soft) {
		memcpy(payload + bytes, soft, bytes);
		args->flags |= XEN_VCPUAFFINITY_SOFT;
		set_xen_guest_handle(args->cpumap_soft.bitmap, payload + bytes);
		args->cpumap_soft.nr_bits = bytes * 8;
	}
	rc = ctl_domctl(ctl, &op);
	if (rc)
		return rc;
	if (hard)
		memcpy(hard, payload, bytes);
	if (soft)
		memcpy(soft, payload + bytes, bytes);
	return 0;
}

int ctl_setvcpuaffinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t *hard,
			uint8_t *soft, unsigned int bytes)
{
	return affinity(ctl, XEN_DOMCTL_setvcpuaffinity, domid, vcpu, hard, soft, bytes);
}

int ctl_getvcpuaffinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t *hard,
			uint8_t *soft, unsigned int bytes)
{
	return affinity(ctl, XEN_DOMCTL_getvcpuaffinity, domid, vcpu, hard, soft, bytes);
}

int ctl_setnodeaffinity(struct ctl *ctl, domid_t domid, const uint8_t *nodes, unsigned int bytes)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_setnodeaffinity, domid);
	uint8_t *payload = ctl_payload(ctl, bytes);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, nodes, bytes);
	set_xen_guest_handle(op.u.nodeaffinity.nodemap.bitmap, payload);
	op.u.nodeaffinity.nodemap.nr_bits = bytes * 8;
	return ctl_domctl(ctl, &op);
}

/* ---- scheduling ---- */

static int scheduler(struct ctl *ctl, domid_t domid, uint32_t cmd,
		     struct xen_domctl_scheduler_op *args)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_scheduler_op, domid);
	int rc;

	args->cmd = cmd;
	op.u.scheduler_op = *args;
	rc = ctl_domctl(ctl, &op);
	if (!rc)
		*args = op.u.scheduler_op;
	return rc;
}

int ctl_sched_get(struct ctl *ctl, domid_t domid, struct xen_domctl_scheduler_op *op)
{
	return scheduler(ctl, domid, XEN_DOMCTL_SCHEDOP_getinfo, op);
}

int ctl_sched_put(struct ctl *ctl, domid_t domid, struct xen_domctl_scheduler_op *op)
{
	return scheduler(ctl, domid, XEN_DOMCTL_SCHEDOP_putinfo, op);
}

/* ---- registers ---- */

static int context_op(struct ctl *ctl, uint32_t cmd, domid_t domid, unsigned int vcpu,
		      struct vcpu_guest_context *context)
{
	struct xen_domctl op = ctl_domctl_for(cmd, domid);
	struct vcpu_guest_context *payload = ctl_payload(ctl, sizeof(*payload));
	int rc;

	if (!payload)
		return -ENOMEM;
	*payload = *context;
	op.u.vcpucontext.vcpu = vcpu;
	set_xen_guest_handle(op.u.vcpucontext.ctxt, payload);
	rc = ctl_domctl(ctl, &op);
	if (!rc && cmd == XEN_DOMCTL_getvcpucontext)
		*context = *payload;
	return rc;
}

int ctl_setvcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		       struct vcpu_guest_context *context)
{
	return context_op(ctl, XEN_DOMCTL_setvcpucontext, domid, vcpu, context);
}

int ctl_getvcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		       struct vcpu_guest_context *context)
{
	return context_op(ctl, XEN_DOMCTL_getvcpucontext, domid, vcpu, context);
}

static int ext_context_op(struct ctl *ctl, uint32_t cmd, domid_t domid, unsigned int vcpu,
			  struct xen_domctl_ext_vcpucontext *context)
{
	struct xen_domctl op = ctl_domctl_for(cmd, domid);
	int rc;

	op.u.ext_vcpucontext = *context;
	op.u.ext_vcpucontext.vcpu = vcpu;
	rc = ctl_domctl(ctl, &op);
	if (!rc)
		*context = op.u.ext_vcpucontext;
	return rc;
}

int ctl_get_ext_vcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
			    struct xen_domctl_ext_vcpucontext *context)
{
	return ext_context_op(ctl, XEN_DOMCTL_get_ext_vcpucontext, domid, vcpu, context);
}

int ctl_set_ext_vcpucontext(struct ctl *ctl, domid_t domid, unsigned int vcpu,
			    struct xen_domctl_ext_vcpucontext *context)
{
	return ext_context_op(ctl, XEN_DOMCTL_set_ext_vcpucontext, domid, vcpu, context);
}

int ctl_getvcpuextstate(struct ctl *ctl, domid_t domid, unsigned int vcpu, void *buffer,
			uint64_t *bytes, uint64_t *features)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_getvcpuextstate, domid);
	void *payload = buffer ? ctl_payload(ctl, *bytes) : NULL;
	int rc;

	if (buffer && !payload)
		return -ENOMEM;
	op.u.vcpuextstate.vcpu = vcpu;
	op.u.vcpuextstate.size = buffer ? *bytes : 0;
	op.u.vcpuextstate.xfeature_mask = *features;
	set_xen_guest_handle(op.u.vcpuextstate.buffer, payload);
	rc = ctl_domctl(ctl, &op);
	if (rc)
		return rc;
	if (buffer && op.u.vcpuextstate.size > *bytes)
		return -EPROTO;
	if (buffer)
		memcpy(buffer, payload, op.u.vcpuextstate.size);
	*bytes = op.u.vcpuextstate.size;
	*features = op.u.vcpuextstate.xfeature_mask;
	return 0;
}

int ctl_setvcpuextstate(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *buffer,
			uint64_t bytes)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_setvcpuextstate, domid);
	void *payload = ctl_payload(ctl, bytes);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, buffer, bytes);
	op.u.vcpuextstate.vcpu = vcpu;
	op.u.vcpuextstate.size = bytes;
	set_xen_guest_handle(op.u.vcpuextstate.buffer, payload);
	return ctl_domctl(ctl, &op);
}

int ctl_get_vcpu_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		      struct xen_domctl_vcpu_msr *msrs, uint32_t *count)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_get_vcpu_msrs, domid);
	struct xen_domctl_vcpu_msr *payload = NULL;
	int rc;

	if (msrs) {
		payload = ctl_payload(ctl, *count * sizeof(*msrs));
		if (!payload)
			return -ENOMEM;
	}
	op.u.vcpu_msrs.vcpu = vcpu;
	op.u.vcpu_msrs.msr_count = msrs ? *count : 0;
	set_xen_guest_handle(op.u.vcpu_msrs.msrs, payload);
	rc = ctl_domctl(ctl, &op);
	if (rc)
		return rc;
	if (msrs && op.u.vcpu_msrs.msr_count > *count)
		return -EPROTO;
	if (msrs)
		memcpy(msrs, payload, op.u.vcpu_msrs.msr_count * sizeof(*msrs));
	*count = op.u.vcpu_msrs.msr_count;
	return 0;
}

int ctl_set_vcpu_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu,
		      const struct xen_domctl_vcpu_msr *msrs, uint32_t count)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_set_vcpu_msrs, domid);
	struct xen_domctl_vcpu_msr *payload = ctl_payload(ctl, count * sizeof(*msrs));

	if (!payload)
		return -ENOMEM;
	memcpy(payload, msrs, count * sizeof(*msrs));
	op.u.vcpu_msrs.vcpu = vcpu;
	op.u.vcpu_msrs.msr_count = count;
	set_xen_guest_handle(op.u.vcpu_msrs.msrs, payload);
	return ctl_domctl(ctl, &op);
}
