/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor is told about a fresh domain before it has memory: vcpus and where they may
 * run, the most memory it may have and how much it sees, time, weight and cap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "create.h"

/* One entry of an E820 table, as guests read it. */
struct e820_entry {
	uint64_t address, length;
	uint32_t type;
} __attribute__((packed));

static int failed(struct creation *c, int rc, const char *what)
{
	return rc ? tools_fail(c->error, rc, "hypervisor", "the hypervisor refuses %s: %s", what,
			       strerror(-rc)) :
		    0;
}

/* xl.conf's masks cut what a vcpu may use; nothing left of it means the masks alone. */
static int apply_masks(struct creation *c, struct light_bitmap *map)
{
	const struct light_bitmap *masks[2] = { &c->light->defaults.vm_cpumask,
						&c->light->defaults.pv_cpumask };
	struct light_bitmap all = { 0 };
	unsigned int i, bit;
	int rc = 0;

	for (i = 0; i < 2 && !rc; i++) {
		if (!masks[i]->bytes)
			continue;
		if (!map->bytes) {
			rc = light_bitmap_copy(map, masks[i]);
			continue;
		}
		for (bit = 0; bit < map->bytes * 8; bit++)
			if (light_bitmap_test(map, bit) && !light_bitmap_test(masks[i], bit))
				light_bitmap_set(map, bit, false);
	}
	light_bitmap_free(&all);
	return rc;
}

static int set_affinity(struct creation *c)
{
	bool masks = !c->create->ignore_global_affinity &&
		     (c->light->defaults.vm_cpumask.bytes || c->light->defaults.pv_cpumask.bytes);
	struct light_bitmap hard, soft;
	unsigned int i, bytes;
	int rc = 0;

	for (i = 0; i < (unsigned int)c->run.max_vcpus && !rc; i++) {
		memset(&hard, 0, sizeof(hard));
		memset(&soft, 0, sizeof(soft));
		if (i < c->run.n_hard)
			rc = light_bitmap_copy(&hard, &c->run.hard_affinity[i]);
		if (!rc && i < c->run.n_soft)
			rc = light_bitmap_copy(&soft, &c->run.soft_affinity[i]);
		if (!rc && masks)
			rc = apply_masks(c, &hard);
		/* Both maps go with one length. */
		bytes = hard.bytes > soft.bytes ? hard.bytes : soft.bytes;
		if (!rc && bytes && hard.bytes && soft.bytes) {
			light_bitmap_set(&hard, bytes * 8 - 1,
					 light_bitmap_test(&hard, bytes * 8 - 1));
			light_bitmap_set(&soft, bytes * 8 - 1,
					 light_bitmap_test(&soft, bytes * 8 - 1));
			bytes = hard.bytes < soft.bytes ? hard.bytes : soft.bytes;
		}
		if (!rc && bytes)
			rc = ctl_setvcpuaffinity(c->light->ctl, (domid_t)c->domid, i, hard.bits,
						 soft.bits, bytes);
		light_bitmap_free(&hard);
		light_bitmap_free(&soft);
	}
	return failed(c, rc, "the CPU affinity (cpus=, cpus_soft=)");
}

static int set_scheduling(struct creation *c)
{
	const struct light_sched *sched = &c->run.sched;
	struct xen_domctl_scheduler_op op = { 0 };
	uint32_t id;
	int rc;

	if (sched->weight < 0 && sched->cap < 0)
		return 0;
	rc = ctl_sched_id(c->light->ctl, &id);
	if (rc)
		return failed(c, rc, "to name its scheduler");
	if (id != XEN_SCHEDULER_CREDIT && id != XEN_SCHEDULER_CREDIT2) {
		light_say(
			c->light,
			"this scheduler has neither weight nor cap: cpu_weight= and cap= are ignored");
		return 0;
	}
	op.sched_id = id;
	rc = ctl_sched_get(c->light->ctl, (domid_t)c->domid, &op);
	op.sched_id = id;
	if (id == XEN_SCHEDULER_CREDIT2) {
		op.u.credit2.weight = sched->weight >= 0 ? (uint16_t)sched->weight :
							   op.u.credit2.weight;
		op.u.credit2.cap = sched->cap >= 0 ? (uint16_t)sched->cap : op.u.credit2.cap;
	} else {
		op.u.credit.weight = sched->weight >= 0 ? (uint16_t)sched->weight :
							  op.u.credit.weight;
		op.u.credit.cap = sched->cap >= 0 ? (uint16_t)sched->cap : op.u.credit.cap;
	}
	rc = rc ? rc : ctl_sched_put(c->light->ctl, (domid_t)c->domid, &op);
	return failed(c, rc, "weight or cap");
}

static int set_time(struct creation *c)
{
	int64_t offset = (int32_t)c->run.rtc_timeoffset;
	time_t now = time(NULL);
	struct tm local;
	int rc = ctl_settscinfo(c->light->ctl, (domid_t)c->domid, (uint32_t)c->run.tsc_mode, 0, 0,
				0);

	if (rc)
		return failed(c, rc, "the TSC mode");
	if (c->run.localtime == LIGHT_YES && localtime_r(&now, &local))
		offset += local.tm_gmtoff;
	if (offset)
		rc = ctl_settimeoffset(c->light->ctl, (domid_t)c->domid, offset);
	return failed(c, rc, "the clock's offset");
}

int creation_limits(struct creation *c)
{
	struct e820_entry map = { 0, c->run.max_memkb << 10, 1 };
	struct ctl *ctl = c->light->ctl;
	domid_t domid = (domid_t)c->domid;
	int rc = failed(c, ctl_max_vcpus(ctl, domid, (unsigned int)c->run.max_vcpus),
			"that many vcpus");

	rc = rc ? rc : set_affinity(c);
	rc = rc ? rc :
		  failed(c, ctl_max_mem(ctl, domid, c->run.target_memkb + LIGHT_MAXMEM_SLACK_KIB),
			 "that much memory");
	/* What the guest takes for its size: up to there it may be ballooned. Not vital. */
	if (!rc)
		ctl_set_memory_map(ctl, domid, &map, 1, sizeof(map));
	rc = rc ? rc : set_time(c);
	return rc ? rc : set_scheduling(c);
}
