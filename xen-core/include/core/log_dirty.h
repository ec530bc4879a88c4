/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a domain were written since its log was last emptied: a bit
 * for each of the guest's own frame numbers. docs/log-dirty.md tells who marks
 * what, and how a port sees the guest's own stores.
 */
#ifndef CORE_LOG_DIRTY_H
#define CORE_LOG_DIRTY_H

#include <core/types.h>
#include <xen/xen.h>
#include <xen/domctl.h>

struct domain;
struct log_dirty;
struct page_info;

/*
 * Is any domain's log on? 0 or 1, read plainly and a whole word, so that compilers test it
 * where it is, by one instruction, or add it to another condition: a domain is paused when
 * its log begins, and what others write to it at that moment is sent afterwards anyway.
 */
extern unsigned long log_dirty_on;

/* Out of line part of log_dirty_page(). */
void log_dirty_mark(const struct page_info *pg);
/*
 * We wrote to pg, or are about to, through a mapping of our own: two instructions
 * while nobody logs. The caller has a reference to pg. Any context.
 */
static inline void log_dirty_page(const struct page_info *pg)
{
	if (unlikely(log_dirty_on))
		log_dirty_mark(pg);
}
/* The same by the guest's frame number, of which d is the owner. */
void log_dirty_mark_pfn(struct domain *d, unsigned long pfn);
/*
 * Is a write to this frame number in the log already, or one that is never
 * logged (no memory of the guest's has the number)? True also if d's log is off.
 */
bool log_dirty_is_marked(const struct domain *d, unsigned long pfn);
/* A write of the guest's was caught: for the statistics. */
void log_dirty_count_fault(struct domain *d);

/*
 * A log for frame numbers below nr, empty; NULL without memory. It begins with
 * log_dirty_begin(), and ends with log_dirty_end(), which frees it once no CPU
 * can be at it. One log at a time; the domctl lock is held, or d is dying.
 */
struct log_dirty *log_dirty_create(unsigned long nr);
void log_dirty_begin(struct domain *d, struct log_dirty *log);
void log_dirty_end(struct domain *d);
/* Frees a log that has not begun. */
void log_dirty_discard(struct log_dirty *log);

/*
 * Marks the pages that are written at any time: mapped vcpu_info, FIFO event
 * pages, and what grants let somebody write just now. Takes d's event_lock.
 */
void log_dirty_mark_mapped(struct domain *d);
/*
 * Answers a CLEAN or PEEK: the bits of op->pages frame numbers, from 0, go to
 * op->dirty_bitmap (or nowhere, if that is null), and with clean are reset;
 * statistics to op->stats. 0; -EFAULT with what was not copied still
 * marked; -ERESTART, to be called again with the same op. No write may come
 * between this and the port's next catching of writes: the domain is paused.
 */
long log_dirty_report(struct domain *d, struct xen_domctl_shadow_op *op, bool clean);

#endif
