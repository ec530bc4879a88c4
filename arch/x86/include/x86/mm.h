/* SPDX-License-Identifier: MIT */
/* What the x86 memory code offers to the rest of arch/x86. */
#ifndef X86_MM_H
#define X86_MM_H

#include <core/domain.h>
#include <x86/page.h>

/* ---- paging.c: the hypervisor's own tables (boot) ---- */
extern pte_t idle_l4[PT_ENTRIES];		/* hypervisor slots only */
/* direct map, frame table, M2P; needs boot_alloc_pages */
void __init paging_init(void);
/* Maps [pa, pa+len) uncached; never fails at boot, NULL later. Offset kept. */
void *ioremap(paddr_t pa, size_t len);
void iounmap(void *va, size_t len);
/*
 * Maps nr 4 KiB pages at va in the hypervisor's tables (image, windows). flags:
 * PTE_HYP_*. 0 or -ENOMEM.
 */
int map_pages_to_hyp(unsigned long va, mfn_t mfn, unsigned long nr, uint64_t flags);
void unmap_pages_from_hyp(unsigned long va, unsigned long nr);
/* Entry that maps va in the hypervisor's tables (level 1), NULL if none. */
pte_t *hyp_l1e(unsigned long va);
mfn_t idle_l4_mfn(void);
/* mm/memory.c: any page size; INVALID_MFN if not mapped */
mfn_t hyp_va_to_mfn(unsigned long va);
void init_guest_l4_slots(pte_t *l4);		/* fills slots 256-271 */

/* ---- mm/: direct paging for PV guests ---- */
/*
 * Typed references of core/mm.h, whose work on page tables may be preempted:
 * 0; -EINVAL; -ERESTART (some progress, page is PGT_partial) or -EINTR (none):
 * with either the caller keeps what it had and calls again.
 */
int get_page_type_preemptible(struct page_info *pg, unsigned long type);
int put_page_type_preemptible(struct page_info *pg);
int put_page_and_type_preemptible(struct page_info *pg);
/*
 * Finishes what v->arch.old_guest_table says: 0, or -ERESTART. First act of
 * each paging hypercall.
 */
int put_old_guest_table(struct vcpu *v);
/* Device memory that the hardware domain may only read (MSI-X tables); its writes are dropped. */
extern struct rangeset *mmio_ro_ranges;
/* DOMID_IO/XEN ownership of non-RAM frames; after domains_init */
void arch_mm_init(void);
/* Loads v's page tables (kernel or user by TF_kernel_mode). */
void write_ptbase(struct vcpu *v);
/* CR3 := pa with no other side effect but accounting of the flush. */
void switch_cr3(unsigned long cr3);
/* New kernel L4 for current (MMUEXT_NEW_BASEPTR, emulated mov cr3): 0, -EINVAL, -ERESTART. */
int new_guest_cr3(mfn_t mfn);
/* Drops v's base pointers; -ERESTART / -EINTR when preempted. */
int vcpu_destroy_pagetables(struct vcpu *v);
/*
 * Takes the L4 frames of a vcpu that is down and has none (user may be frame 0
 * or INVALID_MFN: none). 0, -EINVAL, or -ERESTART: call again with the same.
 */
int vcpu_set_base_tables(struct vcpu *v, mfn_t kernel, mfn_t user);
/* #PF from the guest: emulates writes to page tables. True if handled (return to the guest). */
bool mm_fixup_guest_fault(struct vcpu *v, unsigned long va, unsigned int error_code,
			  struct cpu_user_regs *regs);
/*
 * Walks current's tables: the leaf entry that maps va (4 KiB), and where it is.
 * False if not mapped so.
 */
bool guest_walk_l1e(struct vcpu *v, unsigned long va, pte_t *entry, mfn_t *table);
/* Releases d's memory and page tables, preemptibly. */
int mm_relinquish_memory(struct domain *d);
/* Types and pins during dom0's construction. */
void mm_dom0_set_types(struct domain *d, mfn_t l4);
bool is_iomem_page(mfn_t mfn);
/* getpageframeinfo3's answer for one frame. */
unsigned int page_frame_info(struct domain *d, mfn_t mfn);

/* M2P */
#define rw_m2p	((unsigned long *)RW_M2P_START)
#define ro_m2p	((unsigned long *)RO_M2P_START)

/* ---- page lock of a page-table frame (PGT_locked) ---- */
bool page_lock(struct page_info *pg);		/* false: not (any more) a page table */
void page_unlock(struct page_info *pg);

#endif
