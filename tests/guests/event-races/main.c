/* SPDX-License-Identifier: MIT */
/*
 * Class 10: concurrent bind, send, close and unmask. Needs two vcpus (skipped with one).
 *
 * While one vcpu closes and makes channels anew, the other sends on them, asks their status and
 * unmasks them. Every call must end in one of the answers that fit some order of the two;
 * afterwards channels work and no port is lost. Run by the FIFO ABI with the argument "fifo".
 *
 * boot-args: --smp 2
 */
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/smp.h>
#include <guest/start.h>

#define NR_PAIRS	8
#define ROUNDS		3000

static volatile evtchn_port_t pair[NR_PAIRS][2];
static volatile bool stop;
static unsigned long sends, odd_answers;

static void hammer(void *unused __unused)
{
	struct evtchn_status st;
	unsigned int i = 0;

	while (!stop) {
		evtchn_port_t port = pair[i % NR_PAIRS][i & 1];
		long rc = event_send(port);

		odd_answers += rc != 0 && rc != -XEN_EINVAL;
		rc = event_status(port, &st);
		odd_answers += rc != EVTCHNSTAT_closed && rc != EVTCHNSTAT_unbound &&
			       rc != EVTCHNSTAT_interdomain;
		event_unmask(port);
		sends++;
		i += 3;
	}
}

static unsigned int count_ports(void)
{
	static evtchn_port_t ports[600];
	unsigned int n = 0;
	long port;

	while (n < ARRAY_SIZE(ports) && (port = event_alloc_unbound(DOMID_SELF, DOMID_SELF)) > 0)
		ports[n++] = port;
	port = n ? (long)ports[n - 1] : 0;
	for (unsigned int i = 0; i < n; i++)
		event_close(ports[i]);
	return port;		/* the highest one: grows when others are lost */
}

/* Two vcpus bind the same unbound port: one must win, one must fail. */
static volatile long bound[2];
static volatile evtchn_port_t contested;
static volatile unsigned int generation, acknowledged;

static void binder(void *unused __unused)
{
	unsigned int seen = 0;

	while (!stop) {
		if (generation == seen)
			continue;
		seen = generation;
		bound[1] = event_bind_interdomain(DOMID_SELF, contested);
		acknowledged = seen;
	}
}

static void test_bind_race(void)
{
	unsigned int both = 0, none = 0, second = 0;

	stop = false;
	smp_run(1, binder, NULL);
	for (unsigned int i = 0; i < 1000; i++) {
		contested = event_alloc_unbound(DOMID_SELF, DOMID_SELF);
		generation++;
		bound[0] = event_bind_interdomain(DOMID_SELF, contested);
		while (acknowledged != generation)
			__asm__ volatile("pause");
		both += bound[0] > 0 && bound[1] > 0;
		none += bound[0] < 0 && bound[1] < 0;
		second += bound[1] > 0;
		for (unsigned int k = 0; k < 2; k++)
			if (bound[k] > 0)
				event_close(bound[k]);
		event_close(contested);
	}
	stop = true;
	smp_wait(1);
	ktest_eq(both, 0, "never two binders (the second won %u times)", second);
	ktest_eq(none, 0, "never none");
}

int guest_main(void)
{
	unsigned int before, fails = 0;

	if (!smp_exists(1)) {
		ktest_note("SKIP: one vcpu");
		return 0;
	}
	ktest_eq(smp_boot(1), 0, "second vcpu");
	if (arg_present("fifo"))
		ktest_eq(event_use_fifo(), 0, "FIFO");
	before = count_ports();
	for (unsigned int i = 0; i < NR_PAIRS; i++)
		event_self_pair((evtchn_port_t *)&pair[i][0], (evtchn_port_t *)&pair[i][1]);
	smp_run(1, hammer, NULL);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		unsigned int i = r % NR_PAIRS, end = r >> 3 & 1;
		evtchn_port_t a, b;

		fails += event_close(pair[i][end]) != 0;
		fails += event_close(pair[i][!end]) != 0;
		fails += event_self_pair(&a, &b) != 0;
		pair[i][0] = a;
		pair[i][1] = b;
	}
	stop = true;
	smp_wait(1);
	ktest_eq(fails, 0, "close and bind always work");
	ktest_eq(odd_answers, 0, "%lu concurrent sends answered as they should", sends);
	test_bind_race();
	for (unsigned int i = 0; i < NR_PAIRS; i++) {
		event_close(pair[i][0]);
		event_close(pair[i][1]);
	}
	/* A closed port that still hangs in a FIFO queue is not free: consume it. */
	event_enable();
	ktest_eq(count_ports(), before, "no port lost");
	return ktest_result();
}
