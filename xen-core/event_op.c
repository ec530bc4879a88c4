/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_event_channel_op: the table of operations, and those that only
 * look at a port or change how it is delivered. What opens, closes and sends is
 * in event_channel.c.
 *
 * Sources: <xen/event_channel.h>; errnos as Xen 4.17's.
 */
#include "event_private.h"
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/sched.h>
#include <arch/irq.h>

/* ---- looking and changing ---- */

static long evtchn_status(void *arg)
{
	struct evtchn_status *op = arg;
	struct domain *d = domain_by_any_id(op->dom);
	struct evtchn *chn;
	long rc;

	if (!d)
		return -ESRCH;
	chn = evtchn_from_port(d, op->port);
	if (!chn)
		return -EINVAL;
	rc = evtchn_permitted_on(d);
	if (rc)
		return rc;

	spin_lock(&d->event_lock);
	switch (chn->state) {
	case ECS_unbound:
		op->status = EVTCHNSTAT_unbound;
		op->u.unbound.dom = chn->unbound_domid;
		break;
	case ECS_interdomain:
		op->status = EVTCHNSTAT_interdomain;
		op->u.interdomain.dom = chn->remote_dom->domain_id;
		op->u.interdomain.port = chn->remote_port;
		break;
	case ECS_pirq:
		op->status = EVTCHNSTAT_pirq;
		op->u.pirq = chn->pirq;
		break;
	case ECS_virq:
		op->status = EVTCHNSTAT_virq;
		op->u.virq = chn->virq;
		break;
	case ECS_ipi:
		op->status = EVTCHNSTAT_ipi;
		break;
	default:
		op->status = EVTCHNSTAT_closed;
		break;
	}
	op->vcpu = chn->notify_vcpu_id;
	spin_unlock(&d->event_lock);
	return 0;
}

static long evtchn_bind_vcpu_op(void *arg)
{
	const struct evtchn_bind_vcpu *op = arg;

	return evtchn_bind_vcpu(op->port, op->vcpu);
}

int evtchn_unmask(unsigned int port)
{
	struct domain *d = current->domain;
	struct evtchn *chn = evtchn_from_port(d, port);
	unsigned long flags;

	if (!chn)
		return -EINVAL;
	spin_lock_irqsave(&chn->lock, flags);
	if (evtchn_usable(chn)) {
		if (d->evtchn_fifo)
			evtchn_fifo_unmask(d, chn);
		else
			evtchn_2l_unmask(d->vcpu[chn->notify_vcpu_id], port);
	}
	spin_unlock_irqrestore(&chn->lock, flags);
	return 0;
}

static long evtchn_unmask_op(void *arg)
{
	return evtchn_unmask(((struct evtchn_unmask *)arg)->port);
}

static long evtchn_set_priority(void *arg)
{
	const struct evtchn_set_priority *op = arg;
	struct domain *d = current->domain;
	struct evtchn *chn = evtchn_from_port(d, op->port);
	unsigned long flags;
	long rc = 0;

	if (!chn)
		return -EINVAL;
	spin_lock_irqsave(&chn->lock, flags);
	if (!d->evtchn_fifo)
		rc = -ENOSYS;
	else if (!evtchn_usable(chn))
		rc = -EACCES;
	else if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
		rc = -EINVAL;
	else
		chn->priority = (uint8_t)op->priority;	/* of the next event */
	spin_unlock_irqrestore(&chn->lock, flags);
	return rc;
}

static bool port_bit(const struct domain *d, unsigned int port, bool want_mask)
{
	struct evtchn *chn = evtchn_from_port(d, port);
	bool bit = want_mask;
	unsigned long flags;

	if (!chn)
		return want_mask;
	spin_lock_irqsave(&chn->lock, flags);
	if (!evtchn_usable(chn))
		;		/* nothing pending, masked */
	else if (d->evtchn_fifo)
		bit = want_mask ? evtchn_fifo_is_masked(d, chn) : evtchn_fifo_is_pending(d, chn);
	else
		bit = want_mask ? evtchn_2l_is_masked(d, port) : evtchn_2l_is_pending(d, port);
	spin_unlock_irqrestore(&chn->lock, flags);
	return bit;
}

bool evtchn_is_pending(const struct domain *d, unsigned int port)
{
	return port_bit(d, port, false);
}

bool evtchn_is_masked(const struct domain *d, unsigned int port)
{
	return port_bit(d, port, true);
}

int evtchn_port_poll(struct domain *d, unsigned int port)
{
	return evtchn_from_port(d, port) ? port_bit(d, port, false) : -EINVAL;
}

/* ---- the hypercall ---- */

static long evtchn_init_control(void *arg)
{
	return evtchn_fifo_init_control(arg);
}

static long evtchn_expand_array(void *arg)
{
	return evtchn_fifo_expand_array(arg);
}

/* The number that a preempted reset continues under; the headers keep it for hypervisors. */
#define EVTCHNOP_reset_cont	14

struct evtchn_row {
	long (*fn)(void *arg);
	uint8_t size;
	bool copyback;		/* on success */
};

#define ROW(name, type, back)	[EVTCHNOP_##name] = { type, sizeof(struct evtchn_##name), back }
static const struct evtchn_row evtchn_table[] = {
	ROW(bind_interdomain,	evtchn_bind_interdomain, true),
	ROW(bind_virq,		evtchn_bind_virq, true),
	ROW(bind_pirq,		evtchn_bind_pirq, true),
	ROW(close,		evtchn_close, false),
	ROW(status,		evtchn_status, true),
	ROW(alloc_unbound,	evtchn_alloc_unbound, true),
	ROW(bind_ipi,		evtchn_bind_ipi, true),
	ROW(bind_vcpu,		evtchn_bind_vcpu_op, false),
	ROW(unmask,		evtchn_unmask_op, false),
	ROW(init_control,	evtchn_init_control, true),
	ROW(expand_array,	evtchn_expand_array, false),
	ROW(set_priority,	evtchn_set_priority, false),
};

union evtchn_arg {
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_status status;
	struct evtchn_init_control init_control;
};

/* EVTCHNOP_reset closes many ports: the one operation that may be continued. */
static long evtchn_reset_op(unsigned long arg, bool resuming)
{
	struct evtchn_reset op;
	struct domain *d;
	long rc;

	if (raw_copy_from_guest(&op, (void *)arg, sizeof(op)))
		return -EFAULT;
	d = domain_by_any_id(op.dom);
	if (!d)
		return -ESRCH;
	rc = evtchn_permitted_on(d);
	if (!rc)
		rc = evtchn_reset(d, resuming);
	if (rc == -ERESTART)
		rc = hypercall_continue(__HYPERVISOR_event_channel_op, 2,
					(unsigned long)EVTCHNOP_reset_cont, arg);
	return rc;
}

/* All but sending; out of line, so that sending saves no registers for it. */
static __noinline long evtchn_row_op(unsigned int cmd, unsigned long guest)
{
	const struct evtchn_row *row;
	union evtchn_arg arg;
	long rc;

	if (cmd == EVTCHNOP_reset || cmd == EVTCHNOP_reset_cont)
		return evtchn_reset_op(guest, cmd == EVTCHNOP_reset_cont);
	if (cmd >= ARRAY_SIZE(evtchn_table) || !evtchn_table[cmd].fn)
		return -ENOSYS;
	row = &evtchn_table[cmd];
	if (raw_copy_from_guest(&arg, (void *)guest, row->size))
		return -EFAULT;
	rc = row->fn(&arg);
	if (!rc && row->copyback && raw_copy_to_guest((void *)guest, &arg, row->size))
		rc = -EFAULT;	/* the port stays open: its number is still in our books */
	return rc;
}

DEFINE_HYPERCALL(event_channel_op)
{
	struct evtchn_send send;

	if (unlikely((unsigned int)a1 != EVTCHNOP_send))
		return evtchn_row_op((unsigned int)a1, a2);
	if (unlikely(raw_copy_from_guest(&send, (void *)a2, sizeof(send))))
		return -EFAULT;
	return evtchn_send(current->domain, send.port);
}

/* The form before interface 0x00030202: the operation's number is in the structure. */
DEFINE_HYPERCALL(event_channel_op_compat)
{
	struct evtchn_op op;

	if (raw_copy_from_guest(&op, (void *)a1, sizeof(op)))
		return -EFAULT;
	if (op.cmd > EVTCHNOP_unmask)
		return -ENOSYS;
	return do_event_channel_op(op.cmd, a1 + offsetof(struct evtchn_op, u), 0, 0, 0);
}
