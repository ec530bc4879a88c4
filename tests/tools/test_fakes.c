/* SPDX-License-Identifier: MIT */
/*
 * The fakes of event channels and grants: they refuse what the hypervisor refuses, and count.
 */
/* LINK: dom0-tools/libs/evtchn/fake.c dom0-tools/libs/gnttab/fake.c dom0-tools/libs/call/fake.c */
/* LINK: dom0-tools/libs/call/fake_ops.c dom0-tools/libs/ctl/core.c dom0-tools/libs/ctl/domain.c */
/* LINK: dom0-tools/libs/ctl/memory.c dom0-tools/libs/ctl/host.c */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tools/ctl.h>
#include <tools/gnttab.h>
#include <fake_evtchn.h>
#include <fake_hypervisor.h>

static struct ctl *ctl;
static domid_t guest;
static xen_pfn_t frame;

static int setup(void **state)
{
	struct xen_domctl_createdomain config = { .max_vcpus = 1 };

	(void)state;
	fake_hv_reset(64, 1);
	guest = 0;
	frame = 0;
	assert_int_equal(ctl_open(&ctl), 0);
	assert_int_equal(ctl_createdomain(ctl, &guest, &config), 0);
	assert_int_equal(ctl_max_mem(ctl, guest, 64), 0);
	assert_int_equal(ctl_populate_physmap(ctl, guest, 0, 0, 1, &frame), 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl_close(ctl);
	assert_int_equal(fake_hv_handles(), 0);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	fake_hv_reset(0, 0);
	return 0;
}

static void test_events(void **state)
{
	int theirs = ctl_alloc_unbound(ctl, guest, 0), ours;
	struct pollfd fd = { .events = POLLIN };
	struct evtchn *evtchn;

	(void)state;
	assert_int_equal(evtchn_open(&evtchn), 0);
	fd.fd = evtchn_fd(evtchn);
	assert_int_equal(evtchn_bind_interdomain(evtchn, guest, theirs + 1), -EINVAL);
	assert_int_equal(evtchn_bind_interdomain(evtchn, guest + 1, theirs), -ESRCH);
	ours = evtchn_bind_interdomain(evtchn, guest, theirs);
	assert_true(ours > 0);
	assert_int_equal(evtchn_bind_interdomain(evtchn, guest, theirs), -EINVAL);
	assert_int_equal(evtchn_notify(evtchn, ours), 0);
	assert_int_equal(fake_evtchn_notified(guest, theirs), 1);
	assert_int_equal(evtchn_pending(evtchn), -EAGAIN);
	fake_evtchn_send(ours);
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(evtchn_pending(evtchn), ours);
	fake_evtchn_send(ours);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(evtchn_pending(evtchn), -EAGAIN);
	assert_int_equal(evtchn_unmask(evtchn, ours), 0);
	assert_int_equal(evtchn_pending(evtchn), ours);
	ours = evtchn_bind_virq(evtchn, VIRQ_DOM_EXC);
	assert_int_equal(evtchn_bind_virq(evtchn, VIRQ_DOM_EXC), -EEXIST);
	fake_evtchn_virq(VIRQ_DOM_EXC);
	assert_int_equal(evtchn_pending(evtchn), ours);
	assert_int_equal(evtchn_unbind(evtchn, ours), 0);
	assert_int_equal(evtchn_unbind(evtchn, ours), -ENOTCONN);
	evtchn_close(evtchn);
	assert_int_equal(fake_evtchn_ports(), 0);
}

static void test_grants(void **state)
{
	grant_entry_v1_t *table = fake_hv_frame(fake_hv_domain(guest)->grant_table);
	struct gnttab_copy_piece piece = { .domid = guest, .ref = 9, .offset = 4, .bytes = 4 };
	grant_ref_t ref = 9, refs[2];
	struct gnttab *gnttab;
	char local[4] = "";
	void *page;

	(void)state;
	assert_int_equal(gnttab_open(&gnttab), 0);
	assert_int_equal(gnttab_map(gnttab, 1, &guest, &ref, false, &page), -EINVAL);
	table[9] = (grant_entry_v1_t){ GTF_permit_access | GTF_readonly, 0, (uint32_t)frame };
	strcpy((char *)fake_hv_frame(frame) + 4, "abc");
	assert_int_equal(gnttab_map(gnttab, 1, &guest, &ref, true, &page), -EINVAL);
	assert_int_equal(gnttab_map(gnttab, 1, &guest, &ref, false, &page), 0);
	assert_string_equal((char *)page + 4, "abc");
	assert_int_equal(fake_hv_mapped_pages(), 1);
	assert_int_equal(ctl_destroydomain(ctl, guest), 0);
	assert_int_equal(fake_hv_domains(), 1);		/* a zombie, until the page goes */
	assert_int_equal(gnttab_unmap(gnttab, page, 2), -EINVAL);
	assert_int_equal(fake_hv_domains(), 1);
	gnttab_close(gnttab);
	assert_int_equal(fake_hv_domains(), 0);

	teardown(state);
	setup(state);
	table = fake_hv_frame(fake_hv_domain(guest)->grant_table);
	table[9] = (grant_entry_v1_t){ GTF_permit_access, 0, (uint32_t)frame };
	assert_int_equal(gnttab_open(&gnttab), 0);
	piece.local = local;
	strcpy((char *)fake_hv_frame(frame) + 4, "abc");
	assert_int_equal(gnttab_copy(gnttab, &piece, 1), 0);
	assert_int_equal(piece.status, GNTST_okay);
	assert_string_equal(local, "abc");
	piece.ref = 10;
	assert_int_equal(gnttab_copy(gnttab, &piece, 1), 0);
	assert_int_equal(piece.status, GNTST_bad_gntref);
	assert_int_equal(gnttab_map_notify(gnttab, guest, ref, true, 4, -1, &page), 0);
	assert_int_equal(gnttab_unmap(gnttab, page, 1), 0);
	assert_string_equal((char *)fake_hv_frame(frame) + 4, "");
	assert_int_equal(gnttab_share(gnttab, guest, 2, true, refs, &page), 0);
	assert_int_equal(fake_gnttab_shared(), 2);
	assert_true(fake_gnttab_page(guest, refs[1]) == (char *)page + 4096);
	assert_null(fake_gnttab_page(guest + 1, refs[1]));
	gnttab_close(gnttab);
	assert_int_equal(fake_gnttab_shared(), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = { CASE(events), CASE(grants) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
