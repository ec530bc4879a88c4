/* SPDX-License-Identifier: MIT */
/*
 * Machine checks, as dom0 sees them: a corrected error and one without action are logged and told by
 * VIRQ_MCA with what the banks said, the guest running on; one that asks for action while it runs is
 * raised in it as #MC; with a corrupt context the machine stops, which is the end of this test.
 *
 * The errors come from outside, when a line with the name of each is printed:
 * tests/system/cases/machine-check.sh.
 */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/time.h>
#include <guest/trap.h>

#include <xen/arch-x86/xen-mca.h>

#define LIMIT	(20 * SECOND)

static volatile unsigned int traps;
static evtchn_port_t port;

static bool on_mc(struct trap_frame *frame __unused, unsigned int vector __unused)
{
	traps++;
	return true;
}

static unsigned int nr_traps(void) { return traps; }
static unsigned int nr_virqs(void) { return (unsigned int)event_count(port); }

/* Asks for an error and runs until nr() is at least want, mostly outside the hypervisor. */
static void provoke(const char *name, unsigned int (*nr)(void), unsigned int want)
{
	uint64_t end = time_now() + LIMIT;

	printk("INJECT-%s\n", name);
	while (nr() < want && time_now() < end)
		__asm__ volatile("pause");
}

static long fetch(uint32_t flags, struct mc_info *to, uint64_t *id)
{
	struct xen_mc op = {
		.cmd = XEN_MC_fetch, .interface_version = XEN_MCA_INTERFACE_VERSION,
		.u.mc_fetch = { .flags = flags, .fetch_id = *id },
	};
	long rc;

	set_xen_guest_handle(op.u.mc_fetch.data, to);
	rc = hypercall3(__HYPERVISOR_mca, PTR(&op), 0, 0);
	*id = op.u.mc_fetch.fetch_id;
	return rc ? rc : op.u.mc_fetch.flags;
}

static struct mc_info info;

/* The next record, which is then acknowledged. */
static void take_record(uint32_t queue)
{
	uint64_t id = 0;

	ktest_eq(fetch(queue, &info, &id), XEN_MC_OK, "a record");
	ktest_eq(fetch(queue | XEN_MC_ACK, &info, &id), queue | XEN_MC_ACK, "is taken");
}

static void no_record(uint32_t queue)
{
	uint64_t id = 0;

	ktest_eq(fetch(queue, &info, &id), XEN_MC_NODATA, "no record");
}

/* The record names the bank, with this. */
static void expect_bank(unsigned int bank, uint64_t status, uint64_t addr)
{
	const struct mcinfo_common *c = (const struct mcinfo_common *)info.mi_data;

	for (unsigned int i = 0; i < info.mi_nentries; i++) {
		const struct mcinfo_bank *b = (const struct mcinfo_bank *)c;

		if (c->type == MC_TYPE_BANK && b->mc_bank == bank) {
			ktest_eq(b->mc_status, status, "bank %u: status", bank);
			ktest_eq(b->mc_addr, addr, "bank %u: address", bank);
			return;
		}
		c = (const struct mcinfo_common *)((const char *)c + c->size);
	}
	ktest_ok(false, "bank %u", bank);
}

int guest_main(void)
{
	int failed;

	trap_set_hook(VEC_MC, on_mc);
	port = (evtchn_port_t)event_bind_virq(VIRQ_MCA, 0);
	event_set_handler(port, NULL);
	event_enable();
	no_record(XEN_MC_URGENT);
	no_record(XEN_MC_NONURGENT);

	/* The corrected one tells nobody; it is found with the next. */
	provoke("NO-ACTION", nr_virqs, 1);
	ktest_eq(nr_virqs(), 1, "VIRQ_MCA");
	take_record(XEN_MC_URGENT);
	expect_bank(8, 0xb400000000000043, 0x1000);
	expect_bank(9, 0x9000000000000042, 0);
	ktest_eq(nr_traps(), 0, "the guest was left alone");

	provoke("ACTION", nr_virqs, 2);
	ktest_eq(nr_virqs(), 2, "VIRQ_MCA again");
	ktest_eq(nr_traps(), 1, "#MC");
	take_record(XEN_MC_URGENT);
	expect_bank(7, 0xb580000000000044, 0x2000);
	no_record(XEN_MC_URGENT);
	no_record(XEN_MC_NONURGENT);

	failed = ktest_result();
	if (!failed)
		provoke("FATAL", nr_traps, 2);
	return failed;
}
