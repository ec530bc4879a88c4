/* SPDX-License-Identifier: MIT */
/* One-shot timers, a heap per CPU; handlers run in TIMER_SOFTIRQ on the timer's CPU. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <core/types.h>

struct timer {
	s_time_t expires;
	void (*fn)(void *data);
	void *data;
	unsigned int cpu;
	unsigned int heap_index;	/* 0 = not queued; under the CPU's timer lock */
	unsigned int state;		/* TIMER_STATE_*; internal */
};

void timers_init(void);			/* boot CPU, once */
void timers_init_cpu(unsigned int cpu);	/* before cpu comes online */
void timers_offline_cpu(unsigned int cpu);	/* its timers move to another CPU */
/* Prepares an inactive timer. No lock. */
void init_timer(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
/* (Re)arms: fn runs at or soon after `expires`; in the past means at once. Any context. */
void set_timer(struct timer *t, s_time_t expires);
/* Disarms; the handler may still be running on another CPU. */
void stop_timer(struct timer *t);
/* Disarms for good, and waits for a running handler. Must not be called from that handler. */
void kill_timer(struct timer *t);
/* Moves a timer, armed or not, to another CPU. */
void migrate_timer(struct timer *t, unsigned int cpu);
bool timer_is_active(const struct timer *t);
bool timer_is_expired(const struct timer *t);
/* The earliest deadline of this CPU, for the idle loop; INT64_MAX if none. */
s_time_t timer_next_deadline(void);

#endif
