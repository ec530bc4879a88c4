/* SPDX-License-Identifier: MIT */
/*
 * Class 10: the FIFO event ABI, its set-up, expansion, priorities and queues.
 *
 * Before init_control the domain has the 2-level ABI; the switch may not lose pending events. The
 * array grows page by page and a port beyond it cannot be had. Queues keep the order of sending, a
 * higher priority goes first, and a port whose queue is being consumed may be sent again at any
 * moment. Bad frames are refused.
 */
#include <guest/event.h>
#include <guest/fifo.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>

#define NR_PORTS	40

static evtchn_port_t local[NR_PORTS], remote[NR_PORTS];
static evtchn_port_t order[4 * NR_PORTS];
static unsigned int nr_order;

static void note_order(evtchn_port_t port)
{
	if (nr_order < ARRAY_SIZE(order))
		order[nr_order++] = port;
}

static void test_setup_errors(void)
{
	struct evtchn_init_control init = { .control_gfn = ~0UL >> 12 };
	struct evtchn_expand_array expand = { .array_gfn = ~0UL >> 12 };
	struct evtchn_set_priority prio = { .port = 1, .priority = 3 };
	void *page = page_alloc();

	ktest_eq(evtchn_op(EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP,
		 "expand before init");
	ktest_eq(evtchn_op(EVTCHNOP_set_priority, &prio), -XEN_ENOSYS,
		 "priority before init (2-level ABI)");
	ktest_eq(evtchn_op(EVTCHNOP_init_control, &init), -XEN_EINVAL, "no such frame");
	init.control_gfn = virt_to_mfn(kernel_l4);
	ktest_eq(evtchn_op(EVTCHNOP_init_control, &init), -XEN_EINVAL, "a page table");
	init.control_gfn = virt_to_mfn(page);
	init.vcpu = 1000;
	ktest_eq(evtchn_op(EVTCHNOP_init_control, &init), -XEN_ENOENT, "no such vcpu");
	init.vcpu = 0;
	init.offset = PAGE_SIZE - 8;
	ktest_eq(evtchn_op(EVTCHNOP_init_control, &init), -XEN_EINVAL, "across the page's end");
	init.offset = 4;
	ktest_eq(evtchn_op(EVTCHNOP_init_control, &init), -XEN_EINVAL, "misaligned");
	ktest_eq(page_protect(page), 0, "refused page: read-only");
	ktest_eq(pt_pin(page, 1), 0, "refused page: no writable reference was left");
	pt_unpin(page);
	page_unprotect(page);
	page_free(page);
}

/* A port pending under the 2-level ABI must be delivered after the switch. */
static void test_switch(void)
{
	struct evtchn_init_control init = { 0 };
	struct evtchn_expand_array expand = { .array_gfn = ~0UL >> 12 };
	struct evtchn_status st;
	evtchn_port_t a, b;

	ktest_eq(event_self_pair(&a, &b), 0, "a pair");
	event_send(a);
	event_disable();
	ktest_eq(event_use_fifo(), 0, "switch to FIFO");
	ktest_eq(event_status(a, &st), EVTCHNSTAT_interdomain, "ports survive the switch");
	event_send(a);
	event_set_handler(b, note_order);
	nr_order = 0;
	event_enable();
	ktest_eq(nr_order, 1, "delivered through the queue");
	init.control_gfn = virt_to_mfn(page_alloc());
	ktest_eq(evtchn_op(EVTCHNOP_init_control, &init), -XEN_EINVAL, "a second control block");
	ktest_eq(evtchn_op(EVTCHNOP_expand_array, &expand), -XEN_EINVAL, "expand by no frame");
	event_close(a);
	event_close(b);
}

static void make_ports(void)
{
	for (unsigned int i = 0; i < NR_PORTS; i++) {
		ktest_quiet_eq(event_self_pair(&local[i], &remote[i]), 0, "pair %u", i);
		event_set_handler(remote[i], note_order);
	}
}

static void test_order(void)
{
	unsigned int wrong = 0;

	event_disable();
	nr_order = 0;
	for (unsigned int i = 0; i < NR_PORTS; i++)
		event_send(local[NR_PORTS - 1 - i]);
	event_enable();
	ktest_eq(nr_order, NR_PORTS, "all delivered");
	for (unsigned int i = 0; i < NR_PORTS; i++)
		wrong += order[i] != remote[NR_PORTS - 1 - i];
	ktest_eq(wrong, 0, "in the order of sending");
}

static void test_priorities(void)
{
	struct evtchn_set_priority prio;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < NR_PORTS; i++) {
		prio = (struct evtchn_set_priority){ .port = remote[i], .priority = 15 - i % 16 };
		ktest_quiet_eq(evtchn_op(EVTCHNOP_set_priority, &prio), 0, "priority %u", i % 16);
	}
	prio.priority = 16;
	ktest_eq(evtchn_op(EVTCHNOP_set_priority, &prio), -XEN_EINVAL, "priority 16");
	prio = (struct evtchn_set_priority){ .port = ~0U };
	ktest_eq(evtchn_op(EVTCHNOP_set_priority, &prio), -XEN_EINVAL, "priority of no port");

	event_disable();
	nr_order = 0;
	for (unsigned int i = 0; i < NR_PORTS; i++)
		event_send(local[i]);
	event_enable();
	ktest_eq(nr_order, NR_PORTS, "all delivered");
	for (unsigned int n = 1, last = 0; n < nr_order; n++) {
		unsigned int i;

		for (i = 0; remote[i] != order[n]; i++)
			;
		wrong += 15 - i % 16 < last;
		last = 15 - i % 16;
	}
	ktest_eq(wrong, 0, "higher priorities first");
}

static unsigned int resends;

/* A handler that sends its own port again while its queue is being drained. */
static void resend(evtchn_port_t port)
{
	note_order(port);
	if (resends) {
		resends--;
		event_send(local[0]);
	}
}

static void test_resend(void)
{
	event_set_handler(remote[0], resend);
	nr_order = 0;
	resends = 50;
	event_send(local[0]);
	ktest_eq(nr_order, 51, "sent again from its handler");
	event_set_handler(remote[0], note_order);

	event_mask(remote[1]);
	nr_order = 0;
	event_send(local[1]);
	event_send(local[2]);
	ktest_eq(nr_order, 1, "a masked port does not hold up the next");
	event_unmask(remote[1]);
	ktest_eq(nr_order, 2, "and comes when it is unmasked");
}

static void test_expand(void)
{
	unsigned int n = 0;
	long port, rc;

	/* One page holds 1,024 ports. Allocation beyond needs another page. */
	while ((port = event_alloc_unbound(DOMID_SELF, DOMID_SELF)) > 0 && port < 1023)
		n++;
	ktest_note("%u more ports in the first page, then %ld", n, port);
	rc = fifo_expand();
	ktest_eq(rc, 0, "expand");
	port = event_alloc_unbound(DOMID_SELF, DOMID_SELF);
	/* libxl gives a domU 1,023 ports unless told otherwise. */
	ktest_ok(port >= 1023 || (!is_dom0() && port == -XEN_ENOSPC),
		 "a port of the second page: %ld", port);
}

static void test_reset(void)
{
	struct evtchn_reset reset = { .dom = DOMID_SELF };
	struct evtchn_status st;
	evtchn_port_t a;

	ktest_eq(evtchn_op(EVTCHNOP_reset, &reset), 0, "reset");
	ktest_eq(event_status(remote[0], &st), EVTCHNSTAT_closed, "ports closed");
	shared_info->evtchn_mask[0] = ~0UL;
	a = event_alloc_unbound(DOMID_SELF, DOMID_SELF);
	ktest_ok(a > 0 && a < 64, "2-level again, port %u", a);
}

int guest_main(void)
{
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	test_setup_errors();
	test_switch();
	make_ports();
	test_order();
	test_priorities();
	test_resend();
	test_expand();
	if (is_dom0())
		test_reset();
	return ktest_result();
}
