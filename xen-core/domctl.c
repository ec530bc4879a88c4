/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_domctl: what a toolstack does to a domain. One function and one
 * row for each operation; what only the machine knows (CPU policy, I/O
 * permissions, extended state) has its rows in arch_domctl_table.
 *
 * One operation runs at a time, under domctl_lock; a caller that does not get
 * it tries again through a continuation rather than spin, since the holder may
 * be waiting for the caller's vcpu to leave its CPU.
 * Source: <xen/domctl.h>.
 */
#include <core/domctl.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/domain.h>
#include <arch/time.h>

static DEFINE_SPINLOCK(domctl_lock, LOCK_DOMCTL);

int cpumask_from_xenctl(cpumask_t *mask, const struct xenctl_bitmap *bm)
{
	size_t bytes = DIV_ROUND_UP(min(bm->nr_bits, nr_cpu_ids), 8U);

	cpumask_clear(mask);
	if (!bytes)
		return 0;
	if (!bm->bitmap.p)
		return -EFAULT;
	if (raw_copy_from_guest(mask->bits, bm->bitmap.p, bytes))
		return -EFAULT;
	for (unsigned int i = bm->nr_bits; i < DIV_ROUND_UP(bm->nr_bits, 8U) * 8 && i < NR_CPUS;
	     i++)
		__clear_bit(i, mask->bits);
	return 0;
}

int cpumask_to_xenctl(const struct xenctl_bitmap *bm, const cpumask_t *mask)
{
	size_t guest_bytes = DIV_ROUND_UP(bm->nr_bits, 8U);
	size_t bytes = min(guest_bytes, sizeof(mask->bits));

	if (raw_copy_to_guest(bm->bitmap.p, mask->bits, bytes))
		return -EFAULT;
	if (guest_bytes > bytes &&
	    raw_clear_guest((char *)bm->bitmap.p + bytes, guest_bytes - bytes))
		return -EFAULT;
	return 0;
}

/* ---- life of a domain ---- */

/* A free id after the last one given; 0 if there is none. */
static domid_t choose_domid(void)
{
	static domid_t rover;
	domid_t id = rover;

	for (unsigned int tries = 0; tries < DOMID_FIRST_RESERVED; tries++) {
		if (++id >= DOMID_FIRST_RESERVED)
			id = 1;
		if (!domain_by_id(id)) {
			rover = id;
			return id;
		}
	}
	return 0;
}

static long createdomain(struct xen_domctl *op, struct domain *unused __maybe_unused,
			 bool *copyback)
{
	domid_t id = op->domain;
	struct domain *d;

	if (id > 0 && id < DOMID_FIRST_RESERVED) {
		if (domain_by_id(id))
			return -EEXIST;
	} else {
		id = choose_domid();
		if (!id)
			return -ENOMEM;
	}
	d = domain_create(id, &op->u.createdomain, false);
	if (IS_ERR(d))
		return PTR_ERR(d);
	op->domain = d->domain_id;
	*copyback = true;
	return 0;
}

static long max_vcpus(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	if (d == current->domain || op->u.max_vcpus.max != d->max_vcpus)
		return -EINVAL;
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		if (!d->vcpu[i] && !vcpu_create(d, i))
			return -ENOMEM;
	return 0;
}

static long destroydomain(struct xen_domctl *op __maybe_unused, struct domain *d,
			  bool *copyback __maybe_unused)
{
	if (d == current->domain)
		return -EINVAL;
	return domain_kill(d);
}

static long pausedomain(struct xen_domctl *op __maybe_unused, struct domain *d,
			bool *copyback __maybe_unused)
{
	return d == current->domain ? -EINVAL : domain_pause_by_controller(d);
}

static long unpausedomain(struct xen_domctl *op __maybe_unused, struct domain *d,
			  bool *copyback __maybe_unused)
{
	if (read_once(d->controller_pause_count) <= 0)
		return -EINVAL;
	if (!d->creation_finished) {
		d->creation_finished = true;
		arch_domain_creation_finished(d);
	}
	domain_unpause_by_controller(d);
	return 0;
}

static long resumedomain(struct xen_domctl *op __maybe_unused, struct domain *d,
			 bool *copyback __maybe_unused)
{
	if (d == current->domain)
		return -EINVAL;
	domain_resume(d);
	return 0;
}

static long getdomaininfo_op(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	if (!d) {
		if (op->domain >= DOMID_FIRST_RESERVED)
			return -EINVAL;
		for_each_domain(d)
			if (d->domain_id >= op->domain)
				break;
	}
	if (!d)
		return -ESRCH;
	getdomaininfo(d, &op->u.getdomaininfo);
	op->domain = d->domain_id;
	*copyback = true;
	return 0;
}

/* ---- vcpus ---- */

static long setvcpucontext(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);
	struct vcpu_guest_context *ctxt;
	long rc;

	if (d == current->domain || !v)
		return -EINVAL;
	if (guest_handle_is_null(op->u.vcpucontext.ctxt))
		return vcpu_reset(v);
	ctxt = xmalloc(struct vcpu_guest_context);
	if (!ctxt)
		return -ENOMEM;
	if (copy_from_guest(ctxt, op->u.vcpucontext.ctxt, 1)) {
		rc = -EFAULT;
	} else {
		domain_pause(d);
		rc = arch_set_info_guest(v, ctxt);
		domain_unpause(d);
	}
	xfree(ctxt);
	return rc;
}

static long getvcpucontext(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);
	struct vcpu_guest_context *ctxt;
	long rc;

	if (!v || v == current)
		return -EINVAL;
	if (!v->is_initialised)
		return -ENODATA;
	ctxt = xzalloc(struct vcpu_guest_context);
	if (!ctxt)
		return -ENOMEM;
	vcpu_pause(v);
	arch_get_info_guest(v, ctxt);
	vcpu_unpause(v);
	rc = copy_to_guest(op->u.vcpucontext.ctxt, ctxt, 1) ? -EFAULT : 0;
	*copyback = true;
	xfree(ctxt);
	return rc;
}

static long getvcpuinfo(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
	struct vcpu_runstate_info runstate;
	struct vcpu *v;

	if (info->vcpu >= d->max_vcpus)
		return -EINVAL;
	v = d->vcpu[info->vcpu];
	if (!v)
		return -ESRCH;
	vcpu_runstate_get(v, &runstate);
	info->online = !test_bit(VPF_down, &v->pause_flags);
	info->blocked = test_bit(VPF_blocked, &v->pause_flags);
	info->running = v->is_running;
	info->cpu_time = runstate.time[RUNSTATE_running];
	info->cpu = v->processor;
	*copyback = true;
	return 0;
}

/* The vcpu that an affinity operation names: 0, -EINVAL, -ESRCH. */
static long affinity_target(struct domain *d, const struct xen_domctl_vcpuaffinity *a,
			    struct vcpu **v)
{
	if (a->vcpu >= d->max_vcpus)
		return -EINVAL;
	*v = d->vcpu[a->vcpu];
	if (!*v)
		return -ESRCH;
	if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) ||
	    ((a->flags & XEN_VCPUAFFINITY_HARD) && guest_handle_is_null(a->cpumap_hard.bitmap)) ||
	    ((a->flags & XEN_VCPUAFFINITY_SOFT) && guest_handle_is_null(a->cpumap_soft.bitmap)))
		return -EINVAL;
	return 0;
}

/* Sets, and reports what will be in force: the pool's CPUs cut with the mask. */
static long setvcpuaffinity(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
	const cpumask_t *online = cpupool_online_cpus(d);
	cpumask_t mask, old_hard;
	struct vcpu *v;
	long rc = affinity_target(d, a, &v);

	if (rc)
		return rc;
	old_hard = v->cpu_hard_affinity;
	if (a->flags & XEN_VCPUAFFINITY_FORCE)
		vcpu_temporary_affinity(v, NR_CPUS);
	if (a->flags & XEN_VCPUAFFINITY_HARD) {
		rc = cpumask_from_xenctl(&mask, &a->cpumap_hard);
		if (!rc)
			rc = vcpu_set_hard_affinity(v, &mask);
		if (rc)
			return rc;
		cpumask_and(&mask, online, &v->cpu_hard_affinity);
		rc = cpumask_to_xenctl(&a->cpumap_hard, &mask);
	}
	if (a->flags & XEN_VCPUAFFINITY_SOFT) {
		rc = cpumask_from_xenctl(&mask, &a->cpumap_soft);
		if (!rc)
			rc = vcpu_set_soft_affinity(v, &mask);
		if (rc) {
			if (a->flags & XEN_VCPUAFFINITY_HARD)
				vcpu_set_hard_affinity(v, &old_hard);
			return rc;
		}
		cpumask_and(&mask, &mask, online);
		cpumask_and(&mask, &mask, &v->cpu_hard_affinity);
		rc = cpumask_to_xenctl(&a->cpumap_soft, &mask);
	}
	return rc;
}

static long getvcpuaffinity(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
	struct vcpu *v;
	long rc = affinity_target(d, a, &v);

	if (!rc && (a->flags & XEN_VCPUAFFINITY_HARD))
		rc = cpumask_to_xenctl(&a->cpumap_hard, &v->cpu_hard_affinity);
	if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT))
		rc = cpumask_to_xenctl(&a->cpumap_soft, &v->cpu_soft_affinity);
	return rc;
}

/* ---- parameters ---- */

static long max_mem(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	/* May be less than it has: then it cannot get more until it has given back. */
	spin_lock(&d->page_alloc_lock);
	d->max_pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
	spin_unlock(&d->page_alloc_lock);
	return 0;
}

static long scheduler_op(struct xen_domctl *op, struct domain *d, bool *copyback)
{
	*copyback = true;
	return sched_adjust_domain(d, &op->u.scheduler_op);
}

static long setdomainhandle(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
	return 0;
}

static long setdebugging(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	if (d == current->domain)
		return -EINVAL;
	domain_pause(d);
	d->debugger_attached = op->u.setdebugging.enable;
	domain_unpause(d);
	return 0;
}

static long settimeoffset(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	domain_set_time_offset(d, op->u.settimeoffset.time_offset_seconds);
	return 0;
}

static long subscribe(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	d->suspend_evtchn = op->u.subscribe.port;
	return 0;
}

static long set_virq_handler(struct xen_domctl *op, struct domain *d, bool *copyback __maybe_unused)
{
	return set_global_virq_handler(d, op->u.set_virq_handler.virq);
}

/* One node: any mask that names it is as good as any other. */
static long setnodeaffinity(struct xen_domctl *op, struct domain *d __maybe_unused,
			    bool *copyback __maybe_unused)
{
	const struct xenctl_bitmap *bm = &op->u.nodeaffinity.nodemap;
	uint8_t first = 0;

	if (bm->nr_bits && raw_copy_from_guest(&first, bm->bitmap.p, 1))
		return -EFAULT;
	return first & 1 ? 0 : -EINVAL;
}

static long getnodeaffinity(struct xen_domctl *op, struct domain *d __maybe_unused,
			    bool *copyback __maybe_unused)
{
	cpumask_t node0 = cpumask_of(0);

	return cpumask_to_xenctl(&op->u.nodeaffinity.nodemap, &node0);
}

#define ROW(name, handler)	[XEN_DOMCTL_##name] = { .fn = (handler) }

static const struct domctl_row table[] = {
	[XEN_DOMCTL_createdomain] = { .fn = createdomain, .no_domain = true },
	ROW(destroydomain, destroydomain),
	ROW(pausedomain, pausedomain),
	ROW(unpausedomain, unpausedomain),
	[XEN_DOMCTL_getdomaininfo] = { .fn = getdomaininfo_op,
				       .no_domain = true,
				       .unlocked = true },
	ROW(setvcpuaffinity, setvcpuaffinity),
	ROW(max_mem, max_mem),
	ROW(setvcpucontext, setvcpucontext),
	ROW(getvcpucontext, getvcpucontext),
	ROW(getvcpuinfo, getvcpuinfo),
	ROW(max_vcpus, max_vcpus),
	ROW(scheduler_op, scheduler_op),
	ROW(setdomainhandle, setdomainhandle),
	ROW(setdebugging, setdebugging),
	ROW(settimeoffset, settimeoffset),
	ROW(getvcpuaffinity, getvcpuaffinity),
	ROW(resumedomain, resumedomain),
	ROW(subscribe, subscribe),
	ROW(set_virq_handler, set_virq_handler),
	ROW(setnodeaffinity, setnodeaffinity),
	ROW(getnodeaffinity, getnodeaffinity),
};

static const struct domctl_row *find_row(uint32_t cmd)
{
	if (cmd < ARRAY_SIZE(table) && table[cmd].fn)
		return &table[cmd];
	if (cmd < arch_domctl_rows && arch_domctl_table[cmd].fn)
		return &arch_domctl_table[cmd];
	return NULL;
}

/*
 * domctl(op): 0 or more as the operation says; -EFAULT; -EACCES other
 * interface version; -ESRCH no such domain; -EPERM; -ENOSYS.
 */
DEFINE_HYPERCALL(domctl)
{
	struct xen_domctl op, *guest = (struct xen_domctl *)a1;
	const struct domctl_row *row;
	struct domain *d;
	bool copyback = false;
	long rc;

	if (raw_copy_from_guest(&op, guest, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	row = find_row(op.cmd);
	d = op.cmd == XEN_DOMCTL_createdomain ? NULL : domain_by_id(op.domain);
	if (!d && !(row && row->no_domain))
		return -ESRCH;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	if (rc)
		return rc;
	if (!row)
		return -ENOSYS;
	if (!row->unlocked && !spin_trylock(&domctl_lock))
		return hypercall_continue(__HYPERVISOR_domctl, 1, a1);
	/* Destruction frees the structure only after this CPU's next quiescent point. */
	rc = row->fn(&op, d, &copyback);
	if (!row->unlocked)
		spin_unlock(&domctl_lock);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_domctl, 1, a1);
	if (copyback && raw_copy_to_guest(guest, &op, sizeof(op)))
		rc = -EFAULT;
	return rc;
}
