/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks; who waits does so with PAUSE. Debug builds check each use
 * (lock_check.c); in others the checks are nothing.
 */
#ifndef MACHINE_SPINLOCK_IMPL_H
#define MACHINE_SPINLOCK_IMPL_H

#include <arch/atomic.h>

enum lock_how {
	LOCK_FIRST,
	LOCK_SECOND,		/* of the same class, in a form that core/lock_order.h names */
	LOCK_TRY,		/* waits for nobody, so order does not matter */
};

#ifdef KRYPTON_DEBUG
/* Before a lock is waited for, or after a try. *own: the lock's record if it is LOCK_ANY. */
void lock_check_take(const void *lock, uint16_t class, uint16_t *own, enum lock_how how);
void lock_check_release(const void *lock, uint16_t class);
/* Before waiting until other CPUs have taken an interrupt. */
void lock_check_wait(void);
/* Where a CPU holds no lock. */
void lock_check_none(void);
#else
static inline void lock_check_take(const void *lock __maybe_unused, uint16_t class __maybe_unused,
				   uint16_t *own __maybe_unused, enum lock_how how __maybe_unused)
{
}
static inline void lock_check_release(const void *lock __maybe_unused,
				      uint16_t class __maybe_unused)
{
}
static inline void lock_check_wait(void) { }
static inline void lock_check_none(void) { }
#endif

static inline void spin_lock_as(spinlock_t *l, enum lock_how how)
{
	uint16_t me;

	lock_check_take(l, l->class, &l->owner, how);
	me = __atomic_fetch_add(&l->tail, 1, __ATOMIC_ACQUIRE);
	while (unlikely(__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != me))
		cpu_relax();
}
static inline void spin_lock(spinlock_t *l) { spin_lock_as(l, LOCK_FIRST); }
static inline void spin_lock_nested(spinlock_t *l) { spin_lock_as(l, LOCK_SECOND); }
static inline bool spin_trylock(spinlock_t *l)
{
	uint32_t old = read_once(l->both);

	if ((old & 0xffff) != (old >> 16) ||
	    atomic_cmpxchg(&l->both, old, old + 0x10000) != old)
		return false;
	lock_check_take(l, l->class, &l->owner, LOCK_TRY);
	return true;
}
static inline void spin_unlock(spinlock_t *l)
{
	lock_check_release(l, l->class);
	__atomic_store_n(&l->head, (uint16_t)(l->head + 1), __ATOMIC_RELEASE);
}
static inline bool spin_is_locked(const spinlock_t *l)
{
	uint32_t v = read_once(l->both);

	return (v & 0xffff) != (v >> 16);
}

#define RW_WRITER	0x80000000u
static inline void read_lock(rwlock_t *l)
{
	lock_check_take(l, l->class, &l->owner, LOCK_FIRST);
	while (unlikely(atomic_add_return(&l->cnts, 1) & RW_WRITER)) {
		atomic_dec(&l->cnts);
		while (read_once(l->cnts) & RW_WRITER)
			cpu_relax();
	}
}
static inline void read_unlock(rwlock_t *l)
{
	lock_check_release(l, l->class);
	atomic_dec(&l->cnts);
}
static inline void write_lock(rwlock_t *l)
{
	lock_check_take(l, l->class, &l->owner, LOCK_FIRST);
	while (atomic_cmpxchg(&l->cnts, 0u, RW_WRITER) != 0)
		cpu_relax();
}
static inline void write_unlock(rwlock_t *l)
{
	lock_check_release(l, l->class);
	atomic_and(&l->cnts, ~RW_WRITER);
}
static inline bool rw_is_write_locked(const rwlock_t *l) { return read_once(l->cnts) & RW_WRITER; }
static inline bool rw_is_locked(const rwlock_t *l) { return read_once(l->cnts) != 0; }

#endif
