/* SPDX-License-Identifier: MIT */
/*
 * Ticket spin locks and read-write locks. The plain forms are for locks never
 * taken in interrupt context; others use _irqsave everywhere. The host
 * port checks lock_order.h, recursion, and interrupt state.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include <core/types.h>
#include <core/lock_order.h>
#include <arch/cpu.h>

typedef struct spinlock {
	union {
		uint32_t both;
		struct { uint16_t head, tail; };	/* head: now serving; tail: next ticket */
	};
	uint16_t class;		/* enum lock_class */
	uint16_t owner;		/* CPU + 1, host port */
} spinlock_t;

typedef struct rwlock {
	uint32_t cnts;		/* bit 31: writer; below: readers */
	uint16_t class;
	uint16_t owner;
} rwlock_t;

#define SPINLOCK_INIT(cls)	{ { 0 }, (cls), 0 }
#define DEFINE_SPINLOCK(name, cls)	spinlock_t name = SPINLOCK_INIT(cls)
#define RWLOCK_INIT(cls)	{ 0, (cls), 0 }
#define DEFINE_RWLOCK(name, cls)	rwlock_t name = RWLOCK_INIT(cls)

static inline void spin_lock_init(spinlock_t *l, enum lock_class cls)
{
	*l = (spinlock_t)SPINLOCK_INIT((uint16_t)cls);
}
static inline void rwlock_init(rwlock_t *l, enum lock_class cls)
{
	*l = (rwlock_t)RWLOCK_INIT(0);
	l->class = (uint16_t)cls;
}

/*
 * The port: spin_lock, spin_trylock, spin_unlock, spin_is_locked,
 * spin_lock_nested; read_/write_lock/unlock.
 */
#include <machine/spinlock_impl.h>

static inline void spin_lock_irq(spinlock_t *l) { local_irq_disable(); spin_lock(l); }
static inline void spin_unlock_irq(spinlock_t *l) { spin_unlock(l); local_irq_enable(); }
static inline unsigned long spin_lock_irqsave_(spinlock_t *l)
{
	unsigned long flags = local_irq_save();

	spin_lock(l);
	return flags;
}
#define spin_lock_irqsave(l, flags)	((flags) = spin_lock_irqsave_(l))
static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
	spin_unlock(l);
	local_irq_restore(flags);
}

#endif
