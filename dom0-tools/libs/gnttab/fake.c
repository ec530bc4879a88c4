/* SPDX-License-Identifier: MIT */
/*
 * Grants of the fake hypervisor, for tests: what domains' grant tables hold is mapped or copied as
 * the hypervisor would; own pages are granted without a table. The contract is
 * tests/tools/fake_evtchn.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tools/gnttab.h>
#include <fake_evtchn.h>
#include <fake_hypervisor.h>

#define PAGE		4096UL
#define ENTRIES		(PAGE / sizeof(grant_entry_v1_t))
#define FIRST_REF	8U	/* of our own */

/* Pages of others that are mapped here, or of ours that others may map. */
struct area {
	struct area *next;
	void *address;
	unsigned int count;
	domid_t domid;			/* shares: to whom */
	unsigned int first_ref;		/* shares only, else 0 */
	int clear_offset, notify_port;
	xen_pfn_t frames[];
};

struct gnttab {
	struct area *areas;
};

/* All shares, of all handles: references are the domain's. */
static struct area *shares[64];

int gnttab_open(struct gnttab **out)
{
	*out = calloc(1, sizeof(**out));
	assert(*out);
	fake_hv_count_handle(1);
	return 0;
}

void gnttab_close(struct gnttab *gnttab)
{
	if (!gnttab)
		return;
	while (gnttab->areas) {
		struct area *area = gnttab->areas;

		if (area->first_ref)
			gnttab_unshare(gnttab, area->address, area->count);
		else
			gnttab_unmap(gnttab, area->address, area->count);
	}
	free(gnttab);
	fake_hv_count_handle(-1);
}

/* The entry of @domid's table if it grants to us, with the frame it names. */
static grant_entry_v1_t *find_grant(domid_t domid, grant_ref_t ref, bool writable)
{
	struct fake_domain *domain = fake_hv_domain(domid);
	grant_entry_v1_t *entry;

	if (!domain || domain->dying || ref >= ENTRIES)
		return NULL;
	entry = (grant_entry_v1_t *)fake_hv_frame(domain->grant_table) + ref;
	if ((entry->flags & GTF_type_mask) != GTF_permit_access || entry->domid ||
	    (writable && entry->flags & GTF_readonly) || fake_hv_owner(entry->frame) != domid)
		return NULL;
	return entry;
}

static struct area *new_area(struct gnttab *gnttab, unsigned int count)
{
	struct area *area = calloc(1, sizeof(*area) + count * sizeof(area->frames[0]));

	assert(area);
	area->count = count;
	area->clear_offset = area->notify_port = -1;
	area->address = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			     -1, 0);
	assert(area->address != MAP_FAILED);
	area->next = gnttab->areas;
	gnttab->areas = area;
	return area;
}

static struct area *take_area(struct gnttab *gnttab, void *address, unsigned int count)
{
	struct area **link = &gnttab->areas, *area;

	while (*link && (*link)->address != address)
		link = &(*link)->next;
	area = *link;
	if (!area || area->count != count)
		return NULL;
	*link = area->next;
	return area;
}

int gnttab_map(struct gnttab *gnttab, unsigned int count, const domid_t *domids,
	       const grant_ref_t *refs, bool writable, void **address)
{
	struct area *area;
	int rc = fake_hv_step();

	for (unsigned int i = 0; i < count && !rc; i++)
		if (!find_grant(domids[i], refs[i], writable))
			rc = -EINVAL;
	if (rc)
		return rc;
	area = new_area(gnttab, count);
	for (unsigned int i = 0; i < count; i++) {
		grant_entry_v1_t *entry = find_grant(domids[i], refs[i], writable);
		uint64_t offset;
		int fd = fake_hv_memory_fd(&offset, entry->frame);

		area->frames[i] = entry->frame;
		assert(!fake_hv_get_frame(domids[i], entry->frame));
		entry->flags |= GTF_reading | (writable ? GTF_writing : 0);
		assert(mmap((char *)area->address + i * PAGE, PAGE,
			    PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, fd,
			    (off_t)offset) != MAP_FAILED);
	}
	*address = area->address;
	return 0;
}

int gnttab_map_notify(struct gnttab *gnttab, domid_t domid, grant_ref_t ref, bool writable,
		      int clear_offset, int notify_port, void **address)
{
	int rc = gnttab_map(gnttab, 1, &domid, &ref, writable, address);

	if (rc)
		return rc;
	gnttab->areas->clear_offset = clear_offset;
	gnttab->areas->notify_port = notify_port;
	return 0;
}

int gnttab_unmap(struct gnttab *gnttab, void *address, unsigned int count)
{
	struct area *area = take_area(gnttab, address, count);

	if (!area)
		return -EINVAL;
	if (area->clear_offset >= 0)
		((uint8_t *)fake_hv_frame(area->frames[0]))[area->clear_offset] = 0;
	munmap(address, count * PAGE);
	for (unsigned int i = 0; i < count; i++)
		fake_hv_put_frame(area->frames[i]);
	free(area);
	return 0;
}

int gnttab_copy(struct gnttab *gnttab, struct gnttab_copy_piece *pieces, unsigned int count)
{
	int rc = fake_hv_step();

	(void)gnttab;
	for (unsigned int i = 0; i < count && !rc; i++) {
		struct gnttab_copy_piece *piece = &pieces[i];
		grant_entry_v1_t *entry = find_grant(piece->domid, piece->ref, piece->to_grant);
		uint8_t *page = entry ? fake_hv_frame(entry->frame) : NULL;

		piece->status = GNTST_okay;
		if (!page)
			piece->status = GNTST_bad_gntref;
		else if (piece->offset + piece->bytes > PAGE)
			piece->status = GNTST_bad_copy_arg;
		else if (piece->to_grant)
			memcpy(page + piece->offset, piece->local, piece->bytes);
		else
			memcpy(piece->local, page + piece->offset, piece->bytes);
	}
	return rc;
}

int gnttab_staging(struct gnttab *gnttab, domid_t self, unsigned int count, void **address)
{
	int rc = fake_hv_step();

	(void)self;
	if (!rc)
		*address = new_area(gnttab, count)->address;
	return rc;
}

int gnttab_staging_free(struct gnttab *gnttab, void *address)
{
	struct area **link = &gnttab->areas, *area;

	while (*link && (*link)->address != address)
		link = &(*link)->next;
	area = *link;
	if (!area)
		return -ENOENT;
	*link = area->next;
	munmap(address, area->count * PAGE);
	free(area);
	return 0;
}

int gnttab_share(struct gnttab *gnttab, domid_t domid, unsigned int count, bool writable,
		 grant_ref_t *refs, void **address)
{
	unsigned int slot = 0, ref = FIRST_REF;
	struct area *area;
	int rc = fake_hv_step();

	(void)writable;
	if (rc)
		return rc;
	while (slot < 64 && shares[slot])
		slot++;
	if (slot == 64)
		return -ENOSPC;
	for (unsigned int i = 0; i < 64; i++)
		if (shares[i] && shares[i]->first_ref + shares[i]->count > ref)
			ref = shares[i]->first_ref + shares[i]->count;
	area = new_area(gnttab, count);
	area->domid = domid;
	area->first_ref = ref;
	shares[slot] = area;
	for (unsigned int i = 0; i < count; i++)
		refs[i] = ref + i;
	*address = area->address;
	return 0;
}

int gnttab_unshare(struct gnttab *gnttab, void *address, unsigned int count)
{
	struct area *area = take_area(gnttab, address, count);

	if (!area)
		return -ENOENT;
	for (unsigned int i = 0; i < 64; i++)
		if (shares[i] == area)
			shares[i] = NULL;
	munmap(address, count * PAGE);
	free(area);
	return 0;
}

/* ---- what tests see ---- */

unsigned int fake_gnttab_shared(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < 64; i++)
		count += shares[i] ? shares[i]->count : 0;
	return count;
}

void *fake_gnttab_page(domid_t domid, unsigned int ref)
{
	for (unsigned int i = 0; i < 64; i++)
		if (shares[i] && shares[i]->domid == domid && ref >= shares[i]->first_ref &&
		    ref < shares[i]->first_ref + shares[i]->count)
			return (uint8_t *)shares[i]->address + (ref - shares[i]->first_ref) * PAGE;
	return NULL;
}
