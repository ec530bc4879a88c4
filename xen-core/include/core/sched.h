/* SPDX-License-Identifier: MIT */
/* Scheduling: who runs where. One run queue a CPU, credit2-like accounting, cpupools. */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include <core/domain.h>
#include <core/softirq.h>
#include <xen/sysctl.h>

/* Boot CPU: its run queue, pool 0, the softirq. After timers_init(), before domains_init(). */
void scheduler_init(void);
int sched_init_vcpu(struct vcpu *v);		/* 0 or -ENOMEM */
void sched_destroy_vcpu(struct vcpu *v);
/* -ESRCH, -ENODEV: pool unknown, empty */
int sched_init_domain(struct domain *d, unsigned int poolid);
void sched_destroy_domain(struct domain *d);
/*
 * CPU hotplug. A CPU's idle vcpu (vcpu_create(dom_idle, cpu), also in
 * idle_vcpu[]) is made before it starts, once; that makes its run queue.
 * up: it is online; joins pool 0. down: before it leaves cpu_online_map;
 * returns when it runs only its idle vcpu, or -EBUSY if a domain can run
 * nowhere else, -EADDRINUSE if a vcpu is pinned there by SCHEDOP_pin_override.
 * Once it is dead: timers_offline_cpu(), quiesce_cpu_offline().
 */
int sched_cpu_up(unsigned int cpu);
int sched_cpu_down(unsigned int cpu);

static inline bool vcpu_runnable(const struct vcpu *v)
{
	return !(read_once(v->pause_flags) |
		 (unsigned long)(unsigned int)read_once(v->pause_count));
}

/* Any context. */
void vcpu_wake(struct vcpu *v);			/* after a pause reason went away */
void vcpu_unblock(struct vcpu *v);		/* an event came */
void vcpu_sleep_nosync(struct vcpu *v);
/* Not from interrupt context: returns when v is off its CPU and its state is saved. */
void vcpu_sleep_sync(struct vcpu *v);
void vcpu_pause(struct vcpu *v);
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
void domain_pause(struct domain *d);
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
/* Makes a running vcpu look at its events soon: IPI if it runs elsewhere. Unblocks it. */
void vcpu_kick(struct vcpu *v);
void vcpu_block(void);				/* current; events unmasked by the caller */
void vcpu_block_enable_events(void);
void vcpu_yield(void);
/*
 * 0, -EINVAL, -EFAULT: current waits until one of the ports is pending, an
 * event comes, or the time is up.
 */
long vcpu_poll(const struct sched_poll *poll);
void vcpu_set_periodic_timer(struct vcpu *v, s_time_t period);
/*
 * -EINVAL: no online CPU of its pool. -EBUSY: a temporary pin is in force.
 * The vcpu moves at once if it must.
 */
int vcpu_set_hard_affinity(struct vcpu *v, const cpumask_t *mask);
int vcpu_set_soft_affinity(struct vcpu *v, const cpumask_t *mask);
/*
 * Pins to cpu; NR_CPUS ends that. -EINVAL not in its pool (or not pinned),
 * -EBUSY pinned already.
 */
int vcpu_temporary_affinity(struct vcpu *v, unsigned int cpu);
void vcpu_runstate_get(const struct vcpu *v, struct vcpu_runstate_info *out);
uint64_t cpu_idle_time(unsigned int cpu);	/* ns */
void sched_migrate_timers(struct vcpu *v);

/* watchdog.c: SCHEDOP_watchdog */
void watchdog_domain_init(struct domain *d);
void watchdog_domain_destroy(struct domain *d);
/* id, 0, -EINVAL, -ENOSPC */
long domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout);

/* Runs on a CPU that has nothing else: halts until an interrupt, runs softirqs. */
void idle_loop(void) __noreturn;
/* arch calls this on the new stack after context_switch(), once prev's state is in memory. */
void context_saved(struct vcpu *prev);

/* domctl scheduler_op and sysctl scheduler_op, sched_id; -errno as the oracle's. */
long sched_adjust_domain(struct domain *d, struct xen_domctl_scheduler_op *op);
long sched_adjust_global(struct xen_sysctl_scheduler_op *op);
unsigned int scheduler_id(void);

/* cpupools (cpupool.c) */
long cpupool_do_sysctl(struct xen_sysctl_cpupool_op *op);
int cpupool_add_domain(struct domain *d, unsigned int poolid);	/* -ESRCH, -ENODEV */
void cpupool_rm_domain(struct domain *d);
/* A dying domain goes to pool 0, so that its own can be destroyed. */
void cpupool_move_to_default(struct domain *d);
unsigned int cpupool_get_id(const struct domain *d);
const cpumask_t *cpupool_valid_cpus(const struct domain *d);
const cpumask_t *cpupool_online_cpus(const struct domain *d);
void cpupool_init(void);
int cpupool_cpu_up(unsigned int cpu);
int cpupool_cpu_down(unsigned int cpu);

/* Debug key 'r' (sched_dump.c). */
void sched_dump(unsigned char key);

#endif
