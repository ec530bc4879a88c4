/* SPDX-License-Identifier: MIT */
/* Fake domains and vcpus for tests that do not link domain.c, and the resource counts of all. */
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/domain.h>
#include <core/errno.h>
#include <core/hypercall.h>
#include <core/sched.h>
#include <host/host.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DOMAINS	64

__attribute__((weak)) struct domain *hardware_domain;
__attribute__((weak)) struct domain *dom_xen, *dom_io, *dom_idle;
__attribute__((weak)) struct domain *domain_list;
__attribute__((weak)) struct vcpu *idle_vcpu[NR_CPUS];
/* Nobody logs, unless xen-core/log_dirty.c is linked. */
__attribute__((weak)) unsigned long log_dirty_on;
static struct domain *domains[MAX_DOMAINS];

__attribute__((weak)) struct domain *domain_by_id(domid_t id)
{
	for (unsigned int i = 0; i < MAX_DOMAINS; i++)
		if (domains[i] && domains[i]->domain_id == id)
			return domains[i];
	return NULL;
}
__attribute__((weak)) struct domain *domain_by_any_id(domid_t id)
{
	return id == DOMID_SELF ? current->domain : domain_by_id(id);
}
__attribute__((weak)) bool domain_get(struct domain *d)
{
	if (!d->refcnt)
		return false;
	d->refcnt++;
	return true;
}
__attribute__((weak)) void domain_put(struct domain *d)
{
	BUG_ON(d->refcnt <= 0);
	d->refcnt--;
}
__attribute__((weak)) void domain_crash(struct domain *d, const char *fmt, ...)
{
	host_rec.crashes++;
	host_rec.last_crashed = d;
	if (host_verbose)
		fprintf(stderr, "domain_crash: %s\n", fmt);
}
__attribute__((weak)) void domain_shutdown(struct domain *d, unsigned int reason)
{
	host_rec.shutdowns++;
	d->is_shut_down = true;
	d->shutdown_code = reason;
}
__attribute__((weak)) int op_permitted(enum op_priv priv, const struct domain *caller)
{
	if (priv == PRIV_ANY || (priv == PRIV_TOOLS && caller->is_privileged) ||
	    (priv == PRIV_HARDWARE && caller->is_hardware))
		return 0;
	return -EPERM;
}

static void vcpu_make(struct domain *d, unsigned int id)
{
	struct vcpu *v = calloc(1, ROUNDUP(sizeof(*v), 64));

	BUG_ON(!v);
	v->vcpu_id = id;
	v->domain = d;
	v->processor = id % HOST_NR_CPUS;
	v->vcpu_info = (struct vcpu_info *)&d->shared_info->vcpu_info[id % 32];
	v->vcpu_info_mfn = INVALID_MFN;
	v->dirty_cpu = VCPU_CPU_CLEAN;
	v->arch.flags = TF_kernel_mode;
	v->arch.guest_table = v->arch.guest_table_user = INVALID_MFN;
	cpumask_setall(&v->cpu_hard_affinity);
	cpumask_setall(&v->cpu_soft_affinity);
	d->vcpu[id] = v;
}

/* A domain as domain_create() leaves it, as far as most core code looks. */
struct domain *host_domain_create(domid_t id, unsigned int vcpus, bool privileged)
{
	unsigned int order = get_order_from_bytes(sizeof(struct domain)), i;
	struct domain *d = alloc_xenheap_pages(order, 0);

	BUG_ON(!d);
	memset(d, 0, sizeof(*d));
	d->domain_id = id;
	d->is_privileged = d->is_hardware = privileged;
	d->refcnt = 1;
	d->max_pages = HOST_RAM_FRAMES;
	d->shutdown_code = SHUTDOWN_CODE_INVALID;
	spin_lock_init(&d->domain_lock, LOCK_DOMAIN);
	spin_lock_init(&d->page_alloc_lock, LOCK_PAGE_ALLOC);
	spin_lock_init(&d->event_lock, LOCK_EVENT_DOMAIN);
	spin_lock_init(&d->arch.pirq_lock, LOCK_PIRQ);
	d->shared_info = alloc_xenheap_page();
	d->max_vcpus = vcpus;
	d->vcpu = calloc(vcpus ? vcpus : 1, sizeof(*d->vcpu));
	BUG_ON(!d->shared_info || !d->vcpu);
	for (i = 0; i < vcpus; i++)
		vcpu_make(d, i);
	for (i = 0; i < MAX_DOMAINS && domains[i]; i++)
		;
	BUG_ON(i == MAX_DOMAINS);
	domains[i] = d;
	if (privileged && !hardware_domain)
		hardware_domain = d;
	return d;
}

void host_domain_free(struct domain *d)
{
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		free(d->vcpu[i]);
	free(d->vcpu);
	for (unsigned int i = 0; i < MAX_DOMAINS; i++)
		if (domains[i] == d)
			domains[i] = NULL;
	if (hardware_domain == d)
		hardware_domain = NULL;
	free_xenheap_page(d->shared_info);
	free_xenheap_pages(d, get_order_from_bytes(sizeof(*d)));
}

struct page_info *host_domain_page(struct domain *d, unsigned int order)
{
	return alloc_domheap_pages(d, order, 0);
}

void host_domains_reset(void)
{
	/* The pages went back with the heap; only what malloc gave is freed here. */
	for (unsigned int i = 0; i < MAX_DOMAINS; i++) {
		if (!domains[i])
			continue;
		for (unsigned int j = 0; j < domains[i]->max_vcpus; j++)
			free(domains[i]->vcpu[j]);
		free(domains[i]->vcpu);
		domains[i] = NULL;
	}
	hardware_domain = dom_xen = dom_io = dom_idle = domain_list = NULL;
	memset(idle_vcpu, 0, sizeof(idle_vcpu));
}

struct host_counts host_count(void)
{
	struct host_counts c = { .free_pages = total_free_pages(),
				 .xmalloc_blocks = host_xmalloc_blocks,
				 .timers = host_timers,
				 .locks = host_locks_held(),
				 .claims = total_outstanding_claims() };

	for (unsigned long i = 0; i < HOST_RAM_FRAMES; i++) {
		const struct page_info *pg = &frame_table[i];

		if (!(pg->count_info & PGC_count_mask))
			continue;
		c.page_refs += pg->count_info & PGC_count_mask;
		c.type_refs += pg->type_info & PGT_count_mask;
	}
	for (unsigned int i = 0; i < MAX_DOMAINS; i++)
		if (domains[i]) {
			c.ports += domains[i]->active_evtchns;
		}
	return c;
}

void host_counts_print(const struct host_counts *c)
{
	fprintf(stderr,
		"free pages %lu, xmalloc blocks %ld, page refs %lu, type refs %lu, ports %lu, "
		"timers %ld, locks %lu, claims %lu\n",
		c->free_pages, c->xmalloc_blocks, c->page_refs, c->type_refs, c->ports, c->timers,
		c->locks, c->claims);
}
