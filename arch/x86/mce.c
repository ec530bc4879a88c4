/* SPDX-License-Identifier: MIT */
/*
 * Machine checks: the CPU found an error in memory, caches or buses.
 *
 * #MC: every bank is read and logged; if the CPU cannot go on (no valid return
 * address, or corrupt context), or it used bad data while we ran ourselves, the
 * machine stops; if a guest ran, dom0 gets the #MC if it has a handler, others are
 * crashed. Bad data that nobody used yet is only logged, where CPUs can tell. What was
 * found waits for dom0 (VIRQ_MCA, HYPERVISOR_mca fetch) in a small queue. Corrected
 * errors are collected by polling.
 * Source: Intel SDM 3B, chapter 15; <xen/arch-x86/xen-mca.h>.
 */
#include <core/console.h>
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/softirq.h>
#include <core/timer.h>
#include <core/xmalloc.h>
#include <arch/cpu.h>
#include <arch/time.h>
#include <arch/trap.h>
#include <x86/asm.h>
#include <x86/cpu_info.h>
#include <x86/cpufeature.h>
#include <x86/entry.h>
#include <x86/platform.h>
#include <xen/arch-x86/xen-mca.h>

#define MSR_MCG_CAP		0x179
#define MSR_MCG_STATUS		0x17a
#define MSR_MCG_CTL		0x17b
#define MSR_MC_CTL(b)		(0x400 + 4 * (b))
#define MSR_MC_STATUS(b)	(0x401 + 4 * (b))
#define MSR_MC_ADDR(b)		(0x402 + 4 * (b))
#define MSR_MC_MISC(b)		(0x403 + 4 * (b))
#define MCG_CTL_PRESENT		(1ULL << 8)
#define MCG_SER			(1ULL << 24)	/* MC_SIGNALED, MC_ACTION mean something */
#define MCG_RIPV		(1ULL << 0)
#define MC_VALID		(1ULL << 63)
#define MC_OVERFLOW		(1ULL << 62)
#define MC_UNCORRECTED		(1ULL << 61)
#define MC_MISC_VALID		(1ULL << 59)
#define MC_ADDR_VALID		(1ULL << 58)
#define MC_CONTEXT_CORRUPT	(1ULL << 57)
#define MC_SIGNALED		(1ULL << 56)
#define MC_ACTION		(1ULL << 55)

#define POLL_PERIOD		SECONDS(30)
#define QUEUE_LEN		8
#define BANKS_PER_RECORD	8	/* that fit struct mc_info beside the global part */

static bool opt_mce = true;
boolean_param("mce", opt_mce);

/* Records for dom0. #MC may come at any instant, so slots are claimed by a compare-and-swap. */
enum { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_FETCHED };
static struct mc_record {
	uint32_t state;			/* SLOT_*, atomic */
	bool urgent;			/* from #MC, not polled */
	uint64_t seq;
	struct mc_info info;
} queue[QUEUE_LEN];
static uint64_t next_seq = 1;
static struct timer poll_timer;
static bool poll_started;

/* What the errors that were found ask for. */
#define FOUND_ANY	1u
#define FOUND_ACTION	2u	/* what ran must not go on */
#define FOUND_CORRUPT	4u	/* nothing may go on */

static struct mc_record *claim_record(bool urgent)
{
	for (unsigned int i = 0; i < QUEUE_LEN; i++) {
		if (atomic_cmpxchg(&queue[i].state, (uint32_t)SLOT_FREE, (uint32_t)SLOT_FILLING) !=
		    SLOT_FREE)
			continue;
		memset(&queue[i].info, 0, sizeof(queue[i].info));
		queue[i].urgent = urgent;
		queue[i].seq = atomic_fetch_add(&next_seq, 1);
		return &queue[i];
	}
	return NULL;			/* dom0 does not read them: the oldest stay */
}

static void *append(struct mc_info *info, uint16_t type, uint16_t size)
{
	char *p = (char *)info->mi_data;
	struct mcinfo_common *c;

	for (uint32_t i = 0; i < info->mi_nentries; i++)
		p += ((struct mcinfo_common *)p)->size;
	c = (struct mcinfo_common *)p;
	c->type = type;
	c->size = size;
	info->mi_nentries++;
	return c;
}

static void append_global(struct mc_info *info, uint64_t gstatus, uint32_t flags)
{
	struct mcinfo_global *g = append(info, MC_TYPE_GLOBAL, sizeof(*g));

	g->mc_domid = current->domain->domain_id;
	g->mc_vcpuid = (uint16_t)current->vcpu_id;
	g->mc_apicid = apic_id();
	g->mc_flags = flags;
	g->mc_gstatus = gstatus;
}

/* Some CPUs tell data that nobody has used yet (a scrubber found it, or it was only moved). */
static unsigned int severity(uint64_t status, uint64_t cap)
{
	const uint64_t used = MC_SIGNALED | MC_ACTION;

	if (status & MC_CONTEXT_CORRUPT)
		return FOUND_ANY | FOUND_CORRUPT;
	if (!(status & MC_UNCORRECTED) ||
	    ((cap & MCG_SER) && !(status & MC_OVERFLOW) && (status & used) != used))
		return FOUND_ANY;
	return FOUND_ANY | FOUND_ACTION;
}

/* Is there something in the bank for us? When polling only what no #MC is to come for. */
static bool wanted(uint64_t status, uint64_t cap, bool polling)
{
	if (!polling || !(status & MC_UNCORRECTED))
		return status & MC_VALID;
	return (status & MC_VALID) && !(status & MC_SIGNALED) && severity(status, cap) == FOUND_ANY;
}

/*
 * A record, if a bank holds something. All CPUs look at once (a #MC may be for all, as is a poll),
 * and there are fewer records than CPUs.
 */
static struct mc_record *claim_if_wanted(bool polling)
{
	const uint64_t cap = rdmsr(MSR_MCG_CAP);

	for (unsigned int b = 0; b < (cap & 0xff); b++)
		if (wanted(rdmsr(MSR_MC_STATUS(b)), cap, polling))
			return claim_record(!polling);
	return NULL;
}

/* Reads, records and clears what the banks hold. Returns FOUND_* of all. */
static unsigned int collect(struct mc_info *info, bool polling)
{
	const uint64_t cap = rdmsr(MSR_MCG_CAP);
	const unsigned int n = cap & 0xff;
	unsigned int recorded = 0, all = 0;

	for (unsigned int b = 0; b < n; b++) {
		uint64_t status = rdmsr(MSR_MC_STATUS(b)), addr = 0, misc = 0;
		struct mcinfo_bank *e;

		if (!wanted(status, cap, polling))
			continue;
		if (status & MC_ADDR_VALID)
			addr = rdmsr(MSR_MC_ADDR(b));
		if (status & MC_MISC_VALID)
			misc = rdmsr(MSR_MC_MISC(b));
		all |= severity(status, cap);
		printk(XENLOG_ERR
		       "CPU%u: machine check, bank %u: status %016lx address %016lx misc %016lx\n",
		       smp_processor_id(), b, (unsigned long)status, (unsigned long)addr,
		       (unsigned long)misc);
		if (info && recorded++ < BANKS_PER_RECORD) {
			e = append(info, MC_TYPE_BANK, sizeof(*e));
			e->mc_bank = (uint16_t)b;
			e->mc_domid = DOMID_INVALID;
			e->mc_status = status;
			e->mc_addr = addr;
			e->mc_misc = misc;
			e->mc_tsc = rdtsc();
		}
		wrmsr(MSR_MC_STATUS(b), 0);
	}
	return all;
}

static struct mc_record *oldest(bool urgent)
{
	struct mc_record *best = NULL;

	for (unsigned int i = 0; i < QUEUE_LEN; i++)
		if (atomic_load(&queue[i].state) == SLOT_READY && queue[i].urgent == urgent &&
		    (!best || queue[i].seq < best->seq))
			best = &queue[i];
	return best;
}

/* The record goes to dom0, or back if it holds nothing. */
static void publish(struct mc_record *r, bool any)
{
	if (r)
		atomic_store(&r->state, any ? (uint32_t)SLOT_READY : (uint32_t)SLOT_FREE);
}

static void machine_check(struct cpu_user_regs *regs, bool in_guest)
{
	uint64_t gstatus = rdmsr(MSR_MCG_STATUS);
	struct mc_record *r = claim_if_wanted(false);
	unsigned int all;

	if (r)
		append_global(&r->info, gstatus, MC_FLAG_MCE | MC_FLAG_UNCORRECTABLE);
	all = collect(r ? &r->info : NULL, false);
	publish(r, all != 0);
	if (!(gstatus & MCG_RIPV) || (all & FOUND_CORRUPT) ||
	    ((all & FOUND_ACTION) && !in_guest)) {
		console_force_unlock();
		show_execution_state(regs);
		panic("Machine check on CPU%u cannot be recovered (MCG_STATUS %lx)",
		      smp_processor_id(), (unsigned long)gstatus);
	}
	if (all & FOUND_ACTION) {
		if (current->domain == hardware_domain && !current->arch.mce_pending &&
		    current->arch.trap_table[TRAP_mc].address)
			current->arch.mce_pending = true;
		else
			domain_crash(current->domain, "machine check while it ran");
	}
	wrmsr(MSR_MCG_STATUS, 0);
	raise_softirq(MCE_SOFTIRQ);	/* we can tell nobody here: locks may be held */
}

void do_machine_check(struct cpu_user_regs *regs)
{
	bool in_guest = (regs->cs & 3) == 3;

	nmi_enter(in_guest);
	machine_check(regs, in_guest);
	nmi_exit(in_guest);
}

/* ---- corrected errors ---- */

static void poll_cpu(void *arg)
{
	struct mc_record *r = claim_if_wanted(true);
	unsigned int all;

	if (r)
		append_global(&r->info, rdmsr(MSR_MCG_STATUS),
			      MC_FLAG_POLLED | MC_FLAG_CORRECTABLE);
	all = collect(r ? &r->info : NULL, true);
	publish(r, all != 0);
	if (all)
		write_once(*(bool *)arg, true);
}

static void poll_all(void *data __maybe_unused)
{
	bool any = false;

	on_selected_cpus(&cpu_online_map, poll_cpu, &any, true);
	if (any || oldest(true))
		send_global_virq(VIRQ_MCA);
	set_timer(&poll_timer, NOW() + POLL_PERIOD);
}

/* After a #MC: dom0 is told, and other errors may have come with it. */
static void mce_softirq(void)
{
	set_timer(&poll_timer, NOW());
}

/* Each CPU: all banks report. What they hold from before the reset is logged. */
void mce_init_cpu(void)
{
	uint64_t cap;

	if (!opt_mce || !cpu_has(X86_FEATURE_MCE) || !cpu_has(X86_FEATURE_MCA))
		return;
	cap = rdmsr(MSR_MCG_CAP);
	if (cap & MCG_CTL_PRESENT)
		wrmsr(MSR_MCG_CTL, ~0ULL);
	(void)collect(NULL, false);
	for (unsigned int b = 0; b < (cap & 0xff); b++) {
		wrmsr(MSR_MC_CTL(b), ~0ULL);
		wrmsr(MSR_MC_STATUS(b), 0);
	}
	write_cr4(read_cr4() | CR4_MCE);
	if (smp_processor_id() == 0 && !poll_started) {
		poll_started = true;
		init_timer(&poll_timer, poll_all, NULL, 0);
		open_softirq(MCE_SOFTIRQ, mce_softirq);
		set_timer(&poll_timer, NOW() + POLL_PERIOD);
	}
}

/* ---- HYPERVISOR_mca ---- */

static long mca_fetch(struct xen_mc_fetch *f, bool *back)
{
	bool urgent = f->flags & XEN_MC_URGENT;
	struct mc_record *r;

	if (!(f->flags & XEN_MC_URGENT) == !(f->flags & XEN_MC_NONURGENT))
		return -EINVAL;
	if (f->flags & XEN_MC_ACK) {
		for (unsigned int i = 0; i < QUEUE_LEN; i++)
			if (atomic_load(&queue[i].state) == SLOT_FETCHED &&
			    queue[i].seq == f->fetch_id)
				atomic_store(&queue[i].state, (uint32_t)SLOT_FREE);
		return 0;
	}
	if (guest_handle_is_null(f->data))
		return -EINVAL;
	*back = true;
	f->flags = XEN_MC_OK;
	f->fetch_id = 0;
	r = oldest(urgent);
	if (!r) {
		f->flags = XEN_MC_NODATA;
		return 0;
	}
	if (raw_copy_to_guest(f->data.p, &r->info, sizeof(r->info))) {
		f->flags = XEN_MC_FETCHFAILED;
		return -EFAULT;
	}
	f->fetch_id = r->seq;
	atomic_store(&r->state, (uint32_t)SLOT_FETCHED);
	return 0;
}

static void fill_cpu(xen_mc_logical_cpu_t *c, unsigned int cpu)
{
	uint32_t b, x, d, a;

	memset(c, 0, sizeof(*c));
	c->mc_cpunr = cpu;
	c->mc_apicid = c->mc_clusterid = x86_cpu_to_apicid[cpu];
	c->mc_ncores = c->mc_ncores_active = c->mc_nthreads = 1;
	c->mc_cpuid_level = (int32_t)boot_cpu.max_leaf;
	c->mc_family = boot_cpu.family;
	c->mc_vendor = boot_cpu.vendor;
	c->mc_model = boot_cpu.model;
	c->mc_step = boot_cpu.stepping;
	cpuid_count(0, 0, &a, &b, &x, &d);
	memcpy(c->mc_vendorid, &b, 4);
	memcpy(c->mc_vendorid + 4, &d, 4);
	memcpy(c->mc_vendorid + 8, &x, 4);
	strlcpy(c->mc_brandid, boot_cpu.model_name, sizeof(c->mc_brandid));
	cpuid_count(1, 0, &a, &b, &x, &d);
	c->mc_cpu_caps[MC_CAPS_STD_EDX] = d;
	c->mc_cpu_caps[MC_CAPS_STD_ECX] = x;
	c->mc_cache_alignment = ((b >> 8) & 0xff) * 8;
}

static long mca_physcpuinfo(struct xen_mc_physcpuinfo *p, bool *back)
{
	unsigned int n = 0, cpu;
	xen_mc_logical_cpu_t one;

	if (!guest_handle_is_null(p->info)) {
		if ((int32_t)p->ncpus <= 0)
			return -EINVAL;
		for_each_online_cpu(cpu) {
			if (n == p->ncpus)
				break;
			fill_cpu(&one, cpu);
			if (copy_to_guest_offset(p->info, n, &one, 1))
				return -EFAULT;
			n++;
		}
	} else {
		n = cpumask_weight(&cpu_online_map);
	}
	p->ncpus = n;
	*back = true;
	return 0;
}

/* (struct xen_mc *) */
DEFINE_HYPERCALL(mca)
{
	long rc = op_permitted(PRIV_TOOLS, current->domain);
	bool back = false;
	struct xen_mc op;

	if (rc)
		return rc;
	if (raw_copy_from_guest(&op, (void *)a1, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
		return -EACCES;
	switch (op.cmd) {
	case XEN_MC_fetch:
		rc = mca_fetch(&op.u.mc_fetch, &back);
		break;
	case XEN_MC_physcpuinfo:
		rc = mca_physcpuinfo(&op.u.mc_physcpuinfo, &back);
		break;
	case XEN_MC_msrinject:		/* errors are not injected */
	case XEN_MC_mceinject:
	case XEN_MC_inject_v2:
		return -ENODEV;
	default:			/* notifydomain too, as the oracle */
		return -EINVAL;
	}
	if (back && raw_copy_to_guest((void *)a1, &op, sizeof(op)))
		return -EFAULT;
	return rc;
}
