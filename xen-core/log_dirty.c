/* SPDX-License-Identifier: MIT */
/*
 * The bitmap of dirty pages (core/log_dirty.h): marked by anybody at any time
 * with atomic operations only, read out in parts.
 *
 * All of it is allocated when it begins, so that marking cannot fail. Frame
 * numbers are the guest's word, so they are no index until they are checked:
 * one beyond the end sets a flag that stands for all of them.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/grant_table.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <core/xmalloc.h>
#include <arch/atomic.h>
#include <arch/map.h>

#define BITS_PER_LEAF	(PAGE_SIZE * 8)
#define LEAF_SHIFT	15
#define BATCH		64U	/* words copied at a time, on the stack */

_Static_assert(BITS_PER_LEAF == 1UL << LEAF_SHIFT, "a leaf is a page");

struct log_dirty {
	struct quiesce_head quiesce;
	unsigned long limit;		/* (c) frame numbers that have a bit, whole leaves */
	unsigned long faults;		/* (a) */
	unsigned long dirty;		/* (a) bits set since the last clean */
	bool beyond;			/* (a) a number without a bit was dirtied */
	/* A report that was preempted, and whose it is: the domctl lock */
	unsigned long position;		/* 0 = none */
	struct vcpu *reporter;
	const void *buffer;
	uint32_t op;
	unsigned long *leaf[];		/* (c) limit >> LEAF_SHIFT pages */
};

unsigned long log_dirty_on;		/* on_lock to write */
static unsigned int nr_on;		/* on_lock */
static DEFINE_SPINLOCK(on_lock, LOCK_ANY);

/* ---- birth and end ---- */

void log_dirty_discard(struct log_dirty *log)
{
	if (!log)
		return;
	for (unsigned long i = 0; i < log->limit >> LEAF_SHIFT; i++)
		if (log->leaf[i])
			free_xenheap_page(log->leaf[i]);
	xfree(log);
}

struct log_dirty *log_dirty_create(unsigned long nr)
{
	const unsigned long leaves = DIV_ROUND_UP(nr, BITS_PER_LEAF);
	struct log_dirty *log;

	log = xzalloc_bytes(sizeof(*log) + leaves * sizeof(log->leaf[0]), __alignof__(*log));
	if (!log)
		return NULL;
	log->limit = leaves << LEAF_SHIFT;
	for (unsigned long i = 0; i < leaves; i++) {
		log->leaf[i] = alloc_xenheap_page();
		if (!log->leaf[i]) {
			log_dirty_discard(log);
			return NULL;
		}
	}
	return log;
}

static void count_on(int step)
{
	spin_lock(&on_lock);
	nr_on += (unsigned int)step;
	log_dirty_on = nr_on != 0;
	spin_unlock(&on_lock);
}

void log_dirty_begin(struct domain *d, struct log_dirty *log)
{
	atomic_store(&d->log_dirty, log);
	count_on(1);
}

static void discard_later(struct quiesce_head *head)
{
	log_dirty_discard(container_of(head, struct log_dirty, quiesce));
}

void log_dirty_end(struct domain *d)
{
	struct log_dirty *log = d->log_dirty;

	if (!log)
		return;
	atomic_store(&d->log_dirty, (struct log_dirty *)NULL);
	count_on(-1);
	quiesce_call(&log->quiesce, discard_later);
}

/* ---- marking ---- */

void log_dirty_mark_pfn(struct domain *d, unsigned long pfn)
{
	struct log_dirty *log = atomic_load(&d->log_dirty);
	const unsigned long bit = 1UL << (pfn & 63);
	unsigned long *word;

	/* The topmost bit says that the frame is no memory of the guest's. */
	if (!log || (long)pfn < 0)
		return;
	if (unlikely(pfn >= log->limit)) {
		write_once(log->beyond, true);
		return;
	}
	word = &log->leaf[pfn >> LEAF_SHIFT][(pfn & (BITS_PER_LEAF - 1)) / 64];
	if (!(read_once(*word) & bit) &&
	    !(__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit))
		(void)atomic_add_return(&log->dirty, 1);
}

void log_dirty_mark(const struct page_info *pg)
{
	struct domain *d = page_get_owner(pg);

	if (d && d->log_dirty)
		log_dirty_mark_pfn(d, get_gpfn_from_mfn(page_to_mfn(pg)));
}

bool log_dirty_is_marked(const struct domain *d, unsigned long pfn)
{
	const struct log_dirty *log = atomic_load(&d->log_dirty);

	if (!log || (long)pfn < 0)
		return true;
	if (unlikely(pfn >= log->limit))
		return read_once(log->beyond);
	return read_once(log->leaf[pfn >> LEAF_SHIFT][(pfn & (BITS_PER_LEAF - 1)) / 64]) &
		1UL << (pfn & 63);
}

void log_dirty_count_fault(struct domain *d)
{
	struct log_dirty *log = atomic_load(&d->log_dirty);

	if (log)
		(void)atomic_add_return(&log->faults, 1);
}

void log_dirty_mark_mapped(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v) {
		const mfn_t mfn = v->vcpu_info_mfn;

		if (!mfn_eq(mfn, INVALID_MFN))
			log_dirty_mark_pfn(d, get_gpfn_from_mfn(mfn));
	}
	evtchn_mark_pages(d);
	gnttab_mark_writable(d);
}

/* ---- answers ---- */

/* Words [first, first + n) of the bitmap into out, and reset: all of each but the last. */
static void take(struct log_dirty *log, unsigned long first, unsigned int n,
		 unsigned long last_mask, bool clean, unsigned long *out)
{
	for (unsigned int i = 0; i < n; i++) {
		const unsigned long at = first + i, mask = i + 1 < n ? ~0UL : last_mask;
		unsigned long *word;

		if (at * 64 >= log->limit) {
			out[i] = read_once(log->beyond) ? mask : 0;
			continue;
		}
		word = &log->leaf[at * 64 >> LEAF_SHIFT][at & (BITS_PER_LEAF / 64 - 1)];
		out[i] = read_once(*word) & mask;
		if (clean && out[i])
			out[i] = __atomic_fetch_and(word, ~mask, __ATOMIC_SEQ_CST) & mask;
	}
}

static void give_back(struct log_dirty *log, unsigned long first, unsigned int n,
		      const unsigned long *bits)
{
	for (unsigned int i = 0; i < n; i++) {
		const unsigned long at = first + i;

		if (at * 64 < log->limit)
			atomic_or(&log->leaf[at * 64 >> LEAF_SHIFT]
					    [at & (BITS_PER_LEAF / 64 - 1)], bits[i]);
	}
}

/* From frame number *pos, a multiple of 64, on. 0, -EFAULT, or -ERESTART. */
static long copy_bits(struct log_dirty *log, const struct xen_domctl_shadow_op *op, bool clean,
		      unsigned long *pos)
{
	uint8_t *to = op->dirty_bitmap.p;
	unsigned long words[BATCH];

	while (*pos < op->pages) {
		const unsigned long bits = min(op->pages - *pos, BATCH * 64UL);
		const unsigned int n = (unsigned int)DIV_ROUND_UP(bits, 64);

		take(log, *pos / 64, n, bits % 64 ? (1UL << bits % 64) - 1 : ~0UL, clean, words);
		if (to && raw_copy_to_guest(to + *pos / 8, words, DIV_ROUND_UP(bits, 8))) {
			if (clean)
				give_back(log, *pos / 64, n, words);
			return -EFAULT;
		}
		*pos += BATCH * 64UL;
		if (!(*pos & (BITS_PER_LEAF - 1)) && *pos < op->pages && hypercall_preempt_check())
			return -ERESTART;
	}
	return 0;
}

long log_dirty_report(struct domain *d, struct xen_domctl_shadow_op *op, bool clean)
{
	struct log_dirty *log = d->log_dirty;
	unsigned long pos = 0;
	long rc;

	/*
	 * The same vcpu with the same buffer and operation again is the call that was
	 * preempted: a guest's kernel goes on with that before anything else.
	 */
	if (log->position && log->reporter == current && log->buffer == op->dirty_bitmap.p &&
	    log->op == op->op && log->position < op->pages)
		pos = log->position;
	rc = copy_bits(log, op, clean, &pos);
	if (rc == -ERESTART) {
		log->position = pos;
		log->reporter = current;
		log->buffer = op->dirty_bitmap.p;
		log->op = op->op;
		return rc;
	}
	log->position = 0;
	op->stats.fault_count = (uint32_t)min(read_once(log->faults), 0xffffffffUL);
	op->stats.dirty_count = (uint32_t)min(read_once(log->dirty), 0xffffffffUL);
	if (!rc && clean) {
		write_once(log->faults, 0);
		write_once(log->dirty, 0);
		write_once(log->beyond, false);
	}
	return rc;
}
