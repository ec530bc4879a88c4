/* SPDX-License-Identifier: MIT */
/*
 * A world with page tables, for the tests of arch/x86/mm: a domain with pages,
 * tables built in them as a guest would (by plain stores while they have no
 * type), and the calls that a hypercall handler would make.
 *
 * Each test that uses it links PT_WORLD's sources (see any of them).
 */
#ifndef UNIT_PT_WORLD_H
#define UNIT_PT_WORLD_H

#include "harness.h"
#include "../../arch/x86/mm/private.h"

#define LEAF_RW		(PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY)
#define LEAF_RO		(PTE_PRESENT | PTE_ACCESSED)
#define TABLE		(PTE_PRESENT | PTE_RW | PTE_ACCESSED)

extern struct domain *pt_dom;		/* domain 1, unprivileged, two vcpus; vcpu 0 is current */
extern struct domain *pt_other;		/* domain 2 */
extern struct domain *pt_tools;		/* domain 0, privileged */

/* A setup function for cmocka: the fake machine, and the domains above. */
int pt_setup(void **state);
int pt_teardown(void **state);
#define pt_test(f)	cmocka_unit_test_setup_teardown(f, pt_setup, pt_teardown)

/* A zeroed page of d. */
struct page_info *pt_page(struct domain *d);
pte_t *pt_entries(struct page_info *pg);
/* Entry i of a page without type := target with flags. */
void pt_fill(struct page_info *table, unsigned int i, struct page_info *target, uint64_t flags);
uint64_t pt_value(struct page_info *target, uint64_t flags);
/* The address of entry i, as mmu_update names it. */
uint64_t pt_maddr(struct page_info *table, unsigned int i);
unsigned long pt_mfn(struct page_info *pg);

/* A page's references and type, for comparisons. */
unsigned long pt_count(struct page_info *pg);
unsigned long pt_type(struct page_info *pg);		/* PGT_ type if it is in use, else 0 */
unsigned long pt_type_count(struct page_info *pg);

/*
 * A tree: one L4, one L3, `nr_l2` L2s with `nr_l1` L1s each, `nr_leaf` leaves in
 * each L1 over one read-write data page, entries spread evenly. All unchecked.
 */
struct pt_tree {
	struct page_info *l4, *l3, *data;
	unsigned int nr_pages;
	struct page_info *pages[128];	/* every table page, top first */
};
void pt_tree(struct pt_tree *t, unsigned int nr_l2, unsigned int nr_l1, unsigned int nr_leaf);
/* No page of the tree has a type in use, a reference but its owner's, or a flag left. */
void pt_assert_released(const struct pt_tree *t);

/* Hypercalls as the current vcpu would make them, repeated while they are to be continued. */
long pt_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
		   unsigned int domid);
long pt_update_one(uint64_t ptr, uint64_t val);
long pt_mmuext(unsigned int cmd, unsigned long mfn, unsigned int domid);
/* How often the last of these was continued. */
extern unsigned int pt_continuations;

/* Fakes of what mm/ asks for. */
extern unsigned int pt_injected;	/* exceptions queued */

#endif
