/* SPDX-License-Identifier: MIT */
/* Page-table entries of long mode (SDM 3A 4.5), as types. */
#ifndef X86_PAGE_H
#define X86_PAGE_H

#include <core/types.h>

typedef struct { uint64_t pte; } pte_t;		/* an entry of any level */

#define PTE_PRESENT	0x001UL
#define PTE_RW		0x002UL
#define PTE_USER	0x004UL
#define PTE_PWT		0x008UL
#define PTE_PCD		0x010UL
#define PTE_ACCESSED	0x020UL
#define PTE_DIRTY	0x040UL
#define PTE_PSE		0x080UL			/* levels 2 and 3; PAT in level 1 */
#define PTE_PAT		0x080UL
#define PTE_GLOBAL	0x100UL
#define PTE_AVAIL	0xe00UL			/* software: low three */
#define PTE_AVAIL_HIGH	(0x7ffUL << 52)		/* software: bits 52-62 */
#define PTE_CACHE_ATTRS	(PTE_PWT | PTE_PCD | PTE_PAT)
#define PTE_GUEST_KERNEL (1UL << 52)		/* ABI: a kernel mapping of a PV64 guest */
#define PTE_NX		(1UL << 63)
#define PTE_ADDR_MASK	0x000ffffffffff000UL
#define PTE_FLAGS_MASK	(~PTE_ADDR_MASK)

#define PT_ENTRIES	512U
#define PTE_HYP_RW	(PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_NX)
#define PTE_HYP_RX	(PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL)
#define PTE_HYP_RO	(PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL | PTE_NX)
#define PTE_HYP_UC	(PTE_HYP_RW | PTE_PCD)	/* PAT layout 0x0050100070406: entry 2 is UC- */
#define PTE_HYP_TABLE	(PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED)

/* PAT as Linux PV guests expect it (ABI): WB WT UC- UC WC WP UC UC. */
#define HOST_PAT	0x050100070406UL

static inline pte_t pte_make(mfn_t m, uint64_t flags)
{
	return (pte_t){ (mfn_x(m) << PAGE_SHIFT) | flags };
}
static inline mfn_t pte_mfn(pte_t e) { return _mfn((e.pte & PTE_ADDR_MASK) >> PAGE_SHIFT); }
static inline uint64_t pte_flags(pte_t e) { return e.pte & PTE_FLAGS_MASK; }
static inline bool pte_present(pte_t e) { return e.pte & PTE_PRESENT; }

static inline unsigned int l1_index(unsigned long va) { return (va >> 12) & 511; }
static inline unsigned int l2_index(unsigned long va) { return (va >> 21) & 511; }
static inline unsigned int l3_index(unsigned long va) { return (va >> 30) & 511; }
static inline unsigned int l4_index(unsigned long va) { return (va >> 39) & 511; }
static inline bool is_canonical(unsigned long va)
{
	return (unsigned long)((long)(va << 16) >> 16) == va;
}

#endif
