/* SPDX-License-Identifier: MIT */
/*
 * Memory: frames, the guest's own page tables, and their updates.
 *
 * The kernel maps pfn n at GUEST_VIRT_BASE + n * 4096 (three quarters, or MM_LINEAR_MAX if that is
 * less; the rest is left to pfn_alloc_unmapped()), so a page is named by its kernel address:
 * page_alloc() gives zeroed, writable ones. A page that is to become a page table is made read-only
 * first (page_protect()); the pt_* functions do that for the tables that they add.
 */
#ifndef GUEST_MM_H
#define GUEST_MM_H

#include <guest/hypercall.h>
#include <guest/layout.h>

typedef uint64_t pte_t;

#define PTE_P		(1UL << 0)
#define PTE_RW		(1UL << 1)
#define PTE_US		(1UL << 2)
#define PTE_PWT		(1UL << 3)
#define PTE_PCD		(1UL << 4)
#define PTE_A		(1UL << 5)
#define PTE_D		(1UL << 6)
#define PTE_PSE		(1UL << 7)
#define PTE_PAT		(1UL << 7)
#define PTE_G		(1UL << 8)
#define PTE_NX		(1UL << 63)
#define PTE_MFN_MASK	0x000ffffffffff000UL

#define PTE_KERNEL	(PTE_P | PTE_RW | PTE_A | PTE_D)
#define PTE_KERNEL_RO	(PTE_P | PTE_A)
#define PTE_USER	(PTE_KERNEL | PTE_US)
#define PTE_TABLE	(PTE_P | PTE_RW | PTE_US | PTE_A)

#define MM_LINEAR_MAX	(64UL << 20)

static inline pte_t pte_make(unsigned long mfn, uint64_t flags)
{
	return (uint64_t)mfn << PAGE_SHIFT | flags;
}

static inline unsigned long pte_mfn(pte_t pte)
{
	return (pte & PTE_MFN_MASK) >> PAGE_SHIFT;
}

/* Find free memory and extend the linear mapping over it. */
void mm_init(void);

/* pfn <-> address in the linear mapping, pfn <-> mfn. */
static inline unsigned long virt_to_pfn(const void *va)
{
	return (PTR(va) - GUEST_VIRT_BASE) >> PAGE_SHIFT;
}

static inline void *pfn_to_virt(unsigned long pfn)
{
	return (void *)(GUEST_VIRT_BASE + (pfn << PAGE_SHIFT));
}

extern unsigned long *p2m;

static inline unsigned long pfn_to_mfn(unsigned long pfn)
{
	return p2m[pfn];
}

static inline unsigned long virt_to_mfn(const void *va)
{
	return p2m[virt_to_pfn(va)];
}

static inline uint64_t virt_to_maddr(const void *va)
{
	return ((uint64_t)virt_to_mfn(va) << PAGE_SHIFT) | (PTR(va) & ~PAGE_MASK);
}

static inline unsigned long mfn_to_pfn(unsigned long mfn)
{
	return machine_to_phys_mapping[mfn];
}

static inline void *mfn_to_virt(unsigned long mfn)
{
	return pfn_to_virt(mfn_to_pfn(mfn));
}

/* A zeroed page of the linear mapping; never fails (panics). The raw one has whatever was in it. */
void *page_alloc(void);
void *page_alloc_raw(void);
void page_free(void *page);

/* Pages that page_alloc() can still give. */
unsigned long page_available(void);

/*
 * A pfn above the linear mapping, unmapped and free to use (its memory is ours); 0 if there is
 * none.
 */
unsigned long pfn_alloc_unmapped(void);

/* The L4 that the kernel runs on. */
extern pte_t *kernel_l4;

/*
 * The guest PTE for va at level 1..4 under the L4 given, readable through the linear mapping. NULL
 * where a higher level is not present.
 */
const pte_t *pt_lookup(const pte_t *l4, unsigned long va, unsigned int level);

/* The leaf PTE of va under kernel_l4, 0 if there is none. */
pte_t pt_leaf(unsigned long va);

/* Write one entry of a (pinned or live) table by mmu_update. */
long pt_write(const pte_t *entry, pte_t value);

/* Map va to pte under l4, adding tables as needed. Panics on errors: for set-up, not for tests. */
void pt_map(pte_t *l4, unsigned long va, pte_t pte);

/* Make a page's kernel mapping read-only or writable. */
long page_protect(void *page);
long page_unprotect(void *page);

/* Pin as level 1..4, unpin. */
long pt_pin(void *page, unsigned int level);
long pt_unpin(void *page);

/* MMUEXT one-liners for the mfn given. */
long mmuext_mfn(unsigned int cmd, unsigned long mfn);
long mmuext_simple(unsigned int cmd, unsigned long linear_addr);

#endif
