/* SPDX-License-Identifier: MIT */
/*
 * Lock checks of debug builds (make DEBUG=1): what the host port checks in unit
 * tests, on the machine itself, with all its interrupts and CPUs. Each CPU
 * keeps a list of what it holds. A breach is a BUG, reported before the CPU
 * would wait for ever:
 *
 * - recursion, the order of core/lock_order.h, release of what is not held;
 * - a lock taken in interrupts, and elsewhere with interrupts on;
 * - a lock that is taken with interrupts on, wanted by the holder of one that
 *   interrupts take: the interrupt may hit the holder of the former;
 * - waiting for other CPUs to take an interrupt while holding a lock that
 *   they may be waiting for with interrupts off.
 *
 * The last three go by what has been seen of a class so far; locks of LOCK_ANY
 * have no class in common, so each carries its own record (in `owner`).
 */
#include <core/console.h>
#include <core/lib.h>
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <arch/spinlock.h>

#define MAX_HELD	12

/* When a lock, or one of its class, has been taken. */
#define SEEN_IN_IRQ	1u
#define SEEN_IRQS_ON	2u
#define SEEN_IRQS_OFF	4u

struct held_lock {
	const void *lock;
	const uint16_t *seen;
	uint16_t class;
	bool in_irq;
};

struct held_locks {
	unsigned int nr;
	struct held_lock lock[MAX_HELD];
};
static DEFINE_PER_CPU(struct held_locks, held_locks);
static uint16_t class_seen[LOCK_CLASSES];	/* only ever gains bits; a lost race repeats */
static bool broken;				/* a breach is being reported: check no more */

static void lock_bug(const char *what, uint16_t class)
{
	const struct held_locks *h = &this_cpu(held_locks);

	broken = true;
	console_force_unlock();		/* what is held may be the console's */
	printk("Lock of class %u: %s; this CPU holds", class, what);
	for (unsigned int i = 0; i < h->nr; i++)
		printk(" %u%s", h->lock[i].class, h->lock[i].in_irq ? "(irq)" : "");
	printk("\n");
	bug_at(__FILE__, __LINE__, what);
}

static void note_context(uint16_t class, uint16_t *seen)
{
	uint16_t now = in_irq() ? SEEN_IN_IRQ : 0;

	now |= local_irq_is_enabled() ? SEEN_IRQS_ON : SEEN_IRQS_OFF;
	if ((*seen | now) != *seen)
		*seen |= now;
	if ((*seen & (SEEN_IN_IRQ | SEEN_IRQS_ON)) == (SEEN_IN_IRQ | SEEN_IRQS_ON))
		lock_bug("taken in interrupts, and elsewhere with interrupts on", class);
}

/* May a lock of this class be taken while h is held? */
static void check_pair(const struct held_lock *h, const void *lock, uint16_t class,
		       const uint16_t *seen, enum lock_how how)
{
	if (h->lock == lock)
		lock_bug("recursion", class);
	if (how == LOCK_TRY)
		return;
	if ((*h->seen & SEEN_IN_IRQ) && (*seen & SEEN_IRQS_ON))
		lock_bug("open to interrupts, under a lock that they take", class);
	/* An interrupt's locks follow no order with those of the code it hit. */
	if (class == LOCK_ANY || h->class == LOCK_ANY || h->in_irq != in_irq())
		return;
	if (h->class > class || (h->class == class && how != LOCK_SECOND))
		lock_bug("order", class);
}

void lock_check_take(const void *lock, uint16_t class, uint16_t *own, enum lock_how how)
{
	struct held_locks *h = &this_cpu(held_locks);
	uint16_t *seen = class == LOCK_ANY ? own : &class_seen[class];

	if (unlikely(read_once(broken)))
		return;
	if (class >= LOCK_CLASSES)
		lock_bug("no such class", class);
	note_context(class, seen);
	for (unsigned int i = 0; i < h->nr; i++)
		check_pair(&h->lock[i], lock, class, seen, how);
	if (h->nr == MAX_HELD)
		lock_bug("too many held", class);
	h->lock[h->nr] = (struct held_lock){ lock, seen, class, in_irq() };
	barrier();		/* an interrupt between the two sees a whole list */
	h->nr++;
}

void lock_check_release(const void *lock, uint16_t class)
{
	struct held_locks *h = &this_cpu(held_locks);
	unsigned long flags;
	unsigned int i;

	if (unlikely(read_once(broken)))
		return;
	flags = local_irq_save();
	for (i = h->nr; i-- > 0;)
		if (h->lock[i].lock == lock)
			break;
	if (i >= h->nr)
		lock_bug("released by a CPU that does not hold it", class);
	h->nr--;
	for (; i < h->nr; i++)
		h->lock[i] = h->lock[i + 1];
	local_irq_restore(flags);
}

void lock_check_wait(void)
{
	const struct held_locks *h = &this_cpu(held_locks);

	if (unlikely(read_once(broken)))
		return;
	for (unsigned int i = 0; i < h->nr; i++)
		if (*h->lock[i].seen & SEEN_IRQS_OFF)
			lock_bug("held while waiting for other CPUs", h->lock[i].class);
}

void lock_check_none(void)
{
	const struct held_locks *h = &this_cpu(held_locks);

	if (h->nr && !read_once(broken))
		lock_bug("held on the way to a guest or to idling", h->lock[0].class);
}
