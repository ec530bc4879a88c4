/* SPDX-License-Identifier: MIT */
/* Mappings that the core asks of the port: grants into guests, and guest frames for itself. */
#ifndef ARCH_MAP_H
#define ARCH_MAP_H

#include <core/types.h>

struct domain;
struct page_info;

/*
 * Maps mfn into the current (PV) guest at host_addr: a virtual address, or with
 * GNTMAP_contains_pte the machine address of a PTE. flags: GNTMAP_* of
 * <xen/grant_table.h>; readonly says that the PTE must not be writable. The
 * caller holds the page reference (and a writable type unless readonly).
 * The entry must be empty or be replaced by rules of the ABI. GNTST_* code.
 */
int arch_grant_map(uint64_t host_addr, mfn_t mfn, unsigned int flags);
/*
 * Undoes it: the entry at host_addr must map mfn with flags; it is cleared, or
 * with new_addr replaced by the entry at new_addr (which is cleared then).
 * No flush: the caller does one for the batch. GNTST_* code.
 */
int arch_grant_unmap(uint64_t host_addr, mfn_t mfn, uint64_t new_addr, unsigned int flags);

/*
 * The frame behind a guest frame number of d (PV: the same number), with a
 * reference; NULL if none.
 */
struct page_info *get_page_from_gfn(struct domain *d, gfn_t gfn);
/* d's own gfn of a frame, for interfaces that speak gfns (PV: mfn). */
gfn_t mfn_to_gfn(const struct domain *d, mfn_t mfn);
/* M2P entry: the guest's pseudo-physical number of a frame. */
void set_gpfn_from_mfn(mfn_t mfn, unsigned long pfn);
unsigned long get_gpfn_from_mfn(mfn_t mfn);
#define INVALID_M2P_ENTRY	(~0UL)
#define SHARED_M2P_ENTRY	(~0UL - 1)

#endif
