/* SPDX-License-Identifier: MIT */
/*
 * A hypercall fuzzer: random, but shaped by a grammar, with a seed, so that every run can be
 * repeated.
 *
 * It proves that no sequence of hypercalls which a guest may issue stops the hypervisor. There is
 * no oracle for the answers but one: every call returns, and the guest's own kernel still works at
 * the end. As dom0 it leaves out what may rightly stop the machine. Arguments: seed=, calls=
 * (100,000), trace (prints each call, to find the last one).
 */
#include "fuzz.h"

#include <guest/console.h>
#include <guest/event.h>
#include <guest/grant.h>
#include <guest/ktest.h>
#include <guest/string.h>
#include <guest/trap.h>

struct call {
	const struct production *p;
	unsigned long nr, a[5];
};

static unsigned long returned_ok, returned_error;
static bool trace;

/* Fill the structures behind S; returns how many, or 0 if the production has none. */
static unsigned int fill_structs(void *buffer, const char *fields)
{
	uint8_t *p = buffer, *end = p + FUZZ_STRUCT_BYTES;
	unsigned int n = 1 + random_below(FUZZ_MAX_STRUCTS);

	memset(p, 0, FUZZ_STRUCT_BYTES);
	for (unsigned int i = 0; i < n; i++) {
		for (const char *f = fields; *f; f++) {
			uint64_t v = value_of(*f);
			unsigned int size = letter_size(*f);

			if (p + size > end)
				return i;
			memcpy(p, &v, size);
			p += size;
		}
	}
	return n;
}

/*
 * A count beyond the array must also be beyond what is accepted: statuses are written into each
 * element, and that would be the guest's own memory behind the array.
 */
static unsigned long impossible_count(void)
{
	return 0x80000000 | random64();
}

static struct call make_call(void *buffer)
{
	const struct production *p;
	struct call c;
	unsigned int n = 0;

	do
		p = &productions[random_below(nr_productions)];
	while (p->who == DOMU_ONLY && is_dom0());

	c = (struct call){ .p = p, .nr = p->nr };
	for (unsigned int i = 0; p->args[i]; i++) {
		switch (p->args[i]) {
		case 'C':
			c.a[i] = p->cmd;
			break;
		case 'S':
			n = fill_structs(buffer, p->fields);
			c.a[i] = random_below(40) ? PTR(buffer) : value_of('b');
			break;
		case 'N':
			c.a[i] = random_below(40) ? n : impossible_count();
			break;
		default:
			c.a[i] = value_of(p->args[i]);
		}
	}
	return c;
}

static bool is_memory(const struct call *c, unsigned int cmd)
{
	return c->nr == __HYPERVISOR_memory_op && c->a[0] == cmd;
}

/* Calls whose accidental form would end the guest by rights. */
static bool forbidden(const struct call *c)
{
	/* "unknown" commands are random numbers: keep them off those that are real and fatal. */
	if (c->nr == __HYPERVISOR_sched_op)
		return c->a[0] != SCHEDOP_yield && c->a[0] != 9 && c->a[0] != SCHEDOP_pin_override;
	/* The console's port must live. */
	if (c->nr == __HYPERVISOR_event_channel_op && c->p->cmd == 0 && c->a[0] < 11 &&
	    c->p->args[0] == 'X')
		return true;
	/* Real output on the console, or a wait for input, is of no use. */
	if (c->nr == __HYPERVISOR_console_io)
		return c->a[0] < 2 && c->a[1] < 100000;
	return is_memory(c, XENMEM_exchange) && c->a[1] == 0;
}

static void after(const struct call *c, long rc)
{
	if (rc > 0 && (is_memory(c, XENMEM_populate_physmap) ||
		       is_memory(c, XENMEM_increase_reservation)))
		adopt_frames(rc);
	if (is_memory(c, XENMEM_exchange) && rc == 0)
		adopt_frames(1);
	/* These change how the next trap or event would be delivered. */
	if (c->nr == __HYPERVISOR_set_callbacks)
		trap_init();
	if (c->nr == __HYPERVISOR_set_debugreg)
		set_debugreg(7, 0);
	/* A runaway periodic timer only costs time. */
	if (c->nr == __HYPERVISOR_vcpu_op && c->a[0] == VCPUOP_set_periodic_timer)
		vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
}

static void print_call(const struct call *c)
{
	printk("%s: %lu(%lx, %lx, %lx, %lx, %lx)\n", c->p->name, c->nr, c->a[0], c->a[1], c->a[2],
	       c->a[3], c->a[4]);
}

static void count(long rc)
{
	if (rc < 0 && rc > -4096)
		returned_error++;
	else
		returned_ok++;
}

static void single(void)
{
	struct call c = make_call(struct_buffer(0));
	long rc;

	if (forbidden(&c))
		return;
	if (trace)
		print_call(&c);
	rc = hypercall(c.nr, c.a[0], c.a[1], c.a[2], c.a[3], c.a[4]);
	count(rc);
	after(&c, rc);
}

/* Several at once. */
static void several(void)
{
	static struct multicall_entry entries[FUZZ_MAX_MULTICALL];
	struct call calls[FUZZ_MAX_MULTICALL];
	unsigned int n = 0;

	for (unsigned int i = 0; i < FUZZ_MAX_MULTICALL; i++) {
		struct call c = make_call(struct_buffer(i));

		if (forbidden(&c) || c.nr == __HYPERVISOR_set_callbacks)
			continue;
		calls[n] = c;
		entries[n] = (struct multicall_entry){ .op = c.nr };
		memcpy(entries[n].args, c.a, sizeof(c.a));
		if (trace)
			print_call(&c);
		n++;
	}
	if (multicall(entries, n))
		return;
	for (unsigned int i = 0; i < n; i++) {
		count(entries[i].result);
		after(&calls[i], entries[i].result);
	}
}

static bool on_debug(struct trap_frame *frame __unused, unsigned int vector __unused)
{
	set_debugreg(7, 0);
	return true;
}

/* The guest's own kernel must still work. */
static void check_alive(void)
{
	void *page = page_alloc();
	uint64_t v;

	ktest_eq(page_protect(page), 0, "protect a page");
	ktest_ok(!try_write64(page, 1), "a store to it faults");
	ktest_eq(page_unprotect(page), 0, "unprotect it");
	ktest_ok(try_write64(page, 1) && try_read64(page, &v) && v == 1, "then it works");
	ktest_eq(xen_version(XENVER_version, NULL), 0x40011, "the hypervisor answers");
}

int guest_main(void)
{
	unsigned long calls = arg_number("calls", 100000), seed = arg_number("seed", 1), step;

	trace = arg_present("trace");
	event_disable();
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	trap_set_hook(VEC_DB, on_debug);
	grant_init(1);
	values_reserve_ports();
	values_init(seed);
	for (unsigned int i = 8; i < 48; i++)
		grant_access(i, grant_self_domid(), value_of('f'), i & 1);

	printk("fuzz: seed %lu, %lu calls\n", seed, calls);
	step = calls / 10 ? calls / 10 : 1;
	for (unsigned long i = 0; i < calls; i++) {
		if (i % step == 0)
			printk("fuzz: %lu calls, %lu ok, %lu errors\n", i, returned_ok,
			       returned_error);
		if (random_below(30) == 0)
			several();
		else
			single();
	}
	printk("fuzz: done, %lu ok, %lu errors\n", returned_ok, returned_error);
	trap_set_hook(VEC_DB, NULL);
	trap_init();
	check_alive();
	return ktest_result();
}
