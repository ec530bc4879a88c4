/* SPDX-License-Identifier: MIT */
/*
 * All of a saved domain that is not memory: what CPU it saw, its time, its shared info, its vcpus.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

static int refused(struct saver *s, int rc, const char *what)
{
	return tools_fail(s->error, rc, "hypervisor",
			  "the hypervisor does not give domain %u's %s: %s", s->save->domid, what,
			  strerror(-rc));
}

/* ---- before the memory ---- */

static int policies(struct saver *s)
{
	struct ctl_cpu_policy policy = { 0 };
	int rc = ctl_cpu_policy_size(s->save->ctl, &policy.nr_leaves, &policy.nr_msrs);

	if (rc)
		return refused(s, rc, "CPU policy");
	policy.leaves = calloc(policy.nr_leaves + 1, sizeof(*policy.leaves));
	policy.msrs = calloc(policy.nr_msrs + 1, sizeof(*policy.msrs));
	rc = policy.leaves && policy.msrs ?
		     ctl_get_cpu_policy(s->save->ctl, s->save->domid, &policy) :
		     -ENOMEM;
	if (rc)
		rc = refused(s, rc, "CPU policy");
	if (!rc && policy.nr_leaves)
		rc = stream_write_record(s->writer, STREAM_REC_X86_CPUID_POLICY, policy.leaves,
					 policy.nr_leaves * (uint32_t)sizeof(*policy.leaves),
					 s->error);
	if (!rc && policy.nr_msrs)
		rc = stream_write_record(s->writer, STREAM_REC_X86_MSR_POLICY, policy.msrs,
					 policy.nr_msrs * (uint32_t)sizeof(*policy.msrs), s->error);
	free(policy.leaves);
	free(policy.msrs);
	return rc;
}

int saver_static_data(struct saver *s)
{
	int rc = stream_write_pv_info(s->writer, s->error);

	rc = rc ? rc : policies(s);
	rc = rc ? rc :
		  stream_write_record(s->writer, STREAM_REC_STATIC_DATA_END, NULL, 0, s->error);
	return rc ? rc :
		    stream_write_p2m_frames(s->writer, (uint32_t)s->frames.count - 1,
					    s->frames.list_pfns, s->error);
}

/* ---- behind it ---- */

static int basic(struct saver *s, uint32_t vcpu)
{
	struct stream_lookup lookup = { frames_mfn_to_pfn, &s->frames };
	struct vcpu_guest_context context;
	int rc = ctl_getvcpucontext(s->save->ctl, s->save->domid, vcpu, &context);

	if (rc)
		return refused(s, rc, "registers");
	rc = stream_context_to_pfns(&context, vcpu, &lookup, s->error);
	return rc ? rc :
		    stream_write_vcpu(s->writer, STREAM_REC_X86_PV_VCPU_BASIC, vcpu, &context,
				      sizeof(context), s->error);
}

static int extended(struct saver *s, uint32_t vcpu)
{
	struct xen_domctl_ext_vcpucontext context = { 0 };
	int rc = ctl_get_ext_vcpucontext(s->save->ctl, s->save->domid, vcpu, &context);

	if (rc || context.size > sizeof(context))
		return refused(s, rc ? rc : -EPROTO, "extended registers");
	return stream_write_vcpu(s->writer, STREAM_REC_X86_PV_VCPU_EXTENDED, vcpu, &context,
				 context.size, s->error);
}

static int xsave(struct saver *s, uint32_t vcpu)
{
	uint64_t bytes = 0, features = 0;
	void *buffer;
	int rc = ctl_getvcpuextstate(s->save->ctl, s->save->domid, vcpu, NULL, &bytes, &features);

	if (rc)
		return refused(s, rc, "vector state");
	if (!features || !bytes)
		return 0;
	if (bytes > 1U << 20)
		return refused(s, -EPROTO, "vector state");
	buffer = calloc(1, bytes);
	rc = buffer ? ctl_getvcpuextstate(s->save->ctl, s->save->domid, vcpu, buffer, &bytes,
					  &features) :
		      -ENOMEM;
	if (rc)
		rc = refused(s, rc, "vector state");
	else
		rc = stream_write_vcpu(s->writer, STREAM_REC_X86_PV_VCPU_XSAVE, vcpu, buffer,
				       (uint32_t)bytes, s->error);
	free(buffer);
	return rc;
}

static int msrs(struct saver *s, uint32_t vcpu)
{
	struct xen_domctl_vcpu_msr *list;
	uint32_t count = 0;
	int rc = ctl_get_vcpu_msrs(s->save->ctl, s->save->domid, vcpu, NULL, &count);

	if (rc || count > 1024)
		return refused(s, rc ? rc : -EPROTO, "MSRs");
	if (!count)
		return 0;
	list = calloc(count, sizeof(*list));
	rc = list ? ctl_get_vcpu_msrs(s->save->ctl, s->save->domid, vcpu, list, &count) : -ENOMEM;
	if (rc)
		rc = refused(s, rc, "MSRs");
	else
		rc = stream_write_vcpu(s->writer, STREAM_REC_X86_PV_VCPU_MSRS, vcpu, list,
				       count * (uint32_t)sizeof(*list), s->error);
	free(list);
	return rc;
}

static int vcpus(struct saver *s)
{
	struct xen_domctl_getdomaininfo info;
	struct xen_domctl_getvcpuinfo vcpu;
	int rc = ctl_getdomaininfo(s->save->ctl, s->save->domid, &info);
	uint32_t i;

	if (rc)
		return refused(s, rc, "state");
	for (i = 0; i <= info.max_vcpu_id && !rc; i++) {
		rc = ctl_getvcpuinfo(s->save->ctl, s->save->domid, i, &vcpu);
		if (rc)
			return refused(s, rc, "vcpus");
		/* One that is down has no state. */
		if (!vcpu.online)
			continue;
		rc = basic(s, i);
		rc = rc ? rc : extended(s, i);
		rc = rc ? rc : xsave(s, i);
		rc = rc ? rc : msrs(s, i);
	}
	return rc;
}

int saver_state(struct saver *s)
{
	struct xen_domctl_tsc_info tsc;
	int rc = ctl_gettscinfo(s->save->ctl, s->save->domid, &tsc);

	if (rc)
		return refused(s, rc, "time");
	rc = stream_write_tsc_info(s->writer, tsc.tsc_mode, tsc.gtsc_khz, tsc.elapsed_nsec,
				   tsc.incarnation, s->error);
	if (!rc)
		rc = stream_write_record(s->writer, STREAM_REC_SHARED_INFO, s->frames.shared,
					 PAGE_BYTES, s->error);
	return rc ? rc : vcpus(s);
}
