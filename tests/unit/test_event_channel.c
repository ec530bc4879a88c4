/* SPDX-License-Identifier: MIT */
/*
 * Event channels: each operation's rules and errnos; and a model test: three
 * domains do random operations by hypercall, a plain model of the ABI says what
 * must come out, for 2-level and for FIFO ports, the latter with a guest that
 * takes events off its queues. In the end every resource is back.
 *
 * LINK: xen-core/event_channel.c xen-core/event_op.c xen-core/event_virq.c xen-core/event_2l.c
 * LINK: xen-core/event_fifo.c
 */
#include "harness.h"
#include <core/event.h>
#include <core/hypercall.h>
#include <core/mm.h>
#include <core/sched.h>
#include <arch/bitops.h>
#include <xen/event_channel.h>

#define NR_DOMS		3U
#define NR_VCPUS	3U

static struct domain *dom[NR_DOMS];
static void *garg;		/* guest memory for arguments */

static void run_as(unsigned int d, unsigned int vcpu)
{
	host_switch_to(0, dom[d]->vcpu[vcpu]);
}

static long evop(unsigned int cmd, void *arg, size_t size)
{
	long rc;

	memcpy(garg, arg, size);
	rc = do_event_channel_op(cmd, (unsigned long)garg, 0, 0, 0);
	memcpy(arg, garg, size);
	host_check_no_locks("after an event channel operation");
	return rc;
}

static long op_alloc(domid_t on, domid_t remote)
{
	struct evtchn_alloc_unbound op = { .dom = on, .remote_dom = remote };
	long rc = evop(EVTCHNOP_alloc_unbound, &op, sizeof(op));

	return rc ? rc : (long)op.port;
}

static long op_bind(domid_t remote, unsigned int rport)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = rport };
	long rc = evop(EVTCHNOP_bind_interdomain, &op, sizeof(op));

	return rc ? rc : (long)op.local_port;
}

static long op_virq(unsigned int virq, unsigned int vcpu)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	long rc = evop(EVTCHNOP_bind_virq, &op, sizeof(op));

	return rc ? rc : (long)op.port;
}

static long op_ipi(unsigned int vcpu)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	long rc = evop(EVTCHNOP_bind_ipi, &op, sizeof(op));

	return rc ? rc : (long)op.port;
}

static long op_pirq(unsigned int pirq)
{
	struct evtchn_bind_pirq op = { .pirq = pirq };
	long rc = evop(EVTCHNOP_bind_pirq, &op, sizeof(op));

	return rc ? rc : (long)op.port;
}

static long op_port(unsigned int cmd, unsigned int port)	/* close, send, unmask */
{
	evtchn_port_t p = port;

	return evop(cmd, &p, sizeof(p));
}

static long op_vcpu(unsigned int port, unsigned int vcpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

	return evop(EVTCHNOP_bind_vcpu, &op, sizeof(op));
}

static long op_prio(unsigned int port, unsigned int prio)
{
	struct evtchn_set_priority op = { .port = port, .priority = prio };

	return evop(EVTCHNOP_set_priority, &op, sizeof(op));
}

static long op_status(domid_t d, unsigned int port, struct evtchn_status *st)
{
	*st = (struct evtchn_status){ .dom = d, .port = port };
	return evop(EVTCHNOP_status, st, sizeof(*st));
}

static long op_reset(domid_t d)
{
	struct evtchn_reset op = { .dom = d };

	return evop(EVTCHNOP_reset, &op, sizeof(op));
}

static void make_domains(void)
{
	garg = host_guest_alloc(PAGE_SIZE);
	for (unsigned int i = 0; i < NR_DOMS; i++) {
		dom[i] = host_domain_create((domid_t)i, NR_VCPUS, i == 0);
		assert_int_equal(evtchn_init(dom[i], 4095), 0);
	}
	run_as(0, 0);
}

static void unmake_domains(void)
{
	for (unsigned int i = 0; i < NR_DOMS; i++) {
		dom[i]->is_dying = DOMDYING_dying;
		assert_int_equal(evtchn_destroy(dom[i]), 0);
		assert_int_equal(dom[i]->active_evtchns, 0);
	}
	for (unsigned int i = 0; i < NR_DOMS; i++) {
		struct page_info *pg;

		while ((pg = page_list_first(&dom[i]->page_list)) != NULL) {
			assert_int_equal(pg->count_info & PGC_count_mask, 1);
			assert_int_equal(pg->type_info & PGT_count_mask, 0);
			pg->count_info &= ~PGC_allocated;
			put_page(pg);
		}
		evtchn_destroy_final(dom[i]);
		host_domain_free(dom[i]);
	}
	host_guest_free(garg);
}

/* ---- rules, one by one ---- */

static void test_alloc_and_bind(void **state __maybe_unused)
{
	struct host_counts before = host_count();
	struct evtchn_status st;

	make_domains();
	assert_int_equal(op_alloc(DOMID_SELF, 1), 1);	/* the lowest; 0 is reserved */
	assert_int_equal(op_alloc(99, 1), -ESRCH);
	assert_int_equal(op_alloc(2, 1), 1);		/* a control domain may, for others */
	run_as(1, 0);
	assert_int_equal(op_alloc(2, 1), -EPERM);
	assert_int_equal(op_bind(0, 2), -EINVAL);	/* not open */
	assert_int_equal(op_bind(0, 5000), -EINVAL);	/* no such port */
	assert_int_equal(op_bind(99, 1), -ESRCH);
	assert_int_equal(op_bind(0, 1), 1);
	assert_true(evtchn_is_pending(dom[1], 1));	/* what was lost before is made up for */
	assert_false(evtchn_is_pending(dom[0], 1));
	assert_int_equal(op_bind(0, 1), -EINVAL);	/* taken */
	assert_int_equal(op_status(DOMID_SELF, 1, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_interdomain);
	assert_int_equal(st.u.interdomain.dom, 0);
	assert_int_equal(st.u.interdomain.port, 1);
	assert_int_equal(op_status(0, 1, &st), -EPERM);
	run_as(0, 0);
	assert_int_equal(op_status(2, 1, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_unbound);
	assert_int_equal(st.u.unbound.dom, 1);
	assert_int_equal(op_status(0, 0, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_closed);
	assert_int_equal(op_status(0, 100000, &st), -EINVAL);
	unmake_domains();
	assert_counts_equal(&before);
}

/* A domain that has no vcpus yet may be given ports, but nobody can be told of an event there. */
static void test_no_vcpus_yet(void **state __maybe_unused)
{
	struct vcpu *v;

	make_domains();
	v = dom[2]->vcpu[0];
	dom[2]->vcpu[0] = NULL;
	assert_int_equal(op_alloc(2, 0), 1);
	assert_int_equal(op_bind(2, 1), -EINVAL);
	dom[2]->vcpu[0] = v;
	assert_int_equal(op_bind(2, 1), 1);
	assert_int_equal(op_port(EVTCHNOP_send, 1), 0);
	assert_true(evtchn_is_pending(dom[2], 1));
	unmake_domains();
}

static void test_send_and_close(void **state __maybe_unused)
{
	struct evtchn_status st;

	make_domains();
	assert_int_equal(op_alloc(DOMID_SELF, 1), 1);
	assert_int_equal(op_port(EVTCHNOP_send, 1), 0);	/* nobody there: vanishes */
	assert_int_equal(op_port(EVTCHNOP_send, 0), -EINVAL);
	assert_int_equal(op_port(EVTCHNOP_send, 2), -EINVAL);
	assert_int_equal(op_port(EVTCHNOP_send, 99999), -EINVAL);
	run_as(1, 0);
	assert_int_equal(op_bind(0, 1), 1);
	assert_int_equal(op_port(EVTCHNOP_send, 1), 0);
	assert_true(evtchn_is_pending(dom[0], 1));
	assert_int_equal(dom[0]->vcpu[0]->vcpu_info->evtchn_upcall_pending, 1);
	assert_int_equal(dom[0]->vcpu[0]->vcpu_info->evtchn_pending_sel, 1);
	/* One end closes: the other is unbound, reserved for the closer, still pending. */
	assert_int_equal(op_port(EVTCHNOP_close, 1), 0);
	assert_false(evtchn_is_pending(dom[1], 1));
	run_as(0, 0);
	assert_int_equal(op_status(0, 1, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_unbound);
	assert_int_equal(st.u.unbound.dom, 1);
	assert_int_equal(op_port(EVTCHNOP_send, 1), 0);
	run_as(2, 0);
	assert_int_equal(op_bind(0, 1), -EINVAL);
	run_as(1, 1);
	assert_int_equal(op_bind(0, 1), 1);
	run_as(0, 0);
	assert_int_equal(op_port(EVTCHNOP_close, 1), 0);
	assert_int_equal(op_port(EVTCHNOP_close, 1), -EINVAL);
	assert_int_equal(op_port(EVTCHNOP_close, 0), -EINVAL);
	/* To itself: both ends in one domain. */
	assert_int_equal(op_alloc(DOMID_SELF, DOMID_SELF), 1);
	assert_int_equal(op_bind(DOMID_SELF, 1), 2);
	assert_int_equal(op_port(EVTCHNOP_send, 1), 0);
	assert_true(evtchn_is_pending(dom[0], 2));
	assert_int_equal(op_port(EVTCHNOP_close, 2), 0);
	assert_int_equal(op_port(EVTCHNOP_close, 1), 0);
	unmake_domains();
}

static void test_virq_ipi(void **state __maybe_unused)
{
	long p;

	make_domains();
	run_as(1, 0);
	assert_int_equal(op_virq(24, 0), -EINVAL);
	assert_int_equal(op_virq(VIRQ_CONSOLE, 1), -EINVAL);	/* global: vcpu 0 only */
	assert_int_equal(op_virq(VIRQ_TIMER, NR_VCPUS), -ENOENT);
	p = op_virq(VIRQ_TIMER, 1);
	assert_int_equal(p, 1);
	assert_int_equal(op_virq(VIRQ_TIMER, 1), -EEXIST);
	assert_true(evtchn_virq_enabled(dom[1]->vcpu[1], VIRQ_TIMER));
	send_guest_vcpu_virq(dom[1]->vcpu[0], VIRQ_TIMER);
	assert_false(evtchn_is_pending(dom[1], 1));
	send_guest_vcpu_virq(dom[1]->vcpu[1], VIRQ_TIMER);
	assert_true(evtchn_is_pending(dom[1], 1));
	assert_int_equal(dom[1]->vcpu[1]->vcpu_info->evtchn_upcall_pending, 1);
	assert_int_equal(op_vcpu(1, 2), -EINVAL);		/* bound to its vcpu for good */
	assert_int_equal(op_port(EVTCHNOP_send, 1), -EINVAL);
	assert_int_equal(op_port(EVTCHNOP_close, 1), 0);
	send_guest_vcpu_virq(dom[1]->vcpu[1], VIRQ_TIMER);	/* nobody: nothing happens */
	assert_false(evtchn_is_pending(dom[1], 1));

	p = op_virq(VIRQ_DOM_EXC, 0);
	assert_int_equal(p, 1);
	assert_int_equal(op_vcpu(1, 2), 0);
	send_guest_global_virq(dom[1], VIRQ_DOM_EXC);
	assert_int_equal(dom[1]->vcpu[2]->vcpu_info->evtchn_upcall_pending, 1);

	assert_int_equal(op_ipi(NR_VCPUS), -ENOENT);
	p = op_ipi(1);
	assert_int_equal(p, 2);
	assert_int_equal(op_vcpu(2, 0), -EINVAL);
	assert_int_equal(op_port(EVTCHNOP_send, 2), 0);
	assert_true(evtchn_is_pending(dom[1], 2));
	assert_int_equal(op_vcpu(2, 9), -ENOENT);
	assert_int_equal(op_vcpu(99999, 0), -EINVAL);
	unmake_domains();
}

static void test_pirq(void **state __maybe_unused)
{
	long a, b, c;

	make_domains();
	assert_int_equal(op_pirq(999), -EINVAL);
	a = op_pirq(5);
	b = op_pirq(6);
	c = op_pirq(7);
	assert_int_equal(a, 1);
	assert_int_equal(op_pirq(5), -EEXIST);
	assert_int_equal(host_rec.pirq_binds, 3);
	assert_false(send_guest_pirq(dom[0], 5));
	assert_true(send_guest_pirq(dom[0], 5));	/* still pending */
	assert_true(evtchn_is_pending(dom[0], (unsigned int)a));
	assert_int_equal(op_vcpu((unsigned int)b, 2), 0);
	assert_int_equal(op_port(EVTCHNOP_close, (unsigned int)c), 0);
	assert_int_equal(op_port(EVTCHNOP_close, (unsigned int)a), 0);
	assert_int_equal(op_port(EVTCHNOP_close, (unsigned int)b), 0);
	assert_int_equal(host_rec.pirq_unbinds, 3);
	assert_true(send_guest_pirq(dom[0], 5));
	unmake_domains();
}

static void test_limits_and_reset(void **state __maybe_unused)
{
	struct evtchn_reset other = { .dom = 2 };
	long rc = 0;
	unsigned int n;

	make_domains();
	run_as(1, 0);
	for (n = 1; n < 4096; n++)
		assert_int_equal(op_alloc(DOMID_SELF, 0), n);
	assert_int_equal(op_alloc(DOMID_SELF, 0), -ENOSPC);
	assert_int_equal(op_port(EVTCHNOP_close, 77), 0);
	assert_int_equal(op_alloc(DOMID_SELF, 0), 77);
	assert_int_equal(op_reset(2), -EPERM);
	run_as(0, 0);
	assert_int_equal(evop(EVTCHNOP_reset, &other, sizeof(other)), -EINVAL);	/* not paused */

	/* Preempted on the way: it goes on under its own number; a second one must wait. */
	run_as(1, 0);
	host_preempt_at(3);
	rc = op_reset(DOMID_SELF);
	assert_int_equal(rc, -ERESTART);
	assert_int_equal(host_rec.cont_args[0], 14);
	host_preempt_at(0);
	assert_int_equal(op_reset(DOMID_SELF), -EBUSY);
	assert_int_equal(do_event_channel_op(host_rec.cont_args[0], host_rec.cont_args[1], 0, 0, 0),
			 0);
	assert_int_equal(dom[1]->active_evtchns, 0);
	assert_int_equal(op_alloc(DOMID_SELF, 0), 1);
	unmake_domains();
}

/* A domain ends while its reset is preempted: ports opened behind that one's back are closed, too. */
static void test_destroy_in_reset(void **state __maybe_unused)
{
	struct evtchn_status st;
	long port;

	make_domains();
	run_as(1, 0);
	for (unsigned int n = 1; n <= 100; n++)
		assert_int_equal(op_alloc(DOMID_SELF, 0), n);
	host_preempt_at(1);
	assert_int_equal(op_reset(DOMID_SELF), -ERESTART);
	host_preempt_at(0);
	run_as(1, 1);
	assert_int_equal(op_alloc(DOMID_SELF, 0), 1);
	run_as(0, 0);
	port = op_bind(1, 1);
	assert_true(port > 0);

	dom[1]->is_dying = DOMDYING_dying;
	host_preempt_at(1);
	assert_int_equal(evtchn_destroy(dom[1]), -ERESTART);
	host_preempt_at(0);
	assert_int_equal(evtchn_destroy(dom[1]), 0);
	assert_int_equal(dom[1]->active_evtchns, 0);
	assert_int_equal(op_status(DOMID_SELF, (unsigned int)port, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_unbound);
	unmake_domains();
}

static void test_bad_calls(void **state __maybe_unused)
{
	struct evtchn_init_control ic = { .control_gfn = 1, .vcpu = 0 };
	struct evtchn_expand_array ea = { .array_gfn = 1 };

	make_domains();
	for (unsigned int cmd = 0; cmd < 20; cmd++)
		assert_int_equal(do_event_channel_op(cmd, 0xffff800000000000, 0, 0, 0),
				 cmd > 14 ? -ENOSYS : -EFAULT);
	assert_int_equal(evop(EVTCHNOP_expand_array, &ea, sizeof(ea)), -EOPNOTSUPP);
	ic.vcpu = 99;
	assert_int_equal(evop(EVTCHNOP_init_control, &ic, sizeof(ic)), -ENOENT);
	ic.vcpu = 0;
	ic.offset = PAGE_SIZE - 8;
	assert_int_equal(evop(EVTCHNOP_init_control, &ic, sizeof(ic)), -EINVAL);
	ic.offset = 4;
	assert_int_equal(evop(EVTCHNOP_init_control, &ic, sizeof(ic)), -EINVAL);
	ic.offset = 0;
	ic.control_gfn = ~0UL;
	assert_int_equal(evop(EVTCHNOP_init_control, &ic, sizeof(ic)), -EINVAL);
	assert_int_equal(op_prio(0, 1), -ENOSYS);
	assert_int_equal(do_event_channel_op_compat(0xffff800000000000, 0, 0, 0, 0), -EFAULT);
	unmake_domains();
}

static void test_compat(void **state __maybe_unused)
{
	struct evtchn_op op = { .cmd = EVTCHNOP_alloc_unbound,
				.u.alloc_unbound = { .dom = DOMID_SELF, .remote_dom = 1 } };

	make_domains();
	memcpy(garg, &op, sizeof(op));
	assert_int_equal(do_event_channel_op_compat((unsigned long)garg, 0, 0, 0, 0), 0);
	assert_int_equal(((struct evtchn_op *)garg)->u.alloc_unbound.port, 1);
	op.cmd = EVTCHNOP_reset;
	memcpy(garg, &op, sizeof(op));
	assert_int_equal(do_event_channel_op_compat((unsigned long)garg, 0, 0, 0, 0), -ENOSYS);
	unmake_domains();
}

static void test_poll_wakes(void **state __maybe_unused)
{
	struct vcpu *v;
	long p;

	make_domains();
	run_as(1, 0);
	p = op_ipi(0);
	assert_int_equal(evtchn_port_poll(dom[1], (unsigned int)p), 0);
	assert_int_equal(evtchn_port_poll(dom[1], 99999), -EINVAL);
	assert_int_equal(evtchn_port_poll(dom[1], 50), 0);
	v = dom[1]->vcpu[2];
	set_bit(VPF_blocked, &v->pause_flags);
	v->poll_evtchn = (int)p + 1;
	set_bit(2, dom[1]->poll_mask);
	__set_bit((unsigned long)p, dom[1]->shared_info->evtchn_mask);	/* masked ports wake, too */
	assert_int_equal(op_port(EVTCHNOP_send, (unsigned int)p), 0);
	assert_int_equal(host_rec.unblocks, 0);		/* it polls another one */
	clear_bit((unsigned long)p, dom[1]->shared_info->evtchn_pending);
	v->poll_evtchn = (int)p;
	assert_int_equal(op_port(EVTCHNOP_send, (unsigned int)p), 0);
	assert_int_equal(host_rec.unblocks, 1);
	assert_int_equal(dom[1]->poll_mask[0], 0);
	unmake_domains();
}

/* Every allocation and every copy fails once; nothing leaks, nothing half done. */
static void test_faults(void **state __maybe_unused)
{
	struct host_counts before = host_count();

	make_domains();
	for_each_fault(n, host_fail_alloc) {
		unsigned int open = dom[0]->active_evtchns;
		long p = 0;

		for (unsigned int i = 0; i < 70 && p >= 0; i++)
			p = op_alloc(DOMID_SELF, 1);
		if (p < 0)
			assert_int_equal(p, -ENOMEM);
		assert_int_equal(op_reset(DOMID_SELF), 0);
		assert_int_equal(dom[0]->active_evtchns, 0);
		(void)open;
	}
	for_each_fault(n, host_fail_copy) {
		long p = op_alloc(DOMID_SELF, 1);

		if (p < 0)
			assert_int_equal(p, -EFAULT);
		op_reset(DOMID_SELF);
	}
	unmake_domains();
	assert_counts_equal(&before);
}

/* ---- the model ---- */

enum kind { FREE, UNBOUND, INTER, VIRQ, IPI };
struct mport {
	enum kind kind;
	unsigned int rdom, rport;	/* INTER; UNBOUND: rdom */
	unsigned int vcpu, virq;
	bool pending;
};
#define MPORTS	200U
static struct mport model[NR_DOMS][MPORTS];
static unsigned int seed;
static bool fifo_mode;

static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* FIFO: the guest's side. */
static struct evtchn_fifo_control_block *control[NR_DOMS][NR_VCPUS];
static uint32_t *words[NR_DOMS];
static uint32_t qhead[NR_DOMS][NR_VCPUS][EVTCHN_FIFO_MAX_QUEUES];

static void fifo_start(unsigned int d)
{
	struct page_info *pg;

	for (unsigned int v = 0; v < NR_VCPUS; v++) {
		struct evtchn_init_control ic = { .vcpu = v };

		pg = host_domain_page(dom[d], 0);
		assert_non_null(pg);
		memset(page_to_virt(pg), 0, PAGE_SIZE);
		control[d][v] = (void *)((char *)page_to_virt(pg) + 64);
		ic.control_gfn = mfn_x(page_to_mfn(pg));
		ic.offset = 64;
		run_as(d, v);
		assert_int_equal(evop(EVTCHNOP_init_control, &ic, sizeof(ic)), 0);
		assert_int_equal(ic.link_bits, EVTCHN_FIFO_LINK_BITS);
		assert_int_equal(evop(EVTCHNOP_init_control, &ic, sizeof(ic)), -EINVAL);
	}
	pg = host_domain_page(dom[d], 0);
	words[d] = page_to_virt(pg);
	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
		words[d][i] = 1u << EVTCHN_FIFO_MASKED;
	struct evtchn_expand_array ea = { .array_gfn = mfn_x(page_to_mfn(pg)) };
	assert_int_equal(evop(EVTCHNOP_expand_array, &ea, sizeof(ea)), 0);
	memset(qhead[d], 0, sizeof(qhead[d]));
}

static bool is_pending(unsigned int d, unsigned int port)
{
	return fifo_mode ? words[d][port] >> EVTCHN_FIFO_PENDING :
		test_bit(port, dom[d]->shared_info->evtchn_pending);
}

/* The guest takes all events off vcpu v's queues; each must be one that the model calls pending. */
static void fifo_consume(unsigned int d, unsigned int v)
{
	struct evtchn_fifo_control_block *cb = control[d][v];
	unsigned int guard = 0;

	dom[d]->vcpu[v]->vcpu_info->evtchn_upcall_pending = 0;
	while (cb->ready) {
		unsigned int q = (unsigned int)__builtin_ctz(cb->ready);
		uint32_t port = qhead[d][v][q], w;

		assert_true(guard++ < 10000);
		if (!port)
			port = cb->head[q];
		w = words[d][port];
		assert_true(w & (1u << EVTCHN_FIFO_LINKED));
		words[d][port] = w & ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
		qhead[d][v][q] = w & EVTCHN_FIFO_LINK_MASK;
		if (!qhead[d][v][q])
			cb->ready &= ~(1u << q);
		if (words[d][port] & (1u << EVTCHN_FIFO_PENDING)) {
			assert_true(model[d][port].pending);
			words[d][port] &= ~(1u << EVTCHN_FIFO_PENDING);
			model[d][port].pending = false;
		}
	}
}

static void mset(unsigned int d, unsigned int port, struct mport m)
{
	assert_true(port < MPORTS);
	assert_int_equal(model[d][port].kind, FREE);
	model[d][port] = m;
	if (fifo_mode)
		assert_int_equal(op_port(EVTCHNOP_unmask, port), 0);
}

static void mclose(unsigned int d, unsigned int port)
{
	struct mport *m = &model[d][port];

	if (m->kind == INTER) {
		struct mport *r = &model[m->rdom][m->rport];

		r->kind = UNBOUND;
		r->rdom = d;
	}
	*m = (struct mport){ FREE };
}

static unsigned int virq_of(unsigned int i)
{
	static const unsigned int virqs[] = { VIRQ_TIMER, VIRQ_DEBUG, VIRQ_CONSOLE, VIRQ_DOM_EXC };

	return virqs[i % 4];
}

static bool model_has_virq(unsigned int d, unsigned int virq, unsigned int vcpu)
{
	for (unsigned int i = 0; i < MPORTS; i++)
		if (model[d][i].kind == VIRQ && model[d][i].virq == virq &&
		    (virq >= VIRQ_CONSOLE - 0 && virq != VIRQ_DEBUG && virq != VIRQ_TIMER ? true :
		     model[d][i].vcpu == vcpu))
			return true;
	return false;
}

static void do_send(unsigned int d, unsigned int port)
{
	struct mport *m = &model[d][port];
	long rc = op_port(EVTCHNOP_send, port);

	assert_int_equal(rc,
			 m->kind == INTER || m->kind == IPI || m->kind == UNBOUND ? 0 : -EINVAL);
	if (m->kind == INTER)
		model[m->rdom][m->rport].pending = true;
	else if (m->kind == IPI)
		m->pending = true;
}

static void random_step(void)
{
	unsigned int d = rnd(NR_DOMS), v = rnd(NR_VCPUS), port = rnd(60), r = rnd(NR_DOMS), virq;
	struct mport *m = &model[d][port];
	long rc;

	run_as(d, v);
	switch (rnd(12)) {
	case 0:
		rc = op_alloc(DOMID_SELF, (domid_t)r);
		assert_true(rc > 0);
		mset(d, (unsigned int)rc, (struct mport){ UNBOUND, .rdom = r });
		break;
	case 1: case 2:
		rc = op_bind((domid_t)r, port);
		if (model[r][port].kind == UNBOUND && model[r][port].rdom == d) {
			assert_true(rc > 0);
			mset(d, (unsigned int)rc,
			     (struct mport){ INTER, r, port, .pending = true });
			model[r][port].kind = INTER;
			model[r][port].rdom = d;
			model[r][port].rport = (unsigned int)rc;
		} else {
			assert_int_equal(rc, -EINVAL);
		}
		break;
	case 3:
		rc = op_port(EVTCHNOP_close, port);
		assert_int_equal(rc, m->kind == FREE ? -EINVAL : 0);
		if (m->kind != FREE)
			mclose(d, port);
		break;
	case 4:
		virq = virq_of(rnd(4));
		if (virq == VIRQ_CONSOLE || virq == VIRQ_DOM_EXC)
			v = 0;
		rc = op_virq(virq, v);
		if (model_has_virq(d, virq, v))
			assert_int_equal(rc, -EEXIST);
		else
			mset(d, (unsigned int)rc, (struct mport){ VIRQ, .virq = virq, .vcpu = v });
		break;
	case 5:
		rc = op_ipi(v);
		mset(d, (unsigned int)rc, (struct mport){ IPI, .vcpu = v });
		break;
	case 6:
		rc = op_vcpu(port, v);
		if (m->kind == INTER || m->kind == UNBOUND ||
		    (m->kind == VIRQ && (m->virq == VIRQ_CONSOLE || m->virq == VIRQ_DOM_EXC))) {
			assert_int_equal(rc, 0);
			m->vcpu = v;
		} else {
			assert_int_equal(rc, -EINVAL);
		}
		break;
	case 7:
		if (fifo_mode && m->kind != FREE)
			assert_int_equal(op_prio(port, rnd(16)), 0);
		break;
	case 8:
		if (fifo_mode)
			fifo_consume(d, v);
		else if (m->kind != FREE &&
			 test_and_clear_bit(port, dom[d]->shared_info->evtchn_pending))
			m->pending = false;
		break;
	default:
		do_send(d, port);
	}
}

static void check_model(void)
{
	struct evtchn_status st;

	run_as(0, 0);
	for (unsigned int d = 0; d < NR_DOMS; d++) {
		unsigned int open = 0;

		for (unsigned int p = 1; p < MPORTS; p++) {
			static const uint32_t want[] = { EVTCHNSTAT_closed, EVTCHNSTAT_unbound,
				EVTCHNSTAT_interdomain, EVTCHNSTAT_virq, EVTCHNSTAT_ipi };
			const struct mport *m = &model[d][p];

			open += m->kind != FREE;
			if (p >= dom[d]->valid_evtchns)
				continue;
			assert_int_equal(op_status((domid_t)d, p, &st), 0);
			assert_int_equal(st.status, want[m->kind]);
			assert_int_equal(is_pending(d, p), m->pending);
			if (m->kind == INTER) {
				assert_int_equal(st.u.interdomain.dom, m->rdom);
				assert_int_equal(st.u.interdomain.port, m->rport);
			}
			if (m->kind != FREE)
				assert_int_equal(st.vcpu, m->vcpu);
		}
		assert_int_equal(dom[d]->active_evtchns, open);
	}
}

/* Nothing that is pending and unmasked may be left off the queues. */
static void drain_all(void)
{
	for (unsigned int d = 0; d < NR_DOMS; d++)
		for (unsigned int v = 0; v < NR_VCPUS; v++)
			fifo_consume(d, v);
	for (unsigned int d = 0; d < NR_DOMS; d++)
		for (unsigned int p = 1; p < MPORTS; p++)
			assert_false(model[d][p].pending);
}

static void run_model(bool fifo)
{
	struct host_counts before = host_count();

	for (unsigned int round = 0; round < 8; round++) {
		memset(model, 0, sizeof(model));
		fifo_mode = fifo;
		seed = 4711 + round;
		make_domains();
		for (unsigned int d = 0; fifo && d < NR_DOMS; d++)
			fifo_start(d);
		for (unsigned int i = 0; i < 3000; i++) {
			random_step();
			if (i % 64 == 0)
				check_model();
		}
		check_model();
		if (fifo)
			drain_all();
		unmake_domains();
		assert_counts_equal(&before);
	}
}

static void test_model_2l(void **state __maybe_unused)
{
	run_model(false);
}

static void test_model_fifo(void **state __maybe_unused)
{
	run_model(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_alloc_and_bind),
		host_test(test_no_vcpus_yet),
		host_test(test_send_and_close),
		host_test(test_virq_ipi),
		host_test(test_pirq),
		host_test(test_limits_and_reset),
		host_test(test_destroy_in_reset),
		host_test(test_bad_calls),
		host_test(test_compat),
		host_test(test_poll_wakes),
		host_test(test_faults),
		host_test(test_model_2l),
		host_test(test_model_fifo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
