/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_mmuext_op: pinning and base pointers, TLB and cache flushes, the
 * LDT, whole-page operations. One function per operation, found in a table.
 *
 * A pinned table keeps its type when nothing refers to it, so that a guest can
 * prepare a tree, or keep one, without validating it again and again. Pin and
 * unpin work on other domains too, for the tools that build them; so do the
 * page operations. All else is a vcpu's own business.
 */
#include "private.h"

#include <arch/cpu.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <x86/asm.h>
#include <x86/pv.h>

struct ext_op {
	int (*fn)(const struct mmuext_op *op, struct domain *d);	/* NULL: -ENOSYS */
	bool foreign;		/* may name another domain, else -EPERM */
};

/* ---- Pinning ---- */

static int pin_table(const struct mmuext_op *op, struct domain *d)
{
	const unsigned long type = type_of_level(op->cmd - MMUEXT_PIN_L1_TABLE + 1);
	struct page_info *pg = get_page_from_gfn(d, _gfn(op->arg1.mfn));
	bool drop = false;
	int rc;

	if (unlikely(!pg))
		return -EINVAL;
	rc = page_type_get(pg, type, true);
	if (unlikely(rc)) {
		if (pg != current->arch.old_guest_table)
			put_page(pg);
		return rc;
	}
	if (unlikely(test_and_set_pinned(pg))) {
		(void)put_table_or_defer(pg);
		return -EINVAL;
	}
	/* A domain that began to die has perhaps been searched for pinned pages already. */
	if (unlikely(d != current->domain)) {
		spin_lock(&d->page_alloc_lock);
		drop = d->is_dying != DOMDYING_alive && test_and_clear_pinned(pg);
		spin_unlock(&d->page_alloc_lock);
		if (drop)
			(void)put_table_or_defer(pg);
	}
	return 0;
}

static int unpin_table(const struct mmuext_op *op, struct domain *d)
{
	struct page_info *pg = get_page_from_gfn(d, _gfn(op->arg1.mfn));

	if (unlikely(!pg))
		return -EINVAL;
	if (unlikely(!test_and_clear_pinned(pg))) {
		put_page(pg);
		return -EINVAL;
	}
	/* What is preempted is finished later: the unpin itself has happened. */
	(void)put_table_or_defer(pg);
	put_page(pg);
	return 0;
}

/* ---- Base pointers ---- */

static int new_baseptr(const struct mmuext_op *op, struct domain *d __maybe_unused)
{
	return new_guest_cr3(_mfn(op->arg1.mfn));
}

static int new_user_baseptr(const struct mmuext_op *op, struct domain *d)
{
	struct arch_vcpu *a = &current->arch;
	const mfn_t old = a->guest_table_user, new = _mfn(op->arg1.mfn);

	/* Also what a call that is repeated after a preempted release finds. */
	if (mfn_eq(old, new) || (no_table(old) && no_table(new)))
		return 0;
	if (!no_table(new)) {
		int rc = get_table_refs(pte_make(new, 0), 5, d, true, false);

		if (unlikely(rc))
			return rc;
	}
	a->guest_table_user = no_table(new) ? INVALID_MFN : new;
	base_changed(current, 0, new);
	return no_table(old) ? 0 : put_table_or_defer(mfn_to_page(old));
}

/* ---- Flushes ---- */

static int tlb_flush_local(const struct mmuext_op *op __maybe_unused,
			   struct domain *d __maybe_unused)
{
	flush_tlb_local();
	return 0;
}

static int tlb_flush_all(const struct mmuext_op *op __maybe_unused, struct domain *d)
{
	const cpumask_t mask = d->dirty_cpumask;

	flush_tlb_mask(&mask);
	return 0;
}

static int tlb_flush_multi(const struct mmuext_op *op, struct domain *d)
{
	cpumask_t mask;

	if (vcpumask_to_pcpumask(d, (unsigned long)op->arg2.vcpumask.p, &mask))
		return -EINVAL;
	flush_tlb_mask(&mask);
	return 0;
}

static int invlpg_local(const struct mmuext_op *op, struct domain *d __maybe_unused)
{
	if (guest_va_ok(op->arg1.linear_addr))
		flush_tlb_one_local(op->arg1.linear_addr);
	return 0;
}

static int invlpg_all(const struct mmuext_op *op, struct domain *d)
{
	const cpumask_t mask = d->dirty_cpumask;

	if (guest_va_ok(op->arg1.linear_addr))
		flush_tlb_one_mask(&mask, op->arg1.linear_addr);
	return 0;
}

static int invlpg_multi(const struct mmuext_op *op, struct domain *d)
{
	cpumask_t mask;

	if (vcpumask_to_pcpumask(d, (unsigned long)op->arg2.vcpumask.p, &mask))
		return -EINVAL;
	if (guest_va_ok(op->arg1.linear_addr))
		flush_tlb_one_mask(&mask, op->arg1.linear_addr);
	return 0;
}

/* Only who drives devices has a reason to write back caches; others would slow down the machine. */
static int flush_cache(const struct mmuext_op *op __maybe_unused, struct domain *d)
{
	if (!may_set_cache_attrs(d))
		return -EACCES;
	wbinvd();
	return 0;
}

static int flush_cache_global(const struct mmuext_op *op __maybe_unused, struct domain *d)
{
	if (!may_set_cache_attrs(d))
		return -EINVAL;
	flush_cache_all();
	return 0;
}

/* ---- The LDT ---- */

static int set_ldt(const struct mmuext_op *op, struct domain *d __maybe_unused)
{
	const unsigned int ents = op->arg2.nr_ents;
	const unsigned long base = op->arg1.linear_addr;

	if (ents > 8192 || (ents && ((base & ~PAGE_MASK) || !guest_va_ok(base))))
		return -EINVAL;
	return pv_set_ldt(current, ents ? base : 0, ents);
}

/* ---- Whole pages ---- */

/* A page of d as data: with general and writable references, or NULL. */
static struct page_info *get_writable_page(struct domain *d, unsigned long gfn)
{
	struct page_info *pg = get_page_from_gfn(d, _gfn(gfn));

	if (pg && get_writable_type(pg)) {
		put_page(pg);
		return NULL;
	}
	return pg;
}

static int ext_clear_page(const struct mmuext_op *op, struct domain *d)
{
	struct page_info *pg = get_writable_page(d, op->arg1.mfn);

	if (!pg)
		return -EINVAL;
	clear_page(page_to_virt(pg));
	log_dirty_page(pg);
	put_page_and_type(pg);
	return 0;
}

static int ext_copy_page(const struct mmuext_op *op, struct domain *d)
{
	struct page_info *src = get_page_from_gfn(d, _gfn(op->arg2.src_mfn)), *dst;

	if (!src)
		return -EINVAL;
	dst = get_writable_page(d, op->arg1.mfn);
	if (!dst) {
		put_page(src);
		return -EINVAL;
	}
	copy_page(page_to_virt(dst), page_to_virt(src));
	log_dirty_page(dst);
	put_page_and_type(dst);
	put_page(src);
	return 0;
}

static int superpages(const struct mmuext_op *op __maybe_unused, struct domain *d __maybe_unused)
{
	return -EOPNOTSUPP;
}

/* ---- Dispatch ---- */

static const struct ext_op ext_ops[] = {
	[MMUEXT_PIN_L1_TABLE]		= { pin_table, true },
	[MMUEXT_PIN_L2_TABLE]		= { pin_table, true },
	[MMUEXT_PIN_L3_TABLE]		= { pin_table, true },
	[MMUEXT_PIN_L4_TABLE]		= { pin_table, true },
	[MMUEXT_UNPIN_TABLE]		= { unpin_table, true },
	[MMUEXT_NEW_BASEPTR]		= { new_baseptr, false },
	[MMUEXT_NEW_USER_BASEPTR]	= { new_user_baseptr, false },
	[MMUEXT_TLB_FLUSH_LOCAL]	= { tlb_flush_local, false },
	[MMUEXT_TLB_FLUSH_ALL]		= { tlb_flush_all, false },
	[MMUEXT_TLB_FLUSH_MULTI]	= { tlb_flush_multi, false },
	[MMUEXT_INVLPG_LOCAL]		= { invlpg_local, false },
	[MMUEXT_INVLPG_ALL]		= { invlpg_all, false },
	[MMUEXT_INVLPG_MULTI]		= { invlpg_multi, false },
	[MMUEXT_FLUSH_CACHE]		= { flush_cache, false },
	[MMUEXT_FLUSH_CACHE_GLOBAL]	= { flush_cache_global, false },
	[MMUEXT_SET_LDT]		= { set_ldt, false },
	[MMUEXT_CLEAR_PAGE]		= { ext_clear_page, true },
	[MMUEXT_COPY_PAGE]		= { ext_copy_page, true },
	[MMUEXT_MARK_SUPER]		= { superpages, true },
	[MMUEXT_UNMARK_SUPER]		= { superpages, true },
};

static int run_ext_op(const struct mmuext_op *op, struct domain *d, bool foreign)
{
	const struct ext_op *row;
	int rc;

	if (unlikely(op->cmd >= ARRAY_SIZE(ext_ops)) || unlikely(!ext_ops[op->cmd].fn))
		return -ENOSYS;
	row = &ext_ops[op->cmd];
	if (unlikely(foreign) && !row->foreign)
		return -EPERM;
	rc = row->fn(op, d);
	return unlikely(rc == -EINTR) ? -ERESTART : rc;
}

static int run_ext_ops(struct mm_batch *b, struct domain *d)
{
	const bool foreign = d != current->domain;
	struct mmuext_op op;

	for (; b->i < b->count; b->i++) {
		int rc;

		if (b->i && (current->arch.old_guest_table || hypercall_preempt_check()))
			return -ERESTART;
		if (raw_copy_from_guest(&op, (const struct mmuext_op *)b->reqs + b->i, sizeof(op)))
			return -EFAULT;
		rc = run_ext_op(&op, d, foreign);
		if (unlikely(rc))
			return rc;
	}
	return 0;
}

DEFINE_HYPERCALL(mmuext_op)
{
	struct domain *d = current->domain;
	struct mm_batch b;
	long rc;

	if (!mm_batch_begin(&b, __HYPERVISOR_mmuext_op, sizeof(struct mmuext_op), a1, a2, a3, a4,
			    &rc))
		return rc;
	if (unlikely((domid_t)b.foreigndom != DOMID_SELF)) {
		d = get_pg_owner((domid_t)b.foreigndom);
		if (!d)
			return -ESRCH;
		/* The domains that only own frames have no tables. */
		if (d->is_system)
			return -EINVAL;
		rc = mm_permitted(d);
		if (rc)
			return rc;
	}
	return mm_batch_end(&b, run_ext_ops(&b, d));
}
