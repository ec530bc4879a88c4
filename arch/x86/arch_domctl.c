/* SPDX-License-Identifier: MIT */
/*
 * The domctls that only this machine can answer: CPU policy, extended vcpu
 * state, I/O rights, time, frame types. Rows of core/domctl.c's table; the
 * errnos are the ABI's as the tools know them.
 */
#include <core/domctl.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/atomic.h>
#include <arch/domain.h>
#include <arch/map.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/cpufeature.h>
#include <x86/mm.h>
#include <x86/page.h>
#include <x86/pirq.h>
#include <x86/pv.h>
#include <x86/rangeset.h>
#include <x86/shadow.h>
#include <x86/time.h>

/* ---- frame types ---- */

#define FRAMES_PER_BATCH	64u

/* In: frame numbers, 1,024 at most; out: their types. */
static long getpageframeinfo3(struct xen_domctl *op, struct domain *d,
			      bool *copyback __maybe_unused)
{
	struct xen_domctl_getpageframeinfo3 *g = &op->u.getpageframeinfo3;
	xen_pfn_t batch[FRAMES_PER_BATCH];

	if (g->num > 1024)
		return -E2BIG;
	while (g->num) {
		unsigned int n = min((unsigned int)g->num, FRAMES_PER_BATCH);

		if (raw_copy_from_guest(batch, g->array.p, n * sizeof(*batch)))
			return -EFAULT;
		for (unsigned int i = 0; i < n; i++)
			batch[i] = page_frame_info(d, _mfn(batch[i]));
		if (raw_copy_to_guest(g->array.p, batch, n * sizeof(*batch)))
			return -EFAULT;
		g->num -= n;
		g->array.p += n;
	}
	return 0;
}

static long hypercall_init(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	struct page_info *pg = get_page_from_gfn(d, _gfn(op->u.hypercall_init.gmfn));

	if (!pg)
		return -EINVAL;
	if (get_page_type(pg, PGT_writable_page)) {
		put_page(pg);
		return -EPERM;
	}
	pv_hypercall_page_fill(page_to_virt(pg));
	log_dirty_page(pg);
	put_page_and_type(pg);
	return 0;
}

/* ---- address size ---- */

static long set_address_size(struct xen_domctl *op, struct domain *d __maybe_unused,
			     bool *copyback __maybe_unused)
{
	return op->u.address_size.size == 64 ? 0 : -EINVAL;
}

static long get_address_size(struct xen_domctl *op, struct domain *d __maybe_unused, bool *copyback)
{
	op->u.address_size.size = 64;
	*copyback = true;
	return 0;
}

/* ---- rights ---- */

static long ioport_permission(struct xen_domctl *op, struct domain *d,
			      bool *copyback __maybe_unused)
{
	const struct xen_domctl_ioport_permission *p = &op->u.ioport_permission;
	unsigned int last = p->first_port + p->nr_ports - 1;

	if (!p->nr_ports || p->first_port > 0xffff || last > 0xffff || last < p->first_port)
		return -EINVAL;
	if (!rangeset_contains(current->domain->arch.ioport_caps, p->first_port, last))
		return -EPERM;
	return p->allow_access ? rangeset_add(d->arch.ioport_caps, p->first_port, last) :
		rangeset_remove(d->arch.ioport_caps, p->first_port, last);
}

static long iomem_permission(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	const struct xen_domctl_iomem_permission *p = &op->u.iomem_permission;
	unsigned long first = p->first_mfn, last = first + p->nr_mfns - 1;

	if (!p->nr_mfns || last < first || last >> (boot_cpu.phys_bits - PAGE_SHIFT))
		return -EINVAL;
	if (!rangeset_contains(current->domain->arch.iomem_caps, first, last))
		return -EPERM;
	return p->allow_access ? rangeset_add(d->arch.iomem_caps, first, last) :
		rangeset_remove(d->arch.iomem_caps, first, last);
}

static long irq_permission(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	return pirq_set_permission(d, op->u.irq_permission.pirq, op->u.irq_permission.allow_access);
}

/* ---- time ---- */

static long gettscinfo(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_tsc_info *t = &op->u.tsc_info;
	uint64_t elapsed = 0;

	if (d == current->domain)
		return -EINVAL;
	domain_pause(d);
	tsc_get_info(d, &t->tsc_mode, &elapsed, &t->gtsc_khz, &t->incarnation);
	t->elapsed_nsec = elapsed;
	domain_unpause(d);
	*copyback = true;
	return 0;
}

static long settscinfo(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	const struct xen_domctl_tsc_info *t = &op->u.tsc_info;
	struct vcpu *v;
	long rc;

	if (d == current->domain)
		return -EINVAL;
	domain_pause(d);
	/* Whether RDTSC traps is loaded with a vcpu, which may have stayed where it ran last. */
	for_each_vcpu(d, v)
		sync_vcpu_execstate(v);
	rc = tsc_set_info(d, t->tsc_mode, t->elapsed_nsec, t->gtsc_khz, t->incarnation);
	domain_unpause(d);
	return rc;
}

/* ---- CPU policy ---- */

static long get_cpu_policy(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
	int rc = policy_leaves_to_guest(d->arch.cpu_policy, p->leaves.p, &p->nr_leaves);

	if (!rc)
		rc = policy_msrs_to_guest(d->arch.cpu_policy, p->msrs.p, &p->nr_msrs);
	*copyback = !rc;
	return rc;
}

/* All or nothing: a copy is changed and checked before it takes the place of the domain's. */
static long set_cpu_policy(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
	struct cpu_policy *new;
	struct vcpu *v;
	int rc;

	if (d == current->domain)
		return -EINVAL;
	if (d->creation_finished)
		return -EEXIST;
	new = xmalloc(struct cpu_policy);
	if (!new)
		return -ENOMEM;
	*new = *d->arch.cpu_policy;
	p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
	rc = policy_leaves_from_guest(new, p->leaves.p, p->nr_leaves, &p->err_leaf,
				      &p->err_subleaf);
	if (!rc)
		rc = policy_msrs_from_guest(new, p->msrs.p, p->nr_msrs, &p->err_msr);
	if (!rc)
		rc = domain_policy_set(d, new);
	xfree(new);
	if (rc) {
		*copyback = true;
		return rc;
	}
	for_each_vcpu(d, v)
		v->arch.ctrlreg[4] = pv_fixup_guest_cr4(d, v->arch.ctrlreg[4]);
	return 0;
}

/* ---- vcpu state beyond vcpu_guest_context ---- */

static long get_ext_vcpucontext(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
	const uint32_t id = e->vcpu;
	struct vcpu *v = domain_vcpu(d, id);

	if (!v || v == current)
		return -ESRCH;
	memset(e, 0, sizeof(*e));
	e->vcpu = id;
	e->size = sizeof(*e);
	e->sysenter_callback_cs = v->arch.sysenter_callback_cs;
	e->sysenter_callback_eip = v->arch.sysenter_callback_eip;
	e->sysenter_disables_events = v->arch.sysenter_disables_events;
	e->syscall32_callback_cs = v->arch.syscall32_callback_cs;
	e->syscall32_callback_eip = v->arch.syscall32_callback_eip;
	e->syscall32_disables_events = v->arch.syscall32_disables_events;
	*copyback = true;
	return 0;
}

static long set_ext_vcpucontext(struct xen_domctl *op, struct domain *d,
				bool *copyback __maybe_unused)
{
	const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
	struct vcpu *v = domain_vcpu(d, e->vcpu);

	if (!v || d == current->domain)
		return -ESRCH;
	if (e->size < offsetof(struct xen_domctl_ext_vcpucontext, vmce) ||
	    !is_canonical(e->sysenter_callback_eip) || !is_canonical(e->syscall32_callback_eip))
		return -EINVAL;
	domain_pause(d);
	v->arch.sysenter_callback_cs = e->sysenter_callback_cs | 3;
	v->arch.sysenter_callback_eip = e->sysenter_callback_eip;
	v->arch.sysenter_disables_events = e->sysenter_disables_events;
	v->arch.syscall32_callback_cs = e->syscall32_callback_cs | 3;
	v->arch.syscall32_callback_eip = e->syscall32_callback_eip;
	v->arch.syscall32_disables_events = e->syscall32_disables_events;
	domain_unpause(d);
	return 0;
}

/* An XSAVE image for the tools: xcr0, xcr0_accum, then the area in the standard form. */
#define XSTATE_HEADER	16u

static long getvcpuextstate(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
	struct vcpu *v = domain_vcpu(d, e->vcpu);
	unsigned int size;
	uint64_t head[2];
	long rc = 0;

	*copyback = true;
	if (!v)
		return -ESRCH;
	if (v == current)
		return -EINVAL;
	if ((!e->size && !e->xfeature_mask) || !e->buffer.p) {
		e->xfeature_mask = host_xcr0;
		e->size = XSTATE_HEADER + (host_xcr0 ? host_xsave_size : 0);
		return 0;
	}
	vcpu_pause(v);
	head[0] = v->arch.xcr0;
	head[1] = v->arch.xcr0_accum;
	size = host_xcr0 ? xsave_size(head[1]) : 0;
	if (e->size < XSTATE_HEADER + size || e->xfeature_mask != host_xcr0)
		rc = -EINVAL;
	else if (raw_copy_to_guest(e->buffer.p, head, sizeof(head)) ||
		 (size && xsave_to_guest((char *)e->buffer.p + XSTATE_HEADER, v, size)))
		rc = -EFAULT;
	else
		e->size = XSTATE_HEADER + size;
	vcpu_unpause(v);
	return rc;
}

static long install_xstate(struct vcpu *v, const uint64_t *head, unsigned int size)
{
	const void *image = head + 2;
	unsigned int bytes = size - XSTATE_HEADER;
	int rc;

	if (!head[1] && !head[0] && !bytes)
		return 0;		/* a vcpu that never had any */
	rc = host_xcr0 ? xsave_check(image, bytes, head[0], head[1]) : -EINVAL;
	if (rc)
		return rc;
	vcpu_pause(v);
	sync_vcpu_execstate(v);
	v->arch.xcr0 = head[0];
	v->arch.xcr0_accum = head[1];
	fpu_reset(v);
	memcpy(v->arch.fpu, image, bytes);
	vcpu_unpause(v);
	return 0;
}

static long setvcpuextstate(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	const struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
	struct vcpu *v = domain_vcpu(d, e->vcpu);
	uint64_t *buf;
	long rc;

	if (!v)
		return -ESRCH;
	if (v == current || e->size < XSTATE_HEADER ||
	    e->size > XSTATE_HEADER + (uint64_t)host_xsave_size)
		return -EINVAL;
	buf = xmalloc_bytes(e->size, 64);
	if (!buf)
		return -ENOMEM;
	rc = raw_copy_from_guest(buf, e->buffer.p, e->size) ? -EFAULT :
		install_xstate(v, buf, (unsigned int)e->size);
	xfree(buf);
	return rc;
}

/* The MSRs of a PV vcpu that can be set: few, and most are 0. */
static uint64_t *vcpu_msr(struct vcpu *v, uint32_t index)
{
	switch (index) {
	case MSR_MISC_FEATURES:
		return &v->arch.msr_misc_features;
	case MSR_TSC_AUX:
		return &v->arch.tsc_aux;
	}
	return NULL;
}

static long get_vcpu_msrs(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	static const uint32_t list[] = { MSR_MISC_FEATURES, MSR_TSC_AUX };
	struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
	struct vcpu *v = domain_vcpu(d, m->vcpu);
	uint32_t n = 0;
	long rc = 0;

	if (!v)
		return -ESRCH;
	if (v == current)
		return -EINVAL;
	*copyback = true;
	if (!m->msrs.p) {
		m->msr_count = ARRAY_SIZE(list);
		return 0;
	}
	vcpu_pause(v);
	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++) {
		const struct xen_domctl_vcpu_msr e = { .index = list[i],
						       .value = *vcpu_msr(v, list[i]) };

		if (!e.value)
			continue;
		if (n < m->msr_count && raw_copy_to_guest(m->msrs.p + n, &e, sizeof(e)))
			rc = -EFAULT;
		n++;
	}
	vcpu_unpause(v);
	if (n > m->msr_count && !rc)
		rc = -ENOBUFS;
	m->msr_count = n;
	return rc;
}

static long set_vcpu_msrs(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
	struct vcpu *v = domain_vcpu(d, m->vcpu);
	const uint64_t cpuid_faulting = d->arch.cpu_policy->platform_info >> 31 & 1;
	struct xen_domctl_vcpu_msr e;
	long rc = 0;
	uint32_t i;

	if (!v)
		return -ESRCH;
	if (v == current || m->msr_count > 8)
		return -EINVAL;
	vcpu_pause(v);
	sync_vcpu_execstate(v);
	for (i = 0; i < m->msr_count && !rc; i++) {
		if (raw_copy_from_guest(&e, m->msrs.p + i, sizeof(e)))
			rc = -EFAULT;
		else if (e.reserved || !vcpu_msr(v, e.index) || e.value >> 32 ||
			 (e.index == MSR_MISC_FEATURES && e.value & ~cpuid_faulting))
			rc = -EINVAL;
		else
			*vcpu_msr(v, e.index) = e.value;
	}
	vcpu_unpause(v);
	if (rc) {
		m->msr_count = i - 1;
		*copyback = true;
	}
	return rc;
}

/* ---- triggers, and what is not for PV ---- */

static long sendtrigger(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	struct vcpu *v = domain_vcpu(d, op->u.sendtrigger.vcpu);

	if (!v)
		return -ESRCH;
	if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
		return -EINVAL;
	if (!atomic_xchg(&v->arch.nmi_pending, true)) {
		vcpu_unblock(v);
		vcpu_kick(v);
	}
	return 0;
}

static long shadow_op(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	*copyback = true;
	if (d == current->domain)
		return -EINVAL;
	if (d->is_dying)
		return 0;
	return log_dirty_op(d, &op->u.shadow_op);
}

#define ROW(name, fn_, ...) [XEN_DOMCTL_##name] = { .fn = (fn_), ##__VA_ARGS__ }
const struct domctl_row arch_domctl_table[] = {
	ROW(shadow_op, shadow_op),
	ROW(irq_permission, irq_permission),
	ROW(iomem_permission, iomem_permission),
	ROW(ioport_permission, ioport_permission),
	ROW(hypercall_init, hypercall_init),
	ROW(sendtrigger, sendtrigger),
	ROW(set_address_size, set_address_size),
	ROW(get_address_size, get_address_size),
	ROW(set_ext_vcpucontext, set_ext_vcpucontext),
	ROW(get_ext_vcpucontext, get_ext_vcpucontext),
	ROW(gettscinfo, gettscinfo),
	ROW(settscinfo, settscinfo),
	ROW(getpageframeinfo3, getpageframeinfo3),
	ROW(setvcpuextstate, setvcpuextstate),
	ROW(getvcpuextstate, getvcpuextstate),
	ROW(get_vcpu_msrs, get_vcpu_msrs),
	ROW(set_vcpu_msrs, set_vcpu_msrs),
	ROW(get_cpu_policy, get_cpu_policy),
	ROW(set_cpu_policy, set_cpu_policy),
};
const unsigned int arch_domctl_rows = ARRAY_SIZE(arch_domctl_table);
