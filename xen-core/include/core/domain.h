/* SPDX-License-Identifier: MIT */
/*
 * Domains and virtual CPUs. The bracket behind a field is its lock key:
 *   (c) constant after creation        (a) atomic
 *   (d) d->domain_lock                  (p) d->page_alloc_lock
 *   (e) d->event_lock                   (r) the run queue lock of v->processor
 *   (o) only the vcpu itself, or anyone while it is paused
 */
#ifndef CORE_DOMAIN_H
#define CORE_DOMAIN_H

#include <core/types.h>
#include <core/cpumask.h>
#include <core/list.h>
#include <core/mm.h>
#include <core/quiesce.h>
#include <core/softirq.h>
#include <core/timer.h>
#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <machine/domain_impl.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/vcpu.h>
#include <xen/sched.h>
#include <xen/event_channel.h>

struct evtchn;
struct evtchn_fifo_domain;
struct evtchn_fifo_vcpu;
struct grant_table;
struct log_dirty;
struct cpupool;
struct guest_console;

/* What the scheduler keeps for a vcpu; fields are its own business (sched.c, sched_credit2.c). */
struct sched_vcpu {
	struct list_head runq;		/* (r) empty = not queued */
	long credit;			/* (r) nanoseconds, weight-scaled */
	s_time_t start;			/* (r) since when credit is burnt */
	unsigned int flags;		/* (r) SVF_, core/sched_private.h */
	unsigned int epoch;		/* (r) the queue's credit resets that it has seen */
};

/* The same for a domain. */
struct sched_domain {
	spinlock_t lock;		/* guards budget; leaf, interrupts off */
	s_time_t budget;		/* capped: CPU time left in this period */
	struct timer refill;		/* capped: next period */
};

/* Reasons why a vcpu does not run: bits of v->pause_flags, atomic. */
#define VPF_blocked	0	/* waits for an event */
#define VPF_down	1	/* not up (VCPUOP_down, or never initialised) */
#define VPF_blocked_in_poll 2	/* SCHEDOP_poll */
#define VPF_migrating	3	/* between two CPUs' queues */
#define VPF_parked	4	/* out of its cap */

struct vcpu {
	unsigned int vcpu_id;		/* (c) */
	unsigned int processor;		/* (r) the CPU it runs or last ran on */
	struct domain *domain;		/* (c) */
	struct vcpu_info *vcpu_info;	/* (o) mapped, writable; never NULL */
	mfn_t vcpu_info_mfn;		/* (o) INVALID_MFN while in shared_info or dummy */
	struct evtchn_fifo_vcpu *evtchn_fifo;	/* (e) */

	unsigned long pause_flags;	/* (a) VPF_ bits */
	int pause_count;		/* (a) runnable only at 0 */
	bool is_running;		/* (r) on a CPU now, or its state not saved yet */
	bool is_initialised;		/* (d) has a context */
	bool is_idle;			/* (c) */
	bool runstate_update_pending;	/* (o) the guest's area could not be written */
	bool paused_for_shutdown;	/* shutdown_lock */

	struct vcpu_runstate_info runstate;	/* (r) */
	unsigned long runstate_guest;	/* (o) guest virtual address, 0 = none */

	struct timer periodic_timer;
	struct timer singleshot_timer;
	struct timer poll_timer;
	s_time_t periodic_period;	/* (o) ns, 0 = off */
	s_time_t periodic_last_event;

	int poll_evtchn;		/* 0 = no, -1 = several, else the port polled */
	cpumask_t cpu_hard_affinity;	/* (r) */
	cpumask_t cpu_soft_affinity;	/* (r) */
	cpumask_t cpu_hard_saved;	/* (r) while a temporary pin is in force */
	bool affinity_broken;
	/* CPU whose registers/TLB may hold its state, or VCPU_CPU_CLEAN */
	unsigned int dirty_cpu;
	struct sched_vcpu sched;
	unsigned int last_cpu;		/* the CPU it last ran on; only its CPU writes */
	struct deferred moved;		/* its interrupts follow it to last_cpu */

	uint32_t virq_to_evtchn[NR_VIRQS];	/* (e) to write */
	unsigned int pirq_evtchn_head;	/* (e) first of the pirq ports that notify it; 0 = none */

	struct arch_vcpu arch;
};
#define VCPU_CPU_CLEAN (~0u)

enum dying_state { DOMDYING_alive, DOMDYING_dying, DOMDYING_dead };

struct domain {
	domid_t domain_id;		/* (c) */
	bool is_privileged;		/* (c) control domain */
	bool is_hardware;		/* (c) owns the devices: dom0 */
	/* (c) DOMID_IO, DOMID_XEN, idle: no vcpus that run guests */
	bool is_system;
	uint8_t options;		/* (c) createdomain flags in use */
	int refcnt;			/* (a) 0 = being freed */
	struct domain *next_in_list;	/* domlist lock to write; quiesce rule to read */
	struct domain *next_in_hash;
	struct quiesce_head quiesce;

	spinlock_t domain_lock;
	spinlock_t page_alloc_lock;
	struct page_list page_list;	/* (p) its memory */
	struct page_list extra_page_list;	/* (p) PGC_extra pages */
	struct page_list xenpage_list;	/* (p) hypervisor pages shared with it */
	unsigned long tot_pages;	/* (p) */
	unsigned long max_pages;	/* (p) */
	unsigned long outstanding_pages;	/* (p) + heap lock: claimed, not yet allocated */
	unsigned long extra_pages;	/* (p) */
	unsigned long xenheap_pages;	/* (p) */
	/* (heap lock) marks pages it freed; never reused. 0 = none yet */
	uint32_t heap_tag;

	struct shared_info *shared_info;	/* (c) */
	struct vcpu **vcpu;		/* (c) max_vcpus entries, each set once */
	unsigned int max_vcpus;		/* (c) after max_vcpus domctl */

	/* Events; all but the bucket pointers private to event_channel.c */
	spinlock_t event_lock;
	struct evtchn **evtchn_buckets;	/* (c) room for max_evtchn_port; entries are set once */
	unsigned int valid_evtchns;	/* (e) ports that exist; grows only */
	unsigned int max_evtchn_port;	/* (c) highest allowed */
	unsigned int active_evtchns;	/* (e) ports in use, port 0 apart */
	unsigned int evtchn_free_hint;	/* (e) no port below is free */
	/* (e) where an EVTCHNOP_reset goes on; 0 = none under way */
	unsigned int evtchn_next_reset;
	unsigned int evtchn_next_close;	/* (domctl) where the end of the domain goes on */
	struct evtchn_fifo_domain *evtchn_fifo;	/* (e) set last; NULL = 2-level */
	unsigned long poll_mask[2];	/* (a) vcpus in SCHEDOP_poll, ids < 128 */

	struct grant_table *grant_table;	/* (c) */
	struct log_dirty *log_dirty;	/* (a) quiesce rule to read; NULL = off */
	unsigned int max_grant_frames, max_maptrack_frames;	/* (c) */

	enum dying_state is_dying;	/* (d) */
	spinlock_t shutdown_lock;
	bool is_shut_down, is_shutting_down;	/* shutdown_lock */
	unsigned int shutdown_code;	/* shutdown_lock; SHUTDOWN_CODE_INVALID = none */
	spinlock_t pause_lock;		/* ties pause_count and the share of it in each vcpu */
	int pause_count;		/* pause_lock; contained in each vcpu's pause_count */
	int controller_pause_count;	/* (a) domctl pauses */
	bool creation_finished;		/* first unpause happened */
	bool is_pinned;			/* dom0_vcpus_pin; set before its vcpus are created */
	bool debugger_attached;
	unsigned int suspend_evtchn;	/* XEN_DOMCTL_subscribe: port told at shutdown, 0 = none */
	unsigned int relinquish_step;	/* (domctl) where destroy got to */

	struct timer watchdog_timer[2];	/* (d) */
	uint32_t watchdog_inuse;	/* (d) bits */

	/* console_lock: the line it is writing, NULL until it writes */
	struct guest_console *console;
	spinlock_t console_lock;

	struct cpupool *cpupool;	/* (domlist) */
	uint16_t sched_weight, sched_cap;	/* sched.lock; cap in percent of a CPU, 0 = none */
	struct sched_domain sched;

	uint64_t time_offset_seconds;
	unsigned long vm_assist;	/* (o) VMASST_TYPE_ bits */
	uint8_t handle[16];		/* (d) uuid */
	uint32_t ssidref;
	cpumask_t dirty_cpumask;	/* (a) CPUs that may hold its translations */

	struct arch_domain arch;
};
#define SHUTDOWN_CODE_INVALID	(~0u)

/* `current`, the vcpu that runs here, comes from arch/cpu.h. */
extern struct domain *hardware_domain;
extern struct domain *dom_xen, *dom_io, *dom_idle;
extern struct vcpu *idle_vcpu[NR_CPUS];
extern struct domain *domain_list;	/* sorted by id; quiesce rule */

#define for_each_domain(d) \
	for ((d) = read_once(domain_list); (d); (d) = read_once((d)->next_in_list))
#define for_each_vcpu(d, v) \
	for (unsigned int fev_i_ = 0; fev_i_ < (d)->max_vcpus; fev_i_++) \
		if (((v) = (d)->vcpu[fev_i_]) != NULL)

#define is_idle_domain(d)	((d)->domain_id == DOMID_IDLE)
#define is_idle_vcpu(v)		((v)->is_idle)
static inline struct vcpu *domain_vcpu(const struct domain *d, unsigned int id)
{
	return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

/*
 * The domain of that id (DOMID_SELF is not resolved), or NULL. Valid until this
 * CPU next runs softirqs (core/quiesce.h); take a reference to keep it longer.
 */
struct domain *domain_by_id(domid_t id);
/* As domain_by_id, DOMID_SELF being the caller. */
struct domain *domain_by_any_id(domid_t id);
bool domain_get(struct domain *d);	/* false if it is being freed */
void domain_put(struct domain *d);

/* Creates a domain without vcpus. id is free. ERR_PTR on failure, everything undone. */
struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *cfg,
			     bool privileged);
struct vcpu *vcpu_create(struct domain *d, unsigned int vcpu_id);	/* NULL on failure */
/*
 * Starts or continues destruction: 0 done, -ERESTART call again, -errno. The
 * domctl lock is held.
 */
int domain_kill(struct domain *d);
void domain_shutdown(struct domain *d, unsigned int reason);	/* SHUTDOWN_* */
void domain_resume(struct domain *d);
/*
 * Stops a domain that did what it must not: says why, then
 * domain_shutdown(crash). Any context of its vcpus.
 */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
/*
 * Builds the idle domain with the boot CPU's idle vcpu, DOMID_IO, DOMID_XEN.
 * After timers_init() and scheduler_init(). Neither arch_domain_create() nor
 * arch_domain_destroy() is called for these; arch_vcpu_create() is, for idle vcpus.
 */
void domains_init(void);
/* Back to "never initialised", for setvcpucontext without a context. 0 or -ERESTART. */
int vcpu_reset(struct vcpu *v);
/* Pauses that a tool asked for: 0, -EOVERFLOW, -EINVAL. */
int domain_pause_by_controller(struct domain *d);
int domain_unpause_by_controller(struct domain *d);

/*
 * A page of guest-visible per-vcpu info somewhere in guest memory (VCPUOP_register_vcpu_info).
 * 0, -ENXIO bad offset, -EINVAL done already, v running elsewhere, or no such writable page.
 */
int map_vcpu_info(struct vcpu *v, gfn_t gfn, unsigned int offset);
void unmap_vcpu_info(struct vcpu *v);
void vcpu_info_reset(struct vcpu *v);
/* Has it neither a place in shared_info nor one that it registered? */
bool vcpu_info_is_dummy(const struct vcpu *v);
/* Writes runstate to the guest's area; false if the page was not there (tried again later). */
bool update_runstate_area(struct vcpu *v);

#endif
