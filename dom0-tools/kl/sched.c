/* SPDX-License-Identifier: MIT */
/*
 * kl sched-credit, sched-credit2: weights, caps and the schedulers' own parameters, per CPU pool.
 * The two verbs differ in the scheduler they speak of and in its parameters; the rest is shared.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include "cpupools.h"
#include "snapshot.h"

struct sched {
	uint32_t id;			/* XEN_SCHEDULER_* */
	const char *domain, *pool;	/* -d, -p */
	long weight, cap, slice, rate, delay;	/* -1: not given */
	bool params;			/* -s */
	struct json_writer *w;		/* with --json */
};

static int get_domain(struct kl *kl, const struct sched *s, domid_t domid, unsigned int *weight,
		      unsigned int *cap)
{
	struct xen_domctl_scheduler_op op = { .sched_id = s->id };
	int err = ctl_sched_get(kl->ctl, domid, &op);

	*weight = s->id == XEN_SCHEDULER_CREDIT ? op.u.credit.weight : op.u.credit2.weight;
	*cap = s->id == XEN_SCHEDULER_CREDIT ? op.u.credit.cap : op.u.credit2.cap;
	return err;
}

static int set_domain(struct kl *kl, const struct sched *s, domid_t domid)
{
	struct xen_domctl_scheduler_op op = { .sched_id = s->id };
	struct xen_domctl_getdomaininfo info;
	unsigned int weight, cap, most;
	int err = ctl_getdomaininfo(kl->ctl, domid, &info);

	if (!err)
		err = get_domain(kl, s, domid, &weight, &cap);
	if (err)
		return kl_check(kl, err, "cannot look at domain %s", s->domain);
	most = (info.max_vcpu_id + 1) * 100;
	if (s->weight >= 0 && (s->weight < 1 || s->weight > 65535))
		return kl_error(kl, "bad-argument", "Cpu weight out of range, valid values are "
				"within range from 1 to 65535");
	if (s->cap >= 0 && s->cap > (long)most)
		return kl_error(kl, "bad-argument",
				"Cpu cap out of range, valid range is from 0 to "
				"%u for specified number of vcpus",
				most);
	weight = s->weight >= 0 ? s->weight : weight;
	cap = s->cap >= 0 ? s->cap : cap;
	if (s->id == XEN_SCHEDULER_CREDIT) {
		op.u.credit.weight = weight;
		op.u.credit.cap = cap;
	} else {
		op.u.credit2.weight = weight;
		op.u.credit2.cap = cap;
	}
	return kl_check(kl, ctl_sched_put(kl->ctl, domid, &op),
			"cannot set the parameters of domain %s", s->domain);
}

static void heading(const struct sched *s)
{
	if (!s->w)
		printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
}

static int print_domain(struct kl *kl, const struct sched *s, const char *name, domid_t domid)
{
	unsigned int weight, cap;
	int err = get_domain(kl, s, domid, &weight, &cap);

	if (err == -ESRCH && !s->domain)
		return KL_OK;	/* gone since it was listed */
	if (err)
		return kl_check(kl, err, "cannot get the parameters of domain %u", domid);
	if (!s->w) {
		printf("%-33s %4d %6d %4d\n", name, domid, weight, cap);
		return KL_OK;
	}
	json_open_object(s->w, NULL);
	json_string(s->w, "name", name);
	json_int(s->w, "domid", domid);
	json_uint(s->w, "weight", weight);
	json_uint(s->w, "cap", cap);
	json_close_object(s->w);
	return KL_OK;
}

static int pool_op(struct kl *kl, const struct sched *s, uint32_t pool, struct xen_sysctl *op,
		   uint32_t cmd)
{
	op->cmd = XEN_SYSCTL_scheduler_op;
	op->u.scheduler_op.cpupool_id = pool;
	op->u.scheduler_op.sched_id = s->id;
	op->u.scheduler_op.cmd = cmd;
	return ctl_sysctl(kl->ctl, op);
}

static void print_pool(struct kl *kl, const struct sched *s, const struct kl_pool *p)
{
	struct xen_sysctl op = { 0 };
	int err = pool_op(kl, s, p->id, &op, XEN_SYSCTL_SCHEDOP_getinfo);
	const struct xen_sysctl_credit_schedule *c = &op.u.scheduler_op.u.sched_credit;
	const char *name = p->name ? p->name : "(null)";

	if (s->w) {
		json_string(s->w, "cpupool", name);
		if (err)
			return;
		if (s->id == XEN_SCHEDULER_CREDIT) {
			json_uint(s->w, "tslice_ms", c->tslice_ms);
			json_uint(s->w, "migration_delay_us", c->vcpu_migr_delay_us);
		}
		json_uint(s->w, "ratelimit_us", s->id == XEN_SCHEDULER_CREDIT ? c->ratelimit_us :
			  op.u.scheduler_op.u.sched_credit2.ratelimit_us);
	} else if (err) {
		printf("Cpupool %s: [sched params unavailable]\n", name);
	} else if (s->id == XEN_SCHEDULER_CREDIT) {
		printf("Cpupool %s: tslice=%dms ratelimit=%dus migration-delay=%dus\n", name,
		       c->tslice_ms, c->ratelimit_us, c->vcpu_migr_delay_us);
	} else {
		printf("Cpupool %s: ratelimit=%dus\n", name,
		       op.u.scheduler_op.u.sched_credit2.ratelimit_us);
	}
}

static int set_params(struct kl *kl, const struct sched *s, uint32_t pool)
{
	struct xen_sysctl op = { 0 };
	struct xen_sysctl_credit_schedule *c = &op.u.scheduler_op.u.sched_credit;
	int err = pool_op(kl, s, pool, &op, XEN_SYSCTL_SCHEDOP_getinfo);

	if (err)
		return kl_check(kl, err, "cannot get the scheduler's parameters");
	if (s->rate > 0 && (s->rate < XEN_SYSCTL_SCHED_RATELIMIT_MIN ||
			    s->rate > XEN_SYSCTL_SCHED_RATELIMIT_MAX))
		return kl_error(kl, "bad-argument",
				"Ratelimit out of range, valid range is from %d "
				"to %d",
				XEN_SYSCTL_SCHED_RATELIMIT_MIN, XEN_SYSCTL_SCHED_RATELIMIT_MAX);
	if (s->slice >= 0 && (s->slice < XEN_SYSCTL_CSCHED_TSLICE_MIN ||
			      s->slice > XEN_SYSCTL_CSCHED_TSLICE_MAX))
		return kl_error(kl, "bad-argument",
				"Time slice out of range, valid range is from %d "
				"to %d",
				XEN_SYSCTL_CSCHED_TSLICE_MIN, XEN_SYSCTL_CSCHED_TSLICE_MAX);
	if (s->id == XEN_SCHEDULER_CREDIT) {
		c->tslice_ms = s->slice >= 0 ? s->slice : c->tslice_ms;
		c->ratelimit_us = s->rate >= 0 ? s->rate : c->ratelimit_us;
		c->vcpu_migr_delay_us = s->delay >= 0 ? s->delay : c->vcpu_migr_delay_us;
	} else if (s->rate >= 0) {
		op.u.scheduler_op.u.sched_credit2.ratelimit_us = s->rate;
	}
	return kl_check(kl, pool_op(kl, s, pool, &op, XEN_SYSCTL_SCHEDOP_putinfo),
			"cannot set the scheduler's parameters");
}

/* Every pool with this scheduler, and its domains. */
static int list_all(struct kl *kl, const struct sched *s, const struct kl_pools *pools,
		    const struct kl_pool *only)
{
	struct kl_snapshot snap;
	bool failed = false;
	unsigned int p, i;
	int status = kl_snapshot(kl, &snap);

	if (!status && kl_snapshot_names(kl, &snap)) {
		kl_snapshot_free(&snap);
		status = KL_FAILED;
	}
	for (p = 0; !status && p < pools->count; p++) {
		if (pools->list[p].sched != s->id || (only && only != &pools->list[p]))
			continue;
		if (s->w)
			json_open_object(s->w, NULL);
		print_pool(kl, s, &pools->list[p]);
		heading(s);
		if (s->w)
			json_open_array(s->w, "domains");
		for (i = 0; i < snap.count; i++)
			if (snap.info[i].cpupool == pools->list[p].id &&
			    print_domain(kl, s, kl_shown_name(&snap, i), snap.info[i].domain))
				failed = true;
		if (s->w) {
			json_close_array(s->w);
			json_close_object(s->w);
		}
	}
	if (!status)
		kl_snapshot_free(&snap);
	return failed ? KL_FAILED : status;
}

static int one_domain(struct kl *kl, const struct sched *s)
{
	domid_t domid;
	char *name;
	int status;

	if (kl_find_domain(kl, s->domain, &domid) || !kl_ctl(kl))
		return KL_FAILED;
	if (s->weight >= 0 || s->cap >= 0)
		return set_domain(kl, s, domid);
	heading(s);
	name = kl_domain_name(kl, domid);
	status = print_domain(kl, s, name ? name : domid ? "(null)" : "Domain-0", domid);
	free(name);
	return status;
}

static int pool_verb(struct kl *kl, const struct sched *s)
{
	const struct kl_pool *pool = NULL;
	struct kl_pools pools;
	int status = KL_OK;

	if (kl_pools_read(kl, &pools))
		return KL_FAILED;
	if (s->pool || s->params)
		pool = kl_pool_find(kl, &pools, s->pool ? s->pool : "0");
	if ((s->pool || s->params) && !pool) {
		status = KL_FAILED;
	} else if (!s->params) {
		status = list_all(kl, s, &pools, pool);
	} else if (s->slice >= 0 || s->rate >= 0 || s->delay >= 0) {
		status = set_params(kl, s, pool->id);
	} else {
		if (s->w)
			json_open_object(s->w, NULL);
		print_pool(kl, s, pool);
		if (s->w)
			json_close_object(s->w);
	}
	kl_pools_free(&pools);
	return status;
}

static int run(struct kl *kl, struct sched *s)
{
	struct json_writer w = { 0 };
	int status;

	if ((s->pool || s->params) && (s->domain || s->weight >= 0 || s->cap >= 0))
		return kl_error(kl, "bad-argument", "Specifying a cpupool or schedparam is not "
				"allowed with domain options.");
	if (!s->domain && (s->weight >= 0 || s->cap >= 0))
		return kl_error(kl, "bad-argument", "Must specify a domain.");
	if (!s->params && (s->slice >= 0 || s->rate >= 0 || s->delay >= 0))
		return kl_error(kl, "bad-argument", "Must specify schedparam to set schedule "
				"parameter values.");
	if (kl->json) {
		s->w = &w;
		json_open_array(&w, NULL);
	}
	status = s->domain ? one_domain(kl, s) : pool_verb(kl, s);
	if (!s->w)
		return status;
	json_close_array(&w);
	return kl_print_json(kl, &w) ? KL_FAILED : status;
}

/* A number of an option: nonnegative, and an int; else the user was told. */
static int number(struct kl *kl, int opt, long *value)
{
	const char option[] = { '-', (char)opt, 0 };
	uint64_t given;
	int status = kl_number(kl, option, INT_MAX, &given);

	*value = status ? -1 : (long)given;
	return status;
}

static int options(struct kl *kl, int argc, char **argv, struct sched *s, const char *shorts)
{
	static const struct option longs[] = {
		{ "domain", 1, NULL, 'd' }, { "weight", 1, NULL, 'w' }, { "cap", 1, NULL, 'c' },
		{ "schedparam", 0, NULL, 's' }, { "tslice_ms", 1, NULL, 't' },
		{ "ratelimit_us", 1, NULL, 'r' }, { "migration_delay_us", 1, NULL, 'm' },
		{ "cpupool", 1, NULL, 'p' }, { 0 }
	};
	int opt;

	s->weight = s->cap = s->slice = s->rate = s->delay = -1;
	while ((opt = kl_getopt(kl, argc, argv, shorts, longs, 0)) >= 0) {
		long *value = opt == 'w' ? &s->weight : opt == 'c' ? &s->cap :
			      opt == 't' ? &s->slice : opt == 'r' ? &s->rate :
			      opt == 'm' ? &s->delay : NULL;

		if (opt == 'd')
			s->domain = optarg;
		else if (opt == 'p')
			s->pool = optarg;
		else if (opt == 's')
			s->params = true;
		else if (number(kl, opt, value))
			return KL_FAILED;
	}
	return opt == KL_STOP ? kl->status : run(kl, s);
}

int cmd_sched_credit(struct kl *kl, int argc, char **argv)
{
	struct sched s = { .id = XEN_SCHEDULER_CREDIT };

	return options(kl, argc, argv, &s, "d:w:c:p:t:r:m:s");
}

int cmd_sched_credit2(struct kl *kl, int argc, char **argv)
{
	struct sched s = { .id = XEN_SCHEDULER_CREDIT2 };

	return options(kl, argc, argv, &s, "d:w:c:p:r:s");
}
