/* SPDX-License-Identifier: MIT */
/*
 * Freeing what other CPUs may still be reading. Since no CPU is preempted
 * inside the hypervisor, a pointer found in a shared table stays valid until
 * the CPU next runs softirqs (returns to a guest, or idles). quiesce_call()
 * runs fn after every online CPU has passed such a point.
 * domain_by_id() results live by this rule.
 */
#ifndef CORE_QUIESCE_H
#define CORE_QUIESCE_H

struct quiesce_head {
	struct quiesce_head *next;
	void (*fn)(struct quiesce_head *head);
};

/* Any context. fn runs in softirq context, on some CPU. */
void quiesce_call(struct quiesce_head *head, void (*fn)(struct quiesce_head *));
void quiesce_init(void);
/* A CPU that is out of cpu_online_map and runs nothing any more: nobody waits for it. */
void quiesce_cpu_offline(unsigned int cpu);

#endif
