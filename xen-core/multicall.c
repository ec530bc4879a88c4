/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_multicall: several hypercalls for one entry. They run in order;
 * one that fails does not stop the rest. Entries are fetched a few at a time,
 * each result is stored as soon as it is known. A call that is preempted
 * leaves its new arguments in its entry, and the multicall itself is
 * continued from there.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <arch/domain.h>
#include "private.h"

#define BATCH	8

/*
 * Runs one entry. 0: its result is stored in the guest's entry; -ERESTART:
 * preempted, the entry has the new arguments; -EFAULT; 1: the call was iret,
 * which replaced the registers: leave with *result.
 */
static int run_entry(struct multicall_state *mc, const struct multicall_entry *call,
		     struct multicall_entry *guest, long *result)
{
	hypercall_fn_t fn = call->op < NR_HYPERCALLS ? hypercall_table[call->op] : NULL;

	if (unlikely(call->op == __HYPERVISOR_iret)) {
		*result = arch_hypercall_iret();
		return 1;
	}
	mc->preempted = false;
	*result = fn ? fn(call->args[0], call->args[1], call->args[2], call->args[3], call->args[4])
		     : -ENOSYS;
	if (unlikely(mc->preempted)) {
		/* Arguments beyond those that the continuation names are unchanged. */
		struct multicall_entry next = *call;

		next.op = mc->op;
		memcpy(next.args, mc->args, mc->nr_args * sizeof(next.args[0]));
		if (raw_copy_to_guest(guest, &next, sizeof(next)))
			return -EFAULT;
		return -ERESTART;
	}
	return raw_copy_to_guest(&guest->result, result, sizeof(*result)) ? -EFAULT : 0;
}

/*
 * multicall(list, nr): 0, -EFAULT, -EINVAL when nested. Source: <xen/xen.h>
 * struct multicall_entry.
 */
DEFINE_HYPERCALL(multicall)
{
	struct multicall_state *mc = &this_cpu(multicall_state);
	struct multicall_entry *guest = (struct multicall_entry *)a1;
	unsigned int nr = (unsigned int)a2, done = 0;
	struct multicall_entry batch[BATCH];
	long result = 0;
	int rc = 0;

	if (mc->active)
		return -EINVAL;
	if (!guest_range_okay(guest, nr, sizeof(*guest)))
		return -EFAULT;
	mc->active = true;
	while (done < nr && !rc) {
		unsigned int n = min(nr - done, (unsigned int)BATCH);

		/* A long call asks for itself; a batch of short ones is not long. */
		if (done && unlikely(hypercall_preempt_check())) {
			rc = -ERESTART;
			break;
		}
		/* What lies before an unmapped page still counts. */
		n -= (unsigned int)DIV_ROUND_UP(
			raw_copy_from_guest(batch, guest + done, n * sizeof(*batch)),
			sizeof(*batch));
		if (!n) {
			rc = -EFAULT;
			break;
		}
		for (unsigned int i = 0; i < n; i++) {
			rc = run_entry(mc, &batch[i], guest + done, &result);
			if (rc)
				break;
			done++;
		}
	}
	mc->active = false;
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_multicall, 2, (unsigned long)(guest + done),
					  (unsigned long)(nr - done));
	return rc == 1 ? result : rc;
}
