/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor in this process, for tests: its memory and its domains, and the port of tools/call.h
 * that leads to it. The contract is tests/tools/fake_hypervisor.h; what hypercalls do is in
 * fake_ops.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tools/call.h>
#include "fake.h"

#define FIRST_MFN	0x100UL
#define JUNK		0x5a

struct call {
	int unused;
};

struct fake_hv fake_hv = { .memory_fd = -1, .unfragmented = ~0UL };

/* ---- machine memory ---- */

static struct fake_frame *frame_of(xen_pfn_t mfn)
{
	if (mfn < FIRST_MFN || mfn - FIRST_MFN >= fake_hv.nr_frames)
		return NULL;
	return &fake_hv.frames[mfn - FIRST_MFN];
}

void *fake_hv_frame(xen_pfn_t mfn)
{
	return frame_of(mfn) ? fake_hv.memory + (mfn - FIRST_MFN) * FAKE_PAGE : NULL;
}

domid_t fake_hv_owner(xen_pfn_t mfn)
{
	return frame_of(mfn) ? frame_of(mfn)->owner : DOMID_INVALID;
}

unsigned long fake_hv_m2p(xen_pfn_t mfn)
{
	return frame_of(mfn)->pfn;
}

unsigned int fake_hv_frame_maps(xen_pfn_t mfn)
{
	return frame_of(mfn)->maps;
}

bool fake_hv_set_m2p(xen_pfn_t mfn, unsigned long pfn)
{
	if (!frame_of(mfn))
		return false;
	frame_of(mfn)->pfn = pfn;
	return true;
}

int fake_hv_memory_fd(uint64_t *offset, xen_pfn_t mfn)
{
	*offset = (mfn - FIRST_MFN) * FAKE_PAGE;
	return fake_hv.memory_fd;
}

/* An aligned block of free frames, from the top down, so that mfns never resemble pfns; 0: none. */
xen_pfn_t fake_hv_alloc(domid_t owner, unsigned int order)
{
	unsigned long count = 1UL << order;

	if (order && fake_hv.unfragmented < count)
		return 0;
	for (unsigned long at = fake_hv.nr_frames & ~(count - 1); at >= count; at -= count) {
		struct fake_frame *block = &fake_hv.frames[at - count];
		unsigned long used = 0;

		while (used < count && block[used].owner == DOMID_INVALID)
			used++;
		if (used < count)
			continue;
		for (unsigned long i = 0; i < count; i++)
			block[i] = (struct fake_frame){ .owner = owner };
		memset(fake_hv.memory + (at - count) * FAKE_PAGE, JUNK, count * FAKE_PAGE);
		fake_hv.free_frames -= count;
		if (order && fake_hv.unfragmented != ~0UL)
			fake_hv.unfragmented -= count;
		return FIRST_MFN + at - count;
	}
	return 0;
}

void fake_hv_free(xen_pfn_t mfn)
{
	assert(frame_of(mfn)->owner != DOMID_INVALID && !frame_of(mfn)->maps);
	frame_of(mfn)->owner = DOMID_INVALID;
	fake_hv.free_frames++;
}

int fake_hv_get_frame(domid_t domid, xen_pfn_t mfn)
{
	struct fake_frame *frame = frame_of(mfn);
	struct fake_domain *domain = fake_hv_domain(domid);
	bool special = domain && (mfn == domain->shared_info || mfn == domain->grant_table);

	if (!frame || (frame->owner != domid && !special))
		return -EINVAL;
	frame->maps++;
	fake_hv.mapped++;
	return 0;
}

void fake_hv_put_frame(xen_pfn_t mfn)
{
	struct fake_frame *frame = frame_of(mfn);
	struct fake_domain *domain = fake_hv_domain(frame->owner);

	assert(frame->maps);
	frame->maps--;
	fake_hv.mapped--;
	if (domain && domain->dying)
		fake_hv_reap(domain);
}

/* ---- domains ---- */

struct fake_domain *fake_hv_domain(domid_t id)
{
	struct fake_domain *domain = fake_hv.domains;

	while (domain && domain->id != id)
		domain = domain->next;
	return domain;
}

struct fake_domain *fake_hv_new_domain(domid_t id)
{
	struct fake_domain *domain = calloc(1, sizeof(*domain)), **link = &fake_hv.domains;

	assert(domain);
	domain->id = id;
	domain->weight = 256;
	domain->shared_info = fake_hv_alloc(DOMID_XEN, 0);
	domain->grant_table = fake_hv_alloc(DOMID_XEN, 0);
	assert(domain->shared_info && domain->grant_table);
	memset(fake_hv_frame(domain->shared_info), 0, FAKE_PAGE);
	memset(fake_hv_frame(domain->grant_table), 0, FAKE_PAGE);
	while (*link && (*link)->id < id)
		link = &(*link)->next;
	domain->next = *link;
	*link = domain;
	return domain;
}

/* Frees what a dying domain has left; the domain too, once nothing of it is mapped. */
void fake_hv_reap(struct fake_domain *domain)
{
	struct fake_domain **link = &fake_hv.domains;
	bool held = false;

	for (unsigned long i = 0; i < fake_hv.nr_frames; i++) {
		if (fake_hv.frames[i].owner != domain->id)
			continue;
		if (fake_hv.frames[i].maps) {
			held = true;
			continue;
		}
		fake_hv_free(FIRST_MFN + i);
		domain->pages--;
	}
	if (held || fake_hv_frame_maps(domain->shared_info) ||
	    fake_hv_frame_maps(domain->grant_table))
		return;
	fake_hv_free(domain->shared_info);
	fake_hv_free(domain->grant_table);
	while (*link != domain)
		link = &(*link)->next;
	*link = domain->next;
	free(domain);
}

void fake_hv_reset(unsigned long pages, unsigned int cpus)
{
	assert(!fake_hv.handles && !fake_hv.mapped && !fake_hv.buffers);
	while (fake_hv.domains) {
		struct fake_domain *domain = fake_hv.domains;

		fake_hv.domains = domain->next;
		free(domain);
	}
	if (fake_hv.memory_fd >= 0) {
		munmap(fake_hv.memory, fake_hv.nr_frames * FAKE_PAGE);
		close(fake_hv.memory_fd);
		free(fake_hv.frames);
	}
	memset(&fake_hv, 0, sizeof(fake_hv));
	fake_hv.memory_fd = -1;
	fake_hv.unfragmented = ~0UL;
	fake_hv.resources = true;
	if (!pages)
		return;
	fake_hv.nr_frames = fake_hv.free_frames = pages;
	fake_hv.cpus = cpus;
	fake_hv.memory_fd = memfd_create("machine", MFD_CLOEXEC);
	assert(fake_hv.memory_fd >= 0 && !ftruncate(fake_hv.memory_fd, pages * FAKE_PAGE));
	fake_hv.memory = mmap(NULL, pages * FAKE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fake_hv.memory_fd, 0);
	assert(fake_hv.memory != MAP_FAILED);
	fake_hv.frames = calloc(pages, sizeof(*fake_hv.frames));
	assert(fake_hv.frames);
	for (unsigned long i = 0; i < pages; i++)
		fake_hv.frames[i].owner = DOMID_INVALID;
	fake_hv_new_domain(0)->vcpus = cpus;
}

/* ---- counting and failing ---- */

int fake_hv_step(void)
{
	fake_hv.calls++;
	return fake_hv.fail_in && !--fake_hv.fail_in ? fake_hv.fail_with : 0;
}

void fake_hv_fail(unsigned int nth, int error)
{
	fake_hv.fail_in = nth;
	fake_hv.fail_with = error;
}

void fake_hv_fragment(unsigned long pages)
{
	fake_hv.unfragmented = pages;
}

void fake_hv_resources(bool work)
{
	fake_hv.resources = work;
}

xen_pfn_t fake_hv_resource(domid_t domid, unsigned int type, unsigned long index, int *error)
{
	struct fake_domain *domain = fake_hv_domain(domid);

	*error = !fake_hv.resources ? -EOPNOTSUPP : !domain ? -ESRCH :
		 type != XENMEM_resource_grant_table || index ? -EINVAL : 0;
	return *error ? 0 : domain->grant_table;
}

void fake_hv_count_handle(int change)
{
	fake_hv.handles += change;
}

void fake_hv_count_buffer(int change)
{
	fake_hv.buffers += change;
}

unsigned int fake_hv_domains(void)
{
	unsigned int count = 0;

	for (struct fake_domain *domain = fake_hv.domains; domain; domain = domain->next)
		count += !!domain->id;
	return count;
}

unsigned long fake_hv_claimed(void)
{
	unsigned long sum = 0;

	for (struct fake_domain *domain = fake_hv.domains; domain; domain = domain->next)
		sum += domain->claimed;
	return sum;
}

unsigned int fake_hv_ports(domid_t id)
{
	struct fake_domain *domain = fake_hv_domain(id);
	unsigned int count = 0;

	for (unsigned int i = 0; domain && i < FAKE_HV_PORTS; i++)
		count += domain->port[i].used;
	return count;
}

unsigned long fake_hv_free_pages(void)
{
	return fake_hv.free_frames;
}

unsigned int fake_hv_mapped_pages(void)
{
	return fake_hv.mapped;
}

unsigned int fake_hv_handles(void)
{
	return fake_hv.handles;
}

unsigned int fake_hv_buffers(void)
{
	return fake_hv.buffers;
}

unsigned int fake_hv_calls(void)
{
	return fake_hv.calls;
}

void fake_hv_shutdown(domid_t id, unsigned int reason)
{
	struct fake_domain *domain = fake_hv_domain(id);

	domain->shut_down = true;
	domain->reason = reason;
}

void fake_hv_dirty(domid_t id, unsigned long pfn)
{
	struct fake_domain *domain = fake_hv_domain(id);

	if (domain->log_dirty && pfn < FAKE_HV_DIRTY)
		domain->dirty[pfn / 64] |= 1UL << pfn % 64;
}

/* ---- what a move needs ---- */

int fake_op_ext_vcpucontext(struct fake_domain *domain, struct xen_domctl *op)
{
	if (op->u.ext_vcpucontext.vcpu >= domain->vcpus)
		return -ESRCH;
	if (op->cmd == XEN_DOMCTL_get_ext_vcpucontext)
		op->u.ext_vcpucontext.size = sizeof(op->u.ext_vcpucontext);
	return 0;
}

int fake_op_vcpuextstate(struct fake_domain *domain, struct xen_domctl *op)
{
	struct xen_domctl_vcpuextstate *args = &op->u.vcpuextstate;

	if (args->vcpu >= domain->vcpus)
		return -EINVAL;
	if (op->cmd == XEN_DOMCTL_setvcpuextstate) {
		if (args->size != FAKE_HV_XSAVE)
			return -EINVAL;
		memcpy(domain->xsave[args->vcpu], args->buffer.p, FAKE_HV_XSAVE);
		return 0;
	}
	if (args->size)
		memcpy(args->buffer.p, domain->xsave[args->vcpu], FAKE_HV_XSAVE);
	args->size = FAKE_HV_XSAVE;
	args->xfeature_mask = 7;
	return 0;
}

int fake_op_vcpu_msrs(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)domain;
	op->u.vcpu_msrs.msr_count = 0;
	return 0;
}

int fake_op_get_cpu_policy(struct fake_domain *domain, struct xen_domctl *op)
{
	(void)domain;
	if (op->u.cpu_policy.nr_leaves < 1 || op->u.cpu_policy.nr_msrs < 1)
		return -ENOBUFS;
	op->u.cpu_policy.leaves.p[0] = (xen_cpuid_leaf_t){ .leaf = 7, .a = 42, .b = 15 };
	op->u.cpu_policy.msrs.p[0] = (xen_msr_entry_t){ .idx = 0xce, .val = 1 };
	op->u.cpu_policy.nr_leaves = op->u.cpu_policy.nr_msrs = 1;
	return 0;
}

int fake_op_tscinfo(struct fake_domain *domain, struct xen_domctl *op)
{
	if (op->cmd == XEN_DOMCTL_settscinfo)
		domain->tsc = op->u.tsc_info;
	else
		op->u.tsc_info = domain->tsc;
	return 0;
}

int fake_op_shadow(struct fake_domain *domain, struct xen_domctl *op)
{
	struct xen_domctl_shadow_op *args = &op->u.shadow_op;
	bool on = args->op == XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;

	if (on || args->op == XEN_DOMCTL_SHADOW_OP_OFF) {
		if (on && domain->log_dirty)
			return -EINVAL;
		domain->log_dirty = on;
		memset(domain->dirty, 0, sizeof(domain->dirty));
		return 0;
	}
	if (args->op != XEN_DOMCTL_SHADOW_OP_CLEAN || !domain->log_dirty)
		return -EINVAL;
	memcpy(args->dirty_bitmap.p, domain->dirty, (args->pages + 7) / 8);
	memset(domain->dirty, 0, sizeof(domain->dirty));
	return 0;
}

/* ---- tools/call.h ---- */

int call_open(struct call **out)
{
	*out = calloc(1, sizeof(**out));
	assert(*out);
	fake_hv_count_handle(1);
	return 0;
}

void call_close(struct call *call)
{
	if (!call)
		return;
	free(call);
	fake_hv_count_handle(-1);
}

int call_hypercall(struct call *call, unsigned int op, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4, unsigned long a5)
{
	const unsigned long args[5] = { a1, a2, a3, a4, a5 };

	(void)call;
	return fake_hv_hypercall(op, args);
}

long call_memory_op(struct call *call, unsigned int cmd, void *arg)
{
	return call_hypercall(call, __HYPERVISOR_memory_op, cmd, (unsigned long)arg, 0, 0, 0);
}

void *call_alloc(struct call *call, size_t bytes)
{
	void *memory;

	(void)call;
	bytes = (bytes + FAKE_PAGE - 1) & ~(FAKE_PAGE - 1);
	memory = aligned_alloc(FAKE_PAGE, bytes);
	assert(memory);
	memset(memory, 0, bytes);
	fake_hv_count_buffer(1);
	return memory;
}

void call_free(struct call *call, void *buffer, size_t bytes)
{
	(void)call;
	(void)bytes;
	if (!buffer)
		return;
	free(buffer);
	fake_hv_count_buffer(-1);
}
