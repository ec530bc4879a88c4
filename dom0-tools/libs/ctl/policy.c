/* SPDX-License-Identifier: MIT */
/*
 * CPU policies (CPUID leaves and MSRs that a domain sees) and feature sets.
 * Sources: <xen/domctl.h>, <xen/sysctl.h>, <xen/arch-x86/xen.h>.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

/* Where the two lists of a policy lie in the payload. */
struct lists {
	xen_cpuid_leaf_t *leaves;
	xen_msr_entry_t *msrs;
};

static int place_lists(struct ctl *ctl, struct lists *lists, uint32_t nr_leaves, uint32_t nr_msrs)
{
	size_t leaf_bytes = nr_leaves * sizeof(xen_cpuid_leaf_t);
	char *payload = ctl_payload(ctl, leaf_bytes + nr_msrs * sizeof(xen_msr_entry_t));

	if (!payload)
		return -ENOMEM;
	lists->leaves = (xen_cpuid_leaf_t *)payload;
	lists->msrs = (xen_msr_entry_t *)(payload + leaf_bytes);
	return 0;
}

/* Copies out what the hypervisor filled in. */
static int take_lists(const struct lists *lists, uint32_t got_leaves, uint32_t got_msrs,
		      struct ctl_cpu_policy *policy)
{
	if (got_leaves > policy->nr_leaves || got_msrs > policy->nr_msrs)
		return -EPROTO;
	memcpy(policy->leaves, lists->leaves, got_leaves * sizeof(*policy->leaves));
	memcpy(policy->msrs, lists->msrs, got_msrs * sizeof(*policy->msrs));
	policy->nr_leaves = got_leaves;
	policy->nr_msrs = got_msrs;
	return 0;
}

int ctl_cpu_policy_size(struct ctl *ctl, uint32_t *nr_leaves, uint32_t *nr_msrs)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_get_cpu_policy };
	int rc = ctl_sysctl(ctl, &op);

	if (rc)
		return rc;
	*nr_leaves = op.u.cpu_policy.nr_leaves;
	*nr_msrs = op.u.cpu_policy.nr_msrs;
	return 0;
}

int ctl_system_cpu_policy(struct ctl *ctl, uint32_t index, struct ctl_cpu_policy *policy)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_get_cpu_policy };
	struct lists lists;
	int rc = place_lists(ctl, &lists, policy->nr_leaves, policy->nr_msrs);

	if (rc)
		return rc;
	op.u.cpu_policy.index = index;
	op.u.cpu_policy.nr_leaves = policy->nr_leaves;
	op.u.cpu_policy.nr_msrs = policy->nr_msrs;
	set_xen_guest_handle(op.u.cpu_policy.leaves, lists.leaves);
	set_xen_guest_handle(op.u.cpu_policy.msrs, lists.msrs);
	rc = ctl_sysctl(ctl, &op);
	return rc ? rc : take_lists(&lists, op.u.cpu_policy.nr_leaves, op.u.cpu_policy.nr_msrs,
				    policy);
}

int ctl_get_cpu_policy(struct ctl *ctl, domid_t domid, struct ctl_cpu_policy *policy)
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_get_cpu_policy, domid);
	struct lists lists;
	int rc = place_lists(ctl, &lists, policy->nr_leaves, policy->nr_msrs);

	if (rc)
		return rc;
	op.u.cpu_policy.nr_leaves = policy->nr_leaves;
	op.u.cpu_policy.nr_msrs = policy->nr_msrs;
	set_xen_guest_handle(op.u.cpu_policy.leaves, lists.leaves);
	set_xen_guest_handle(op.u.cpu_policy.msrs, lists.msrs);
	rc = ctl_domctl(ctl, &op);
	return rc ? rc : take_lists(&lists, op.u.cpu_policy.nr_leaves, op.u.cpu_policy.nr_msrs,
				    policy);
}

int ctl_set_cpu_policy(struct ctl *ctl, domid_t domid, const struct ctl_cpu_policy *policy,
		       uint32_t refused[3])
{
	struct xen_domctl op = ctl_domctl_for(XEN_DOMCTL_set_cpu_policy, domid);
	struct lists lists;
	int rc = place_lists(ctl, &lists, policy->nr_leaves, policy->nr_msrs);

	if (rc)
		return rc;
	/* A list of none may be NULL. */
	if (policy->nr_leaves)
		memcpy(lists.leaves, policy->leaves, policy->nr_leaves * sizeof(*policy->leaves));
	if (policy->nr_msrs)
		memcpy(lists.msrs, policy->msrs, policy->nr_msrs * sizeof(*policy->msrs));
	op.u.cpu_policy.nr_leaves = policy->nr_leaves;
	op.u.cpu_policy.nr_msrs = policy->nr_msrs;
	op.u.cpu_policy.err_leaf = op.u.cpu_policy.err_subleaf = op.u.cpu_policy.err_msr = ~0U;
	set_xen_guest_handle(op.u.cpu_policy.leaves, lists.leaves);
	set_xen_guest_handle(op.u.cpu_policy.msrs, lists.msrs);
	rc = ctl_domctl(ctl, &op);
	if (refused) {
		refused[0] = op.u.cpu_policy.err_leaf;
		refused[1] = op.u.cpu_policy.err_subleaf;
		refused[2] = op.u.cpu_policy.err_msr;
	}
	return rc;
}

int ctl_cpu_featureset(struct ctl *ctl, uint32_t index, uint32_t *features, unsigned int max)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_get_cpu_featureset };
	uint32_t *payload = ctl_payload(ctl, max * sizeof(*payload));
	int rc;

	if (!payload)
		return -ENOMEM;
	op.u.cpu_featureset.index = index;
	op.u.cpu_featureset.nr_features = max;
	set_xen_guest_handle(op.u.cpu_featureset.features, payload);
	rc = ctl_sysctl(ctl, &op);
	if (rc)
		return rc;
	if (op.u.cpu_featureset.nr_features > max)
		return -EPROTO;
	memcpy(features, payload, op.u.cpu_featureset.nr_features * sizeof(*features));
	return (int)op.u.cpu_featureset.nr_features;
}
