/* SPDX-License-Identifier: MIT */
/*
 * The one place that states the order in which locks are taken: a CPU that
 * holds a lock may take only locks of a higher class. The host port checks it
 * at every spin_lock; LOCK_ANY is exempt (leaf locks that take nothing, and the
 * console's).
 *
 * Taking two locks of one class is allowed only in the forms named here, in
 * address order, with spin_lock_nested():
 *   event locks of two domains, event channels of two ends; FIFO queues by vcpu id;
 *   active entries of one grant table by reference;
 *   page-table pages and grant tables never;
 *   run queues in CPU order; timer heaps in CPU order.
 */
#ifndef CORE_LOCK_ORDER_H
#define CORE_LOCK_ORDER_H

enum lock_class {
	LOCK_ANY = 0,
	LOCK_DOMCTL,		/* one domctl at a time */
	LOCK_SYSCTL,
	LOCK_CPUPOOL,
	LOCK_GUEST_CONSOLE,	/* a guest's partial line */
	LOCK_DOMLIST,		/* the list of domains */
	LOCK_DOMAIN,		/* d->domain_lock: vcpus, shutdown state */
	LOCK_CPU_HOTPLUG,
	LOCK_PCIDEVS,		/* PCI functions, mapping of pirqs */
	LOCK_PAGE_TABLE,	/* page_lock(): one page-table page */
	LOCK_GRANT_TABLE,	/* gt->lock: growth */
	LOCK_GRANT_MAPTRACK,
	LOCK_GRANT_ACTIVE,	/* one active entry */
	LOCK_EVENT_DOMAIN,	/* d->event_lock: allocation, bind, close */
	LOCK_PIRQ,		/* d->arch pirq maps */
	LOCK_IRQ_DESC,		/* held while an interrupt becomes an event */
	LOCK_IOAPIC,
	LOCK_VECTOR,
	LOCK_SHUTDOWN,		/* d->shutdown_lock */
	LOCK_PAUSE,		/* d->pause_lock */
	LOCK_EVENT_CHANNEL,	/* one channel: state of one port */
	LOCK_EVENT_FIFO,	/* one FIFO queue */
	LOCK_RUNQUEUE,		/* scheduler run queue of a CPU */
	LOCK_TIMER,		/* timer heap of a CPU */
	LOCK_PAGE_ALLOC,	/* d->page_alloc_lock: page lists, tot_pages */
	LOCK_HEAP,		/* buddy heap */
	LOCK_XMALLOC,		/* small-object heap; never calls the buddy heap while held */
	LOCK_CONSOLE,
	LOCK_SERIAL,
	LOCK_CLASSES
};

#endif
