/* SPDX-License-Identifier: MIT */
/*
 * One of two guests that measure switches and events between domains; or the peer of a dom0
 * program.
 *
 * Arguments: "role=" 1 makes the channel and measures, 2 binds to it and answers, 3 answers dom0
 * (or any domain) by upcall for ever, 4 is idle for ever; "peer=" the other's domain number;
 * "port=" for role 2 the port of role 1 (its first free one); "mode=" 1 yields only, 2 ping-pong by
 * polling, 3 by block and upcall; "loops=". Role 1 prints "BENCH: <count> <mode>" with the
 * instructions of one turn. The TSC must be native.
 */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <guest/time.h>

#define CHUNKS	21

enum { MEASURE = 1, ANSWER, SERVE, IDLE };
enum { YIELD = 1, POLL, UPCALL };

static evtchn_port_t port;
static volatile unsigned long turns;

static void yield_loop(unsigned long n)
{
	while (n--)
		sched_op(SCHEDOP_yield, NULL);
}

static void poll_port(void)
{
	struct sched_poll poll = { .nr_ports = 1 };

	set_xen_guest_handle(poll.ports, &port);
	while (!event_pending(port))
		sched_op(SCHEDOP_poll, &poll);
	event_clear(port);
}

static void poll_loop(unsigned long n, bool first)
{
	while (n--) {
		if (first)
			event_send(port);
		poll_port();
		if (!first)
			event_send(port);
	}
}

static void on_event(evtchn_port_t p __unused)
{
	turns++;
}

static void upcall_loop(unsigned long n, bool first)
{
	for (unsigned long i = turns; n--; i++) {
		if (first)
			event_send(port);
		event_disable();
		while (turns == i) {
			sched_op(SCHEDOP_block, NULL);
			event_disable();
		}
		event_enable();
		if (!first)
			event_send(port);
	}
}

static void run(unsigned int mode, unsigned long n, bool first)
{
	if (mode == YIELD)
		yield_loop(n);
	else if (mode == POLL)
		poll_loop(n, first);
	else
		upcall_loop(n, first);
}

/*
 * Three events, so that both are there and none is left pending: one sent before the last was taken
 * would be lost. Upcalls stay closed.
 */
static void meet(bool first)
{
	struct sched_poll sleep = { .timeout = time_now() + 5 * SECOND };

	event_disable();
	event_mask(port);
	event_clear(port);
	if (!first)
		sched_op(SCHEDOP_poll, &sleep);		/* dom0 still works on having made us */
	if (first) {
		poll_port();
		event_send(port);
		poll_port();
	} else {
		event_send(port);
		poll_port();
		event_send(port);
	}
}

static void set_up(unsigned int role, unsigned int mode)
{
	domid_t peer = arg_number("peer", 0);
	long p;

	if (role == ANSWER)
		p = event_bind_interdomain(peer, arg_number("port", 3));
	else
		p = event_alloc_unbound(DOMID_SELF, peer);
	if (p < 0)
		panic("channel: %ld", p);
	port = p;
	printk("port %u\n", port);
	if (role != SERVE)
		meet(role == MEASURE);
	if (mode == UPCALL) {
		event_set_handler(port, on_event);
		event_enable();
	}
}

static void serve(void)
{
	for (;;) {
		unsigned long seen = turns;

		event_disable();
		while (turns == seen) {
			sched_op(SCHEDOP_block, NULL);
			event_disable();
		}
		event_send(port);
	}
}

/*
 * Instructions per turn: the median of CHUNKS parts, for dom0 may be busy during some, and in others
 * a yield may have found nobody.
 */
static unsigned long measure(unsigned int mode, unsigned long loops, bool first)
{
	unsigned long ticks[CHUNKS];

	for (unsigned int i = 0; i < CHUNKS; i++) {
		uint64_t start = rdtsc();
		unsigned long t;
		unsigned int k;

		run(mode, loops / CHUNKS, first);
		t = (rdtsc() - start) / (loops / CHUNKS);
		for (k = i; k && ticks[k - 1] > t; k--)
			ticks[k] = ticks[k - 1];
		ticks[k] = t;
	}
	return ticks[CHUNKS / 2];
}

int guest_main(void)
{
	static const char *const names[] = { "", "yield turn", "event round trip, poll",
					     "event round trip, block and upcall" };
	unsigned int role = arg_number("role", IDLE), mode = arg_number("mode", UPCALL);
	unsigned long loops = arg_number("loops", 2000), turn;

	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	if (role == IDLE)
		for (;;)
			sched_op(SCHEDOP_block, NULL);
	set_up(role, mode);
	if (role == SERVE)
		serve();

	turn = measure(mode, loops, role == MEASURE);
	if (role == MEASURE)
		printk("BENCH: %lu %s\n", turn, names[mode]);
	/* The other one of a yielding pair must not be left alone while it measures. */
	if (mode == YIELD)
		yield_loop(loops * 2);
	return 0;
}
