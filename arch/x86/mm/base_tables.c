/* SPDX-License-Identifier: MIT */
/*
 * Base pointers: which top-level tables a vcpu has.
 *
 * A PV64 vcpu has two: its kernel's, and its user space's (none while it only
 * runs kernel threads). Each holds a general and a type reference.
 */
#include "private.h"

#include <core/hypercall.h>
#include <x86/pv.h>

int new_guest_cr3(mfn_t mfn)
{
	struct vcpu *curr = current;
	const mfn_t old = curr->arch.guest_table;
	int rc = finish_old_table(curr);

	if (unlikely(rc))
		return rc;
	/* Also what a call that is repeated after a preempted release finds. */
	if (mfn_eq(old, mfn)) {
		write_ptbase(curr);
		return 0;
	}
	rc = get_table_refs(pte_make(mfn, 0), 5, curr->domain, true, false);
	if (unlikely(rc))
		return rc == -EINTR ? -ERESTART : rc;

	pv_destroy_ldt(curr);	/* its pages were mapped by the old tables */
	curr->arch.guest_table = mfn;
	base_changed(curr, TF_kernel_mode, mfn);
	write_ptbase(curr);
	return no_table(old) ? 0 : put_table_or_defer(mfn_to_page(old));
}

/* Drops one base pointer of a vcpu that does not run; what is preempted stays in v's own slot. */
static int drop_base(struct vcpu *v, mfn_t *base)
{
	const mfn_t t = *base;
	struct page_info *pg;
	int rc;

	*base = INVALID_MFN;
	if (no_table(t))
		return 0;
	pg = mfn_to_page(t);
	rc = put_page_and_type_preemptible(pg);
	if (!rc)
		return 0;
	v->arch.old_guest_table = pg;
	v->arch.old_guest_table_partial = rc == -ERESTART;
	return -ERESTART;
}

int vcpu_set_base_tables(struct vcpu *v, mfn_t kernel, mfn_t user)
{
	int rc = put_old_guest_table(current);

	/* What an attempt that failed has left, see below. */
	if (!rc)
		rc = put_old_guest_table(v);
	if (rc)
		return rc;
	/* A call that was preempted may be repeated with another table: the first goes. */
	if (!mfn_eq(v->arch.guest_table, kernel) && drop_base(v, &v->arch.guest_table))
		return -ERESTART;
	if (no_table(v->arch.guest_table)) {
		rc = get_table_refs(pte_make(kernel, 0), 5, v->domain, true, false);
		if (rc)
			return rc == -EINTR ? -ERESTART : rc;
		v->arch.guest_table = kernel;
	}
	if (!no_table(user) && no_table(v->arch.guest_table_user)) {
		rc = get_table_refs(pte_make(user, 0), 5, v->domain, true, false);
		if (rc == -EINTR || rc == -ERESTART)
			return -ERESTART;	/* the kernel's is found set when called again */
		if (rc) {
			/* A failed tree may occupy current's slot; v's is free. */
			(void)drop_base(v, &v->arch.guest_table);
			return rc;
		}
		v->arch.guest_table_user = user;
	}
	base_changed(v, TF_kernel_mode, v->arch.guest_table);
	base_changed(v, 0, v->arch.guest_table_user);
	return 0;
}

int vcpu_destroy_pagetables(struct vcpu *v)
{
	int rc = put_old_guest_table(v);

	if (!rc)
		rc = drop_base(v, &v->arch.guest_table);
	if (!rc)
		rc = drop_base(v, &v->arch.guest_table_user);
	base_changed(v, TF_kernel_mode, v->arch.guest_table);
	base_changed(v, 0, v->arch.guest_table_user);
	return rc;
}
