/* SPDX-License-Identifier: MIT */
/*
 * Locks that assert: order by class, no recursion, released by the CPU that
 * took them, none held where none may be (host_check_no_locks), and no class
 * taken both in interrupt context and with interrupts enabled.
 */
#ifndef MACHINE_SPINLOCK_IMPL_H
#define MACHINE_SPINLOCK_IMPL_H

#include <arch/atomic.h>

#define RW_WRITER	0x80000000u

void spin_lock(spinlock_t *l);
/* A second lock of the same class, in one of the forms that core/lock_order.h names. */
void spin_lock_nested(spinlock_t *l);
bool spin_trylock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
void read_lock(rwlock_t *l);
void read_unlock(rwlock_t *l);
void write_lock(rwlock_t *l);
void write_unlock(rwlock_t *l);

static inline bool spin_is_locked(const spinlock_t *l) { return l->head != l->tail; }
static inline bool rw_is_write_locked(const rwlock_t *l) { return l->cnts & RW_WRITER; }
static inline bool rw_is_locked(const rwlock_t *l) { return l->cnts != 0; }

#endif
