/* SPDX-License-Identifier: MIT */
/* Event channels, 2-level ABI and the part common to both: see event.h. */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/fifo.h>

#define BITS	64

static event_handler_t handlers[EVENT_MAX_PORTS];
static unsigned long counts[EVENT_MAX_PORTS];
static bool fifo;

static inline bool test_bit(const volatile unsigned long *map, unsigned int n)
{
	return map[n / BITS] >> (n % BITS) & 1;
}

static inline void set_bit(volatile unsigned long *map, unsigned int n)
{
	__asm__ volatile("lock btsq %1, %0" : "+m"(map[n / BITS]) : "r"((uint64_t)n % BITS) : "cc");
}

static inline void clear_bit(volatile unsigned long *map, unsigned int n)
{
	__asm__ volatile("lock btrq %1, %0" : "+m"(map[n / BITS]) : "r"((uint64_t)n % BITS) : "cc");
}

static void deliver(evtchn_port_t port)
{
	if (port >= EVENT_MAX_PORTS)
		panic("event on port %u", port);
	counts[port]++;
	if (handlers[port])
		handlers[port](port);
}

static void drain_2level(struct vcpu_info *vi)
{
	unsigned long sel, bits;

	sel = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	for (; sel; sel &= sel - 1) {
		unsigned int word = __builtin_ctzl(sel);

		bits = READ_ONCE(shared_info->evtchn_pending[word]) &
		       ~READ_ONCE(shared_info->evtchn_mask[word]);
		for (; bits; bits &= bits - 1) {
			evtchn_port_t port = word * BITS + __builtin_ctzl(bits);

			clear_bit(shared_info->evtchn_pending, port);
			deliver(port);
		}
	}
}

void event_upcall(struct trap_frame *frame __unused)
{
	struct vcpu_info *vi = this_vcpu_info();

	while (READ_ONCE(vi->evtchn_upcall_pending)) {
		WRITE_ONCE(vi->evtchn_upcall_pending, 0);
		__sync_synchronize();	/* clear the flag before looking at the bits */
		if (fifo)
			fifo_drain(deliver);
		else
			drain_2level(vi);
	}
}

void event_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(shared_info->evtchn_mask); i++)
		shared_info->evtchn_mask[i] = ~0UL;
}

void event_disable(void)
{
	WRITE_ONCE(this_vcpu_info()->evtchn_upcall_mask, 1);
	barrier();
}

void event_enable(void)
{
	struct vcpu_info *vi = this_vcpu_info();

	barrier();
	WRITE_ONCE(vi->evtchn_upcall_mask, 0);
	barrier();
	if (READ_ONCE(vi->evtchn_upcall_pending))
		xen_version(XENVER_version, NULL);	/* any exit delivers it */
}

void event_set_handler(evtchn_port_t port, event_handler_t handler)
{
	handlers[port] = handler;
	counts[port] = 0;
	event_unmask(port);
}

unsigned long event_count(evtchn_port_t port)
{
	return READ_ONCE(counts[port]);
}

bool event_pending(evtchn_port_t port)
{
	return fifo ? fifo_pending(port) : test_bit(shared_info->evtchn_pending, port);
}

bool event_masked(evtchn_port_t port)
{
	return fifo ? fifo_masked(port) : test_bit(shared_info->evtchn_mask, port);
}

void event_mask(evtchn_port_t port)
{
	if (fifo)
		fifo_mask(port);
	else
		set_bit(shared_info->evtchn_mask, port);
}

void event_clear(evtchn_port_t port)
{
	if (fifo)
		fifo_clear(port);
	else
		clear_bit(shared_info->evtchn_pending, port);
}

void event_unmask(evtchn_port_t port)
{
	struct evtchn_unmask unmask = { .port = port };

	evtchn_op(EVTCHNOP_unmask, &unmask);
}

long event_alloc_unbound(domid_t dom, domid_t remote)
{
	struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };
	long rc = evtchn_op(EVTCHNOP_alloc_unbound, &op);

	return rc ? rc : (long)op.port;
}

long event_bind_interdomain(domid_t remote, evtchn_port_t port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = port };
	long rc = evtchn_op(EVTCHNOP_bind_interdomain, &op);

	return rc ? rc : (long)op.local_port;
}

long event_bind_virq(unsigned int virq, unsigned int vcpu)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	long rc = evtchn_op(EVTCHNOP_bind_virq, &op);

	return rc ? rc : (long)op.port;
}

long event_bind_ipi(unsigned int vcpu)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	long rc = evtchn_op(EVTCHNOP_bind_ipi, &op);

	return rc ? rc : (long)op.port;
}

long event_send(evtchn_port_t port)
{
	struct evtchn_send op = { .port = port };

	return evtchn_op(EVTCHNOP_send, &op);
}

long event_close(evtchn_port_t port)
{
	struct evtchn_close op = { .port = port };

	return evtchn_op(EVTCHNOP_close, &op);
}

long event_status(evtchn_port_t port, struct evtchn_status *status)
{
	long rc;

	*status = (struct evtchn_status){ .dom = DOMID_SELF, .port = port };
	rc = evtchn_op(EVTCHNOP_status, status);
	return rc ? rc : (long)status->status;
}

long event_self_pair(evtchn_port_t *a, evtchn_port_t *b)
{
	long port = event_alloc_unbound(DOMID_SELF, DOMID_SELF);

	if (port < 0)
		return port;
	*a = port;
	port = event_bind_interdomain(DOMID_SELF, *a);
	if (port < 0) {
		event_close(*a);
		return port;
	}
	*b = port;
	return 0;
}

long event_use_fifo(void)
{
	long rc = fifo_init();

	if (!rc)
		fifo = true;
	return rc;
}
