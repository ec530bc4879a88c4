/* SPDX-License-Identifier: MIT */
/*
 * The page heap: a buddy allocator over all RAM (boot_alloc.c comes before it).
 *
 * A free block of 2^order pages is aligned to its size and described by the
 * page_info of its first page. Blocks are kept by zone, the number of
 * significant bits of their frame numbers, so that a request limited to an
 * address width looks only at zones that satisfy it; others are served from
 * the highest zone down, which keeps low memory for DMA.
 *
 * Nobody ever sees what another left in a page. A block freed is dirty; it is
 * cleared by idle CPUs, or else when it is allocated. The one exception is a
 * page that goes back to the domain that gave it up (a balloon): its contents
 * are that domain's own, so it is neither cleared nor flushed from the TLBs.
 * Each free page has a tag that says which domain that was. Blocks known to be
 * zero are at the head of their list, dirty ones at the tail.
 *
 * A page that a guest may have mapped carries the flush clock's value in
 * tlbflush_stamp. When it is allocated, the CPUs that have not flushed their
 * TLB since are flushed first.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/mm.h>
#include <core/param.h>
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/flush.h>
#include <arch/map.h>

#define NR_ZONES	33U		/* frame numbers are at most 32 bits wide */
#define LOW_ZONE	20U		/* below 4 GiB */
/* Kept below 4 GiB for those who ask for low addresses, on machines that have memory above. */
#define LOW_RESERVE	4096UL
#define SCRUB_ORDER	4U		/* an idle CPU takes up to 2^this pages at a time */
/* More at once would only wait for each other at the lists, and so would who allocates. */
#define CPUS_PER_SCRUBBER 8

static DEFINE_SPINLOCK(heap_lock, LOCK_HEAP);
static struct page_list free_list[NR_ZONES][MAX_ORDER + 1];	/* (heap_lock), as all below */
static uint32_t zone_orders[NR_ZONES];		/* bit o: free_list[zone][o] is not empty */
static uint64_t zones_in_use;			/* bit z: zone_orders[z] is not 0 */
static unsigned long zone_free[NR_ZONES];	/* pages */
static unsigned long free_pages, dirty_pages, low_free_pages;
static unsigned long outstanding_claims;	/* sum of d->outstanding_pages */
static unsigned int scrubbers;			/* idle CPUs that hold pages out of the lists */
static unsigned long scrubs_done;		/* how often one put its pages back */
static uint32_t last_heap_tag;

enum bootscrub { BOOTSCRUB_OFF, BOOTSCRUB_ON, BOOTSCRUB_IDLE };
static enum bootscrub opt_bootscrub __initdata = BOOTSCRUB_IDLE;

static int __init parse_bootscrub(const char *s)
{
	int b = parse_bool(s, NULL);

	if (!strcmp(s, "idle"))
		opt_bootscrub = BOOTSCRUB_IDLE;
	else if (b >= 0)
		opt_bootscrub = b ? BOOTSCRUB_ON : BOOTSCRUB_OFF;
	else
		return -EINVAL;
	return 0;
}
custom_param("bootscrub", parse_bootscrub);

static inline unsigned int mfn_zone(unsigned long mfn)
{
	return 64 - (unsigned int)__builtin_clzl(mfn);	/* frame 0 never gets here */
}

/* ---- the lists; heap_lock held ---- */

static void list_block(struct page_info *pg, unsigned int zone, unsigned int order, bool dirty)
{
	pg->count_info = PGC_state_free;
	pg->free.order = (uint8_t)order;
	pg->free.dirty = dirty;
	if (dirty)
		page_list_add_tail(pg, &free_list[zone][order]);
	else
		page_list_add(pg, &free_list[zone][order]);
	zone_orders[zone] |= 1u << order;
	zones_in_use |= 1UL << zone;
}

static void unlist_block(struct page_info *pg, unsigned int zone, unsigned int order)
{
	page_list_del(pg, &free_list[zone][order]);
	if (free_list[zone][order].head)
		return;
	zone_orders[zone] &= ~(1u << order);
	if (!zone_orders[zone])
		zones_in_use &= ~(1UL << zone);
}

static void account_free(unsigned int zone, long pages, bool dirty)
{
	zone_free[zone] += (unsigned long)pages;
	free_pages += (unsigned long)pages;
	if (dirty)
		dirty_pages += (unsigned long)pages;
	if (zone <= LOW_ZONE)
		low_free_pages += (unsigned long)pages;
}

/* Puts a block on its list, merged with each buddy that is free and equally clean or dirty. */
static void insert_block(struct page_info *pg, unsigned int order, bool dirty)
{
	unsigned long mfn = mfn_x(page_to_mfn(pg));
	unsigned int zone = mfn_zone(mfn);

	for (; order < MAX_ORDER; order++) {
		unsigned long buddy_mfn = mfn ^ (1UL << order);
		struct page_info *buddy;

		if (!buddy_mfn || buddy_mfn >= max_page_nr())
			break;
		buddy = mfn_to_page(_mfn(buddy_mfn));
		if (buddy->count_info != PGC_state_free || buddy->free.order != order ||
		    buddy->free.dirty != dirty)
			break;
		unlist_block(buddy, zone, order);
		/* What will be inside a block must not look like the head of one. */
		if (buddy_mfn < mfn) {
			pg->count_info = 0;
			mfn = buddy_mfn;
			pg = buddy;
		} else {
			buddy->count_info = 0;
		}
	}
	list_block(pg, zone, order, dirty);
}

/* Cuts the block down to `order`, giving the upper halves back. The block is on no list. */
static void split_block(struct page_info *pg, unsigned int zone, unsigned int have,
			unsigned int order, bool dirty)
{
	while (have > order) {
		have--;
		list_block(pg + (1UL << have), zone, have, dirty);
	}
}

/* A block of 2^order from the highest zone up to zone_hi; *dirty says what it is. NULL if none. */
static struct page_info *take_block(unsigned int zone_hi, unsigned int order, bool *dirty)
{
	uint64_t zones = zones_in_use & ((2UL << zone_hi) - 1);

	while (zones) {
		unsigned int zone = 63 - (unsigned int)__builtin_clzl(zones);
		uint32_t orders = zone_orders[zone] >> order;
		struct page_info *pg;
		unsigned int have;

		if (!orders) {
			zones &= ~(1UL << zone);
			continue;
		}
		have = order + (unsigned int)__builtin_ctz(orders);
		pg = page_list_first(&free_list[zone][have]);
		*dirty = pg->free.dirty;
		unlist_block(pg, zone, have);
		split_block(pg, zone, have, order, *dirty);
		/* Without the lock it must not look like a free buddy any more. */
		pg->count_info = 0;
		account_free(zone, -(long)(1UL << order), *dirty);
		return pg;
	}
	return NULL;
}

/* ---- allocation ---- */

/*
 * May this much be taken, considering what others have claimed and the low
 * reserve? heap_lock held.
 */
static bool may_take(const struct domain *d, unsigned int zone_hi, unsigned long nr,
		     unsigned int memflags)
{
	if (unlikely(outstanding_claims) && outstanding_claims + nr > free_pages &&
	    (!d || (memflags & MEMF_no_refcount) || d->outstanding_pages < nr))
		return false;
	if (d && !d->is_hardware && zone_hi == NR_ZONES - 1 && max_page_nr() > 1UL << LOW_ZONE &&
	    free_pages - low_free_pages < nr && low_free_pages < nr + LOW_RESERVE)
		return false;
	return free_pages >= nr;
}

/*
 * NULL if there is no such block. An idle CPU may have just what we need in its
 * hands, for a few microseconds: those that had something at the first look are
 * waited for, not those that go on to take more.
 */
static struct page_info *take_pages(const struct domain *d, unsigned int order,
				    unsigned int memflags, bool *dirty)
{
	unsigned int bits = MEMF_get_bits(memflags), zone_hi = NR_ZONES - 1;
	struct page_info *pg = NULL;
	unsigned long irq, done, until = 0;
	bool first = true;

	if (bits) {
		if (bits <= PAGE_SHIFT)
			return NULL;
		zone_hi = min(bits - PAGE_SHIFT, zone_hi);
	}
	for (;;) {
		spin_lock_irqsave(&heap_lock, irq);
		if (may_take(d, zone_hi, 1UL << order, memflags))
			pg = take_block(zone_hi, order, dirty);
		done = scrubs_done;
		if (first)
			until = done + scrubbers;
		first = false;
		spin_unlock_irqrestore(&heap_lock, irq);
		if (likely(pg) || (long)(done - until) >= 0)
			return pg;
		while (read_once(scrubs_done) == done)
			cpu_relax();
	}
}

static void release_pages(struct page_info *pg, unsigned int order, bool dirty)
{
	unsigned long irq;

	spin_lock_irqsave(&heap_lock, irq);
	account_free(mfn_zone(mfn_x(page_to_mfn(pg))), (long)(1UL << order), dirty);
	insert_block(pg, order, dirty);
	spin_unlock_irqrestore(&heap_lock, irq);
}

/*
 * Flushes the TLBs that may still translate to a page last freed at `stamp`.
 * False if we may not wait.
 */
static bool flush_stale(uint32_t stamp)
{
	cpumask_t mask = cpu_online_map;

	tlbflush_filter(&mask, stamp);
	if (cpumask_empty(&mask))
		return true;
	if (!local_irq_is_enabled()) {
		cpumask_t me = cpumask_of(smp_processor_id());

		if (!cpumask_subset(&mask, &me))
			return false;
	}
	flush_tlb_mask(&mask);
	return true;
}

/*
 * 2^order pages, state in use, count 0, no owner. d is the domain that will
 * get them (or NULL): its own old pages are neither cleared nor flushed.
 */
static struct page_info *alloc_heap_pages(const struct domain *d, unsigned int order,
					  unsigned int memflags)
{
	uint32_t tag = d ? d->heap_tag : 0, stamp = 0;
	unsigned long i;
	struct page_info *pg;
	bool dirty = false;

	if (unlikely(order > MAX_ORDER))
		return NULL;
	pg = take_pages(d, order, memflags, &dirty);
	if (unlikely(!pg))
		return NULL;
	for (i = 0; i < 1UL << order; i++) {
		bool own = tag && pg[i].free.tag == tag;

		/* One from before the clock began anew looks late: then more is flushed than needed. */
		if (!own && !(memflags & MEMF_no_tlbflush))
			stamp = max(stamp, pg[i].tlbflush_stamp);
		if (dirty && !own && !(memflags & MEMF_no_scrub))
			clear_page(page_to_virt(&pg[i]));
	}
	if (unlikely(stamp) && unlikely(!flush_stale(stamp))) {
		release_pages(pg, order, dirty);
		return NULL;
	}
	for (i = 0; i < 1UL << order; i++) {
		pg[i].next = pg[i].prev = 0;
		pg[i].count_info = PGC_state_inuse;
		pg[i].type_info = 0;
		pg[i].owner = 0;
	}
	return pg;
}

/* What is said of a page that goes back; stamp: the flush clock's value, not 0. */
static inline void mark_free(struct page_info *pg, uint32_t tag, uint32_t stamp)
{
	pg->count_info = 0;
	pg->owner = 0;
	pg->type_info = 0;
	pg->free.tag = tag;
	pg->tlbflush_stamp = stamp;
	set_gpfn_from_mfn(page_to_mfn(pg), INVALID_M2P_ENTRY);
}

static uint32_t flush_stamp(void)
{
	uint32_t now = tlbflush_current_time();

	return now ? now : 1;
}

/*
 * Gives pages back; tag: of the domain whose contents they hold, 0 = of nobody
 * who may see them again.
 */
static void free_heap_pages(struct page_info *pg, unsigned int order, uint32_t tag)
{
	uint32_t stamp = flush_stamp();

	for (unsigned long i = 0; i < 1UL << order; i++) {
		BUG_ON((pg[i].count_info & (PGC_count_mask | PGC_state_mask)) != PGC_state_inuse);
		mark_free(&pg[i], tag, stamp);
	}
	release_pages(pg, order, true);
}

/* Gives back frames [start, end), marked free already, in the largest blocks that fit. */
static void release_run(unsigned long start, unsigned long end)
{
	unsigned long irq;

	if (start == end)
		return;
	spin_lock_irqsave(&heap_lock, irq);
	while (start < end) {
		unsigned int order = min((unsigned int)__builtin_ctzl(start), MAX_ORDER);

		order = min(order, 63 - (unsigned int)__builtin_clzl(end - start));
		account_free(mfn_zone(start), (long)(1UL << order), true);
		insert_block(mfn_to_page(_mfn(start)), order, true);
		start += 1UL << order;
	}
	spin_unlock_irqrestore(&heap_lock, irq);
}

/* ---- scrubbing ---- */

/*
 * A dirty block, cut to SCRUB_ORDER; it stays counted as free. heap_lock held.
 * NULL if there is none.
 */
static struct page_info *take_dirty_block(unsigned int *order)
{
	for (uint64_t zones = zones_in_use; zones; zones &= zones - 1) {
		unsigned int zone = (unsigned int)__builtin_ctzl(zones);

		for (uint32_t orders = zone_orders[zone]; orders; orders &= orders - 1) {
			unsigned int o = (unsigned int)__builtin_ctz(orders);
			struct page_info *pg = mfn_to_page(_mfn(free_list[zone][o].tail - 1));

			if (!pg->free.dirty)
				continue;
			*order = min(o, SCRUB_ORDER);
			unlist_block(pg, zone, o);
			split_block(pg, zone, o, *order, true);
			pg->count_info = 0;
			return pg;
		}
	}
	return NULL;
}

bool heap_scrub_idle(void)
{
	struct page_info *pg;
	unsigned int order;
	unsigned long irq;

	if (!read_once(dirty_pages) || read_once(scrubbers) > nr_cpu_ids / CPUS_PER_SCRUBBER)
		return false;
	spin_lock_irqsave(&heap_lock, irq);
	pg = take_dirty_block(&order);
	if (pg)
		scrubbers++;
	spin_unlock_irqrestore(&heap_lock, irq);
	if (!pg)
		return false;
	scrub_pages(page_to_virt(pg), 1UL << order);
	spin_lock_irqsave(&heap_lock, irq);
	dirty_pages -= 1UL << order;
	scrubbers--;
	scrubs_done++;
	insert_block(pg, order, false);
	spin_unlock_irqrestore(&heap_lock, irq);
	return true;
}

void __init heap_scrub_boot(void)
{
	if (opt_bootscrub != BOOTSCRUB_ON)
		return;		/* idle CPUs do it, or whoever allocates */
	printk(XENLOG_INFO "Scrubbing %lu MiB of free memory\n", dirty_pages >> (20 - PAGE_SHIFT));
	while (heap_scrub_idle())
		;
}

/* ---- hypervisor pages ---- */

void *alloc_xenheap_pages(unsigned int order, unsigned int memflags)
{
	struct page_info *pg = alloc_heap_pages(NULL, order, memflags | MEMF_no_scrub);

	if (!pg)
		return NULL;
	for (unsigned long i = 0; i < 1UL << order; i++)
		pg[i].count_info = PGC_xen_heap;
	return page_to_virt(pg);
}

void *alloc_xenheap_page(void)
{
	struct page_info *pg = alloc_heap_pages(NULL, 0, 0);

	if (!pg)
		return NULL;
	pg->count_info = PGC_xen_heap;
	return page_to_virt(pg);
}

void free_xenheap_pages(void *v, unsigned int order)
{
	struct page_info *pg;

	if (!v)
		return;
	pg = virt_to_page(v);
	for (unsigned long i = 0; i < 1UL << order; i++) {
		BUG_ON(!(pg[i].count_info & PGC_xen_heap));
		pg[i].count_info &= ~(PGC_xen_heap | PGC_page_table);
	}
	free_heap_pages(pg, order, 0);
}

void free_xenheap_page(void *v) { free_xenheap_pages(v, 0); }

/* ---- domain pages ---- */

unsigned long domain_adjust_tot_pages(struct domain *d, long nr)
{
	unsigned long irq;

	d->tot_pages += (unsigned long)nr;
	/* A claim shrinks as it is used, and is not given back by frees. */
	if (unlikely(d->outstanding_pages) && nr > 0) {
		unsigned long used;

		spin_lock_irqsave(&heap_lock, irq);
		used = min(d->outstanding_pages, (unsigned long)nr);
		d->outstanding_pages -= used;
		outstanding_claims -= used;
		spin_unlock_irqrestore(&heap_lock, irq);
	}
	return d->tot_pages;
}

int domain_set_outstanding_pages(struct domain *d, unsigned long nr)
{
	unsigned long irq, claim;
	int rc = 0;

	spin_lock(&d->page_alloc_lock);
	spin_lock_irqsave(&heap_lock, irq);
	if (!nr) {
		outstanding_claims -= d->outstanding_pages;
		d->outstanding_pages = 0;
	} else if (d->outstanding_pages || nr <= d->tot_pages || nr > d->max_pages) {
		rc = -EINVAL;
	} else {
		claim = nr - d->tot_pages;
		if (outstanding_claims > free_pages || claim > free_pages - outstanding_claims) {
			rc = -ENOMEM;
		} else {
			d->outstanding_pages = claim;
			outstanding_claims += claim;
		}
	}
	spin_unlock_irqrestore(&heap_lock, irq);
	spin_unlock(&d->page_alloc_lock);
	return rc;
}

/*
 * Counts nr pages for d, and takes the domain reference that having any memory
 * stands for. Lock held.
 */
static int account_assigned(struct domain *d, unsigned long nr, bool extra)
{
	if (extra) {
		if (!d->extra_pages)
			domain_get(d);
		d->extra_pages += nr;
		return 0;
	}
	if (unlikely(d->tot_pages + nr > d->max_pages)) {
		gprintk(XENLOG_G_INFO, "Over-allocation for %pd: %lu > %lu\n", d, d->tot_pages + nr,
			d->max_pages);
		return -E2BIG;
	}
	if (unlikely(domain_adjust_tot_pages(d, (long)nr) == nr))
		domain_get(d);
	return 0;
}

int assign_pages(struct page_info *pg, unsigned int order, struct domain *d, unsigned int memflags)
{
	unsigned long i, nr = 1UL << order, extra = pg->count_info & PGC_extra;
	int rc = 0;

	spin_lock(&d->page_alloc_lock);
	if (unlikely(d->is_dying)) {
		rc = -EINVAL;
		goto out;
	}
	if (extra || !(memflags & MEMF_no_refcount)) {
		rc = account_assigned(d, nr, extra);
		if (unlikely(rc))
			goto out;
	}
	for (i = 0; i < nr; i++) {
		ASSERT(!page_get_owner(&pg[i]) &&
		       !(pg[i].count_info & (PGC_count_mask | PGC_allocated)));
		page_set_owner(&pg[i], d);
		smp_wmb();	/* the owner is seen by whoever sees the count */
		pg[i].count_info = PGC_allocated | 1 | extra | (pg[i].count_info & PGC_page_table);
		page_list_add_tail(&pg[i], extra ? &d->extra_page_list : &d->page_list);
	}
out:
	spin_unlock(&d->page_alloc_lock);
	return rc;
}

struct page_info *alloc_domheap_pages(struct domain *d, unsigned int order, unsigned int memflags)
{
	struct page_info *pg = alloc_heap_pages(d, order, memflags);

	if (unlikely(!pg) || !d || (memflags & MEMF_no_owner))
		return pg;
	if (memflags & MEMF_no_refcount)
		for (unsigned long i = 0; i < 1UL << order; i++)
			pg[i].count_info = PGC_extra;
	if (unlikely(assign_pages(pg, order, d, memflags))) {
		for (unsigned long i = 0; i < 1UL << order; i++)
			pg[i].count_info = PGC_state_inuse;
		free_heap_pages(pg, order, 0);
		return NULL;
	}
	return pg;
}

/*
 * The tag of a live domain; one that dies leaves pages that nobody may see
 * again. Called with no lock.
 */
static uint32_t domain_heap_tag(struct domain *d)
{
	unsigned long irq;

	if (d->is_dying)
		return 0;
	if (unlikely(!d->heap_tag)) {
		spin_lock_irqsave(&heap_lock, irq);
		/* After 2^32 - 1 domains tags run out: then no page is ever spared again. */
		if (!d->heap_tag && last_heap_tag != UINT32_MAX)
			d->heap_tag = ++last_heap_tag;
		spin_unlock_irqrestore(&heap_lock, irq);
	}
	return d->heap_tag;
}

void free_domheap_pages(struct page_info *pg, unsigned int order)
{
	struct domain *d = page_get_owner(pg);
	unsigned long i, nr = 1UL << order;
	bool extra, last;
	uint32_t tag;

	if (!d) {
		for (i = 0; i < nr; i++)
			pg[i].count_info &= ~(PGC_page_table | PGC_extra);
		free_heap_pages(pg, order, 0);
		return;
	}
	extra = pg->count_info & PGC_extra;
	spin_lock(&d->page_alloc_lock);
	for (i = 0; i < nr; i++) {
		BUG_ON(pg[i].type_info & PGT_count_mask);
		page_list_del(&pg[i], extra ? &d->extra_page_list : &d->page_list);
		pg[i].count_info &= ~(PGC_page_table | PGC_extra);
	}
	if (unlikely(extra))
		last = (d->extra_pages -= nr) == 0;
	else
		last = domain_adjust_tot_pages(d, -(long)nr) == 0;
	spin_unlock(&d->page_alloc_lock);
	tag = domain_heap_tag(d);
	free_heap_pages(pg, order, tag);
	if (unlikely(last))
		domain_put(d);
}

/* Takes the page out of everybody's reach if its owner's is the only reference and it has no type. */
static bool take_unreferenced(struct page_info *pg)
{
	unsigned long x = read_once(pg->count_info);

	return (x & ~PGC_page_table) == (PGC_allocated | 1) &&
	       !(read_once(pg->type_info) & ~(PGT_type_mask | PGT_validated)) &&
	       atomic_cmpxchg(&pg->count_info, x, 0UL) == x;
}

unsigned int free_unreferenced_pages(struct domain *d, unsigned int max)
{
	unsigned long start = 0, end = 0;	/* frames free but not given back yet */
	struct page_info *pg, *next;
	unsigned int n;
	bool last;

	spin_lock(&d->page_alloc_lock);
	pg = page_list_first(&d->page_list);
	for (n = 0; n < max && pg && take_unreferenced(pg); n++) {
		unsigned long mfn = mfn_x(page_to_mfn(pg));

		next = page_list_next(pg);
		/* The clock is read now: others may have dropped their mapping a moment ago. */
		mark_free(pg, 0, flush_stamp());
		if (mfn == end) {
			end++;
		} else if (mfn + 1 == start) {
			start--;
		} else {
			release_run(start, end);
			start = mfn;
			end = mfn + 1;
		}
		pg = next;
	}
	page_list_cut_head(&d->page_list, pg, n);
	last = n && domain_adjust_tot_pages(d, -(long)n) == 0;
	spin_unlock(&d->page_alloc_lock);
	release_run(start, end);
	if (last)
		domain_put(d);
	return n;
}

/* ---- figures ---- */

unsigned long total_free_pages(void) { return read_once(free_pages); }
unsigned long total_outstanding_claims(void) { return read_once(outstanding_claims); }

unsigned long heap_free_between(unsigned int min_bits, unsigned int max_bits)
{
	unsigned int lo = min_bits > PAGE_SHIFT ? min_bits - PAGE_SHIFT + 1 : 0;
	unsigned int hi = max_bits > PAGE_SHIFT ? max_bits - PAGE_SHIFT : 0;
	unsigned long sum = 0;

	for (unsigned int z = lo; z < NR_ZONES && z <= hi; z++)
		sum += read_once(zone_free[z]);
	return sum;
}

/* ---- start of day ---- */

void __init heap_init(void)
{
	memset(free_list, 0, sizeof(free_list));
	memset(zone_orders, 0, sizeof(zone_orders));
	memset(zone_free, 0, sizeof(zone_free));
	zones_in_use = 0;
	free_pages = dirty_pages = low_free_pages = outstanding_claims = 0;
}

/*
 * Only the first page_info of each block is written: at 32 bytes a frame the
 * rest would be a good part of all boot work. An all-zero page_info inside a
 * free block is as good as any.
 */
void heap_add_range(paddr_t start, paddr_t end)
{
	unsigned long mfn = PFN_UP(start), last = min(PFN_DOWN(end), 1UL << (NR_ZONES - 1));
	unsigned long irq;

	if (!mfn)
		mfn = 1;
	while (mfn < last) {
		unsigned int order = min((unsigned int)__builtin_ctzl(mfn), MAX_ORDER);
		struct page_info *pg = mfn_to_page(_mfn(mfn));

		while (mfn + (1UL << order) > last)
			order--;
		for (unsigned long i = 0; i < 1UL << order; i++)
			if (pg[i].count_info)
				pg[i].count_info = 0;
		spin_lock_irqsave(&heap_lock, irq);
		account_free(mfn_zone(mfn), (long)(1UL << order), true);
		insert_block(pg, order, true);
		spin_unlock_irqrestore(&heap_lock, irq);
		mfn += 1UL << order;
	}
}
