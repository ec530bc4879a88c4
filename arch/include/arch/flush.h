/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes. A freed page that a guest could map keeps the flush clock's
 * value; before reuse only the CPUs that have not flushed since are flushed.
 */
#ifndef ARCH_FLUSH_H
#define ARCH_FLUSH_H

#include <core/types.h>
#include <core/cpumask.h>

void flush_tlb_local(void);			/* all non-global and global entries */
void flush_tlb_one_local(unsigned long va);
/*
 * The same on every CPU of mask (this one included if in it); waits. Interrupts
 * on, or only this CPU.
 */
void flush_tlb_mask(const cpumask_t *mask);
void flush_tlb_one_mask(const cpumask_t *mask, unsigned long va);
void flush_tlb_all(void);
void flush_cache_all(void);			/* WBINVD everywhere */

uint32_t tlbflush_current_time(void);
/* Drops from mask each CPU that has flushed since `stamp` was taken; 0 is unknown and drops none. */
void tlbflush_filter(cpumask_t *mask, uint32_t stamp);

#endif
