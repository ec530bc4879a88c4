/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_sched_op, its first form sched_op_compat, and set_timer_op.
 * Source: <xen/sched.h>; errnos as Xen 4.17's.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/sched.h>
#include <arch/domain.h>
#include <arch/time.h>

#define POLL_MAX_PORTS	128

/* 1 if a port of the list is pending, 0 if none, -errno. *last is the last one looked at. */
static long any_pending(struct domain *d, const struct sched_poll *poll, evtchn_port_t *last)
{
	for (unsigned int i = 0; i < poll->nr_ports; i++) {
		long rc;

		if (copy_from_guest_offset(last, poll->ports, i, 1))
			return -EFAULT;
		rc = evtchn_port_poll(d, *last);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * First say that we wait, then look: an event that comes in between undoes the
 * waiting. Whoever clears our bit in poll_mask, or VPF_blocked, has woken us.
 */
long vcpu_poll(const struct sched_poll *poll)
{
	struct vcpu *v = current;
	struct domain *d = v->domain;
	evtchn_port_t port = 0;
	long rc;

	if (poll->nr_ports > POLL_MAX_PORTS || v->vcpu_id >= sizeof(d->poll_mask) * 8)
		return -EINVAL;
	if (!guest_handle_okay(poll->ports, poll->nr_ports))
		return -EFAULT;

	set_bit(VPF_blocked, &v->pause_flags);
	v->poll_evtchn = -1;
	set_bit(v->vcpu_id, d->poll_mask);

	rc = local_events_need_delivery() ? 1 : any_pending(d, poll, &port);
	if (rc) {
		v->poll_evtchn = 0;
		clear_bit(v->vcpu_id, d->poll_mask);
		clear_bit(VPF_blocked, &v->pause_flags);
		return rc > 0 ? 0 : rc;
	}
	if (poll->nr_ports == 1)
		v->poll_evtchn = (int)port;
	if (poll->timeout)
		set_timer_here(&v->poll_timer, (s_time_t)min(poll->timeout, (uint64_t)INT64_MAX));
	raise_softirq(SCHEDULE_SOFTIRQ);
	return 0;
}

static long op_shutdown(unsigned long arg)
{
	struct sched_shutdown op;

	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	domain_shutdown(current->domain, op.reason);
	return 0;
}

static long op_shutdown_code(unsigned long arg)
{
	struct domain *d = current->domain;
	struct sched_shutdown op;

	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	spin_lock(&d->shutdown_lock);
	if (d->shutdown_code == SHUTDOWN_CODE_INVALID)
		d->shutdown_code = op.reason & 0xff;
	spin_unlock(&d->shutdown_lock);
	return 0;
}

static long op_poll(unsigned long arg)
{
	struct sched_poll op;

	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	return vcpu_poll(&op);
}

static long op_remote_shutdown(unsigned long arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;
	long rc;

	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	d = domain_by_id(op.domain_id);
	if (!d)
		return -ESRCH;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	if (!rc)
		domain_shutdown(d, op.reason);
	return rc;
}

static long op_watchdog(unsigned long arg)
{
	struct sched_watchdog op;

	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	return domain_watchdog(current->domain, op.id, op.timeout);
}

static long op_pin_override(unsigned long arg)
{
	struct sched_pin_override op;
	long rc = op_permitted(PRIV_HARDWARE, current->domain);

	if (rc)
		return rc;
	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	if (op.pcpu >= (int)NR_CPUS)
		return -EINVAL;
	return vcpu_temporary_affinity(current, op.pcpu < 0 ? NR_CPUS : (unsigned int)op.pcpu);
}

static long (*const sched_ops[])(unsigned long arg) = {
	[SCHEDOP_shutdown]		= op_shutdown,
	[SCHEDOP_poll]			= op_poll,
	[SCHEDOP_remote_shutdown]	= op_remote_shutdown,
	[SCHEDOP_shutdown_code]		= op_shutdown_code,
	[SCHEDOP_watchdog]		= op_watchdog,
	[SCHEDOP_pin_override]		= op_pin_override,
};

DEFINE_HYPERCALL(sched_op)
{
	unsigned int cmd = (unsigned int)a1;

	if (cmd == SCHEDOP_yield) {
		vcpu_yield();
		return 0;
	}
	if (cmd == SCHEDOP_block) {
		vcpu_block_enable_events();
		return 0;
	}
	if (cmd >= ARRAY_SIZE(sched_ops) || !sched_ops[cmd])
		return -ENOSYS;
	return sched_ops[cmd](a2);
}

/* The form before 3.0.2 passed values, not structures: yield, block, and shutdown(reason). */
DEFINE_HYPERCALL(sched_op_compat)
{
	switch ((unsigned int)a1) {
	case SCHEDOP_yield:
		vcpu_yield();
		return 0;
	case SCHEDOP_block:
		vcpu_block_enable_events();
		return 0;
	case SCHEDOP_shutdown:
		domain_shutdown(current->domain, (unsigned int)a2);
		return 0;
	default:
		return -ENOSYS;
	}
}

DEFINE_HYPERCALL(set_timer_op)
{
	struct vcpu *v = current;
	s_time_t when = (s_time_t)a1;

	if (!when)
		stop_timer(&v->singleshot_timer);
	else if (when < 0 || (when - NOW()) >> 50 > 0)
		/*
		 * Wrapped, or 13 days off: a guest that has nothing to wait for, or one
		 * that has work now and got its arithmetic wrong. Serve both, soon.
		 */
		set_timer_here(&v->singleshot_timer, NOW() + MILLISECS(100));
	else
		set_timer_here(&v->singleshot_timer, when);
	return 0;
}
