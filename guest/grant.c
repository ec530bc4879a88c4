/* SPDX-License-Identifier: MIT */
/* Grant tables: see grant.h. */
#include <guest/console.h>
#include <guest/grant.h>
#include <guest/mm.h>
#include <guest/start.h>

#define FIRST_REF	8

struct grant_entry_v1 *grant_table;

static char table_pages[GRANT_MAX_FRAMES][PAGE_SIZE] __page_aligned;
static bool used[GRANT_MAX_FRAMES * GRANT_PER_FRAME];
static unsigned int nr_refs;

long grant_init(unsigned int nr_frames)
{
	xen_pfn_t frames[GRANT_MAX_FRAMES];
	struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = nr_frames };
	long rc;

	set_xen_guest_handle(op.frame_list, frames);
	rc = grant_op(GNTTABOP_setup_table, &op, 1);
	if (rc || op.status)
		return rc ? rc : op.status;
	for (unsigned int i = 0; i < nr_frames; i++) {
		rc = update_va_mapping(PTR(table_pages[i]), pte_make(frames[i], PTE_KERNEL),
				       UVMF_INVLPG);
		if (rc)
			return rc;
	}
	grant_table = (void *)table_pages;
	nr_refs = nr_frames * GRANT_PER_FRAME;
	return 0;
}

void grant_unmap_table(void)
{
	for (unsigned int i = 0; i < nr_refs / GRANT_PER_FRAME; i++)
		if (update_va_mapping(PTR(table_pages[i]), 0, UVMF_INVLPG))
			panic("grant table: cannot be unmapped");
}

grant_ref_t grant_alloc(void)
{
	for (grant_ref_t ref = FIRST_REF; ref < nr_refs; ref++) {
		if (!used[ref]) {
			used[ref] = true;
			return ref;
		}
	}
	panic("no free grant reference");
}

void grant_free(grant_ref_t ref)
{
	used[ref] = false;
}

void grant_access(grant_ref_t ref, domid_t dom, unsigned long mfn, bool readonly)
{
	struct grant_entry_v1 *e = &grant_table[ref];

	e->domid = dom;
	e->frame = mfn;
	barrier();			/* the rest before the flags that make it valid */
	WRITE_ONCE(e->flags, GTF_permit_access | (readonly ? GTF_readonly : 0));
}

bool grant_in_use(grant_ref_t ref)
{
	return READ_ONCE(grant_table[ref].flags) & (GTF_reading | GTF_writing);
}

bool grant_end(grant_ref_t ref)
{
	uint16_t flags = READ_ONCE(grant_table[ref].flags);

	do {
		if (flags & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(&grant_table[ref].flags, &flags, 0, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return true;
}

long grant_map(domid_t dom, grant_ref_t ref, unsigned int flags, uint64_t host_addr,
	       grant_handle_t *handle)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = host_addr, .flags = flags, .ref = ref, .dom = dom,
	};
	long rc = grant_op(GNTTABOP_map_grant_ref, &op, 1);

	*handle = op.handle;
	return rc ? rc : op.status;
}

long grant_unmap(grant_handle_t handle, uint64_t host_addr)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = host_addr, .handle = handle };
	long rc = grant_op(GNTTABOP_unmap_grant_ref, &op, 1);

	return rc ? rc : op.status;
}

/*
 * A guest is not told its number; a port bound to ourselves shows it as its remote end. dom0 is 0.
 */
domid_t grant_self_domid(void)
{
	struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_status status = { .dom = DOMID_SELF };
	struct evtchn_close close;

	if (evtchn_op(EVTCHNOP_alloc_unbound, &alloc))
		panic("self domid");
	status.port = alloc.port;
	evtchn_op(EVTCHNOP_status, &status);
	close.port = alloc.port;
	evtchn_op(EVTCHNOP_close, &close);
	return status.u.unbound.dom;
}
