/* SPDX-License-Identifier: MIT */
/*
 * Auto-convergence: a guest that writes faster than the link carries gets less and less of the CPUs
 * by the scheduler's cap, until a round leaves less than its predecessor.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

#define FIRST_PERCENT 50U
#define LEAST_PERCENT 5U

/* What the scheduler has about the domain; its cap is *cap of @op. */
static int settings(struct ctl *ctl, domid_t domid, struct xen_domctl_scheduler_op *op,
		    uint16_t **cap)
{
	uint32_t id = 0;
	int rc = ctl_sched_id(ctl, &id);

	memset(op, 0, sizeof(*op));
	op->sched_id = id;
	*cap = id == XEN_SCHEDULER_CREDIT ? &op->u.credit.cap : &op->u.credit2.cap;
	if (!rc && id != XEN_SCHEDULER_CREDIT && id != XEN_SCHEDULER_CREDIT2)
		rc = -EOPNOTSUPP;
	return rc ? rc : ctl_sched_get(ctl, domid, op);
}

int brake_cap_get(struct ctl *ctl, domid_t domid, uint32_t *cap)
{
	struct xen_domctl_scheduler_op op;
	uint16_t *place;
	int rc = settings(ctl, domid, &op, &place);

	if (!rc)
		*cap = *place;
	return rc;
}

int brake_cap_set(struct ctl *ctl, domid_t domid, uint32_t cap)
{
	struct xen_domctl_scheduler_op op;
	uint16_t *place;
	int rc = settings(ctl, domid, &op, &place);

	if (rc)
		return rc;
	*place = (uint16_t)cap;
	return ctl_sched_put(ctl, domid, &op);
}

bool saver_brake(struct saver *s)
{
	unsigned int percent = s->progress.brake ? s->progress.brake / 2 : FIRST_PERCENT;
	struct xen_domctl_getdomaininfo info;
	uint32_t cap;

	if (percent < LEAST_PERCENT || ctl_getdomaininfo(s->save->ctl, s->save->domid, &info) ||
	    (!s->progress.brake && brake_cap_get(s->save->ctl, s->save->domid, &s->own_cap)))
		return false;
	cap = (info.nr_online_vcpus ? info.nr_online_vcpus : 1) * percent;
	if (s->own_cap && s->own_cap * percent / 100 < cap)
		cap = s->own_cap * percent / 100;
	if (brake_cap_set(s->save->ctl, s->save->domid, cap ? cap : 1))
		return false;
	s->progress.brake = percent;
	return true;
}

void saver_unbrake(struct saver *s)
{
	if (s->progress.brake)
		brake_cap_set(s->save->ctl, s->save->domid, s->own_cap);
	s->progress.brake = 0;
}
