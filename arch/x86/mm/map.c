/* SPDX-License-Identifier: MIT */
/*
 * Mappings that grants make and undo in the page tables of the current guest.
 *
 * The grant code holds the references that the leaf stands for and passes them
 * on: a leaf made here is like any other, and is dropped like any other when it
 * goes in another way than by unmap.
 */
#include "private.h"

#include <xen/grant_table.h>

#define GUEST_AVAIL_SHIFT	16	/* GNTMAP_guest_avail0, to PTE bits 9-11 */
#define GUEST_AVAIL_MASK	7U

/* The leaf that the flags of a grant mapping ask for. */
static inline pte_t grant_pte(mfn_t mfn, unsigned int flags)
{
	uint64_t f = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_NX;

	if (flags & GNTMAP_application_map)
		f |= PTE_USER;
	if (!(flags & GNTMAP_readonly))
		f |= PTE_RW;
	f |= (uint64_t)((flags >> GUEST_AVAIL_SHIFT) & GUEST_AVAIL_MASK) << 9;
	return adjust_l1e(pte_make(mfn, f));
}

/*
 * Where host_addr says: the entry itself, or the entry that maps an address.
 * Its table is locked and referenced: *table, for put_locked_l1(). NULL if it
 * is no leaf of a table of d.
 */
static inline pte_t *lock_leaf(uint64_t host_addr, unsigned int flags, struct vcpu *v,
			       struct page_info **table)
{
	pte_t *p;
	mfn_t mfn;

	if (flags & GNTMAP_contains_pte) {
		mfn = paddr_to_mfn(host_addr);
		if ((host_addr & 7) || !mfn_valid(mfn))
			return NULL;
		p = (pte_t *)(mfn_to_virt(mfn) + (host_addr & ~PAGE_MASK));
	} else {
		p = guest_leaf(v, host_addr, &mfn);
		if (!p)
			return NULL;
	}
	*table = get_locked_l1(mfn, v->domain);
	return *table ? p : NULL;
}

static void drop_leaf(pte_t e)
{
	if (pte_present(e))
		put_leaf_refs(e, current->domain);
}

int arch_grant_map(uint64_t host_addr, mfn_t mfn, unsigned int flags)
{
	struct page_info *table;
	pte_t old, *p = lock_leaf(host_addr, flags, current, &table);

	if (unlikely(!p))
		return GNTST_general_error;
	old.pte = atomic_xchg(&p->pte, grant_pte(mfn, flags).pte);
	log_dirty_page(table);
	put_locked_l1(table);
	drop_leaf(old);
	return GNTST_okay;
}

/* For unmap-and-replace: takes the leaf away from where va is mapped. */
static bool steal_leaf(unsigned long va, pte_t *leaf)
{
	struct page_info *table;
	pte_t *p = lock_leaf(va, 0, current, &table);

	if (!p)
		return false;
	leaf->pte = atomic_xchg(&p->pte, 0UL);
	log_dirty_page(table);
	put_locked_l1(table);
	return true;
}

/* The guest may have changed flags, but it must be this frame with these rights. */
#define GRANT_LEAF_MUST	(PTE_ADDR_MASK | PTE_PRESENT | PTE_RW)

/* The rare end of an unmapping: the leaf is another than was granted, or somebody logs. */
static __attribute__((noinline)) int unmap_rarely(struct page_info *table, pte_t *p, pte_t new,
						  uint64_t change)
{
	const bool wrong = change & GRANT_LEAF_MUST;

	if (!wrong) {
		write_once(p->pte, new.pte);
		log_dirty_page(table);
	}
	put_locked_l1(table);
	if (wrong)
		drop_leaf(new);
	return wrong ? GNTST_general_error : GNTST_okay;
}

int arch_grant_unmap(uint64_t host_addr, mfn_t mfn, uint64_t new_addr, unsigned int flags)
{
	struct page_info *table;
	pte_t new = { 0 }, *p;
	uint64_t change;

	if (unlikely(new_addr) && ((flags & GNTMAP_contains_pte) || !steal_leaf(new_addr, &new)))
		return GNTST_general_error;
	p = lock_leaf(host_addr, flags, current, &table);
	if (unlikely(!p)) {
		drop_leaf(new);		/* it was stolen, and has no place now */
		return GNTST_general_error;
	}
	change = read_once(p->pte) ^ grant_pte(mfn, flags).pte;
	/* The second term takes the rare branch while anybody logs, without a test for it. */
	if (unlikely((change & GRANT_LEAF_MUST) | log_dirty_on))
		return unmap_rarely(table, p, new, change);
	write_once(p->pte, new.pte);
	put_locked_l1(table);
	return GNTST_okay;
}

struct page_info *get_page_from_gfn(struct domain *d, gfn_t gfn)
{
	const mfn_t mfn = _mfn(gfn_x(gfn));

	return mfn_valid(mfn) && get_page_hot(mfn_to_page(mfn), d) ? mfn_to_page(mfn) : NULL;
}

gfn_t mfn_to_gfn(const struct domain *d __maybe_unused, mfn_t mfn)
{
	return _gfn(mfn_x(mfn));
}

void set_gpfn_from_mfn(mfn_t mfn, unsigned long pfn)
{
	if (mfn_valid(mfn))
		write_once(rw_m2p[mfn_x(mfn)], pfn);
}

unsigned long get_gpfn_from_mfn(mfn_t mfn)
{
	return mfn_valid(mfn) ? read_once(rw_m2p[mfn_x(mfn)]) : INVALID_M2P_ENTRY;
}
