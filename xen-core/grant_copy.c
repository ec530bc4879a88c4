/* SPDX-License-Identifier: MIT */
/*
 * Copying between granted frames, and frames of one's own. Each side stays
 * acquired from one element of the array to the next while both name the same
 * frame, so the parts of a packet, or a batch into one page, cost one
 * acquisition.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include "grant_private.h"

#define BATCH	16U

struct side {
	struct domain *d;	/* NULL: none yet */
	domid_t domid;		/* as the guest named it */
	bool is_ref, writable;
	grant_ref_t ref;
	xen_pfn_t gmfn;
	struct page_info *pg;	/* NULL: nothing acquired */
	char *virt;
};

static inline void release(struct side *s)
{
	if (!s->pg)
		return;
	if (s->writable) {
		if (s->is_ref)
			grant_unpin(s->d, s->ref, false, PIN_HOST_W);
		put_page_type(s->pg);
	} else if (s->is_ref) {
		grant_unpin(s->d, s->ref, true, PIN_HOST_R);
	}
	put_page(s->pg);
	s->pg = NULL;
}

static bool same_domains(const struct gnttab_copy *op, const struct side *src,
			 const struct side *dst)
{
	return likely(src->d && dst->d && op->source.domid == src->domid &&
		      op->dest.domid == dst->domid &&
		      /*
		       * A frame by number must be one's own, which is checked
		       * when the domains are.
		       */
		      (src->domid == DOMID_SELF || (op->flags & GNTCOPY_source_gref)) &&
		      (dst->domid == DOMID_SELF || (op->flags & GNTCOPY_dest_gref)));
}

static int16_t find_domain(struct side *s, domid_t domid, bool is_ref)
{
	s->d = NULL;
	if (domid != DOMID_SELF && !is_ref)
		return GNTST_permission_denied;
	s->d = domain_by_any_id(domid);
	s->domid = domid;
	return s->d ? GNTST_okay : GNTST_bad_domain;
}

static int16_t acquire(struct side *s, const struct gnttab_copy_ptr *ptr, bool is_ref)
{
	int rc;

	if (is_ref) {
		rc = grant_pin(s->d, ptr->u.ref, current->domain->domain_id, !s->writable, false,
			       s->writable ? PIN_HOST_W : PIN_HOST_R, &s->pg);
		if (unlikely(rc)) {
			s->pg = NULL;
			return (int16_t)rc;
		}
		s->ref = ptr->u.ref;
	} else {
		s->pg = get_page_from_gfn(s->d, _gfn(ptr->u.gmfn));
		if (unlikely(!s->pg))
			return GNTST_bad_page;
		s->gmfn = ptr->u.gmfn;
	}
	s->is_ref = is_ref;
	if (s->writable && unlikely(get_page_type(s->pg, PGT_writable_page))) {
		if (is_ref)
			grant_unpin(s->d, s->ref, false, PIN_HOST_W);
		put_page(s->pg);
		s->pg = NULL;
		return GNTST_general_error;
	}
	s->virt = page_to_virt(s->pg);
	return GNTST_okay;
}

static inline int16_t prepare(struct side *s, const struct gnttab_copy_ptr *ptr, bool is_ref)
{
	if (s->pg && s->is_ref == is_ref &&
	    (is_ref ? s->ref == ptr->u.ref : s->gmfn == ptr->u.gmfn))
		return GNTST_okay;
	release(s);
	return acquire(s, ptr, is_ref);
}

static inline int copy_one(const struct gnttab_copy *op, struct side *src, struct side *dst)
{
	int rc;

	if (!same_domains(op, src, dst)) {
		release(src);
		release(dst);
		rc = find_domain(src, op->source.domid, op->flags & GNTCOPY_source_gref);
		if (!rc)
			rc = find_domain(dst, op->dest.domid, op->flags & GNTCOPY_dest_gref);
		if (unlikely(rc)) {
			src->d = dst->d = NULL;
			return rc;
		}
	}
	rc = prepare(src, &op->source, op->flags & GNTCOPY_source_gref);
	if (unlikely(rc))
		return rc;
	rc = prepare(dst, &op->dest, op->flags & GNTCOPY_dest_gref);
	if (unlikely(rc))
		return rc;
	if (unlikely(op->source.offset + op->len > PAGE_SIZE ||
		     op->dest.offset + op->len > PAGE_SIZE))
		return GNTST_bad_copy_arg;
	/*
	 * One page onto itself may overlap; the result is then the guest's own
	 * affair, but defined.
	 */
	if (unlikely(src->virt == dst->virt))
		memmove(dst->virt + op->dest.offset, src->virt + op->source.offset, op->len);
	else if (op->len == PAGE_SIZE)
		copy_page(dst->virt, src->virt);
	else
		memcpy(dst->virt + op->dest.offset, src->virt + op->source.offset, op->len);
	return GNTST_okay;
}

/* One batch at guest. Elements done, or -EFAULT. */
static long copy_batch(struct gnttab_copy *guest, unsigned int left, struct side *src,
		       struct side *dst)
{
	struct gnttab_copy op[BATCH];
	unsigned int n = min(left, BATCH);

	if (unlikely(raw_copy_from_guest(op, guest, n * sizeof(*op)))) {
		n = 1;
		if (raw_copy_from_guest(op, guest, sizeof(*op)))
			return -EFAULT;
	}
	for (unsigned int i = 0; i < n; i++) {
		const int rc = copy_one(&op[i], src, dst);

		op[i].status = (int16_t)rc;
		if (likely(!((unsigned long)rc | log_dirty_on)))
			continue;
		if (!rc) {
			log_dirty_page(dst->pg);	/* while the pin still shows that we write */
		} else {
			release(src);
			release(dst);
		}
	}
	return raw_copy_to_guest(guest, op, n * sizeof(*op)) ? -EFAULT : (long)n;
}

long gnttab_copy(unsigned long uop, unsigned int count)
{
	struct gnttab_copy *guest = (struct gnttab_copy *)uop;
	struct side src = { .writable = false }, dst = { .writable = true };
	unsigned int done = 0;
	long rc = 0;

	while (done < count) {
		if (done && hypercall_preempt_check())
			break;
		rc = copy_batch(guest + done, count - done, &src, &dst);
		if (rc < 0)
			break;
		done += (unsigned int)rc;
	}
	release(&src);
	release(&dst);
	if (rc < 0)
		return rc;
	return done < count ? (long)done : 0;
}
