/* SPDX-License-Identifier: MIT */
/*
 * The debug key that shows event channels: what is open and to what it is bound; a channel that somebody
 * works on is not looked at.
 *
 * LINK: xen-core/event_channel.c xen-core/event_op.c xen-core/event_virq.c xen-core/event_2l.c
 * LINK: xen-core/event_fifo.c xen-core/event_dump.c
 */
#include "harness.h"
#include "../../xen-core/event_private.h"

static char said[4096];

void vprintk(const char *fmt, va_list ap)
{
	size_t n = strlen(said);

	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
}

static void dump(void)
{
	said[0] = '\0';
	events_dump('e');
	host_check_no_locks("after the debug key");
}

static void nobody_comes(void) { }

static void test_dump(void **state __maybe_unused)
{
	struct domain *a = host_domain_create(0, 2, true), *b = host_domain_create(1, 1, false);
	struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = 1 };
	struct evtchn_bind_interdomain bind = { .remote_dom = 0, .remote_port = 1 };
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = 1 };
	struct evtchn_bind_ipi ipi = { .vcpu = 1 };
	struct evtchn *chn;

	assert_int_equal(evtchn_init(a, 100) | evtchn_init(b, 100), 0);
	domain_list = a;
	a->next_in_list = b;
	host_switch_to(0, a->vcpu[0]);
	assert_int_equal(evtchn_alloc_unbound(&unbound), 0);
	assert_int_equal(evtchn_bind_virq(&virq), 0);
	assert_int_equal(evtchn_bind_ipi(&ipi), 0);
	dump();
	assert_non_null(strstr(said, "     1 [---] v0 unbound for d1\n     2 [---] v1 virq 0\n"
			       "     3 [---] v1 ipi\n"));
	assert_null(strstr(said, "free"));
	host_switch_to(0, b->vcpu[0]);
	assert_int_equal(evtchn_bind_interdomain(&bind), 0);
	dump();
	assert_non_null(strstr(said, "     1 [---] v0 interdomain "));
	assert_non_null(strstr(said, "     1 [p--] v0 interdomain "));

	chn = evtchn_from_port(a, 1);
	chn->lock.tail++;		/* taken, by a CPU that got stuck */
	host_relax_hook = nobody_comes;
	dump();
	chn->lock.tail--;
	host_relax_hook = NULL;
	assert_non_null(strstr(said, "     1 is locked\n     2 [---] v1 virq 0\n"));

	domain_list = a->next_in_list = NULL;
	a->is_dying = b->is_dying = DOMDYING_dying;
	assert_int_equal(evtchn_destroy(a) | evtchn_destroy(b), 0);
	evtchn_destroy_final(a);
	evtchn_destroy_final(b);
	host_domain_free(a);
	host_domain_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { host_test(test_dump) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
