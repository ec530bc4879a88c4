/* SPDX-License-Identifier: MIT */
/*
 * Reading a PV guest's table of its frames (p2m) from outside.
 *
 * The guest publishes it in its shared info in one of two forms (<xen/arch-x86/xen.h>): as a range
 * of its virtual memory with the page tables that map it (p2m_cr3, p2m_vaddr), or as a tree of
 * frame lists of three levels. Both are walked page by page, keeping the last page of each level
 * mapped, so that even a guest that claims an enormous table costs time within bounds and no
 * memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <tools/dump.h>

#define PER_PAGE	512UL
#define MAX_PFNS	(1UL << 28)		/* 1 TiB of guest */
#define PTE_FRAME(pte)	((pte) >> 12 & 0xffffffffffUL)
#define PTE_PRESENT	1
#define PAGE_LEVELS	4

/* One level's page, as last used. */
struct cached {
	xen_pfn_t mfn;
	const uint64_t *page;
};

struct walk {
	struct foreignmemory *fm;
	domid_t domid;
	unsigned long max_mfn;
	struct cached cache[PAGE_LEVELS + 1];
};

/* Entry @index of frame @mfn, mapped at @level's place. */
static int look(struct walk *w, unsigned int level, xen_pfn_t mfn, unsigned long index,
		uint64_t *value)
{
	struct cached *c = &w->cache[level];
	void *page;
	int err;

	if (!c->page || c->mfn != mfn) {
		if (mfn == 0 || mfn > w->max_mfn)
			return -EINVAL;
		if (c->page)
			foreignmemory_unmap(w->fm, (void *)c->page, 1);
		c->page = NULL;
		err = foreignmemory_map(w->fm, w->domid, PROT_READ, 1, &mfn, NULL, &page);
		if (err)
			return err;
		c->page = page;
		c->mfn = mfn;
	}
	*value = ((const volatile uint64_t *)c->page)[index];
	return 0;
}

/* The frame that holds entries 512 * @i ff., through the guest's page tables. */
static int by_address(struct walk *w, const struct shared_info *shared, unsigned long i,
		      uint64_t *mfn)
{
	uint64_t va = shared->arch.p2m_vaddr + i * 4096;
	uint64_t pte = shared->arch.p2m_cr3;
	int level, err;

	for (level = PAGE_LEVELS; level > 0; level--) {
		err = look(w, level, PTE_FRAME(pte), va >> (3 + 9 * level) & (PER_PAGE - 1), &pte);
		if (err)
			return err;
		if (!(pte & PTE_PRESENT))
			return -ENOENT;
	}
	*mfn = PTE_FRAME(pte);
	return 0;
}

/* The same through the frame lists. */
static int by_lists(struct walk *w, const struct shared_info *shared, unsigned long i,
		    uint64_t *mfn)
{
	uint64_t list;
	int err;

	if (i / PER_PAGE >= PER_PAGE)
		return -EINVAL;
	err = look(w, 2, shared->arch.pfn_to_mfn_frame_list_list, i / PER_PAGE, &list);
	return err ? err : look(w, 1, list, i % PER_PAGE, mfn);
}

static void end_walk(struct walk *w)
{
	unsigned int i;

	for (i = 0; i <= PAGE_LEVELS; i++)
		if (w->cache[i].page)
			foreignmemory_unmap(w->fm, (void *)w->cache[i].page, 1);
}

long dump_read_p2m(struct foreignmemory *fm, domid_t domid, const struct shared_info *shared,
		   unsigned long max, unsigned long max_mfn, struct dump_p2m_entry *entries,
		   struct tools_error *error)
{
	struct walk w = { .fm = fm, .domid = domid, .max_mfn = max_mfn };
	unsigned long pfns = shared->arch.max_pfn, pfn, count = 0;
	uint64_t frame = 0, mfn;
	int err = 0;

	if (pfns == 0 || pfns > MAX_PFNS)
		return tools_fail(error, -EINVAL, "guest-tables",
				  "domain %u says it has %lu frames, which cannot be", domid, pfns);
	for (pfn = 0; pfn < pfns && count < max && !err; pfn++) {
		if (pfn % PER_PAGE == 0)
			err = shared->arch.p2m_cr3 ?
				by_address(&w, shared, pfn / PER_PAGE, &frame) :
				by_lists(&w, shared, pfn / PER_PAGE, &frame);
		/* A hole in the table itself: nothing for 512 frames. */
		if (err == -ENOENT) {
			pfn += PER_PAGE - 1;
			err = 0;
			continue;
		}
		if (!err)
			err = look(&w, 0, frame, pfn % PER_PAGE, &mfn);
		if (!err && mfn <= max_mfn) {
			entries[count].pfn = pfn;
			entries[count++].gmfn = mfn;
		}
	}
	end_walk(&w);
	if (err)
		return tools_fail(error, err, "guest-tables",
				  "domain %u: its table of frames ends in nothing at frame %lu",
				  domid, pfn - 1);
	return count;
}
