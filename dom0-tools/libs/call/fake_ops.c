/* SPDX-License-Identifier: MIT */
/*
 * What hypercalls do in the fake hypervisor: tables of the operations that the tools use, with the
 * answers and errnos of Xen 4.17 where a tool depends on them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fake.h"
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#define PTE_PRESENT	1UL
#define PTE_RW		2UL
#define PTE_FRAME	0x000ffffffffff000UL

/* ---- domctl ---- */

static int op_createdomain(struct fake_domain *unused, struct xen_domctl *op)
{
	domid_t id = op->domain;

	(void)unused;
	if (op->u.createdomain.flags & ~(XEN_DOMCTL_CDF_MAX | (XEN_DOMCTL_CDF_MAX - 1)) ||
	    !op->u.createdomain.max_vcpus || op->u.createdomain.max_vcpus > FAKE_HV_VCPUS)
		return -EINVAL;
	if (id && fake_hv_domain(id))
		return -EEXIST;
	if (!id) {
		do
			fake_hv.last_id++;
		while (fake_hv_domain(fake_hv.last_id));
		id = fake_hv.last_id;
	}
	if (fake_hv.free_frames < 2)
		return -ENOMEM;
	fake_hv_new_domain(id)->config = op->u.createdomain;
	fake_hv_domain(id)->pause_count = 1;
	fake_hv_domain(id)->cpupool = op->u.createdomain.cpupool_id;
	op->domain = id;
	return 0;
}

static int op_destroydomain(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)op;
	domain->dying = true;
	domain->claimed = 0;
	memset(domain->port, 0, sizeof(domain->port));
	fake_hv_reap(domain);
	return 0;
}

static int op_pausedomain(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)op;
	domain->pause_count++;
	return 0;
}

static int op_unpausedomain(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)op;
	if (!domain->pause_count)
		return -EINVAL;
	domain->pause_count--;
	return 0;
}

static int op_resumedomain(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)op;
	domain->shut_down = false;
	return 0;
}

static void fill_info(const struct fake_domain *domain, struct xen_domctl_getdomaininfo *info)
{
	memset(info, 0, sizeof(*info));
	info->domain = domain->id;
	info->flags = (domain->dying ? XEN_DOMINF_dying : 0) |
		      (domain->shut_down ? XEN_DOMINF_shutdown : 0) |
		      (domain->pause_count ? XEN_DOMINF_paused : XEN_DOMINF_blocked) |
		      domain->reason << XEN_DOMINF_shutdownshift;
	info->tot_pages = domain->pages;
	info->max_pages = domain->max_pages;
	info->outstanding_pages = domain->claimed;
	info->shared_info_frame = domain->shared_info;
	info->max_vcpu_id = domain->vcpus ? domain->vcpus - 1 : XEN_INVALID_MAX_VCPU_ID;
	for (unsigned int i = 0; i < domain->vcpus && i < FAKE_HV_VCPUS; i++)
		info->nr_online_vcpus += !domain->id || domain->vcpu[i].online;
	memcpy(info->handle, domain->config.handle, sizeof(info->handle));
	info->cpupool = domain->cpupool;
	info->cpu_time = 1000000000ULL * domain->id;
}

/* For the domain asked about or the next one. */
static int op_getdomaininfo(struct fake_domain *unused, struct xen_domctl *op)
{
	struct fake_domain *domain = fake_hv.domains;

	(void)unused;
	while (domain && domain->id < op->domain)
		domain = domain->next;
	if (!domain)
		return -ESRCH;
	fill_info(domain, &op->u.getdomaininfo);
	op->domain = domain->id;
	return 0;
}

static int op_max_vcpus(struct fake_domain *domain, struct xen_domctl *op)
{
	if (!op->u.max_vcpus.max || op->u.max_vcpus.max != domain->config.max_vcpus)
		return -EINVAL;
	domain->vcpus = op->u.max_vcpus.max;
	for (unsigned int i = 0; i < domain->vcpus; i++) {
		memset(domain->vcpu[i].hard, 0xff, sizeof(domain->vcpu[i].hard));
		memset(domain->vcpu[i].soft, 0xff, sizeof(domain->vcpu[i].soft));
	}
	return 0;
}

static int op_max_mem(struct fake_domain *domain, struct xen_domctl *op)
{
	domain->max_pages = op->u.max_mem.max_memkb >> 2;
	return 0;
}

static int op_vcpucontext(struct fake_domain *domain, struct xen_domctl *op)
{
	unsigned int vcpu = op->u.vcpucontext.vcpu;
	struct vcpu_guest_context *context = op->u.vcpucontext.ctxt.p;

	if (vcpu >= domain->vcpus)
		return -ENOENT;
	if (op->cmd == XEN_DOMCTL_getvcpucontext) {
		*context = domain->vcpu[vcpu].context;
		return 0;
	}
	/* Like the hypervisor: what cr3 points to must be a page table. */
	if (!domain->pinned || xen_cr3_to_pfn(context->ctrlreg[3]) != domain->pinned)
		return -EINVAL;
	domain->vcpu[vcpu].context = *context;
	domain->vcpu[vcpu].online = context->flags & VGCF_online;
	return 0;
}

static int op_getvcpuinfo(struct fake_domain *domain, struct xen_domctl *op)
{
	struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;

	if (info->vcpu >= domain->vcpus)
		return -ESRCH;
	info->online = !domain->id || domain->vcpu[info->vcpu].online;
	info->blocked = !domain->pause_count;
	info->running = 0;
	info->cpu_time = 500000000ULL * (info->vcpu + 1);
	info->cpu = info->vcpu % fake_hv.cpus;
	return 0;
}

static int op_affinity(struct fake_domain *domain, struct xen_domctl *op)
{
	struct xen_domctl_vcpuaffinity *args = &op->u.vcpuaffinity;
	bool set = op->cmd == XEN_DOMCTL_setvcpuaffinity;
	struct {
		bool wanted;
		struct xenctl_bitmap *map;
		uint8_t *bits;
	} halves[2];

	if (args->vcpu >= domain->vcpus)
		return -EINVAL;
	halves[0].wanted = args->flags & XEN_VCPUAFFINITY_HARD;
	halves[0].map = &args->cpumap_hard;
	halves[0].bits = domain->vcpu[args->vcpu].hard;
	halves[1].wanted = args->flags & XEN_VCPUAFFINITY_SOFT;
	halves[1].map = &args->cpumap_soft;
	halves[1].bits = domain->vcpu[args->vcpu].soft;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int bytes = halves[i].map->nr_bits / 8;

		if (!halves[i].wanted)
			continue;
		bytes = bytes < 16 ? bytes : 16;
		if (set)
			memcpy(halves[i].bits, halves[i].map->bitmap.p, bytes);
		else
			memcpy(halves[i].map->bitmap.p, halves[i].bits, bytes);
	}
	return 0;
}

static int op_scheduler(struct fake_domain *domain, struct xen_domctl *op)
{
	struct xen_domctl_scheduler_op *args = &op->u.scheduler_op;

	if (args->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	if (args->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
		args->u.credit2.weight = domain->weight;
		args->u.credit2.cap = domain->cap;
		return 0;
	}
	if (args->cmd != XEN_DOMCTL_SCHEDOP_putinfo)
		return -EINVAL;
	if (args->u.credit2.weight)
		domain->weight = args->u.credit2.weight;
	if (args->u.credit2.cap != (uint16_t)~0)
		domain->cap = args->u.credit2.cap;
	return 0;
}

static int op_hypercall_init(struct fake_domain *domain, struct xen_domctl *op)
{
	if (fake_hv_owner(op->u.hypercall_init.gmfn) != domain->id)
		return -EACCES;
	memset(fake_hv_frame(op->u.hypercall_init.gmfn), 0xc3, FAKE_PAGE);
	domain->hypercall_page = op->u.hypercall_init.gmfn;
	return 0;
}

/* The level of page table @mfn below table @top of @level; 0: it is none. */
static unsigned int table_level(xen_pfn_t top, unsigned int level, xen_pfn_t mfn)
{
	const uint64_t *entries = fake_hv_frame(top);
	unsigned int found = top == mfn ? level : 0;

	for (unsigned int i = 0; !found && level > 1 && entries && i < 512; i++)
		if (entries[i] & PTE_PRESENT)
			found = table_level((entries[i] & PTE_FRAME) >> 12, level - 1, mfn);
	return found;
}

static int op_getpageframeinfo(struct fake_domain *domain, struct xen_domctl *op)
{
	xen_pfn_t *list = op->u.getpageframeinfo3.array.p;

	if (op->u.getpageframeinfo3.num > 1024)
		return -E2BIG;
	for (uint64_t i = 0; i < op->u.getpageframeinfo3.num; i++) {
		xen_pfn_t mfn = list[i];

		list[i] = XEN_DOMCTL_PFINFO_NOTAB;
		if (fake_hv_owner(mfn) != domain->id)
			list[i] = XEN_DOMCTL_PFINFO_XTAB;
		else if (domain->pinned)
			list[i] = (xen_pfn_t)table_level(domain->pinned, 4, mfn)
				  << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
		if (domain->pinned && mfn == domain->pinned)
			list[i] |= XEN_DOMCTL_PFINFO_LPINTAB;
	}
	return 0;
}

static int op_address_size(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)domain;
	if (op->cmd == XEN_DOMCTL_set_address_size)
		return op->u.address_size.size == 64 ? 0 : -EINVAL;
	op->u.address_size.size = 64;
	return 0;
}

static int op_setdomainhandle(struct fake_domain *domain, struct xen_domctl *op)
{
	memcpy(domain->config.handle, op->u.setdomainhandle.handle, sizeof(domain->config.handle));
	return 0;
}

static int op_set_cpu_policy(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)op;
	domain->policies++;
	return 0;
}

static int op_sendtrigger(struct fake_domain *domain, struct xen_domctl *op)
{
	if (op->u.sendtrigger.vcpu >= domain->vcpus)
		return -ESRCH;
	domain->triggers++;
	return 0;
}

static int op_accepted(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)domain;
	(void)op;
	return 0;
}

static int (*const domctls[])(struct fake_domain *domain, struct xen_domctl *op) = {
	[XEN_DOMCTL_createdomain] = op_createdomain,
	[XEN_DOMCTL_destroydomain] = op_destroydomain,
	[XEN_DOMCTL_pausedomain] = op_pausedomain,
	[XEN_DOMCTL_unpausedomain] = op_unpausedomain,
	[XEN_DOMCTL_resumedomain] = op_resumedomain,
	[XEN_DOMCTL_getdomaininfo] = op_getdomaininfo,
	[XEN_DOMCTL_max_vcpus] = op_max_vcpus,
	[XEN_DOMCTL_max_mem] = op_max_mem,
	[XEN_DOMCTL_setvcpucontext] = op_vcpucontext,
	[XEN_DOMCTL_getvcpucontext] = op_vcpucontext,
	[XEN_DOMCTL_getvcpuinfo] = op_getvcpuinfo,
	[XEN_DOMCTL_setvcpuaffinity] = op_affinity,
	[XEN_DOMCTL_getvcpuaffinity] = op_affinity,
	[XEN_DOMCTL_scheduler_op] = op_scheduler,
	[XEN_DOMCTL_hypercall_init] = op_hypercall_init,
	[XEN_DOMCTL_getpageframeinfo3] = op_getpageframeinfo,
	[XEN_DOMCTL_set_address_size] = op_address_size,
	[XEN_DOMCTL_get_address_size] = op_address_size,
	[XEN_DOMCTL_setdomainhandle] = op_setdomainhandle,
	[XEN_DOMCTL_set_cpu_policy] = op_set_cpu_policy,
	[XEN_DOMCTL_sendtrigger] = op_sendtrigger,
	[XEN_DOMCTL_settscinfo] = fake_op_tscinfo,
	[XEN_DOMCTL_gettscinfo] = fake_op_tscinfo,
	[XEN_DOMCTL_get_ext_vcpucontext] = fake_op_ext_vcpucontext,
	[XEN_DOMCTL_set_ext_vcpucontext] = fake_op_ext_vcpucontext,
	[XEN_DOMCTL_getvcpuextstate] = fake_op_vcpuextstate,
	[XEN_DOMCTL_setvcpuextstate] = fake_op_vcpuextstate,
	[XEN_DOMCTL_get_vcpu_msrs] = fake_op_vcpu_msrs,
	[XEN_DOMCTL_set_vcpu_msrs] = fake_op_vcpu_msrs,
	[XEN_DOMCTL_get_cpu_policy] = fake_op_get_cpu_policy,
	[XEN_DOMCTL_shadow_op] = fake_op_shadow,
	[XEN_DOMCTL_setnodeaffinity] = op_accepted,
	[XEN_DOMCTL_settimeoffset] = op_accepted,
	[XEN_DOMCTL_irq_permission] = op_accepted,
	[XEN_DOMCTL_iomem_permission] = op_accepted,
	[XEN_DOMCTL_ioport_permission] = op_accepted,
};

static int do_domctl(struct xen_domctl *op)
{
	struct fake_domain *domain = fake_hv_domain(op->domain);

	if (op->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	if (op->cmd >= sizeof(domctls) / sizeof(domctls[0]) || !domctls[op->cmd])
		return -ENOSYS;
	if (!domain && op->cmd != XEN_DOMCTL_createdomain && op->cmd != XEN_DOMCTL_getdomaininfo)
		return -ESRCH;
	return domctls[op->cmd](domain, op);
}

/* ---- sysctl ---- */

static int list_domains(struct xen_sysctl_getdomaininfolist *args)
{
	args->num_domains = 0;
	for (struct fake_domain *domain = fake_hv.domains; domain; domain = domain->next)
		if (domain->id >= args->first_domain && args->num_domains < args->max_domains)
			fill_info(domain, &args->buffer.p[args->num_domains++]);
	return 0;
}

static int physinfo(struct xen_sysctl_physinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->threads_per_core = info->cores_per_socket = 1;
	info->nr_cpus = fake_hv.cpus;
	info->max_cpu_id = fake_hv.cpus - 1;
	info->nr_nodes = 1;
	info->cpu_khz = 1000000;
	info->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1;
	info->total_pages = fake_hv.nr_frames;
	info->free_pages = fake_hv.free_frames;
	info->outstanding_pages = fake_hv_claimed();
	info->max_mfn = 0x100 + fake_hv.nr_frames;
	return 0;
}

static int cpupool(struct xen_sysctl_cpupool_op *args)
{
	unsigned int bytes = args->cpumap.nr_bits / 8;

	if (args->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO) {
		memset(args->cpumap.bitmap.p, 0, bytes);
		return 0;
	}
	if (args->op != XEN_SYSCTL_CPUPOOL_OP_INFO)
		return -EBUSY;
	if (args->cpupool_id && args->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY)
		return -ENOENT;
	args->cpupool_id = 0;
	args->sched_id = XEN_SCHEDULER_CREDIT2;
	args->n_dom = fake_hv_domains() + 1;
	for (unsigned int i = 0; i < bytes; i++)
		args->cpumap.bitmap.p[i] = fake_hv.cpus >= i * 8 + 8 ? 0xff :
					   fake_hv.cpus > i * 8 ? (1 << (fake_hv.cpus - i * 8)) - 1 : 0;
	return 0;
}

static int cputopo(struct xen_sysctl_cputopoinfo *args)
{
	for (uint32_t i = 0; args->cputopo.p && i < args->num_cpus && i < fake_hv.cpus; i++)
		args->cputopo.p[i] = (struct xen_sysctl_cputopo){ .core = i };
	args->num_cpus = fake_hv.cpus;
	return 0;
}

static int numainfo(struct xen_sysctl_numainfo *args)
{
	if (args->num_nodes && args->meminfo.p) {
		args->meminfo.p[0].memsize = fake_hv.nr_frames * FAKE_PAGE;
		args->meminfo.p[0].memfree = fake_hv.free_frames * FAKE_PAGE;
	}
	if (args->num_nodes && args->distance.p)
		args->distance.p[0] = 10;
	args->num_nodes = 1;
	return 0;
}

static int do_sysctl(struct xen_sysctl *op)
{
	if (op->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	switch (op->cmd) {
	case XEN_SYSCTL_sched_id:
		op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
		return 0;
	case XEN_SYSCTL_physinfo:
		return physinfo(&op->u.physinfo);
	case XEN_SYSCTL_getdomaininfolist:
		return list_domains(&op->u.getdomaininfolist);
	case XEN_SYSCTL_cpupool_op:
		return cpupool(&op->u.cpupool_op);
	case XEN_SYSCTL_cputopoinfo:
		return cputopo(&op->u.cputopoinfo);
	case XEN_SYSCTL_numainfo:
		return numainfo(&op->u.numainfo);
	case XEN_SYSCTL_scheduler_op:
		if (op->u.scheduler_op.cmd == XEN_SYSCTL_SCHEDOP_getinfo)
			op->u.scheduler_op.u.sched_credit2.ratelimit_us = 1000;
		return 0;
	case XEN_SYSCTL_readconsole:
		op->u.readconsole.count = 0;
		return 0;
	case XEN_SYSCTL_debug_keys:
		return 0;
	case XEN_SYSCTL_get_cpu_policy:
		if (op->u.cpu_policy.leaves.p && op->u.cpu_policy.nr_leaves)
			op->u.cpu_policy.leaves.p[0] = (xen_cpuid_leaf_t){ .leaf = 7, .b = 0xff };
		op->u.cpu_policy.nr_leaves = 4;
		op->u.cpu_policy.nr_msrs = 2;
		return 0;
	case XEN_SYSCTL_getcpuinfo:
		for (uint32_t i = 0; i < op->u.getcpuinfo.max_cpus && i < fake_hv.cpus; i++)
			op->u.getcpuinfo.info.p[i].idletime = 1000000000;
		op->u.getcpuinfo.nr_cpus = fake_hv.cpus;
		return 0;
	default:
		return -ENOSYS;
	}
}

/* ---- memory ---- */

/* The count of extents done, as the hypervisor answers. */
static int populate(struct fake_domain *domain, struct xen_memory_reservation *args)
{
	unsigned long count = 1UL << args->extent_order;

	for (unsigned long i = 0; i < args->nr_extents; i++) {
		xen_pfn_t mfn;

		if (domain->pages + count > domain->max_pages)
			return (int)i;
		if (fake_hv.free_frames < fake_hv_claimed() - domain->claimed + count)
			return (int)i;
		mfn = fake_hv_alloc(domain->id, args->extent_order);
		if (!mfn)
			return (int)i;
		domain->pages += count;
		domain->claimed -= domain->claimed < count ? domain->claimed : count;
		for (unsigned long page = 0; page < count; page++)
			fake_hv_set_m2p(mfn + page, args->extent_start.p[i] + page);
		args->extent_start.p[i] = mfn;
	}
	return (int)args->nr_extents;
}

static int decrease(struct fake_domain *domain, struct xen_memory_reservation *args)
{
	for (unsigned long i = 0; i < args->nr_extents; i++) {
		xen_pfn_t mfn = args->extent_start.p[i];

		if (fake_hv_owner(mfn) != domain->id || fake_hv_frame_maps(mfn))
			return (int)i;
		fake_hv_free(mfn);
		domain->pages--;
	}
	return (int)args->nr_extents;
}

static int claim(struct fake_domain *domain, struct xen_memory_reservation *args)
{
	unsigned long others = fake_hv_claimed() - domain->claimed;
	unsigned long more = args->nr_extents > domain->pages ? args->nr_extents - domain->pages :
								0;

	if (!args->nr_extents) {
		domain->claimed = 0;
		return 0;
	}
	if (fake_hv.free_frames < others + more)
		return -ENOMEM;
	domain->claimed = more;
	return 0;
}

static int do_memory(unsigned int cmd, void *arg)
{
	struct xen_memory_reservation *args = arg;
	struct fake_domain *domain;

	if (cmd == XENMEM_maximum_ram_page)
		return (int)(0x100 + fake_hv.nr_frames);
	if (cmd == XENMEM_set_memory_map)
		return 0;
	if (cmd != XENMEM_populate_physmap && cmd != XENMEM_decrease_reservation &&
	    cmd != XENMEM_claim_pages)
		return -ENOSYS;
	domain = fake_hv_domain(args->domid);
	if (!domain)
		return -ESRCH;
	return cmd == XENMEM_populate_physmap ? populate(domain, args) :
	       cmd == XENMEM_claim_pages ? claim(domain, args) : decrease(domain, args);
}

/* ---- page tables ---- */

/* Whether @mfn is one of the tables below the L4 at @top. */
static bool is_table(xen_pfn_t table, unsigned int level, xen_pfn_t mfn)
{
	const uint64_t *entries = fake_hv_frame(table);

	if (table == mfn)
		return true;
	for (unsigned int i = 0; level > 1 && i < 512; i++)
		if (entries[i] & PTE_PRESENT &&
		    is_table((entries[i] & PTE_FRAME) >> 12, level - 1, mfn))
			return true;
	return false;
}

/* A page table as the hypervisor demands it: own frames only, tables nowhere writable. */
static int check_table(struct fake_domain *domain, xen_pfn_t top, xen_pfn_t table,
		       unsigned int level)
{
	const uint64_t *entries = fake_hv_frame(table);

	if (fake_hv_owner(table) != domain->id || fake_hv_frame_maps(table))
		return -EBUSY;
	for (unsigned int i = 0; i < 512; i++) {
		xen_pfn_t mfn = (entries[i] & PTE_FRAME) >> 12;
		int rc = 0;

		if (!(entries[i] & PTE_PRESENT)) {
			if (entries[i])
				return -EINVAL;		/* junk: never cleared */
			continue;
		}
		if (fake_hv_owner(mfn) != domain->id)
			return -EPERM;
		if (level > 1)
			rc = check_table(domain, top, mfn, level - 1);
		else if (entries[i] & PTE_RW && is_table(top, 4, mfn))
			rc = -EINVAL;
		if (rc)
			return rc;
	}
	return 0;
}

static int do_mmuext(struct mmuext_op *ops, unsigned int count, domid_t domid)
{
	struct fake_domain *domain = fake_hv_domain(domid);

	if (!domain)
		return -ESRCH;
	for (unsigned int i = 0; i < count; i++) {
		int rc;

		if (ops[i].cmd == MMUEXT_CLEAR_PAGE) {
			if (fake_hv_owner(ops[i].arg1.mfn) != domid)
				return -EINVAL;
			memset(fake_hv_frame(ops[i].arg1.mfn), 0, FAKE_PAGE);
			continue;
		}
		if (ops[i].cmd != MMUEXT_PIN_L4_TABLE)
			return -ENOSYS;
		rc = check_table(domain, ops[i].arg1.mfn, ops[i].arg1.mfn, 4);
		if (rc)
			return rc;
		domain->pinned = ops[i].arg1.mfn;
	}
	return 0;
}

static int do_mmu_update(struct mmu_update *updates, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if ((updates[i].ptr & 3) != MMU_MACHPHYS_UPDATE ||
		    !fake_hv_set_m2p(updates[i].ptr >> 12, updates[i].val))
			return -EINVAL;
	return 0;
}

/* ---- the rest ---- */

static int alloc_unbound(struct evtchn_alloc_unbound *args)
{
	struct fake_domain *domain = fake_hv_domain(args->dom);

	if (!domain)
		return -ESRCH;
	for (unsigned int port = 1; port < FAKE_HV_PORTS; port++)
		if (!domain->port[port].used) {
			domain->port[port].used = true;
			domain->port[port].remote = args->remote_dom;
			args->port = port;
			return 0;
		}
	return -ENOSPC;
}

static int do_event_channel(unsigned int cmd, void *arg)
{
	struct evtchn_status *status = arg;
	struct fake_domain *domain;

	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		return alloc_unbound(arg);
	case EVTCHNOP_status:
		domain = fake_hv_domain(status->dom);
		if (!domain || status->port >= FAKE_HV_PORTS)
			return domain ? -EINVAL : -ESRCH;
		status->status = domain->port[status->port].used ? EVTCHNSTAT_unbound :
								   EVTCHNSTAT_closed;
		status->u.unbound.dom = domain->port[status->port].remote;
		return 0;
	case EVTCHNOP_reset:
		domain = fake_hv_domain(((struct evtchn_reset *)arg)->dom);
		if (domain)
			memset(domain->port, 0, sizeof(domain->port));
		return domain ? 0 : -ESRCH;
	default:
		return -ENOSYS;
	}
}

static int do_sched(unsigned int cmd, void *arg)
{
	struct sched_remote_shutdown *args = arg;

	if (cmd != SCHEDOP_remote_shutdown)
		return -ENOSYS;
	if (!fake_hv_domain(args->domain_id))
		return -ESRCH;
	fake_hv_shutdown(args->domain_id, args->reason);
	return 0;
}

static int do_grant_table(unsigned int cmd, void *arg)
{
	struct gnttab_setup_table *args = arg;
	struct fake_domain *domain;

	if (cmd != GNTTABOP_setup_table || args->nr_frames != 1)
		return -ENOSYS;
	domain = fake_hv_domain(args->dom);
	args->status = domain ? GNTST_okay : GNTST_bad_domain;
	if (domain)
		args->frame_list.p[0] = domain->grant_table;
	return 0;
}

static int do_version(unsigned int cmd, void *arg)
{
	switch (cmd) {
	case XENVER_version:
		return 4 << 16 | 17;
	case XENVER_extraversion:
		strcpy(arg, ".fake");
		return 0;
	case XENVER_capabilities:
		strcpy(arg, "xen-3.0-x86_64 ");
		return 0;
	case XENVER_pagesize:
		return FAKE_PAGE;
	case XENVER_changeset:
	case XENVER_commandline:
		strcpy(arg, "fake");
		return 0;
	case XENVER_compile_info:
		memset(arg, 0, sizeof(struct xen_compile_info));
		return 0;
	case XENVER_platform_parameters:
		((struct xen_platform_parameters *)arg)->virt_start = 0xffff800000000000UL;
		return 0;
	default:
		return -ENOSYS;
	}
}

int fake_hv_hypercall(unsigned int op, const unsigned long args[5])
{
	int rc = fake_hv_step();

	if (rc)
		return rc;
	switch (op) {
	case __HYPERVISOR_domctl:
		return do_domctl((void *)args[0]);
	case __HYPERVISOR_sysctl:
		return do_sysctl((void *)args[0]);
	case __HYPERVISOR_memory_op:
		return do_memory(args[0], (void *)args[1]);
	case __HYPERVISOR_mmuext_op:
		return do_mmuext((void *)args[0], args[1], args[3]);
	case __HYPERVISOR_mmu_update:
		return do_mmu_update((void *)args[0], args[1]);
	case __HYPERVISOR_event_channel_op:
		return do_event_channel(args[0], (void *)args[1]);
	case __HYPERVISOR_sched_op:
		return do_sched(args[0], (void *)args[1]);
	case __HYPERVISOR_grant_table_op:
		return do_grant_table(args[0], (void *)args[1]);
	case __HYPERVISOR_xen_version:
		return do_version(args[0], (void *)args[1]);
	default:
		return -ENOSYS;
	}
}
