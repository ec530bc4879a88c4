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
/* smpboot.c: OFFLINE_SOFTIRQ's handler. */
void cpu_play_dead(void);

#endif
