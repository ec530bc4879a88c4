/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_vcpu_op: a guest brings its vcpus up and down, sets their timers
 * and says where it wants to read about them. Source: <xen/vcpu.h>; order of
 * checks and errnos as Xen 4.17's.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/barrier.h>
#include <arch/domain.h>
#include <arch/time.h>

/* Longest period that the arithmetic with times can bear. */
#define PERIOD_MAX	((uint64_t)INT64_MAX >> 2)

/* The addresses are reachable. */
static bool write_runstate(const struct vcpu *v)
{
	struct vcpu_runstate_info *area = (void *)v->runstate_guest;
	struct vcpu_runstate_info rs = v->runstate;
	bool in_parts = test_bit(VMASST_TYPE_runstate_update_flag, &v->domain->vm_assist);
	bool ok;

	/*
	 * A reader on another vcpu must not see half of it: the flag says that
	 * it is being written, first and last by a store of its own.
	 */
	if (in_parts) {
		rs.state_entry_time |= XEN_RUNSTATE_UPDATE;
		if (raw_copy_to_guest(&area->state_entry_time, &rs.state_entry_time,
				      sizeof(rs.state_entry_time)))
			return false;
		smp_wmb();
	}
	ok = !raw_copy_to_guest(area, &rs, sizeof(rs));
	if (in_parts && ok) {
		rs.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
		smp_wmb();
		ok = !raw_copy_to_guest(&area->state_entry_time, &rs.state_entry_time,
					sizeof(rs.state_entry_time));
	}
	return ok;
}

bool update_runstate_area(struct vcpu *v)
{
	bool changed = kernel_addresses_begin(v), ok = write_runstate(v);

	kernel_addresses_end(v, changed);
	v->runstate_update_pending = !ok;
	return ok;
}

static long op_initialise(struct vcpu *v, unsigned long arg)
{
	struct domain *d = v->domain;
	struct vcpu_guest_context *ctxt;
	long rc;

	if (vcpu_info_is_dummy(v))
		return -EINVAL;
	ctxt = xmalloc(struct vcpu_guest_context);
	if (!ctxt)
		return -ENOMEM;
	rc = -EFAULT;
	if (!raw_copy_from_guest(ctxt, (void *)arg, sizeof(*ctxt))) {
		spin_lock(&d->domain_lock);
		rc = v->is_initialised ? -EEXIST : arch_set_info_guest(v, ctxt);
		spin_unlock(&d->domain_lock);
	}
	xfree(ctxt);
	if (rc == -ERESTART)
		rc = hypercall_continue(__HYPERVISOR_vcpu_op, 3, (unsigned long)VCPUOP_initialise,
					(unsigned long)v->vcpu_id, arg);
	return rc;
}

static long op_up(struct vcpu *v, unsigned long arg __maybe_unused)
{
	struct domain *d = v->domain;
	bool wake = false;
	long rc = 0;

	spin_lock(&d->domain_lock);
	if (!v->is_initialised)
		rc = -EINVAL;
	else
		wake = test_and_clear_bit(VPF_down, &v->pause_flags);
	spin_unlock(&d->domain_lock);
	if (wake)
		vcpu_wake(v);
	return rc;
}

static long op_down(struct vcpu *v, unsigned long arg __maybe_unused)
{
	struct domain *d = v->domain;
	struct vcpu *w;

	for_each_vcpu(d, w) {
		if (w == v || test_bit(VPF_down, &w->pause_flags))
			continue;
		if (!test_and_set_bit(VPF_down, &v->pause_flags))
			vcpu_sleep_nosync(v);
		return 0;
	}
	domain_shutdown(d, SHUTDOWN_poweroff);	/* it was the last one */
	return 0;
}

static long op_is_up(struct vcpu *v, unsigned long arg __maybe_unused)
{
	return !test_bit(VPF_down, &v->pause_flags);
}

static long op_get_runstate_info(struct vcpu *v, unsigned long arg)
{
	struct vcpu_runstate_info rs;

	vcpu_runstate_get(v, &rs);
	return raw_copy_to_guest((void *)arg, &rs, sizeof(rs)) ? -EFAULT : 0;
}

static long op_register_runstate(struct vcpu *v, unsigned long arg)
{
	struct vcpu_register_runstate_memory_area area;
	struct vcpu_runstate_info rs;

	if (raw_copy_from_guest(&area, (void *)arg, sizeof(area)) ||
	    !guest_range_okay(area.addr.h.p, 1, sizeof(rs)))
		return -EFAULT;
	v->runstate_guest = (unsigned long)area.addr.h.p;
	if (!v->runstate_guest)
		return 0;
	/* If the page is not there now, it is written when the vcpu next runs. */
	vcpu_runstate_get(v, &rs);
	(void)!raw_copy_to_guest(area.addr.h.p, v == current ? &v->runstate : &rs, sizeof(rs));
	return 0;
}

static long op_set_periodic_timer(struct vcpu *v, unsigned long arg)
{
	struct vcpu_set_periodic_timer set;

	if (raw_copy_from_guest(&set, (void *)arg, sizeof(set)))
		return -EFAULT;
	if (set.period_ns < (uint64_t)MILLISECS(1) || set.period_ns > PERIOD_MAX)
		return -EINVAL;
	vcpu_set_periodic_timer(v, (s_time_t)set.period_ns);
	return 0;
}

static long op_stop_periodic_timer(struct vcpu *v, unsigned long arg __maybe_unused)
{
	vcpu_set_periodic_timer(v, 0);
	return 0;
}

static long op_set_singleshot_timer(struct vcpu *v, unsigned long arg)
{
	struct vcpu_set_singleshot_timer set;
	s_time_t when;

	if (v != current)
		return -EINVAL;
	if (raw_copy_from_guest(&set, (void *)arg, sizeof(set)))
		return -EFAULT;
	when = set.timeout_abs_ns > INT64_MAX ? INT64_MAX : (s_time_t)set.timeout_abs_ns;
	if (when <= NOW()) {	/* past already: at once, whatever the flags say */
		stop_timer(&v->singleshot_timer);
		send_guest_vcpu_virq(v, VIRQ_TIMER);
	} else {
		set_timer_here(&v->singleshot_timer, when);
	}
	return 0;
}

static long op_stop_singleshot_timer(struct vcpu *v, unsigned long arg __maybe_unused)
{
	if (v != current)
		return -EINVAL;
	stop_timer(&v->singleshot_timer);
	return 0;
}

static long op_register_vcpu_info(struct vcpu *v, unsigned long arg)
{
	struct vcpu_register_vcpu_info info;
	struct domain *d = v->domain;
	long rc;

	if (raw_copy_from_guest(&info, (void *)arg, sizeof(info)))
		return -EFAULT;
	spin_lock(&d->domain_lock);
	rc = map_vcpu_info(v, _gfn(info.mfn), info.offset);
	spin_unlock(&d->domain_lock);
	force_update_vcpu_system_time(v);
	return rc;
}

static long (*const vcpu_ops[])(struct vcpu *v, unsigned long arg) = {
	[VCPUOP_initialise]			= op_initialise,
	[VCPUOP_up]				= op_up,
	[VCPUOP_down]				= op_down,
	[VCPUOP_is_up]				= op_is_up,
	[VCPUOP_get_runstate_info]		= op_get_runstate_info,
	[VCPUOP_register_runstate_memory_area]	= op_register_runstate,
	[VCPUOP_set_periodic_timer]		= op_set_periodic_timer,
	[VCPUOP_stop_periodic_timer]		= op_stop_periodic_timer,
	[VCPUOP_set_singleshot_timer]		= op_set_singleshot_timer,
	[VCPUOP_stop_singleshot_timer]		= op_stop_singleshot_timer,
	[VCPUOP_register_vcpu_info]		= op_register_vcpu_info,
};

DEFINE_HYPERCALL(vcpu_op)
{
	unsigned int cmd = (unsigned int)a1;
	struct vcpu *v = domain_vcpu(current->domain, (unsigned int)a2);

	if (!v)
		return -ENOENT;
	if (cmd < ARRAY_SIZE(vcpu_ops) && vcpu_ops[cmd])
		return vcpu_ops[cmd](v, a3);
	return arch_vcpu_op(cmd, v, a3);
}
