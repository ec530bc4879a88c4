/* SPDX-License-Identifier: MIT */
/*
 * A small guest that is made to move: it suspends when control/shutdown says so, sets itself up again
 * afterwards and looks whether everything came along. Each vcpu writes into pages of its own and
 * checks them; the wall clock must never go back.
 *
 * dom0 reads how it fares in the domain's own nodes: data/beat counts up while it runs, data/moves
 * counts the new domains it woke up in, data/resumed the suspends that were called off, data/wrong
 * what it found damaged.
 *
 * Words: ignore (never looks at the request), refuse (takes it and does not act), balloon (gives
 * memory back and takes new, all the time), dirty=N (pages each vcpu writes between two looks at the
 * clock, default 8), look=N (milliseconds between two such looks, default 20), rates (tells what
 * clocks do: data/clock_ms, data/tsc_khz and the first such, data/first_khz), steady (its TSC never
 * goes back either, wherever it wakes up), skew=N (milliseconds by which the clocks of the hosts that
 * it wakes up on may differ).
 */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/string.h>
#include <guest/suspend.h>
#include <guest/time.h>
#include "mover.h"

#include <xen/memory.h>

#define PAGES_PER_VCPU	256
#define BALLOON		64	/* pages that come and go */

static uint64_t *pages[SMP_MAX_VCPUS][PAGES_PER_VCPU];
static unsigned long dirty;
static volatile bool stop, parked[SMP_MAX_VCPUS];
static unsigned long wrong, beat, moves, resumed;
static unsigned int vcpus;
static uint64_t last_wall, last_tsc;

static void damaged(const char *what, unsigned long a, unsigned long b)
{
	if (__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED) < 10)
		printk("# damaged: %s %lx %lx\n", what, a, b);
}

/* --- Memory --- */

/* Every word of a page tells where it is and how often it was written; the first one has the count. */
static void write_page(uint64_t *page)
{
	uint64_t round = page[0] + 1;

	for (unsigned int i = 1; i < PAGE_SIZE / 8; i++)
		page[i] = (PTR(page) ^ round) + i;
	page[0] = round;
}

static void check_page(const uint64_t *page)
{
	for (unsigned int i = 1; i < PAGE_SIZE / 8; i++)
		if (page[i] != (PTR(page) ^ page[0]) + i) {
			damaged("page, word", PTR(page), i);
			return;
		}
}

static void use_pages(unsigned int vcpu, unsigned long *at)
{
	for (unsigned long n = 0; n < dirty; n++) {
		uint64_t *page = pages[vcpu][*at];

		check_page(page);
		write_page(page);
		*at = (*at + 1) % PAGES_PER_VCPU;
	}
}

static void take_pages(unsigned int vcpu)
{
	for (unsigned int i = 0; i < PAGES_PER_VCPU; i++) {
		pages[vcpu][i] = page_alloc();
		write_page(pages[vcpu][i]);
	}
}

static void further_vcpu(void *arg)
{
	unsigned int me = (unsigned long)arg;
	unsigned long at = 0;

	for (;;) {
		parked[me] = stop;
		if (!stop)
			use_pages(me, &at);
		sched_op(SCHEDOP_yield, NULL);
	}
}

/* --- A balloon of pages that nothing maps --- */

static unsigned long ballooned[BALLOON];

static void balloon_step(void)
{
	static unsigned int at;
	static bool out;
	unsigned long pfn, frame;
	struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };

	if (!ballooned[at])
		ballooned[at] = pfn_alloc_unmapped();
	pfn = ballooned[at];
	if (!out) {
		frame = p2m[pfn];
		set_xen_guest_handle(op.extent_start, &frame);
		p2m[pfn] = ~0UL;
		if (memory_op(XENMEM_decrease_reservation, &op) != 1)
			damaged("decrease of pfn", pfn, 0);
	} else {
		frame = pfn;
		set_xen_guest_handle(op.extent_start, &frame);
		/* Memory may be short for a while. */
		if (memory_op(XENMEM_populate_physmap, &op) == 1)
			p2m[pfn] = frame;
		else
			return;
	}
	at = (at + 1) % BALLOON;
	out = at ? out : !out;
}

/* --- Clocks --- */

static void look_at_clock(void)
{
	uint64_t now = time_wall();

	if (now < last_wall)
		damaged("clock went back, ns", last_wall - now, 0);
	last_wall = now;
	now = rdtsc();
	if (arg_present("steady") && now < last_tsc)
		damaged("TSC went back, ticks", last_tsc - now, 0);
	last_tsc = now;
}

/* How fast the TSC goes by the clock, over a second each. Begun anew where the guest wakes up. */
static struct {
	uint64_t tsc, ns;		/* where the second began; 0: not yet */
	unsigned long khz, first_khz;	/* 0: not measured yet */
} rate;

static void measure_rate(void)
{
	uint64_t before = time_now(), tsc = rdtsc(), ns = time_now();

	if (ns - before > MS / 10 || (rate.ns && ns - rate.ns < SECOND))
		return;	/* somebody else ran between them, or it is too early */
	if (rate.ns) {
		rate.khz = (tsc - rate.tsc) * 1000 / ((ns - rate.ns) / 1000);
		if (!rate.first_khz)
			rate.first_khz = rate.khz;
	}
	rate.tsc = tsc;
	rate.ns = ns;
}

/* --- Standing still --- */

static void move(void)
{
	stop = true;
	for (unsigned int i = 1; i < vcpus; i++)
		while (!parked[i])
			sched_op(SCHEDOP_yield, NULL);
	if (suspend() == SUSPEND_MOVED) {
		moves++;
		rate.ns = 0;
		rate.khz = 0;
		last_wall -= arg_number("skew", 0) * MS;
		store_attach();
	} else {
		resumed++;
	}
	stop = false;
}

/* --- The loop --- */

static void tell(const char *name, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	if (store_write(name, text))
		damaged("store refuses a write", 0, 0);
}

static void look_at_request(void)
{
	static char answer[64];

	if (arg_present("ignore") || store_read("control/shutdown", answer, sizeof(answer)) ||
	    strcmp(answer, "suspend"))
		return;
	store_write("control/shutdown", "");
	if (!arg_present("refuse"))
		move();
}

static void tell_all(void)
{
	tell("data/beat", ++beat);
	tell("data/moves", moves);
	tell("data/resumed", resumed);
	tell("data/wrong", wrong);
	if (arg_present("rates")) {
		measure_rate();
		tell("data/clock_ms", time_now() / MS);
		tell("data/tsc_khz", rate.khz);
		tell("data/first_khz", rate.first_khz);
	}
}

int guest_main(void)
{
	unsigned long at = 0, look = arg_number("look", 20) * MS;

	dirty = arg_number("dirty", 8);
	suspend_init();
	store_attach();
	take_pages(0);
	for (vcpus = 1; vcpus < SMP_MAX_VCPUS && smp_exists(vcpus); vcpus++) {
		take_pages(vcpus);
		if (smp_boot(vcpus))
			panic("vcpu %u does not start", vcpus);
		smp_run(vcpus, further_vcpu, (void *)(unsigned long)vcpus);
	}
	printk("mover: up, %u vcpus\n", vcpus);
	for (;;) {
		use_pages(0, &at);
		look_at_clock();
		if (arg_present("balloon"))
			balloon_step();
		look_at_request();
		tell_all();
		time_sleep(look);
	}
}
