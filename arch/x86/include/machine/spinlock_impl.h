/* SPDX-License-Identifier: MIT */
/* Ticket locks; who waits does so with PAUSE. Nothing is checked here: arch/host does that. */
#ifndef MACHINE_SPINLOCK_IMPL_H
#define MACHINE_SPINLOCK_IMPL_H

#include <arch/atomic.h>

static inline void spin_lock(spinlock_t *l)
{
	uint16_t me = __atomic_fetch_add(&l->tail, 1, __ATOMIC_ACQUIRE);

	while (unlikely(__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != me))
		cpu_relax();
}
static inline void spin_lock_nested(spinlock_t *l) { spin_lock(l); }
static inline bool spin_trylock(spinlock_t *l)
{
	uint32_t old = read_once(l->both);

	if ((old & 0xffff) != (old >> 16))
		return false;
	return atomic_cmpxchg(&l->both, old, old + 0x10000) == old;
}
static inline void spin_unlock(spinlock_t *l)
{
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
	while (unlikely(atomic_add_return(&l->cnts, 1) & RW_WRITER)) {
		atomic_dec(&l->cnts);
		while (read_once(l->cnts) & RW_WRITER)
			cpu_relax();
	}
}
static inline void read_unlock(rwlock_t *l) { atomic_dec(&l->cnts); }
static inline void write_lock(rwlock_t *l)
{
	while (atomic_cmpxchg(&l->cnts, 0u, RW_WRITER) != 0)
		cpu_relax();
}
static inline void write_unlock(rwlock_t *l) { atomic_and(&l->cnts, ~RW_WRITER); }
static inline bool rw_is_write_locked(const rwlock_t *l) { return read_once(l->cnts) & RW_WRITER; }
static inline bool rw_is_locked(const rwlock_t *l) { return read_once(l->cnts) != 0; }

#endif
