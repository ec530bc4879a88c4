/* SPDX-License-Identifier: MIT */
/*
 * The guest's table of its frames (p2m), kept mapped while it is saved, with snapshots of it and
 * the way back from machine frame to pfn, which by construction proves itself.
 *
 * The guest publishes the table in its shared info (<xen/arch-x86/xen.h>): as a range of its
 * virtual memory with the page tables that map it (p2m_cr3, p2m_vaddr), or as a tree of frame
 * lists. All of it is the guest's word: every number is checked, and what it takes is bounded.
 *
 * Linux reserves room for far more memory than it has, all of it mapped to one page of "missing"
 * entries: the table ends where the same page of level 2 repeats to the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include "private.h"

#define PTE_FRAME(pte) ((pte) >> 12 & 0xffffffffffULL)
#define PTE_PRESENT    1U
#define VA_MASK	       ((1ULL << 48) - 1)

int move_map(struct foreignmemory *fm, domid_t domid, int prot, size_t count,
	     const xen_pfn_t *frames, const char *what, void **out, struct tools_error *error)
{
	int rc = foreignmemory_map(fm, domid, prot, count, frames, NULL, out);

	return rc ? tools_fail(error, rc, "map-failed", "domain %u: %s cannot be mapped: %s", domid,
			       what, strerror(-rc)) :
		    0;
}

static int senseless(struct move_frames *f, int rc, const char *what, uint64_t value,
		     struct tools_error *error)
{
	return tools_fail(error, rc, "guest-tables",
			  "domain %u: its table of frames makes no sense: %s 0x%" PRIx64, f->domid,
			  what, value);
}

/* Entries [first, first + count) of the table pages @frames, which hold 512 each, into @out. */
static int read_entries(struct move_frames *f, const uint64_t *frames, uint64_t first,
			uint64_t count, bool is_table, uint64_t *out, struct tools_error *error)
{
	const uint64_t *page;
	uint64_t i, entry;
	xen_pfn_t mapped = 0;
	void *view = NULL;
	int rc = 0;

	for (i = 0; i < count && !rc; i++) {
		xen_pfn_t frame = frames[(first + i) / PER_PAGE];

		if (frame != mapped) {
			if (view)
				foreignmemory_unmap(f->fm, view, 1);
			view = NULL;
			rc = move_map(f->fm, f->domid, PROT_READ, 1, &frame,
				      "a page of its table of frames", &view, error);
			if (rc)
				break;
			mapped = frame;
		}
		page = view;
		entry = *(const volatile uint64_t *)&page[(first + i) % PER_PAGE];
		if (is_table && !(entry & PTE_PRESENT))
			rc = senseless(f, -ENOENT, "a hole at entry", first + i, error);
		out[i] = is_table ? PTE_FRAME(entry) : entry;
		if (!rc && (!out[i] || out[i] > f->max_mfn))
			rc = senseless(f, -ERANGE, "frame", out[i], error);
	}
	if (view)
		foreignmemory_unmap(f->fm, view, 1);
	return rc;
}

/* So many of @count frames matter: a run of the same one at the end says "nothing there". */
static uint64_t without_tail(const uint64_t *frames, uint64_t count)
{
	uint64_t last = count - 1;

	while (last && frames[last - 1] == frames[count - 1])
		last--;
	return last + 1 == count || !last ? count : last;
}

/* Levels from the top down; @frames (to free) then has the pages of the table itself. */
static int walk_range(struct move_frames *f, uint64_t cr3, uint64_t va, uint64_t **frames,
		      struct tools_error *error)
{
	uint64_t *above = malloc(sizeof(*above)), *here = NULL, last, first, base = 0;
	int level, rc = above ? 0 : -ENOMEM;

	if (above)
		above[0] = PTE_FRAME(cr3);
	for (level = 4; level > 0 && !rc; level--) {
		unsigned int shift = (unsigned int)level * 9 + 3;

		last = ((va & VA_MASK) + f->list_pages * PAGE_BYTES - 1) >> shift;
		first = (va & VA_MASK) >> shift;
		here = malloc((last - first + 1) * sizeof(*here));
		if (!here) {
			rc = -ENOMEM;
			break;
		}
		/* @above begins with the table that holds entry @base * 512. */
		rc = read_entries(f, above, first - base * PER_PAGE, last - first + 1, true, here,
				  error);
		base = first;
		if (level == 2 && !rc) {
			uint64_t kept = without_tail(here, last - first + 1);

			/* Each maps 512 pages of the table. */
			if (kept < last - first + 1) {
				f->list_pages = kept * PER_PAGE -
						((va >> 12) & (PER_PAGE - 1));
				if (f->count > f->list_pages * PER_PAGE)
					f->count = f->list_pages * PER_PAGE;
			}
		}
		free(above);
		above = here;
		here = NULL;
	}
	if (rc) {
		free(above);
		above = NULL;
	}
	*frames = above;
	return rc;
}

static int walk_tree(struct move_frames *f, uint64_t top, uint64_t **frames,
		     struct tools_error *error)
{
	uint64_t lists = (f->list_pages + PER_PAGE - 1) / PER_PAGE, kept;
	uint64_t *list = malloc(lists * sizeof(*list));
	int rc;

	*frames = NULL;
	if (lists > PER_PAGE) {
		free(list);
		return senseless(f, -E2BIG, "too many pfns for a tree:", f->count, error);
	}
	if (!list)
		return -ENOMEM;
	rc = !top || top > f->max_mfn ? senseless(f, -ERANGE, "frame", top, error) : 0;
	rc = rc ? rc : read_entries(f, &top, 0, lists, false, list, error);
	if (!rc) {
		kept = without_tail(list, lists);
		if (kept < lists) {
			f->list_pages = kept * PER_PAGE;
			f->count = f->list_pages * PER_PAGE;
		}
		*frames = malloc(f->list_pages * sizeof(**frames));
		rc = *frames ? read_entries(f, list, 0, f->list_pages, false, *frames, error) :
			       -ENOMEM;
	}
	free(list);
	return rc;
}

static int find_table(struct move_frames *f, uint64_t **frames, struct tools_error *error)
{
	uint64_t cr3 = f->shared->arch.p2m_cr3, va = f->shared->arch.p2m_vaddr;

	f->count = f->shared->arch.max_pfn;
	f->generation = f->shared->arch.p2m_generation;
	if (!f->count || f->count > PFNS_MAX)
		return senseless(f, -EINVAL, "number of pfns", f->count, error);
	f->list_pages = (f->count + PER_PAGE - 1) / PER_PAGE;
	if (!cr3)
		return walk_tree(f, f->shared->arch.pfn_to_mfn_frame_list_list, frames, error);
	if ((va & (PAGE_BYTES - 1)) || PTE_FRAME(cr3) > f->max_mfn || !PTE_FRAME(cr3) ||
	    (va & VA_MASK) + f->list_pages * PAGE_BYTES > VA_MASK + 1)
		return senseless(f, -ERANGE, "address", va, error);
	return walk_range(f, cr3, va, frames, error);
}

uint64_t frames_mfn_to_pfn(void *cookie, uint64_t mfn)
{
	const struct move_frames *f = cookie;

	if (mfn > f->max_mfn || !f->m2p[mfn])
		return STREAM_NO_FRAME;
	return f->m2p[mfn] - 1;
}

int frames_refresh(struct move_frames *f, uint64_t *changed, struct tools_error *error)
{
	const volatile uint64_t *list = f->list;
	const uint64_t *p2m = f->p2m, count = f->count;
	uint64_t pfn, mfn, has = 0;

	if (f->generation != f->shared->arch.p2m_generation)
		return tools_fail(error, -ESTALE, "guest-tables",
				  "domain %u has rebuilt its table of frames meanwhile", f->domid);
	/* A frame may have moved between pfns: only the pfn that m2p names takes it out there. */
	for (pfn = 0; pfn < count; pfn++) {
		mfn = list[pfn];
		/* Nothing new, as with nearly all, but for the first time. */
		if (mfn == p2m[pfn]) {
			has += mfn != INVALID_MFN;
			continue;
		}
		if (mfn > f->max_mfn)
			mfn = INVALID_MFN;
		else if (++has > f->most)
			return senseless(f, -E2BIG, "more pages than the domain may have:", has,
					 error);
		if (mfn == f->p2m[pfn])
			continue;
		if (f->p2m[pfn] != INVALID_MFN && f->m2p[f->p2m[pfn]] == pfn + 1)
			f->m2p[f->p2m[pfn]] = 0;
		f->p2m[pfn] = mfn;
		if (mfn != INVALID_MFN)
			f->m2p[mfn] = (uint32_t)pfn + 1;
		if (changed)
			bit_set(changed, pfn);
	}
	return 0;
}

/* The table's pages by pfn; they must be the guest's own. */
static int name_list(struct move_frames *f, const uint64_t *frames, struct tools_error *error)
{
	uint64_t i, pfn;

	f->list_pfns = malloc(f->list_pages * sizeof(*f->list_pfns));
	if (!f->list_pfns)
		return -ENOMEM;
	for (i = 0; i < f->list_pages; i++) {
		pfn = frames_mfn_to_pfn(f, frames[i]);
		if (pfn == STREAM_NO_FRAME)
			return senseless(f, -ERANGE, "not the guest's own: frame", frames[i],
					 error);
		f->list_pfns[i] = pfn;
	}
	return 0;
}

static int map_table(struct move_frames *f, struct tools_error *error)
{
	uint64_t *frames = NULL, i;
	xen_pfn_t *list;
	void *view;
	int rc = find_table(f, &frames, error);

	if (rc) {
		free(frames);
		return rc;
	}
	if (f->count > f->most + SPARSE_PFNS) {
		free(frames);
		return senseless(f, -E2BIG, "number of pfns", f->count, error);
	}
	list = frames;
	rc = move_map(f->fm, f->domid, PROT_READ, f->list_pages, list, "its table of frames", &view,
		      error);
	if (!rc) {
		f->list = view;
		f->p2m = malloc(f->count * sizeof(*f->p2m));
		f->m2p = calloc(f->max_mfn + 1, sizeof(*f->m2p));
		rc = f->p2m && f->m2p ? 0 : -ENOMEM;
	}
	for (i = 0; i < f->count && !rc; i++)
		f->p2m[i] = INVALID_MFN;
	rc = rc ? rc : frames_refresh(f, NULL, error);
	rc = rc ? rc : name_list(f, frames, error);
	free(frames);
	return rc;
}

int frames_open(struct move_frames *f, struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	long max = ctl_maximum_ram_page(f->ctl);
	xen_pfn_t frame;
	void *page;
	int rc = max < 0 ? (int)max : ctl_getdomaininfo(f->ctl, f->domid, &info);

	if (rc)
		return tools_fail(error, rc, "no-domain", "domain %u: %s", f->domid, strerror(-rc));
	f->max_mfn = (uint64_t)max;
	frame = info.shared_info_frame;
	rc = move_map(f->fm, f->domid, PROT_READ, 1, &frame, "its shared info", &page, error);
	if (rc)
		return rc;
	f->shared = page;
	f->most = move_most_pages(&info);
	rc = map_table(f, error);
	if (rc == -ENOMEM)
		tools_fail(error, rc, "no-memory", "out of memory in domain 0");
	if (rc)
		frames_close(f);
	return rc;
}

void frames_close(struct move_frames *f)
{
	if (f->list)
		foreignmemory_unmap(f->fm, (void *)(uintptr_t)f->list, f->list_pages);
	if (f->shared)
		foreignmemory_unmap(f->fm, (void *)(uintptr_t)f->shared, 1);
	free(f->p2m);
	free(f->m2p);
	free(f->list_pfns);
	f->list = NULL;
	f->shared = NULL;
	f->p2m = NULL;
	f->m2p = NULL;
	f->list_pfns = NULL;
}
