/* SPDX-License-Identifier: MIT */
/*
 * RAM, frame table and machine-to-physical table of the fake machine, and
 * simple page references.
 */
#include <core/lib.h>
#include <core/mm.h>
#include <core/domain.h>
#include <core/errno.h>
#include <arch/atomic.h>
#include <arch/map.h>
#include <host/host.h>

static unsigned char ram[HOST_RAM_FRAMES << PAGE_SHIFT] __aligned(1 << 21);
unsigned char *const host_ram = ram;
unsigned char host_frame_table[HOST_RAM_FRAMES << PAGE_INFO_SHIFT] __aligned(4096);
unsigned long host_m2p[HOST_RAM_FRAMES];
__attribute__((weak)) unsigned long max_page = HOST_RAM_FRAMES;

_Static_assert(sizeof(struct page_info) == 1 << PAGE_INFO_SHIFT, "struct page_info");

void host_bad_frame(const char *what, unsigned long value)
{
	printk("bad frame or address: %s %lx\n", what, value);
	bug_at(__FILE__, __LINE__, what);
}

void host_frames_reset(void)
{
	max_page = HOST_RAM_FRAMES;
	memset(host_frame_table, 0, sizeof(host_frame_table));
	for (unsigned long i = 0; i < HOST_RAM_FRAMES; i++) {
		frame_table[i].count_info = PGC_state_reserved;
		host_m2p[i] = INVALID_M2P_ENTRY;
	}
}

/* ---- M2P ---- */
__attribute__((weak)) void set_gpfn_from_mfn(mfn_t mfn, unsigned long pfn)
{
	if (mfn_valid(mfn))
		host_m2p[mfn_x(mfn)] = pfn;
}
__attribute__((weak)) unsigned long get_gpfn_from_mfn(mfn_t mfn)
{
	return mfn_valid(mfn) ? host_m2p[mfn_x(mfn)] : INVALID_M2P_ENTRY;
}
__attribute__((weak)) gfn_t mfn_to_gfn(const struct domain *d __maybe_unused, mfn_t mfn)
{
	return _gfn(mfn_x(mfn));
}
__attribute__((weak)) struct page_info *get_page_from_gfn(struct domain *d, gfn_t gfn)
{
	mfn_t mfn = _mfn(gfn_x(gfn));

	return mfn_valid(mfn) && get_page(mfn_to_page(mfn), d) ? mfn_to_page(mfn) : NULL;
}

/* ---- references, enough for tests that are not about them ---- */
__attribute__((weak)) bool get_page(struct page_info *pg, const struct domain *d)
{
	const struct domain *owner = page_get_owner(pg);

	if (!(pg->count_info & PGC_count_mask) || !owner || (d && owner != d))
		return false;
	pg->count_info++;
	return true;
}

__attribute__((weak)) struct domain *page_get_owner_and_reference(struct page_info *pg)
{
	return get_page(pg, NULL) ? page_get_owner(pg) : NULL;
}

__attribute__((weak)) void put_page(struct page_info *pg)
{
	BUG_ON(!(pg->count_info & PGC_count_mask));
	if (!(--pg->count_info & PGC_count_mask) && !(pg->count_info & PGC_xen_heap))
		free_domheap_page(pg);
}

__attribute__((weak)) int get_page_type(struct page_info *pg, unsigned long type)
{
	if ((pg->type_info & PGT_count_mask) && (pg->type_info & PGT_type_mask) != type)
		return -EINVAL;
	pg->type_info = (pg->type_info & PGT_count_mask) + 1 + (type | PGT_validated);
	return 0;
}

__attribute__((weak)) void put_page_type(struct page_info *pg)
{
	BUG_ON(!(pg->type_info & PGT_count_mask));
	pg->type_info--;
}

__attribute__((weak)) void share_xen_page_with_guest(struct page_info *pg, struct domain *d,
						     enum share_mode mode __maybe_unused)
{
	if (page_get_owner(pg) == d)
		return;
	page_set_owner(pg, d);
	pg->type_info = PGT_writable_page | PGT_validated | 1;
	pg->count_info |= PGC_allocated | 1;
	spin_lock(&d->page_alloc_lock);
	if (d->xenheap_pages++ == 0)
		domain_get(d);
	page_list_add_tail(pg, &d->xenpage_list);
	spin_unlock(&d->page_alloc_lock);
}

__attribute__((weak)) int unshare_xen_page(struct page_info *pg, struct domain *d)
{
	bool last;

	if (page_get_owner(pg) != d)
		return -EINVAL;
	if ((pg->count_info & PGC_count_mask) != 1 || (pg->type_info & PGT_count_mask) != 1)
		return -EBUSY;
	spin_lock(&d->page_alloc_lock);
	page_list_del(pg, &d->xenpage_list);
	last = --d->xenheap_pages == 0;
	spin_unlock(&d->page_alloc_lock);
	pg->count_info &= ~(PGC_allocated | PGC_count_mask);
	pg->type_info = 0;
	page_set_owner(pg, NULL);
	if (last)
		domain_put(d);
	return 0;
}

__attribute__((weak)) int steal_page(struct domain *d, struct page_info *pg, unsigned int memflags)
{
	bool last = false;

	if (page_get_owner(pg) != d || !(pg->count_info & PGC_allocated) ||
	    (pg->count_info & PGC_count_mask) != 1 || (pg->type_info & PGT_count_mask))
		return -EINVAL;
	spin_lock(&d->page_alloc_lock);
	page_list_del(pg, &d->page_list);
	if (!(memflags & MEMF_no_refcount))
		last = !domain_adjust_tot_pages(d, -1);
	spin_unlock(&d->page_alloc_lock);
	pg->count_info &= ~(PGC_allocated | PGC_count_mask);
	page_set_owner(pg, NULL);
	if (last)
		domain_put(d);
	return 0;
}
