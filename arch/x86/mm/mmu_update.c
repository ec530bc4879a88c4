/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_mmu_update: a batch of changes to page-table entries of any level,
 * to writable pages, and to the machine-to-physical table.
 *
 * Entries run in order; the first that fails ends the batch. Kernels batch
 * updates of neighbouring entries, so the table of the last update stays
 * referenced and locked for the next one: an update then costs little more than
 * the reference counts that it changes. A batch may be long, and who waits for the
 * lock cannot be preempted, so it is let go now and then.
 *
 * Requests are copied in by groups, each before its first update is made. An
 * update that changes the mapping of the requests themselves takes effect with
 * the next group.
 */
#include "private.h"

#include <core/guest_access.h>
#include <core/hypercall.h>

#define GROUP	16U
#define TURN	16U	/* groups after which who waits for the page gets a chance */

struct update {
	struct domain *caller;
	struct domain *pt_owner;	/* of the tables */
	struct domain *pg_owner;	/* of the frames that leaves name */
	int denied;			/* 0, or why the caller may not */
	unsigned int level;		/* of pg: 1 to 4; 7 writable page */
	/* the page of the last update, locked and referenced; or NULL */
	struct page_info *pg;
	unsigned long mfn;		/* its frame */
};

static void leave_page(struct update *u)
{
	if (u->pg) {
		log_dirty_page(u->pg);
		page_unlock(u->pg);
		put_page(u->pg);
		u->pg = NULL;
	}
}

/* A page without type: written as data, which makes it a writable page. */
static int write_plain(struct page_info *pg, unsigned long ptr, uint64_t val)
{
	int rc = get_writable_type(pg) ? -EINVAL : 0;

	if (!rc) {
		write_once(*(uint64_t *)(page_to_virt(pg) + (ptr & ~PAGE_MASK)), val);
		log_dirty_page(pg);
		put_writable_type(pg);
	}
	put_page(pg);
	return rc;
}

/* Makes the page that ptr points into the current one. 0, -errno; 1: the update is done already. */
static int enter_page(struct update *u, unsigned long ptr, uint64_t val)
{
	const mfn_t mfn = paddr_to_mfn(ptr);
	struct page_info *pg;

	leave_page(u);
	if (unlikely(!mfn_valid(mfn)))
		return -EINVAL;
	pg = mfn_to_page(mfn);
	if (unlikely(!get_page(pg, u->pt_owner)))
		return -EINVAL;
	if (unlikely(!page_lock(pg)))
		return write_plain(pg, ptr, val) ?: 1;
	u->pg = pg;
	u->mfn = mfn_x(mfn);
	u->level = level_of(pg->type_info);
	return 0;
}

/*
 * Levels 2 to 4. The table is left first: releasing what the old entry named
 * must not find it locked.
 */
static int update_table(struct update *u, pte_t *p, pte_t new, bool preserve_ad)
{
	int rc;

	if (u->pg_owner != u->pt_owner)
		return -EINVAL;
	rc = mod_table_entry(p, new, u->level, preserve_ad, u->pt_owner);
	leave_page(u);
	return rc == -EINTR ? -ERESTART : rc;
}

static int update_pte(struct update *u, unsigned long ptr, uint64_t val, bool preserve_ad)
{
	pte_t *p;

	if (unlikely(u->denied))
		return u->denied;
	if (!u->pg || u->mfn != ptr >> PAGE_SHIFT) {
		int rc = enter_page(u, ptr, val);

		if (unlikely(rc))
			return rc < 0 ? rc : 0;
	}
	p = (pte_t *)(page_to_virt(u->pg) + (ptr & ~PAGE_MASK));

	if (likely(u->level == 1))
		return mod_l1_entry(p, (pte_t){ val }, preserve_ad, u->pt_owner, u->pg_owner);
	if (u->level <= 4 && u->level)
		return update_table(u, p, (pte_t){ val }, preserve_ad);
	if (u->level != level_of(PGT_writable_page))
		return -EINVAL;
	write_once(p->pte, val);
	return 0;
}

static int update_m2p(struct update *u, unsigned long ptr, uint64_t val)
{
	const mfn_t mfn = paddr_to_mfn(ptr);

	if (u->caller != u->pt_owner)
		return -EPERM;
	if (mm_permitted(u->pg_owner))
		return -EPERM;
	if (!mfn_valid(mfn) || !get_page(mfn_to_page(mfn), u->pg_owner))
		return -EINVAL;
	set_gpfn_from_mfn(mfn, val);
	log_dirty_page(mfn_to_page(mfn));
	put_page(mfn_to_page(mfn));
	return 0;
}

static inline int update_one(struct update *u, const struct mmu_update *req)
{
	const unsigned long cmd = req->ptr & 7, ptr = req->ptr & ~7UL;

	switch (cmd) {
	case MMU_NORMAL_PT_UPDATE:
	case MMU_PT_UPDATE_NO_TRANSLATE:	/* frames of PV guests are never translated */
		return update_pte(u, ptr, req->val, false);
	case MMU_PT_UPDATE_PRESERVE_AD:
		return update_pte(u, ptr, req->val, true);
	case MMU_MACHPHYS_UPDATE:
		return update_m2p(u, ptr, req->val);
	default:
		return -ENOSYS;
	}
}

/* Copies the next requests in: how many, or -EFAULT if not even one is there. */
static int fetch_group(const struct mm_batch *b, struct mmu_update *req)
{
	const struct mmu_update *src = (const struct mmu_update *)b->reqs + b->i;
	unsigned int n = min(b->count - b->i, GROUP);
	unsigned long left = raw_copy_from_guest(req, src, n * sizeof(*req));

	n -= (unsigned int)DIV_ROUND_UP(left, sizeof(*req));
	return n ? (int)n : -EFAULT;
}

static int run_batch(struct update *u, struct mm_batch *b)
{
	struct vcpu *curr = current;
	struct mmu_update req[GROUP];
	unsigned int groups = 0;

	while (b->i < b->count) {
		int n, rc;

		if (b->i && hypercall_preempt_check())
			return -ERESTART;
		if (unlikely(!(++groups % TURN)))
			leave_page(u);
		n = fetch_group(b, req);
		if (unlikely(n < 0))
			return n;
		for (int k = 0; k < n; k++) {
			rc = update_one(u, req + k);
			if (unlikely(rc))
				return rc;
			b->i++;
			if (likely(!curr->arch.old_guest_table))
				continue;
			/*
			 * A table lost its place in another: release it now, in
			 * as many goes as it takes.
			 */
			if (put_old_guest_table(curr) || hypercall_preempt_check())
				return b->i < b->count ? -ERESTART : 0;
		}
	}
	return 0;
}

/*
 * domid packs two: the owner of the tables + 1 in the high half (0: the
 * caller), of the frames in the low.
 */
static int find_owners(struct update *u, unsigned int foreigndom)
{
	unsigned int pt = foreigndom >> 16;

	u->caller = u->pt_owner = current->domain;
	if (pt) {
		u->pt_owner = domain_by_id((domid_t)(pt - 1));
		if (!u->pt_owner)
			return -ESRCH;
		if (u->pt_owner != u->caller && !domain_vcpu(u->pt_owner, 0))
			return -EINVAL;
	}
	u->pg_owner = get_pg_owner((domid_t)foreigndom);
	if (!u->pg_owner)
		return -ESRCH;
	/* Device memory is permitted by frame, not by owner. */
	u->denied = u->pg_owner == dom_io ? 0 : mm_permitted(u->pg_owner);
	if (!u->denied)
		u->denied = mm_permitted(u->pt_owner);
	return 0;
}

DEFINE_HYPERCALL(mmu_update)
{
	struct mm_batch b;
	struct update u;
	long rc;

	if (!mm_batch_begin(&b, __HYPERVISOR_mmu_update, sizeof(struct mmu_update), a1, a2, a3, a4,
			    &rc))
		return rc;
	rc = find_owners(&u, b.foreigndom);
	if (likely(!rc)) {
		u.pg = NULL;
		rc = run_batch(&u, &b);
		leave_page(&u);
	}
	return mm_batch_end(&b, rc);
}
