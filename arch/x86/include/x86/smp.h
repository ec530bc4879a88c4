/* SPDX-License-Identifier: MIT */
/* Calls across CPUs, for those who bring CPUs up and down (arch/cpu.h has the rest). */
#ifndef X86_SMP_H
#define X86_SMP_H

#include <core/types.h>

/* In an NMI: true if this CPU is asked to stop (panic, reboot); it must not come back then. */
bool smp_stop_requested(void);
/*
 * The call of this CPU, if one is waiting for it: for loops with interrupts off
 * that others wait for.
 */
void smp_poll_calls(void);
/* The flush itself, global entries included, without noting it in the clock. */
void flush_tlb_global(void);
void flush_init(void);
/*
 * Noting a flush that a CR3 load makes, if it drops global entries too (guests'
 * user mappings are global): t = begin(); load; end(t), interrupts off.
 */
uint32_t flush_clock_begin(void);
void flush_clock_end(uint32_t t);

#endif
