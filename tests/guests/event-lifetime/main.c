/* SPDX-License-Identifier: MIT */
/*
 * Class 10: event-channel lifetime, single-threaded part (see event-races for two vcpus, event-fifo
 * for FIFO).
 *
 * Allocation, binding of every kind, delivery, masks, status, close of either end in either order,
 * reset, and the errors of each. What counts: a closed port never delivers, the other end of a
 * closed channel stays reserved for the closer's domain, a port number is given again only when it
 * is free, and nothing leaks: at the end all ports of the domain can be allocated, exactly as many
 * as at the start.
 */
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/start.h>
#include <guest/time.h>

static evtchn_port_t last_port;
static unsigned int nr_delivered;

static void on_event(evtchn_port_t port)
{
	last_port = port;
	nr_delivered++;
}

static void test_interdomain(void)
{
	struct evtchn_status st;
	evtchn_port_t a, b;
	long c;

	ktest_eq(event_self_pair(&a, &b), 0, "a pair of ports");
	ktest_eq(event_status(a, &st), EVTCHNSTAT_interdomain, "status of the first");
	ktest_eq(st.u.interdomain.port, b, "its remote port");
	ktest_eq(st.vcpu, 0, "its vcpu");
	event_set_handler(b, on_event);
	nr_delivered = 0;
	ktest_eq(event_send(a), 0, "send");
	ktest_ok(nr_delivered == 1 && last_port == b, "delivered at the other end");
	ktest_ok(!event_pending(b), "and no longer pending");

	event_mask(b);
	ktest_eq(event_send(a), 0, "send to a masked port");
	ktest_eq(nr_delivered, 1, "not delivered");
	ktest_ok(event_pending(b), "pending");
	event_unmask(b);
	ktest_eq(nr_delivered, 2, "delivered when unmasked");

	event_disable();
	ktest_eq(event_send(a), 0, "send with upcalls masked");
	ktest_eq(nr_delivered, 2, "not delivered");
	ktest_eq(this_vcpu_info()->evtchn_upcall_pending, 1, "upcall pending");
	event_enable();
	ktest_eq(nr_delivered, 3, "delivered when enabled");

	ktest_eq(event_close(a), 0, "close one end");
	ktest_eq(event_status(b, &st), EVTCHNSTAT_unbound, "the other end is unbound");
	ktest_eq(event_send(b), 0, "a send there vanishes");
	c = event_bind_interdomain(DOMID_SELF, b);
	ktest_ok(c > 0, "and can be bound again");
	ktest_ok(event_pending(c), "binding sets the new end pending");
	event_clear(c);
	ktest_eq(event_close(b), 0, "close");
	ktest_eq(event_close(c), 0, "close the other");
	ktest_eq(event_close(c), -XEN_EINVAL, "close twice");
	ktest_eq(event_status(c, &st), EVTCHNSTAT_closed, "status closed");
	ktest_eq(event_send(c), -XEN_EINVAL, "send on a closed port");
}

static void test_errors(void)
{
	struct evtchn_status st;
	struct evtchn_bind_vcpu bind = { .port = 4000, .vcpu = 0 };
	struct evtchn_unmask unmask = { .port = 1U << 20 };
	long u;

	ktest_eq(event_alloc_unbound(1234, DOMID_SELF), -XEN_ESRCH, "alloc in no domain");
	ktest_eq(event_bind_interdomain(1234, 1), -XEN_ESRCH, "bind to no domain");
	ktest_eq(event_bind_interdomain(DOMID_SELF, 4000), -XEN_EINVAL, "bind to a free port");
	ktest_eq(event_bind_interdomain(DOMID_SELF, 1U << 31), -XEN_EINVAL, "bind to no port");
	ktest_eq(event_bind_interdomain(DOMID_SELF, 0), -XEN_EINVAL, "bind to port 0");
	ktest_eq(event_send(0), -XEN_EINVAL, "send on port 0");
	ktest_eq(event_send(4000), -XEN_EINVAL, "send on a free port");
	ktest_eq(event_send(~0U), -XEN_EINVAL, "send on no port");
	ktest_eq(event_close(0), -XEN_EINVAL, "close port 0");
	ktest_eq(event_close(~0U), -XEN_EINVAL, "close no port");
	ktest_eq(event_status(~0U, &st), -XEN_EINVAL, "status of no port");
	ktest_eq(evtchn_op(EVTCHNOP_unmask, &unmask), -XEN_EINVAL, "unmask no port");
	ktest_eq(evtchn_op(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL, "bind a free port to a vcpu");
	ktest_eq(evtchn_op(99, &bind), -XEN_ENOSYS, "unknown operation");

	u = event_alloc_unbound(DOMID_SELF, DOMID_SELF);
	bind.port = u;
	bind.vcpu = 1000;
	ktest_eq(evtchn_op(EVTCHNOP_bind_vcpu, &bind), -XEN_ENOENT, "bind to no vcpu");
	bind.vcpu = 0;
	ktest_eq(evtchn_op(EVTCHNOP_bind_vcpu, &bind), 0, "bind an unbound port to vcpu 0");
	ktest_eq(event_send(u), 0, "a send on an unbound port vanishes");
	ktest_eq(event_close(u), 0, "close it");
}

static void test_virqs(void)
{
	struct evtchn_status st;
	struct evtchn_bind_vcpu bind;
	long timer = event_bind_virq(VIRQ_TIMER, 0);

	ktest_ok(timer > 0, "bind VIRQ_TIMER");
	ktest_eq(event_status(timer, &st), EVTCHNSTAT_virq, "status");
	ktest_eq(st.u.virq, VIRQ_TIMER, "its number");
	ktest_eq(event_bind_virq(VIRQ_TIMER, 0), -XEN_EEXIST, "bind twice");
	ktest_eq(event_bind_virq(VIRQ_TIMER, 1000), -XEN_ENOENT, "bind on no vcpu");
	ktest_eq(event_bind_virq(24, 0), -XEN_EINVAL, "virq 24");
	ktest_eq(event_bind_virq(~0U, 0), -XEN_EINVAL, "virq 2^32-1");
	bind = (struct evtchn_bind_vcpu){ .port = timer };
	ktest_eq(evtchn_op(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL, "a per-vcpu virq cannot move");
	ktest_eq(event_send(timer), -XEN_EINVAL, "a virq cannot be sent");

	event_set_handler(timer, on_event);
	nr_delivered = 0;
	time_set_singleshot(time_now() + MS, 0);
	for (uint64_t end = time_now() + 10 * SECOND; !nr_delivered && time_now() < end;)
		sched_op(SCHEDOP_yield, NULL);
	ktest_ok(nr_delivered && last_port == timer, "it is delivered");
	ktest_eq(event_close(timer), 0, "close");
	nr_delivered = 0;
	time_set_singleshot(time_now() + MS, 0);
	time_delay(5 * MS);
	ktest_eq(nr_delivered, 0, "after close it is not");
	ktest_ok((timer = event_bind_virq(VIRQ_TIMER, 0)) > 0, "bind again");
	event_close(timer);
}

static void test_ipi(void)
{
	struct evtchn_status st;
	long ipi = event_bind_ipi(0);

	ktest_ok(ipi > 0, "bind an ipi");
	ktest_eq(event_bind_ipi(1000), -XEN_ENOENT, "bind on no vcpu");
	ktest_eq(event_status(ipi, &st), EVTCHNSTAT_ipi, "status");
	event_set_handler(ipi, on_event);
	nr_delivered = 0;
	ktest_eq(event_send(ipi), 0, "send to ourselves");
	ktest_eq(nr_delivered, 1, "delivered");
	ktest_eq(event_close(ipi), 0, "close");
}

static void test_pirq_errors(void)
{
	struct evtchn_bind_pirq bind = { .pirq = 100000 };

	ktest_eq(evtchn_op(EVTCHNOP_bind_pirq, &bind), -XEN_EINVAL,
		 "bind a pirq that does not exist");
}

/* Allocate ports until none is left; how many were there? They are all closed again. */
static unsigned int count_free_ports(long *error)
{
	static evtchn_port_t ports[EVENT_MAX_PORTS];
	unsigned int n = 0;
	long port;

	while (n < EVENT_MAX_PORTS && (port = event_alloc_unbound(DOMID_SELF, DOMID_SELF)) > 0)
		ports[n++] = port;
	*error = port;
	for (unsigned int i = 0; i < n; i++)
		event_close(ports[i]);
	return n;
}

static void test_random(void)
{
	static evtchn_port_t pair[64][2];
	uint64_t seed = 42;

	for (unsigned int i = 0; i < 5000; i++) {
		unsigned int n, end;

		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		n = seed >> 40 & 63;
		end = seed >> 50 & 1;
		if (!pair[n][0]) {
			ktest_quiet_eq(event_self_pair(&pair[n][0], &pair[n][1]), 0, "random pair");
			event_mask(pair[n][0]);
			event_mask(pair[n][1]);
		} else if (seed >> 51 & 1) {
			ktest_quiet_eq(event_send(pair[n][end]), 0, "random send");
			ktest_quiet_eq(event_pending(pair[n][!end]), 1, "pending at its other end");
			event_clear(pair[n][!end]);
		} else {
			ktest_quiet_eq(event_close(pair[n][end]), 0, "random close");
			ktest_quiet_eq(event_close(pair[n][!end]), 0, "random close of the other");
			pair[n][0] = 0;
		}
	}
	for (unsigned int n = 0; n < 64; n++)
		if (pair[n][0]) {
			event_close(pair[n][0]);
			event_close(pair[n][1]);
		}
	ktest_ok(true, "random life");
}

static void test_reset(void)
{
	struct evtchn_reset reset = { .dom = DOMID_SELF };
	struct evtchn_status st;
	evtchn_port_t a, b;
	long ipi = event_bind_ipi(0);

	ktest_eq(event_self_pair(&a, &b), 0, "a pair");
	ktest_eq(evtchn_op(EVTCHNOP_reset, &reset), 0, "reset");
	ktest_eq(event_status(a, &st), EVTCHNSTAT_closed, "port closed");
	ktest_eq(event_status(b, &st), EVTCHNSTAT_closed, "port closed");
	ktest_eq(event_status(ipi, &st), EVTCHNSTAT_closed, "ipi closed");
	reset.dom = 1234;
	ktest_eq(evtchn_op(EVTCHNOP_reset, &reset), -XEN_ESRCH, "reset no domain");
}

int guest_main(void)
{
	unsigned int before, after;
	long error;

	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	before = count_free_ports(&error);
	ktest_note("%u ports, then %ld", before, error);
	ktest_ok(before > 500, "many ports");
	test_interdomain();
	test_errors();
	test_virqs();
	test_ipi();
	test_pirq_errors();
	test_random();
	after = count_free_ports(&error);
	ktest_eq(after, before, "as many ports as at the start");
	/* A domU's console needs its port: reset is for dom0. */
	if (is_dom0())
		test_reset();
	return ktest_result();
}
