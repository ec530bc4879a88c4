/* SPDX-License-Identifier: MIT */
/*
 * Event channels: allocation, binding, closing, sending; the hypercall is in event_op.c.
 * How a guest sees its ports is in event_2l.c and event_fifo.c; locks are
 * described in event_private.h; virqs are sent in event_virq.c.
 *
 * Sources: <xen/event_channel.h>; errnos as Xen 4.17's.
 */
#include "event_private.h"
#include <core/hypercall.h>
#include <core/xmalloc.h>
#include <core/sched.h>
#include <arch/irq.h>

/* ---- ports ---- */

static unsigned int nr_buckets(const struct domain *d)
{
	return d->max_evtchn_port / EVTCHNS_PER_BUCKET + 1;
}

/* One more bucket of free ports. The event_lock is held. */
static int grow_ports(struct domain *d)
{
	unsigned int port = d->valid_evtchns;
	struct evtchn *bucket;

	bucket = xzalloc_array(struct evtchn, EVTCHNS_PER_BUCKET);
	if (!bucket)
		return -ENOMEM;
	for (unsigned int i = 0; i < EVTCHNS_PER_BUCKET; i++) {
		spin_lock_init(&bucket[i].lock, LOCK_EVENT_CHANNEL);
		bucket[i].port = port + i;
	}
	d->evtchn_buckets[port / EVTCHNS_PER_BUCKET] = bucket;
	atomic_store(&d->valid_evtchns, port + EVTCHNS_PER_BUCKET);
	return 0;
}

/*
 * The lowest free port; it stays free until port_open(). The event_lock is held.
 * -EINVAL dying, -ENOSPC, -ENOMEM.
 */
static int find_free_port(struct domain *d)
{
	unsigned int limit = d->evtchn_fifo ? MAX_EVTCHNS_FIFO : MAX_EVTCHNS_2L;
	bool keep_hint = false;

	if (d->is_dying)
		return -EINVAL;
	for (unsigned int port = d->evtchn_free_hint;
	     port < limit && port <= d->max_evtchn_port; port++) {
		const struct evtchn *chn;

		if (port >= d->valid_evtchns) {
			int rc = grow_ports(d);

			if (rc)
				return rc;
		}
		chn = evtchn_from_port(d, port);
		if (chn->state == ECS_free) {
			if (!d->evtchn_fifo || !evtchn_fifo_is_busy(d, chn)) {
				if (!keep_hint)
					d->evtchn_free_hint = port;
				return (int)port;
			}
			if (!keep_hint)
				d->evtchn_free_hint = port;
			keep_hint = true;
		}
	}
	return -ENOSPC;
}

/* Gives a free channel its new state. Its lock and the event_lock are held. */
static void port_open(struct domain *d, struct evtchn *chn, enum evtchn_state state,
		      unsigned int vcpu_id)
{
	chn->state = (uint8_t)state;
	chn->notify_vcpu_id = (uint16_t)vcpu_id;
	chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	d->active_evtchns++;
}

/* The reverse; clears what is pending, so that the next user starts clean. Same locks. */
static void port_free(struct domain *d, struct evtchn *chn)
{
	if (d->evtchn_fifo)
		evtchn_fifo_clear_pending(d, chn);
	else
		evtchn_2l_clear_pending(d, chn->port);
	chn->state = ECS_free;
	chn->notify_vcpu_id = 0;
	d->active_evtchns--;
	if (chn->port < d->evtchn_free_hint)
		d->evtchn_free_hint = chn->port;
}

static void lock_both_domains(struct domain *a, struct domain *b)
{
	spin_lock(a < b ? &a->event_lock : &b->event_lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->event_lock : &a->event_lock);
}

static void unlock_both_domains(struct domain *a, struct domain *b)
{
	spin_unlock(&a->event_lock);
	if (a != b)
		spin_unlock(&b->event_lock);
}

static void lock_both_ends(struct evtchn *a, struct evtchn *b, unsigned long *flags)
{
	spin_lock_irqsave(a < b ? &a->lock : &b->lock, *flags);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

static void unlock_both_ends(struct evtchn *a, struct evtchn *b, unsigned long flags)
{
	if (a != b)
		spin_unlock(&b->lock);
	spin_unlock_irqrestore(&a->lock, flags);
}

/* May current act on d's event channels? */
int evtchn_permitted_on(const struct domain *d)
{
	return d == current->domain ? 0 : op_permitted(PRIV_TOOLS, current->domain);
}

/* ---- binding ---- */

long evtchn_alloc_unbound(void *arg)
{
	struct evtchn_alloc_unbound *op = arg;
	struct domain *d = domain_by_any_id(op->dom);
	struct evtchn *chn;
	unsigned long flags;
	int port;

	if (!d)
		return -ESRCH;
	port = evtchn_permitted_on(d);
	if (port)
		return port;

	spin_lock(&d->event_lock);
	port = find_free_port(d);
	if (port >= 0) {
		chn = evtchn_from_port(d, (unsigned int)port);
		spin_lock_irqsave(&chn->lock, flags);
		port_open(d, chn, ECS_unbound, 0);
		chn->unbound_domid = op->remote_dom == DOMID_SELF ?
			current->domain->domain_id : op->remote_dom;
		spin_unlock_irqrestore(&chn->lock, flags);
		op->port = (evtchn_port_t)port;
	}
	spin_unlock(&d->event_lock);
	return port < 0 ? port : 0;
}

long evtchn_bind_interdomain(void *arg)
{
	struct evtchn_bind_interdomain *op = arg;
	struct domain *ld = current->domain, *rd = domain_by_any_id(op->remote_dom);
	struct evtchn *lchn, *rchn;
	unsigned long flags;
	int port;

	if (!rd)
		return -ESRCH;
	lock_both_domains(ld, rd);
	port = find_free_port(ld);
	if (port < 0)
		goto out;
	lchn = evtchn_from_port(ld, (unsigned int)port);
	rchn = evtchn_from_port(rd, op->remote_port);
	/* Before it has vcpus nobody could be told of an event there. */
	if (!rchn || rchn->state != ECS_unbound || rchn->unbound_domid != ld->domain_id ||
	    !domain_vcpu(rd, 0)) {
		port = -EINVAL;
		goto out;
	}

	lock_both_ends(lchn, rchn, &flags);
	port_open(ld, lchn, ECS_interdomain, 0);
	lchn->remote_dom = rd;
	lchn->remote_port = rchn->port;
	rchn->state = ECS_interdomain;
	rchn->remote_dom = ld;
	rchn->remote_port = lchn->port;
	/* What was sent to the unbound end is lost: let the binder look at least once. */
	evtchn_set_pending(ld, lchn->notify_vcpu_id, lchn);
	unlock_both_ends(lchn, rchn, flags);
	op->local_port = (evtchn_port_t)port;
out:
	unlock_both_domains(ld, rd);
	return port < 0 ? port : 0;
}

long evtchn_bind_virq(void *arg)
{
	struct evtchn_bind_virq *op = arg;
	struct domain *d = current->domain;
	struct vcpu *v;
	struct evtchn *chn;
	unsigned long flags;
	int port;

	if (op->virq >= ARRAY_SIZE(v->virq_to_evtchn) || (virq_is_global(op->virq) && op->vcpu))
		return -EINVAL;
	v = domain_vcpu(d, op->vcpu);
	if (!v)
		return -ENOENT;

	spin_lock(&d->event_lock);
	port = v->virq_to_evtchn[op->virq] ? -EEXIST : find_free_port(d);
	if (port >= 0) {
		chn = evtchn_from_port(d, (unsigned int)port);
		spin_lock_irqsave(&chn->lock, flags);
		port_open(d, chn, ECS_virq, v->vcpu_id);
		chn->virq = op->virq;
		spin_unlock_irqrestore(&chn->lock, flags);
		atomic_store(&v->virq_to_evtchn[op->virq], (uint32_t)port);
		op->port = (evtchn_port_t)port;
	}
	spin_unlock(&d->event_lock);
	return port < 0 ? port : 0;
}

long evtchn_bind_ipi(void *arg)
{
	struct evtchn_bind_ipi *op = arg;
	struct domain *d = current->domain;
	struct evtchn *chn;
	unsigned long flags;
	int port;

	if (!domain_vcpu(d, op->vcpu))
		return -ENOENT;
	spin_lock(&d->event_lock);
	port = find_free_port(d);
	if (port >= 0) {
		chn = evtchn_from_port(d, (unsigned int)port);
		spin_lock_irqsave(&chn->lock, flags);
		port_open(d, chn, ECS_ipi, op->vcpu);
		spin_unlock_irqrestore(&chn->lock, flags);
		op->port = (evtchn_port_t)port;
	}
	spin_unlock(&d->event_lock);
	return port < 0 ? port : 0;
}

/* The list, by vcpu, of pirq ports: their interrupts follow that vcpu. The event_lock is held. */
static void link_pirq(struct evtchn *chn, struct vcpu *v)
{
	chn->pirq_list.prev = 0;
	chn->pirq_list.next = v->pirq_evtchn_head;
	if (v->pirq_evtchn_head)
		evtchn_from_port(v->domain, v->pirq_evtchn_head)->pirq_list.prev = chn->port;
	v->pirq_evtchn_head = chn->port;
}

static void unlink_pirq(struct evtchn *chn, struct vcpu *v)
{
	if (chn->pirq_list.prev)
		evtchn_from_port(v->domain, chn->pirq_list.prev)->pirq_list.next =
			chn->pirq_list.next;
	else
		v->pirq_evtchn_head = chn->pirq_list.next;
	if (chn->pirq_list.next)
		evtchn_from_port(v->domain, chn->pirq_list.next)->pirq_list.prev =
			chn->pirq_list.prev;
}

long evtchn_bind_pirq(void *arg)
{
	struct evtchn_bind_pirq *op = arg;
	struct domain *d = current->domain;
	struct vcpu *v = d->vcpu[0];
	struct evtchn *chn;
	unsigned long flags;
	int port, rc;

	rc = pirq_check(d, op->pirq);
	if (rc)
		return rc;
	spin_lock(&d->event_lock);
	port = pirq_evtchn(d, op->pirq) ? -EEXIST : find_free_port(d);
	if (port < 0)
		goto out;

	/* Open the port first: the interrupt may come as soon as it is bound. */
	chn = evtchn_from_port(d, (unsigned int)port);
	spin_lock_irqsave(&chn->lock, flags);
	port_open(d, chn, ECS_pirq, v->vcpu_id);
	chn->pirq = op->pirq;
	link_pirq(chn, v);
	spin_unlock_irqrestore(&chn->lock, flags);
	pirq_set_evtchn(d, op->pirq, (unsigned int)port);

	rc = pirq_guest_bind(v, op->pirq, op->flags & BIND_PIRQ__WILL_SHARE);
	if (rc) {
		pirq_set_evtchn(d, op->pirq, 0);
		spin_lock_irqsave(&chn->lock, flags);
		unlink_pirq(chn, v);
		port_free(d, chn);
		spin_unlock_irqrestore(&chn->lock, flags);
		port = rc;
		goto out;
	}
	op->port = (evtchn_port_t)port;
out:
	spin_unlock(&d->event_lock);
	return port < 0 ? port : 0;
}

/* ---- closing ---- */

/*
 * Takes d's event_lock, and if the port is interdomain that of the other end's
 * domain, which is returned (NULL: not interdomain). It may change until the
 * lock is had, so look again.
 */
static struct domain *lock_for_close(struct domain *d, const struct evtchn *chn)
{
	spin_lock(&d->event_lock);
	while (chn->state == ECS_interdomain) {
		struct domain *rd = chn->remote_dom;

		if (rd == d)
			return rd;
		spin_unlock(&d->event_lock);
		lock_both_domains(d, rd);
		if (chn->state == ECS_interdomain && chn->remote_dom == rd)
			return rd;
		spin_unlock(&rd->event_lock);
	}
	return NULL;
}

static void close_interdomain(struct domain *d, struct evtchn *chn)
{
	struct evtchn *other = evtchn_from_port(chn->remote_dom, chn->remote_port);
	unsigned long flags;

	lock_both_ends(chn, other, &flags);
	other->state = ECS_unbound;
	other->unbound_domid = d->domain_id;
	port_free(d, chn);
	unlock_both_ends(chn, other, flags);
}

static void close_local(struct domain *d, struct evtchn *chn)
{
	unsigned long flags;
	struct vcpu *v;

	if (chn->state == ECS_pirq) {
		pirq_guest_unbind(d, chn->pirq);
		pirq_set_evtchn(d, chn->pirq, 0);
		unlink_pirq(chn, d->vcpu[chn->notify_vcpu_id]);
	} else if (chn->state == ECS_virq) {
		v = d->vcpu[virq_is_global(chn->virq) ? 0 : chn->notify_vcpu_id];
		atomic_store(&v->virq_to_evtchn[chn->virq], 0u);
	}
	spin_lock_irqsave(&chn->lock, flags);
	port_free(d, chn);
	spin_unlock_irqrestore(&chn->lock, flags);
}

/*
 * Closes a port of d. The other end of an interdomain channel becomes unbound,
 * reserved for d. 0, or -EINVAL if it is not open.
 */
static int evtchn_close_port(struct domain *d, unsigned int port)
{
	struct evtchn *chn = evtchn_from_port(d, port);
	struct domain *rd;
	int rc = 0;

	if (!chn)
		return -EINVAL;
	rd = lock_for_close(d, chn);
	if (!evtchn_usable(chn))
		rc = -EINVAL;
	else if (rd)
		close_interdomain(d, chn);
	else
		close_local(d, chn);
	if (rd && rd != d)
		spin_unlock(&rd->event_lock);
	spin_unlock(&d->event_lock);
	return rc;
}

long evtchn_close(void *arg)
{
	return evtchn_close_port(current->domain, ((struct evtchn_close *)arg)->port);
}

int evtchn_reset(struct domain *d, bool resuming)
{
	unsigned int port;
	int rc = 0;

	if (d != current->domain && !d->controller_pause_count)
		return -EINVAL;

	spin_lock(&d->event_lock);
	if (resuming)
		port = d->evtchn_next_reset;
	else
		port = d->evtchn_next_reset ? 0 : 1;
	d->evtchn_next_reset = max(d->evtchn_next_reset, port);
	spin_unlock(&d->event_lock);
	if (!port)
		return -EBUSY;		/* another one is under way */

	for (; port < d->valid_evtchns && read_once(d->active_evtchns); port++) {
		evtchn_close_port(d, port);
		if (!(port & 0x3f) && hypercall_preempt_check()) {
			spin_lock(&d->event_lock);
			d->evtchn_next_reset = port;
			spin_unlock(&d->event_lock);
			return -ERESTART;
		}
	}

	spin_lock(&d->event_lock);
	d->evtchn_next_reset = 0;
	if (d->active_evtchns)
		rc = -EAGAIN;		/* opened behind our back */
	else
		evtchn_fifo_destroy(d);
	spin_unlock(&d->event_lock);
	return rc;
}

/* ---- sending ---- */

int evtchn_send(struct domain *ld, unsigned int lport)
{
	struct evtchn *chn = evtchn_from_port(ld, lport), *other;
	unsigned long flags;
	int rc = 0;

	if (unlikely(!chn))
		return -EINVAL;
	spin_lock_irqsave(&chn->lock, flags);
	switch (chn->state) {
	case ECS_interdomain:
		other = evtchn_from_port(chn->remote_dom, chn->remote_port);
		evtchn_set_pending(chn->remote_dom, other->notify_vcpu_id, other);
		break;
	case ECS_ipi:
		evtchn_set_pending(ld, chn->notify_vcpu_id, chn);
		break;
	case ECS_unbound:
		break;			/* nobody there yet: it vanishes */
	default:
		rc = -EINVAL;
	}
	spin_unlock_irqrestore(&chn->lock, flags);
	return rc;
}

bool send_guest_pirq(struct domain *d, unsigned int pirq)
{
	struct evtchn *chn = evtchn_from_port(d, pirq_evtchn(d, pirq));
	unsigned long flags;
	bool nothing_new = true;

	if (unlikely(!chn))
		return true;
	spin_lock_irqsave(&chn->lock, flags);
	if (likely(chn->state == ECS_pirq && chn->pirq == pirq))
		nothing_new = evtchn_set_pending(d, chn->notify_vcpu_id, chn);
	spin_unlock_irqrestore(&chn->lock, flags);
	return nothing_new;
}

void evtchn_wake_pollers(struct domain *d, unsigned int port)
{
	unsigned long id, nr = min(d->max_vcpus, (unsigned int)sizeof(d->poll_mask) * 8);

	for (id = find_first_bit(d->poll_mask, nr); id < nr;
	     id = find_next_bit(d->poll_mask, nr, id + 1)) {
		struct vcpu *v = d->vcpu[id];

		if ((v->poll_evtchn <= 0 || (unsigned int)v->poll_evtchn == port) &&
		    test_and_clear_bit(id, d->poll_mask)) {
			v->poll_evtchn = 0;
			vcpu_unblock(v);
		}
	}
}

/* ---- where events go ---- */

int evtchn_bind_vcpu(unsigned int port, unsigned int vcpu_id)
{
	struct domain *d = current->domain;
	struct vcpu *v = domain_vcpu(d, vcpu_id);
	struct evtchn *chn;
	unsigned long flags;
	int rc = 0;

	if (!v)
		return -ENOENT;
	chn = evtchn_from_port(d, port);
	if (!chn)
		return -EINVAL;

	spin_lock(&d->event_lock);
	spin_lock_irqsave(&chn->lock, flags);
	switch (chn->state) {
	case ECS_virq:
		if (!virq_is_global(chn->virq)) {
			rc = -EINVAL;
			break;
		}
		chn->notify_vcpu_id = (uint16_t)vcpu_id;
		break;
	case ECS_unbound:
	case ECS_interdomain:
		chn->notify_vcpu_id = (uint16_t)vcpu_id;
		break;
	case ECS_pirq:
		if (chn->notify_vcpu_id == vcpu_id)
			break;
		unlink_pirq(chn, d->vcpu[chn->notify_vcpu_id]);
		chn->notify_vcpu_id = (uint16_t)vcpu_id;
		link_pirq(chn, v);
		break;
	default:
		rc = -EINVAL;
	}
	spin_unlock_irqrestore(&chn->lock, flags);
	if (!rc && chn->state == ECS_pirq)
		pirq_set_affinity(d, chn->pirq, v);
	spin_unlock(&d->event_lock);
	return rc;
}

void evtchn_move_pirqs(struct vcpu *v)
{
	struct domain *d = v->domain;
	const struct evtchn *chn;

	if (!read_once(v->pirq_evtchn_head))
		return;
	spin_lock(&d->event_lock);
	for (unsigned int port = v->pirq_evtchn_head; port; port = chn->pirq_list.next) {
		chn = evtchn_from_port(d, port);
		pirq_set_affinity(d, chn->pirq, v);
	}
	spin_unlock(&d->event_lock);
}

void evtchn_vcpu_info_moved(struct vcpu *v)
{
	write_once(v->vcpu_info->evtchn_pending_sel, ~0UL);
	vcpu_mark_events_pending(v);
}

/* ---- a domain's life ---- */

int evtchn_init(struct domain *d, unsigned int max_port)
{
	int rc;

	spin_lock_init(&d->event_lock, LOCK_EVENT_DOMAIN);
	d->max_evtchn_port = min(max_port, MAX_EVTCHNS_FIFO - 1);
	d->evtchn_buckets = xzalloc_array(struct evtchn *, nr_buckets(d));
	if (!d->evtchn_buckets)
		return -ENOMEM;
	rc = grow_ports(d);
	if (rc) {
		xfree(d->evtchn_buckets);
		d->evtchn_buckets = NULL;
		return rc;
	}
	evtchn_from_port(d, 0)->state = ECS_reserved;
	d->evtchn_free_hint = 1;
	return 0;
}

int evtchn_destroy(struct domain *d)
{
	/* is_dying is set: whoever takes the lock after us opens no port. */
	spin_lock(&d->event_lock);
	spin_unlock(&d->event_lock);

	/* From the first on, wherever a reset stands: it may have left ports opened since behind it. */
	for (unsigned int port = max(d->evtchn_next_close, 1u); port < d->valid_evtchns; port++) {
		evtchn_close_port(d, port);
		if (!(port & 0x3f) && d->is_dying != DOMDYING_dead && hypercall_preempt_check()) {
			d->evtchn_next_close = port;
			return -ERESTART;
		}
	}
	clear_global_virq_handlers(d);
	spin_lock(&d->event_lock);
	evtchn_fifo_destroy(d);
	spin_unlock(&d->event_lock);
	return 0;
}

void evtchn_destroy_final(struct domain *d)
{
	if (!d->evtchn_buckets)
		return;
	for (unsigned int i = 0; i < d->valid_evtchns / EVTCHNS_PER_BUCKET; i++)
		xfree(d->evtchn_buckets[i]);
	xfree(d->evtchn_buckets);
	d->evtchn_buckets = NULL;
	d->valid_evtchns = 0;
}
