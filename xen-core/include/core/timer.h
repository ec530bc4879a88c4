/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers. Each CPU has a pairing heap of its armed timers, linked
 * through the timers themselves, so that arming never allocates and never
 * fails. Handlers run in TIMER_SOFTIRQ on the timer's CPU: interrupts on, no
 * lock held. The fields are timer.c's own.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <core/types.h>

enum timer_state { TIMER_invalid, TIMER_inactive, TIMER_queued, TIMER_killed };

struct timer {
	s_time_t expires;
	void (*fn)(void *data);
	void *data;
	/* Pairing heap: first child, right sibling, left sibling or parent. */
	struct timer *child, *next, *prev;
	unsigned int cpu;		/* changes under the locks of both CPUs */
	uint32_t state;			/* enum timer_state; under the CPU's timer lock */
};

void timers_init(void);			/* boot CPU, once */
void timers_init_cpu(unsigned int cpu);	/* before cpu comes online */
void timers_offline_cpu(unsigned int cpu);	/* its timers move to another online CPU */
/* Prepares an inactive timer. No lock. */
void init_timer(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
/* (Re)arms: fn runs at or soon after `expires`; in the past means at once. Any context. */
void set_timer(struct timer *t, s_time_t expires);
/* As set_timer, on this CPU from now on: one lock instead of three. */
void set_timer_here(struct timer *t, s_time_t expires);
/* Disarms; the handler may still be running on another CPU. A timer never initialised is fine. */
void stop_timer(struct timer *t);
/* Disarms for good, and waits for a running handler. Must not be called from that handler. */
void kill_timer(struct timer *t);
/* Moves a timer, armed or not, to another CPU. */
void migrate_timer(struct timer *t, unsigned int cpu);
bool timer_is_active(const struct timer *t);
/* The earliest deadline of this CPU, for the idle loop; INT64_MAX if none. */
s_time_t timer_next_deadline(void);

#endif
