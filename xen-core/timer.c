/* SPDX-License-Identifier: MIT */
/*
 * Timers, see core/timer.h.
 *
 * The armed timers of a CPU form a pairing heap: each has its first child, and
 * is in a list of siblings whose first member's `prev` is the parent. Arming
 * melds a single node with the root; taking the root melds its children in
 * pairs. Amortised cost is logarithmic, and nothing recurses.
 *
 * The hardware deadline follows the root lazily: it is moved earlier at once,
 * but a root that goes away leaves it armed, and the early interrupt just finds
 * nothing to do.
 */
#include <core/timer.h>
#include <core/lib.h>
#include <core/softirq.h>
#include <arch/percpu.h>
#include <arch/spinlock.h>
#include <arch/time.h>

struct timer_cpu {
	spinlock_t lock;
	struct timer *root;
	struct timer *running;		/* whose handler runs now */
	bool in_softirq;		/* it will program the deadline when it is done */
	s_time_t programmed;		/* hardware deadline; INT64_MAX = none */
};
static DEFINE_PER_CPU(struct timer_cpu, timer_cpus);

#define NO_DEADLINE	INT64_MAX

/* ---- the heap ---- */

static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *t;

	if (!a || !b)
		return a ? a : b;
	if (b->expires < a->expires) {
		t = a;
		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* Melds a list of siblings into one heap: in pairs from the left, then the pairs from the right. */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL, *a, *b, *next;

	for (a = first; a; a = next) {
		b = a->next;
		next = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;	/* a stack of pairs, linked by next */
		pairs = a;
	}
	for (a = pairs; a; a = next) {
		next = a->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

static void heap_remove(struct timer_cpu *tc, struct timer *t)
{
	struct timer *children = meld_siblings(t->child);

	if (tc->root == t) {
		tc->root = children;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		tc->root = meld(tc->root, children);
	}
	t->child = t->next = t->prev = NULL;
	t->state = TIMER_inactive;
}

static void heap_insert(struct timer_cpu *tc, struct timer *t)
{
	t->child = t->next = t->prev = NULL;
	t->state = TIMER_queued;
	tc->root = meld(tc->root, t);
}

/* ---- the lock of whichever CPU a timer is on ---- */

static struct timer_cpu *timer_lock(struct timer *t, unsigned long *flags)
{
	for (;;) {
		unsigned int cpu = read_once(t->cpu);
		struct timer_cpu *tc = &per_cpu(timer_cpus, cpu);

		spin_lock_irqsave(&tc->lock, *flags);
		if (likely(t->cpu == cpu))
			return tc;
		spin_unlock_irqrestore(&tc->lock, *flags);
	}
}

static void timer_unlock(struct timer_cpu *tc, unsigned long flags)
{
	spin_unlock_irqrestore(&tc->lock, flags);
}

/* The heap of cpu may have got an earlier root. Lock held, interrupts off. */
static void deadline_changed(struct timer_cpu *tc, unsigned int cpu)
{
	s_time_t first = tc->root ? tc->root->expires : NO_DEADLINE;

	if (first >= tc->programmed || tc->in_softirq)
		return;
	if (cpu != smp_processor_id()) {
		cpu_raise_softirq(cpu, TIMER_SOFTIRQ);
		return;
	}
	tc->programmed = first;
	if (!reprogram_timer(first))
		raise_softirq(TIMER_SOFTIRQ);
}

/* ---- the interface ---- */

void init_timer(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	*t = (struct timer){ .fn = fn, .data = data, .cpu = cpu, .state = TIMER_inactive };
}

static void arm_locked(struct timer_cpu *tc, struct timer *t, s_time_t expires)
{
	if (t->state == TIMER_queued)
		heap_remove(tc, t);
	if (t->state != TIMER_inactive)
		return;
	t->expires = expires;
	heap_insert(tc, t);
	if (tc->root == t)
		deadline_changed(tc, t->cpu);
}

void set_timer(struct timer *t, s_time_t expires)
{
	unsigned long flags;
	struct timer_cpu *tc = timer_lock(t, &flags);

	arm_locked(tc, t, expires);
	timer_unlock(tc, flags);
}

void set_timer_here(struct timer *t, s_time_t expires)
{
	if (unlikely(read_once(t->cpu) != smp_processor_id()))
		migrate_timer(t, smp_processor_id());
	set_timer(t, expires);
}

void stop_timer(struct timer *t)
{
	unsigned long flags;
	struct timer_cpu *tc;

	/* Nobody arms it concurrently if the caller cares for the answer. */
	if (read_once(t->state) != TIMER_queued)
		return;
	tc = timer_lock(t, &flags);
	if (t->state == TIMER_queued)
		heap_remove(tc, t);
	timer_unlock(tc, flags);
}

void kill_timer(struct timer *t)
{
	unsigned long flags;
	struct timer_cpu *tc;
	unsigned int cpu;

	if (t->state == TIMER_invalid)
		return;
	tc = timer_lock(t, &flags);
	if (t->state == TIMER_queued)
		heap_remove(tc, t);
	t->state = TIMER_killed;
	timer_unlock(tc, flags);

	/* It may have been migrated while its handler ran, so look at every CPU. */
	for_each_online_cpu(cpu)
		while (read_once(per_cpu(timer_cpus, cpu).running) == t)
			cpu_relax();
}

void migrate_timer(struct timer *t, unsigned int cpu)
{
	for (;;) {
		unsigned int old = read_once(t->cpu);
		struct timer_cpu *from = &per_cpu(timer_cpus, old), *to = &per_cpu(timer_cpus, cpu);
		unsigned long flags;
		bool moved = false;

		if (old == cpu || t->state == TIMER_invalid)
			return;
		spin_lock_irqsave(old < cpu ? &from->lock : &to->lock, flags);
		spin_lock_nested(old < cpu ? &to->lock : &from->lock);
		if (t->cpu == old) {
			bool queued = t->state == TIMER_queued;

			if (queued)
				heap_remove(from, t);
			t->cpu = cpu;
			if (queued) {
				heap_insert(to, t);
				deadline_changed(to, cpu);
			}
			moved = true;
		}
		spin_unlock(&from->lock);
		spin_unlock_irqrestore(&to->lock, flags);
		if (moved)
			return;
	}
}

bool timer_is_active(const struct timer *t)
{
	return read_once(t->state) == TIMER_queued;
}

s_time_t timer_next_deadline(void)
{
	struct timer_cpu *tc = &this_cpu(timer_cpus);
	s_time_t first;
	unsigned long flags;

	spin_lock_irqsave(&tc->lock, flags);
	first = tc->root ? tc->root->expires : NO_DEADLINE;
	spin_unlock_irqrestore(&tc->lock, flags);
	return first;
}

static void timer_softirq(void)
{
	struct timer_cpu *tc = &this_cpu(timer_cpus);
	struct timer *t;
	s_time_t now;

	spin_lock_irq(&tc->lock);
	tc->in_softirq = true;
	do {
		now = NOW();
		while ((t = tc->root) != NULL && t->expires <= now) {
			heap_remove(tc, t);
			tc->running = t;
			spin_unlock_irq(&tc->lock);
			t->fn(t->data);
			spin_lock_irq(&tc->lock);
			atomic_store(&tc->running, (struct timer *)NULL);
		}
		tc->programmed = t ? t->expires : NO_DEADLINE;
	} while (!reprogram_timer(t ? t->expires : 0) && t);
	tc->in_softirq = false;
	spin_unlock_irq(&tc->lock);
}

void timers_init_cpu(unsigned int cpu)
{
	struct timer_cpu *tc = &per_cpu(timer_cpus, cpu);

	spin_lock_init(&tc->lock, LOCK_TIMER);
	tc->root = NULL;
	tc->running = NULL;
	tc->in_softirq = false;
	tc->programmed = NO_DEADLINE;
}

void timers_init(void)
{
	timers_init_cpu(smp_processor_id());
	open_softirq(TIMER_SOFTIRQ, timer_softirq);
}

void timers_offline_cpu(unsigned int cpu)
{
	struct timer_cpu *tc = &per_cpu(timer_cpus, cpu);
	unsigned int to;
	struct timer *t;

	for_each_online_cpu(to)
		if (to != cpu)
			break;
	BUG_ON(to >= NR_CPUS);
	while ((t = read_once(tc->root)) != NULL)
		migrate_timer(t, to);
	tc->programmed = NO_DEADLINE;
}
