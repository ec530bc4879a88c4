/* SPDX-License-Identifier: MIT */
/*
 * What the paging hypercalls share: the frame around a batch of requests with
 * its continuation, and who may act on whose memory.
 *
 * A batch is preempted in two ways. Between elements: the rest is called again.
 * After the last, or a failing one, while a page table is still being released:
 * an empty batch is called again whose only job is to finish that, and which
 * carries the result in place of its last argument.
 */
#include "private.h"

#include <core/guest_access.h>
#include <core/hypercall.h>
#include <x86/rangeset.h>

bool mm_batch_begin(struct mm_batch *b, unsigned int op, unsigned long elem_size,
		    unsigned long reqs, unsigned long count, unsigned long pdone,
		    unsigned long foreigndom, long *rc)
{
	b->op = op;
	b->count = (unsigned int)count;
	b->foreigndom = (unsigned int)foreigndom;
	b->reqs = reqs;
	b->elem_size = elem_size;
	b->pdone = pdone;
	b->i = b->done = 0;
	*rc = finish_old_table(current);
	if (unlikely(*rc)) {
		*rc = hypercall_continue(op, 4, reqs, count, pdone, foreigndom);
		return false;
	}
	if (unlikely(b->count & COUNT_PREEMPTED)) {
		if (b->count == COUNT_PREEMPTED && !reqs) {
			*rc = (int)foreigndom;
			return false;
		}
		b->count &= ~COUNT_PREEMPTED;
		if (pdone && raw_copy_from_guest(&b->done, (const void *)pdone, sizeof(b->done)))
			b->done = 0;
	}
	if (unlikely(!guest_range_okay((const void *)reqs, b->count, elem_size))) {
		*rc = -EFAULT;
		return false;
	}
	return true;
}

long mm_batch_end(struct mm_batch *b, long rc)
{
	if (unlikely(rc == -ERESTART))
		rc = hypercall_continue(b->op, 4, b->reqs + b->i * b->elem_size,
					(unsigned long)((b->count - b->i) | COUNT_PREEMPTED),
					b->pdone, (unsigned long)b->foreigndom);
	else if (unlikely(current->arch.old_guest_table))
		rc = hypercall_continue(b->op, 4, 0UL, (unsigned long)COUNT_PREEMPTED, 0UL,
					(unsigned long)(unsigned int)rc);
	if (b->pdone) {
		b->done += b->i;
		/* As the ABI has it, a bad address here is the caller's own loss. */
		(void)raw_copy_to_guest((void *)b->pdone, &b->done, sizeof(b->done));
	}
	return rc;
}

struct domain *get_pg_owner(domid_t domid)
{
	struct domain *d = current->domain;

	switch (domid) {
	case DOMID_SELF:
		return d;
	case DOMID_IO:
		return dom_io;
	case DOMID_XEN:
		return dom_xen;
	default:
		/* Naming oneself by number is refused: it hints at a confused caller. */
		return domid == d->domain_id ? NULL : domain_by_id(domid);
	}
}

int mm_permitted(const struct domain *d)
{
	const struct domain *caller = current->domain;

	return likely(d == caller) ? 0 : op_permitted(PRIV_TOOLS, caller);
}

bool iomem_permitted(const struct domain *d, unsigned long mfn)
{
	return d->arch.iomem_caps && rangeset_contains(d->arch.iomem_caps, mfn, mfn);
}

bool may_set_cache_attrs(struct domain *d)
{
	const struct arch_domain *a = &d->arch;

	return (a->iomem_caps && rangeset_overlaps(a->iomem_caps, 0, ~0UL)) ||
	       (a->ioport_caps && rangeset_overlaps(a->ioport_caps, 0, ~0UL));
}

int vcpumask_to_pcpumask(struct domain *d, unsigned long guest_bits, cpumask_t *mask)
{
	cpumask_clear(mask);
	for (unsigned int base = 0; base < d->max_vcpus; base += BITS_PER_LONG) {
		unsigned long bits;

		if (raw_copy_from_guest(&bits,
					(const unsigned long *)guest_bits + base / BITS_PER_LONG,
					sizeof(bits)))
			return -EFAULT;
		for (; bits; bits &= bits - 1) {
			const struct vcpu *v =
				domain_vcpu(d, base + (unsigned int)__builtin_ctzl(bits));
			unsigned int cpu = v ? read_once(v->dirty_cpu) : VCPU_CPU_CLEAN;

			if (cpu != VCPU_CPU_CLEAN)
				__set_bit(cpu, mask->bits);
		}
	}
	return 0;
}
