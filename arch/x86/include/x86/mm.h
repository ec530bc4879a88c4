/* SPDX-License-Identifier: MIT */
/* What the x86 memory code offers to the rest of arch/x86. */
#ifndef X86_MM_H
#define X86_MM_H

#include <core/domain.h>
#include <x86/page.h>

/* ---- paging.c: the hypervisor's own tables (boot) ---- */
extern pte_t idle_l4[PT_ENTRIES];		/* hypervisor slots only */
void __init paging_init(void);			/* direct map, frame table, M2P; needs boot_alloc_pages */
/* Maps [pa, pa+len) uncached; never fails at boot, NULL later. Offset kept. */
void *ioremap(paddr_t pa, size_t len);
void iounmap(void *va, size_t len);
/* Maps nr 4 KiB pages at va in the hypervisor's tables (image, windows). flags: PTE_HYP_*. 0 or -ENOMEM. */
int map_pages_to_hyp(unsigned long va, mfn_t mfn, unsigned long nr, uint64_t flags);
void unmap_pages_from_hyp(unsigned long va, unsigned long nr);
/* Entry that maps va in the hypervisor's tables (level 1), NULL if none. */
pte_t *hyp_l1e(unsigned long va);
mfn_t idle_l4_mfn(void);
void init_guest_l4_slots(pte_t *l4);		/* fills slots 256-271 */

/* ---- mm/: direct paging for PV guests ---- */
void arch_mm_init(void);			/* DOMID_IO/XEN ownership of non-RAM frames; after domains_init */
/* Loads v's page tables (kernel or user by TF_kernel_mode). */
void write_ptbase(struct vcpu *v);
/* CR3 := pa with no other side effect but accounting of the flush. */
void switch_cr3(unsigned long cr3);
/* New kernel L4 for current (MMUEXT_NEW_BASEPTR, emulated mov cr3): 0, -EINVAL, -ERESTART. */
int new_guest_cr3(mfn_t mfn);
/* Drops v's base pointers; -ERESTART / -EINTR when preempted. */
int vcpu_destroy_pagetables(struct vcpu *v);
/* Takes L4 frame for a vcpu that is down: arch_set_info_guest. 0 or -errno. */
int vcpu_set_base_tables(struct vcpu *v, mfn_t kernel, mfn_t user);
/* #PF from the guest: emulates writes to page tables. True if handled (return to the guest). */
bool mm_fixup_guest_fault(struct vcpu *v, unsigned long va, unsigned int error_code,
			  struct cpu_user_regs *regs);
/* Walks current's tables: the leaf entry that maps va (4 KiB), and where it is. False if not mapped so. */
bool guest_walk_l1e(struct vcpu *v, unsigned long va, pte_t *entry, mfn_t *table);
/* Releases d's memory and page tables, preemptibly. */
int mm_relinquish_memory(struct domain *d);
/* Types and pins during dom0's construction. */
void mm_dom0_set_types(struct domain *d, mfn_t l4);
bool is_iomem_page(mfn_t mfn);
long mm_memory_op(unsigned long cmd, unsigned long arg);	/* machphys_mfn_list, foreign maps, add_to_physmap */
/* getpageframeinfo3's answer for one frame. */
unsigned int page_frame_info(struct domain *d, mfn_t mfn);

/* M2P */
#define rw_m2p	((unsigned long *)RW_M2P_START)
#define ro_m2p	((unsigned long *)RO_M2P_START)

/* ---- page lock of a page-table frame (PGT_locked) ---- */
bool page_lock(struct page_info *pg);		/* false: not (any more) a page table */
void page_unlock(struct page_info *pg);

#endif
