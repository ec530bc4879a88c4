/* SPDX-License-Identifier: MIT */
/*
 * What the files of mm/ share: the description of the four table levels, the
 * references that an entry holds, and the state machine of page types.
 * docs/memory.md tells how they work together.
 */
#ifndef X86_MM_PRIVATE_H
#define X86_MM_PRIVATE_H

#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <arch/barrier.h>
#include <arch/flush.h>
#include <arch/map.h>
#include <x86/layout.h>
#include <x86/mm.h>

/* ---- page_format.c: what a guest may write into an entry of each level ---- */

struct pt_format {
	uint64_t disallow;	/* bits that a present entry may not have */
	/* bits that change nothing but the entry: no reference depends on them */
	uint64_t fast;
	uint64_t set;		/* bits that we add to a present entry */
	unsigned long child;	/* PGT_ type of the frame that an entry names */
};
extern const struct pt_format pt_format[6];	/* [level], 1 to 4; 5 describes a base pointer */

/*
 * The rules for leaves of a 64-bit PV guest, whose kernel runs in ring 3 too:
 * all mappings are user mappings for the CPU. Kernel mappings get a software
 * bit; true user mappings become global, so that they outlive the switch from
 * user to kernel and back.
 */
static inline pte_t adjust_l1e(pte_t e)
{
	if (e.pte & PTE_PRESENT) {
		if (!(e.pte & PTE_USER))
			e.pte |= PTE_USER | PTE_GUEST_KERNEL;
		if (!(e.pte & PTE_GUEST_KERNEL))
			e.pte |= PTE_GLOBAL;
	}
	return e;
}

/* L4 slots 256-271 are ours. */
static inline bool is_guest_slot(unsigned int level, unsigned int slot)
{
	return level < 4 || slot < HYP_FIRST_SLOT || slot > HYP_LAST_SLOT;
}

/* May a guest map or translate this address? The hole of non-canonical ones belongs to nobody. */
static inline bool guest_va_ok(unsigned long va)
{
	return va < (1UL << 47) || va >= DIRECTMAP_END;
}

/* A base pointer that is not there: frame 0 is never a page table (it belongs to DOMID_IO). */
static inline bool no_table(mfn_t m)
{
	return m.m + 1 <= 1;
}

/* CR3 for v in kernel mode (i = TF_kernel_mode) or user mode (0) on the guest's own table t. */
static inline void set_load_cr3(struct vcpu *v, unsigned int i, mfn_t t)
{
	v->arch.load_cr3[i] = mfn_to_paddr(unlikely(no_table(t)) ? idle_l4_mfn() : t);
}
/* The vcpu's base pointers changed. */
static inline void base_changed(struct vcpu *v, unsigned int i, mfn_t t)
{
	if (likely(!v->arch.shadow))
		set_load_cr3(v, i, t);
}

/*
 * PGT_ type of a table level and back; level_of is 0 and 5 or more for types
 * that are not tables.
 */
static inline unsigned long type_of_level(unsigned int level)
{
	return (unsigned long)level << 61;
}
static inline unsigned int level_of(unsigned long type) { return (unsigned int)(type >> 61); }
static inline bool is_table_type(unsigned long type)
{
	return level_of(type) - 1 < 4;
}

/* ---- page_type.c ---- */

/* Where to go on when an entry's page was left PGT_partial. */
#define PARTIAL_SET	1	/* partial_flags: entry [nr_validated] has a general reference */

int page_type_get(struct page_info *pg, unsigned long type, bool preemptible);
/* partial: pg may be PGT_partial; if it is not, there is nothing to do. */
int page_type_put(struct page_info *pg, bool partial, bool preemptible);
/* Leaves a page and the references that it stands for to put_old_guest_table(). */
void defer_table_put(struct page_info *pg, bool partial);
/* put_old_guest_table(), for which there is seldom anything to do. */
static inline int finish_old_table(struct vcpu *v)
{
	return likely(!v->arch.old_guest_table) ? 0 : put_old_guest_table(v);
}
/* pg's references are dropped; what is preempted is deferred: 0 or -ERESTART. */
int put_table_or_defer(struct page_info *pg);

/* The L1 page of frame mfn, locked and owned by d, or NULL. Undone by put_locked_l1. */
struct page_info *get_locked_l1(mfn_t mfn, const struct domain *d);
void put_locked_l1(struct page_info *pg);

/*
 * A writable reference, the path that everything hot takes: one exchange if
 * the page has been writable last (the type outlives its last reference).
 */
static inline int get_writable_type(struct page_info *pg)
{
	unsigned long x = read_once(pg->type_info);

	if (likely((x & (PGT_type_mask | PGT_validated)) == (PGT_writable_page | PGT_validated)) &&
	    likely((x & PGT_count_mask) != PGT_count_mask) &&
	    likely(atomic_cmpxchg(&pg->type_info, x, x + 1) == x))
		return 0;
	return page_type_get(pg, PGT_writable_page, false);
}
/*
 * The caller made the page busy (PGT_validated cleared) when he dropped the last reference to a type
 * without contents. CPUs that flush from now on hold no translation from before: the stamp says so to
 * whoever takes the page as something else, who waits until it is written.
 */
static inline void leave_type(struct page_info *pg)
{
	pg->tlbflush_stamp = tlbflush_current_time();
	(void)atomic_add_return(&pg->type_info, PGT_validated - 1);
}
static inline void put_writable_type(struct page_info *pg)
{
	unsigned long x = read_once(pg->type_info);

	if (likely((x & (PGT_count_mask | PGT_locked)) == 1)) {
		if (likely(atomic_cmpxchg(&pg->type_info, x, x & ~PGT_validated) == x)) {
			leave_type(pg);
			return;
		}
	} else if (likely(!(x & PGT_locked)) &&
		   likely(atomic_cmpxchg(&pg->type_info, x, x - 1) == x)) {
		return;
	}
	(void)page_type_put(pg, false, false);
}

/* PGT_pinned stands for one type and one general reference; whoever clears it drops them. */
static inline bool test_and_set_pinned(struct page_info *pg)
{
	return __atomic_fetch_or(&pg->type_info, PGT_pinned, __ATOMIC_SEQ_CST) & PGT_pinned;
}
static inline bool test_and_clear_pinned(struct page_info *pg)
{
	return __atomic_fetch_and(&pg->type_info, ~PGT_pinned, __ATOMIC_SEQ_CST) & PGT_pinned;
}

/* ---- page_ref.c ---- */
/* One more reference to a page that certainly has one. */
void get_page_again(struct page_info *pg);

/* ---- validate.c ---- */

/*
 * Checks every entry of a table page and takes its references, or gives them
 * back, from where pg->nr_validated and partial_flags say. 0 done; -EINTR
 * preempted before anything was done; -ERESTART preempted, position noted;
 * validate: other errnos with the position noted where *residue is set.
 */
int table_validate(struct page_info *pg, unsigned int level, bool preemptible, bool *residue);
int table_invalidate(struct page_info *pg, unsigned int level, bool preemptible);

/* A page of segment descriptors: each is made safe in place, or -EINVAL. */
int validate_seg_desc_page(struct page_info *pg);

/*
 * The references of a leaf. get: 0, or bits to be flipped in the entry (device
 * memory is never cached), or -EINVAL, -EPERM, -EBUSY, -EACCES. e is present.
 * pg_dom is who must own the frame; pt_dom owns the table.
 */
long get_leaf_refs(pte_t e, struct domain *pt_dom, struct domain *pg_dom);
/* The entry is gone from its table already. */
void put_leaf_refs(pte_t e, const struct domain *pt_dom);
/*
 * The references of an entry of level 2 to 4, or of a base pointer (5). retain:
 * keep the general one if -ERESTART.
 */
int get_table_refs(pte_t e, unsigned int level, struct domain *d, bool preemptible, bool retain);

/* ---- mod_entry.c: one entry of a validated table, which is locked ---- */

int mod_l1_entry(pte_t *p, pte_t new, bool preserve_ad, struct domain *pt_dom,
		 struct domain *pg_dom);
/* As mod_l1_entry, if the entry is still `old`; else -EAGAIN and nothing is changed. */
int cmpxchg_l1_entry(pte_t *p, pte_t old, pte_t new, struct domain *d);
/* Levels 2 to 4. The old entry's table is left to put_old_guest_table(). */
int mod_table_entry(pte_t *p, pte_t new, unsigned int level, bool preserve_ad, struct domain *d);

/* ---- page_ref.c: get_page() and put_page() in line, for the paths that every update takes ---- */

void put_last_ref(struct page_info *pg);

static inline bool get_page_hot(struct page_info *pg, const struct domain *d)
{
	unsigned long x, y = read_once(pg->count_info);
	const struct domain *owner;

	do {
		x = y;
		/* 0: free. The highest value but one is left to get_page_again(). */
		if (unlikely(((x + 2) & PGC_count_mask) <= 2))
			return false;
	} while (unlikely((y = atomic_cmpxchg(&pg->count_info, x, x + 1)) != x));

	owner = page_get_owner(pg);
	if (likely(owner == d) || (!d && owner))
		return true;
	put_page(pg);
	return false;
}
static inline void put_page_hot(struct page_info *pg)
{
	unsigned long left = atomic_sub_return(&pg->count_info, 1);

	ASSERT((left & PGC_count_mask) != PGC_count_mask);
	if (unlikely(!(left & PGC_count_mask)))
		put_last_ref(pg);
}

/* ---- walk.c ---- */
/*
 * The leaf that maps va in v's kernel tables, NULL if there is none; *table is
 * the frame that holds it. v is current; interrupts are on.
 */
pte_t *guest_leaf(const struct vcpu *v, unsigned long va, mfn_t *table);

/* ---- batch.c: what the hypercalls that take an array have in common ---- */

/* Bit 31 of the count argument: we come back after a preemption. */
#define COUNT_PREEMPTED	0x80000000u

/* One call of mmu_update or mmuext_op: its arguments, and how far it got. */
struct mm_batch {
	unsigned int op;		/* __HYPERVISOR_ number */
	unsigned int count;		/* elements asked for */
	unsigned int i;			/* elements done by this invocation */
	unsigned int foreigndom;
	unsigned long reqs;		/* guest address of the array */
	unsigned long elem_size;
	unsigned long pdone;		/* guest address of the count of elements done, 0 = none */
	unsigned int done;		/* done by invocations before */
};
/* True: go on. False: *rc is the hypercall's result. */
bool mm_batch_begin(struct mm_batch *b, unsigned int op, unsigned long elem_size,
		    unsigned long reqs, unsigned long count, unsigned long pdone,
		    unsigned long foreigndom, long *rc);
/* rc: 0, -errno of element i, or -ERESTART. Arranges the continuation if there is more to do. */
long mm_batch_end(struct mm_batch *b, long rc);

/* The domain that a caller names as owner of frames. NULL: no such domain (or itself by number). */
struct domain *get_pg_owner(domid_t domid);
/* 0 or -EPERM: may the current domain act on d's tables or memory? */
int mm_permitted(const struct domain *d);
/* Has d any device resource, so that it may choose cache attributes? */
bool may_set_cache_attrs(struct domain *d);
/* May d map this frame of device memory? */
bool iomem_permitted(const struct domain *d, unsigned long mfn);
/* Physical CPUs that may hold translations of the vcpus in a bitmap of the guest: 0 or -EFAULT. */
int vcpumask_to_pcpumask(struct domain *d, unsigned long guest_bits, cpumask_t *mask);

#endif
