/* SPDX-License-Identifier: MIT */
/*
 * Frames: the frame table, the buddy heap, and references.
 *
 * Every frame of RAM has a page_info. count_info counts references and says
 * whether the frame is allocated; type_info says what the frame is used *as*
 * (writable data, a page table of some level, a segment descriptor page) and
 * how often. A PV guest can write only to frames whose type is writable, so
 * page tables and descriptors never change behind the hypervisor's back.
 * docs/memory.md tells the whole story.
 *
 * All RAM is in the direct map, so mfn_to_virt() works for every heap page.
 */
#ifndef CORE_MM_H
#define CORE_MM_H

#include <core/types.h>
#include <core/list.h>
#include <arch/frame.h>

struct domain;

/*
 * 32 bytes, one per frame. Links are frame numbers + 1 (0 = end), so 16 TiB - 4
 * KiB can be managed.
 */
struct page_info {
	uint32_t next, prev;		/* list it is on: free list, d->page_list, ... */
	unsigned long count_info;	/* PGC_*; atomic */
	union {
		unsigned long type_info;	/* PGT_*; in use; atomic */
		struct {
			uint8_t order;		/* head of a free block */
			bool dirty;		/* the same: the block is not known to be zero */
			/* any free page: d->heap_tag of who had it last, 0 = none */
			uint32_t tag;
		} free;
	};
	uint32_t owner;			/* mfn of the owner's struct domain, 0 = none */
	union {
		/* not a page table: clock when last unmapped/freed */
		uint32_t tlbflush_stamp;
		struct {			/* a page table: how far validation got */
			uint16_t nr_validated;	/* entries done when partial */
			int16_t partial_flags;
		};
	};
};

struct page_list {
	uint32_t head, tail;		/* mfn + 1, 0 = empty */
	unsigned long count;
};

/* ---- count_info ---- */
#define PGC_allocated	(1UL << 63)	/* the owner's own reference: its memory map holds it */
#define PGC_xen_heap	(1UL << 62)	/* hypervisor's page, never freed by a guest's put */
#define PGC_page_table	(1UL << 61)	/* has been made a page table (TLB: needs paging flush) */
#define PGC_state_mask	(3UL << 58)
#define PGC_state_inuse	(0UL << 58)
#define PGC_state_free	(1UL << 58)
#define PGC_state_reserved (2UL << 58)	/* not RAM, or kept by the hypervisor */
#define PGC_state_offlined (3UL << 58)
#define PGC_extra	(1UL << 57)	/* allocated to a domain, not counted in tot_pages */
#define PGC_count_mask	((1UL << 54) - 1)

/* ---- type_info ---- */
#define PGT_type_mask		(7UL << 61)
#define PGT_none		(0UL << 61)
#define PGT_l1_page_table	(1UL << 61)
#define PGT_l2_page_table	(2UL << 61)
#define PGT_l3_page_table	(3UL << 61)
#define PGT_l4_page_table	(4UL << 61)
#define PGT_seg_desc_page	(5UL << 61)
#define PGT_shared_page		(6UL << 61)
#define PGT_writable_page	(7UL << 61)
#define PGT_pinned		(1UL << 60)	/* owner pinned it (MMUEXT_PIN_*) */
#define PGT_validated		(1UL << 59)	/* contents checked for this type */
#define PGT_partial		(1UL << 58)	/* validation or invalidation was preempted */
#define PGT_locked		(1UL << 57)	/* page_lock() bit of a page-table page */
#define PGT_count_mask		((1UL << 54) - 1)

/* ---- heap ---- */
#define MEMF_no_refcount	(1u << 0)	/* PGC_extra: not counted in tot_pages */
#define MEMF_no_owner		(1u << 1)
#define MEMF_no_scrub		(1u << 2)	/* caller will overwrite all of it */
#define MEMF_no_tlbflush	(1u << 3)	/* caller flushes */
#define MEMF_bits(n)		((n) << 8)	/* address width limit; 0 = none */
#define MEMF_get_bits(f)	(((f) >> 8) & 0xff)
#define MAX_ORDER		20U		/* blocks of up to 4 GiB */

void heap_init(void);
/*
 * Gives [start, end) (machine addresses, page-aligned inwards) to the heap.
 * Boot only, but not __init: frees init memory.
 */
void heap_add_range(paddr_t start, paddr_t end);
/* Before heap_init: contiguous zeroed pages below 4 GiB if possible; panics when there are none. */
mfn_t boot_alloc_pages(unsigned long nr, unsigned long align_pages);
void boot_allocator_add(paddr_t start, paddr_t end);
/* Moves what the boot allocator still has into the heap. */
void end_boot_allocator(void);
void heap_scrub_boot(void);	/* bootscrub= */
/* The idle loop's spare time: clears a few dirty free pages. False if there are none left. */
bool heap_scrub_idle(void);
/* Free pages whose addresses need between min_bits + 1 and max_bits bits (0, 64: all). */
unsigned long heap_free_between(unsigned int min_bits, unsigned int max_bits);

/* Hypervisor memory: 2^order contiguous pages, contents undefined; NULL if none. */
void *alloc_xenheap_pages(unsigned int order, unsigned int memflags);
void free_xenheap_pages(void *v, unsigned int order);
void *alloc_xenheap_page(void);		/* one zeroed page */
void free_xenheap_page(void *v);
/*
 * Guest memory: 2^order pages for d (NULL = no owner yet), scrubbed unless
 * MEMF_no_scrub, with any TLB flush that reuse needs already done. NULL if the
 * heap, d's max_pages or its claim does not allow it.
 */
struct page_info *alloc_domheap_pages(struct domain *d, unsigned int order, unsigned int memflags);
void free_domheap_pages(struct page_info *pg, unsigned int order);
/*
 * Frees up to max pages at the head of a dying domain's page_list, as long as nobody but the domain
 * itself refers to them; returns how many. Faster than one by one: neighbours go back as blocks.
 * Takes d->page_alloc_lock, then the heap's.
 */
unsigned int free_unreferenced_pages(struct domain *d, unsigned int max);
#define alloc_domheap_page(d, f)	alloc_domheap_pages(d, 0, f)
#define free_domheap_page(pg)		free_domheap_pages(pg, 0)
/*
 * Makes d the owner of 2^order fresh pages (count = allocated | 1). 0, -E2BIG
 * over max_pages, -EINVAL dying.
 */
int assign_pages(struct page_info *pg, unsigned int order, struct domain *d, unsigned int memflags);
/* Stakes (nr > 0) or drops (0) a claim so that a builder cannot run dry. 0, -ENOMEM, -EINVAL. */
int domain_set_outstanding_pages(struct domain *d, unsigned long nr);
unsigned long total_free_pages(void);
unsigned long total_outstanding_claims(void);
/* nr more (or fewer) pages count for d; the page_alloc_lock is held. Returns the new tot_pages. */
unsigned long domain_adjust_tot_pages(struct domain *d, long nr);

/* ---- references (arch/x86/mm/page_ref.c; page_type.c) ---- */
/* A reference to pg if d owns it (NULL d: whoever does). False if not, or if it is being freed. */
bool get_page(struct page_info *pg, const struct domain *d);
void put_page(struct page_info *pg);
struct domain *page_get_owner_and_reference(struct page_info *pg);
/*
 * Typed references. 0; -EINVAL wrong type; -ERESTART / -EINTR preempted (page
 * left partial; only if preemptible). Only page-table types can be preempted.
 */
int get_page_type(struct page_info *pg, unsigned long type);
void put_page_type(struct page_info *pg);
static inline bool get_page_and_type(struct page_info *pg, const struct domain *d,
				     unsigned long type)
{
	if (!get_page(pg, d))
		return false;
	if (!get_page_type(pg, type))
		return true;
	put_page(pg);
	return false;
}
static inline void put_page_and_type(struct page_info *pg)
{
	put_page_type(pg);
	put_page(pg);
}
/* A hypervisor page that d may map, writable or read-only. */
enum share_mode { SHARE_ro, SHARE_rw };
void share_xen_page_with_guest(struct page_info *pg, struct domain *d, enum share_mode mode);
/*
 * Frees a shared page from d again: drops the type and allocated references;
 * the page itself is freed by the caller once nobody maps it.
 * 0, or -EBUSY while a guest still maps it.
 */
int unshare_xen_page(struct page_info *pg, struct domain *d);
/*
 * Takes a frame away from its owner: 0 with no reference left, or -EINVAL if
 * mapped, typed or not d's.
 */
int steal_page(struct domain *d, struct page_info *pg, unsigned int memflags);

static inline struct domain *page_get_owner(const struct page_info *pg)
{
	uint32_t o = read_once(pg->owner);

	return o ? mfn_to_virt(_mfn(o)) : NULL;
}
static inline void page_set_owner(struct page_info *pg, const struct domain *d)
{
	pg->owner = d ? (uint32_t)mfn_x(virt_to_mfn(d)) : 0;
}

/* ---- page lists ---- */
static inline struct page_info *page_list_first(const struct page_list *l)
{
	return l->head ? mfn_to_page(_mfn(l->head - 1)) : NULL;
}
static inline struct page_info *page_list_next(const struct page_info *pg)
{
	return pg->next ? mfn_to_page(_mfn(pg->next - 1)) : NULL;
}
static inline void page_list_add_tail(struct page_info *pg, struct page_list *l)
{
	uint32_t me = (uint32_t)mfn_x(page_to_mfn(pg)) + 1;

	pg->next = 0;
	pg->prev = l->tail;
	if (l->tail)
		mfn_to_page(_mfn(l->tail - 1))->next = me;
	else
		l->head = me;
	l->tail = me;
	l->count++;
}
static inline void page_list_add(struct page_info *pg, struct page_list *l)
{
	uint32_t me = (uint32_t)mfn_x(page_to_mfn(pg)) + 1;

	pg->prev = 0;
	pg->next = l->head;
	if (l->head)
		mfn_to_page(_mfn(l->head - 1))->prev = me;
	else
		l->tail = me;
	l->head = me;
	l->count++;
}
static inline void page_list_del(struct page_info *pg, struct page_list *l)
{
	if (pg->prev)
		mfn_to_page(_mfn(pg->prev - 1))->next = pg->next;
	else
		l->head = pg->next;
	if (pg->next)
		mfn_to_page(_mfn(pg->next - 1))->prev = pg->prev;
	else
		l->tail = pg->prev;
	pg->next = pg->prev = 0;
	l->count--;
}
/* pg becomes the first; those before it go to the end, in their order. */
static inline void page_list_rotate(struct page_list *l, struct page_info *pg)
{
	if (!pg->prev)
		return;
	mfn_to_page(_mfn(l->tail - 1))->next = l->head;
	mfn_to_page(_mfn(l->head - 1))->prev = l->tail;
	l->tail = pg->prev;
	mfn_to_page(_mfn(l->tail - 1))->next = 0;
	l->head = (uint32_t)mfn_x(page_to_mfn(pg)) + 1;
	pg->prev = 0;
}
/* The first nr leave the list, so that pg (NULL: none) is the first; their own links are stale. */
static inline void page_list_cut_head(struct page_list *l, struct page_info *pg, unsigned long nr)
{
	l->count -= nr;
	if (pg) {
		l->head = (uint32_t)mfn_x(page_to_mfn(pg)) + 1;
		pg->prev = 0;
	} else {
		l->head = l->tail = 0;
	}
}
static inline struct page_info *page_list_remove_head(struct page_list *l)
{
	struct page_info *pg = page_list_first(l);

	if (pg)
		page_list_del(pg, l);
	return pg;
}

#endif
