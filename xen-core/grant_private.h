/* SPDX-License-Identifier: MIT */
/*
 * What grant_table.c, grant_map.c and grant_copy.c share.
 *
 * A domain's table (version 1) is an array of entries in pages that it can
 * write, so nothing in them is trusted: an entry is read once and locked in
 * use by compare-and-exchange on its first word. Beside each entry there is an
 * active entry of our own: who uses the grant, how often and how, and which
 * frame it was when the first use began.
 *
 * Locking: tables only grow, their pages never move and live as long as the
 * domain, so hot paths take no lock on the table; nr_frames is published last.
 * Each active entry has a lock of its own. The tracks of mappings (maptrack)
 * are taken from a lock-free list; a track is changed only by compare-and-
 * exchange of the whole word, so two unmaps of one handle cannot both succeed.
 * No page-table lock is ever taken under the lock of an active entry.
 */
#ifndef GRANT_PRIVATE_H
#define GRANT_PRIVATE_H

#include <core/domain.h>
#include <core/grant_table.h>
#include <arch/atomic.h>
#include <arch/map.h>

#define ENTRIES_PER_FRAME	((unsigned int)(PAGE_SIZE / sizeof(grant_entry_v1_t)))	/* 512 */
#define ENTRY_SHIFT		9

/* Four counters of 8 bits; each counts up to 127, the top bit is the guard. */
#define PIN_HOST_W	(1u << 0)
#define PIN_HOST_R	(1u << 8)
#define PIN_DEV_W	(1u << 16)
#define PIN_DEV_R	(1u << 24)
#define PIN_READ_SHIFT	8
#define PIN_WRITERS	(0xffu * (PIN_HOST_W | PIN_DEV_W))
#define PIN_OVERFLOW(incr)	((incr) << 7)

struct active_entry {
	spinlock_t lock;
	uint32_t pin;		/* (lock) 0 = not in use */
	uint32_t mfn;		/* (lock) while pinned; constant then */
	domid_t domid;		/* (lock) while pinned: who uses it */
	uint16_t pad;
};

/* One mapping that a domain holds; the handle is its index. */
union maptrack {
	uint64_t raw;			/* (a) */
	struct {
		uint32_t ref;		/* free: the next free index + 1 */
		domid_t domid;		/* the granting domain */
		uint16_t flags;		/* GNTMAP_* of the ABI, below bit 8; 0 = free */
	};
};
/* The word with these fields. */
#define MT_RAW(ref, domid, flags) \
	((uint32_t)(ref) | (uint64_t)(domid_t)(domid) << 32 | (uint64_t)(flags) << 48)
#define MT_BUSY		(1u << 15)	/* somebody is unmapping it */
#define MT_SHIFT	9
#define MT_PER_PAGE	(1u << MT_SHIFT)
#define MT_FLAGS	0xffu

struct grant_table {
	struct domain *domain;		/* (c) */
	unsigned int nr_frames;		/* (lock) to write; grows only, published after its pages */
	unsigned int max_frames;	/* (c) */
	grant_entry_v1_t **shared;	/* (c) max_frames pointers, each set once */
	struct active_entry **active;	/* (c) the same, ENTRIES_PER_FRAME each */
	spinlock_t lock;		/* growth, and swaps of whole entries */

	spinlock_t maptrack_lock;	/* growth of: */
	union maptrack **maptrack;	/* (maptrack_lock) set once; NULL until the first mapping */
	unsigned int maptrack_pages;	/* (maptrack_lock) published after the page */
	unsigned int max_maptrack_pages;	/* (c) */
	uint64_t maptrack_free;		/* (a) low: index + 1 of the first free, high: generation */
};

static inline unsigned int gt_entries(const struct grant_table *gt)
{
	return atomic_load(&gt->nr_frames) * ENTRIES_PER_FRAME;
}
/* ref is below gt_entries(). */
static inline struct active_entry *gt_active(const struct grant_table *gt, grant_ref_t ref)
{
	return &gt->active[ref >> ENTRY_SHIFT][ref & (ENTRIES_PER_FRAME - 1)];
}
static inline grant_entry_v1_t *gt_shared(const struct grant_table *gt, grant_ref_t ref)
{
	return &gt->shared[ref >> ENTRY_SHIFT][ref & (ENTRIES_PER_FRAME - 1)];
}

/*
 * Begins one more use of a grant by domain `user`: checks, sets GTF_reading
 * (and GTF_writing), adds `incr` to the pins and takes a reference to the frame,
 * *pg. The pinned frame is what the entry said when its first use began.
 * map: refuses sub-page grants. GNTST_okay, or the reason with nothing changed.
 */
int grant_pin(struct domain *rd, grant_ref_t ref, domid_t user, bool readonly, bool map,
	      uint32_t incr, struct page_info **pg);
/*
 * Ends it: the pins, and the flags that nobody needs any more. The page
 * reference is the caller's.
 */
void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly, uint32_t decr);
/*
 * The same for what a handle of user's stands for, ref being within the table.
 * Nothing if the entry has no such pin: a handle whose page-table entry was
 * overwritten may outlive its granter, and another domain have that number now.
 */
void grant_unpin_mapping(struct domain *rd, grant_ref_t ref, domid_t user, bool readonly,
			 uint32_t decr);
/*
 * Grows to nr frames (at most max_frames). gt->lock held. 0 or -ENOMEM; frames
 * added before stay.
 */
int gnttab_grow(struct grant_table *gt, unsigned int nr);

/* The batches. Elements done so far when preempted (less than count), 0 all done, -EFAULT. */
long gnttab_map(unsigned long uop, unsigned int count);
long gnttab_unmap(unsigned long uop, unsigned int count);
long gnttab_unmap_replace(unsigned long uop, unsigned int count);
long gnttab_copy(unsigned long uop, unsigned int count);

/* Debug key 'Z' (zombie_dump.c). */
void zombies_dump(unsigned char key);

#endif
