/* SPDX-License-Identifier: MIT */
/*
 * The fake machine's controls. arch/host implements the contract headers of
 * arch/include in a Linux process; this is how a test sets the scene, breaks
 * things on purpose, and looks at what the code under test asked for.
 *
 * The functions of the core and the machine that arch/host defines are weak: a
 * test that links the real source of one gets that one.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <core/domain.h>
#include <core/cpumask.h>

/* All state back to boot: RAM given to the heap, no domain, CPU 0, clock 1 s, nothing recorded. */
void host_reset(void);

/* ---- CPUs ---- */
/* We are CPU `cpu` from now on, running v (NULL: that CPU's current one stays). */
void host_switch_to(unsigned int cpu, struct vcpu *v);
void host_set_online(unsigned int nr);		/* CPUs 0 to nr - 1 are online */
/* Runs softirqs on this CPU; a context_switch() inside ends here, with current changed. */
void host_run_softirqs(void);

/* ---- clock ---- */
extern s_time_t host_now;
extern s_time_t host_timer_deadline[];		/* [cpu], what reprogram_timer() was last told */

/* ---- faults on purpose; n counts from 1, 0 = never ---- */
/* the n-th allocation (pages or xmalloc) from now */
void host_fail_alloc(unsigned int n);
void host_fail_copy(unsigned int n);		/* the n-th guest copy from now copies nothing */
/* the n-th hypercall_preempt_check() from now is true */
void host_preempt_at(unsigned int n);
bool host_fault_fired(void);			/* since the last of these calls */

/* ---- guest memory: what raw_copy_* may touch ---- */
void *host_guest_alloc(size_t size);		/* zeroed, freed by host_reset */
void host_guest_free(void *p);
void host_guest_map(void *p, size_t size, bool writable);	/* an array of the test's own */
void host_guest_unmap_all(void);

/* ---- what was asked of the machine ---- */
struct host_record {
	unsigned int flushes_local, flushes_mask, flushes_all, flushes_one, cache_flushes;
	cpumask_t last_flush_mask;
	unsigned int ipis;			/* smp_send_event_check */
	unsigned int ipis_locked;		/* ... with a lock held */
	cpumask_t last_ipi_mask;
	unsigned int kicks, wakes, unblocks;	/* of fake vcpu_kick etc. */
	struct vcpu *last_woken;
	unsigned int virqs, last_virq;
	unsigned int crashes;			/* domain_crash */
	struct domain *last_crashed;
	unsigned int shutdowns;
	unsigned int pirq_binds, pirq_unbinds, pirq_eois;
	unsigned int continuations;
	unsigned int cont_op, cont_nr;		/* last continuation */
	unsigned long cont_args[6];
	unsigned int nmis, time_updates;
};
extern struct host_record host_rec;

/* ---- locks ---- */
void host_check_no_locks(const char *where);	/* BUG if this or another CPU holds one */
unsigned int host_locks_held(void);
extern unsigned long host_lock_acquisitions;

/* ---- domains (fakes, unless domain.c is linked) ---- */
struct domain *host_domain_create(domid_t id, unsigned int vcpus, bool privileged);
void host_domain_free(struct domain *d);
/* 2^order frames that d owns, as a builder would give it. NULL if none. */
struct page_info *host_domain_page(struct domain *d, unsigned int order);

/* ---- resources: what must be back where it was ---- */
struct host_counts {
	unsigned long free_pages;
	long xmalloc_blocks;
	unsigned long page_refs;		/* sum of reference counts of allocated frames */
	unsigned long type_refs;
	unsigned long ports;
	long timers;				/* armed, of the fake timers */
	unsigned long locks;
	unsigned long claims;
};
struct host_counts host_count(void);
void host_counts_print(const struct host_counts *c);
extern long host_xmalloc_blocks, host_timers;

/* ---- BUG() and panic ---- */
/* Runs fn(arg); true if it ended in BUG() or panic(). Locks held then are forgotten. */
bool host_expect_bug(void (*fn)(void *), void *arg);
extern bool host_verbose;			/* printk goes to stderr */

/* internal to arch/host */
bool host_alloc_fails(void);
bool host_copy_fails(void);
void host_locks_reset(void);
void host_percpu_reset(void);
void host_guest_reset(void);
void host_domains_reset(void);
void host_frames_reset(void);
void host_cpus_reset(void);
void host_heap_reset(void);

#endif
