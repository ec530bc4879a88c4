/* SPDX-License-Identifier: MIT */
/*
 * Domains: creation, finding them, references, shutdown and resume, pauses by
 * tools, and what is told about them. How one ends is in domain_destroy.c.
 *
 * struct domain is exactly one heap page, since the owner of a frame is stored
 * as the number of that page. All domains are in a list sorted by id and in a
 * hash; both are read without a lock (core/quiesce.h).
 */
#include "domain_private.h"
#include <core/domctl.h>
#include <core/event.h>
#include <core/grant_table.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/map.h>
#include <stdarg.h>

_Static_assert(sizeof(struct domain) <= PAGE_SIZE, "struct domain must fit in a page");

struct domain *hardware_domain;
struct domain *dom_xen, *dom_io, *dom_idle;
struct domain *domain_list;
DEFINE_SPINLOCK(domlist_lock, LOCK_DOMLIST);

#define HASH_SIZE	256U
static struct domain *domain_hash[HASH_SIZE];

static struct domain **hash_head(domid_t id)
{
	return &domain_hash[id % HASH_SIZE];
}

struct domain *domain_by_id(domid_t id)
{
	struct domain *d;

	for (d = read_once(*hash_head(id)); d; d = read_once(d->next_in_hash))
		if (d->domain_id == id)
			return d;
	return NULL;
}

struct domain *domain_by_any_id(domid_t id)
{
	return id == DOMID_SELF ? current->domain : domain_by_id(id);
}

bool domain_get(struct domain *d)
{
	int old = read_once(d->refcnt), seen;

	while (old > 0) {
		seen = atomic_cmpxchg(&d->refcnt, old, old + 1);
		if (seen == old)
			return true;
		old = seen;
	}
	return false;
}

/* ---- creation ---- */

/* A domain struct with what needs no memory and cannot fail. */
static struct domain *domain_alloc(domid_t id)
{
	struct domain *d = alloc_xenheap_page();

	if (!d)
		return NULL;
	d->domain_id = id;
	d->refcnt = 1;
	spin_lock_init(&d->domain_lock, LOCK_DOMAIN);
	spin_lock_init(&d->page_alloc_lock, LOCK_PAGE_ALLOC);
	spin_lock_init(&d->event_lock, LOCK_EVENT_DOMAIN);
	spin_lock_init(&d->shutdown_lock, LOCK_SHUTDOWN);
	spin_lock_init(&d->pause_lock, LOCK_PAUSE);
	d->shutdown_code = SHUTDOWN_CODE_INVALID;
	return d;
}

static void domain_list_add(struct domain *d)
{
	struct domain **pd;

	spin_lock(&domlist_lock);
	for (pd = &domain_list; *pd && (*pd)->domain_id < d->domain_id; pd = &(*pd)->next_in_list)
		;
	d->next_in_list = *pd;
	d->next_in_hash = *hash_head(d->domain_id);
	atomic_store(pd, d);
	atomic_store(hash_head(d->domain_id), d);
	spin_unlock(&domlist_lock);
}

void domain_list_remove(struct domain *d)
{
	struct domain **pd;

	spin_lock(&domlist_lock);
	for (pd = &domain_list; *pd != d; pd = &(*pd)->next_in_list)
		;
	atomic_store(pd, d->next_in_list);
	for (pd = hash_head(d->domain_id); *pd != d; pd = &(*pd)->next_in_hash)
		;
	atomic_store(pd, d->next_in_hash);
	spin_unlock(&domlist_lock);
}

/* 0 or -EINVAL: a flag, option or number that we do not have. */
static int sanitise_config(struct xen_domctl_createdomain *cfg)
{
	if (cfg->flags & ~(XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_s3_integrity |
			   XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain |
			   XEN_DOMCTL_CDF_iommu | XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu))
		return -EINVAL;
	if ((cfg->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_iommu |
			   XEN_DOMCTL_CDF_vpmu)) || cfg->iommu_opts || cfg->vmtrace_size)
		return -EINVAL;		/* known, but not available here */
	if (cfg->grant_opts & ~XEN_DOMCTL_GRANT_version_mask)
		return -EINVAL;
	if (cfg->max_vcpus < 1)
		return -EINVAL;
	return arch_sanitise_domain_config(cfg);
}

static int shared_info_create(struct domain *d)
{
	d->shared_info = alloc_xenheap_page();
	if (!d->shared_info)
		return -ENOMEM;
	share_xen_page_with_guest(virt_to_page(d->shared_info), d, SHARE_rw);
	return 0;
}

static void shared_info_free(struct domain *d)
{
	/* The domain never ran: nobody maps it. */
	if (unshare_xen_page(virt_to_page(d->shared_info), d))
		BUG();
	free_xenheap_page(d->shared_info);
}

/* The parts of a domain, in order; what was done is undone if one fails. */
static int domain_build(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
	int rc = -ENOMEM;

	d->vcpu = xzalloc_array(struct vcpu *, cfg->max_vcpus);
	if (!d->vcpu)
		return rc;
	d->max_vcpus = cfg->max_vcpus;
	rc = shared_info_create(d);
	if (rc)
		goto free_vcpus;
	rc = arch_domain_create(d, cfg);
	if (rc)
		goto free_shared_info;
	rc = evtchn_init(d, cfg->max_evtchn_port);
	if (rc)
		goto destroy_arch;
	rc = grant_table_init(d, cfg->max_grant_frames, cfg->max_maptrack_frames);
	if (rc)
		goto destroy_events;
	rc = sched_init_domain(d, cfg->cpupool_id);
	if (rc)
		goto destroy_grants;
	watchdog_domain_init(d);
	return 0;

destroy_grants:
	grant_table_destroy(d);
destroy_events:
	evtchn_destroy_final(d);
destroy_arch:
	arch_domain_destroy(d);
free_shared_info:
	shared_info_free(d);
free_vcpus:
	d->max_vcpus = 0;
	xfree(d->vcpu);
	return rc;
}

struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *config,
			     bool privileged)
{
	struct xen_domctl_createdomain cfg = *config;
	struct domain *d;
	int rc = sanitise_config(&cfg);

	if (rc)
		return ERR_PTR(rc);
	d = domain_alloc(id);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->is_privileged = privileged;
	d->is_hardware = !id;
	d->options = (uint8_t)cfg.flags;
	d->ssidref = cfg.ssidref;
	d->max_grant_frames = cfg.max_grant_frames;
	d->max_maptrack_frames = cfg.max_maptrack_frames;
	memcpy(d->handle, cfg.handle, sizeof(d->handle));
	d->pause_count = d->controller_pause_count = 1;	/* until the tools say so */

	rc = domain_build(d, &cfg);
	if (rc) {
		free_xenheap_page(d);
		return ERR_PTR(rc);
	}
	if (d->is_hardware)
		hardware_domain = d;
	domain_list_add(d);
	return d;
}

static struct domain *system_domain(domid_t id, const char *name)
{
	struct domain *d = domain_alloc(id);

	if (!d)
		panic("No memory for %s\n", name);
	d->is_system = true;
	return d;
}

void domains_init(void)
{
	dom_idle = system_domain(DOMID_IDLE, "the idle domain");
	dom_idle->vcpu = xzalloc_array(struct vcpu *, NR_CPUS);
	if (!dom_idle->vcpu)
		panic("No memory for the idle domain\n");
	dom_idle->max_vcpus = NR_CPUS;
	/* Not in the list: whoever means these two knows them by name. */
	dom_io = system_domain(DOMID_IO, "DOMID_IO");
	dom_xen = system_domain(DOMID_XEN, "DOMID_XEN");
	if (!vcpu_create(dom_idle, smp_processor_id()))
		panic("No memory for the idle vcpu\n");
}

/* ---- shutdown ---- */

/* All vcpus have stopped (those that shut down with the domain): the tools are told. */
static void finish_shutdown(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		if (!v->paused_for_shutdown)
			return;
	d->is_shut_down = true;
	send_global_virq(VIRQ_DOM_EXC);
}

void domain_shutdown(struct domain *d, unsigned int reason)
{
	struct vcpu *v;

	spin_lock(&d->shutdown_lock);
	if (d->shutdown_code == SHUTDOWN_CODE_INVALID)
		d->shutdown_code = reason & 0xff;
	if (d->is_hardware) {
		reason = d->shutdown_code;
		spin_unlock(&d->shutdown_lock);
		hwdom_shutdown(reason);
	}
	if (!d->is_shutting_down) {
		d->is_shutting_down = true;
		for_each_vcpu(d, v) {
			vcpu_pause_nosync(v);
			v->paused_for_shutdown = true;
		}
		arch_domain_shutdown(d);
		finish_shutdown(d);
	}
	spin_unlock(&d->shutdown_lock);
}

void domain_resume(struct domain *d)
{
	struct vcpu *v;

	/* Nobody may see it half shut down. */
	domain_pause(d);
	spin_lock(&d->shutdown_lock);
	d->is_shutting_down = d->is_shut_down = false;
	d->shutdown_code = SHUTDOWN_CODE_INVALID;
	for_each_vcpu(d, v) {
		if (v->paused_for_shutdown)
			vcpu_unpause(v);
		v->paused_for_shutdown = false;
	}
	spin_unlock(&d->shutdown_lock);
	domain_unpause(d);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!d->is_shutting_down) {	/* say it once */
		printk(XENLOG_G_ERR "%pd crashed: %s%s", d, why,
		       strchr(why, '\n') ? "" : "\n");
		if (d == current->domain)
			arch_dump_vcpu(current);
	}
	domain_shutdown(d, SHUTDOWN_crash);
}

/* ---- pauses by tools ---- */

/* Counts one up or down within [0, 255]: 0, -EOVERFLOW, -EINVAL. */
static int controller_count(int *count, int step)
{
	int old = read_once(*count), seen;

	for (;;) {
		if (old + step > 255)
			return -EOVERFLOW;
		if (old + step < 0)
			return -EINVAL;
		seen = atomic_cmpxchg(count, old, old + step);
		if (seen == old)
			return 0;
		old = seen;
	}
}

int domain_pause_by_controller(struct domain *d)
{
	int rc = controller_count(&d->controller_pause_count, 1);

	if (!rc)
		domain_pause(d);
	return rc;
}

int domain_unpause_by_controller(struct domain *d)
{
	int rc = controller_count(&d->controller_pause_count, -1);

	if (rc)
		return rc;
	/* The builder's own pause is the last to go: the domain is complete now. */
	if (!d->controller_pause_count && !d->creation_finished) {
		d->creation_finished = true;
		arch_domain_creation_finished(d);
	}
	domain_unpause(d);
	return 0;
}

/* ---- what tools see ---- */

void getdomaininfo(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint32_t flags = XEN_DOMINF_blocked;	/* only if all its vcpus are */
	struct vcpu_runstate_info rs;
	struct vcpu *v;

	memset(info, 0, sizeof(*info));
	info->domain = d->domain_id;
	info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	for_each_vcpu(d, v) {
		vcpu_runstate_get(v, &rs);
		info->cpu_time += rs.time[RUNSTATE_running];
		info->max_vcpu_id = v->vcpu_id;
		if (test_bit(VPF_down, &v->pause_flags))
			continue;
		if (!test_bit(VPF_blocked, &v->pause_flags))
			flags &= ~XEN_DOMINF_blocked;
		if (v->is_running)
			flags |= XEN_DOMINF_running;
		info->nr_online_vcpus++;
	}
	info->flags = (info->nr_online_vcpus ? flags : 0) |
		(d->is_dying == DOMDYING_dead ? XEN_DOMINF_dying : 0) |
		(d->is_shut_down ? XEN_DOMINF_shutdown : 0) |
		(d->controller_pause_count > 0 ? XEN_DOMINF_paused : 0) |
		(d->debugger_attached ? XEN_DOMINF_debugged : 0) |
		(d->options & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0) |
		d->shutdown_code << XEN_DOMINF_shutdownshift;
	info->ssidref = d->ssidref;
	info->tot_pages = d->tot_pages;
	info->max_pages = d->max_pages;
	info->outstanding_pages = d->outstanding_pages;
	info->shared_info_frame = gfn_x(mfn_to_gfn(d, virt_to_mfn(d->shared_info)));
	info->cpupool = cpupool_get_id(d);
	memcpy(info->handle, d->handle, sizeof(info->handle));
}
