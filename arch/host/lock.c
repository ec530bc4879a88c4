/* SPDX-License-Identifier: MIT */
/* The asserting locks: see machine/spinlock_impl.h for what is checked. */
#include <core/lib.h>
#include <arch/spinlock.h>
#include <host/host.h>
#include <stdio.h>

#define MAX_HELD	32

struct held {
	const void *lock;
	uint16_t class;
	uint8_t irq_ok_unused;
};
static struct held held[HOST_NR_CPUS][MAX_HELD];
static unsigned int nr_held[HOST_NR_CPUS];
static bool class_in_irq[LOCK_CLASSES], class_irqs_on[LOCK_CLASSES];
unsigned long host_lock_acquisitions;

static void lock_bug(const char *what, uint16_t class)
{
	const struct held *h = held[host_this_cpu];

	fprintf(stderr, "lock of class %u: %s; held:", class, what);
	for (unsigned int i = 0; i < nr_held[host_this_cpu]; i++)
		fprintf(stderr, " %u", h[i].class);
	fprintf(stderr, "\n");
	bug_at(__FILE__, __LINE__, what);
}

static void note_irq_state(uint16_t class)
{
	if (class == LOCK_ANY)
		return;
	if (class >= LOCK_CLASSES)
		lock_bug("no such class", class);
	if (in_irq())
		class_in_irq[class] = true;
	else if (local_irq_is_enabled())
		class_irqs_on[class] = true;
	if (class_in_irq[class] && class_irqs_on[class])
		lock_bug("taken in interrupts and elsewhere with interrupts on", class);
}

static void push(const void *lock, uint16_t class, bool nested, bool try)
{
	struct held *h = held[host_this_cpu];
	unsigned int n = nr_held[host_this_cpu];

	for (unsigned int i = 0; i < n; i++) {
		if (h[i].lock == lock)
			lock_bug("recursion", class);
		if (try || class == LOCK_ANY || h[i].class == LOCK_ANY)
			continue;
		if (h[i].class > class || (h[i].class == class && !nested))
			lock_bug("order", class);
	}
	if (n == MAX_HELD)
		lock_bug("too many held", class);
	note_irq_state(class);
	h[n].lock = lock;
	h[n].class = class;
	nr_held[host_this_cpu] = n + 1;
	host_lock_acquisitions++;
}

static void pop(const void *lock, uint16_t class)
{
	struct held *h = held[host_this_cpu];
	unsigned int n = nr_held[host_this_cpu];

	for (unsigned int i = n; i-- > 0;)
		if (h[i].lock == lock) {
			for (; i + 1 < n; i++)
				h[i] = h[i + 1];
			nr_held[host_this_cpu] = n - 1;
			return;
		}
	lock_bug("released by a CPU that does not hold it", class);
}

void host_locks_reset(void)
{
	for (unsigned int i = 0; i < HOST_NR_CPUS; i++)
		nr_held[i] = 0;
	memset(class_in_irq, 0, sizeof(class_in_irq));
	memset(class_irqs_on, 0, sizeof(class_irqs_on));
}

unsigned int host_locks_held(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < HOST_NR_CPUS; i++)
		n += nr_held[i];
	return n;
}

void host_check_no_locks(const char *where)
{
	if (host_locks_held())
		lock_bug(where, 0);
}

static void take(spinlock_t *l, bool nested)
{
	push(l, l->class, nested, false);
	while (l->head != l->tail)
		cpu_relax();
	l->tail++;
	l->owner = (uint16_t)(host_this_cpu + 1);
}

void spin_lock(spinlock_t *l) { take(l, false); }
void spin_lock_nested(spinlock_t *l) { take(l, true); }

bool spin_trylock(spinlock_t *l)
{
	if (l->head != l->tail)
		return false;
	push(l, l->class, false, true);
	l->tail++;
	l->owner = (uint16_t)(host_this_cpu + 1);
	return true;
}

void spin_unlock(spinlock_t *l)
{
	if (l->head == l->tail)
		lock_bug("unlocked when not locked", l->class);
	pop(l, l->class);
	l->owner = 0;
	l->head++;
}

void read_lock(rwlock_t *l)
{
	push(l, l->class, false, false);
	while (l->cnts & RW_WRITER)
		cpu_relax();
	l->cnts++;
}

void read_unlock(rwlock_t *l)
{
	if (!l->cnts || l->cnts & RW_WRITER)
		lock_bug("read-unlocked when not read-locked", l->class);
	pop(l, l->class);
	l->cnts--;
}

void write_lock(rwlock_t *l)
{
	push(l, l->class, false, false);
	while (l->cnts)
		cpu_relax();
	l->cnts = RW_WRITER;
}

void write_unlock(rwlock_t *l)
{
	if (l->cnts != RW_WRITER)
		lock_bug("write-unlocked when not write-locked", l->class);
	pop(l, l->class);
	l->cnts = 0;
}
